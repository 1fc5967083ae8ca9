"""A model run for many tasks at once, each with its own weights: how every layer is applied, and its weights' gradients.

Everything has two leading dimensions, runs and tasks. Inputs are (R, T, n, ...). A weight is (R, T, *shape), or (R, 1, *shape)
while all tasks of a run share it: before the first inner step, and for what does not adapt. Sharing is worth a lot, for one
product over all tasks' points is much faster than one for each task.

The gradient of a layer's weights is a product of the layer's input and the gradient at its output. So the inner loop
differentiates with respect to outputs (see `Tap`), and shared weights have a gradient for each task without being copied.

Layers with a rule in LAYERS run by it, `nn.Sequential` by its parts, and any other module as it is, through `torch.func.vmap`.
The rules are held to that form by the tests.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.dropout import _DropoutNd

from . import images
from .images import Images
from .normalisation import Channels, normalise

BatchNormMode = Literal["transductive", "support", "running"]
BATCH_NORM = {
    "transductive": "the statistics of whatever points are predicted together, the query points among them",
    "support": "the statistics of the task's support points, under the weights in use",
    "running": "the statistics that the model brought along",
}
"""Where batch norm takes its statistics from."""


@dataclass(frozen=True)
class Products:
    """A gradient Σ_k left_k right_kᵀ of a weight matrix, not multiplied out: left (R, T, k, o), right (R, T, k, i)."""

    left: Tensor
    right: Tensor

    def dense(self) -> Tensor:
        """As a matrix for each task: (R, T, o, i)."""
        return matmul(self.left.mT, self.right)


@dataclass(frozen=True)
class LowRank:
    """A weight matrix base + Σ_k left_k right_kᵀ: base (R, 1, o, i), shared by the tasks."""

    base: Tensor
    update: Products

    def dense(self) -> Tensor:
        """As a matrix for each task: (R, T, o, i)."""
        return self.base + self.update.dense()

    @property
    def mT(self) -> LowRank:
        """The transpose."""
        return LowRank(self.base.mT, Products(self.update.right, self.update.left))


Weight = Tensor | LowRank
Weights = dict[str, Weight]
Gradient = Tensor | Products


def dense(value: Weight | Gradient) -> Tensor:
    """A weight or a gradient as one tensor."""
    return value if isinstance(value, Tensor) else value.dense()


@dataclass(frozen=True)
class Tap:
    """Where to differentiate a task's loss so as to get weights' gradients.

    Attributes:
        at: a tensor on the way to the loss, with a part for each task.
        gradients: from the gradient there to those of the weights, each (R, T, *shape), by name.
    """

    at: Tensor
    gradients: Callable[[Tensor], dict[str, Gradient]]


@dataclass
class Pass:
    """One pass through the model.

    Attributes:
        adapts: the names of weights whose gradients are wanted.
        taps: filled in by the layers, where there are such weights.
        collect: a dict to be filled with batch-norm statistics by layer.
        statistics: such a dict, to be used in place of the batch's own.
        batch_norm: the model's mode.
        data: the model's inputs, where `products` of them are kept.
        products: `data` times a weight that all tasks share, kept from one pass to the next: with low-rank updates, a layer whose
            input is the data has the same product at every inner step.
    """

    adapts: frozenset[str] = frozenset()
    taps: list[Tap] = field(default_factory=list)
    collect: dict[str, tuple[Tensor, Tensor]] | None = None
    statistics: dict[str, tuple[Tensor, Tensor]] | None = None
    batch_norm: BatchNormMode = "transductive"
    data: Tensor | None = None
    products: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def product(self, x: Tensor, weight: Weight) -> Tensor:
        """Inputs (R, T, n, i) times weight (R, T or 1, o, i) transposed."""
        base = weight.base if isinstance(weight, LowRank) else weight
        if x is not self.data or base.shape[1] == x.shape[1]:
            return _product(x, weight)
        kept = self.products.get(id(base))
        if kept is None:  # the base is kept too, so that no other tensor takes its place
            kept = self.products[id(base)] = (base, _product(x, base))
        return kept[1] if base is weight else kept[1] + _low_rank_product(x, weight.update)

    def tap(self, prefix: str, at: Tensor, gradients: dict[str, Callable[[Tensor], Gradient]]) -> None:
        """Note a tap for those of a layer's weights that adapt."""
        wanted = {prefix + name: make for name, make in gradients.items() if prefix + name in self.adapts}
        if wanted:
            self.taps.append(Tap(at, lambda d: {name: make(d) for name, make in wanted.items()}))


