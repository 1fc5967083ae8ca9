"""higher: `innerloop_ctx` around torch's SGD."""

from __future__ import annotations

import torch
from torch import Tensor

from ..workloads import LOSSES, Batch, Workload
from .interface import TorchPrepared, importable, model_with


class Higher:
    name = "higher"

    def available(self) -> str | None:
        return importable("higher")

    def supports(self, workload: Workload) -> bool:
        return not workload.kronecker  # it differentiates torch's optimisers, of which none has factors

    def prepare(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> _Prepared:
        return _Prepared(workload, batch, parameters, dtype)


class _Prepared(TorchPrepared):
    def __init__(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> None:
        self.model = model_with(workload, parameters, dtype)
        self.loss = LOSSES[workload.loss]
        self.inner = torch.optim.SGD(self.model.parameters(), lr=workload.inner_lr)
        super().__init__(workload, batch, dict(self.model.named_parameters()))

    def backward(self) -> float:
        import higher

        total = 0.0
        for support_x, support_y, query_x, query_y in zip(*self.batch, strict=True):
            with higher.innerloop_ctx(self.model, self.inner, copy_initial_weights=False) as (adapted, optimizer):
                for _ in range(self.workload.steps):
                    optimizer.step(self.loss(adapted(support_x), support_y))
                loss = self.loss(adapted(query_x), query_y) / self.workload.tasks
                loss.backward()
            total += loss.item()
        return total
