"""Plain PyTorch, one task after the other: the baseline, and in float64 the oracle."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call

from ..workloads import LOSSES, Batch, Workload, precondition
from .interface import TorchPrepared


class Loop:
    name = "loop"

    def available(self) -> str | None:
        return None

    def supports(self, workload: Workload) -> bool:
        return True

    def prepare(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> _Prepared:
        leaves = {name: value.to(dtype, copy=True).requires_grad_() for name, value in parameters.items()}
        return _Prepared(workload, batch, leaves)


class _Prepared(TorchPrepared):
    def __init__(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor]) -> None:
        super().__init__(workload, batch, parameters)
        self.model = workload.model()
        self.loss = LOSSES[workload.loss]
        self.initial = {name: parameters[name] for name, _ in self.model.named_parameters()}

    def backward(self) -> float:
        total = 0.0
        # Each task's graph is freed before the next one's is built: less memory, and no slower.
        for support_x, support_y, query_x, query_y in zip(*self.batch, strict=True):
            adapted = self.adapt(support_x, support_y)
            loss = self.loss(functional_call(self.model, adapted, (query_x,)), query_y) / self.workload.tasks
            loss.backward()
            total += loss.item()
        return total

    def adapt(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """One task's parameters after its inner steps, with the graph back to the initial ones."""
        adapted = self.initial
        for _ in range(self.workload.steps):
            loss = self.loss(functional_call(self.model, adapted, (x,)), y)
            gradients = torch.autograd.grad(loss, tuple(adapted.values()), create_graph=True)
            adapted = {
                name: value - self.workload.inner_lr * self.update(name, gradient)
                for (name, value), gradient in zip(adapted.items(), gradients, strict=True)
            }
        return adapted

    def update(self, name: str, gradient: Tensor) -> Tensor:
        if not self.workload.kronecker:
            return gradient
        return precondition(gradient, self.parameters[f"{name}.left"], self.parameters[f"{name}.right"])
