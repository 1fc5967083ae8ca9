"""The numbers of Figures 3, 6 and 7: each method's least loss and the one after the last adaptation step.

A published number is the mean over 1000 test tasks of its own; its standard error is taken to be ours, which had as many.
"""

from __future__ import annotations

from ..framework import Bound, Estimate, Measurement, Near
from ..published import Result, curve, results
from . import records
from .paper import PAPER

FIGURES = {"Reptile": "Fig. 3", "Shrinkage": "Fig. 6", "M-Shrinkage": "Fig. 6", "M-Shrinkage joint MAP": "Fig. 6"}
FARTHER = 1.5
"""How far the control moves a published number: between its level and that without adaptation."""


NUMBERS = {"linear": 1, "spiral": 2}
"""Of the experiments."""
ERRATIC = ("spiral", "M-Shrinkage joint MAP")
"""The one curve whose number at the step where it ends says nothing; what is said of it stands in `experiments`."""


def claim_id(published: Result) -> str:
    """Without the paper's key, the id of the claim that judges a curve's levels."""
    return f"exp{NUMBERS[published.experiment]}-{published.method.lower().replace(' ', '-')}"


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


def _gaps(experiment: str) -> Measurement:
    """Differences between methods on the same test tasks, where the luck of the tasks cancels."""
    levels = {
        r.method: r.last if r.minimum is None else r.minimum for r in results("chen2019") if r.experiment == experiment
    }
    reading = {r.method: 2 * r.reading_error for r in results("chen2019") if r.experiment == experiment}
    others = [method for method in levels if not method.startswith("M-Shrinkage")]

    def gap(method: str, off: float = 0.0) -> Near:
        return Near(round(levels[method] - levels["M-Shrinkage"] + off, 4), reading[method])

    return Measurement(
        lambda: {name: records.paired(experiment, (name, "best"), ("M-Shrinkage", "last")) for name in others},
        bounds={name: gap(name) for name in others},
        control={name: gap(name, 0.5) for name in others},
        command=records.command(experiment),
        note="Least losses, and Shrinkage's and M-Shrinkage's after the last step; declared when Experiment 1 had been run and "
        "Experiment 2 had not",
    )


MODULES = {"θ_1:4": range(4), "θ_5:8": range(4, 8)}


def _errors(method: str) -> Measurement:
    """Figure 5's curves: the least and the last of each dimension, averaged over the module."""
    bounds, control, wanted = {}, {}, {}
    for module, dimensions in MODULES.items():
        shown = [curve("chen2019", "5", f"{method} dim{m + 1}")[1] for m in dimensions]
        for when, pick in (("least", min), ("last", lambda values: values[-1])):
            name, level = f"{module}, {when}", sum(map(pick, shown)) / len(shown)
            bounds[name], control[name] = Near(round(level, 4), 0.01), Near(round(level + 1, 4), 0.01)
            wanted[name] = (list(dimensions), when)
    return Measurement(
        lambda: {name: records.module_error(method, *which) for name, which in wanted.items()},
        bounds,
        control,
        records.command("linear"),
        note="Declared after the run, by the rule of the other levels",
    )


for _method in ("MAML", "M-MAML", "Shrinkage", "M-Shrinkage"):
    PAPER.claim(
        f"fig5-levels-{_method.lower()}",
        "Fig. 5",
        f"{_method}: mean |θ̂_m − θ_m| of the two modules, at its least and after the last step, is as the curves show it",
        assumptions=("N = 4 observations, which the paper does not state",),
        uses=("observations",),
    )(lambda method=_method: _errors(method))

for _experiment, _number in NUMBERS.items():
    PAPER.claim(
        f"exp{_number}-gaps",
        "Fig. 7",
        f"Experiment {_number}: by how much the least losses of Figures 3, 6 and 7 lie above M-Shrinkage's",
        assumptions=("N = 4 observations, which the paper does not state",),
        uses=("observations",),
    )(lambda experiment=_experiment: _gaps(experiment))

for _published in results("chen2019"):
    if (_published.experiment, _published.method) == ERRATIC:
        continue
    _least = (
        "" if _published.minimum is None else f"least loss {_published.minimum} at step {_published.minimum_step:g}, "
    )
    PAPER.claim(
        claim_id(_published),
        FIGURES.get(_published.method, "Fig. 7"),
        f"Experiment {NUMBERS[_published.experiment]}, {_published.method}: {_least}{_published.last} at step {_published.last_step:g}",
        assumptions=("N = 4 observations, which the paper does not state",),
        uses=("observations",),
    )(lambda published=_published: _content(published))
