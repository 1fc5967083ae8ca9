"""Losses of a task's predictions, for many tasks at once, and the accuracies that go with them."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import vmap

Loss = Callable[[Tensor, Tensor], Tensor]


def _cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    chosen = output.log_softmax(-1).gather(-1, target[..., None])[..., 0]
    return -chosen.flatten(2).mean(-1)


def _bce(output: Tensor, target: Tensor) -> Tensor:
    logits = _like(output, target)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(2).mean(-1)


def _mse(output: Tensor, target: Tensor) -> Tensor:
    return (_like(output, target) - target).square().flatten(2).mean(-1)


def _like(output: Tensor, target: Tensor) -> Tensor:
    """Outputs (R, T, n, 1) as (R, T, n) where the targets are."""
    return output[..., 0] if output.ndim == target.ndim + 1 and output.shape[-1] == 1 else output


LOSSES: dict[str, Loss] = {"cross_entropy": _cross_entropy, "bce": _bce, "mse": _mse}
"""From outputs (R, T, n, ...) and targets (R, T, n, ...) to each task's mean loss (R, T). bce takes logits and targets 0 and 1."""

ACCURACIES: dict[str, Loss] = {
    "cross_entropy": lambda output, target: (output.argmax(-1) == target).to(output.dtype).flatten(2).mean(-1),
    "bce": lambda output, target: ((_like(output, target) > 0) == (target > 0.5)).to(output.dtype).flatten(2).mean(-1),
}
"""The share of right answers (R, T), for the losses that classify."""


def batched(loss: str | Loss) -> Loss:
    """A loss for many tasks: one of LOSSES, or any that is written for one task, (outputs, targets) -> scalar.

    Raises ValueError for an unknown name; when called, for a loss of one task that is no scalar.
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"The loss is {loss!r}: expected {', '.join(map(repr, LOSSES))}, or a function.")
        return LOSSES[loss]

    def one(output: Tensor, target: Tensor) -> Tensor:
        value = loss(output, target)
        if value.ndim:
            raise ValueError(f"The loss of one task has shape {tuple(value.shape)}: return one number.")
        return value

    return vmap(vmap(one))


def metrics(loss: str | Loss, output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """What can be measured beside the loss: {"accuracy": (R, T)} or nothing."""
    if not isinstance(loss, str) or loss not in ACCURACIES:
        return {}
    with torch.no_grad():
        return {"accuracy": ACCURACIES[loss](output, target)}
