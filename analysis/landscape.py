"""Every real stationary point of the one-step MAML loss, its kind, and the proof that none is missing.

In the normal form (`normal_form`) ∇N = 0 splits into four cases that can each be solved exactly: the origin, the two
diagonals b = ±a (one polynomial in a² each), and the rest, where N_Q = N_U = 0 and N_Q is linear in Q. What holds for every
learning rate at once is in `landscape_theorem`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy
from flint import arb, ctx, fmpq, fmpq_mpoly, fmpq_poly

from . import symbols
from .certificate import Step, checked
from .landscape_theorem import diagonal_points, theorem
from .linear_network import LinearNetwork
from .maml import Maml
from .normal_form import BETA, RING, M, Q, U, V, derivatives, diagonal_slope, enclose, moment, reduction, univariate
from .polynomial import exact_rational
from .real_algebraic import IDENTITY, RealAlgebraic, real_roots, sturm_count

__all__ = ["Landscape", "StationaryPoint", "stationary_points"]

FIRST_PRECISION, LAST_PRECISION = 256, 1 << 16  # bits behind every float that is returned, more where digits cancel
LARGEST = 200  # digits of a learning rate

_ONE, _ZERO = fmpq_poly([1]), fmpq_poly([0])


@dataclass(frozen=True)
class StationaryPoint:
    """One stationary point of a MAML loss.

    Attributes:
        coordinates: exact weights, upper layer first, as sympy expressions.
        floats: the same as floats; None for a coordinate that is free (depth 1 at its critical rate).
        loss: the MAML loss there, factor κ and noise constant included.
        eigenvalues: of the Hessian in the weights, ascending.
        kind: "minimum", "maximum", "saddle", or "degenerate" where the Hessian is singular (exactly so).
        is_global: whether it is a global minimum.
        curve: where it lies: "origin", "a = b", "a = -b", "axis" (one weight is 0) or "off the axes and diagonals".
    """

    coordinates: tuple[sympy.Expr, ...]
    floats: tuple[float | None, ...]
    loss: float
    eigenvalues: tuple[float, ...]
    kind: str
    is_global: bool
    curve: str


@dataclass(frozen=True)
class Landscape:
    """All real stationary points of a one-step MAML loss, with the certificate that there are no others."""

    network: LinearNetwork
    alpha: sympy.Expr
    points: tuple[StationaryPoint, ...]
    certificate: tuple[Step, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many points there are of each kind."""
        return dict(Counter(point.kind for point in self.points))


def stationary_points(alpha: object, network: LinearNetwork | None = None) -> Landscape:
    """All real stationary points of the one-step MAML loss with every weight adapting, exactly, with their certificate.

    arnold2021, Appendix A ("at least 5 stationary points") and eqs. (54) to (57) are about the deep model.

    Args:
        alpha: the inner learning rate, above 0: a rational number, or a real algebraic sympy expression such as
            `critical_learning_rate()` (depth 2 then needs μ = 0, where the theorem for every rate carries the count).
        network: depth 1 or 2 with rational parameters and τ² > 0; by default the deep model with μ = 0, τ² = s² = v = 1.

    Raises:
        ValueError: a rate that is not positive or not algebraic, symbolic parameters, τ² = 0, or depth 3 and more.
        CertificateError: a step of the proof did not check.
    """
    network = LinearNetwork(2) if network is None else network
    if network.depth > 2:
        raise ValueError(
            f"stationary points are offered for depth 1 and 2, and depth is {network.depth}; for depth 3 and more there are "
            "the exact loss, its gradient and its Hessian (analysis.Maml), but no list of stationary points and no certificate"
        )
    for name in ("mu", "tau2", "s2", "v"):
        if not getattr(network, name).is_Rational:
            raise ValueError(f"{name} is {getattr(network, name)}; stationary points need rational numbers")
    if network.tau2 == 0:
        raise ValueError(
            "tau2 is 0; with a single task the stationary points are whole curves, so give a positive variance"
        )
    try:
        rate = RealAlgebraic.of(alpha)
    except ValueError as error:
        raise ValueError(f"alpha: {error}") from None
    if rate.sign_of(IDENTITY) <= 0:
        raise ValueError(f"alpha is {alpha}; a learning rate must be above 0")
    if max(len(str(abs(c))) for c in rate.minimal) > LARGEST:
        raise ValueError(
            f"alpha has more than {LARGEST} digits; isolating the roots of its polynomials would take too long"
        )
    return _shallow(rate, network) if network.depth == 1 else _deep(rate, network)


