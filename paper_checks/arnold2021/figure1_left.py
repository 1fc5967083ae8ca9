"""Figure 1 (left) and Section 4.3: what is said of the measured errors of 1-D regression, and what they are exactly.

The bounds were declared before the full run. The error E(y − ŷ)² after one step is 1 at best (the noise), and 2 where nothing is
learned and 0 is predicted: it is poor where it stays in the upper half, and reduced where it comes to the lower one. The expectation over
a task's points is the main reading, 10 or 100 points drawn for each task stand beside it. See
`empirical.experiments.arnold2021_figure1_left`.
"""

from __future__ import annotations

from functools import cache
from math import hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np
import sympy

from analysis import LinearNetwork
from analysis.symbols import alpha

from .. import recorded
from ..framework import Above, Below, Estimate, Measurement, Near, NotRun
from .paper import PAPER

if TYPE_CHECKING:
    from empirical.records import Record

EXPERIMENT = "arnold2021/figure1-left"
COMMAND = f"python -m empirical run {EXPERIMENT} --tier full"
POINTS = (None, 10, 100)
HALF_WAY = 1.5
QUICK = 1000
"""Meta-iterations, a third of the run, within which an error that is reduced quickly has come down."""
RATE = sympy.Rational(1, 10)


def name(model: str, points: int | None) -> str:
    """What a record is called."""
    return model + (f", {points} points" if points else "")


SHALLOW = {name("shallow", n): n for n in POINTS} | {"shallow, from 0": None, "shallow, from N(0, 100)": None}
DEEP = {name(model, n): n for n in POINTS for model in ("deep", "three layers")}
"""Settings, and the points that they draw."""


def read(name: str) -> Record:
    """A record of the full tier. Raises NotRun where there is none, or one of another protocol."""
    from empirical.experiments.arnold2021_figure1_left import declaration

    try:
        found = recorded.read(EXPERIMENT).get(name)
    except recorded.MissingRecord as error:
        raise NotRun(str(error)) from None
    if found is None or found.tier != "full" or found.configuration != declaration(name, "full"):
        raise NotRun(f"the record of {EXPERIMENT} has no {name} as it is declared now")
    return found


def _error(name: str, at: int | None = None) -> Estimate:
    """The mean error over seeds after so many meta-iterations, at the end by default. Its standard error at the end counts tasks too."""
    found = read(name)
    row = -1 if at is None else found.learning_curve["meta_iteration"].index(at)
    by_seed = np.array(found.learning_curve["test_error"])[:, row]
    error = by_seed.std(ddof=1) / sqrt(len(by_seed))
    if at is None:  # all seeds share the test tasks
        per_task = np.array(found.details["test_error_per_task"])
        error = hypot(error, per_task.std(ddof=1) / sqrt(len(per_task)))
    when = "at the end" if at is None else f"after {at:,} meta-iterations"
    over = "over seeds and tasks" if at is None else "over seeds alone"
    told = f"{name}, {when}, mean of {len(by_seed)} seeds; its standard error is {over}"
    return Estimate(float(by_seed.mean()), float(error), told)


def _apart(first: str, second: str) -> Estimate:
    """The difference of two errors at the end, paired: all settings meet the same test tasks, and the same seeds."""
    tasks = [np.array(read(name).details["test_error_per_task"]) for name in (first, second)]
    seeds = [np.array(read(name).learning_curve["test_error"])[:, -1] for name in (first, second)]
    errors = [each.std(ddof=1) / sqrt(len(each)) for each in (tasks[0] - tasks[1], seeds[0] - seeds[1])]
    return Estimate(float((tasks[0] - tasks[1]).mean()), float(hypot(*errors)), f"{first} minus {second}, paired")


