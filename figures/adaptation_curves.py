"""Test loss against the number of adaptation steps, ours beside the published one: what chen2019's figures share.

The loss is ½ Σ_d ((x_d − μ_d)/ξ_d)² per observation, the negative log-likelihood up to a constant. Ours is the mean over test
tasks and training seeds; its band is the 68% interval for the mean over tasks, ± 1 standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_checks import recorded
from paper_checks.published import curve, curves

from .style import BLACK, METHODS, PUBLISHED

__all__ = [
    "EXPERIMENTS",
    "RECORDS",
    "Curve",
    "draw_curves",
    "draw_experiments",
    "draw_legend",
    "experiment_panels",
    "read_details",
    "read_experiments",
]

EXPERIMENTS = {"linear": "(a) Experiment 1, linear", "spiral": "(b) Experiment 2, spiral"}
RECORDS = tuple(f"chen2019/{experiment}" for experiment in EXPERIMENTS)
# of the loss, at least: where the curves differ; all of them begin higher
TOPS = {"linear": 6.0, "spiral": 6.15}
MARKERS = 7  # on a curve


@dataclass(frozen=True)
class Curve:
    """One method's test loss after each number of adaptation steps.

    Attributes:
        method: a key of `style.METHODS`.
        step: (K + 1,).
        loss: (K + 1,), mean over tasks and seeds; NaN from the step on at which a seed diverges.
        error: (K + 1,), its standard error over test tasks.
        published: steps and values of the published curve, or None.
    """

    method: str
    step: np.ndarray
    loss: np.ndarray
    error: np.ndarray
    published: tuple[np.ndarray, np.ndarray] | None

    @property
    def diverges(self) -> int | None:
        """The first step without a loss."""
        lost = ~np.isfinite(self.loss)
        return int(self.step[lost.argmax()]) if lost.any() else None


def read_details(record: str, methods: Sequence[str], results: Path | None = None) -> dict[str, dict[str, Any]]:
    """The details that an experiment's record holds of each method.

    Raises:
        paper_checks.recorded.MissingRecord: there is no such record.
        paper_checks.recorded.UnreadableRecord: it is no record, or one without these methods.
    """
    found = recorded.read(record, results)
    missing = [method for method in methods if "test" not in (found[method].details if method in found else {})]
    if missing:
        raise recorded.UnreadableRecord(
            f"{recorded.find(record, results)} has no test losses of {', '.join(missing)}: run the experiment again with "
            f"`python -m empirical run {record} --tier full`."
        )
    return {method: found[method].details for method in methods}


def read_experiments(methods: Sequence[str], figure: str, results: Path | None = None) -> dict[str, tuple[Curve, ...]]:
    """The curves of some methods by experiment, with those that the paper's figure, such as "6", shows.

    Raises: as `read_details`.
    """
    return {
        experiment: _read(experiment, methods, f"{figure}{letter}", results)
        for experiment, letter in zip(EXPERIMENTS, "ab", strict=True)
    }


def _read(experiment: str, methods: Sequence[str], figure: str, results: Path | None) -> tuple[Curve, ...]:
    details, shown = read_details(f"chen2019/{experiment}", methods, results), curves("chen2019", figure)
    return tuple(
        Curve(
            method,
            np.array(test["step"]),
            # a record has null where there is no number
            np.array(test["loss"], dtype=float).mean(axis=0),
            np.array(test["standard_error"], dtype=float),
            tuple(map(np.array, curve("chen2019", figure, method))) if method in shown else None,
        )
        for method, test in ((method, details[method]["test"]) for method in methods)
    )


def experiment_panels(figure: Figure) -> tuple[Axes, Axes, Axes]:
    """Two panels side by side, one for each experiment, and a strip for the legend below."""
    figure.set_layout_engine("constrained", wspace=0.04)
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 0.08))
    return figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, :])


def draw_experiments(axes: Sequence[Axes], data: dict[str, tuple[Curve, ...]]) -> None:
    """Draw the linear experiment on the first axes, the spiral on the second, the legend on the third."""
    *shown, strip = axes
    for panel, (experiment, found) in zip(shown, data.items(), strict=True):
        draw_curves(panel, experiment, found)
        panel.set_title(EXPERIMENTS[experiment])
    draw_legend(strip, next(iter(data.values())), columns=5)


def draw_legend(
    strip: Axes, curves: Sequence[Curve], columns: int, before: Sequence[Line2D] = (), published: str = "as published"
) -> None:
    """The methods' colours and markers, and the published curves' dashes, on axes of their own; `before` comes first."""
    strip.axis("off")
    handles = [*before, *(_line(c.method) for c in curves)]
    if any(c.published is not None for c in curves):
        handles.append(Line2D([], [], color=BLACK, **PUBLISHED, label=published))
    strip.legend(handles=handles, loc="center", ncols=columns, borderaxespad=0, columnspacing=1.4)


def _line(method: str, *points: np.ndarray) -> Line2D:
    look = METHODS[method]
    style = {"color": look.colour, "lw": 1.7, "marker": look.marker, "ms": look.size, "mec": "white", "mew": 0.5}
    return Line2D(*(points or ([], [])), **style, label=method)


def draw_curves(axes: Axes, experiment: str, curves: Sequence[Curve], bands: Sequence[str] | None = None) -> None:
    """Draw curves with their bands, the published ones dashed, and say which of them leave the axis or end.

    Args:
        axes: where.
        experiment: "linear" or "spiral".
        curves: what.
        bands: the methods that get a band; all by default.
    """
    low, top = _range(curves, TOPS[experiment])
    axes.set(
        xlabel="adaptation steps",
        ylabel="test loss ½ Σ ((x − μ)/ξ)²",
        xlim=(0, max(c.step[-1] for c in curves)),
        ylim=(low, top),
    )
    notes = []
    for number, c in enumerate(curves):
        colour = METHODS[c.method].colour
        if bands is None or c.method in bands:
            axes.fill_between(c.step, c.loss - c.error, c.loss + c.error, color=colour, alpha=0.15, lw=0)
        line = _line(c.method, c.step, c.loss)
        every = max(1, len(c.step) // MARKERS)
        # not all at the same steps, so that markers of close curves do not hide one another
        line.set(markevery=((2 * number + 1) * every // (2 * len(curves)), every), gid=c.method)
        axes.add_line(line)
        said = [_leaves(c.step, c.loss, top)]
        if c.diverges is not None:
            finite = np.flatnonzero(np.isfinite(c.loss))
            if finite.size and c.loss[finite[-1]] <= top:
                axes.plot(c.step[finite[-1]], c.loss[finite[-1]], "x", color=colour, ms=8, mew=2, gid="diverges")
            said.append(f"a run diverges at step {c.diverges}")
        if c.published is not None:
            axes.plot(*c.published, color=colour, **PUBLISHED, zorder=2.5, gid=f"{c.method} published")
            said.append(_leaves(*c.published, top, "published: "))
        if any(said):
            notes.append((colour, "\n".join([c.method, *filter(None, said)])))
    height = 0.98
    for colour, note in notes:
        axes.text(
            0.99,
            height,
            note,
            color=colour,
            size=8.5,
            ha="right",
            va="top",
            transform=axes.transAxes,
            zorder=4,  # legible where a curve that swings passes behind it
            bbox={"facecolor": "white", "alpha": 0.9, "lw": 0, "pad": 1.5},
            gid="note",
        )
        height -= 0.055 * (note.count("\n") + 1) + 0.03


def _leaves(steps: np.ndarray, values: np.ndarray, top: float, whose: str = "") -> str:
    """Where a curve that was in the picture goes above it, in words; empty if it does not."""
    finite = np.isfinite(values)
    inside, outside = np.flatnonzero(finite & (values <= top)), np.flatnonzero(finite & (values > top))
    if not inside.size and outside.size:
        return f"{whose}above the axis, {_short(values[outside].min())} to {_short(values[outside].max())}"
    outside = outside[outside > inside[0]] if inside.size else outside
    if not outside.size:
        return ""
    return f"{whose}above the axis from step {steps[outside[0]]:.0f}, up to {_short(values[outside].max())}"


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 1000 else f"{value:.0e}"


def _range(curves: Sequence[Curve], top: float) -> tuple[float, float]:
    """From below the lowest point to `top`, or higher where a curve that is no more than a fifth above it ends."""
    ours = [c.loss[np.isfinite(c.loss)] for c in curves]
    shown = [values for values in ours if values.size] + [c.published[1] for c in curves if c.published is not None]
    bands = [np.nanmin(c.loss - c.error) for c in curves if np.isfinite(c.loss - c.error).any()]
    low = min(bands + [values.min() for values in shown])
    top = max([top] + [1.02 * values[-1] for values in shown if values[-1] < 1.2 * top])
    return low - 0.03 * (top - low), top