def _shallow(rate: RealAlgebraic, network: LinearNetwork) -> Landscape:
    """L = κs²(1 − ρ)²((c − μ)² + τ²) + κv: one minimum, or at ρ = 1 nothing but minima."""
    alpha = rate.as_sympy()
    (c,) = network.weights
    maml = Maml(network)
    rho = network.curvature * symbols.alpha
    shape = network.kappa * (network.s2 * (1 - rho) ** 2 * ((c - network.mu) ** 2 + network.tau2) + network.v)
    step = checked(
        maml.ring.poly(sympy.expand(shape)) == maml.loss,
        "L = κs²(1 − ρ)²((c − μ)² + τ²) + κv with ρ = 2κα s², so L′ = 2κs²(1 − ρ)²(c − μ)",
        "polynomial identity",
    )
    at_solution = shape.subs({c: network.mu, symbols.alpha: alpha})
    if rate.sign_of(_fmpq(network.curvature) * IDENTITY - 1) == 0:
        point = StationaryPoint((c,), (None,), float(at_solution), (0.0,), "degenerate", True, "every real c")
        evidence = "ρ = 1 exactly: L is constant, every c is stationary, degenerate and a global minimum"
    else:
        curvature = shape.diff(c, 2).subs(symbols.alpha, alpha)
        where = (network.mu,), (float(network.mu),)
        point = StationaryPoint(*where, float(at_solution), (float(curvature),), "minimum", True, "c = μ")
        evidence = "ρ ≠ 1 exactly: L is a strictly convex parabola"
    return Landscape(network, alpha, (point,), (step, Step("the only case distinction is ρ = 1", evidence)))


def _deep(rate: RealAlgebraic, network: LinearNetwork) -> Landscape:
    alpha = rate.as_sympy()
    rho = network.curvature * alpha
    m, beta = rho * network.mu, sympy.expand(rho**2 * network.tau2)
    if m.is_Rational and beta.is_Rational:
        orbits, steps = _orbits(exact_rational(m), exact_rational(beta))
    elif network.mu == 0:
        orbits, steps = _orbits_by_theorem(RealAlgebraic.of(beta))
    else:
        raise ValueError(
            f"alpha is {alpha}; with mu = {network.mu} ≠ 0 stationary points are offered for rational alpha"
        )
    points = tuple(point for orbit in orbits for point in _points(orbit, rate, network))
    return Landscape(network, alpha, points, tuple(steps))


@dataclass(frozen=True)
class _Orbit:
    """Stationary points that share (Q, U) = (numerator/denominator)(t), with t a real algebraic number."""

    curve: str
    t: RealAlgebraic
    q: tuple[fmpq_poly, fmpq_poly]
    u: tuple[fmpq_poly, fmpq_poly]
    kind: str = ""

    def sign(self, polynomial: fmpq_mpoly) -> int:
        """The exact sign here of a polynomial in Q and U alone."""
        (q, q_below), (u, u_below) = self.q, self.u
        degree_q, degree_u = map(int, polynomial.degrees()[:2])
        numerator = _ZERO
        for powers, c in polynomial.to_dict().items():
            i, j = int(powers[0]), int(powers[1])
            numerator += c * q**i * q_below ** (degree_q - i) * u**j * u_below ** (degree_u - j)
        return self.t.sign_of(numerator) * self.t.sign_of(q_below) ** degree_q * self.t.sign_of(u_below) ** degree_u

    def classified(self, trace: fmpq_mpoly, determinant: fmpq_mpoly) -> _Orbit:
        """With its kind, by the exact signs of trace and determinant of the Hessian."""
        singular = self.sign(determinant)
        kind = "degenerate" if singular == 0 else "saddle"
        if singular > 0:
            kind = "minimum" if self.sign(trace) > 0 else "maximum"
        return replace(self, kind=kind)


