"""arnold2019, Figure A.2: CNN(4) where the weights and biases of one layer are multiplied, before or after adaptation.

On the first 100 test tasks. Those of batch norm are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from .image_curves import Layout, Look, Sheet, accuracies, chance, collect, draw_spread, foot, head
from .layer_study import MODEL, wanted
from .style import BLUE, RED

NAME = "arnold2019-figure-a2"
SUMMARY = "accuracy of CNN(4) where one layer's weights are scaled, before or after adaptation"
SOURCE = "arnold2019, Figure A.2"
RECORD = "arnold2019/cnn"

LAYERS = ("C1", "C2", "C3", "C4", "FC")
LOOKS = {"before adaptation": Look(RED, "o"), "after adaptation": Look(BLUE, "s", (0, (4, 2)))}
LAYOUT = Layout((1.95, 2.7), len(LOOKS), columns=len(LAYERS))
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return collect(RECORD, wanted(), results)


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw each data set on its row."""
    *shown, strip = axes
    for row, panel in enumerate(data.panels.values()):
        cell = panel.cells[MODEL]
        for column, layer in enumerate(LAYERS):
            axis = shown[len(LAYERS) * row + column]
            for when, look in LOOKS.items():
                scales = list(cell.record.details["studies"]["scaling"][when][layer])
                values = np.array([cell.studied("scaling", when, layer, scale) for scale in scales])
                draw_spread(axis, np.arange(len(scales)), values, look, f"{layer} {when}")
            axis.set_xticks(range(len(scales)), scales)
            axis.set_xlabel("factor")
            chance(axis, panel)
            head(axis, f"{panel.title}: {layer}" if not column else layer, panel.run if not column else "", 9.0)
        accuracies(shown[len(LAYERS) * row])
    foot(strip, data, [look.handle(f"scaled {when}") for when, look in LOOKS.items()])
