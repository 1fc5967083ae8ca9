"""arnold2021, Figure B.3: a linear network that is multiplied out to one layer after meta-training, before it adapts.

At the end of meta-training. The paper has curves, and does not say how many inner steps it takes; both readings that were run are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from paper_checks.published import TITLES

from .image_curves import GREEN, GREY, Layout, Panel, Sheet, accuracies, chance, collect, foot, head, settings
from .style import BLACK, RED

NAME = "arnold2021-figure-b3"
SUMMARY = "linear models of images at the end of meta-training: LR, LinNet, and the LinNet collapsed before it adapts"
SOURCE = "arnold2021, Figure B.3"
RECORD = "arnold2021/linear-images"

STEPS = ("1 step", "5 steps")
MODELS = ("LR", "LR+LinNet")
BARS = {  # label → colour, filling
    "LR": (BLACK, ""),
    "LR+LinNet": (RED, ""),
    "collapsed, then adapted": (GREEN, "///"),
    "collapsed, not adapted": ("#ffffff", ""),
}
WIDTH = 0.2
LAYOUT = Layout((3.1, 2.9), len(BARS))
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    labels = {label: label for label in (f"{model}, {steps}" for steps in STEPS for model in MODELS)}
    return collect(RECORD, settings(TITLES, labels), results)


def _bars(panel: Panel, steps: str) -> dict[str, np.ndarray]:
    """Accuracies by seed, of those that were run."""
    found = {model: panel.cells[f"{model}, {steps}"] for model in MODELS if f"{model}, {steps}" in panel.cells}
    bars = {model: cell.by_seed() for model, cell in found.items()}
    if "LR+LinNet" in found:
        bars |= {what: found["LR+LinNet"].studied("collapsing", what) for what in BARS if what not in MODELS}
    return bars


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw each data set on its axes."""
    *shown, strip = axes
    for axis, panel in zip(shown, data.panels.values(), strict=True):
        for group, steps in enumerate(STEPS):
            for label, values in _bars(panel, steps).items():
                colour, hatch = BARS[label]
                axis.bar(
                    group + WIDTH * (list(BARS).index(label) - 1.5),
                    values.mean(),
                    WIDTH,
                    yerr=values.std(ddof=1) if len(values) > 1 else None,
                    color=colour,
                    hatch=hatch,
                    edgecolor="white" if hatch else BLACK,
                    lw=0.8,
                    ecolor=GREY if colour == BLACK else BLACK,
                    capsize=3,
                    gid=f"{label}, {steps}",
                )
        chance(axis, panel)
        axis.set(xlim=(-0.55, 1.55), xlabel="inner steps")
        axis.set_xticks(range(len(STEPS)), [steps.split()[0] for steps in STEPS])
        head(axis, panel.title, panel.run)
    accuracies(shown[0])
    foot(strip, data, [Patch(fc=c, hatch=h, ec="white" if h else BLACK, label=n) for n, (c, h) in BARS.items()])
