"""A model and a loss as one function of a flat parameter vector, for many runs and tasks at once.

An objective maps parameters (R, T, P) and data to the R × T losses, one for each run and task: the total over a
task's observations, so that it is a negative log-likelihood where the loss of one observation is. Data are inputs and
targets with leading dimensions (R, T), or (1, T) where all runs see the same tasks. A loss written for the batch
can be used as it is; `of_module` lifts one that is written for one task.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .layers import BatchNormMode, TaskModel
from .losses import Loss, batched

Data = tuple[Tensor, Tensor]
"""Inputs and targets."""
Objective = Callable[[Tensor, Data], Tensor]


def flatten(model: nn.Module) -> Tensor:
    """The model's parameters as one vector (P,), in the order of `named_parameters`. Raises ValueError if it has none."""
    tensors = [p.detach().reshape(-1) for p in model.parameters()]
    if not tensors:
        raise ValueError(f"The model {type(model).__name__} has no parameters: there is nothing to adapt.")
    return torch.cat(tensors)


def unflatten(model: nn.Module, vector: Tensor) -> dict[str, Tensor]:
    """The opposite of `flatten`, for any number of vectors (..., P): the model's named parameters, each (..., *shape)."""
    shapes = {name: p.shape for name, p in model.named_parameters()}
    count = sum(shape.numel() for shape in shapes.values())
    if count != vector.shape[-1]:
        raise ValueError(
            f"The vector has {vector.shape[-1]} entries and the model {count}: give one for each parameter entry."
        )
    parts = vector.split([shape.numel() for shape in shapes.values()], -1)
    return {
        name: part.reshape(*vector.shape[:-1], *shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }


class ModuleObjective:
    """A model and a loss as an objective: what `of_module` makes."""

    def __init__(self, model: nn.Module, loss: Loss, batch_norm: BatchNormMode):
        if not callable(loss):
            raise ValueError(
                f"The loss is {loss!r}: expected a function of one task's (outputs, targets) that returns the total over its "
                "observations; the named losses are means."
            )
        if batch_norm == "support":
            raise ValueError(
                "batch_norm is 'support', which an objective cannot have: take 'transductive' or 'running'."
            )
        self.model, self.loss = TaskModel(model, batch_norm), batched(loss)

    def start(self) -> Tensor:
        """The model's own parameters (P,)."""
        return flatten(self.model.module)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> None:
        """Move the copy of the model."""
        self.model.to(device, dtype)

    def __call__(self, parameters: Tensor, data: Data) -> Tensor:
        """The losses (R, T)."""
        runs, tasks = parameters.shape[:2]
        for part in data:
            if part.ndim < 3 or part.shape[0] not in (1, runs) or part.shape[1] != tasks:
                raise ValueError(
                    f"A tensor of the data has shape {tuple(part.shape)}, and there are {runs} runs of {tasks} tasks: expected it to "
                    "begin with (runs, tasks, points), or with (1, tasks, points) where all runs see the same."
                )
        x, y = (part.expand(runs, *part.shape[1:]) for part in data)
        return self.loss(self.model(unflatten(self.model.module, parameters), x), y)


def of_module(model: nn.Module, loss: Loss, batch_norm: BatchNormMode = "transductive") -> ModuleObjective:
    """Lift any model and any loss to an objective.

    Args:
        model: any `nn.Module`; it is copied. All parameters adapt, those with `requires_grad=False` too.
        loss: a function of one task's (outputs, targets) that returns one number, the total over its observations.
        batch_norm: "transductive" or "running": whose statistics batch norm uses (see `layers.BATCH_NORM`).

    Raises:
        ValueError: a model without parameters, a loss that is no function, a mode that this model cannot have; when called, a
            loss that is no scalar, or data that do not begin with (runs, tasks).
    """
    return ModuleObjective(model, loss, batch_norm)
