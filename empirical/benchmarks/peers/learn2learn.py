"""learn2learn: `MAML`, and `GBML` with a Kronecker-factored transform."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..workloads import LOSSES, Batch, Workload
from .interface import TorchPrepared, importable, model_with


class Learn2learn:
    name = "learn2learn"

    def available(self) -> str | None:
        return importable("learn2learn", "0.2.0, its last release, does not build on Python 3.11 or newer")

    def supports(self, workload: Workload) -> bool:
        return True

    def prepare(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> _Prepared:
        return _Prepared(workload, batch, parameters, dtype)


class _Prepared(TorchPrepared):
    def __init__(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> None:
        import learn2learn as l2l

        self.loss = LOSSES[workload.loss]
        model = model_with(workload, parameters, dtype)
        held: dict[str, Tensor] = dict(model.named_parameters())
        if workload.kronecker:
            transform = l2l.optim.KroneckerTransform(l2l.nn.KroneckerLinear, psd=False)
            self.learner = l2l.algorithms.GBML(model, transform, lr=workload.inner_lr).to(dtype)
            held |= _factors(model, self.learner.compute_update, parameters)
        else:
            self.learner = l2l.algorithms.MAML(model, lr=workload.inner_lr)
        # where the library holds a factor's transpose, gradients are turned back on their way out
        self.transposed = {
            f"{name}.{side}" for name, p in model.named_parameters() if p.ndim != 2 for side in ("left", "right")
        }
        super().__init__(workload, batch, held)

    def backward(self) -> float:
        total = 0.0
        for support_x, support_y, query_x, query_y in zip(*self.batch, strict=True):
            learner = self.learner.clone()
            for _ in range(self.workload.steps):
                learner.adapt(self.loss(learner(support_x), support_y))
            loss = self.loss(learner(query_x), query_y) / self.workload.tasks
            loss.backward()
            total += loss.item()
        return total

    def gradient(self) -> dict[str, Tensor]:
        return {name: g.T if name in self.transposed else g for name, g in super().gradient().items()}


def _factors(model: nn.Module, update: nn.Module, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Set the library's factors to the values given, and return them by our names.

    A convolution's filter is a matrix (C, HW) there and a bias a column, so that its left factor is our right one, transposed.
    """
    found = {}
    for (name, p), index in zip(model.named_parameters(), update.transforms_indices, strict=True):
        kronecker = update.transforms_modules[index].transform
        sides = {"left": kronecker.left, "right": kronecker.right}
        if p.ndim != 2:
            sides = {"left": kronecker.right, "right": kronecker.left}
        for side, factor in sides.items():
            value = values[f"{name}.{side}"]
            with torch.no_grad():
                factor.copy_(value if p.ndim == 2 else value.T)
            found[f"{name}.{side}"] = factor
    return found
