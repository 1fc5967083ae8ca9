"""arnold2021, Figure 1 (left): error after adaptation on meta-test tasks against meta-iterations, shallow and deep.

Curves: mean over the recorded seeds, the band from the least to the greatest seed. Lines: the exact levels of
`analysis`. The error is E(y − ŷ)², without the factor ½ and with the noise variance, as the paper plots it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import LinearNetwork, Maml, stationary_points
from analysis.symbols import theta
from paper_checks import recorded

from .style import BLACK, RED

NAME = "arnold2021-figure1-left"
SUMMARY = "test error after adaptation against meta-iterations: shallow stays high, deep reaches the noise"
SOURCE = "arnold2021, Figure 1 (left)"
RECORD = "arnold2021/figure1-left"
SIZE = (7.2, 3.7)

SHOWN = (0.9, 2.6)  # of the error; a few starts begin above
LAST = 1000  # meta-iteration; the rest of the record is flat


@dataclass(frozen=True)
class Data:
    """What the figure shows; errors are E(y − ŷ)² after one step.

    Attributes:
        meta_iteration: (E,).
        error: model → (seeds, E).
        level: model → the exact error at the model's MAML solution, over all tasks.
        standard_error: of the shallow level when it is measured on that many test tasks, which all seeds share.
        test_tasks: how many.
        alpha: inner learning rate.
    """

    meta_iteration: np.ndarray
    error: dict[str, np.ndarray]
    level: dict[str, float]
    standard_error: float
    test_tasks: int
    alpha: str


def data(results: Path | None = None) -> Data:
    """Read the record and compute the exact levels for its settings. Raises `paper_checks.recorded.MissingRecord`."""
    records = recorded.read(RECORD, results)
    settings = records["shallow"].configuration
    alpha, tasks = str(settings["inner_lr"]), {name: str(value) for name, value in settings["tasks"].items()}
    level = {}
    for model, record in records.items():
        network = LinearNetwork(record.configuration["depth"], **tasks)
        # the factor 2 takes the loss E ½(y − ŷ)² to the error
        level[model] = 2 * min(point.loss for point in stationary_points(alpha, network).points)
    return Data(
        np.array(records["shallow"].learning_curve["meta_iteration"]),
        {model: np.array(record.learning_curve["test_error"]) for model, record in records.items()},
        level,
        _spread_over_tasks(LinearNetwork(1, **tasks), alpha) / sqrt(settings["test_tasks"]),
        settings["test_tasks"],
        alpha,
    )


def _spread_over_tasks(network: LinearNetwork, alpha: str) -> float:
    """The standard deviation over tasks of the shallow model's error after adaptation from its MAML solution."""
    maml = Maml(network, alpha=alpha)
    (solution,) = stationary_points(alpha, network).points
    start = dict(zip(network.weights, solution.coordinates, strict=True))
    error = maml.ring.substitute(maml.ring.poly(2) * maml.task_loss, start)
    mean, square = (network.expectation_over_tasks(maml.ring, p) for p in (error, error * error))
    return sqrt(maml.ring.evaluate(square - mean * mean, {theta: 0}))


def panels(figure: Figure) -> Axes:
    """One panel."""
    figure.set_layout_engine("constrained")
    return figure.subplots()


def draw(axes: Axes, data: Data) -> None:
    """Draw mean and range over seeds of both models, with the exact levels beside them."""
    last = min(LAST, data.meta_iteration[-1])
    for model, colour in (("shallow", BLACK), ("deep", RED)):
        error = data.error[model]
        axes.fill_between(data.meta_iteration, error.min(axis=0), error.max(axis=0), color=colour, alpha=0.15, lw=0)
        axes.plot(data.meta_iteration, error.mean(axis=0), color=colour, lw=2, label=model)
        axes.axhline(data.level[model], color=colour, lw=0.8, ls=(0, (5, 3)), zorder=1)
    shallow, deep = data.level["shallow"], data.level["deep"]
    notes = {
        "shallow": f"exact at c = 0: {shallow:.2f} (± {data.standard_error:.2f} on {data.test_tasks:,} tasks)",
        "deep": f"exact at a minimum: {deep:g}, the noise variance",
    }
    for model, colour in (("shallow", BLACK), ("deep", RED)):
        axes.text(0.26 * last, data.level[model] + 0.03, model, color=colour, weight="bold", va="bottom")
        axes.text(last, data.level[model] + 0.03, notes[model], color=colour, ha="right", va="bottom")
    start = data.error["shallow"][:, 0]
    axes.text(0.03 * last, SHOWN[1], f"shallow starts at {start.min():.1f} to {start.max():.1f}", va="top")
    axes.set(
        xlabel=f"meta-iteration (run to {data.meta_iteration[-1]:,})",
        ylabel="test error E(y − ŷ)² after one step",
        xlim=(0, last),
        ylim=SHOWN,
        title=f"1-D regression, α = {data.alpha}: mean of {len(start)} seeds, band from the least to the greatest",
    )