class TaskModel:
    """A model as a function of weights for many tasks.

    Args:
        model: any module; it is copied, and its parameters are read as the initial weights.
        batch_norm: a key of BATCH_NORM.

    Raises:
        ValueError: the model has no parameters, an unknown mode, or a mode that this model cannot have.
    """

    def __init__(self, model: nn.Module, batch_norm: BatchNormMode = "transductive"):
        if not isinstance(model, nn.Module):
            raise ValueError(f"The model is {model!r}: expected a torch.nn.Module.")
        if batch_norm not in BATCH_NORM:
            raise ValueError(f"batch_norm is {batch_norm!r}: expected {', '.join(map(repr, BATCH_NORM))}.")
        self.module, self.batch_norm = copy.deepcopy(model), batch_norm
        self.initial = {name: p.detach() for name, p in self.module.named_parameters()}
        if not self.initial:
            raise ValueError(f"The model {type(model).__name__} has no parameters: there is nothing to adapt.")
        if len(list(self.module.named_parameters(remove_duplicate=False))) > len(self.initial):
            self._parts = [("", self.module)]  # tied weights: only the module itself knows how
        else:
            self._parts = _with_chains(_parts(self.module))
        for layer in self.module.modules():
            if getattr(layer, "inplace", False):
                layer.inplace = False  # what a layer put out is differentiated with respect to, and must stay
        for name, part in self._parts:
            if _rule(part) is _any:
                self._prepare(name, part)
            if isinstance(part, BATCH_NORMS) and _rule(part) is _any:
                raise ValueError(
                    f"The layer {name!r} is a {type(part).__name__}{' with hooks' * _has_hooks(part)}: use torch's own batch norm, "
                    "without hooks."
                )
            elif isinstance(part, BATCH_NORMS) and batch_norm == "running" and part.running_mean is None:
                raise ValueError(
                    f"batch_norm is 'running', and the layer {name!r} keeps no statistics: make it with track_running_stats=True, "
                    "or take 'transductive' or 'support'."
                )

    def _prepare(self, name: str, part: nn.Module) -> None:
        """Replace the batch norms inside a module that runs as it is.

        torch's own, under vmap, updates its statistics in place across tasks, and its second derivative is silently wrong
        (torch 2.13).
        """
        for layer in part.modules():
            if isinstance(layer, _DropoutNd) and layer.p and layer.training:
                raise ValueError(
                    f"There is dropout in {name or type(part).__name__!r}, and its random numbers could not be drawn again after a "
                    "resume: set p=0, or call model.eval()."
                )
        for parent in list(part.modules()):
            for key, layer in parent.named_children():
                if not isinstance(layer, BATCH_NORMS):
                    continue
                if self.batch_norm == "support":
                    raise ValueError(
                        f"batch_norm is 'support', and there is a batch norm inside the {type(part).__name__} {name!r}: build the "
                        "model from nn.Sequential, or take another mode."
                    )
                parent.register_module(key, PlainBatchNorm(layer, self.batch_norm))

    def to(self, device: torch.device | str, dtype: torch.dtype) -> None:
        """Move the copy of the module, for its buffers and its initial weights."""
        self.module.to(device=device, dtype=dtype)
        self.initial = {name: p.detach() for name, p in self.module.named_parameters()}

    def arranged(self, x: Tensor) -> Tensor | Images:
        """Inputs (R, T, n, ...) in the order in which the first layer wants them: worth it for what is predicted several times."""
        return Images.of(x) if _rule(self._parts[0][1]) is _conv2d and x.ndim == 6 else x

    def __call__(self, weights: Weights, x: Tensor | Images, into: Pass | None = None) -> Tensor:
        """Predictions (R, T, n, ...) at inputs (R, T, n, ...), which may be `arranged`."""
        into = into or Pass()
        into.batch_norm = self.batch_norm
        for name, part in self._parts:
            prefix = f"{name}." if name else ""
            own = {key[len(prefix) :]: w for key, w in weights.items() if key.startswith(prefix)}
            x = _rule(part)(part, own, x, into, prefix)
        return plain(x)

    @property
    def has_batch_norm(self) -> bool:
        """Whether the mode of batch norm makes a difference."""
        return any(isinstance(layer, (*BATCH_NORMS, PlainBatchNorm)) for layer in self.module.modules())


