"""arnold2019, Figure 3: accuracy after adaptation against the number of convolutional layers, MAML and KFC.

At the end of meta-training. Hollow: Table A2, which has the figure's numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from .image_curves import FACTORED, PLAIN, Layout, Sheet, collect, settings
from .layer_counts import draw_methods, labels

NAME = "arnold2019-figure3"
SUMMARY = "accuracy on images against the number of convolutional layers, MAML and KFC"
SOURCE = "arnold2019, Figure 3 and Table A2"
RECORD = "arnold2019/cnn"

LAYERS = (1, 2, 3, 4)
METHODS = {"MAML": PLAIN, "KFC": FACTORED}
LAYOUT = Layout((3.1, 2.9), len(METHODS) + 1)
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return collect(RECORD, settings(("omniglot", "cifar-fs"), labels(LAYERS, METHODS)), results)


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw each data set on its axes."""
    draw_methods(axes, data, "arnold2019", LAYERS, METHODS, dict.fromkeys(METHODS, "Table A2"))
