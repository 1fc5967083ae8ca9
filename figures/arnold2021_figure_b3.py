"""arnold2021, Figure B.3: a linear network that is multiplied out to one layer before it adapts, along meta-training.

The paper says neither how many inner steps it takes nor with which rate the one layer adapts. Both numbers of steps that were run are
drawn, a row for each data set; the one layer adapts at the rate of the network, and at that of five which suits these test tasks best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from paper_checks.framework import NotRun
from paper_checks.image_records import Cell
from paper_checks.published import TITLES

from .image_curves import (
    ADDED,
    GREEN,
    PLAIN,
    Layout,
    Look,
    Panel,
    Sheet,
    accuracies,
    chance,
    collect,
    draw_curve,
    draw_rows,
    foot,
    head,
    meta_iterations,
    settings,
)

NAME = "arnold2021-figure-b3"
SUMMARY = "linear models of images along meta-training: LR, LinNet, and the LinNet collapsed before it adapts"
SOURCE = "arnold2021, Figure B.3"
RECORD = "arnold2021/linear-images"

STEPS = ("1 step", "5 steps")
LINNET = "LR+LinNet"
MODELS = {"LR": PLAIN, LINNET: ADDED}
COLLAPSED = {
    "collapsed": Look(GREEN, "v"),
    "collapsed, best of five rates": Look(GREEN, "D", (0, (4, 2))),
}
LAYOUT = Layout((3.7, 2.8), len(MODELS) + len(COLLAPSED), columns=len(STEPS))
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    labels = {label: label for label in (f"{model}, {steps}" for steps in STEPS for model in MODELS)}
    found = collect(RECORD, settings(TITLES, labels), results, along=True)
    return replace(found, panels={dataset: _told(panel) for dataset, panel in found.panels.items()})


def _told(panel: Panel) -> Panel:
    """The panel, with a word where a network was collapsed at the end of its training alone."""
    lacking = [f"{label}, collapsed" for label, cell in panel.cells.items() if LINNET in label and not _collapsed(cell)]
    return replace(panel, lacking=(*panel.lacking, *lacking))


def _collapsed(linnet: Cell) -> dict[str, np.ndarray]:
    """Accuracies (looks, seeds) of the collapsed network; none where the record has none along training."""

    def studied(*names: str) -> np.ndarray:
        return linnet.studied_along_training("collapsing", *names)

    by_rate = "collapsed, then adapted, by factor of the rate"
    try:
        factors = linnet.record.details["studies"]["collapsing"][by_rate]
        at_rates = np.array([studied(by_rate, factor) for factor in factors])
        best = np.nan_to_num(at_rates).sum(2).argmax(0)  # a seed that diverged has no accuracy at any rate
        return dict(
            zip(COLLAPSED, (studied("collapsed, then adapted"), at_rates[best, np.arange(len(best))]), strict=True)
        )
    except NotRun:
        return {}


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw each data set on its row."""
    *shown, strip = axes
    for row, panel in enumerate(data.panels.values()):
        for column, steps in enumerate(STEPS):
            axis = shown[len(STEPS) * row + column]
            for model, look in MODELS.items():
                if cell := panel.cells.get(f"{model}, {steps}"):
                    draw_curve(axis, cell, look, model)
            if cell := panel.cells.get(f"{LINNET}, {steps}"):
                at = np.array(cell.record.learning_curve["meta_iteration"], dtype=float)
                for name, values in _collapsed(cell).items():
                    draw_rows(axis, at, values, COLLAPSED[name], name)
            chance(axis, panel)
            meta_iterations(axis, panel)
            head(axis, f"{panel.title}, {steps}", "" if column else panel.run, LAYOUT.panel[0])
        accuracies(shown[len(STEPS) * row])
    foot(strip, data, [look.handle(name) for name, look in (MODELS | COLLAPSED).items()])
