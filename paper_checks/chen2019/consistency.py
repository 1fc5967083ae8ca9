"""The predictive likelihood finds the true σ: eqs. (19) to (22) and Proposition 4 (Appendix B.2)."""

from __future__ import annotations

from functools import cache

import sympy
import torch
from torch.func import grad

from analysis import ModularMap, predictive_gradient
from analysis.hierarchical_normal import mean_law, means_covariance, predictive_limit

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER
from .setup import MEANS, TASKS, THETA, TOY, VALIDATION, WHOLE, K, N, grand_mean, phi, phi_true, s, true2, y


@PAPER.claim("eq19", "(19)", "∂ℓ_PLL/∂log σ² ≈ −K Σ_t (θ_t − ȳ_t)(θ_t − φ) =: g", uses=("eq4",))
def eq19() -> Formula:
    """(4) with the slopes of the toy's validation likelihood; K = 2 points y_{t,k}."""
    points = len(y[0])
    averages = [sum(row) / points for row in y]
    slopes = [[sum(-((value - t) ** 2) / 2 for value in row).diff(t)] for t, row in zip(THETA, y, strict=True)]
    system = ModularMap([sympy.eye(1)] * TASKS, [s])
    derived = system.gradient([phi], [[t] for t in THETA], slopes, "h-free")[0]

    def product(sign: int) -> sympy.Expr:
        pairs = zip(THETA, averages, strict=True)
        return sign * points * sum((t - average) * (t - phi) for t, average in pairs)

    def numerically(**at: float) -> float:
        theta = witness.tensor([at[f"theta{t}"] for t in (1, 2, 3)])
        rows = [witness.tensor([at[f"y{t}_1"], at[f"y{t}_2"]]) for t in (1, 2, 3)]
        return float((theta - at["phi"]) @ grad(lambda t: witness.validation_log_likelihood(t, rows))(theta))

    return Formula(printed=product(-1), derived=sympy.expand(derived), control=product(1), witness=numerically)


@PAPER.claim(
    "eq20",
    "(20)",
    "g = −[KT/(1 + 1/(Nσ²))²] (1/T) Σ_t (x̄_t − ȳ_t + (1/(Nσ²))(x̄ − ȳ_t)) (x̄_t − x̄)",
    uses=("eq11", "eq19"),
)
def eq20() -> Formula:
    def printed(power: int) -> sympy.Expr:
        shrink = 1 / (N * s)
        pairs = zip(MEANS, VALIDATION, strict=True)
        total = sum((m - v + shrink * (grand_mean - v)) * (m - grand_mean) for m, v in pairs)
        return -K * TASKS / (1 + shrink) ** power * total / TASKS

    def numerically(N: float, K: float, sigma2: float, **means: float) -> float:
        train = witness.observations([means[f"xbar{t}"] for t in (1, 2, 3)], N)
        held_out = witness.observations([means[f"ybar{t}"] for t in (1, 2, 3)], K)
        z = witness.map_point(witness.tensor(sigma2), train)
        slopes = grad(lambda theta: witness.validation_log_likelihood(theta, held_out))(z[1:])
        return float((z[1:] - z[0]) @ slopes)

    return Formula(
        printed=printed(2),
        derived=predictive_gradient(TOY, VALIDATION, K, s, "h-free"),
        control=printed(1),
        witness=numerically,
        domain=WHOLE,
    )


@PAPER.claim("eq21", "(21)", "(x̄_t, ȳ_t) ~ N(φ 1, [[σ_True²+1/N, σ_True²],[σ_True², σ_True²+1/K]])")
def eq21() -> Formula:
    covariance = list(means_covariance(true2, N, K))
    printed = [true2 + 1 / N, true2, true2, true2 + 1 / K]

    def numerically(N: float, K: float, phi_true: float, sigma_true2: float, **_: float) -> list[float]:
        n, k = int(N), int(K)

        def pair(noise: torch.Tensor) -> torch.Tensor:
            theta = phi_true + sigma_true2**0.5 * noise[0]
            return torch.stack([(theta + noise[1 : n + 1]).mean(), (theta + noise[n + 1 :]).mean()])

        still = torch.zeros(1 + n + k, dtype=torch.float64)
        jacobian = witness.jacobian(pair, still)
        return [*pair(still).tolist(), *(jacobian @ jacobian.T).flatten().tolist()]

    return Formula(
        printed=[phi, phi, *printed],
        derived=[phi_true, phi_true, *covariance],
        right=("the same with the mean φ_True", [phi_true, phi_true, *printed]),
        control=[phi_true, phi_true, true2 + 1 / N, 0, 0, true2 + 1 / K],
        witness=numerically,
        domain=WHOLE,
        conventions={"if its φ stood for φ_True": [phi, phi, *covariance]},
        single_symbol=True,
        note="The covariance is as printed; φ is elsewhere the parameter that is learned",
    )


