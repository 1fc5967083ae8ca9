"""How the step of arnold2021, eq. (17), depends on the upper weight a: the factor S(a) = a(1 − αa²)².

The update is b ← b − β S(a) (ab − θ). Section 4.5 says that the step grows with the distance of a from a_maml = 1/√α;
the figure shows where that is so, on either side of a_maml. Axes: √α a and √α S(a), so that one curve holds for every α.
S is odd; a ≥ 0 is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import LinearNetwork, step_size_factor
from analysis.symbols import alpha

from .style import BLACK, BLUE, RED

NAME = "step-size-factor"
SUMMARY = "the factor S(a) of eq. (17): the step grows with the distance from a_maml only beyond 1/√(5α)"
SOURCE = "metaproof (arnold2021, eq. (17) and Section 4.5)"
RECORD = None
SIZE = (7.2, 3.5)

SHOWN = 1.3  # greatest √α a


@dataclass(frozen=True)
class Data:
    """In the scaled variables x = √α a ≥ 0 and y = √α S(a).

    Attributes:
        x, y: the curve.
        extrema: (x, y, "minimum" or "maximum") of each local extremum.
        intervals: (from, to, "increasing" or "decreasing"), cut at 0 and at the end of the curve.
        solution: where a_maml lies.
    """

    x: np.ndarray
    y: np.ndarray
    extrema: tuple[tuple[float, float, str], ...]
    intervals: tuple[tuple[float, float, str], ...]
    solution: float


def data() -> Data:
    """Scale the exact factor, its extrema and its intervals."""
    factor, (a, _), root = step_size_factor(), LinearNetwork(2).weights, sympy.sqrt(alpha)
    scaled = sympy.simplify(root * factor.expr.subs(a, a / root))
    if scaled.has(alpha):
        raise ArithmeticError(f"√α S(a) should depend on √α a alone, and is {scaled}")

    def number(value: sympy.Expr) -> float:
        return float(sympy.simplify(root * value)) if value.is_finite is not False else float(value)

    curve: Callable[[np.ndarray], np.ndarray] = sympy.lambdify(a, scaled, "numpy")
    x = np.linspace(0, SHOWN, 400)
    extrema = [(number(position), number(value), kind) for position, value, kind in factor.extrema]
    intervals = [
        (max(number(start), 0.0), min(number(end), SHOWN), trend)
        for start, end, trend in factor.intervals
        if number(end) > 0 and number(start) < SHOWN
    ]
    extrema = tuple(extremum for extremum in extrema if 0 <= extremum[0] <= SHOWN)
    (solution,) = (position for position, value, kind in extrema if kind == "minimum" and value == 0)
    return Data(x, curve(x), extrema, tuple(intervals), solution)


def panels(figure: Figure) -> Axes:
    """One panel."""
    figure.set_layout_engine("constrained")
    return figure.subplots()


def draw(axes: Axes, data: Data) -> None:
    """Draw the curve, shade the intervals by whether the step grows away from a_maml, and mark the extrema."""
    top = 0.62
    regions: dict[bool, list[float]] = {}
    for start, end, trend in data.intervals:
        grows = (trend == "increasing") == (start >= data.solution)
        axes.axvspan(start, end, color=BLUE if grows else RED, alpha=0.12, lw=0, gid="grows" if grows else "shrinks")
        regions.setdefault(grows, []).extend((start, end))
    for grows, ends in regions.items():
        text = "bigger step, as\nSection 4.5 says" if grows else "smaller step, against\nwhat Section 4.5 says"
        axes.text(
            (min(ends) + max(ends)) / 2,
            0.97 * top,
            f"farther from $a_\\mathrm{{maml}}$:\n{text}",
            ha="center",
            va="top",
            color=BLUE if grows else RED,
        )
    axes.plot(data.x, data.y, color=BLACK, lw=2)
    for x, y, kind in data.extrema:
        axes.plot(x, y, "o", ms=7, mfc="white", mec=BLACK, mew=1.5, gid=kind, clip_on=False, zorder=4)
    (peak,) = ((x, y) for x, y, kind in data.extrema if kind == "maximum")
    axes.text(peak[0], peak[1] + 0.03, f"maximum {peak[1]:.3f}\nat $a = 1/\\sqrt{{5α}}$", ha="center", va="bottom")
    axes.text(data.solution - 0.01, 0.06, "no step at\n$a_\\mathrm{maml} = 1/\\sqrt{α}$", ha="center", va="bottom")
    axes.set(
        xlabel="√α a",
        ylabel="√α S(a)",
        title="S(a) = a(1 − αa²)², the factor of the step in b with a held fixed, for any α",
        xlim=(0, data.x[-1]),
        ylim=(0, top),
        xticks=[0, peak[0], data.solution],
        xticklabels=["0", "1/√5", "1"],
    )
