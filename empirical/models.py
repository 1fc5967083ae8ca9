"""The papers' networks, and what is done to a network: linear layers added and collapsed, transforms, pruning.

All are `nn.Sequential`s of common layers, which the engine runs fastest (see `layers`).
"""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["HIDDEN", "benchmark_cnn", "cnn", "collapse", "linear_network", "linnet", "prune", "with_transforms"]


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
    pooling: Literal["max", "stride", "none"] | Sequence[int] = "max",
    head: Literal["mean", "flatten"] = "mean",
    side: int | None = None,
) -> nn.Sequential:
    """CNN(X): X blocks of 3 × 3 convolution, batch norm and ReLU, the features of all places, and a linear layer.

    Args:
        layers: X, 1 or more.
        hidden: channels of every block.
        classes: outputs.
        channels: of the images.
        pooling: how a block lowers its resolution: a 2 × 2 maximum (in the first four blocks), a stride of 2, or not at all; or each
            block's window of a maximum, where 1 is none. A maximum leaves out the rows and columns that fill no window.
        head: what the linear layer is given: the mean over places, or all places of all channels.
        side: height and width of the images; needed for "flatten", and else only checked.

    Source: Finn et al. 2017; arnold2021, Section 5.2; arnold2019, A.1.2. Raises ValueError for a number below 1, an unknown pooling
    or head, windows that are not one for each block, "flatten" without a side, and images that are smaller than what is pooled.
    """
    if min(layers, hidden, classes, channels) < 1 or (
        isinstance(pooling, str) and pooling not in ("max", "stride", "none")
    ):
        raise ValueError(
            f"CNN was given {layers=}, {hidden=}, {classes=}, {channels=}, {pooling=}: expected numbers from 1 up, and 'max', 'stride', "
            "'none' or windows."
        )
    if head not in ("mean", "flatten") or (head == "flatten" and side is None):
        raise ValueError(f"CNN was given {head=}, {side=}: expected 'mean', or 'flatten' and the side of the images.")
    windows = [1] * layers if isinstance(pooling, str) else list(pooling)
    if pooling == "max":
        windows = [2] * min(layers, 4) + [1] * (layers - 4)  # 28 -> 14 -> 7 -> 3 -> 1 (84 -> 42 -> 21 -> 10 -> 5)
    if len(windows) != layers or min(windows) < 1:
        raise ValueError(f"CNN was given the windows {windows} for {layers} blocks: expected one for each, 1 or more.")
    stride, left = 2 if pooling == "stride" else 1, side
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for k, window in enumerate(windows):
        block = OrderedDict(
            conv=nn.Conv2d(hidden if k else channels, hidden, 3, stride=stride, padding=1),
            norm=nn.BatchNorm2d(hidden, track_running_stats=False),
            relu=nn.ReLU(),
        )
        if window > 1:
            block["pool"] = nn.MaxPool2d(window)
        parts[f"block{k}"] = nn.Sequential(block)
        if left is not None:
            left = -(-left // stride) // window
    if left is not None and left < 1:
        raise ValueError(f"CNN pools images of {side} × {side} by {math.prod(windows)} in all: expected larger images.")
    if head == "mean":
        parts["mean"] = nn.AdaptiveAvgPool2d(1)
    parts["flat"] = nn.Flatten()
    parts["head"] = nn.Linear(hidden if head == "mean" else hidden * left**2, classes)
    return nn.Sequential(parts)


HIDDEN: dict[str, dict[str, int]] = {
    "arnold2019": {"omniglot": 64, "cifar-fs": 32, "mini-imagenet": 32},
    "arnold2021": {"omniglot": 32, "cifar-fs": 32, "mini-imagenet": 64},
}
"""Channels of the papers' CNNs, by data set: arnold2019, 5.2 and A.1.2; arnold2021, D."""


def benchmark_cnn(
    dataset: Literal["omniglot", "cifar-fs", "mini-imagenet"],
    layers: int,
    *,
    paper: Literal["arnold2019", "arnold2021"] = "arnold2021",
    classes: int = 5,
    hidden: int | None = None,
) -> nn.Sequential:
    """CNN(X) as the papers have it on a data set, for its images (1 × 28 × 28, 3 × 32 × 32, 3 × 84 × 84).

    The linear layer has the same number of inputs whatever X is, as arnold2019, A.1.2, asks of X = 2 and 4.

    - "omniglot": strides of 2 and the mean over places (Finn et al. 2017).
    - "cifar-fs": the same on three channels. The papers have no max-pooling here, a mean over places, and else the network of Omniglot;
      that its convolutions keep their stride is a reading.
    - "mini-imagenet": maxima and 5 × 5 places (Finn et al. 2017: 84, 42, 21, 10, 5). How fewer blocks come to 5 × 5 is not said. The
      reading here: the four halvings are shared out among the blocks, the last ones taking more, so that the windows are 16; 4, 4;
      2, 2, 4; 2, 2, 2, 2; and further blocks have none.

    Args:
        dataset: its name in `empirical.data`.
        layers: X, 1 or more.
        paper: whose number of channels; a key of HIDDEN.
        classes: outputs.
        hidden: channels of every block, in place of the paper's.

    Raises:
        ValueError: an unknown data set or paper, or a number below 1.
    """
    if paper not in HIDDEN or dataset not in HIDDEN[paper]:
        raise ValueError(
            f"There is no CNN of {paper!r} for {dataset!r}: expected {', '.join(map(repr, HIDDEN))}, and "
            f"{', '.join(map(repr, HIDDEN['arnold2021']))}."
        )
    made = partial(cnn, layers, hidden=HIDDEN[paper][dataset] if hidden is None else hidden, classes=classes)
    if dataset == "mini-imagenet":
        pooled = min(max(layers, 1), 4)
        windows = [2 ** (4 * (k + 1) // pooled - 4 * k // pooled) for k in range(pooled)] + [1] * (layers - pooled)
        return made(channels=3, pooling=windows, head="flatten", side=84)
    return made(channels=1 if dataset == "omniglot" else 3, pooling="stride")