def _origin(kind: str = "") -> _Orbit:
    return _Orbit("origin", RealAlgebraic.of(0), (_ZERO, _ONE), (_ZERO, _ONE), kind)


def _on_diagonals(v: RealAlgebraic, sign: int, kind: str = "") -> _Orbit:
    """A² = B² = V, AB = ±V."""
    return _Orbit("a = b" if sign > 0 else "a = -b", v, (2 * IDENTITY, _ONE), (sign * IDENTITY, _ONE), kind)


def _orbits(m: Fraction, beta: Fraction) -> tuple[list[_Orbit], list[Step]]:
    """Every stationary orbit of N for rational M and β, and the certificate."""
    numbers = {M: m, BETA: beta}
    at = derivatives(numbers)
    orbits, steps = [_origin()], list(reduction())
    for sign, curve in ((1, "a = b"), (-1, "a = -b")):
        slope = univariate(RING.substitute(diagonal_slope(sign), numbers), V)
        roots = [root for root, _ in real_roots(slope) if root.sign_of(IDENTITY) > 0]
        steps.append(
            checked(
                len(roots) == sturm_count(slope, positive=True),
                f"on {curve} ≠ 0 the stationary V = ρa² are the positive roots of a polynomial of degree {slope.degree()}",
                f"{len(roots)} by isolation and by Sturm's theorem",
            )
        )
        orbits += [_on_diagonals(root, sign) for root in roots]
    # N_Q = −2[(1 − Q) m₂ + U m₃] vanishes at Q = 1 + U m₃/m₂ alone, because m₂ = (U − M)² + β > 0
    m2, m3 = (univariate(RING.substitute(moment(k), numbers), U) for k in (2, 3))
    numerator = m2 + IDENTITY * m3
    eliminated = _ZERO  # N_U at that Q, times m₂²
    for powers, c in at["U"].to_dict().items():
        i, j = int(powers[0]), int(powers[1])
        eliminated += c * numerator**i * m2 ** (2 - i) * IDENTITY**j
    off = [_Orbit("", root, (numerator, m2), (IDENTITY, _ONE)) for root, _ in real_roots(eliminated)]
    q, u = RING.gen(Q), RING.gen(U)
    inside = [orbit for orbit in off if orbit.sign(q - 2 * u) > 0 and orbit.sign(q + 2 * u) > 0]
    steps.append(
        checked(
            len(off) == sturm_count(eliminated) and all(o.sign(at["Q"]) == 0 == o.sign(at["U"]) for o in off),
            f"off the diagonals U is a real root of a polynomial of degree {eliminated.degree()}, Q = 1 + U·m₃/m₂ with "
            "m₂ = (U − M)² + β > 0, and real weights need Q > 2|U|",
            f"{len(off)} real roots by isolation and by Sturm's theorem, {len(inside)} with Q > 2|U|",
        )
    )
    for orbit in inside:
        curve = "axis" if orbit.sign(u) == 0 else "off the axes and diagonals"
        orbits.append(replace(orbit, curve=curve))
    return [orbit.classified(at["trace"], at["determinant"]) for orbit in orbits], steps


def _orbits_by_theorem(beta: RealAlgebraic) -> tuple[list[_Orbit], list[Step]]:
    """The orbits for μ = 0 and an irrational β: the theorem says how many and of what kind, elimination says where."""
    side, diagonal = diagonal_points(beta)
    orbits = [_origin("maximum")]
    orbits += [_on_diagonals(root, sign, kind) for sign in (1, -1) for root, kind in diagonal]
    orbits.append(_Orbit("axis", RealAlgebraic.of(1), (_ONE, _ONE), (_ZERO, _ONE), "minimum"))
    proved = theorem()
    step = Step(
        f"β = (2κα s²τ)² lies {side} β*, so the theorem for every rate gives {sum(proved.counts[side].values())} points",
        "exact comparison of algebraic numbers; the diagonal points are roots of Res_β(minimal polynomial of β, p)",
    )
    return orbits, [*proved.steps, step]


