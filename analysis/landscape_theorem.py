"""The deep model's landscape for every learning rate at once: how many stationary points, where, of what kind; proved.

With μ = 0 the normal form has the one parameter β = (ρτ)² > 0, and the proof is one about polynomials in V, U and β.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import sympy
from flint import ctx, fmpq, fmpq_mpoly

from .certificate import CertificateError, Step, checked
from .linear_network import LinearNetwork
from .normal_form import BETA, RING, M, Q, U, V, derivatives, diagonal_slope, enclose, moment, reduction, univariate
from .real_algebraic import IDENTITY, RealAlgebraic, real_roots, sturm_count

__all__ = ["PLURAL", "Theorem", "critical_learning_rate", "diagonal_points", "theorem"]

PLURAL = {"minimum": "minima", "maximum": "maxima", "saddle": "saddles", "degenerate": "degenerate points"}

# one β on either side of the critical one, which the proof confirms
_BELOW, _ABOVE = Fraction(1, 100), Fraction(1)
# p goes from − to + at its first root and changes sign at each simple one; across the diagonal the curvature is negative
_KINDS = {1: ("saddle",), 3: ("saddle", "maximum", "saddle")}
_ALONG = {"saddle": "minimum", "maximum": "maximum"}


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


@cache
def theorem() -> Theorem:
    """Prove the landscape of the deep model's one-step loss for every α > 0, with μ = 0 and any τ², s², v.

    Raises:
        CertificateError: a step of the proof did not check.
    """
    p = _diagonal_polynomial()
    steps = [*reduction(), *_off_the_diagonals(), *_on_the_diagonals(p)]
    beta_star, step = _critical_beta(p)
    steps.append(step)
    diagonal = {}
    for side, sample in (("below", _BELOW), ("above", _ABOVE)):
        diagonal[side], step = _one_side(p, side, sample)
        steps.append(step)
    if len(diagonal["below"]) != 3 or len(diagonal["above"]) != 1:
        raise CertificateError("the number of diagonal points does not fall from three to one at β*")
    double, simple = _critical_roots(p, beta_star)
    diagonal["at"] = ("degenerate", "saddle")
    steps.append(
        Step(
            "two of the three roots can leave the positive axis only by colliding, at β*: there p has one double root, where p″ ≠ 0 "
            "(degenerate: the Hessian is singular), and one simple root with p′ > 0 (a saddle)",
            f"V ≈ {float(double):.12g} (double), V ≈ {float(simple):.12g} (simple); no other candidate of the elimination is a root",
        )
    )
    counts = {
        side: dict(Counter(["maximum", *4 * ("minimum",), *4 * diagonal[side]])) for side in ("below", "at", "above")
    }
    total = {side: sum(kinds.values()) for side, kinds in counts.items()}
    steps.append(
        checked(
            all(counts[s]["minimum"] + counts[s]["maximum"] - counts[s]["saddle"] == 1 for s in ("below", "above")),
            "minima + maxima − saddles = 1 on either side, as the Poincaré–Hopf theorem asks of a surface that rises to infinity",
            ", ".join(f"{side} β*: {number} points" for side, number in total.items()),
        )
    )
    return Theorem(_statement(beta_star, diagonal, total), tuple(steps), beta_star, counts)


def _statement(beta_star: RealAlgebraic, diagonal: dict[str, tuple[str, ...]], total: dict[str, int]) -> str:
    def told(side: str) -> str:
        kinds = Counter(4 * diagonal[side])
        return f"{total[side]} (on the diagonals {' and '.join(f'{n} {PLURAL[kind]}' for kind, n in kinds.items())})"

    return (
        "For μ = 0 and every α > 0 the deep model's one-step MAML loss has exactly four minima, all global: (±1/√ρ, 0) and "
        "(0, ±1/√ρ), with ρ = 2κα s². The origin is a maximum. All other stationary points lie on the diagonals a = ±b. With "
        f"β = ρ²τ² and the one critical value β* ≈ {float(beta_star):.10g}, the stationary points number {told('below')} for "
        f"β < β*, {told('at')} for β = β* and {told('above')} for β > β*. With τ² = s² = 1 and κ = ½ that is at "
        f"α* = √β* ≈ {float(beta_star) ** 0.5:.10g}."
    )


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
    if network.tau2 == 0:
        raise ValueError("tau2 is 0; the critical rate needs a positive variance of the task parameter")
    return sympy.sqrt(theorem().critical_beta.as_sympy() / network.tau2) / network.curvature


def diagonal_points(beta: RealAlgebraic) -> tuple[str, tuple[tuple[RealAlgebraic, str], ...]]:
    """For μ = 0 and one β > 0: on which side of β* it lies, and the diagonal points as (V, kind), V = ρa² ascending.

    Raises:
        CertificateError: elimination leaves another number of points than the theorem.
    """
    proved, p = theorem(), _diagonal_polynomial()
    order = beta.compare(proved.critical_beta)
    if order == 0:
        double, simple = _critical_roots(p, beta)
        return "at", ((double, "degenerate"), (simple, "saddle"))
    kinds = _KINDS[3 if order < 0 else 1]
    roots = _roots_at(p, beta)
    if len(roots) != len(kinds):
        raise CertificateError(f"{len(roots)} diagonal candidates are left where the theorem has {len(kinds)}")
    return "below" if order < 0 else "above", tuple(zip(roots, kinds, strict=True))


# --- the proof's parts -------------------------------------------------------------------------------------------------


def _diagonal_polynomial() -> fmpq_mpoly:
    """p(V, β) = ½ dN/dV on the diagonals for μ = 0."""
    return RING.substitute(diagonal_slope(1), {M: 0})


def _off_the_diagonals() -> list[Step]:
    centred = derivatives({M: 0})
    u, beta = RING.gen(U), RING.gen(BETA)
    m2, m3 = (RING.substitute(moment(k), {M: 0}) for k in (2, 3))
    factors = centred["U"].resultant(centred["Q"], "Q").factor()
    others = [p for p, _ in factors[1] if p != u]
    even_in_u = all(int(powers[0]) == 0 and int(powers[1]) % 2 == 0 for p in others for powers in p.to_dict())
    at_minimum = derivatives({M: 0, Q: 1, U: 0})
    at_origin = derivatives({M: 0, Q: 0, U: 0})
    return [
        checked(
            centred["Q"] == -2 * ((1 - RING.gen(Q)) * m2 + u * m3) and m2 == u**2 + beta,
            "N_Q = −2[(1 − Q)(U² + β) + U m₃], so N_Q = 0 gives Q = 1 + U m₃/(U² + β) with no division by 0",
            f"m₃ = {RING.expr(m3)}",
        ),
        checked(
            even_in_u and all(c > 0 for p in others for c in p.coeffs()) and len(others) < len(factors[1]),
            "eliminating Q from N_Q = N_U = 0 leaves U times polynomials in U² and β with positive coefficients alone, so U = 0, "
            "then Q = 1: the four points (±1/√ρ, 0), (0, ±1/√ρ), and no others off the diagonals",
            f"resultant = {factors[0]} · " + " · ".join(f"({RING.expr(p)})^{k}" for p, k in factors[1]),
        ),
        checked(
            at_minimum["N"] == 0
            and at_minimum["trace"] == 8 * beta + 6 * beta**2
            and at_minimum["determinant"] == 48 * beta**3,
            "there N = 0, the least value of an expected square, and the Hessian in (A, B) has eigenvalues 8β and 6β²: four "
            "global minima, the only ones, since E(1 − Q + U E) = 0 almost surely means Q = 1, U = 0",
            f"trace {RING.expr(at_minimum['trace'])}, determinant {RING.expr(at_minimum['determinant'])}",
        ),
        checked(
            at_origin["trace"] == -8 * beta and at_origin["determinant"] == 16 * beta**2,
            "the origin is stationary with Hessian −4β I in (A, B): a maximum",
            f"trace {RING.expr(at_origin['trace'])}, determinant {RING.expr(at_origin['determinant'])}",
        ),
    ]


def _on_the_diagonals(p: fmpq_mpoly) -> list[Step]:
    v, beta = RING.gen(V), RING.gen(BETA)
    on = derivatives({M: 0, Q: 2 * V, U: V})
    squares = -2 * (beta * (3 * (v - fmpq(1, 3)) ** 2 + fmpq(2, 3)) + v**2 * (1 - v) ** 2)
    slope = 2 * on["Q"] + on["U"]  # dN/dV by the chain rule
    across, along = 4 * on["Q"], 2 * v * slope.derivative("V")
    rests = (on["trace"] - across - along, on["determinant"] - across * along)
    degree = int(p.degrees()[RING.names.index("V")])
    leading = p
    for power in range(degree, 0, -1):
        leading = leading.derivative("V") * fmpq(1, power)
    return [
        checked(
            p == RING.substitute(diagonal_slope(-1), {M: 0}),
            "with μ = 0 both diagonals carry the same points: each positive root V of p gives the four points (±√V, ±√V)",
            f"p = {RING.expr(p)}",
        ),
        checked(
            slope == 2 * p and all(divmod(rest, slope)[1] == 0 for rest in rests),
            "where p = 0 the Hessian's eigenvalues in (A, B) are 4N_Q across the diagonal and 4V·p′ along it",
            "trace and determinant agree modulo p",
        ),
        checked(
            on["Q"] == squares,
            "on a diagonal N_Q = −2[β(3(V − ⅓)² + ⅔) + V²(1 − V)²] < 0, so across it the curvature is negative: no diagonal "
            "point is a minimum, and the sign of p′ tells saddle (p′ > 0), maximum (p′ < 0) and degenerate (p′ = 0)",
            "sum of squares, identity checked",
        ),
        checked(
            RING.substitute(p, {V: 0}) == -2 * beta and leading == 3,
            "p(0) = −2β < 0 and p has leading coefficient 3: no root reaches 0 or ∞ at any β > 0, and the positive roots counted "
            "with multiplicity are odd in number",
            f"degree {degree} in V",
        ),
    ]


def _critical_beta(p: fmpq_mpoly) -> tuple[RealAlgebraic, Step]:
    discriminant = p.discriminant("V")
    in_beta = univariate(discriminant, BETA)
    critical = [root for root, _ in real_roots(in_beta) if root.sign_of(IDENTITY) > 0]
    step = checked(
        len(critical) == 1 == sturm_count(in_beta, positive=True),
        "the discriminant of p in V vanishes at one β* > 0 only, so that the number of positive roots is constant on either side",
        f"disc = {sympy.factor(RING.expr(discriminant))}; β* ≈ {', '.join(f'{float(root):.12g}' for root in critical)}",
    )
    (beta_star,) = critical
    if not (RealAlgebraic.of(_BELOW).compare(beta_star) < 0 < RealAlgebraic.of(_ABOVE).compare(beta_star)):
        raise CertificateError(f"the samples {_BELOW} and {_ABOVE} do not lie on either side of β*")
    return beta_star, step


def _one_side(p: fmpq_mpoly, side: str, sample: Fraction) -> tuple[tuple[str, ...], Step]:
    at_sample = univariate(RING.substitute(p, {BETA: sample}), V)
    count = len([root for root, _ in real_roots(at_sample) if root.sign_of(IDENTITY) > 0])
    step = checked(
        count in _KINDS and count == sturm_count(at_sample, positive=True),
        f"{side} β* the polynomial p has {count} positive root{'s' if count > 1 else ''}, simple as the discriminant is not 0; along "
        f"the diagonal they are in turn {', '.join(_ALONG[kind] for kind in _KINDS.get(count, ()))}",
        f"Sturm count and isolation at β = {sample}",
    )
    return _KINDS[count], step


def _critical_roots(p: fmpq_mpoly, beta_star: RealAlgebraic) -> tuple[RealAlgebraic, RealAlgebraic]:
    """The double and the simple positive root V of p at β*, exactly."""
    candidates = _roots_at(p, beta_star)
    # a multiple root is a common root of p and p′, so a root of their resultant in β
    common = univariate(p.resultant(p.derivative("V"), "beta"), V)
    shared = [root for root in candidates if root.sign_of(common) == 0]
    if len(candidates) != 2 or len(shared) != 1:
        raise CertificateError(f"at β* p has {len(candidates)} positive roots, {len(shared)} of them possibly multiple")
    (double,) = shared
    (simple,) = (root for root in candidates if root != double)
    if (
        _sign(p.derivative("V").derivative("V"), double, beta_star) == 0
        or _sign(p.derivative("V"), simple, beta_star) <= 0
    ):
        raise CertificateError("at β* the multiple root is not exactly double, or the simple root is no saddle")
    return double, simple


def _roots_at(p: fmpq_mpoly, beta: RealAlgebraic) -> list[RealAlgebraic]:
    """Positive V that may be roots of p(·, β): the candidates of Res_β(minimal polynomial of β, p) at which p may vanish.

    Every true root is among them, and candidates at which p is proved non-zero are dropped. The callers know how many roots
    there are, which makes the list exact.
    """
    minimal = sum((c * RING.gen(BETA) ** k for k, c in enumerate(beta.minimal)), RING.poly(0))
    eliminated = univariate(minimal.resultant(p, "beta"), V)
    candidates = [root for root, _ in real_roots(eliminated) if root.sign_of(IDENTITY) > 0]
    return [root for root in candidates if _sign(p, root, beta) == 0]


def _sign(p: fmpq_mpoly, v: RealAlgebraic, beta: RealAlgebraic, precision: int = 1024) -> int:
    """The sign of p(V, β) if `precision` bits prove it, else 0."""
    with ctx.workprec(precision):
        value = enclose(p, V=v.enclosure(precision), beta=beta.enclosure(precision))
    return 1 if value > 0 else -1 if value < 0 else 0
