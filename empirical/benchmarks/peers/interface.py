"""What every engine that is measured looks like."""

from __future__ import annotations

import importlib
from typing import Protocol

import torch
from torch import Tensor, nn

from ..workloads import Batch, Workload


class Prepared(Protocol):
    """An engine that has a workload, its data and its initial values, and holds parameters and optimiser state."""

    def gradient(self) -> dict[str, Tensor]:
        """The meta-gradient at the values held now (the initial ones before the first step), by name."""

    def step(self) -> float:
        """One meta-iteration: updates the parameters held and returns the meta-loss before it. Blocks until all is done."""


class Peer(Protocol):
    """An engine."""

    name: str

    def available(self) -> str | None:
        """None where it can run here, else one sentence that says why not."""

    def supports(self, workload: Workload) -> bool:
        """Whether it can express this workload."""

    def prepare(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> Prepared:
        """Take in data and initial values (both of `dtype`, left unchanged). Compiling may happen here or in the first step."""


class Failed(Exception):
    """What an engine raised elsewhere, or how it ended there, as text."""


def importable(library: str, hint: str = "") -> str | None:
    """None where the library can be imported, else one sentence that says why not."""
    try:
        importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name == library:
            return f"{library} is not installed{hint and ': '}{hint}."
        return f"{library} cannot be imported: {error}."
    except Exception as error:  # whatever a library of another age raises when it meets this Python or torch
        return f"{library} cannot be imported: {type(error).__name__}: {error}."
    return None


class TorchPrepared:
    """What the peers on PyTorch share: parameters whose `.grad` a meta-loss fills, and an optimiser of torch's.

    A subclass writes `backward`.
    """

    def __init__(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor]) -> None:
        """Keep the parameters given, which are leaves that require gradients, and update them in place."""
        self.workload, self.batch, self.parameters = workload, batch, parameters
        outer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[workload.outer]
        self.optimizer = outer(list(parameters.values()), lr=workload.outer_lr)

    def backward(self) -> float:
        """Add the meta-gradient to the parameters' `.grad` and return the meta-loss."""
        raise NotImplementedError

    def gradient(self) -> dict[str, Tensor]:
        self.optimizer.zero_grad()
        self.backward()
        return {name: p.grad.clone() for name, p in self.parameters.items()}

    def step(self) -> float:
        self.optimizer.zero_grad()
        loss = self.backward()
        self.optimizer.step()
        return loss


def model_with(workload: Workload, parameters: dict[str, Tensor], dtype: torch.dtype) -> nn.Module:
    """The workload's model, holding copies of these values; factors of a transform are passed over."""
    model = workload.model().to(dtype)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(parameters[name])
    return model
