"""What an inner-update rule is, and the matrices that the factored ones make of a gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..layers import Gradient, LowRank, Products, Weight, dense, matmul

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Use:
    """Where a factor F met something: outputs = inputs F, or inputs Fᵀ; both (R, T, rows, .)."""

    inputs: Tensor
    outputs: Tensor
    transposed: bool

    def gradient(self, d: Tensor) -> Products:
        """Of F, from that of the outputs."""
        return Products(d, self.inputs) if self.transposed else Products(self.inputs, d)


@dataclass(frozen=True)
class Tapped:
    """A factor (R, T or 1, m, p) that keeps where it was used: what adapts it differentiates there, as layers' weights do."""

    value: Weight
    uses: list[Use] = field(default_factory=list)
    transposed: bool = False

    @property
    def mT(self) -> Tapped:
        """The transpose, whose uses are this one's too."""
        return replace(self, value=self.value.mT, transposed=not self.transposed)


class UpdateRule(NamedTuple):
    """An inner-update rule.

    Attributes:
        name: its key in UPDATE_RULES.
        init: from the adapting weights, by name, to the rule's parameters at the start; `generator` draws what is random.
        update: from the rule's parameters, each (R, T or 1, ...), and gradients, each (R, T, *shape), to directions of the
            same shapes.
        adapts: whether the rule's parameters take gradient steps inside a task too.
        products: whether `update` takes gradients of matrices as `Products`; else it is given tensors only.
        factored: of a rule that adapts, whether its matrices are used in `times` alone, as they are or transposed: inside a task they
            can then stay what the tasks share, plus a low-rank update.
        options: what the rule was made with, for records.
        prepare: what the rule has to change in a model: from the model to the new one and the patterns of the names of weights in
            it that must not adapt; None where it changes nothing.
    """

    name: str
    init: Callable[[Mapping[str, Tensor], torch.Generator], Parameters]
    update: Callable[[Parameters, Mapping[str, Gradient]], dict[str, Gradient]]
    adapts: bool = False
    products: bool = False
    factored: bool = False
    options: Mapping[str, Any] = {}
    prepare: Callable[[nn.Module], tuple[nn.Module, tuple[str, ...]]] | None = None


def per_weight(
    name: str,
    init_one: Callable[[Tensor, torch.Generator], Parameters],
    update_one: Callable[[Parameters, Gradient], Gradient],
    *,
    adapts: bool = False,
    products: bool = False,
    factored: bool = False,
    options: Mapping[str, Any] | None = None,
) -> UpdateRule:
    """A rule that treats every weight by itself; the parameter `part` of the weight `name` is called "name:part"."""

    def init(weights: Mapping[str, Tensor], generator: torch.Generator) -> Parameters:
        return {
            f"{key}:{part}": value
            for key, weight in weights.items()
            for part, value in init_one(weight, generator).items()
        }

    def update(parameters: Parameters, gradients: Mapping[str, Gradient]) -> dict[str, Gradient]:
        own: dict[str, Parameters] = {key: {} for key in gradients}
        for key, value in parameters.items():
            weight, part = key.rsplit(":", 1)
            own[weight][part] = value
        return {key: update_one(own[key], gradient) for key, gradient in gradients.items()}

    return UpdateRule(name, init, update, adapts, products, factored, options or {})


def matrix_shape(weight: torch.Size | tuple[int, ...]) -> tuple[int, int, int]:
    """(count, n, m): how many n × m matrices a weight's gradient is to a factored rule.

    A matrix (o, i) is itself: n = o, m = i. A convolution's weight (N, C, H, W) is one HW × C matrix for each of its N filters, which
    share the rule. A vector of length d is 1 × d. Source: arnold2019, A.1.1 (m = 784, n = 5) and A.1.2 (m = C, n = HW).
    """
    if len(weight) <= 1:
        return 1, 1, weight[0] if weight else 1
    if len(weight) == 2:
        return 1, weight[0], weight[1]
    places = 1
    for size in weight[2:]:
        places *= size
    return weight[0], places, weight[1]


def as_matrices(gradient: Tensor) -> Tensor:
    """A gradient (R, T, *shape) as matrices (R, T, count, n, m): see `matrix_shape`."""
    shape = gradient.shape[2:]
    if len(shape) <= 2:
        return gradient.reshape(*gradient.shape[:2], *matrix_shape(shape))
    return gradient.flatten(4).mT


def from_matrices(matrices: Tensor, like: Tensor) -> Tensor:
    """The opposite of `as_matrices`."""
    if like.ndim <= 4:
        return matrices.reshape(like.shape)
    return matrices.mT.reshape(like.shape)


def times(x: Tensor, factor: Weight | Tapped) -> Tensor:
    """X (R, T, ..., m) times factor (R, T or 1, m, p): one product for all tasks where they share the factor."""
    flat = x.reshape(*x.shape[:2], -1, x.shape[-1])
    found = _times(flat, factor.value if isinstance(factor, Tapped) else factor)
    if isinstance(factor, Tapped):
        factor.uses.append(Use(flat, found, factor.transposed))
    return found.view(*x.shape[:-1], found.shape[-1])


def _times(x: Tensor, factor: Weight) -> Tensor:
    if isinstance(factor, LowRank):
        return _times(x, factor.base) + matmul(matmul(x, factor.update.left.mT), factor.update.right)
    if factor.shape[1] == 1 and x.shape[1] > 1:
        runs, tasks, rows = x.shape[:3]
        return (x.reshape(runs, tasks * rows, -1) @ factor[:, 0]).view(runs, tasks, rows, -1)
    return x @ factor


def along_direction(process: Callable[[Tensor], Tensor], gradient: Tensor, scale: Tensor) -> Tensor:
    """Process the direction of each task's gradient (R, T, *shape), and give the result its norm times scale (R, T or 1).

    Source: arnold2019, A.1.2.
    """

    def spread(values: Tensor) -> Tensor:
        return values.reshape(*values.shape, *[1] * (gradient.ndim - 2))

    # the tiny term keeps the derivative of the norm finite at a gradient of 0
    norm = spread((gradient.square().reshape(*gradient.shape[:2], -1).sum(-1) + 1e-30).sqrt())
    return process(gradient / norm) * norm * spread(scale)


def eye(size: int, like: Tensor) -> Tensor:
    """The identity, of the weight's type and on its device."""
    return torch.eye(size, dtype=like.dtype, device=like.device)


__all__ = [
    "Gradient",
    "Parameters",
    "Products",
    "Tapped",
    "UpdateRule",
    "along_direction",
    "as_matrices",
    "dense",
    "eye",
]
__all__ += ["from_matrices", "matrix_shape", "per_weight", "times"]
