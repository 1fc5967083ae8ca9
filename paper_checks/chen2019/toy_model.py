"""The toy of Appendix B and the maximum of its joint density: eqs. (5) to (9), (11) to (13), Propositions 1 and 2."""

from __future__ import annotations

import sympy
import torch

from analysis import HierarchicalNormal
from analysis.hierarchical_normal import mean_law
from analysis.joint_map import log_joint, maximum

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER
from .setup import HALF, MEANS, TASKS, THETA, TOY, WHOLE, N, T, grand_mean, phi, s, true2, x

R = sympy.Rational
PAPER.definition(
    "eq5", "(5)", "p(θ,x|φ,σ) = ∏_t [ N(θ_t|φ,σ²) ∏_n N(x_{t,n}|θ_t, 1) ]", "(1) for M = D = 1 and a flat prior on φ"
)


@PAPER.claim(
    "eq6",
    "(6)",
    "ℓ_MAP = −(T/2) log σ² − ½ Σ_t (θ_t−φ)²/σ² − ½ Σ_t Σ_n (x_{t,n}−θ_t)²",
    assumptions=("ℓ_MAP is the logarithm of (5)",),
    uses=("eq5",),
)
def eq6() -> Formula:
    squares = sum((t - phi) ** 2 for t in THETA) / s
    scatter = sum((value - t) ** 2 for t, row in zip(THETA, x, strict=True) for value in row)
    printed = -TASKS * sympy.log(s) / 2 - squares / 2 - scatter / 2
    derived = sympy.expand(log_joint(x, THETA, phi, s))
    constant = R(TASKS * 3, 2) * sympy.log(2 * sympy.pi)
    return Formula(
        printed=printed,
        derived=derived,
        right=("(6) − (T(N + 1)/2) log 2π", printed - constant),
        control=printed - squares / 2,
        witness=lambda **at: float(
            witness.log_joint(
                witness.tensor([at[f"theta{t}"] for t in (1, 2, 3)]),
                witness.tensor(at["phi"]),
                at["sigma2"],
                [witness.tensor([at[f"x{t}_1"], at[f"x{t}_2"]]) for t in (1, 2, 3)],
            )
        ),
        conventions={"up to an additive constant, which (6) does not say": sympy.expand(derived + constant)},
        note="The constant harms none of the results",
    )


@PAPER.claim(
    "prop1",
    "Prop. 1",
    "ℓ_MAP has no global maximum: it diverges to +∞ as σ → 0+ for every φ ∈ R with φ = θ_t for all t",
    uses=("eq6",),
)
def prop1() -> Proposition:
    def check(offset: sympy.Expr) -> Finding:
        """Two tasks with symbolic data, θ_1 = φ + offset and θ_2 = φ."""
        limit = sympy.limit(log_joint(x[:2], [phi + offset, phi], phi, s), s, 0, "+")
        return Finding(
            limit == sympy.oo,
            f"with θ_1 = φ{f' + {offset}' if offset else ''}, θ_2 = φ it tends to {limit}, for every φ and x",
        )

    def numerically(offset: sympy.Expr) -> Finding:
        rows = witness.observations((1.0, -0.5))
        for center in (-3.0, 0.2):
            theta = witness.tensor([center + float(offset), center])
            values = [float(witness.log_joint(theta, witness.tensor(center), 10.0**-e, rows)) for e in (4, 40, 240)]
            if not (values == sorted(values) and values[-1] > 300):
                return Finding(False, f"at φ = {center}, σ² = 10⁻⁴, 10⁻⁴⁰, 10⁻²⁴⁰: {values}")
        return Finding(True, "it grows without bound at every φ tried")

    return Proposition(
        check,
        stated={"offset": sympy.S.Zero},
        control={"offset": R(1, 100)},
        witness=numerically,
        note="The posterior density of (2) diverges there too, for log p(D|σ) stays finite",
    )


