"""Matrix-free linear algebra with Hessians: products, diagonals, and conjugate gradient for many systems at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def hessian_product(loss: Callable[[Tensor], Tensor], at: Tensor) -> Callable[[Tensor], Tensor]:
    """The map v -> H v for the Hessians of R × T losses at parameters (R, T, P), each with its own v.

    The gradient's graph is made once and serves all products.
    """
    with torch.enable_grad():
        point = at.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(point).sum(), point, create_graph=True)

    def product(v: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a loss that is linear in the parameters
            return torch.zeros_like(v)
        (found,) = torch.autograd.grad(gradient, point, v, retain_graph=True, allow_unused=True)
        return torch.zeros_like(v) if found is None else found

    return product


def hessian_diagonal(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The diagonals (R, T, P) of the Hessians at (R, T, P), by P products: for models of moderate size."""
    product, diagonal = hessian_product(loss, at), torch.empty_like(at)
    for entry in range(at.shape[-1]):
        basis = torch.zeros_like(at)
        basis[..., entry] = 1
        diagonal[..., entry] = product(basis)[..., entry]
    return diagonal


def conjugate_gradient(
    product: Callable[[Tensor], Tensor], b: Tensor, *, tolerance: float = 1e-10, iterations: int | None = None
) -> tuple[Tensor, Tensor]:
    """Solve A x = b for many symmetric positive definite A at once, each by its own conjugate gradient iteration.

    b is (..., P); a system stops when its residual is at most `tolerance` times its b, after `iterations` (2 P by default), or
    where it meets a direction whose curvature is not positive: there A is not positive definite, or not finite. Returns the
    iterate with the least residual, and for each system (...) whether it met such a direction.
    """
    x, residual = torch.zeros_like(b), b.clone()
    direction, square = residual.clone(), residual.square().sum(-1)
    best, least = x, square
    goal = tolerance**2 * square
    broken = ~torch.isfinite(square)
    active = square > goal
    for _ in range(2 * b.shape[-1] if iterations is None else iterations):
        if not active.any():
            break
        image = product(direction)
        curvature = (direction * image).sum(-1)
        broken |= active & ~(curvature > 0)  # not a number is not positive either
        active &= curvature > 0
        zero = torch.zeros_like(square)
        size = torch.where(active, square / torch.where(active, curvature, 1.0), zero)
        # a direction that is not used may hold what is not finite
        x = torch.where(active[..., None], x + size[..., None] * direction, x)
        residual = torch.where(active[..., None], residual - size[..., None] * image, residual)
        following = residual.square().sum(-1)
        better = following < least
        best, least = torch.where(better[..., None], x, best), torch.where(better, following, least)
        growth = torch.where(active, following / torch.where(active, square, 1.0), zero)
        direction = torch.where(active[..., None], residual + growth[..., None] * direction, direction)
        square = torch.where(active, following, square)
        active = active & (square > goal)
    return best, broken
