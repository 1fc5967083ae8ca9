"""The stationary points of the joint density in σ: eqs. (10), (14) to (18) of the toy (Appendix B.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sympy
import torch

from analysis import HierarchicalNormal, joint_map_stationary_points
from analysis.hierarchical_normal import collapse_probability, means_covariance, spread_law
from analysis.joint_map import joint_map_polynomial, joint_map_profile, joint_map_roots

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER
from .setup import WHOLE, N, S, T, phi_true, s, true2

R = sympy.Rational


def sign_of_the_slope() -> None:
    """The proof behind the cases, for every S and N; raises if it fails.

    With r = 1/N, left root a and right root b: the slope of ℓ_MAP in σ² has the sign of −(σ² − a)(σ² − b) where S > 4r, and of
    −((σ² − r)² + (4r − S) σ²) always.
    """
    a, r = sympy.symbols("_a _r", positive=True)
    slope = joint_map_profile(s, S, T, r).diff(s)
    factor = -T / (2 * s * (s + r) ** 2)
    below = slope - factor * ((s - r) ** 2 + (4 * r - S) * s)
    above = slope.subs(S, (a + r) ** 2 / a) - factor * (s - a) * (s - r**2 / a)
    if sympy.simplify(below) != 0 or sympy.simplify(above) != 0:
        raise ArithmeticError("the slope of ℓ_MAP does not factor as expected")


def _limits(sign: int) -> sympy.Expr:
    """The stationary points of (10) and (18), as printed."""
    return (true2 - 1 / N + sign * sympy.sqrt((true2 + 1 / N) * (true2 - 3 / N))) / 2


@cache
def _root_witness(spread: float, n: float) -> list[float]:
    slopes = witness.profile_slopes(witness.points_with_spread(spread, int(n)))
    log_r = -float(torch.log(witness.tensor(n)))
    ends = (witness.zero_between(slopes, log_r - 9, log_r), witness.zero_between(slopes, log_r, log_r + 9))
    return [float(witness.tensor(u).exp()) for u in ends]


def _limit_claim(printed: list[sympy.Expr], control: list[sympy.Expr], note: str = "") -> Formula:
    derived = joint_map_roots(means_covariance(true2, N, 1)[0, 0], 1 / N)  # S → Var x̄_t
    return Formula(
        printed=printed,
        derived=[sympy.expand(root) for root in derived],
        control=control,
        witness=lambda N, sigma_true2: _root_witness(sigma_true2 + 1 / N, N),
        domain={**WHOLE, "sigma_true2": (1.7, 4.0)},
        note=note,
    )


@PAPER.claim(
    "eq10",
    "(10)",
    "T → ∞: boundary and limit ½(σ_True² − 1/N ∓ √((σ_True²+1/N)(σ_True²−3/N)))",
    assumptions=("σ_True² > 3/N",),
    uses=("eq17",),
)
def eq10() -> Formula:
    example = _limits(1).subs({true2: 4, N: 1})
    return _limit_claim(
        [_limits(-1), _limits(1)],
        [_limits(1), _limits(-1)],
        f"The limit is below σ_True²; at σ_True² = 4, N = 1 it is {example}. Where it does not collapse, the joint MAP is not consistent",
    )


@PAPER.claim("eq14", "(14)", "σ̂⁴ + (2/N − S) σ̂² + 1/N² = 0", uses=("eq13",))
def eq14() -> Formula:
    """The left-hand side; (13) times a positive factor, once its solution σ̂ = 0 is divided out."""
    from_13 = sympy.numer(sympy.together(s - S / (1 + 1 / (N * s)) ** 2))
    quotient = sympy.Poly(sympy.cancel(from_13 / s), s).monic().as_expr()
    if sympy.expand(quotient - joint_map_polynomial(s, S, 1 / N)) != 0:
        raise ArithmeticError("(13) and the profile of ℓ_MAP give different equations")

    def numerically(N: float, S: float, sigma2: float) -> float:
        slopes = witness.profile_slopes(witness.points_with_spread(S, int(N)))
        return -float(slopes(witness.tensor([sigma2]).log())) * (sigma2 + 1 / N) ** 2  # two tasks

    return Formula(
        printed=s**2 + (2 / N - S) * s + 1 / N**2,
        derived=quotient,
        control=s**2 + (1 / N - S) * s + 1 / N**2,
        witness=numerically,
        domain=WHOLE,
        note="(13) as it stands is also solved by σ̂ = 0, to which ascent may collapse",
    )


@PAPER.claim("eq14-law", "(14)", "S ~ ((σ_True² + 1/N)/T) χ²_{T−1}")
def eq14_law() -> Proposition:
    def check(lost: int) -> Finding:
        """T S over the variance of x̄_t is zᵀPz for a standard normal z: χ² with rank P degrees, P being a projection."""
        scale, degrees = spread_law(T, true2, N)
        for tasks in (2, 3, 5):
            z = sympy.symbols(f"z1:{tasks + 1}", real=True)
            model = HierarchicalNormal([phi_true + sympy.sqrt(true2 + 1 / N) * value for value in z], 1)
            form = sympy.hessian(sympy.expand(model.spread / scale.subs(T, tasks)), z) / 2
            form = form.applyfunc(sympy.simplify)
            if form * form != form or form.rank() != degrees.subs(T, tasks):
                raise ArithmeticError("T S is no χ² variable with the degrees of freedom expected")
        if sympy.simplify(degrees - (T - lost)) != 0:
            return Finding(False, f"the degrees of freedom are {degrees}")
        return Finding(True, f"T S/(σ_True² + 1/N) is zᵀPz with P a projection of rank {degrees}")

    def numerically(lost: int) -> Finding:
        for tasks in (2, 3, 6):

            def scaled(z: torch.Tensor, tasks: int = tasks) -> torch.Tensor:
                means = 0.3 + (0.7 + 1 / 2) ** 0.5 * z
                return tasks * means.var(correction=0) / (0.7 + 1 / 2)

            form = torch.func.hessian(scaled)(torch.ones(tasks, dtype=torch.float64)) / 2
            found = torch.linalg.eigvalsh(form)
            wanted = torch.cat([torch.zeros(lost), torch.ones(tasks - lost)]).to(found)
            if not torch.allclose(found, wanted, atol=1e-12):
                return Finding(False, f"T = {tasks}: eigenvalues {[round(v, 6) for v in found.tolist()]}")
        return Finding(True, "eigenvalues of the quadratic form by autograd at T = 2, 3, 6: one 0, the others 1")

    return Proposition(check, stated={"lost": 1}, control={"lost": 0}, witness=numerically)


@PAPER.claim("eq15", "(15)", "positive roots of (14) exist iff S ≥ 4/N", uses=("eq14",))
def eq15() -> Proposition:
    multiples = [R(v) for v in ("0", "1", "3", "7/2", "399/100", "4", "401/100", "9/2", "60")]

    def check(factor: sympy.Expr) -> Finding:
        sign_of_the_slope()
        for n in (1, 2, 5):
            for multiple in multiples:
                points = joint_map_stationary_points(multiple / n, n)
                if bool(points) != (multiple >= factor):
                    return Finding(
                        False,
                        f"at S = {multiple}/{n}, N = {n} the positive roots are {[str(p.sigma2) for p in points]}",
                    )
        return Finding(
            True, "(14) is (σ̂² − 1/N)² + (4/N − S) σ̂²: positive for S < 4/N, and at σ̂² = 1/N not positive for S ≥ 4/N"
        )

    def numerically(factor: sympy.Expr) -> Finding:
        grid = torch.linspace(-6, 6, 2401, dtype=torch.float64)  # 0 is log 1/N
        for multiple in multiples:
            slopes = witness.profile_slopes(witness.points_with_spread(float(multiple)))(grid)
            if bool(slopes.max() > -1e-12) != bool(multiple >= factor):
                return Finding(
                    False, f"at S = {multiple}, N = 1 the slope of ℓ_MAP is at most {float(slopes.max()):.1e}"
                )
        return Finding(True, "the slope of ℓ_MAP by autograd reaches 0 just then")

    return Proposition(
        check,
        stated={"factor": R(4)},
        control={"factor": R(3)},
        witness=numerically,
        note="At S = 4/N there is one root, 1/N, twice; it is an inflection of ℓ_MAP and no maximum",
    )


@PAPER.claim("eq16", "(16)", "T → ∞: (15) is σ_True² ≥ 3/N", uses=("eq15",))
def eq16() -> Formula:
    """S − 4/N in the limit of S, to be compared with 0."""
    scale, degrees = spread_law(T, true2, N)
    chance = float(collapse_probability(4001, 3, 1))
    return Formula(
        printed=true2 - 3 / N,
        derived=sympy.limit(scale * degrees, T, sympy.oo) - 4 / N,
        control=true2 - 4 / N,
        witness=lambda N, sigma_true2: float(
            witness.expected(lambda mean, _: mean**2, sigma_true2, int(N), 1) - 4 / N  # S → Var x̄_t
        ),
        domain=WHOLE,
        note=f"At equality S falls on either side: with σ_True² = 3/N and T = 4001 tasks there is no root with probability {chance:.3f}",
    )


@PAPER.claim(
    "eq17",
    "(17)",
    "the roots of (14) are ½(S − 2/N ∓ √(S(S − 4/N)))",
    assumptions=("S ≥ 4/N",),
    uses=("eq14",),
)
def eq17() -> Formula:
    def root(sign: int) -> sympy.Expr:
        return (S - 2 / N + sign * sympy.sqrt(S * (S - 4 / N))) / 2

    return Formula(
        printed=[root(-1), root(1)],
        derived=[sympy.expand(r) for r in joint_map_roots(S, 1 / N)],
        control=[root(1), root(-1)],
        witness=lambda N, S: _root_witness(S, N),
        domain={**WHOLE, "S": (2.2, 5.0)},
    )


@dataclass(frozen=True)
class _Kinds:
    left: str
    right: str


@PAPER.claim(
    "eq17-kinds",
    "(17)",
    "for S ≥ 4/N the left root is a local minimum of ℓ_MAP, the right one a local maximum",
    uses=("eq15", "eq17"),
)
def eq17_kinds() -> Proposition:
    spreads = [R(v) for v in ("4", "401/100", "9/2", "5", "60")]

    def check(kinds: _Kinds, equality: bool) -> Finding:
        sign_of_the_slope()
        for spread in spreads[0 if equality else 1 :]:
            points = joint_map_stationary_points(spread, 1)
            if [p.kind for p in points] != [kinds.left, kinds.right]:
                return Finding(
                    False, f"at S = {spread}, N = 1: " + ", ".join(f"{p.kind} at σ² = {p.sigma2}" for p in points)
                )
        return Finding(True, "the slope of ℓ_MAP has the sign of −(σ² − left)(σ² − right)")

    def numerically(kinds: _Kinds, equality: bool) -> Finding:
        for spread in spreads[0 if equality else 1 :]:
            slopes = witness.profile_slopes(witness.points_with_spread(float(spread)))
            for kind, root in zip((kinds.left, kinds.right), joint_map_roots(spread, 1), strict=True):
                change = witness.curvature_at(slopes, float(root))
                if change * (1 if kind == "minimum" else -1) <= 0:
                    return Finding(
                        False, f"at S = {spread}, N = 1 the slope changes by {change:.1e} across σ² = {float(root):.4f}"
                    )
        return Finding(True, "so the slope changes sign, by autograd")

    stated = _Kinds("minimum", "maximum")
    return Proposition(
        check,
        stated={"kinds": stated, "equality": True},
        weaker={"kinds": stated, "equality": False},
        assumption="S > 4/N",
        control={"kinds": _Kinds("maximum", "minimum"), "equality": False},
        witness=numerically,
    )


@PAPER.claim(
    "eq18", "(18)", "T → ∞: the two roots tend to ½(σ_True² − 1/N ∓ √((σ_True²+1/N)(σ_True²−3/N)))", uses=("eq17",)
)
def eq18() -> Formula:
    return _limit_claim([_limits(-1), _limits(1)], [_limits(-1) + 1 / N, _limits(1) + 1 / N])
