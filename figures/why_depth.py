"""Why depth helps and what else it brings: the least loss against the learning rate, the saddles and maxima beside it.

A figure of metaproof's own. Left: the least MAML loss E ½(y − ŷ)², noise constant ½ included, that each model can have
after one step. Right: where the deep model's other stationary points lie, on the diagonals a = ±b at αa² = V, and how
saddles and maxima meet and vanish at the critical rate (a saddle-node bifurcation). The maximum at V = 0 and the four
minima off the diagonals (at αa² = 1, b = 0 and the like) are there for every α and are not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import LinearNetwork, critical_learning_rate, stationary_points

from .style import BLACK, BLUE, KINDS, RED

NAME = "why-depth"
SUMMARY = "least MAML loss of shallow and deep against the learning rate, and the deep model's bifurcation"
SOURCE = "metaproof (arnold2021, Sections 4.3 and 4.4)"
RECORD = None
SIZE = (7.2, 3.5)


@dataclass(frozen=True)
class Data:
    """What the figure shows.

    Attributes:
        alpha: learning rates of `best`, (n,).
        best: "shallow", "deep" → the least MAML loss at these rates, (n,).
        branches: (kind, α, V) of each branch of stationary points with a = b ≠ 0; kind is "saddle" or "maximum".
        critical: α* and the V of the degenerate point there.
    """

    alpha: np.ndarray
    best: dict[str, np.ndarray]
    branches: tuple[tuple[str, np.ndarray, np.ndarray], ...]
    critical: tuple[float, float]


def data() -> Data:
    """Find the stationary points, exactly, at a grid of rational learning rates and at the critical one."""
    rates = [Fraction(k, 20) for k in range(1, 41)]
    best = {
        model: np.array([min(p.loss for p in stationary_points(rate, LinearNetwork(depth)).points) for rate in rates])
        for model, depth in (("shallow", 1), ("deep", 2))
    }
    critical = critical_learning_rate()
    meeting = _diagonal(critical)
    (degenerate,) = (v for kind, v in meeting if kind == "degenerate")
    # closer and closer to α*, since V moves there as the square root of the distance
    near = Fraction(float(critical)).limit_denominator(10**6)
    below = [near * (1 - Fraction(k, 32) ** 2) for k in range(31, 0, -1)]
    above = [near + Fraction(k, 32) * (Fraction(7, 10) - near) for k in range(1, 33)]
    # ascending in V: saddle, maximum, saddle; the first two meet
    points = [(float(rate), _diagonal(rate)) for rate in below]
    branches = [
        (points[0][1][i][0], [*((rate, found[i][1]) for rate, found in points), (float(critical), meeting[j][1])])
        for i, j in ((0, 0), (1, 0), (2, 1))
    ]
    branches[2][1].extend((float(rate), found[0][1]) for rate, found in ((rate, _diagonal(rate)) for rate in above))
    return Data(
        np.array(rates, dtype=float),
        best,
        tuple((kind, *np.array(branch).T) for kind, branch in branches),
        (float(critical), degenerate),
    )


def _diagonal(rate: object) -> list[tuple[str, float]]:
    """Kind and V = αa² of the stationary points with a = b > 0, ascending in V."""
    points = stationary_points(rate).points
    found = [
        (point.kind, float(rate) * point.floats[0] ** 2)
        for point in points
        if point.curve == "a = b" and point.floats[0] > 0
    ]
    return sorted(found, key=lambda each: each[1])


def panels(figure: Figure) -> tuple[Axes, Axes]:
    """Two panels side by side."""
    figure.set_layout_engine("constrained", wspace=0.06)
    return tuple(figure.subplots(1, 2))


def draw(axes: Sequence[Axes], data: Data) -> None:
    """Draw the least losses on the first axes and the bifurcation on the second."""
    losses, diagonal = axes
    for model, colour in (("shallow", BLACK), ("deep", RED)):
        losses.plot(data.alpha, data.best[model], color=colour, lw=2, label=model)
    losses.text(1.48, 0.68, "shallow", weight="bold", ha="right", va="bottom")
    losses.text(0.06, 0.51, "deep", weight="bold", color=RED, va="bottom")
    losses.annotate(
        "shallow at α = 1:\nno start is better\nthan another",
        (1, 0.505),
        (1, 0.8),
        ha="center",
        va="bottom",
        arrowprops={"arrowstyle": "-", "lw": 0.8, "shrinkA": 2, "shrinkB": 3},
    )
    losses.set(
        xlabel="adaptation learning rate α",
        ylabel="least MAML loss, E ½(y − ŷ)²",
        title="Least loss after one step",
        xlim=(0, 2),
        ylim=(0.46, 1.0),
    )
    at, v = data.critical
    colours = {"saddle": BLUE, "maximum": RED}
    for kind, rate, position in data.branches:
        diagonal.plot(rate, position, color=colours[kind], lw=2, ls="-" if kind == "saddle" else "--", gid=kind)
        rises = position[-1] > position[0]
        middle = np.searchsorted(rate, 0.16 if rises else 0.08)
        diagonal.annotate(
            KINDS[kind].plural,
            (rate[middle], position[middle]),
            (0, 8) if rises else (5, 4),
            textcoords="offset points",
            ha="right" if rises else "left",
            va="bottom",
            color=colours[kind],
        )
    meeting = KINDS["degenerate"]
    diagonal.plot(at, v, meeting.marker, mfc=meeting.colour, mec="black", ms=7, zorder=4, gid="degenerate")
    diagonal.annotate(f"meet at α* ≈ {at:.4f}", (at, v), (8, -2), textcoords="offset points", ha="left", va="top")
    diagonal.set(
        xlabel="adaptation learning rate α",
        ylabel="V = αa²",
        title="Deep: stationary points on a = ±b",
        xlim=(0, 0.7),
        ylim=(0, 1.0),
    )