class PlainBatchNorm(nn.Module):
    """Batch norm of one task, written out."""

    def __init__(self, layer: nn.Module, mode: BatchNormMode):
        super().__init__()
        if mode == "running" and layer.running_mean is None:
            raise ValueError("batch_norm is 'running', and a layer keeps no statistics: take 'transductive'.")
        self.weight, self.bias, self.eps, self.mode = layer.weight, layer.bias, layer.eps, mode
        if mode == "running":
            self.register_buffer("running_mean", layer.running_mean)
            self.register_buffer("running_var", layer.running_var)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, C, ...)."""
        dims, shape = (0, *range(2, x.ndim)), (1, -1, *[1] * (x.ndim - 2))
        if self.mode == "running":
            mean, variance = self.running_mean.view(shape), self.running_var.view(shape)
        else:
            mean = x.mean(dims, keepdim=True)
            variance = (x - mean).square().mean(dims, keepdim=True)
        x = (x - mean) * torch.rsqrt(variance + self.eps)
        return x if self.weight is None else x * self.weight.view(shape) + self.bias.view(shape)


BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)


def _has_hooks(module: nn.Module) -> bool:
    """Whether calling the module does more than its forward."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _rule(part: nn.Module) -> Callable[..., Any]:
    """How a part is run."""
    return _any if _has_hooks(part) else LAYERS.get(type(part), _any)


