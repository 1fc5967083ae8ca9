"""arnold2021, Figure 1 (right) and Figure B.1: accuracy after one step along meta-training, logistic regression in the plane.

10 points to adapt on, width 2. Left: labels drawn from σ(θᵀx), as the text of B.1 has it; right: separable ones, as the caption of Figure
B.1. Levels: one step from c = 0 on 10 fresh points, and the best of all classifiers, exactly (`analysis.GaussianLogistic`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import GaussianLogistic

from .accuracy_curves import Curve, chance, draw_curve, level, meta_iterations, read
from .style import BLACK, BLUE, PURPLE, RED

NAME = "arnold2021-figure1-right"
SUMMARY = "2-D logistic regression: accuracy after one step along meta-training, by the number of linear layers"
SOURCE = "arnold2021, Figure 1 (right) and Figure B.1"
RECORD = "arnold2021/figure1-right"
SIZE = (9.0, 4.0)

POINTS = 10
LABELS = {"sampled": ("sampled", "(a) labels drawn from σ(θᵀx)"), "sign": ("separable", "(b) labels sign(θᵀx)")}
CURVES = {  # how a record's setting begins and ends → colour, line, label
    ("1 layer", ""): (BLACK, "-", "LR, PyTorch's start"),
    ("1 layer", ", from 0"): (BLACK, (0, (1, 1.2)), "LR, from 0"),
    ("1 layer", ", from N(0, 1)"): (BLACK, (0, (4, 2)), "LR, from N(0, 1)"),
    ("2 layers", ""): (RED, "-", "2 layers"),
    ("3 layers", ""): (BLUE, "-", "3 layers"),
    ("4 layers", ""): (PURPLE, "-", "4 layers"),
}


@dataclass(frozen=True)
class Data:
    """What the figure shows, by the kind of labels.

    Attributes:
        curves: in the order of CURVES.
        exact: accuracy after one step from c = 0.
        best: that of the best classifier.
    """

    curves: dict[str, list[Curve]]
    exact: dict[str, float]
    best: dict[str, float]


def data(results: Path | None = None) -> Data:
    """Read the record, compute the levels. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    names = {labels: [f"{a}, {labels}, {POINTS} points{b}" for a, b in CURVES] for labels in LABELS}
    found = read(RECORD, [name for each in names.values() for name in each], results)
    tasks = {labels: GaussianLogistic(2, kind) for labels, (kind, _) in LABELS.items()}
    return Data(
        {labels: [found[name] for name in each] for labels, each in names.items()},
        {labels: each.adapted_accuracy(POINTS) for labels, each in tasks.items()},
        {labels: each.bayes_accuracy() for labels, each in tasks.items()},
    )


def panels(figure: Figure) -> tuple[Axes, Axes]:
    """One for each kind of labels."""
    figure.set_layout_engine("constrained")
    return tuple(figure.subplots(1, 2))


def draw(axes: Sequence[Axes], data: Data) -> None:
    """Draw the curves of each kind of labels on its axes."""
    for panel, (labels, (_, title)) in zip(axes, LABELS.items(), strict=True):
        top = data.best[labels]
        panel.set_ylim(0.5 - 0.12 * (top - 0.5), 0.5 + 1.1 * (top - 0.5))
        for curve, (colour, style, label) in zip(data.curves[labels], CURVES.values(), strict=True):
            draw_curve(panel, curve, colour, label, ls=style)
        meta_iterations(panel, data.curves[labels][0].at)
        level(panel, data.exact[labels], f"exact from c = 0: {data.exact[labels]:.4f}", 0.99, below=True)
        level(panel, top, f"the best classifier: {top:.4f}" if top < 1 else "the best classifier: 1", 0.03)
        chance(panel)
        seeds = len(data.curves[labels][0].accuracy)
        panel.set(
            xlabel="meta-iteration",
            ylabel="test accuracy after one step",
            title=f"{title}; {POINTS} points, {seeds} seeds",
        )
    axes[0].legend(loc="lower right", bbox_to_anchor=(1.0, 0.1))
