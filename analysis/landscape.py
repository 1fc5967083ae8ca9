"""Every real stationary point of the one-step MAML loss, for every learning rate, its kind, and the proof that none is missing.

The deep model's loss depends on the weights through q = a² + b² and u = ab alone. With the effective rate ρ = 2κα s² and
(A, B) = √ρ (a, b), Q = ρq, U = ρu, it takes a normal form with two parameters, M = ρμ and β = ρ²τ²:

    L = κv + (κs²/ρ²) N(Q, U),    N = E[E² (1 − Q + U E)²],    E ~ N(U − M, β).

Because N is a polynomial in Q and U, ∇N = 0 splits into four cases that can each be solved exactly: the origin, the two
diagonals B = ±A (one polynomial in A² each), and the rest (where N_Q = N_U = 0, and N_Q is linear in Q).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import sympy
from flint import arb, ctx, fmpq, fmpq_mpoly, fmpq_poly

from . import symbols
from .gaussian import expectation
from .linear_network import LinearNetwork
from .maml import Maml
from .polynomial import Ring, exact_rational
from .real_algebraic import RealAlgebraic, real_roots

__all__ = [
    "CertificateError",
    "Landscape",
    "StationaryPoint",
    "Step",
    "Theorem",
    "critical_learning_rate",
    "normal_form",
    "stationary_points",
    "theorem",
]

_PRECISION = 256  # bits behind every printed float
PLURAL = {"minimum": "minima", "maximum": "maxima", "saddle": "saddles", "degenerate": "degenerate points"}


class CertificateError(ArithmeticError):
    """A step of a proof did not check; nothing that rests on it is returned."""


@dataclass(frozen=True)
class Step:
    """One checked step of a proof: what it says, and what the computation found."""

    statement: str
    evidence: str


def _checked(holds: bool, statement: str, evidence: object) -> Step:
    if not holds:
        raise CertificateError(f"not so: {statement} (computed: {evidence})")
    return Step(statement, str(evidence))


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


# --- the normal form ---------------------------------------------------------------------------------------------------

_Q, _U, _M, _BETA, _E = sympy.symbols("Q U M beta E", real=True)
_RING = Ring([_Q, _U, _M, _BETA, _E])


@cache
def _moment(order: int) -> fmpq_mpoly:
    """E[Eᵏ] for E ~ N(U − M, β)."""
    return expectation(_RING, _RING.gen(_E) ** order, {_E: _U - _M}, {(_E, _E): _BETA})


@cache
def _normal_form() -> fmpq_mpoly:
    q, u, e = (_RING.gen(symbol) for symbol in (_Q, _U, _E))
    return expectation(_RING, e**2 * (1 - q + u * e) ** 2, {_E: _U - _M}, {(_E, _E): _BETA})


def normal_form() -> sympy.Expr:
    """N(Q, U; M, β), of which every deep one-step MAML loss is a rescaling (see the module's first lines)."""
    return _RING.expr(_normal_form())


@cache
def _derivatives() -> dict[str, fmpq_mpoly]:
    """N's derivatives in (Q, U), and trace and determinant of its Hessian in (A, B), all as polynomials in (Q, U).

    By the chain rule N_A = 2A N_Q + B N_U; the symmetric functions of (A, B) that remain are A² + B² = Q, AB = U and
    A²B² = U². `_normal_form_steps` checks both against the Hessian in (A, B).
    """
    n = _normal_form()
    n_q, n_u = n.derivative("Q"), n.derivative("U")
    qq, qu, uu = n_q.derivative("Q"), n_q.derivative("U"), n_u.derivative("U")
    q, u = _RING.gen(_Q), _RING.gen(_U)
    common = 2 * n_q + 4 * u * qu  # N_AA = common + 4A² qq + B² uu, N_BB the same with A, B exchanged
    mixed = n_u + 4 * u * qq + 2 * q * qu + u * uu
    trace = 2 * common + q * (4 * qq + uu)
    # (4A² qq + B² uu)(4B² qq + A² uu) = U²(16 qq² + uu²) + 4 qq uu (Q² − 2U²)
    determinant = (
        common**2
        + common * q * (4 * qq + uu)
        + u**2 * (16 * qq**2 + uu**2)
        + 4 * qq * uu * (q**2 - 2 * u**2)
        - mixed**2
    )
    return {"N": n, "Q": n_q, "U": n_u, "trace": trace, "determinant": determinant}


@cache
def _normal_form_steps() -> tuple[Step, ...]:
    """The reduction to (Q, U), checked as polynomial identities against the loss that `maml` derives from the set-up."""
    rho, A, B = sympy.symbols("rho A B", real=True)
    mu, tau2, s2, v = symbols.mu, symbols.tau2, symbols.s2, symbols.v
    # the rate α = ρ/(2κs²) makes 2κα s² = ρ; scaling x by 1/s turns s² into 1 and the loss into κs² times (…)
    maml = Maml(LinearNetwork(2, mu=mu, tau2=tau2, s2=1, v=v), alpha=rho)
    general = Maml(LinearNetwork(2, mu=mu, tau2=tau2, s2=s2, v=v), alpha=symbols.alpha)
    a, b = general.network.weights
    ring = Ring([a, b, symbols.alpha, rho, mu, tau2, s2, v, _Q, _U, _M, _BETA, _E])
    to_weights = {_Q: rho * (a**2 + b**2), _U: rho * a * b, _M: rho * mu, _BETA: rho**2 * tau2}
    n = ring.substitute(ring.poly(_normal_form()), to_weights)
    lhs = (2 * ring.poly(maml.loss) - ring.poly(v)) * ring.gen(rho) ** 2
    n_general = ring.substitute(n, {rho: symbols.alpha * s2})
    lhs_general = (2 * ring.poly(general.loss) - ring.poly(v)) * ring.poly(symbols.alpha**2 * s2)
    steps = [
        _checked(
            lhs == n and lhs_general == n_general,
            "L = κv + (κs²/ρ²)·N(ρ(a² + b²), ρab; ρμ, ρ²τ²) with ρ = 2κα s²",
            f"both sides agree in all {len(lhs_general)} coefficients, with α, μ, τ², s², v symbolic",
        )
    ]
    plane = Ring([A, B, _Q, _U, _M, _BETA, _E])
    in_ab = {_Q: A**2 + B**2, _U: A * B}
    lifted = {name: plane.substitute(plane.poly(p), in_ab) for name, p in _derivatives().items()}
    (n_a, n_b), a_, b_ = plane.gradient(lifted["N"], [A, B]), plane.gen(A), plane.gen(B)
    split = (
        a_ * n_a - b_ * n_b == 2 * (a_**2 - b_**2) * lifted["Q"]
        and a_ * n_b - b_ * n_a == (a_**2 - b_**2) * lifted["U"]
    )
    steps.append(
        _checked(
            split,
            "A·N_A − B·N_B = 2(A² − B²)·N_Q and A·N_B − B·N_A = (A² − B²)·N_U, so off the diagonals a stationary point has "
            "N_Q = N_U = 0; on B = ±A ≠ 0 it is one of N restricted to that diagonal",
            "polynomial identities",
        )
    )
    h = plane.hessian(lifted["N"], [A, B])
    steps.append(
        _checked(
            lifted["trace"] == h[0][0] + h[1][1] and lifted["determinant"] == h[0][0] * h[1][1] - h[0][1] ** 2,
            "trace and determinant of the Hessian are polynomials in Q and U",
            "polynomial identities",
        )
    )
    return tuple(steps)


# --- one learning rate -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Orbit:
    """Stationary points that share (Q, U) = (numerator/denominator)(t), with t a real algebraic number."""

    t: RealAlgebraic
    q: tuple[fmpq_poly, fmpq_poly]
    u: tuple[fmpq_poly, fmpq_poly]
    kind: str | None = field(default=None, compare=False)

    def sign(self, polynomial: fmpq_mpoly) -> int:
        """The sign of a polynomial in Q and U (M and β already numbers) at this orbit."""
        (qn, qd), (un, ud) = self.q, self.u
        degree_q, degree_u = polynomial.degrees()[:2] if polynomial != 0 else (0, 0)
        numerator = fmpq_poly([0])
        for powers, c in polynomial.to_dict().items():
            i, j = int(powers[0]), int(powers[1])
            numerator += c * qn**i * qd ** (degree_q - i) * un**j * ud ** (degree_u - j)
        positive = self.t.sign_of(qd) ** degree_q * self.t.sign_of(ud) ** degree_u
        return self.t.sign_of(numerator) * positive

    def balls(self) -> tuple[arb, arb]:
        """Enclosures of Q and U."""
        with ctx.workprec(_PRECISION):
            t = self.t.enclosure(_PRECISION)
            return tuple(_horner(n, t) / _horner(d, t) for n, d in (self.q, self.u))

    def exprs(self) -> tuple[sympy.Expr, sympy.Expr]:
        """Q and U as sympy expressions."""
        t = self.t.as_sympy()
        return tuple(_horner_expr(n, t) / _horner_expr(d, t) for n, d in (self.q, self.u))


def _horner(polynomial: fmpq_poly, t: arb) -> arb:
    value = arb(0)
    for coefficient in reversed(polynomial.coeffs()):
        value = value * t + arb(coefficient)
    return value


def _horner_expr(polynomial: fmpq_poly, t: sympy.Expr) -> sympy.Expr:
    return sum((sympy.Rational(int(c.p), int(c.q)) * t**k for k, c in enumerate(polynomial.coeffs())), sympy.S.Zero)


def _univariate(polynomial: fmpq_mpoly, name: str) -> fmpq_poly:
    """A polynomial of the ring that contains this one symbol only, as an `fmpq_poly`."""
    position = _RING.names.index(name)
    coefficients = [fmpq(0)] * (max((int(p[position]) for p in polynomial.to_dict()), default=0) + 1)
    for powers, c in polynomial.to_dict().items():
        coefficients[int(powers[position])] += c
    return fmpq_poly(coefficients)


_ONE, _T = fmpq_poly([1]), fmpq_poly([0, 1])


def _sturm_count(polynomial: fmpq_poly, positive: bool) -> int:
    """The number of distinct real (or positive) roots by sympy's Sturm sequences: a second opinion on `real_roots`."""
    x = sympy.Symbol("x")
    poly = sympy.Poly([sympy.Rational(int(c.p), int(c.q)) for c in reversed(polynomial.coeffs())], x)
    return poly.count_roots(0, None) - (1 if poly.eval(0) == 0 else 0) if positive else poly.count_roots()


def _diagonal(sign: int) -> fmpq_mpoly:
    """½ d/dV of N(2V, ±V) as a polynomial in the symbol U (standing for V = A²)."""
    v = _RING.gen(_U)
    return _RING.substitute(_normal_form(), {_Q: 2 * v, _U: sign * v}).derivative("U") * fmpq(1, 2)


def _orbits(m: Fraction, beta: Fraction) -> tuple[list[tuple[str, _Orbit]], list[Step]]:
    """Every stationary orbit of N for rational M and β, each with the curve it lies on, and the certificate."""
    numbers = {_M: m, _BETA: beta}
    orbits = [("origin", _Orbit(RealAlgebraic((0, 1), 0), (fmpq_poly([0]), _ONE), (fmpq_poly([0]), _ONE)))]
    steps = []
    for sign, curve in ((1, "a = b"), (-1, "a = -b")):
        slope = _univariate(_RING.substitute(_diagonal(sign), numbers), "U")
        roots = [root for root, _ in real_roots(slope) if root.sign_of(_T) > 0]
        steps.append(
            _checked(
                len(roots) == _sturm_count(slope, positive=True),
                f"on {curve} ≠ 0 the stationary V = ρa² are the positive roots of a polynomial of degree {slope.degree()}",
                f"{len(roots)} by isolation and by Sturm's theorem",
            )
        )
        orbits += [(curve, _Orbit(root, (2 * _T, _ONE), (sign * _T, _ONE))) for root in roots]
    # N_Q = −2[(1 − Q) m₂ + U m₃] vanishes at Q = 1 + U m₃/m₂ alone, because m₂ = (U − M)² + β > 0
    m2 = _univariate(_RING.substitute(_moment(2), numbers), "U")
    m3 = _univariate(_RING.substitute(_moment(3), numbers), "U")
    q_numerator = m2 + _T * m3
    candidates = _Orbit(RealAlgebraic((0, 1), 0), (q_numerator, m2), (_T, _ONE))
    n_u = _RING.substitute(_derivatives()["U"], numbers)
    eliminated = fmpq_poly([0])
    for powers, c in n_u.to_dict().items():
        eliminated += c * q_numerator ** int(powers[0]) * m2 ** (2 - int(powers[0])) * _T ** int(powers[1])
    roots = [root for root, _ in real_roots(eliminated)]
    off = [_Orbit(root, candidates.q, candidates.u) for root in roots]
    q, u = _RING.gen(_Q), _RING.gen(_U)
    inside = [orbit for orbit in off if orbit.sign(q - 2 * u) > 0 and orbit.sign(q + 2 * u) > 0]
    steps.append(
        _checked(
            len(roots) == _sturm_count(eliminated, positive=False)
            and all(o.sign(_derivatives_at(numbers)["Q"]) == 0 for o in off),
            f"off the diagonals U is a real root of a polynomial of degree {eliminated.degree()}, Q = 1 + U·m₃/m₂ with "
            "m₂ = (U − M)² + β > 0, and real weights need Q > 2|U|",
            f"{len(roots)} real roots by isolation and by Sturm's theorem, {len(inside)} with Q > 2|U|",
        )
    )
    orbits += [("axis" if orbit.sign(u) == 0 else "off the axes and diagonals", orbit) for orbit in inside]
    return orbits, steps


def _derivatives_at(numbers: dict) -> dict[str, fmpq_mpoly]:
    return {name: _RING.substitute(polynomial, numbers) for name, polynomial in _derivatives().items()}


def _kind(trace_sign: int, determinant_sign: int) -> str:
    if determinant_sign == 0:
        return "degenerate"
    if determinant_sign < 0:
        return "saddle"
    return "minimum" if trace_sign > 0 else "maximum"


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
    if rate.sign_of(_T) <= 0:
        raise ValueError(f"alpha is {alpha}; a learning rate must be above 0")
    if network.depth == 1:
        return _shallow(rate, network)
    return _deep(rate, network)


def _shallow(rate: RealAlgebraic, network: LinearNetwork) -> Landscape:
    """L = κs²(1 − ρ)²((c − μ)² + τ²) + κv: one minimum, or at ρ = 1 nothing but minima."""
    alpha = rate.as_sympy()
    (c,) = network.weights
    maml = Maml(network)
    rho = network.effective_rate_factor * symbols.alpha
    shape = network.kappa * (network.s2 * (1 - rho) ** 2 * ((c - network.mu) ** 2 + network.tau2) + network.v)
    step = _checked(
        maml.ring.poly(sympy.expand(shape)) == maml.loss,
        "L = κs²(1 − ρ)²((c − μ)² + τ²) + κv with ρ = 2κα s², so L′ = 2κs²(1 − ρ)²(c − μ)",
        "polynomial identity",
    )
    factor = fmpq(int(network.effective_rate_factor.p), int(network.effective_rate_factor.q))
    flat = rate.sign_of(factor * _T - 1) == 0
    curvature = float(2 * network.kappa * network.s2 * (1 - rho.subs(symbols.alpha, alpha)) ** 2)
    loss = float(shape.subs({c: network.mu, symbols.alpha: alpha}))
    if flat:
        point = StationaryPoint(
            (c,), (None,), float(network.kappa * network.v), (0.0,), "degenerate", True, "every real c"
        )
        evidence = "ρ = 1 exactly: L is constant, every c is stationary, degenerate and a global minimum"
    else:
        point = StationaryPoint((network.mu,), (float(network.mu),), loss, (curvature,), "minimum", True, "c = μ")
        evidence = "ρ ≠ 1 exactly: L is a strictly convex parabola"
    return Landscape(network, alpha, (point,), (step, Step("the only case distinction is ρ = 1", evidence)))


def _deep(rate: RealAlgebraic, network: LinearNetwork) -> Landscape:
    alpha = rate.as_sympy()
    rho = network.effective_rate_factor * alpha
    m_expr, beta_expr = rho * network.mu, sympy.expand(rho**2 * network.tau2)
    if m_expr.is_Rational and beta_expr.is_Rational:
        numbers = {_M: exact_rational(m_expr), _BETA: exact_rational(beta_expr)}
        orbits, steps = _orbits(numbers[_M], numbers[_BETA])
        at = _derivatives_at(numbers)
        orbits = [
            (curve, _Orbit(o.t, o.q, o.u, _kind(o.sign(at["trace"]), o.sign(at["determinant"])))) for curve, o in orbits
        ]
        steps = [*_normal_form_steps(), *steps]
    elif network.mu == 0:
        orbits, steps = _orbits_by_theorem(RealAlgebraic.of(beta_expr))
    else:
        raise ValueError(
            f"alpha is {alpha}; with mu = {network.mu} ≠ 0 stationary points are offered for rational alpha"
        )
    points = [point for curve, orbit in orbits for point in _points(curve, orbit, rate, network, beta_expr)]
    return Landscape(network, alpha, tuple(points), tuple(steps))


def _points(
    curve: str, orbit: _Orbit, rate: RealAlgebraic, network: LinearNetwork, beta_expr: sympy.Expr
) -> list[StationaryPoint]:
    """The weights that share one (Q, U): up to four, by the symmetries (a, b) → (b, a) and (a, b) → (−a, −b)."""
    alpha = rate.as_sympy()
    rho = network.effective_rate_factor * alpha
    q, u = orbit.exprs()
    if curve == "origin":
        exact = [(sympy.S.Zero, sympy.S.Zero)]
    elif curve in ("a = b", "a = -b"):
        r, sign = sympy.sqrt(orbit.t.as_sympy() / rho), 1 if curve == "a = b" else -1
        exact = [(r, sign * r), (-r, -sign * r)]
    elif curve == "axis":
        r, zero = sympy.sqrt(q / rho), sympy.S.Zero
        exact = [(r, zero), (-r, zero), (zero, r), (zero, -r)]
    else:
        # A + B = ±√(Q + 2U), A − B = ±√(Q − 2U)
        plus, minus = sympy.sqrt((q + 2 * u) / rho), sympy.sqrt((q - 2 * u) / rho)
        big, small = (plus + minus) / 2, (plus - minus) / 2
        exact = [(big, small), (-big, -small), (small, big), (-small, -big)]
    with ctx.workprec(_PRECISION):
        ball_q, ball_u = orbit.balls()
        ball_rate = rate.enclosure(_PRECISION)
        ball_rho = ball_rate * _arb(network.effective_rate_factor)
        # AB = U and A² + B² = Q; numerically through A ± B
        plus, minus = ((_clip(ball_q + 2 * ball_u)).sqrt(), (_clip(ball_q - 2 * ball_u)).sqrt())
        m_ball, beta_ball = ball_rho * _arb(network.mu), ball_rho**2 * _arb(network.tau2)
        values = {
            name: _ball(p, ball_q, ball_u, m_ball, beta_ball)
            for name, p in _derivatives().items()
            if name in ("N", "trace", "determinant")
        }
        spread = _clip(values["trace"] ** 2 - 4 * values["determinant"]).sqrt()
        # the Hessian in (a, b) is that of N in (A, B) times κs²/ρ = 1/(2α)
        eigenvalues = tuple(float((values["trace"] + s * spread) / (4 * ball_rate)) for s in (-1, 1))
        kappa_s2 = _arb(network.kappa * network.s2)
        loss = float(_arb(network.kappa * network.v) + kappa_s2 * values["N"] / ball_rho**2)
        root_rho = ball_rho.sqrt()
        big, small = float((plus + minus) / 2 / root_rho), float((plus - minus) / 2 / root_rho)
    floats = {
        "origin": [(0.0, 0.0)],
        "a = b": [(big, big), (-big, -big)],
        "a = -b": [(big, -big), (-big, big)],
        "axis": [(big, 0.0), (-big, 0.0), (0.0, big), (0.0, -big)],
    }.get(curve, [(big, small), (-big, -small), (small, big), (-small, -big)])
    # N is an expected square; it is 0 just where E(1 − Q + U E) is 0 for almost every E, so where Q = 1 and U = 0
    is_global = q == 1 and u == 0
    return [
        StationaryPoint(tuple(map(sympy.sympify, point)), numbers, loss, eigenvalues, orbit.kind, is_global, curve)
        for point, numbers in zip(exact, floats, strict=True)
    ]


def _arb(value: sympy.Rational) -> arb:
    return arb(fmpq(int(value.p), int(value.q)))


def _clip(ball: arb) -> arb:
    """The ball's midpoint, or 0 where an exact 0 came out as a tiny negative number."""
    middle = ball.mid()
    return middle if middle > 0 else arb(0)


def _ball(polynomial: fmpq_mpoly, q: arb, u: arb, m: arb, beta: arb) -> arb:
    total = arb(0)
    for powers, c in polynomial.to_dict().items():
        i, j, k, n, _ = map(int, powers)
        total += arb(c) * q**i * u**j * m**k * beta**n
    return total


# --- every learning rate -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Theorem:
    """The landscape of the deep model's one-step MAML loss for every α > 0 when μ = 0, proved step by step.

    Attributes:
        statement: the theorem in words.
        steps: the proof, each step checked by computation when this object was made.
        critical_beta: the one value of β = (2κα s²)²τ² at which the picture changes.
        counts: number of stationary points by kind "below", "at" and "above" the critical rate.
    """

    statement: str
    steps: tuple[Step, ...]
    critical_beta: RealAlgebraic
    counts: dict[str, dict[str, int]]


def _coefficients_in(polynomial: fmpq_mpoly, name: str) -> list[fmpq_mpoly]:
    """Coefficients of the powers of one symbol, constant term first."""
    position = _RING.names.index(name)
    parts: dict[int, dict] = {}
    for powers, c in polynomial.to_dict().items():
        rest = list(powers)
        exponent, rest[position] = int(rest[position]), 0
        parts.setdefault(exponent, {})[tuple(rest)] = c
    return [_RING.context.from_dict(parts.get(k, {})) for k in range(max(parts, default=0) + 1)]


@cache
def theorem() -> Theorem:
    """Prove the landscape of the deep model's one-step loss for every α > 0, with μ = 0 and any τ², s², v.

    Raises:
        CertificateError: a step of the proof did not check.
    """
    centred = _derivatives_at({_M: 0})
    steps = list(_normal_form_steps())
    u, beta = _RING.gen(_U), _RING.gen(_BETA)

    # off the diagonals
    m2, m3 = (_RING.substitute(_moment(k), {_M: 0}) for k in (2, 3))
    steps.append(
        _checked(
            centred["Q"] == -2 * ((1 - _RING.gen(_Q)) * m2 + u * m3) and m2 == u**2 + beta,
            "N_Q = −2[(1 − Q)(U² + β) + U m₃], so N_Q = 0 gives Q = 1 + U m₃/(U² + β) with no division by 0",
            f"m₃ = {_RING.expr(m3)}",
        )
    )
    eliminated = centred["U"].resultant(centred["Q"], "Q")
    content, factors = eliminated.factor()
    rest = [(p, k) for p, k in factors if p != u]
    positive = all(c > 0 for p, _ in rest for c in p.coeffs()) and all(
        int(e) % 2 == 0 for p, _ in rest for powers in p.to_dict() for e in powers[1:2]
    )
    steps.append(
        _checked(
            positive and any(p == u for p, _ in factors) and content != 0,
            "eliminating Q from N_Q = N_U = 0 leaves U times polynomials in U² and β with positive coefficients alone, so U = 0, "
            "then Q = 1: the four points (±1/√ρ, 0), (0, ±1/√ρ), and no others off the diagonals",
            f"resultant = {content} · " + " · ".join(f"({_RING.expr(p)})^{k}" for p, k in factors),
        )
    )
    at_minimum = {name: _RING.substitute(p, {_Q: 1, _U: 0}) for name, p in centred.items()}
    steps.append(
        _checked(
            at_minimum["N"] == 0
            and at_minimum["trace"] == 8 * beta + 6 * beta**2
            and at_minimum["determinant"] == 48 * beta**3,
            "there N = 0, the least value of an expected square, and the Hessian in (A, B) has eigenvalues 8β and 6β²: four global "
            "minima, the only ones, since E(1 − Q + U E) = 0 almost surely means Q = 1, U = 0",
            "trace 8β + 6β², determinant 48β³",
        )
    )
    at_origin = {name: _RING.substitute(p, {_Q: 0, _U: 0}) for name, p in centred.items()}
    steps.append(
        _checked(
            at_origin["trace"] == -8 * beta and at_origin["determinant"] == 16 * beta**2,
            "the origin is stationary with Hessian −4β I in (A, B): a maximum",
            "trace −8β, determinant 16β²",
        )
    )

    # on the diagonals; V stands in the symbol U
    plus = _RING.substitute(_diagonal(1), {_M: 0})
    minus = _RING.substitute(_diagonal(-1), {_M: 0})
    p = plus
    steps.append(
        _checked(
            plus == minus,
            "with μ = 0 both diagonals carry the same points: each positive root V of p gives the four points (±√V, ±√V)",
            f"p = {_RING.expr(p)}",
        )
    )
    transverse = _RING.substitute(centred["Q"], {_Q: 2 * u})
    squares = -2 * (beta * (3 * (u - fmpq(1, 3)) ** 2 + fmpq(2, 3)) + u**2 * (1 - u) ** 2)
    steps.append(
        _checked(
            transverse == squares,
            "on a diagonal N_Q = −2[β(3(V − ⅓)² + ⅔) + V²(1 − V)²] < 0, so across it the curvature is negative: no diagonal "
            "point is a minimum, and the sign of p′ tells saddle (p′ > 0), maximum (p′ < 0) and degenerate (p′ = 0)",
            "sum of squares, identity checked",
        )
    )
    steps.append(_diagonal_eigenvalues())
    in_v = _coefficients_in(p, "U")
    steps.append(
        _checked(
            in_v[0] == -2 * beta and in_v[-1] == _RING.poly(3) and len(in_v) == 6,
            "p(0) = −2β < 0 and p has leading coefficient 3: no root reaches 0 or ∞ at any β > 0, and the roots counted with "
            "multiplicity are odd in number",
            f"degree {len(in_v) - 1}",
        )
    )
    discriminant = p.discriminant("U")
    critical = [root for root, _ in real_roots(_univariate(discriminant, "beta")) if root.sign_of(_T) > 0]
    sturm = _sturm_count(_univariate(discriminant, "beta"), positive=True)
    steps.append(
        _checked(
            len(critical) == 1 == sturm,
            "the discriminant of p in V vanishes at one β* > 0 only, so that the number of positive roots is constant on either side",
            f"disc = {sympy.factor(_RING.expr(discriminant))}; β* ≈ {float(critical[0]):.12g}",
        )
    )
    beta_star = critical[0]
    inside, outside = Fraction(1, 100), Fraction(1)
    for sample, side in ((inside, 1), (outside, -1)):
        if beta_star.compare(RealAlgebraic.of(sample)) != side:
            raise CertificateError(f"the sample {sample} lies on the wrong side of β*")
    along = {
        1: ["minimum"],
        3: ["minimum", "maximum", "minimum"],
    }  # p goes from − to +, and changes sign at each simple root
    diagonal = {}
    for name, sample in (("below", inside), ("above", outside)):
        at_sample = _univariate(_RING.substitute(p, {_BETA: sample}), "U")
        isolated = [root for root, _ in real_roots(at_sample) if root.sign_of(_T) > 0]
        count = len(isolated)
        steps.append(
            _checked(
                count == _sturm_count(at_sample, positive=True) and count in along,
                f"{name} β* the polynomial p has {count} positive root{'s' if count > 1 else ''}, simple as the discriminant is not 0; "
                f"along the diagonal they are in turn {', '.join(along[count])}",
                f"Sturm count and isolation at β = {sample}",
            )
        )
        # across the diagonal the curvature is negative
        diagonal[name] = [{"minimum": "saddle", "maximum": "maximum"}[kind] for kind in along[count]]
    double, simple = _critical_roots(beta_star)
    diagonal["at"] = ["degenerate", "saddle"]
    steps.append(
        _checked(
            len(diagonal["below"]) == 3 and len(diagonal["above"]) == 1,
            "two of the three roots can leave the positive axis only by colliding, at β*: there p has one double root, where p″ ≠ 0 "
            "(degenerate: the Hessian is singular), and one simple root (a saddle)",
            f"V ≈ {float(double):.12g} (double), V ≈ {float(simple):.12g} (simple); no other candidate of the elimination is a root",
        )
    )
    counts = {
        name: dict(Counter(["maximum"] + 4 * ["minimum"] + 4 * diagonal[name])) for name in ("below", "at", "above")
    }
    total = {name: sum(kinds.values()) for name, kinds in counts.items()}
    steps.append(
        _checked(
            all(
                counts[name]["minimum"] + counts[name]["maximum"] - counts[name]["saddle"] == 1
                for name in ("below", "above")
            ),
            "minima + maxima − saddles = 1 on either side, as the Poincaré–Hopf theorem asks of a surface that rises to infinity",
            ", ".join(f"{name} β*: {total[name]} points" for name in total),
        )
    )
    told = {
        name: f"{total[name]} ({', '.join(f'{n} {PLURAL[kind]}' for kind, n in Counter(4 * diagonal[name]).items())} on the diagonals)"
        for name in total
    }
    statement = (
        "For μ = 0 and every α > 0 the deep model's one-step MAML loss has exactly four minima, all global: (±1/√ρ, 0) and (0, ±1/√ρ), "
        "with ρ = 2κα s². The origin is a maximum. All other stationary points lie on the diagonals a = ±b. With β = ρ²τ² and the one "
        f"critical value β* ≈ {float(beta_star):.10g}, the stationary points number {told['below']} for β < β*, {told['at']} for β = β* "
        f"and {told['above']} for β > β*. With τ² = s² = 1 and κ = ½ that is at α* = √β* ≈ {float(beta_star) ** 0.5:.10g}."
    )
    return Theorem(statement, tuple(steps), beta_star, counts)


def _diagonal_eigenvalues() -> Step:
    """On B = A the two eigenvectors are along and across the diagonal; their eigenvalues where dN/dV = 0."""
    v = _RING.gen(_U)
    on = {name: _RING.substitute(poly, {_M: 0, _Q: 2 * v, _U: v}) for name, poly in _derivatives().items()}
    slope = 2 * on["Q"] + on["U"]  # dN/dV by the chain rule
    across, along = 4 * on["Q"], 2 * v * slope.derivative("U")
    rests = (on["trace"] - across - along, on["determinant"] - across * along)
    return _checked(
        slope == 2 * _RING.substitute(_diagonal(1), {_M: 0}) and all(divmod(rest, slope)[1] == 0 for rest in rests),
        "where dN/dV = 0 the Hessian's eigenvalues in (A, B) are 4N_Q across the diagonal and 2V·d²N/dV² = 4V·p′ along it",
        "trace and determinant agree modulo dN/dV",
    )


def _critical_roots(beta_star: RealAlgebraic) -> tuple[RealAlgebraic, RealAlgebraic]:
    """The double and the simple positive root V of p at β*, exactly."""
    p = _RING.substitute(_diagonal(1), {_M: 0})
    distinct = _roots_at(p, beta_star)
    # a multiple root is a common root of p and p′, so a root of their resultant in β
    multiple = p.resultant(p.derivative("U"), "beta")
    shared = [root for root in distinct if root.sign_of(_univariate(multiple, "U")) == 0]
    if len(distinct) != 2 or len(shared) != 1:
        raise CertificateError(f"at β* p has {len(distinct)} positive roots, {len(shared)} of them possibly multiple")
    (double,) = shared
    (simple,) = (root for root in distinct if root != double)
    second = _separated(p.derivative("U").derivative("U"), double, beta_star)
    slope = _separated(p.derivative("U"), simple, beta_star)
    if second == 0 or slope <= 0:
        raise CertificateError("at β* the multiple root is not exactly double, or the simple root is no saddle")
    return double, simple


def _roots_at(p: fmpq_mpoly, beta: RealAlgebraic) -> list[RealAlgebraic]:
    """Positive V that may be roots of p(·, β): the candidates of Res_β(minimal polynomial of β, p) at which p may vanish.

    Every true root is among them. Candidates at which p is proved non-zero are dropped, at rising precision, until as many are
    left as there are roots; the callers know that number.
    """
    minimal = _RING.context.from_dict({(0, 0, 0, k, 0): fmpq(c) for k, c in enumerate(beta.minimal) if c})
    candidates = [
        root for root, _ in real_roots(_univariate(minimal.resultant(p, "beta"), "U")) if root.sign_of(_T) > 0
    ]
    return [root for root in candidates if _separated(p, root, beta, precision=1024) == 0]


def _separated(p: fmpq_mpoly, v: RealAlgebraic, beta: RealAlgebraic, precision: int = 1024) -> int:
    """The sign of p(V, β) if `precision` bits prove it, else 0."""
    with ctx.workprec(precision):
        value = _ball(p, arb(0), v.enclosure(precision), arb(0), beta.enclosure(precision))
    return 1 if value > 0 else -1 if value < 0 else 0


def _orbits_by_theorem(beta: RealAlgebraic) -> tuple[list[tuple[str, _Orbit]], list[Step]]:
    """The orbits for μ = 0 and an irrational β: the theorem says how many, elimination says where."""
    proved = theorem()
    side = beta.compare(proved.critical_beta)
    p = _RING.substitute(_diagonal(1), {_M: 0})
    if side == 0:
        double, simple = _critical_roots(beta)
        kinds = {double: "degenerate", simple: "saddle"}
    else:
        roots = _roots_at(p, beta)
        expected = ["saddle", "maximum", "saddle"] if side < 0 else ["saddle"]
        if len(roots) != len(expected):
            raise CertificateError(f"{len(roots)} diagonal candidates are left where the theorem has {len(expected)}")
        kinds = dict(zip(roots, expected, strict=True))
    where = {-1: "below", 0: "at", 1: "above"}[side]
    zero, one = fmpq_poly([0]), RealAlgebraic((-1, 1), 0)
    orbits = [("origin", _Orbit(RealAlgebraic((0, 1), 0), (zero, _ONE), (zero, _ONE), "maximum"))]
    for root, kind in kinds.items():
        for sign, curve in ((1, "a = b"), (-1, "a = -b")):
            orbits.append((curve, _Orbit(root, (2 * _T, _ONE), (sign * _T, _ONE), kind)))
    orbits.append(("axis", _Orbit(one, (_ONE, _ONE), (zero, _ONE), "minimum")))
    step = Step(
        f"β = (2κα s²τ)² lies {where} β*, so the theorem for every rate gives {sum(proved.counts[where].values())} points",
        "exact comparison of algebraic numbers; the diagonal points are roots of Res_β(minimal polynomial of β, p)",
    )
    return orbits, [*proved.steps, step]


def critical_learning_rate(network: LinearNetwork | None = None) -> sympy.Expr:
    """The one learning rate at which the deep model's landscape changes (μ = 0): √β*/(2κ s² τ), about 0.26746 by default.

    Raises:
        ValueError: μ ≠ 0, or a network that is not deep (depth 2).
    """
    network = LinearNetwork(2) if network is None else network
    if network.depth != 2 or network.mu != 0:
        raise ValueError(
            f"the critical rate is known for depth 2 and mu = 0; given depth {network.depth}, mu {network.mu}"
        )
    return sympy.sqrt(theorem().critical_beta.as_sympy() / network.tau2) / network.effective_rate_factor
