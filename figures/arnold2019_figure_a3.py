"""arnold2019, Figure A.3: CNN(4) where adapted weights below a threshold are set to 0, and how many of them are left.

On the first 100 test tasks. Hollow: what Table A1 prints, at the threshold that Figure A.3 prints, which should leave as many weights as
CNN(2) has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from paper_checks.published import TITLES, accuracy

from .image_curves import (
    GREY,
    LEVEL,
    PLAIN,
    PRINTED,
    Layout,
    Look,
    Sheet,
    chance,
    collect,
    draw_spread,
    foot,
    head,
    hollow,
)
from .layer_study import MODEL, wanted

NAME = "arnold2019-figure-a3"
SUMMARY = "accuracy of CNN(4) where adapted weights below a threshold are pruned, and the share that is left"
SOURCE = "arnold2019, Figure A.3 and Table A1 (w/ prune)"
RECORD = "arnold2019/cnn"

LEFT = Look(GREY, "^", (0, (4, 2)))
LAYOUT = Layout((3.1, 2.9), 3)
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return collect(RECORD, wanted(TITLES), results)


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw each data set on its axes."""
    # here because the rooms of claims take seconds to import
    from paper_checks.arnold2019.image_experiments import SCNN_SHARE, THRESHOLDS

    *shown, strip = axes
    for axis, (dataset, panel) in zip(shown, data.panels.items(), strict=True):
        cell = panel.cells[MODEL]
        found = cell.record.details["studies"]["pruning"]
        at = np.array([float(threshold) for threshold in found])
        left = [[each["share left"]] for each in found.values()]
        draw_spread(axis, at, np.array(left), LEFT, "share left", lw=1.3)
        draw_spread(axis, at, np.array([cell.studied("pruning", t, "accuracy") for t in found]), PLAIN, "accuracy")
        printed = accuracy("arnold2019", "Table A1", panel.title, "CNN(4) pruned").value
        hollow(axis, THRESHOLDS[dataset], printed, PLAIN, "accuracy")
        axis.axhline(SCNN_SHARE[dataset], **LEVEL)
        chance(axis, panel)
        axis.set(xlim=(-0.02 * at[-1], 1.02 * at[-1]), xlabel="threshold on |weight|")
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.xaxis.set_major_formatter("{x:g}")
        head(axis, panel.title, panel.run)
    shown[0].set_ylabel("share")
    size = Line2D([], [], **LEVEL, label="as many weights as CNN(2) has")
    foot(strip, data, [PLAIN.handle("test accuracy"), LEFT.handle("weights left"), size, PRINTED])