@PAPER.claim(
    "prop2", "Prop. 2", "for any σ > 0, φ̂ = x̄ ~ N(φ_True, (1/T)(σ_True² + 1/N)) → δ[φ_True]", uses=("eq7", "eq8")
)
def prop2() -> Proposition:
    def check(power: sympy.Expr) -> Finding:
        for tasks in (2, 3, 4):
            means = sympy.symbols(f"m1:{tasks + 1}", real=True)
            if sympy.simplify(HierarchicalNormal(means, N).phi_hat(s) - sum(means) / tasks) != 0:
                raise ArithmeticError("φ̂ is not x̄")
        law = mean_law(T, true2, N)
        if sympy.simplify(law - (true2 + 1 / N) / T**power) != 0 or sympy.limit(law, T, sympy.oo) != 0:
            return Finding(False, f"the variance is {sympy.factor(law)}")
        return Finding(True, "φ̂ = x̄ at every σ, normal with this variance, which tends to 0")

    def numerically(power: sympy.Expr) -> Finding:
        n, true, center = 2, 0.7, 1.5
        for tasks in (2, 3, 5):

            def estimate(noise: torch.Tensor, tasks: int = tasks) -> torch.Tensor:
                theta = center + true**0.5 * noise[:tasks]
                rows = (theta[:, None] + noise[tasks:].reshape(tasks, n)).unbind()
                return witness.map_point(witness.tensor(0.4), rows)[0]

            still = torch.zeros(tasks * (n + 1), dtype=torch.float64)
            variance = float((witness.jacobian(estimate, still) ** 2).sum())
            if (
                abs(variance - (true + 1 / n) / tasks ** float(power)) > 1e-12
                or abs(float(estimate(still)) - center) > 1e-12
            ):
                return Finding(False, f"T = {tasks}, N = {n}, σ_True² = {true}: the variance of φ̂ is {variance:.6f}")
        return Finding(True, "mean and variance of φ̂, by autograd through its solution, at T = 2, 3, 5")

    return Proposition(check, stated={"power": sympy.S.One}, control={"power": HALF}, witness=numerically)


def _at(names: str, at: dict[str, float]) -> torch.Tensor:
    return witness.tensor([at[f"{names}{t}"] for t in (1, 2, 3)])


@PAPER.claim("eq7", "(7)", "φ̂ = (1/T) Σ θ_t", uses=("eq6",))
def eq7() -> Formula:
    return Formula(
        printed=sum(THETA) / TASKS,
        derived=maximum(log_joint(x, THETA, phi, s), phi),
        control=sum(THETA) / (TASKS + 1),
        witness=lambda **at: float(
            witness.extremum(
                lambda c: witness.log_joint(_at("theta", at), c[0], 0.6, witness.observations((1.0, 2.0, 0.0))), 1
            )
        ),
    )


@PAPER.claim("eq8", "(8)", "θ̂_t = (Σ_n x_{t,n} + φ/σ²) / (N + 1/σ²)", uses=("eq6",))
def eq8() -> Formula:
    number = len(x[0])
    return Formula(
        printed=(sum(x[0]) + phi / s) / (number + 1 / s),
        derived=maximum(log_joint(x[:1], THETA[:1], phi, s), THETA[0]),
        control=(sum(x[0]) + phi / s) / (number + 2 / s),
        witness=lambda phi, sigma2, x1_1, x1_2: float(
            witness.extremum(
                lambda t: witness.log_joint(t, witness.tensor(phi), sigma2, [witness.tensor([x1_1, x1_2])]), 1
            )
        ),
    )


