"""arnold2019, Figures 1 (left) and A.5 (left) and Table 1 "Synthetic": accuracy in R^100 after one step.

Along meta-training and at its end.

Left: fresh points; LR from three starts at its printed rates, the others at a tenth of their printed outer rate, since they leave the
finite numbers at the printed one. Right: the end, by what the adapted model is judged on; a line is what Table 1 prints. Levels: one
step of logistic regression from c = 0, exactly (`analysis.GaussianLogistic`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import GaussianLogistic
from paper_checks.published import accuracy

from .accuracy_curves import Curve, chance, draw_curve, level, meta_iterations, read
from .style import BLACK, BLUE, PURPLE, RED

NAME = "arnold2019-figure1-left"
SUMMARY = "linear separation in R^100: accuracy after one step, along meta-training and by reading"
SOURCE = "arnold2019, Figures 1 (left) and A.5 (left) and Table 1 (Synthetic)"
RECORD = "arnold2019/synthetic"
SIZE = (9.4, 4.1)

TENTH = ", outer rate × 0.1"
STARTS = {"LR": "-", "LR, from 0": (0, (1, 1.2)), "LR, from N(0, 1)": (0, (4, 2))}
MODELS = {"LR": BLACK, "LinNet": RED, "KLin": BLUE, "KFC": PURPLE}
MARKERS = {"LR": "o", "LinNet": "s", "KLin": "^", "KFC": "D"}
PRINTED = {"LR": "LR w/ MAML", "LinNet": "LR+LinNet w/ MAML", "KLin": "LR w/ KLin", "KFC": "LR w/ KFC"}
READINGS = {  # how a record's setting ends → what it is judged on
    "": "1,000 fresh\npoints",
    " 500 + 500": "half of\nthe points",
    " same points": "the same\npoints",
    " one set of points": "one set, for\nall tasks",
}
DIMENSION, POINTS = 100, 1000


@dataclass(frozen=True)
class Data:
    """What the figure shows.

    Attributes:
        curves: by the record's setting, on fresh points.
        diverged: model → the greatest meta-iteration at which a seed at the printed rates diverged; None if one did not.
        ends: (model, reading) → accuracies at the end by seed.
        exact: reading → accuracy after one step from c = 0; None where the points are shared.
        printed: model → Table 1.
    """

    curves: dict[str, Curve]
    diverged: dict[str, int | None]
    ends: dict[tuple[str, str], np.ndarray]
    exact: dict[str, float | None]
    printed: dict[str, float]


def data(results: Path | None = None) -> Data:
    """Read the record, compute the levels. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    scale = {model: "" if model == "LR" else TENTH for model in MODELS}
    ends = {(model, reading): model + reading + scale[model] for model in MODELS for reading in READINGS}
    found = read(RECORD, [*STARTS, *(m for m in MODELS if m != "LR"), *ends.values()], results)
    shown = [*STARTS, *(model + TENTH for model in MODELS if model != "LR")]
    tasks = GaussianLogistic(DIMENSION)
    last = {model: found[model].diverged_at for model in MODELS if model != "LR"}
    return Data(
        {name: found[name] for name in shown},
        {model: None if np.isnan(at).any() else int(at.max()) for model, at in last.items()},
        {key: found[name].accuracy[:, -1] for key, name in ends.items()},
        {
            "": tasks.adapted_accuracy(POINTS),
            " 500 + 500": tasks.adapted_accuracy(POINTS // 2),
            " same points": tasks.support_accuracy(POINTS),
            " one set of points": None,
        },
        {model: accuracy("arnold2019", "Table 1", "Synthetic", PRINTED[model]).value for model in MODELS},
    )


def panels(figure: Figure) -> tuple[Axes, Axes]:
    """Curves, and ends."""
    figure.set_layout_engine("constrained")
    return tuple(figure.subplots(1, 2, sharey=True, width_ratios=(1.15, 1)))


def draw(axes: tuple[Axes, Axes], data: Data) -> None:
    """Draw the curves on the first axes and the ends on the second."""
    curves, ends = axes
    curves.set_ylim(0.45, 1.04)
    for name, style in STARTS.items():
        draw_curve(curves, data.curves[name], BLACK, "LR, PyTorch's start" if name == "LR" else name, ls=style)
    for model, colour in MODELS.items():
        if model != "LR":
            at = data.diverged[model]
            told = f" (× 1: not finite from {at})" if at is not None else ""
            draw_curve(curves, data.curves[model + TENTH], colour, f"{model}, × 0.1{told}")
    meta_iterations(curves, data.curves["LR"].at)
    level(curves, data.exact[""], f"exact from c = 0: {data.exact['']:.4f}", 0.03)
    chance(curves)
    curves.legend(loc="upper left", ncols=2, fontsize=8, columnspacing=1.2, borderaxespad=0.2)
    seeds = len(data.curves["LR"].accuracy)
    curves.set(
        xlabel="meta-iteration (×: of the printed outer rate)",
        ylabel="test accuracy after one step",
        title=f"(a) 1,000 points to adapt on, 1,000 fresh: {seeds} seeds",
    )

    chance(ends)
    width = 0.8
    for column, reading in enumerate(READINGS):
        if data.exact[reading] is not None:
            span = (column - width / 2, column + width / 2)
            ends.plot(span, [data.exact[reading]] * 2, color="#6b6b6b", lw=0.9, ls=(0, (5, 3)), zorder=1)
        for place, (model, colour) in enumerate(MODELS.items()):
            values = data.ends[model, reading]
            x = column + width * (place - 1.5) / 4
            ends.plot(
                np.full(len(values), x), values, MARKERS[model], color=colour, ms=5, mfc="none", gid=f"{model}{reading}"
            )
    for model, colour in MODELS.items():
        ends.axhline(data.printed[model], color=colour, lw=0.9, zorder=1)
    ends.text(3.46, data.printed["LR"] + 0.006, "LR as printed", color=BLACK, ha="right", va="bottom")
    ends.text(-0.46, data.printed["LinNet"] - 0.006, "LinNet as printed", color=RED, ha="left", va="top")
    ends.text(-0.46, data.printed["KLin"] + 0.006, "KLin and KFC as printed", color=BLUE, ha="left", va="bottom")
    for model, colour in MODELS.items():
        ends.plot([], [], MARKERS[model], color=colour, mfc="none", ms=5, label=model)
    ends.legend(loc="lower left", bbox_to_anchor=(0.0, 0.16), ncols=4, columnspacing=1, handletextpad=0.2)
    ends.set(
        xlim=(-0.5, len(READINGS) - 0.5),
        xlabel="what the adapted model is judged on",
        title="(b) at the end, by reading; dashed: exact from c = 0",
    )
    ends.set_xticks(range(len(READINGS)), list(READINGS.values()))
