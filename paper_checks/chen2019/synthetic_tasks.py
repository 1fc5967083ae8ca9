"""The task distributions of the experiments, as far as they are mathematics (Appendix D)."""

from __future__ import annotations

import sympy
import torch

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER

PARAMETERS = sympy.symbols("theta1:9", real=True)  # Experiment 1: M = 8
NOISE = (8, 8, 8, 8, 5, 5, 5, 5, 1)  # ξ, D = 9
angle = sympy.Symbol("varphi", real=True)
a, b = sympy.symbols("theta_1 theta_2", real=True)
omega = sympy.Symbol("omega", positive=True)


def _last_observation(at: dict[str, float]) -> float:
    """The last entry of μ(θ) = [I_M, 1_M/√M]ᵀ θ by a matrix product."""
    ones = torch.ones(8, dtype=torch.float64)
    design = torch.cat([torch.diag(ones), ones[:, None] / 8**0.5], dim=1)
    return float((design.T @ witness.tensor([at[f"theta{m}"] for m in range(1, 9)]))[-1])


@PAPER.claim("d-sum", "D", "Experiment 1: the last observation is the sum of the θ_m")
def last_observation() -> Formula:
    """Against the formula of the same paragraph, μ(θ) = [I_M, 1_M/√M]ᵀ θ."""
    design = sympy.eye(8).row_join(sympy.ones(8, 1) / sympy.sqrt(8))
    mean = (design.T * sympy.Matrix(PARAMETERS))[8]
    total = sum(PARAMETERS)
    return Formula(
        printed=total,
        derived=mean,
        right=("(Σ_m θ_m)/√M", total / sympy.sqrt(8)),
        control=total / 8,
        witness=lambda **at: _last_observation(at),
        conventions={"up to the factor √M": sympy.sqrt(8) * mean},
        note="The prose and the formula disagree; the formula, whose last column has length 1, is what the experiments here are run with",
    )


@PAPER.claim("d-noise", "D", "Experiment 1: the small noise of the last observation is ξ_M")
def last_noise() -> Formula:
    return Formula(
        printed=NOISE[8 - 1],
        derived=NOISE[-1],
        right=("ξ_D = 1", 1),
        control=8,
        witness=lambda: float(torch.tensor(NOISE, dtype=torch.float64).min()),
        single_symbol=True,
        note="With ξ = [8, 8, 8, 8, 5, 5, 5, 5, 1] there are D = 9 observations for M = 8 modules, and ξ_M is 5",
    )


def _rotation(turn: sympy.Expr, sign: int = -1) -> sympy.Matrix:
    """Rot of (31); with the other sign it is no rotation."""
    return sympy.Matrix([[sympy.cos(turn), sign * sympy.sin(turn)], [sympy.sin(turn), sympy.cos(turn)]])


def _torch_rotation(turn: torch.Tensor, sign: int) -> torch.Tensor:
    c, d = torch.cos(turn), torch.sin(turn)
    return torch.stack([torch.stack([c, sign * d]), torch.stack([d, c])])


@PAPER.claim("eq31", "(31)", "Rot(ϕ) = [[cos ϕ, −sin ϕ],[sin ϕ, cos ϕ]] is a rotation")
def eq31() -> Proposition:
    def check(sign: int) -> Finding:
        matrix = _rotation(angle, sign)
        product, determinant = (matrix.T * matrix).applyfunc(sympy.simplify), sympy.simplify(matrix.det())
        return Finding(
            product == sympy.eye(2) and determinant == 1, f"RotᵀRot = {product.tolist()}, det Rot = {determinant}"
        )

    def numerically(sign: int) -> Finding:
        worst = 0.0
        for turn in (-2.0, 0.3, 5.0):
            matrix = _torch_rotation(witness.tensor(turn), sign)
            worst = max(
                worst, float((matrix.T @ matrix - torch.eye(2)).abs().max()), abs(float(torch.linalg.det(matrix)) - 1)
            )
        return Finding(worst < 1e-12, f"RotᵀRot − I and det Rot − 1 are at most {worst:.1e}")

    return Proposition(check, stated={"sign": -1}, control={"sign": 1}, witness=numerically)


@PAPER.claim("eq31-volume", "(31)", "the map θ ↦ Rot(ω‖θ‖₂) θ preserves volume", uses=("eq31",))
def eq31_volume() -> Formula:
    """The determinant of its Jacobian; the map turns each circle about 0 by an angle of its own."""
    radius = sympy.sqrt(a**2 + b**2)
    image = _rotation(omega * radius) * sympy.Matrix([a, b])
    determinant = sympy.simplify(image.jacobian([a, b]).det())

    def numerically(theta_1: float, theta_2: float, omega: float) -> float:
        def turned(theta: torch.Tensor) -> torch.Tensor:
            return _torch_rotation(omega * theta.norm(), -1) @ theta

        return float(torch.linalg.det(witness.jacobian(turned, witness.tensor([theta_1, theta_2]))))

    return Formula(
        printed=1,
        derived=determinant,
        control=1 + omega * radius,
        witness=numerically,
        note="For every ω, and so on all pairs of dimensions together; at θ = 0 the Jacobian is the identity",
    )
