"""JAX: the whole meta-iteration, optimiser included, in one `jit`, with `vmap` over tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..workloads import Batch, Workload
from .interface import importable

Array = Any  # jax.Array: the library may be missing
Tree = dict[str, Array]


class Jax:
    name = "jax"

    def available(self) -> str | None:
        return importable("jax")

    def supports(self, workload: Workload) -> bool:
        return True

    def prepare(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> _Prepared:
        return _Prepared(workload, batch, parameters, dtype)


class _Prepared:
    def __init__(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> None:
        import jax

        self.wide = dtype == torch.float64  # JAX has float64 only where it is asked for, and asking slows float32 down
        meta_loss = _meta_loss(workload)

        def step(parameters: Tree, state: tuple[Array, Tree, Tree], batch: Batch) -> tuple[Array, Tree, tuple]:
            loss, gradient = jax.value_and_grad(meta_loss)(parameters, batch)
            return loss, *_outer(workload, parameters, gradient, state)

        # The old parameters and optimiser state are given up, so that the new ones can take their place in memory.
        self._step = jax.jit(step, donate_argnums=(0, 1))
        self._gradient = jax.jit(jax.grad(meta_loss))
        with jax.enable_x64(self.wide):
            # copies: an array that is donated must not share a tensor's memory
            self.parameters = {name: jax.numpy.array(value.numpy(), copy=True) for name, value in parameters.items()}
            zeros = [jax.tree.map(jax.numpy.zeros_like, self.parameters) for _ in range(2)]
            self.state = (jax.numpy.zeros((), np.int32), *zeros)
            self.batch = tuple(jax.numpy.array(part.numpy()) for part in batch)

    def gradient(self) -> dict[str, Tensor]:
        import jax

        with jax.enable_x64(self.wide):
            found = self._gradient(self.parameters, self.batch)
            return {name: torch.from_numpy(np.array(value)) for name, value in found.items()}

    def step(self) -> float:
        import jax

        with jax.enable_x64(self.wide):
            loss, self.parameters, self.state = self._step(self.parameters, self.state, self.batch)
            jax.block_until_ready(self.parameters)
            return float(loss)


def _meta_loss(workload: Workload) -> Callable[[Tree, Batch], Array]:
    """The mean query loss over tasks after adaptation, as a function of all that is meta-learned."""
    import jax

    model = workload.model()
    network = _network(model)
    adapting = [name for name, _ in model.named_parameters()]
    loss = {"bce": _bce, "cross_entropy": _cross_entropy, "mse": _mse}[workload.loss]

    def loss_of(parameters: Tree, x: Array, y: Array) -> Array:
        return loss(network(parameters, x), y)

    def of_task(meta: Tree, support_x: Array, support_y: Array, query_x: Array, query_y: Array) -> Array:
        parameters = {name: meta[name] for name in adapting}
        for _ in range(workload.steps):
            gradient = jax.grad(loss_of)(parameters, support_x, support_y)
            if workload.kronecker:
                gradient = {
                    name: _precondition(g, meta[f"{name}.left"], meta[f"{name}.right"]) for name, g in gradient.items()
                }
            parameters = {name: value - workload.inner_lr * gradient[name] for name, value in parameters.items()}
        return loss_of(parameters, query_x, query_y)

    return lambda meta, batch: jax.vmap(of_task, in_axes=(None, 0, 0, 0, 0))(meta, *batch).mean()


def _outer(workload: Workload, parameters: Tree, gradient: Tree, state: tuple) -> tuple[Tree, tuple]:
    """One step of SGD or of Adam; the state is Adam's count and moments."""
    import jax
    import jax.numpy as jnp

    rate = workload.outer_lr
    if workload.outer == "sgd":
        return jax.tree.map(lambda p, g: p - rate * g, parameters, gradient), state
    count, mean, square = state
    count = count + 1
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
    square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, gradient)

    def updated(p: Array, m: Array, s: Array) -> Array:
        power = count.astype(p.dtype)
        return p - rate * (m / (1 - 0.9**power)) / (jnp.sqrt(s / (1 - 0.999**power)) + 1e-8)

    return jax.tree.map(updated, parameters, mean, square), (count, mean, square)


def _bce(logits: Array, y: Array) -> Array:
    import jax

    return (jax.nn.softplus(logits) - y * logits).mean()


def _cross_entropy(logits: Array, y: Array) -> Array:
    import jax

    return -jax.numpy.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()


def _mse(prediction: Array, y: Array) -> Array:
    return ((prediction - y) ** 2).mean()


def _precondition(gradient: Array, left: Array, right: Array) -> Array:
    if gradient.ndim != 4:
        return (left @ gradient.reshape(len(left), -1) @ right).reshape(gradient.shape)
    filters = gradient.reshape(*gradient.shape[:2], -1).swapaxes(1, 2)
    return (left @ filters @ right).swapaxes(1, 2).reshape(gradient.shape)


def _network(model: nn.Module) -> Callable[[Tree, Array], Array]:
    """The forward pass of one of the workloads' models, which are single layers and sequences of them.

    Images are held channels last, (n, H, W, C).
    """
    layers = list(model.named_children()) or [("", model)]

    def forward(parameters: Tree, x: Array) -> Array:
        if x.ndim == 4:
            x = x.transpose(0, 2, 3, 1)
        for name, layer in layers:
            own = {key: parameters.get(f"{name}.{key}" if name else key) for key in ("weight", "bias")}
            x = _LAYERS[type(layer)](layer, own, x)
        return x

    return forward


def _linear(layer: nn.Linear, own: Tree, x: Array) -> Array:
    product = x @ own["weight"].T
    return product if own["bias"] is None else product + own["bias"]


def _convolution(layer: nn.Conv2d, own: Tree, x: Array) -> Array:
    """By patches and one matrix product: under `vmap`, each task's own weights would make a grouped convolution, which is slow."""
    import jax.numpy as jnp

    (height, width), (rows, columns), (pad_y, pad_x) = layer.kernel_size, layer.stride, layer.padding
    x = jnp.pad(x, ((0, 0), (pad_y, pad_y), (pad_x, pad_x), (0, 0)))
    down, across = (x.shape[1] - height) // rows + 1, (x.shape[2] - width) // columns + 1
    patches = jnp.concatenate(
        [
            x[:, i : i + rows * (down - 1) + 1 : rows, j : j + columns * (across - 1) + 1 : columns]
            for i in range(height)
            for j in range(width)
        ],
        axis=-1,
    )
    weight = own["weight"].transpose(2, 3, 1, 0).reshape(-1, layer.out_channels)
    return patches @ weight + own["bias"]


def _batch_norm(layer: nn.BatchNorm2d, own: Tree, x: Array) -> Array:
    import jax.numpy as jnp

    mean = x.mean((0, 1, 2))
    variance = (x * x).mean((0, 1, 2)) - mean * mean
    scale = own["weight"] / jnp.sqrt(variance + layer.eps)
    return x * scale + (own["bias"] - mean * scale)


def _relu(layer: nn.ReLU, own: Tree, x: Array) -> Array:
    import jax

    return jax.nn.relu(x)


_LAYERS: dict[type[nn.Module], Callable[[Any, Tree, Array], Array]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: _relu,
    nn.AdaptiveAvgPool2d: lambda layer, own, x: x.mean((1, 2)),
    nn.Flatten: lambda layer, own, x: x,  # the mean over space leaves no dimension to flatten
}