@cache
def exact(points: int | None, best_rate: bool = False) -> sympy.Expr:
    """The shallow model's error after one step from c = 0, at the printed rate or at the best one; n = ∞ for the population."""
    network = LinearNetwork(1)
    n = sympy.Symbol("n", positive=True)
    loss = network.finite_support_loss(n, alpha=alpha).subs(network.weights[0], 0)
    loss = sympy.limit(loss, n, sympy.oo) if points is None else loss.subs(n, points)
    error = sympy.expand(2 * loss)  # the loss has the factor ½
    rate = sympy.solve(sympy.diff(error, alpha), alpha)[0] if best_rate else RATE  # a parabola in the rate
    return error.subs(alpha, rate)


def _exactly(named: dict[str, sympy.Expr], other: sympy.Expr, note: str) -> Measurement:
    return Measurement(
        lambda: {name: _error(name) for name in named},
        {name: Near(float(level), 0.01, 0.0) for name, level in named.items()},
        {name: Near(float(other), 0.01, 0.0) for name in named},
        COMMAND,
        note=f"Within 0.01, and three standard errors. {note}",
    )


@PAPER.claim(
    "fig1-left-shallow",
    "4.3",
    "Fig. 1 (left): the poor performance of the MAML algorithm on the shallow model",
)
def shallow() -> Measurement:
    return Measurement(
        lambda: {name: _error(name) for name in SHALLOW},
        dict.fromkeys(SHALLOW, Above(HALF_WAY)),
        dict.fromkeys(SHALLOW, Below(HALF_WAY)),
        COMMAND,
        note=f"Poor is read as: above {HALF_WAY:g}, between the noise, 1, and the error of no model at all, 2",
    )


@PAPER.claim(
    "fig1-left-deep",
    "4.3",
    "Fig. 1 (left): the deep model quickly reduces the MSE on meta-testing tasks",
)
def deep() -> Measurement:
    return Measurement(
        lambda: {name: _error(name, QUICK) for name in DEEP},
        dict.fromkeys(DEEP, Below(HALF_WAY)),
        dict.fromkeys(DEEP, Above(HALF_WAY)),
        COMMAND,
        note=f"Quickly reduces is read as: to below {HALF_WAY:g} within {QUICK:,} of 3,000 meta-iterations. Two and three linear layers",
    )


@PAPER.claim(
    "fig1-left-shallow-exact",
    "beyond",
    "Fig. 1 (left): the shallow model ends at what one step from c = 0 has exactly, whatever it was started from",
    uses=("fig1-left-shallow",),
)
def shallow_exact() -> Measurement:
    levels = {name: exact(n) for name, n in SHALLOW.items()}
    told = ", ".join(f"{exact(n)} {_on(n)}" for n in POINTS)
    return _exactly(levels, sympy.Integer(2), f"Exactly: {told}")


@PAPER.claim(
    "fig1-left-start",
    "beyond",
    "Fig. 1 (left): where the shallow model is started from makes no difference in the end",
    uses=("fig1-left-shallow",),
)
def start() -> Measurement:
    others = [name for name in SHALLOW if "from" in name]
    return Measurement(
        lambda: {name: _apart(name, "shallow") for name in others},
        {name: Near(0.0, 0.001, 0.0) for name in others},
        {name: Near(0.01, 0.001, 0.0) for name in others},
        COMMAND,
        note="Within 0.001, on the same test tasks",
    )


@PAPER.claim(
    "fig1-left-deep-exact",
    "beyond",
    "Fig. 1 (left): linear layers end at what the shallow model has from c = 0 with the best inner learning rate",
    uses=("fig1-left-deep",),
)
def deep_exact() -> Measurement:
    levels = {name: exact(n, best_rate=True) for name, n in DEEP.items()}
    told = ", ".join(f"{exact(n, best_rate=True)} {_on(n)}" for n in POINTS)
    return _exactly(levels, exact(None), f"Exactly: {told}. What depth adds here is a learning rate that is learned")


def _on(points: int | None) -> str:
    return f"on {points} points" if points else "on the population"
