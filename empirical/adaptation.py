"""The inner loop: gradient steps by autograd, for many tasks at once, that can be differentiated through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from .divergence import DivergenceError
from .optimizers import Optimizer, sgd

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


def descend(
    loss: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    rate: Tensor | float,
    steps: int,
    optimizer: Optimizer | None = None,
    through: Literal["nothing", "first-order", "second-order"] = "nothing",
    observe: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """Minimise R × T losses by gradient steps, each over its own parameters: start (R, T, P), loss to (R, T).

    `rate` broadcasts against (R, T, P). `through` says what of the steps the result can be differentiated through: nothing,
    which keeps the memory constant in the number of steps; the sum of the steps, each gradient taken as a constant
    (first-order MAML); or the gradients too. `observe(step, parameters)` is called before the first step, with 0, and after
    each. Raises ValueError for a negative number of steps. A parameter that is not finite is left so: see `check_finite`.
    """
    if steps < 0:
        raise ValueError(f"The number of inner steps is {steps}: expected 0 or more.")
    optimizer = optimizer or sgd()
    point = start.detach() if through == "nothing" else start
    state = optimizer.init(point.detach())
    if observe:
        observe(0, point)
    for step in range(1, steps + 1):
        with torch.enable_grad():
            at = point if through == "second-order" and point.requires_grad else point.detach().requires_grad_()
            # A task's loss reads that task's parameters alone: the gradient of the sum is each task's own.
            (gradient,) = torch.autograd.grad(loss(at).sum(), at, create_graph=through == "second-order")
        direction, state = optimizer.update(gradient, state)
        point = point - rate * direction
        if through == "nothing":
            point = point.detach()
        if observe:
            observe(step, point)
    return point


def check_finite(
    end: Tensor, again: Callable[[Callable[[int, Tensor], None]], object], setting: str, rates: Sequence[float]
) -> None:
    """Raise DivergenceError where parameters (R, T, P) that `descend` returned are not finite.

    Looking only at the end costs nothing while all is well, also on a GPU; the step at which it went wrong is found by
    running the loop `again(observe)`, which is deterministic. `setting` and one rate for each run go into the message.
    """
    if torch.isfinite(end).all():
        return
    found: list[tuple[int, int, int]] = []

    def observe(step: int, point: Tensor) -> None:
        bad = torch.nonzero(~torch.isfinite(point).all(dim=-1))
        if len(bad) and not found:
            found.append((step, *bad[0].tolist()))

    again(observe)
    if not found:  # on a GPU sums may come out otherwise the second time
        raise DivergenceError(
            f"The inner loop is not finite at its end, with {setting}: take a smaller inner learning rate."
        )
    step, run, task = found[0]
    raise DivergenceError(
        f"The inner loop is not finite from step {step} on, in task {task} of run {run}, with {setting} and inner learning rate "
        f"{rates[run]:.4g}: take a smaller inner learning rate, or one below 2 over the objective's largest curvature.",
        run,
    )


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