def _parts(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    if type(module) is nn.Sequential and not _has_hooks(module):
        for key, child in module._modules.items():  # named_children() would leave out a layer's second place
            yield from _parts(child, f"{name}.{key}" if name else key)
    else:
        yield name, module


class Chain(nn.Module):
    """Linear layers of a model that follow each other, by their names in it."""

    def __init__(self, layers: list[tuple[str, nn.Linear]]):
        super().__init__()
        self.layers = layers  # a list of pairs is not registered: they stay the model's


def _with_chains(parts: Iterable[tuple[str, nn.Module]]) -> list[tuple[str, nn.Module]]:
    """Adjacent linear layers taken together."""
    found: list[tuple[str, nn.Module]] = []
    for is_linear, group in groupby(parts, key=lambda part: _rule(part[1]) is _linear):
        layers = list(group)
        found += [("", Chain(layers))] if is_linear and len(layers) > 1 else layers
    return found


# Layers: (layer, its weights by local name, inputs (R, T, n, ...), the pass, the prefix of its names) -> outputs


def plain(x: Tensor | Images) -> Tensor:
    """As (R, T, n, ...)."""
    return x.plain() if isinstance(x, Images) else x


def _shape(x: Tensor | Images) -> torch.Size:
    return (x.values if isinstance(x, Images) else x).shape


def _linear(layer: nn.Linear, weights: Weights, x: Tensor | Images, into: Pass, prefix: str) -> Tensor:
    x = plain(x)
    inner = x.shape[2:-1]
    points = x.flatten(2, -2) if len(inner) > 1 else x
    y = into.product(points, weights["weight"])
    if "bias" in weights:
        y = y + weights["bias"][:, :, None]
    into.tap(prefix, y, {"weight": lambda d: Products(d, points), "bias": lambda d: d.sum(2)})
    return y.unflatten(2, inner) if len(inner) > 1 else y


def _product(x: Tensor, weight: Weight) -> Tensor:
    """Inputs (R, T, n, i) times weight (R, T or 1, o, i) transposed."""
    if isinstance(weight, LowRank):
        return _product(x, weight.base) + _low_rank_product(x, weight.update)
    if weight.shape[1] == x.shape[1]:
        return matmul(x, weight.mT)
    runs, tasks, n, width = x.shape
    return matmul(x.reshape(runs, 1, tasks * n, width), weight.mT).reshape(runs, tasks, n, weight.shape[2])


def _low_rank_product(x: Tensor, update: Products) -> Tensor:
    return matmul(matmul(x, update.right.mT), update.left)


def _chain(chain: Chain, weights: Weights, x: Tensor | Images, into: Pass, prefix: str) -> Tensor:
    """Layers W_L (... (W_1 x + b_1) ...) + b_L: their product is taken first where there are fewer outputs than points.

    With A_l the product of the layers above l, r_l the sum over points of the gradient at the outputs times what enters l, and s the
    sum of those gradients, layer l has the gradients A_lᵀ r_l and A_lᵀ s. That is the work of one point for each output, up and
    down, and while tasks share their weights A_l is one for all.
    """
    x = plain(x)
    if x.shape[2:-1].numel() <= chain.layers[-1][1].out_features:
        for name, layer in chain.layers:
            own = {key: weights[f"{name}.{key}"] for key, _ in layer.named_parameters()}
            x = _linear(layer, own, x, into, f"{name}.")
        return x
    points = x.flatten(2, -2)
    layers = [(name, weights[f"{name}.weight"], weights.get(f"{name}.bias")) for name, _ in chain.layers]
    product = torch.eye(chain.layers[-1][1].out_features, dtype=x.dtype, device=x.device)[None, None]
    above: list[Tensor] = []
    constants: list[Tensor] = []
    for _, weight, bias in reversed(layers):
        above.insert(0, product)
        if bias is not None:
            constants.append(matmul(product, bias[..., None])[..., 0])
        product = _transposed_product(product, weight)
    y = _product(points, product)
    if constants:
        y = y + sum(constants)[:, :, None]
    wanted = into.adapts & {f"{name}.{part}" for name, *_ in layers for part in ("weight", "bias")}

    def gradients(d: Tensor) -> dict[str, Gradient]:
        found: dict[str, Gradient] = {}
        entering, total = matmul(d.mT, points), d.sum(2)
        for (name, weight, bias), product in zip(layers, above, strict=True):
            if f"{name}.weight" in wanted:
                found[f"{name}.weight"] = Products(product.expand(*entering.shape[:2], -1, -1), entering)
            if f"{name}.bias" in wanted:
                found[f"{name}.bias"] = matmul(total[:, :, None], product)[:, :, 0]
            if len(found) == len(wanted):
                break
            entering = _product(entering, weight)
            if bias is not None:
                entering = entering + total[..., None] * bias[:, :, None]
        return found

    if wanted:
        into.taps.append(Tap(y, gradients))
    return y.unflatten(2, x.shape[2:-1])


def _transposed_product(a: Tensor, weight: Weight) -> Tensor:
    """A (R, T or 1, k, o) times weight (R, T or 1, o, i)."""
    if isinstance(weight, LowRank):
        return _transposed_product(a, weight.base) + matmul(matmul(a, weight.update.left.mT), weight.update.right)
    if weight.shape[1] == 1 and a.shape[1] > 1:
        return matmul(a.flatten(1, 2)[:, None], weight).unflatten(2, a.shape[1:3])[:, 0]
    return matmul(a, weight)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Products of matrices (R, T, ., .), in the form that is fastest for their sizes."""
    if a.shape[-1] == 1:
        return a * b
    if a.shape[:2].numel() == 1 and b.shape[:2].numel() == 1:
        return (a[0, 0] @ b[0, 0])[None, None]
    return a @ b


def _conv2d(layer: nn.Conv2d, weights: Weights, x: Tensor | Images, into: Pass, prefix: str) -> Tensor | Images:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str) or len(_shape(x)) != 6:
        return _any(layer, weights, plain(x), into, prefix)
    values = Images.of(x).values
    how = (layer.stride, layer.padding, layer.dilation, layer.groups)
    y = images.convolve(values, weights["weight"], *how)
    if "bias" in weights:
        y = y + images.spread(weights["bias"], y)
    own = {
        "weight": lambda d: images.convolution_weight_gradient(values, d, weights["weight"], *how),
        "bias": images.total,
    }
    into.tap(prefix, y, own)
    return Images(y)


def _batch_norm(
    layer: nn.BatchNorm1d | nn.BatchNorm2d, weights: Weights, x: Tensor | Images, into: Pass, prefix: str
) -> Tensor | Images:
    x = Images.of(x) if len(_shape(x)) == 6 else x
    values = x.values if isinstance(x, Images) else x
    if isinstance(x, Images):
        count = values[..., 0, 0, 0].numel()
        total, spread = images.total, lambda own: images.spread(own, values)
    else:  # (R, T, n, C) or (R, T, n, C, L)
        dims = (2, *range(4, x.ndim))
        count = x.shape[2] * x[0, 0, 0, 0].numel()

        def total(d: Tensor) -> Tensor:
            return d.sum(dims)

        def spread(own: Tensor) -> Tensor:
            return own[:, :, None].unflatten(-1, (-1, *[1] * (x.ndim - 4)))

    if into.statistics is None and into.collect is None and into.batch_norm != "running":
        y = normal = normalise(values, layer.eps, Channels(count, total, spread))
    else:
        if into.statistics is not None:
            mean, variance = into.statistics[prefix]
        elif into.batch_norm == "running":
            mean, variance = layer.running_mean[None, None], layer.running_var[None, None]
        else:
            mean = total(values) / count
            variance = total((values - spread(mean)).square()) / count
            into.collect[prefix] = mean, variance
        y = normal = (values - spread(mean)) * spread(torch.rsqrt(variance + layer.eps))
    if layer.affine:
        y = normal * spread(weights["weight"]) + spread(weights["bias"])
        into.tap(prefix, y, {"weight": lambda d: total(d * normal), "bias": total})
    return Images(y) if isinstance(x, Images) else y


def _elementwise(layer: nn.Module, weights: Weights, x: Tensor | Images, into: Pass, prefix: str) -> Tensor | Images:
    return Images(layer(x.values)) if isinstance(x, Images) else layer(x)


def _flatten(layer: nn.Flatten, weights: Weights, x: Tensor | Images, into: Pass, prefix: str) -> Tensor:
    x = plain(x)
    if layer.start_dim < 1:
        return _any(layer, weights, x, into, prefix)
    return x.flatten(layer.start_dim + 2, layer.end_dim if layer.end_dim < 0 else layer.end_dim + 2)


def _max_pool(layer: nn.MaxPool2d, weights: Weights, x: Tensor | Images, into: Pass, prefix: str) -> Tensor | Images:
    window = layer.kernel_size if isinstance(layer.kernel_size, int) else layer.kernel_size[0]
    square = all(value in (window, (window, window)) for value in (layer.kernel_size, layer.stride))
    # a large window has too many places to go through one by one
    if not square or window > 4 or (layer.padding, layer.dilation) != (0, 1) or layer.ceil_mode or len(_shape(x)) != 6:
        return _pointwise(layer, weights, x, into, prefix)
    return Images(images.max_pool(Images.of(x).values, window))


def _adaptive_mean(
    layer: nn.AdaptiveAvgPool2d, weights: Weights, x: Tensor | Images, into: Pass, prefix: str
) -> Tensor | Images:
    if layer.output_size not in (1, (1, 1)) or not isinstance(x, Images):
        return _pointwise(layer, weights, x, into, prefix)
    return Images(x.values.mean((1, 2), keepdim=True))


def _pointwise(layer: nn.Module, weights: Weights, x: Tensor | Images, into: Pass, prefix: str) -> Tensor:
    """A layer without weights that treats every point by itself."""
    x = plain(x)
    y = layer(x.flatten(0, 2))
    return y.unflatten(0, x.shape[:3])


def _any(layer: nn.Module, weights: Weights, x: Tensor | Images, into: Pass, prefix: str) -> Tensor:
    """Any module, as it is: one task's mathematics, lifted over tasks and runs."""
    x = plain(x).contiguous()  # some of torch's layers cannot ask a lifted tensor about its layout
    tasks = x.shape[1]
    given: dict[str, Tensor] = {}
    for name, weight in weights.items():
        value = dense(weight)
        if prefix + name in into.adapts:
            value = value.expand(-1, tasks, *value.shape[2:])
            into.tap(prefix, value, {name: lambda d: d})
        given[name] = value
    per_task = {name: 0 if value.shape[1] == tasks else None for name, value in given.items()}
    # a weight that all tasks share enters the inner lift without its dimension
    given = {name: value if per_task[name] == 0 else value[:, 0] for name, value in given.items()}

    def one(own: dict[str, Tensor], inputs: Tensor) -> Tensor:
        return functional_call(layer, own, (inputs,))

    if not given:
        return vmap(vmap(lambda inputs: layer(inputs)))(x)
    return vmap(vmap(one, in_dims=(per_task, 0)))(given, x)


_ELEMENTWISE = (
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Hardtanh),
)
_POINTWISE = (nn.AvgPool1d, nn.AvgPool2d, nn.MaxPool1d, nn.Upsample)

LAYERS: dict[type[nn.Module], Callable[..., Any]] = {
    Chain: _chain,
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.Flatten: _flatten,
    nn.MaxPool2d: _max_pool,
    nn.AdaptiveAvgPool2d: _adaptive_mean,
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_POINTWISE, _pointwise),
}
"""The layers that have a rule of their own."""