@PAPER.claim("eq9", "(9)", "φ̂ = x̄ ~ N(φ_True, (1/√T)(σ_True² + 1/N))", uses=("prop2",))
def eq9() -> Formula:
    variance = mean_law(T, true2, N)

    def numerically(**at: float) -> float:
        tasks, n = int(at["T"]), int(at["N"])

        def estimate(noise: torch.Tensor) -> torch.Tensor:
            theta = at["sigma_true2"] ** 0.5 * noise[:tasks]
            return witness.map_point(witness.tensor(0.4), (theta[:, None] + noise[tasks:].reshape(tasks, n)).unbind())[
                0
            ]

        return float((witness.jacobian(estimate, torch.zeros(tasks * (n + 1), dtype=torch.float64)) ** 2).sum())

    return Formula(
        printed=(true2 + 1 / N) / sympy.sqrt(T),
        derived=variance,
        right=("(1/T)(σ_True² + 1/N)", (true2 + 1 / N) / T),
        control=(true2 + 1 / N) / T**2,
        witness=numerically,
        domain=WHOLE,
        conventions={"if the second argument of N were the standard deviation": sympy.sqrt(variance)},
        before=(true2 + 1 / N) / T,
        single_symbol=True,
        note="Proposition 2, the line before it, has the right one",
    )


@PAPER.claim("eq11", "(11)", "θ̂_t − φ̂ = (x̄_t − x̄)/(1 + 1/(Nσ²))", uses=("eq7", "eq8"))
def eq11() -> Formula:
    def numerically(N: float, sigma2: float, **means: float) -> list[float]:
        rows = witness.observations([means[f"xbar{t}"] for t in (1, 2, 3)], N)
        z = witness.map_point(witness.tensor(sigma2), rows)
        return (z[1:] - z[0]).tolist()

    return Formula(
        printed=[(mean - grand_mean) / (1 + 1 / (N * s)) for mean in MEANS],
        derived=[sympy.cancel(t - TOY.phi_hat(s)) for t in TOY.theta_hat(s)],
        control=[(mean - grand_mean) / (1 + s / N) for mean in MEANS],
        witness=numerically,
        domain=WHOLE,
    )


@PAPER.claim("eq12", "(12)", "σ̂² = (1/T) Σ (θ_t−φ)²", uses=("eq6",))
def eq12() -> Formula:
    """The σ² at which (6) is stationary, θ and φ held fixed."""
    squares = sum((t - phi) ** 2 for t in THETA)
    (solution,) = sympy.solve(sympy.numer(sympy.together(log_joint(x, THETA, phi, s).diff(s))), s)

    def numerically(**at: float) -> float:
        def slopes(u: torch.Tensor) -> torch.Tensor:
            u = u.detach().requires_grad_()
            prior = torch.distributions.Normal(at["phi"], torch.exp(u / 2)[:, None]).log_prob(_at("theta", at))
            return torch.autograd.grad(prior.sum(), u)[0]

        return float(witness.tensor(witness.zero_between(slopes, -12.0, 6.0)).exp())

    return Formula(printed=squares / TASKS, derived=solution, control=squares / (TASKS - 1), witness=numerically)


@PAPER.claim("eq13", "(13)", "σ̂² = Σ (x̄_t−x̄)² / (T (1 + 1/(Nσ̂²))²)", uses=("eq11", "eq12"))
def eq13() -> Formula:
    """The right-hand side of (12) at θ̂(σ²) and φ̂."""
    squares = sum((mean - grand_mean) ** 2 for mean in MEANS)

    def numerically(N: float, sigma2: float, **means: float) -> float:
        rows = witness.observations([means[f"xbar{t}"] for t in (1, 2, 3)], N)
        z = witness.map_point(witness.tensor(sigma2), rows)
        return float(((z[1:] - z[0]) ** 2).mean())

    return Formula(
        printed=squares / (TASKS * (1 + 1 / (N * s)) ** 2),
        derived=sympy.cancel(sum((t - TOY.phi_hat(s)) ** 2 for t in TOY.theta_hat(s)) / TASKS),
        control=squares / (TASKS * (1 + 1 / (N * s))),
        witness=numerically,
        domain=WHOLE,
    )
