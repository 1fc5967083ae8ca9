"""The deep model's one-step MAML loss in normal form: two variables and two parameters instead of seven.

The loss depends on the weights through q = a² + b² and u = ab alone. With the effective rate ρ = 2κα s² and
(A, B) = √ρ (a, b), Q = A² + B² = ρq, U = AB = ρu, M = ρμ and β = ρ²τ² it is

    L = κv + (κs²/ρ²) N(Q, U),    N = E[E² (1 − Q + U E)²],    E ~ N(U − M, β).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import sympy
from flint import arb, fmpq, fmpq_mpoly, fmpq_poly

from . import symbols
from .certificate import Step, checked
from .gaussian import expectation
from .linear_network import LinearNetwork
from .maml import Maml
from .polynomial import Ring

__all__ = [
    "BETA",
    "RING",
    "M",
    "Q",
    "U",
    "V",
    "derivatives",
    "diagonal_slope",
    "enclose",
    "moment",
    "normal_form",
    "reduction",
    "univariate",
]

Q, U, V, M, BETA, _E = sympy.symbols("Q U V M beta E", real=True)
RING = Ring([Q, U, V, M, BETA, _E])


@cache
def moment(order: int) -> fmpq_mpoly:
    """E[Eᵏ] for E ~ N(U − M, β)."""
    return expectation(RING, RING.gen(_E) ** order, {_E: U - M}, {(_E, _E): BETA})


@cache
def normal_form() -> fmpq_mpoly:
    """N(Q, U; M, β)."""
    q, u, e = (RING.gen(symbol) for symbol in (Q, U, _E))
    return expectation(RING, e**2 * (1 - q + u * e) ** 2, {_E: U - M}, {(_E, _E): BETA})


@cache
def _derivatives() -> dict[str, fmpq_mpoly]:
    n = normal_form()
    n_q, n_u = n.derivative("Q"), n.derivative("U")
    qq, qu, uu = n_q.derivative("Q"), n_q.derivative("U"), n_u.derivative("U")
    q, u = RING.gen(Q), RING.gen(U)
    common = 2 * n_q + 4 * u * qu  # N_AA = common + 4A² qq + B² uu, N_BB the same with A and B exchanged
    mixed = n_u + 4 * u * qq + 2 * q * qu + u * uu
    trace = 2 * common + q * (4 * qq + uu)
    # (4A² qq + B² uu)(4B² qq + A² uu) = U²(16 qq² + uu²) + 4 qq uu (Q² − 2U²)
    product = common**2 + common * q * (4 * qq + uu) + u**2 * (16 * qq**2 + uu**2) + 4 * qq * uu * (q**2 - 2 * u**2)
    return {"N": n, "Q": n_q, "U": n_u, "trace": trace, "determinant": product - mixed**2}


def derivatives(at: Mapping[sympy.Symbol, object] | None = None) -> dict[str, fmpq_mpoly]:
    """N, its derivatives N_Q and N_U, and trace and determinant of its Hessian in (A, B): polynomials in (Q, U).

    By the chain rule N_A = 2A N_Q + B N_U; what remains of A and B is symmetric, so Q and U say it all. `reduction` checks
    this against the Hessian in (A, B).

    Args:
        at: values to put in for some of Q, U, M, β.
    """
    return {name: RING.substitute(polynomial, at) if at else polynomial for name, polynomial in _derivatives().items()}


def diagonal_slope(sign: int) -> fmpq_mpoly:
    """½ d/dV of N on the diagonal B = ±A, where Q = 2V and U = ±V with V = A²."""
    return RING.substitute(normal_form(), {Q: 2 * V, U: sign * V}).derivative("V") * fmpq(1, 2)


@cache
def reduction() -> tuple[Step, ...]:
    """The steps from the loss that `maml` derives from the set-up to N, checked as polynomial identities."""
    return _rescaling(), *_chain_rule()


def _rescaling() -> Step:
    mu, tau2, s2, v = symbols.mu, symbols.tau2, symbols.s2, symbols.v
    holds = True
    for half in (True, False):
        network = LinearNetwork(2, mu=mu, tau2=tau2, s2=s2, v=v, half=half)
        maml, (a, b) = Maml(network), network.weights
        ring = Ring([a, b, symbols.alpha, mu, tau2, s2, v, *RING.symbols])
        rho = network.curvature * symbols.alpha
        values = {Q: rho * (a**2 + b**2), U: rho * a * b, M: rho * mu, BETA: rho**2 * tau2}
        # (L − κv) ρ²/(κs²) = N, and ρ²/(κs²) = 4κα²s²
        excess = ring.poly(maml.loss) - ring.poly(network.kappa * v)
        scaled = excess * ring.poly(4 * network.kappa * symbols.alpha**2 * s2)
        holds &= scaled == ring.substitute(ring.poly(normal_form()), values)
    return checked(
        holds,
        "L = κv + (κs²/ρ²)·N(ρ(a² + b²), ρab; ρμ, ρ²τ²) with ρ = 2κα s²",
        f"both sides agree in all {len(scaled)} coefficients, with α, μ, τ², s², v symbolic, for κ = ½ and κ = 1",
    )


def _chain_rule() -> tuple[Step, Step]:
    first, second = sympy.symbols("A B", real=True)
    plane = Ring([first, second, *RING.symbols])
    in_plane = {Q: first**2 + second**2, U: first * second}
    lifted = {name: plane.substitute(plane.poly(p), in_plane) for name, p in derivatives().items()}
    a, b = plane.gen(first), plane.gen(second)
    n_a, n_b = plane.gradient(lifted["N"], [first, second])
    hessian = plane.hessian(lifted["N"], [first, second])
    return (
        checked(
            n_a == 2 * a * lifted["Q"] + b * lifted["U"] and n_b == 2 * b * lifted["Q"] + a * lifted["U"],
            "N_A = 2A·N_Q + B·N_U and N_B = 2B·N_Q + A·N_U: the origin is stationary; on B = ±A ≠ 0 a point is stationary just where "
            "2N_Q ± N_U = 0, which is dN/dV for N restricted to that diagonal; elsewhere, as the determinant 2(A² − B²) of this "
            "system is not 0, just where N_Q = N_U = 0",
            "polynomial identities",
        ),
        checked(
            lifted["trace"] == hessian[0][0] + hessian[1][1]
            and lifted["determinant"] == hessian[0][0] * hessian[1][1] - hessian[0][1] ** 2,
            "trace and determinant of the Hessian in (A, B) are polynomials in Q and U",
            "polynomial identities",
        ),
    )


def univariate(polynomial: fmpq_mpoly, symbol: sympy.Symbol) -> fmpq_poly:
    """A polynomial of `RING` that contains this one symbol only, as an `fmpq_poly`."""
    position = RING.names.index(symbol.name)
    terms = {int(powers[position]): c for powers, c in polynomial.to_dict().items()}
    return fmpq_poly([terms.get(power, fmpq(0)) for power in range(max(terms, default=0) + 1)])


def enclose(polynomial: fmpq_mpoly, **balls: arb) -> arb:
    """A ball that contains the value of a polynomial of `RING` at values in these balls, by symbol; the others are 0."""
    values = [balls.get(name, arb(0)) for name in RING.names]
    total = arb(0)
    for powers, c in polynomial.to_dict().items():
        term = arb(c)
        for value, power in zip(values, powers, strict=True):
            term *= value ** int(power)
        total += term
    return total
