"""Post-adaptation test accuracy along meta-training: what the figures of the synthetic classification experiments share.

A curve is the mean over seeds, its band from the least to the greatest seed. It ends where a seed leaves the finite numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from paper_checks import recorded

__all__ = ["Curve", "as_curve", "chance", "draw_curve", "level", "meta_iterations", "read"]

GREY = "#6b6b6b"


@dataclass(frozen=True)
class Curve:
    """One record's test accuracy.

    Attributes:
        name: the record's setting.
        at: (E,) meta-iterations, from 0.
        accuracy: (seeds, E) means over the test tasks; NaN from where a seed diverges.
        diverged_at: the meta-iteration at which each seed diverged; NaN where it did not.
    """

    name: str
    at: np.ndarray
    accuracy: np.ndarray
    diverged_at: np.ndarray

    @property
    def last(self) -> float:
        """The mean over seeds at the end; NaN if one diverged."""
        return float(self.accuracy[:, -1].mean())


def read(record: str, names: list[str], results: Path | None = None) -> dict[str, Curve]:
    """The curves of some settings of an experiment.

    Raises:
        paper_checks.recorded.MissingRecord: there is no such record.
        paper_checks.recorded.UnreadableRecord: it is no record, or one without these settings.
    """
    found = recorded.read(record, results)
    missing = [name for name in names if name not in found]
    if missing:
        raise recorded.UnreadableRecord(
            f"{recorded.find(record, results)} has no {'; '.join(missing)}: run the experiment again with "
            f"`python -m empirical run {record} --tier full`."
        )
    return {name: as_curve(found[name]) for name in names}


def as_curve(record) -> Curve:
    """A record's curve."""
    curve = record.learning_curve
    return Curve(
        record.setting,
        np.array(curve["meta_iteration"]),
        np.array(curve["test_accuracy"], dtype=float).T,
        np.array(record.details["diverged_at"], dtype=float),
    )


def draw_curve(axes: Axes, curve: Curve, colour: str, label: str | None = None, **look: object) -> None:
    """Mean and band over seeds."""
    axes.fill_between(curve.at, curve.accuracy.min(axis=0), curve.accuracy.max(axis=0), color=colour, alpha=0.12, lw=0)
    axes.plot(curve.at, curve.accuracy.mean(axis=0), color=colour, label=label, gid=curve.name, **{"lw": 1.8} | look)


def level(axes: Axes, height: float, note: str, x: float, below: bool = False) -> None:
    """A level that `analysis` gives, with a note that begins at x (in axes' widths), or that ends there below the curves."""
    axes.axhline(height, color=GREY, lw=0.9, ls=(0, (5, 3)), zorder=1)
    low, high = axes.get_ylim()
    y, va = (height - 0.025 * (high - low), "top") if below else (height + 0.012 * (high - low), "bottom")
    axes.text(x, y, note, color=GREY, va=va, ha="right" if below else "left", transform=axes.get_yaxis_transform())


def chance(axes: Axes) -> None:
    """The accuracy of a guess."""
    axes.axhline(0.5, color=GREY, lw=0.9, ls=(0, (1, 2)), zorder=1)


def meta_iterations(axes: Axes, at: np.ndarray) -> None:
    """An axis of meta-iterations from 0 on: logarithmic, its first stretch linear."""
    first = at[1]
    axes.set_xscale("symlog", linthresh=first, linscale=0.5)
    powers = [10**k for k in range(0, 8) if first <= 10**k <= at[-1]]
    ticks = [0, *([first] if first < 0.5 * powers[0] else []), *powers]
    axes.set_xticks(ticks)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlim(0, at[-1])
