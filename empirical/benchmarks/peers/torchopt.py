"""TorchOpt: its differentiable `MetaSGD` in a loop over tasks, and its functional SGD under `torch.func.vmap`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ..workloads import LOSSES, Batch, Workload
from .interface import TorchPrepared, importable, model_with


class Torchopt:
    name = "torchopt"

    def available(self) -> str | None:
        return importable("torchopt")

    def supports(self, workload: Workload) -> bool:
        return not workload.kronecker  # it differentiates its own optimisers, of which none has factors

    def prepare(
        self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype
    ) -> TorchPrepared:
        return _Stateful(workload, batch, parameters, dtype)


class TorchoptVmap(Torchopt):
    name = "torchopt+vmap"

    def prepare(
        self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype
    ) -> TorchPrepared:
        leaves = {name: value.to(dtype, copy=True).requires_grad_() for name, value in parameters.items()}
        return _Functional(workload, batch, leaves)


class _Stateful(TorchPrepared):
    def __init__(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> None:
        import torchopt

        self.model = model_with(workload, parameters, dtype)
        self.loss = LOSSES[workload.loss]
        super().__init__(workload, batch, dict(self.model.named_parameters()))
        self.inner = torchopt.MetaSGD(self.model, lr=workload.inner_lr)

    def backward(self) -> float:
        import torchopt

        total = 0.0
        model_state = torchopt.extract_state_dict(self.model, by="reference")
        inner_state = torchopt.extract_state_dict(self.inner, by="reference")
        for support_x, support_y, query_x, query_y in zip(*self.batch, strict=True):
            for _ in range(self.workload.steps):
                self.inner.step(self.loss(self.model(support_x), support_y))
            loss = self.loss(self.model(query_x), query_y) / self.workload.tasks
            loss.backward()
            total += loss.item()
            torchopt.recover_state_dict(self.model, model_state)
            torchopt.recover_state_dict(self.inner, inner_state)
        return total


class _Functional(TorchPrepared):
    def __init__(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor]) -> None:
        import torchopt

        super().__init__(workload, batch, parameters)
        model, loss = _with_plain_batch_norm(workload.model()), LOSSES[workload.loss]
        inner = torchopt.sgd(lr=workload.inner_lr)

        def loss_of(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return loss(functional_call(model, parameters, (x,)), y)

        def of_task(
            parameters: dict[str, Tensor], support_x: Tensor, support_y: Tensor, query_x: Tensor, query_y: Tensor
        ) -> Tensor:
            state = inner.init(parameters)
            for _ in range(workload.steps):
                gradients = grad(loss_of)(parameters, support_x, support_y)
                updates, state = inner.update(gradients, state, inplace=False)
                parameters = torchopt.apply_updates(parameters, updates, inplace=False)
            return loss_of(parameters, query_x, query_y)

        self.of_tasks = vmap(of_task, in_dims=(None, 0, 0, 0, 0))

    def backward(self) -> float:
        loss = self.of_tasks(self.parameters, *self.batch).mean()
        loss.backward()
        return loss.item()


def _with_plain_batch_norm(model: nn.Module) -> nn.Module:
    """Replace batch norm by its formula.

    Under vmap, the second derivative of torch's own is silently wrong (torch 2.13): it takes the batch's statistics for
    constants, and meta-gradients are off by 1e-3 and more. Without this the peer would fail its check on every CNN.
    """
    for name, layer in model.named_children():
        if isinstance(layer, nn.BatchNorm2d):
            setattr(model, name, _BatchNorm(layer))
    return model


class _BatchNorm(nn.Module):
    def __init__(self, layer: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = layer.weight, layer.bias, layer.eps

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((0, 2, 3))
        scale = self.weight * torch.rsqrt(x.square().mean((0, 2, 3)) - mean.square() + self.eps)
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]
