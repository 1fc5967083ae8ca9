"""arnold2019, Figure A.1: accuracy of linear networks of 1 to 4 hidden layers after one step, along meta-training, by width.

At an outer rate of 0.19, a tenth of the linear network's printed rate; how many runs leave the finite numbers at the whole rate is said
in each panel. Level: one step of logistic regression from c = 0 on 1,000 points, exactly (`analysis.GaussianLogistic`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analysis import GaussianLogistic

from .accuracy_curves import Curve, chance, draw_curve, level, meta_iterations, read

NAME = "arnold2019-figure-a1"
SUMMARY = "accuracy after one step along meta-training, for linear networks of 1 to 4 hidden layers and of eight widths"
SOURCE = "arnold2019, Figure A.1"
RECORD = "arnold2019/figure-a1"
SIZE = (7.6, 6.0)

DEPTHS, WIDTHS = (1, 2, 3, 4), (2, 4, 8, 16, 32, 64, 128, 256)
TENTH = ", outer rate × 0.1"
COLOURS = [to_hex(colormaps["viridis"](share)) for share in np.linspace(0, 0.9, len(WIDTHS))]


@dataclass(frozen=True)
class Data:
    """What the figure shows.

    Attributes:
        curves: (depth, width) → the curve at an outer rate of 0.19.
        diverged: depth → how many runs of all widths diverge there, and how many at 1.9; of how many.
        exact: accuracy after one step from c = 0.
    """

    curves: dict[tuple[int, int], Curve]
    diverged: dict[int, tuple[int, int, int]]
    exact: float


def data(results: Path | None = None) -> Data:
    """Read the record, compute the level. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    names = {(depth, width): f"depth {depth} width {width}" for depth in DEPTHS for width in WIDTHS}
    found = read(RECORD, [name + scale for name in names.values() for scale in ("", TENTH)], results)

    def lost(depth: int, scale: str) -> np.ndarray:
        return np.concatenate([np.isfinite(found[names[depth, width] + scale].diverged_at) for width in WIDTHS])

    return Data(
        {key: found[name + TENTH] for key, name in names.items()},
        {depth: (int(lost(depth, TENTH).sum()), int(lost(depth, "").sum()), lost(depth, "").size) for depth in DEPTHS},
        GaussianLogistic(100).adapted_accuracy(1000),
    )


def panels(figure: Figure) -> tuple[Axes, ...]:
    """One for each depth."""
    figure.set_layout_engine("constrained")
    return tuple(figure.subplots(2, 2, sharex=True, sharey=True).ravel())


def draw(axes: Sequence[Axes], data: Data) -> None:
    """Draw the curves of each depth on its axes."""
    for panel, depth in zip(axes, DEPTHS, strict=True):
        panel.set_ylim(0.45, 0.95)
        for width, colour in zip(WIDTHS, COLOURS, strict=True):
            draw_curve(panel, data.curves[depth, width], colour, f"{width}", lw=1.4)
        meta_iterations(panel, data.curves[depth, 2].at)
        level(panel, data.exact, f"exact from c = 0: {data.exact:.4f}", 0.03)
        chance(panel)
        tenth, whole, all_of = data.diverged[depth]
        told = f"not finite at 1.9: {whole} of {all_of} runs" + (f", here {tenth}" if tenth else "")
        panel.text(0.97, 0.04, told, transform=panel.transAxes, ha="right", va="bottom")
        panel.set_title(f"{depth} hidden layer{'s' * (depth > 1)}, outer rate 0.19")
        if depth > 2:
            panel.set_xlabel("meta-iteration")
        if depth % 2:
            panel.set_ylabel("test accuracy after one step")
    axes[0].legend(loc="center right", title="width", ncols=2, bbox_to_anchor=(1.0, 0.42))
