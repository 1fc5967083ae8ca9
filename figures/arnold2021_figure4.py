"""arnold2021, Figures 4 and B.4: accuracy after adaptation against the number of convolutional layers, MAML and meta-KFO.

At the end of meta-training. Hollow: what Table 1 prints of MAML, and Table 3 of meta-KFO.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from paper_checks.published import TITLES

from .image_curves import FACTORED, PLAIN, Layout, Sheet, collect, settings
from .layer_counts import draw_methods, labels

NAME = "arnold2021-figure4"
SUMMARY = "accuracy on images against the number of convolutional layers, MAML and MAML with meta-KFO"
SOURCE = "arnold2021, Figures 4 and B.4"
RECORD = "arnold2021/cnn"

LAYERS = (1, 2, 3, 4, 6)
METHODS = {"MAML": PLAIN, "MAML w/ meta-KFO": FACTORED}
TABLES = {"MAML": "Table 1", "MAML w/ meta-KFO": "Table 3"}
LAYOUT = Layout((3.1, 2.9), len(METHODS) + 1)
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return collect(RECORD, settings(TITLES, labels(LAYERS, METHODS)), results)


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw each data set on its axes."""
    draw_methods(axes, data, "arnold2021", LAYERS, METHODS, TABLES)
