"""The numerical witness of the claims about meta-optimizers: plain torch (float64), autograd through the real inner loop.

Gradients are n×m, and vec stacks columns. A matrix of a claim's symbols arrives as keyword values `L00`, `L01`, ….
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

__all__ = [
    "algorithm",
    "blind_gradient",
    "generic",
    "gradient_steps",
    "kfc",
    "klin",
    "kron",
    "multiplications",
    "named",
    "numbers",
    "rearranged",
    "tensor",
    "vec",
]

Factors = Sequence[tuple[Tensor, Tensor]]  # (L, R) of each layer


def tensor(values: object) -> Tensor:
    """Float64; exact numbers are rounded."""
    if hasattr(values, "tolist"):  # a sympy matrix
        values = [[float(entry) for entry in row] for row in values.tolist()]
    return torch.as_tensor(values, dtype=torch.float64)


def named(values: Mapping[str, float], name: str, rows: int, columns: int = 1) -> Tensor:
    """The matrix whose entries a claim calls name00, name01, …."""
    return tensor([[values[f"{name}{i}{j}"] for j in range(columns)] for i in range(rows)])


def generic(rows: int, columns: int, seed: int = 0) -> Tensor:
    """Standard normal entries."""
    return torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def vec(matrix: Tensor) -> Tensor:
    """The stacked columns."""
    return matrix.T.reshape(-1)


def kron(left: Tensor, right: Tensor) -> Tensor:
    """Rᵀ ⊗ L, stored in full."""
    return torch.kron(right.T.contiguous(), left.contiguous())


def kfc(factors: Factors, gradient: Tensor, activation: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The network of Kronecker-factored layers, by matrix products; σ between the layers."""
    for number, (left, right) in enumerate(factors):
        hidden = gradient if number == 0 or activation is None else activation(gradient)
        gradient = left @ hidden @ right
    return gradient


def klin(left: Tensor, right: Tensor, gradient: Tensor) -> Tensor:
    """L G R."""
    return left @ gradient @ right


def multiplications(function: Callable[..., Tensor], *inputs: Tensor) -> int:
    """Scalar multiplications of the matrix products that torch executes."""
    with FlopCounterMode(display=False) as counter:
        function(*inputs)
    return counter.get_total_flops() // 2  # it counts an addition with each


def numbers(*parameters: Tensor) -> int:
    """How many numbers the parameters hold."""
    return sum(p.numel() for p in parameters)


def rearranged(matrix: Tensor, m: int, n: int) -> Tensor:
    """The singular values of the m²×n² matrix of the n×n blocks: a Kronecker product has one that is not 0."""
    return torch.linalg.svdvals(matrix.reshape(m, n, m, n).permute(0, 2, 1, 3).reshape(m * m, n * n))


def blind_gradient(left: Tensor, right: Tensor) -> Tensor:
    """A gradient at which no entry of L G R is positive, for regular factors."""
    return torch.linalg.solve(left, -torch.linalg.solve(right.T, torch.ones(right.shape[0], left.shape[0]).to(left)).T)


def gradient_steps(loss: Callable[[Tensor], Tensor], start: Tensor, rate: float) -> Tensor:
    """One step of gradient descent by autograd; differentiable in what the loss and the start were made of."""
    at = start if start.requires_grad else start.detach().requires_grad_()
    (slope,) = torch.autograd.grad(loss(at), at, create_graph=True)
    return at - rate * slope


def algorithm(
    loss: Callable[[Tensor], Tensor],
    update: Callable[[Tensor, Tensor], Tensor],
    theta: Tensor,
    xi: Tensor,
    rate: float,
    steps: int,
) -> list[Tensor]:
    """θ_1, …, θ_{T+1} of Algorithm 1, each with its graph back to θ_1 and ξ_1.

    Args:
        loss: the task's loss.
        update: U(ξ, g).
        theta: θ_1, requiring a gradient.
        xi: ξ_1, requiring a gradient.
        rate: α, of the ξ-updates.
        steps: T.
    """
    thetas = [theta]
    for _ in range(steps):
        value = loss(thetas[-1])
        slope, slope_xi = torch.autograd.grad(value, (thetas[-1], xi), create_graph=True, allow_unused=True)
        # θ_1 does not depend on ξ_1; ξ_2 is then a copy, so that the next gradient is the one in ξ_2
        xi = xi.clone() if slope_xi is None else xi - rate * slope_xi
        thetas.append(thetas[-1] - update(xi, slope))
    return thetas
