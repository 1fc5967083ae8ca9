"""Optimisers as (init, update) pairs of pure functions: the same ones serve the inner loop and the outer one.

`init(x)` makes the state for a tensor x; `update(gradient, state)` returns the direction d of the step
x <- x - rate d and the next state. Rates belong to the caller, who may give one to each run, task or entry. A
direction can be differentiated, and a run of a batch never sees another's numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

State = tuple[Tensor, ...]

TINY = 1e-30
"""Keeps the derivative of Adam's square root finite at a gradient of 0; far below every square that matters."""


class Optimizer(NamedTuple):
    """An optimiser: `init(x) -> state`, `update(gradient, state) -> (direction, state)`."""

    init: Callable[[Tensor], State]
    update: Callable[[Tensor, State], tuple[Tensor, State]]


def sgd() -> Optimizer:
    """Plain gradient descent: the direction is the gradient."""
    return Optimizer(lambda x: (), lambda gradient, state: (gradient, state))


BETA1 = 0.9
"""What Adam keeps of its mean of gradients, by default."""


def adam(beta1: float = BETA1, beta2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    """Adam (Kingma and Ba, 2015) with bias correction."""

    def init(x: Tensor) -> State:
        return torch.zeros_like(x), torch.zeros_like(x), x.new_zeros(())

    def update(gradient: Tensor, state: State) -> tuple[Tensor, State]:
        mean, square, count = state
        count = count + 1
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient.square()
        scale = (square / (1 - beta2**count) + TINY).sqrt() + eps
        return mean / (1 - beta1**count) / scale, (mean, square, count)

    return Optimizer(init, update)


MOMENTUM = 0.9
"""What momentum keeps of its last direction, by default."""


def momentum(factor: float = MOMENTUM) -> Optimizer:
    """Gradient descent with momentum: the direction is factor times the last one plus the gradient, as torch has it."""

    def update(gradient: Tensor, state: State) -> tuple[Tensor, State]:
        direction = factor * state[0] + gradient
        return direction, (direction,)

    return Optimizer(lambda x: (torch.zeros_like(x),), update)


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {"sgd": sgd, "momentum": momentum, "adam": adam}
"""By the name that a configuration gives."""