def _points(orbit: _Orbit, rate: RealAlgebraic, network: LinearNetwork) -> list[StationaryPoint]:
    """The weights that share one (Q, U): up to four, by the symmetries (a, b) → (b, a) and (a, b) → (−a, −b)."""
    rho = network.curvature * rate.as_sympy()
    t = orbit.t.as_sympy()
    q, u = (_in_sympy(above, t) / _in_sympy(below, t) for above, below in (orbit.q, orbit.u))
    # (A + B)² = Q + 2U and (A − B)² = Q − 2U
    plus, minus = sympy.sqrt((q + 2 * u) / rho), sympy.sqrt((q - 2 * u) / rho)
    big, small = (plus + minus) / 2, (plus - minus) / 2
    float_big, float_small, loss, eigenvalues = _floats(orbit, rate, network)
    # N is an expected square; it is 0 just where E(1 − Q + U E) is 0 for almost every E, so where Q = 1 and U = 0
    is_global = q == 1 and u == 0
    around = {  # a dictionary, because some of the four coincide
        (big, small): (float_big, float_small),
        (-big, -small): (-float_big, -float_small),
        (small, big): (float_small, float_big),
        (-small, -big): (-float_small, -float_big),
    }
    return [
        StationaryPoint(exact, tuple(x + 0.0 for x in floats), loss, eigenvalues, orbit.kind, is_global, orbit.curve)
        for exact, floats in around.items()  # + 0.0 makes −0.0 positive
    ]


def _floats(
    orbit: _Orbit, rate: RealAlgebraic, network: LinearNetwork
) -> tuple[float, float, float, tuple[float, float]]:
    """The larger and the smaller coordinate, the loss and the Hessian's eigenvalues, at whatever precision it takes."""
    precision = FIRST_PRECISION
    while True:
        with ctx.workprec(precision):
            t, alpha = orbit.t.enclosure(precision), rate.enclosure(precision)
            q, u = (_in_ball(above, t) / _in_ball(below, t) for above, below in (orbit.q, orbit.u))
            rho = alpha * arb(_fmpq(network.curvature))
            at = {"Q": q, "U": u, "M": rho * arb(_fmpq(network.mu)), "beta": rho**2 * arb(_fmpq(network.tau2))}
            n, trace, determinant = (enclose(derivatives()[name], **at) for name in ("N", "trace", "determinant"))
            square = trace**2 - 4 * determinant
            spread = (square if square > 0 else _nonnegative(square)).sqrt()
            large = (trace + spread if trace.mid() > 0 else trace - spread) / 2
            loss = arb(_fmpq(network.kappa)) * (arb(_fmpq(network.v)) + arb(_fmpq(network.s2)) * n / rho**2)
            degenerate = orbit.kind == "degenerate"
            doubtful = [loss, large] if degenerate else [loss, large, determinant]
            if (
                any(ball.rad() != 0 and ball.rel_accuracy_bits() < 60 for ball in doubtful)
                and precision < LAST_PRECISION
            ):
                precision *= 2
                continue
            # the other eigenvalue through the product of both, and the small coordinate likewise, which loses no digits
            small = arb(0) if degenerate else determinant / large
            # the Hessian in (a, b) is that of N in (A, B) times κs²/ρ = 1/(2α)
            eigenvalues = sorted(float(e / (2 * alpha)) for e in (large, small))
            big = (_nonnegative(q + 2 * u).sqrt() + _nonnegative(q - 2 * u).sqrt()) / 2
            other = u / big if big > 0 else arb(0)
            return float(big / rho.sqrt()), float(other / rho.sqrt()), float(loss), tuple(eigenvalues)


def _in_ball(polynomial: fmpq_poly, t: arb) -> arb:
    total = arb(0)
    for coefficient in reversed(polynomial.coeffs()):
        total = total * t + arb(coefficient)
    return total


def _in_sympy(polynomial: fmpq_poly, t: sympy.Expr) -> sympy.Expr:
    return sum((sympy.Rational(int(c.p), int(c.q)) * t**k for k, c in enumerate(polynomial.coeffs())), sympy.S.Zero)


def _fmpq(value: sympy.Rational) -> fmpq:
    return fmpq(int(value.p), int(value.q))


def _nonnegative(ball: arb) -> arb:
    """The ball's midpoint, or 0 where an exact 0 came out as a tiny negative number."""
    middle = ball.mid()
    return middle if middle > 0 else arb(0)
