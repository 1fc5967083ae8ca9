"""arnold2019, Figure 2: CNN(4) where one layer is frozen, where it alone adapts, and where C4 and FC adapt from a noisy FC.

On the first 100 test tasks. The dashed level is the same network on the same tasks, where all layers adapt. A layer is a convolution with
its batch norm (C1 to C4), or the last, linear layer (FC).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .image_curves import LEVEL, PLAIN, Layout, Sheet, accuracies, chance, collect, draw_spread, foot, head, level
from .layer_study import MODEL, all_adapt, wanted
from .style import BLACK, BLUE, RED

NAME = "arnold2019-figure2"
SUMMARY = "what each layer of CNN(4) does for its adaptation: frozen, adapted alone, and with noise on FC"
SOURCE = "arnold2019, Figure 2"
RECORD = "arnold2019/cnn"

BARS = {"freezing only this": (BLUE, "one layer frozen"), "adapting only this": (RED, "one layer alone adapts")}
LAYOUT = Layout((3.0, 2.75), len(BARS) + 2, columns=len(BARS) + 1)
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return collect(RECORD, wanted(), results)


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw each data set on its row."""
    *shown, strip = axes
    for row, panel in enumerate(data.panels.values()):
        cell, (*barred, noisy) = panel.cells[MODEL], shown[3 * row : 3 * row + 3]
        found = cell.record.details["studies"]
        for axis, (study, (colour, title)) in zip(barred, BARS.items(), strict=True):
            values = np.array([cell.studied("freezing", study, layer) for layer in found["freezing"][study]])
            spread = values.std(1, ddof=1) if values.shape[1] > 1 else None
            names = list(found["freezing"][study])
            axis.bar(names, values.mean(1), 0.65, yerr=spread, color=colour, ecolor=BLACK, capsize=3, gid=study)
            axis.set_xlabel("layer")
            head(axis, title)
        head(barred[0], f"{panel.title}: {BARS['freezing only this'][1]}", panel.run, LAYOUT.panel[0])
        scales = list(found["noise"])
        values = np.array([cell.studied("noise", scale) for scale in scales])
        draw_spread(noisy, np.arange(len(scales)), values, PLAIN, "noise")
        noisy.set_xticks(range(len(scales)), [str(Fraction(scale)) for scale in scales])
        noisy.set_xlabel("standard deviation of the noise")
        head(noisy, "C4 and FC adapt, noise on FC")
        for axis in (*barred, noisy):
            level(axis, all_adapt(cell))
            chance(axis, panel)
        accuracies(barred[0])
    handles = [Patch(fc=colour, label=label) for colour, label in BARS.values()]
    foot(strip, data, [*handles, PLAIN.handle("noise on FC"), Line2D([], [], **LEVEL, label="all layers adapt")])
