"""arnold2019, Figures 1 (right) and A.5 (right): linear models of Omniglot along meta-training, after two inner steps.

Hollow, on the right edge: what Table 1 prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from paper_checks.arnold2019.image_experiments import LINEAR_METHODS
from paper_checks.published import accuracy

from .image_curves import (
    ADDED,
    FACTORED,
    LINEAR_META,
    PLAIN,
    PRINTED,
    Layout,
    Sheet,
    accuracies,
    chance,
    collect,
    draw_curve,
    foot,
    head,
    meta_iterations,
    printed_at_the_end,
)

NAME = "arnold2019-figure1-right"
SUMMARY = "linear models of Omniglot along meta-training: LR, LinNet, KLin and KFC"
SOURCE = "arnold2019, Figures 1 (right) and A.5 (right)"
RECORD = "arnold2019/omniglot-linear"

LOOKS = {"LR": PLAIN, "LR+LinNet": ADDED, "LR w/ KLin": LINEAR_META, "LR w/ KFC": FACTORED}
LAYOUT = Layout((5.6, 3.4), len(LOOKS) + 1)
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return collect(RECORD, {"omniglot": {label: label for label in LOOKS}}, results, along=True)


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw the curves, and what is printed of their ends."""
    axis, strip = axes
    (panel,) = data.panels.values()
    for label, look in LOOKS.items():
        if label in panel.cells:
            draw_curve(axis, panel.cells[label], look, label)
        printed_at_the_end(
            axis, accuracy("arnold2019", "Table 1", "Omniglot", LINEAR_METHODS[label]).value, look, label
        )
    chance(axis, panel)
    meta_iterations(axis, panel)
    head(axis, f"{panel.title}, 5 ways, 1 shot", panel.run, LAYOUT.panel[0])
    accuracies(axis, "test accuracy after two steps")
    foot(strip, data, [*(look.handle(label) for label, look in LOOKS.items()), PRINTED])
