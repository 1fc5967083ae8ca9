"""The numbers of Figures 3, 6 and 7: each method's least loss and the one after the last adaptation step.

A published number is the mean over 1000 test tasks of its own; its standard error is taken to be ours, which had as many.
"""

from __future__ import annotations

from ..framework import Bound, Estimate, Measurement, Near
from ..published import Result, results
from . import records
from .paper import PAPER

FIGURES = {"Reptile": "Fig. 3", "Shrinkage": "Fig. 6", "M-Shrinkage": "Fig. 6", "M-Shrinkage joint MAP": "Fig. 6"}
FARTHER = 100.0
"""How far the control moves a published number: so far that no run that misses the number could meet the control."""


def _content(published: Result) -> Measurement:
    def bound(level: float) -> Near:
        return Near(level, published.reading_error)

    levels = {"least": published.minimum, "last": published.last}
    bounds: dict[str, Bound] = {name: bound(level) for name, level in levels.items() if level is not None}
    control = {name: bound(level + FARTHER) for name, level in levels.items() if level is not None}

    def measure() -> dict[str, Estimate]:
        found = {"least": records.least, "last": records.end}
        return {name: found[name](published.experiment, published.method) for name in bounds}

    return Measurement(measure, bounds, control, records.command(published.experiment))


for _published in results("chen2019"):
    # that curve of the spiral is erratic: its one number at the step where it ends says nothing (see joint-map-spiral)
    if (_published.experiment, _published.method) == ("spiral", "M-Shrinkage joint MAP"):
        continue
    _least = (
        "" if _published.minimum is None else f"least loss {_published.minimum} at step {_published.minimum_step:g}, "
    )
    _number = {"linear": 1, "spiral": 2}[_published.experiment]
    PAPER.claim(
        f"exp{_number}-{_published.method.lower().replace(' ', '-')}",
        FIGURES.get(_published.method, "Fig. 7"),
        f"Experiment {_number}, {_published.method}: {_least}{_published.last} at step {_published.last_step:g}",
        assumptions=("N = 4 observations, which the paper does not state",),
        uses=("observations",),
    )(lambda published=_published: _content(published))
