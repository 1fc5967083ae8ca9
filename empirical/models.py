"""The papers' networks, and what is done to a network: linear layers added and collapsed, transforms, pruning.

All are `nn.Sequential`s of common layers, which the engine runs fastest (see `layers`).
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["cnn", "collapse", "linear_network", "linnet", "prune", "with_transforms"]


def linear_network(*widths: int, bias: bool = True) -> nn.Sequential:
    """Linear layers without activations, of these widths from the input's to the output's.

    Raises ValueError for fewer than two widths.
    """
    if len(widths) < 2:
        raise ValueError(f"A linear network was given the widths {widths}: expected those of input and output.")
    return nn.Sequential(*(nn.Linear(i, o, bias) for i, o in pairwise(widths)))


def linnet(
    model: nn.Module, widths: Sequence[int], where: Literal["after", "before"] = "after", bias: bool = True
) -> nn.Sequential:
    """Add linear layers to a model, without activations: "LinNet".

    Args:
        model: any module; it is copied.
        widths: from the added network's input to its output.
        where: after the model, on its outputs, as in arnold2021, or before it, on its inputs.
        bias: whether the added layers have biases.

    Raises:
        ValueError: fewer than two widths, or another `where`.
    """
    if where not in ("after", "before") or len(widths) < 2:
        raise ValueError(
            f"linnet was given where={where!r} and widths={list(widths)}: expected 'after' or 'before', and two widths or more."
        )
    parts = [("model", copy.deepcopy(model)), ("linnet", linear_network(*widths, bias=bias))]
    return nn.Sequential(OrderedDict(parts if where == "after" else parts[::-1]))


def collapse(model: nn.Module) -> nn.Sequential:
    """The same function with every run of adjacent linear layers as one: what a LinNet is after adaptation.

    A 1 × 1 convolution without a bias that follows a convolution is absorbed into it too (T-Nets). Names change: the layers are
    numbered anew. The model is not changed. Raises ValueError unless it is an nn.Sequential.
    """
    if type(model) is not nn.Sequential:
        raise ValueError(
            f"Collapsing needs an nn.Sequential, to know which layers are adjacent; got {type(model).__name__}."
        )
    layers: list[nn.Module] = []
    for layer in _leaves(model):
        last = layers[-1] if layers else None
        if type(layer) is nn.Linear and type(last) is nn.Linear:
            layers[-1] = _product(layer, last)
        elif _is_transform(layer) and type(last) is nn.Conv2d:
            layers[-1] = _absorbed(layer, last)
        else:
            layers.append(copy.deepcopy(layer))
    return nn.Sequential(*layers)


def _leaves(model: nn.Module) -> list[nn.Module]:
    if type(model) is nn.Sequential:
        return [leaf for child in model for leaf in _leaves(child)]
    return [model]


def _is_transform(layer: nn.Module) -> bool:
    return (
        type(layer) is nn.Conv2d
        and layer.kernel_size == (1, 1)
        and layer.bias is None
        and (layer.stride, layer.padding, layer.dilation, layer.groups) == ((1, 1), (0, 0), (1, 1), 1)
    )


@torch.no_grad()
def _product(upper: nn.Linear, lower: nn.Linear) -> nn.Linear:
    both = nn.Linear(lower.in_features, upper.out_features, upper.bias is not None or lower.bias is not None)
    both = both.to(upper.weight)
    both.weight.copy_(upper.weight @ lower.weight)
    if both.bias is not None:
        both.bias.zero_()
        if lower.bias is not None:
            both.bias += upper.weight @ lower.bias
        if upper.bias is not None:
            both.bias += upper.bias
    return both


@torch.no_grad()
def _absorbed(transform: nn.Conv2d, lower: nn.Conv2d) -> nn.Conv2d:
    if transform.in_channels != transform.out_channels:
        raise ValueError(
            f"A 1 x 1 convolution from {transform.in_channels} to {transform.out_channels} channels cannot be absorbed: expected as "
            "many out as in."
        )
    both, mix = copy.deepcopy(lower), transform.weight[:, :, 0, 0]
    both.weight.copy_(torch.einsum("po,oihw->pihw", mix, lower.weight))
    if both.bias is not None:
        both.bias.copy_(mix @ lower.bias)
    return both


def with_transforms(model: nn.Module) -> tuple[nn.Sequential, tuple[str, ...]]:
    """Follow every linear layer and convolution by a linear map on its outputs that starts at the identity (T-Nets).

    Returns the new model, in which layer `name` is `name.W` and its transform `name.T`, and the transforms' parameter names.
    Raises ValueError unless the model is an nn.Sequential.
    """
    if type(model) is not nn.Sequential:
        raise ValueError(f"T-Nets change a model's layers: expected an nn.Sequential, got a {type(model).__name__}.")
    if len(list(model.parameters())) < len(list(model.named_parameters(remove_duplicate=False))):
        raise ValueError("T-Nets give every layer a transform of its own, and here two layers share their weights.")
    names: list[str] = []

    def transformed(layer: nn.Module, name: str) -> nn.Module:
        if type(layer) is nn.Sequential:
            return nn.Sequential(
                OrderedDict((key, transformed(child, f"{name}{key}.")) for key, child in layer._modules.items())
            )
        layer = copy.deepcopy(layer)
        if type(layer) is nn.Linear:
            transform: nn.Module = nn.Linear(layer.out_features, layer.out_features, bias=False)
            nn.init.eye_(transform.weight)
        elif type(layer) is nn.Conv2d:
            transform = nn.Conv2d(layer.out_channels, layer.out_channels, 1, bias=False)
            nn.init.dirac_(transform.weight)
        else:
            return layer
        names.append(f"{name}T.weight")
        return nn.Sequential(OrderedDict(W=layer, T=transform.to(layer.weight)))

    return transformed(model, ""), tuple(names)


@torch.no_grad()
def prune(weights: dict[str, Tensor], threshold: float) -> dict[str, Tensor]:
    """Set every entry below the threshold in magnitude to 0. Source: arnold2019, A.2.3. Raises ValueError for a negative one."""
    if not threshold >= 0:
        raise ValueError(f"The pruning threshold is {threshold}: expected 0 or more.")
    return {name: torch.where(w.abs() < threshold, 0.0, w) for name, w in weights.items()}


def cnn(
    layers: int,
    *,
    hidden: int = 32,
    classes: int = 5,
    channels: int = 1,
    pooling: Literal["max", "stride", "none"] = "max",
) -> nn.Sequential:
    """CNN(X): X blocks of 3 × 3 convolution, batch norm and ReLU, the mean over places, and a linear layer.

    Args:
        layers: X, 1 or more.
        hidden: channels of every block.
        classes: outputs.
        channels: of the images.
        pooling: how a block halves its resolution: a 2 × 2 maximum, a stride of 2, or not at all. A block of one pixel is not halved.

    Source: Finn et al. 2017; arnold2021, Section 5.2; arnold2019, A.1.2. Raises ValueError for a number below 1 or an unknown pooling.
    """
    if min(layers, hidden, classes, channels) < 1 or pooling not in ("max", "stride", "none"):
        raise ValueError(
            f"CNN was given {layers=}, {hidden=}, {classes=}, {channels=}, {pooling=}: expected numbers from 1 up, and 'max', 'stride' or "
            "'none'."
        )
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for k in range(layers):
        block = OrderedDict(
            conv=nn.Conv2d(hidden if k else channels, hidden, 3, stride=2 if pooling == "stride" else 1, padding=1),
            norm=nn.BatchNorm2d(hidden, track_running_stats=False),
            relu=nn.ReLU(),
        )
        if pooling == "max" and k < 4:  # 28 -> 14 -> 7 -> 3 -> 1 (84 -> 42 -> 21 -> 10 -> 5)
            block["pool"] = nn.MaxPool2d(2)
        parts[f"block{k}"] = nn.Sequential(block)
    parts["mean"] = nn.AdaptiveAvgPool2d(1)
    parts["flat"] = nn.Flatten()
    parts["head"] = nn.Linear(hidden, classes)
    return nn.Sequential(parts)
