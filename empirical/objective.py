"""A model and a loss as one function of a flat parameter vector, for many runs and tasks at once.

An objective maps parameters (R, T, P) and data to the R × T losses, one for each run and task: the total over a
task's observations, so that it is a negative log-likelihood where the loss of one observation is. Data are a tuple
of tensors with leading dimensions (R, T), or (1, T) where all runs see the same tasks. A loss written for the batch
can be used as it is; `of_module` lifts one that is written for one task.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

Data = tuple[Tensor, ...]
Objective = Callable[[Tensor, Data], Tensor]


def flatten(model: nn.Module) -> Tensor:
    """The model's parameters as one vector (P,), in the order of `named_parameters`. Raises ValueError if it has none."""
    tensors = [p.detach().reshape(-1) for p in model.parameters()]
    if not tensors:
        raise ValueError(f"The model {type(model).__name__} has no parameters: there is nothing to adapt.")
    return torch.cat(tensors)


def unflatten(model: nn.Module, vector: Tensor) -> dict[str, Tensor]:
    """The opposite of `flatten`: a vector (P,) as the model's named parameters."""
    count = sum(p.numel() for p in model.parameters())
    if count != len(vector):
        raise ValueError(
            f"The vector has {len(vector)} entries and the model {count}: give one for each parameter entry."
        )
    named, at = {}, 0
    for name, p in model.named_parameters():
        named[name] = vector[at : at + p.numel()].view(p.shape)
        at += p.numel()
    return named


def of_module(model: nn.Module, loss: Callable[..., Tensor]) -> Objective:
    """Lift any model and any loss to an objective.

    Args:
        model: called with the first of a task's tensors, e.g. its inputs (n, ...).
        loss: called with the model's output and the task's other tensors; returns a scalar, the total over observations.

    All parameters adapt, those with `requires_grad=False` too. Batch norm must be in eval mode: its statistics are buffers,
    which tasks would share.

    Raises:
        ValueError: the model has no parameters; when called, the loss is no scalar, or the data do not begin with (runs, tasks).
    """
    flatten(model)  # a model without parameters is refused here, not in the middle of a run

    def one(vector: Tensor, inputs: Tensor, *rest: Tensor) -> Tensor:
        value = loss(functional_call(model, unflatten(model, vector), (inputs,)), *rest)
        if value.ndim:
            raise ValueError(
                f"The loss of one task has shape {tuple(value.shape)}: return one number, the total over the task's observations."
            )
        return value

    def objective(parameters: Tensor, data: Data) -> Tensor:
        runs, tasks = parameters.shape[:2]
        for d in data:
            if d.ndim < 2 or d.shape[0] not in (1, runs) or d.shape[1] != tasks:
                raise ValueError(
                    f"A tensor of the data has shape {tuple(d.shape)}, and there are {runs} runs of {tasks} tasks: expected it to "
                    "begin with (runs, tasks), or with (1, tasks) where all runs see the same."
                )
        spread = tuple(d.expand(runs, *d.shape[1:]) if d.shape[0] == 1 else d for d in data)
        return vmap(vmap(one))(parameters, *spread)

    return objective
