"""arnold2021, Figure 1 (left): error after adaptation on meta-test tasks against meta-iterations, by the number of linear layers.

Left: a task's loss is an expectation, as the paper sets it up; right: 10 points drawn for each task. Curves: mean over the recorded
seeds, the band from the least to the greatest seed. Lines: the exact error of one step from c = 0, at the printed learning rate and
at the best one. The error is E(y − ŷ)², without the factor ½ and with the noise variance, as the paper plots it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_checks import recorded
from paper_checks.arnold2021 import figure1_left

from .style import BLACK, BLUE, RED

NAME = "arnold2021-figure1-left"
SUMMARY = "test error after adaptation against meta-iterations: shallow stays high, deep reaches the noise"
SOURCE = "arnold2021, Figure 1 (left)"
RECORD = figure1_left.EXPERIMENT
SIZE = (9.0, 3.9)

SHOWN = (0.9, 2.6)  # of the error; a few starts begin above
LAST = 1000  # meta-iteration; the rest of the record is flat
POINTS = {None: "(a) a task's loss is an expectation", 10: "(b) 10 points drawn for each task"}
MODELS = {"shallow": BLACK, "deep": RED, "three layers": BLUE}


@dataclass(frozen=True)
class Data:
    """What the figure shows; errors are E(y − ŷ)² after one step, by the points of a task.

    Attributes:
        meta_iteration: (E,).
        error: points → model → (seeds, E).
        level: "shallow" and "deep" → the exact error after one step from c = 0, at the printed and the best rate.
        standard_error: of the shallow model's error, measured on test tasks that all seeds share.
        test_tasks: how many.
        alpha: inner learning rate.
    """

    meta_iteration: np.ndarray
    error: dict[int | None, dict[str, np.ndarray]]
    level: dict[int | None, dict[str, float]]
    standard_error: dict[int | None, float]
    test_tasks: int
    alpha: float


def data(results: Path | None = None) -> Data:
    """Read the record, compute the levels. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    records = recorded.read(RECORD, results)
    error, spread = {}, {}
    for n in POINTS:
        found = {model: records.get(figure1_left.name(model, n)) for model in MODELS}
        if None in found.values():
            raise recorded.UnreadableRecord(f"the record of {RECORD} has not every setting: run the experiment again")
        error[n] = {model: np.array(record.learning_curve["test_error"]) for model, record in found.items()}
        spread[n] = float(np.std(found["shallow"].details["test_error_per_task"], ddof=1))
    shallow = records["shallow"]
    tasks = shallow.configuration["test_tasks"]
    return Data(
        np.array(shallow.learning_curve["meta_iteration"]),
        error,
        {
            n: {"shallow": float(figure1_left.exact(n)), "deep": float(figure1_left.exact(n, best_rate=True))}
            for n in POINTS
        },
        {n: each / sqrt(tasks) for n, each in spread.items()},
        tasks,
        shallow.configuration["inner_lr"],
    )


def panels(figure: Figure) -> tuple[Axes, Axes]:
    """One for each number of points."""
    figure.set_layout_engine("constrained")
    return tuple(figure.subplots(1, 2, sharey=True))


def draw(axes: Sequence[Axes], data: Data) -> None:
    """Draw mean and range over seeds of the models, with the exact levels beside them."""
    last, seeds = min(LAST, data.meta_iteration[-1]), len(data.error[None]["shallow"])
    for panel, (n, title) in zip(axes, POINTS.items(), strict=True):
        for model, colour in MODELS.items():
            error = data.error[n][model]
            panel.fill_between(
                data.meta_iteration, error.min(axis=0), error.max(axis=0), color=colour, alpha=0.15, lw=0
            )
            panel.plot(data.meta_iteration, error.mean(axis=0), color=colour, lw=2, label=model)
        shallow, deep = data.level[n]["shallow"], data.level[n]["deep"]
        notes = {
            shallow: f"exact from c = 0: {shallow:.4g} (± {data.standard_error[n]:.2f} on {data.test_tasks:,} tasks)",
            deep: f"exact, at the best learning rate: {deep:.4g}",
        }
        for level, note in notes.items():
            panel.axhline(level, color="#555555", lw=0.8, ls=(0, (5, 3)), zorder=1)
            panel.text(last, level + 0.03, note, ha="right", va="bottom")
        panel.set(xlabel=f"meta-iteration (run to {data.meta_iteration[-1]:,})", xlim=(0, last), ylim=SHOWN)
        panel.set_title(f"{title}; α = {data.alpha:g}, {seeds} seeds")
        panel.legend(loc="upper right")
    start = data.error[None]["shallow"]
    axes[0].text(
        0.03 * last, SHOWN[1], f"shallow starts at {start[:, 0].min():.1f} to {start[:, 0].max():.1f}", va="top"
    )
    axes[0].set(ylabel="test error E(y − ŷ)² after one step")
