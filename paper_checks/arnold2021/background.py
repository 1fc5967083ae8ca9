"""Sections 2 and 3, the models and losses of Section 4.1, and the general equations (27), (28) of Appendix A."""

from __future__ import annotations

import sympy

from analysis.polynomial import Ring
from analysis.symbols import alpha

from ..framework import Formula
from .paper import PAPER

PAPER.definition("eq1", "(1)", "L_maml(θ) = E_τ[ℓ_τ(θ − α∇ℓ_τ(θ))]")
PAPER.definition("eq2", "(2)", "θ_maml = argmin_θ L_maml(θ)")
PAPER.definition("eq3", "(3)", "meta-training: θ ← θ − β ∂L_maml/∂θ")
PAPER.definition("eq4", "(4)", "meta-testing: θ ← θ − α ∂ℓ_τ′/∂θ")
PAPER.definition(
    "eq5",
    "(5)",
    "M1_maml ≤ M2_maml ≤ M1_bayes ≤ M2_bayes",
    "a wish: the performance order that the paper's design asks for",
)
PAPER.definition("eq6", "(6)", "shallow: ŷ = c x")
PAPER.definition("eq7", "(7)", "deep: ŷ = a b x")
PAPER.definition("eq29", "(29)", "shallow: ŷ = c x, deep: ŷ = a b x", "the models (6), (7) again")
PAPER.definition(
    "eq30", "(30)", "ℓ_τ = ½E(y − c x)², or ℓ_τ = ½E(y − a b x)²", "the losses by which this paper is judged"
)
PAPER.definition("eq27", "(27)", "θ_α = θ − α∇ℓ_τ(θ)")


@PAPER.claim(
    "eq28",
    "(28)",
    "∂L_maml/∂θ = E_τ[(I − αH_τ(θ)) ∇ℓ_τ(θ_α)]",
    assumptions=("differentiation and expectation may be exchanged",),
    uses=("eq1", "eq27"),
)
def eq28() -> Formula:
    """Judged on an arbitrary cubic loss in two variables.

    At a given θ the identity contains ∇ℓ and H at θ and ∇ℓ at θ_α alone, and cubics can take any values for them.
    """
    x, y = sympy.symbols("x y", real=True)
    powers = [(i, j) for i in range(4) for j in range(4 - i) if i + j > 0]
    coefficients = {power: sympy.Symbol(f"k{power[0]}{power[1]}", real=True) for power in powers}
    ring = Ring([x, y, alpha, *coefficients.values()])
    loss = sum((ring.gen(k) * ring.gen(x) ** i * ring.gen(y) ** j for (i, j), k in coefficients.items()), ring.poly(0))
    gradient, hessian = ring.gradient(loss, (x, y)), ring.hessian(loss, (x, y))
    step = {x: ring.gen(x) - ring.poly(alpha) * gradient[0], y: ring.gen(y) - ring.poly(alpha) * gradient[1]}
    there = [ring.substitute(g, step) for g in gradient]

    def printed(sign: int) -> list[sympy.Expr]:
        return [
            ring.expr(
                there[i] + sign * ring.poly(alpha) * sum((hessian[i][j] * there[j] for j in (0, 1)), ring.poly(0))
            )
            for i in (0, 1)
        ]

    derived = [ring.expr(g) for g in ring.gradient(ring.substitute(loss, step), (x, y))]

    def witness(**point: float) -> list[float]:
        import torch

        from empirical import adapt

        def cubic(parameters: tuple[torch.Tensor, ...]) -> torch.Tensor:
            first, second = parameters[0].unbind(dim=-1)
            return sum(point[k.name] * first**i * second**j for (i, j), k in coefficients.items())

        start = torch.tensor([[point["x"], point["y"]]], dtype=torch.float64, requires_grad=True)
        after = adapt(cubic, (start,), lr=point["alpha"], steps=1)
        return torch.autograd.grad(cubic(after).sum(), start)[0][0].tolist()

    narrow = {k.name: (-0.5, 0.5) for k in coefficients.values()}
    return Formula(
        printed=printed(-1),
        derived=derived,
        control=printed(1),
        witness=witness,
        domain=narrow,
        note="Judged on an arbitrary cubic loss of two variables, all nine coefficients symbolic.",
    )
