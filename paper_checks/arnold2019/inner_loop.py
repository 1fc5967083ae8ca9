"""Equations (1) to (4), and Algorithm 1, which arnold2021 prints again."""

from __future__ import annotations

import sympy
import torch

from analysis.kronecker import meta_optimizer_steps
from analysis.symbols import alpha, theta

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER

PAPER.definition("eq1", "(1)", "L_META = E_{τ~p(τ)}[L_τ(θ − α∇L_τ(θ))]")
PAPER.definition("eq2", "(2)", "U_ξ(g) = A g + b", "a linear meta-optimizer, ξ = (A, b)")
PAPER.definition(
    "eq3",
    "(3)",
    "θ_{t+1} = θ_t − U_{ξ_t}(∇_{θ_t} L_τ(θ_t))",
    "no learning rate stands before U: at A = I, b = 0 it is a step of rate 1",
)
PAPER.definition("eq4", "(4)", "ξ_{t+1} = ξ_t − α∇_{ξ_t} L_τ(θ_{t+1})")

xi, h, k = sympy.symbols("xi h k", real=True)


def task_loss(at: sympy.Expr) -> sympy.Expr:
    """ℓ(θ) = ½hθ² + kθ."""
    return h * at**2 / 2 + k * at


def scaled(by, gradient):
    """U_ξ(g) = ξ g, of sympy's and torch's numbers alike."""
    return by * gradient


def _by_autograd(steps: int, **at: float) -> list[torch.Tensor]:
    """θ_1, …, θ_{T+1} of Algorithm 1 on the same loss."""
    start, first = (witness.tensor(at[name]).requires_grad_() for name in ("theta", "xi"))

    def loss(weight: torch.Tensor) -> torch.Tensor:
        return at["h"] * weight**2 / 2 + at["k"] * weight

    return witness.algorithm(loss, scaled, start, first, at["alpha"], steps)


@PAPER.claim(
    "algorithm1-is-eq3-eq4",
    "Algorithm 1",
    "(3) and (4) in pseudo-code: ξ_{t+1} = ξ_t − α∇_{ξ_t} L_τ(θ_t), θ_{t+1} = θ_t − U_{ξ_{t+1}}(∇_{θ_t} L_τ(θ_t))",
    assumptions=("∇_{ξ_t} is the derivative in ξ_t, with ξ_1, …, ξ_{t−1} held",),
    uses=("eq3", "eq4"),
)
def same_sequence() -> Formula:
    """θ_2, θ_3, θ_4 by (3), (4) against Algorithm 1: on a quadratic loss, and for any loss and meta-optimizer."""
    steps = 3

    def both(loss, update) -> list[list[sympy.Expr]]:
        return [
            meta_optimizer_steps(loss, update, theta, xi, alpha, steps, scheme)[1:]
            for scheme in ("equations", "algorithm")
        ]

    general = both(sympy.Function("l"), sympy.Function("U"))
    if general[0] != general[1]:
        raise ArithmeticError("for an arbitrary loss and meta-optimizer the two sequences differ")
    equations, algorithm = both(task_loss, scaled)
    if algorithm[0].has(alpha):
        raise ArithmeticError("the first step depends on α")
    fixed = [theta]  # ξ does not adapt
    for _ in range(steps):
        fixed.append(fixed[-1] - xi * (h * fixed[-1] + k))
    return Formula(
        printed=algorithm,
        derived=equations,
        control=fixed[1:],
        witness=lambda **at: [value.item() for value in _by_autograd(steps, **at)[1:]],
        domain={s.name: (-0.9, 0.9) for s in (xi, h, k)},
        note="The same θ, so for any loss and any U, with ξ counted one ahead: the first ξ-update of Algorithm 1 does nothing, since θ_1 "
        "does not depend on ξ. The first step therefore uses ξ_init itself, and α, which stands in the ξ-updates alone, has no effect on "
        "models adapted by one step, as those of the synthetic experiment are (with a rate of 3.33 or 3.9)",
    )


@PAPER.claim(
    "algorithm1-last-step",
    "Algorithm 1",
    "for t = 1, …, T do … end; θ_init ← θ_init − Opt(∇L_τ(θ_T)), ξ_init ← ξ_init − Opt(∇L_τ(θ_T))",
    assumptions=("the initial parameters are learned by the loss after T updates",),
    uses=("algorithm1-is-eq3-eq4",),
)
def last_step() -> Proposition:
    """Whether L_τ(θ_{T + offset}) is the loss after all T updates of the loop; for one, two and three of them."""

    def check(offset: int, steps: tuple[int, ...]) -> Finding:
        for count in steps:
            thetas = meta_optimizer_steps(task_loss, scaled, theta, xi, alpha, count, "algorithm")
            used, last = thetas[count + offset - 1], thetas[-1]
            if sympy.expand(used - last) != 0:
                slope = sympy.expand(task_loss(used).diff(xi))
                return Finding(
                    False,
                    f"with T = {count} the loop ends with θ_{count + 1}, and L_τ(θ_{count + offset}) has {count + offset - 1} "
                    f"updates in it{'; its gradient in ξ_init is 0, so that ξ is never trained' if slope == 0 else ''}",
                )
        return Finding(True, f"L_τ is taken at the last θ of the loop for T = {', '.join(map(str, steps))}")

    def numerically(offset: int, steps: tuple[int, ...]) -> Finding:
        at = {"theta": 0.7, "xi": 0.4, "h": 1.3, "k": -0.6, "alpha": 0.2}
        for count in steps:
            thetas = _by_autograd(count, **at)
            gap = (thetas[count + offset - 1] - thetas[-1]).item()
            if abs(gap) > 1e-9:
                return Finding(
                    False, f"in the real loop θ_{count + offset} and the last θ differ by {gap:.3f} at T = {count}"
                )
        return Finding(True, "in the real loop they are the same number")

    return Proposition(
        check,
        stated={"offset": 0, "steps": (1, 2, 3)},
        right={"offset": 1, "steps": (1, 2, 3)},
        right_statement="θ_init and ξ_init are learned by L_τ(θ_{T+1})",
        control={"offset": -1, "steps": (2, 3)},
        witness=numerically,
        note="An index may have slipped: with t = 1, …, T − 1, or with θ_0 for the first, L_τ(θ_T) is right",
    )
