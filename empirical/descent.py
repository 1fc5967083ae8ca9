"""Descent of a function of flat parameters, for many runs and tasks at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .optimizers import Optimizer, sgd


def descend(
    loss: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    rate: Tensor | float,
    steps: int,
    optimizer: Optimizer | None = None,
    unrolled: bool = False,
    observe: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """Minimise R × T losses by gradient steps, each over its own parameters: start (R, T, P), loss to (R, T).

    `rate` broadcasts against (R, T, P). With `unrolled` the result can be differentiated through all steps; without, memory is
    constant in their number. `observe(step, parameters)` is called before the first step, with 0, and after each. Raises
    ValueError for a negative number of steps.
    """
    if steps < 0:
        raise ValueError(f"The number of inner steps is {steps}: expected 0 or more.")
    optimizer = optimizer or sgd()
    point = start if unrolled else start.detach()
    state = optimizer.init(point.detach())
    if observe:
        observe(0, point)
    for step in range(1, steps + 1):
        with torch.enable_grad():
            at = point if unrolled and point.requires_grad else point.detach().requires_grad_()
            # A task's loss reads that task's parameters alone: the gradient of the sum is each task's own.
            (gradient,) = torch.autograd.grad(loss(at).sum(), at, create_graph=unrolled)
        direction, state = optimizer.update(gradient, state)
        point = point - rate * direction
        if not unrolled:
            point = point.detach()
        if observe:
            observe(step, point)
    return point