@PAPER.claim(
    "eq22",
    "(22)",
    "g → [m/(N (1 + 1/(Nσ²))²)] (σ_True²/σ² − 1) almost surely",
    assumptions=("T → ∞",),
    uses=("prop2", "eq20", "eq21"),
)
def eq22() -> Formula:
    """The limit of g/T, by the law of large numbers with φ̂ → φ_True; g itself has none unless σ = σ_True."""
    m = sympy.Symbol("m", positive=True)
    limit = predictive_limit(s, true2, N, K)[1]

    def printed(points: sympy.Expr) -> sympy.Expr:
        return points / (N * (1 + 1 / (N * s)) ** 2) * (true2 / s - 1)

    return Formula(
        printed=printed(m),
        derived=limit,
        right=("g/T → [K/(N (1 + 1/(Nσ²))²)] (σ_True²/σ² − 1)", printed(K)),
        control=printed(K) * s,
        witness=lambda N, K, sigma2, sigma_true2, **_: _expected_gradient(sigma2, sigma_true2, int(N), int(K)),
        domain=WHOLE,
        conventions={
            "if m were K and the limit that of g/T": limit.subs(K, m),
            "if m were K T, all validation points, and → meant that the ratio tends to 1": sympy.cancel(
                TASKS * limit.subs(K, m / TASKS)
            ),
        },
        note="m is defined nowhere; by (20) g is a sum over tasks, and grows like T",
    )


@cache
def _expected_gradient(sigma2: float, sigma_true2: float, n: int, k: int) -> float:
    """E of one task's term of (4), φ = φ_True = 0, by quadrature; θ̂_t by a Newton step, the slope by autograd."""

    def term(means: torch.Tensor, held_out: torch.Tensor) -> torch.Tensor:
        def density(theta: torch.Tensor) -> torch.Tensor:
            noise = torch.distributions.Normal(means, n**-0.5)
            prior = torch.distributions.Normal(torch.zeros_like(means), sigma2**0.5)
            return (noise.log_prob(theta) + prior.log_prob(theta)).sum()

        theta = torch.zeros_like(means)
        slope = grad(density)(theta)
        bend = grad(lambda t: grad(density)(t).sum())(theta)
        theta = theta - slope / bend
        outer = grad(lambda t: torch.distributions.Normal(held_out, k**-0.5).log_prob(t).sum())(theta)
        return theta * outer

    return float(witness.expected(term, sigma_true2, n, k))


@PAPER.claim(
    "prop4",
    "Prop. 4",
    "with (2) and (4), K validation points per task, T → ∞: the stationary point is φ̂ = φ_True, σ̂² = σ_True²",
    assumptions=("σ_True > 0",),
    uses=("prop2", "eq22"),
)
def prop4() -> Proposition:
    def check(shift: sympy.Expr) -> Finding:
        """Whether σ̂² = σ_True² + shift/N."""
        likelihood, gradient = predictive_limit(s, true2, N, K)
        tasks = sympy.Symbol("T", positive=True)
        if sympy.limit(mean_law(tasks, true2, N), tasks, sympy.oo) != 0:
            return Finding(False, "φ̂ does not tend to φ_True")
        zeros = sympy.solve(gradient, s)
        if len(zeros) != 1 or sympy.expand(zeros[0] - true2 - shift / N) != 0:
            return Finding(False, f"g/T → {gradient}, whose zeros in σ² > 0 are {zeros}")
        gap = sympy.Symbol("gap", positive=True)
        signs = [sympy.factor(gradient.subs(true2, s + gap)), sympy.factor(gradient.subs(s, true2 + gap))]
        exact = sympy.factor(s * likelihood.diff(s))
        ratio = sympy.cancel(gradient / exact)
        if not (signs[0].is_positive and signs[1].is_negative) or not ratio.is_positive:
            return Finding(False, f"ascent leads away from it: g/T → {gradient}")
        return Finding(
            True,
            "it is the only zero at σ > 0 of the limit of g/T, which is positive below it and negative above: ascent ends there from "
            f"every start. It is the maximum of the limit of ℓ_PLL/T too, whose slope in log σ² is g/T over {ratio}",
        )

    def numerically(shift: sympy.Expr) -> Finding:
        n, k, true = 2, 3, 0.8
        wanted = true + float(shift) / n
        for start in (0.05, 0.8, 10.0):
            u = witness.tensor(start).log()
            for _ in range(400):
                u = u + 0.5 * _expected_gradient(float(u.exp()), true, n, k)
            if abs(float(u.exp()) - wanted) > 1e-8:
                return Finding(False, f"ascent on E g from σ² = {start} ends at {float(u.exp()):.6f}, not at {wanted}")
        return Finding(True, f"ascent on E g by quadrature and autograd ends at σ_True² = {true} from 0.05, 0.8 and 10")

    return Proposition(check, stated={"shift": sympy.S.Zero}, control={"shift": sympy.S.One}, witness=numerically)
