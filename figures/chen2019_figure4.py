"""chen2019, Figure 4: the joint density's profile and its slope in σ², without and with stationary points (Appendix B).

The profile is the maximum over θ and φ of ℓ_MAP, per task and without the terms that do not contain σ²; in the scaled
variables Nσ² and NS (noise variance 1) it is the same for every N and T. It diverges to +∞ as σ² → 0 whatever S is, the spread
of the task means; for S < 4/N nothing stops the ascent there. The true σ² is about S − 1/N.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import joint_map_stationary_points, marginal_maximiser
from analysis.joint_map import joint_map_profile

from .style import BLACK, BLUE, KINDS, RED

NAME = "chen2019-figure4"
SUMMARY = "joint MAP of the hierarchical normal toy: its profile and slope in σ², without and with stationary points"
SOURCE = "chen2019, Figure 4 (Appendix B, Prop. 3)"
RECORD = None
SIZE = (7.2, 4.4)

SPREADS = (3, 5)  # NS, on either side of 4
SHOWN = (0.06, 6.0)  # Nσ²


@dataclass(frozen=True)
class Profile:
    """One spread, in units in which the task means' noise 1/N is 1.

    Attributes:
        spread: NS.
        variance: Nσ², (n,).
        value: max ℓ_MAP per task at each, up to a constant.
        slope: its derivative in Nσ².
        stationary: (Nσ², value, "minimum" or "maximum") of each stationary point.
        marginal: the Nσ² that maximises the marginal likelihood.
    """

    spread: float
    variance: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    stationary: tuple[tuple[float, float, str], ...]
    marginal: float


def data() -> tuple[Profile, ...]:
    """Evaluate the exact profile, its slope and its stationary points for each spread."""
    return tuple(map(_profile, SPREADS))


def _profile(spread: int) -> Profile:
    x = sympy.Symbol("x", positive=True)
    exact = joint_map_profile(x, spread, 2, 1) / 2  # per task; it is the same for any number of them
    variance = np.geomspace(*SHOWN, 600)
    value, slope = (sympy.lambdify(x, expr, "numpy") for expr in (exact, exact.diff(x)))
    stationary = [(float(p.sigma2), p.kind) for p in joint_map_stationary_points(spread, 1)]
    return Profile(
        spread,
        variance,
        value(variance),
        slope(variance),
        tuple((at, float(value(at)), kind) for at, kind in stationary),
        # for any number of tasks S − 1/N, with φ maximised
        float(marginal_maximiser(spread, 2, 1)),
    )


def panels(figure: Figure) -> tuple[Axes, ...]:
    """Two rows, the profile above its slope; a column for each spread."""
    figure.set_layout_engine("constrained", hspace=0.04, wspace=0.04)
    return tuple(figure.subplots(2, len(SPREADS), sharex=True, sharey="row").ravel())


def draw(axes: Sequence[Axes], data: Sequence[Profile]) -> None:
    """Draw the profiles on the first row and their slopes on the second; mark the stationary points on both."""
    top, bottom = axes[: len(data)], axes[len(data) :]
    for above, below, profile in zip(top, bottom, data, strict=True):
        above.plot(profile.variance, profile.value, color=BLACK, lw=2)
        below.plot(profile.variance, profile.slope, color=BLACK, lw=2)
        below.axhline(0, color=BLACK, lw=0.8)
        rising = profile.slope > 0
        below.fill_between(profile.variance, 0, profile.slope, where=rising, color=BLUE, alpha=0.25, lw=0, gid="rises")
        below.fill_between(profile.variance, 0, profile.slope, where=~rising, color=RED, alpha=0.15, lw=0, gid="falls")
        for panel in (above, below):
            panel.axvline(profile.marginal, color=BLUE, lw=1, ls=(0, (1, 1.5)), gid="marginal")
        for at, value, kind in profile.stationary:
            look = KINDS[kind]
            for panel, height in ((above, value), (below, 0)):
                panel.plot(at, height, look.marker, mfc=look.colour, mec="black", ms=7, zorder=4, gid=kind)
            above.annotate(
                f"local {kind} at {at:.2f}",
                (at, value),
                (-2, -9) if kind == "minimum" else (-12, 8),
                textcoords="offset points",
                ha="left" if kind == "minimum" else "center",
                va="top" if kind == "minimum" else "bottom",
            )
        relation = "<" if profile.spread < 4 else ">"
        found = "two stationary points" if profile.stationary else "no stationary point"
        above.set_title(f"S = {profile.spread:g}/N {relation} 4/N: {found}")
        below.set(
            xlabel="Nσ²",
            title=f"ascent takes σ² to 0 {'or to the maximum' if profile.stationary else 'from every start'}",
        )
    top[0].set_ylabel("max $\\ell_\\mathrm{MAP}$ over θ, φ\nper task, + const")
    bottom[0].set_ylabel("slope in Nσ²")
    top[0].text(0.2, data[0].value[0], "+∞ as σ² → 0", va="top")
    at = data[0].marginal
    top[0].annotate(
        "best σ² by marginal\nlikelihood, S − 1/N", (at, 0.72), (6, 0), xycoords=("data", "axes fraction"),
        textcoords="offset points", color=BLUE, va="center",
    )  # fmt: skip
    bottom[1].text(0.45, -1.15, "to 0", color=RED, va="center")
    bottom[1].text(0.75, -0.32, "to the local maximum", color=BLUE, va="center")
    bottom[0].set(xlim=(0, SHOWN[1]), ylim=(-1.6, 0.3))
    low, high = min(p.value.min() for p in data), max(p.value.max() for p in data)
    top[0].set_ylim(low - 0.25 * (high - low), high)
