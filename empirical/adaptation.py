"""Gradient steps by plain autograd, for many tasks at once: the witness for exact formulas, and for the engine's inner loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
Loss = Callable[[Tensors], Tensor]
Transform = Callable[[Tensors], Tensors]


def adapt(
    loss: Loss,
    parameters: Sequence[Tensor],
    *,
    lr: float | Tensor,
    steps: int,
    transform: Transform | None = None,
    first_order: bool = False,
) -> Tensors:
    """Take `steps` gradient steps on every task: w <- w - lr transform(gradient of that task's loss at w).

    Each parameter has shape (T, ...), one slice per task; `loss` maps the parameters to the T losses (T,).
    The result can be differentiated with respect to the parameters, through the gradients too unless
    `first_order`. Raises ValueError for a negative number of steps. Source: arnold2021, eq. (27), repeated.
    """
    if steps < 0:
        raise ValueError(f"The number of inner steps is {steps}: expected 0 or more.")
    # Autograd needs the parameters in a graph even where the caller wants only numbers.
    current = tuple(p if p.requires_grad else p.detach().requires_grad_() for p in parameters)
    with torch.enable_grad():
        for _ in range(steps):
            # A task's loss reads that task's slice alone: the gradient of the sum is each task's own.
            gradients = torch.autograd.grad(loss(current).sum(), current, create_graph=not first_order)
            updates = transform(gradients) if transform else gradients
            current = tuple(p - lr * u for p, u in zip(current, updates, strict=True))
    return current


def only_tensors(adapts: Sequence[bool]) -> Transform:
    """Adapt only some of the parameters: one boolean for each tensor."""
    return lambda gradients: tuple(g if on else torch.zeros_like(g) for g, on in zip(gradients, adapts, strict=True))


def only_layers(adapts: Sequence[bool] | Tensor) -> Transform:
    """Adapt only some layers of a scalar network with weights (T, L).

    `adapts` holds one boolean for each layer, upper layer first. (True, False) on a deep network (a, b)
    adapts the head a alone, as ANIL does.
    """
    mask = torch.as_tensor(adapts)
    if mask.dtype != torch.bool or mask.ndim != 1:
        raise ValueError(f"adapts is {adapts!r}: expected one boolean for each layer, upper layer first.")

    def transform(gradients: Tensors) -> Tensors:
        (g,) = gradients
        if g.shape[-1] != len(mask):
            raise ValueError(
                f"adapts has {len(mask)} booleans, the network {g.shape[-1]} layers: expected one for each."
            )
        return (g * mask.to(g),)

    return transform


def precondition(matrix: Tensor | Sequence[Sequence[float]]) -> Transform:
    """Multiply every task's gradient g (T, L) by a matrix M (L, L): g <- M g (arnold2021, eq. (24))."""

    def transform(gradients: Tensors) -> Tensors:
        (g,) = gradients
        m = torch.as_tensor(matrix, dtype=g.dtype, device=g.device)
        if m.shape != (g.shape[-1],) * 2:
            raise ValueError(f"The preconditioner has shape {tuple(m.shape)}: expected {(g.shape[-1],) * 2}.")
        return (g @ m.T,)

    return transform


def chain(*transforms: Transform) -> Transform:
    """Apply the transforms one after another, the first one first."""

    def transform(gradients: Tensors) -> Tensors:
        for each in transforms:
            gradients = each(gradients)
        return gradients

    return transform


def layer_rule(
    adapts: Sequence[bool] | Tensor | None = None,
    preconditioner: Tensor | Sequence[Sequence[float]] | None = None,
) -> Transform:
    """The scalar network's step mask * (M g): the preconditioner first, then the mask; either may be absent.

    In this order a frozen layer never moves, whatever the preconditioner mixes into it.
    """
    rules = []
    if preconditioner is not None:
        rules.append(precondition(preconditioner))
    if adapts is not None:
        rules.append(only_layers(adapts))
    return chain(*rules)
