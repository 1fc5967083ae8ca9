"""arnold2021, Figures 3 and B.2: linear models of images along meta-training, with and without added linear layers.

The paper does not say how many inner steps it takes; both readings that were run are drawn. The upper bound is the same linear model
trained on many images of each test task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from paper_checks.published import TITLES

from .image_curves import (
    ADDED,
    LEVEL,
    PLAIN,
    Layout,
    Sheet,
    accuracies,
    chance,
    collect,
    draw_curve,
    foot,
    head,
    level,
    meta_iterations,
    settings,
)

NAME = "arnold2021-figure3"
SUMMARY = "linear models of images along meta-training, LR against LR+LinNet, with the upper bound"
SOURCE = "arnold2021, Figures 3 and B.2"
RECORD = "arnold2021/linear-images"

BOUND = "upper bound"
LOOKS = {
    "LR, 1 step": PLAIN,
    "LR, 5 steps": replace(PLAIN, marker="v", line=(0, (4, 2))),
    "LR+LinNet, 1 step": ADDED,
    "LR+LinNet, 5 steps": replace(ADDED, marker="D", line=(0, (4, 2))),
}
LAYOUT = Layout((3.1, 2.9), len(LOOKS) + 1)
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return collect(RECORD, settings(TITLES, {label: label for label in (*LOOKS, BOUND)}), results, along=True)


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw each data set on its axes."""
    *shown, strip = axes
    for axis, panel in zip(shown, data.panels.values(), strict=True):
        for label, look in LOOKS.items():
            if label in panel.cells:
                draw_curve(axis, panel.cells[label], look, label)
        if BOUND in panel.cells:
            level(axis, panel.cells[BOUND].by_seed().mean())
        chance(axis, panel)
        meta_iterations(axis, panel)
        head(axis, panel.title, panel.run)
    accuracies(shown[0])
    foot(strip, data, [*(look.handle(label) for label, look in LOOKS.items()), Line2D([], [], **LEVEL, label=BOUND)])
