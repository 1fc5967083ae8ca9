"""The joint MAP of the hierarchical normal toy as a function of σ²: density, profile, stationary points, ascent.

chen2019, Appendix B, eqs. (5) to (18): T tasks, x_{t,n} ~ N(θ_t, ρ²), θ_t ~ N(φ, σ²), N observations per task, flat prior on φ;
S is the spread (1/T) Σ (x̄_t − x̄)² of the task means and r = ρ²/N their noise. Every variance is a variance, never a deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import sympy
from flint import fmpq, fmpq_poly

from .polynomial import exact_expr
from .real_algebraic import IDENTITY, RealAlgebraic, real_roots

__all__ = [
    "StationaryVariance",
    "ascent_limit",
    "count",
    "joint_map_polynomial",
    "joint_map_profile",
    "joint_map_roots",
    "joint_map_stationary_points",
    "log_joint",
    "maximum",
    "positive",
    "posterior_profile",
    "spread_value",
    "task_count",
]

HALF = sympy.Rational(1, 2)


def positive(value: object, what: str) -> sympy.Expr:
    """An exact number or expression that is not known to be 0 or negative.

    Raises:
        ValueError: it is; `what` it should have been is named.
    """
    value = exact_expr(value, what)
    if value.is_nonpositive or value.is_infinite or value.is_real is False:
        raise ValueError(f"{what} is {value}, and must be a positive number; give one above 0")
    return value


def count(value: object, what: str) -> sympy.Expr:
    """A number of observations or tasks: a positive integer, or a symbol that stands for one.

    Raises:
        ValueError: it is a number, and no positive integer.
    """
    value = exact_expr(value, what)
    if value.is_number and not (value.is_Integer and value > 0):
        raise ValueError(f"{what} is {value}, and must be a whole number, 1 or more")
    return value


def task_count(value: object) -> sympy.Expr:
    """A number of tasks: 2 or more, or a symbol that stands for one.

    Raises:
        ValueError: it is a number, and no whole number of 2 or more.
    """
    value = count(value, "the number of tasks")
    if value == 1:
        raise ValueError(
            "the number of tasks is 1, and must be 2 or more: one task says nothing of the spread over tasks"
        )
    return value


def spread_value(value: object) -> sympy.Expr:
    """S = (1/T) Σ (x̄_t − x̄)², exactly.

    Raises:
        ValueError: it is negative.
    """
    value = exact_expr(value, "the spread S")
    if value.is_negative:
        raise ValueError(f"the spread S is {value}, and must be 0 or more: it is a mean of squares")
    return value


def _log_normal(x: object, mean: object, variance: object) -> sympy.Expr:
    """The log density log N(x | mean, variance), with its constant."""
    return -HALF * (sympy.log(2 * sympy.pi) + sympy.log(variance)) - (x - mean) ** 2 / (2 * variance)


def log_joint(
    observations: Sequence[Sequence[object]],
    theta: Sequence[object],
    phi: object,
    sigma2: object,
    rho2: object = 1,
    prior2: object = sympy.oo,
) -> sympy.Expr:
    """The log density log p(θ, x | φ, σ²), or log p(φ, θ, x | σ²) if δ² is finite, with every constant: chen2019, eqs. (1), (5).

    Args:
        observations: T sequences, of N_t observations each.
        theta: T task parameters.
        phi: the central parameter.
        sigma2: σ².
        rho2: the noise variance ρ².
        prior2: δ²; infinite for the flat prior, which adds nothing.

    Raises:
        ValueError: not one θ for each task, or a variance that is not positive.
    """
    if len(theta) != len(observations):
        raise ValueError(f"{len(theta)} task parameters were given for {len(observations)} tasks; give one for each")
    phi, theta = sympy.sympify(phi), [sympy.sympify(t) for t in theta]
    sigma2, rho2 = positive(sigma2, "sigma2"), positive(rho2, "rho2")
    total = _log_normal(phi, 0, positive(prior2, "prior2")) if prior2 != sympy.oo else sympy.S.Zero
    for task, row in zip(theta, observations, strict=True):
        total += _log_normal(task, phi, sigma2) + sum(_log_normal(x, task, rho2) for x in row)
    return total


def maximum(quadratic: sympy.Expr, variable: sympy.Symbol) -> sympy.Expr:
    """Where an expression that is quadratic and concave in a variable is greatest."""
    linear, square = quadratic.diff(variable), quadratic.diff(variable, 2)
    return sympy.cancel(variable - linear / square)


def joint_map_profile(
    sigma2: object, spread: object, tasks: object, r: object, *, center: sympy.Expr | None = None
) -> sympy.Expr:
    """The maximum over θ (and over φ, unless `center` fixes it) of ℓ_MAP, eq. (6), as a function of σ²; equal N_t, flat prior.

    Terms that contain neither σ² nor φ are left out: the constants of the normal densities and the scatter within tasks.
    Derived, for any T: each θ_t is maximised by itself, the sum over tasks is made of Σ1 = T, Σx̄_t = T x̄ and
    Σx̄_t² = T (S + x̄²), and then φ is maximised. The result is −(T/2) log σ² − (T/2) S/(σ² + r).

    Args:
        sigma2: σ².
        spread: S = (1/T) Σ (x̄_t − x̄)².
        tasks: T.
        r: ρ²/N.
        center: φ − x̄ if φ is held fixed.
    """
    sigma2, spread, r, tasks = positive(sigma2, "sigma2"), spread_value(spread), positive(r, "r"), task_count(tasks)
    theta, phi, mean, grand = sympy.symbols("_theta _phi _mean _grand", real=True)
    one_task = -((theta - phi) ** 2) / (2 * sigma2) - (mean - theta) ** 2 / (2 * r)
    over_theta = sympy.Poly(sympy.cancel(one_task.subs(theta, maximum(one_task, theta))), mean)
    sums = {0: tasks, 1: tasks * grand, 2: tasks * (spread + grand**2)}
    total = sum(coefficient * sums[power] for (power,), coefficient in over_theta.terms())
    at = maximum(total, phi) if center is None else grand + center
    return -tasks * sympy.log(sigma2) / 2 + sympy.factor(sympy.cancel(total.subs(phi, at)))


@cache
def _polynomial() -> tuple[sympy.Poly, tuple[sympy.Symbol, ...]]:
    """The numerator of −dℓ/dσ² over T/2, from the profile; monic in σ². Its symbols: σ², S, r."""
    s, spread, r, tasks = sympy.symbols("_s _S _r _T", positive=True)
    slope = sympy.together(joint_map_profile(s, spread, tasks, r).diff(s))
    numerator = sympy.Poly(sympy.cancel(sympy.numer(slope) / tasks), s)
    return numerator.monic(), (s, spread, r)


def joint_map_polynomial(sigma2: object, spread: object, r: object) -> sympy.Expr:
    """σ⁴ + (2r − S) σ² + r², whose sign is that of −dℓ_MAP/dσ² at θ̂(σ²) and φ̂: chen2019, eq. (14). Derived from the profile."""
    polynomial, symbols = _polynomial()
    values = dict(zip(symbols, map(sympy.sympify, (sigma2, spread, r)), strict=True))
    return polynomial.as_expr().subs(values, simultaneous=True)


def joint_map_roots(spread: object, r: object) -> tuple[sympy.Expr, sympy.Expr]:
    """The two roots in σ² of `joint_map_polynomial`, left and right, as expressions: chen2019, eq. (17)."""
    spread, r = sympy.sympify(spread), sympy.sympify(r)
    x = sympy.Symbol("_x")
    _, linear, constant = sympy.Poly(joint_map_polynomial(x, spread, r), x).all_coeffs()
    root = sympy.sqrt(sympy.factor(linear**2 - 4 * constant))
    return (-linear - root) / 2, (-linear + root) / 2


@dataclass(frozen=True)
class StationaryVariance:
    """A stationary point of the joint MAP's profile.

    Attributes:
        sigma2: σ², rational or with square roots.
        kind: "minimum", "maximum" or "inflection".
    """

    sigma2: sympy.Expr
    kind: str


def _rational_polynomial(spread: object, n: object, rho2: object) -> fmpq_poly:
    spread, n, rho2 = spread_value(spread), count(n, "n"), positive(rho2, "rho2")
    for name, value in (("S", spread), ("n", n), ("rho2", rho2)):
        if not value.is_Rational:
            raise ValueError(f"{name} is {value}, and must be rational here; for expressions there is joint_map_roots")
    x = sympy.Symbol("_x")
    coefficients = reversed(sympy.Poly(joint_map_polynomial(x, spread, rho2 / n), x).all_coeffs())
    return fmpq_poly([fmpq(int(c.p), int(c.q)) for c in coefficients])


def _stationary(polynomial: fmpq_poly) -> list[tuple[RealAlgebraic, str]]:
    """The positive roots with their kinds, ascending."""
    points, slope = [], -1  # the polynomial is r² > 0 at σ² = 0, and the slope of ℓ_MAP has the other sign
    for root, multiplicity in real_roots(polynomial):
        if root.sign_of(IDENTITY) <= 0:
            continue
        kind = "inflection" if multiplicity % 2 == 0 else "minimum" if slope < 0 else "maximum"
        slope = -slope if multiplicity % 2 else slope
        points.append((root, kind))
    return points


def joint_map_stationary_points(spread: object, n: object, rho2: object = 1) -> tuple[StationaryVariance, ...]:
    """Every stationary point σ² > 0 of ℓ_MAP at θ̂(σ²) and φ̂, ascending: none, one or two (chen2019, Prop. 3).

    None for S < 4r, where r = ρ²/N; an inflection at σ² = r for S = 4r; a minimum and a maximum for S > 4r.

    Args:
        spread: S = (1/T) Σ (x̄_t − x̄)², rational.
        n: N, the number of observations of every task.
        rho2: the noise variance ρ², rational.

    Raises:
        ValueError: S is negative, N is no positive integer or ρ² is not positive.
    """
    found = _stationary(_rational_polynomial(spread, n, rho2))
    return tuple(StationaryVariance(root.as_sympy(), kind) for root, kind in found)


def ascent_limit(start: object, spread: object, n: object, rho2: object = 1) -> sympy.Expr:
    """Where gradient ascent on ℓ_MAP, with θ and φ at their maximum, takes σ² from a start; decided exactly.

    Ascent means small steps, so that none jumps over a stationary point; in σ, σ² or log σ² alike. A start on the left root
    stays there.

    Args:
        start: the first σ², a positive rational or real algebraic number.
        spread: S, rational.
        n: N.
        rho2: ρ².

    Returns:
        The limit of σ²: 0 (collapse), or a stationary point.

    Raises:
        ValueError: as `joint_map_stationary_points`, or the start is not positive.
    """
    polynomial = _rational_polynomial(spread, n, rho2)
    start = positive(start, "the start of sigma2")
    here = RealAlgebraic.of(start)
    sign = here.sign_of(polynomial)
    if sign == 0:
        return start
    ahead = [root for root, _ in _stationary(polynomial) if root.compare(here) == (-1 if sign > 0 else 1)]
    if not ahead:  # it climbs towards smaller σ² and meets nothing; it never climbs to infinity
        return sympy.S.Zero
    return (ahead[-1] if sign > 0 else ahead[0]).as_sympy()


def posterior_profile(sigma2: object, tasks: object, r: object) -> sympy.Expr:
    """The maximum over θ and φ of log p(θ, φ | x, σ²), the density that chen2019's eq. (2) names; terms without σ² left out.

    The posterior is normal, so its maximum is ½ log det of the negative Hessian of ℓ_MAP: ½ log Σ_t 1/(σ² + r) from φ and
    ½ Σ_t log(1/r + 1/σ²) from θ. It contains no data, and falls in σ² everywhere.
    """
    sigma2, r, tasks = positive(sigma2, "sigma2"), positive(r, "r"), task_count(tasks)
    return -HALF * sympy.log(sigma2 + r) + tasks * HALF * (sympy.log(sigma2 + r) - sympy.log(sigma2))
