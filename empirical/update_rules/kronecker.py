"""Kronecker-factored meta-optimizers: linear (KLin), and fully connected (KFC; arnold2021 calls it meta-KFO)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from .base import (
    Parameters,
    UpdateRule,
    along_direction,
    as_matrices,
    eye,
    from_matrices,
    matrix_shape,
    per_weight,
    times,
)

__all__ = ["ACTIVATIONS", "kfc", "klin"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "tanh": torch.tanh,
    "identity": lambda x: x,
}
"""What may stand between the layers of a meta-optimizer."""


def klin(adapt: bool = True) -> UpdateRule:
    """U(g) = vec(L G R), with the factors at the identity at the start, which is gradient descent. No bias.

    Args:
        adapt: the factors take gradient steps inside a task too, as in arnold2019; else this is Meta-Curvature on matrices.

    Source: arnold2019, eq. (5); the matrices G: see `base.matrix_shape`.
    """
    return _network("klin", 1, "identity", False, adapt)


def kfc(
    layers: int = 2,
    activation: Literal["relu", "leaky_relu", "tanh", "identity"] = "relu",
    normalize: bool = True,
    adapt: bool = True,
) -> UpdateRule:
    """U(g) = vec(L_h σ(… σ(L_1 G R_1) …) R_h), the factors at the identity at the start. No biases.

    Args:
        layers: h, pairs of factors; one hidden layer is h = 2.
        activation: σ, a key of ACTIVATIONS.
        normalize: the network sees the gradient's direction only, and its norm, times a learned factor that starts at 1,
            multiplies what comes out. arnold2019 has it for models with several layers, not for the linear ones.
        adapt: the factors take gradient steps inside a task too: arnold2019, (4) and Algorithm 1. Without it, arnold2021, (22).

    Raises:
        ValueError: no layer, or an unknown activation.

    Source: arnold2019, eqs. (6), (7) and A.1.2; arnold2021, eq. (26) and C.1.
    """
    if layers < 1:
        raise ValueError(f"KFC was given {layers} layers: expected 1 or more.")
    if activation not in ACTIVATIONS:
        raise ValueError(f"The activation is {activation!r}: expected {', '.join(map(repr, ACTIVATIONS))}.")
    return _network("kfc", layers, activation, normalize, adapt)


def _network(name: str, layers: int, activation: str, normalize: bool, adapt: bool) -> UpdateRule:
    between = ACTIVATIONS[activation]

    def init(weight: Tensor, _: torch.Generator) -> Parameters:
        _, n, m = matrix_shape(weight.shape)
        found = {f"{side}{k}": eye(size, weight) for k in range(layers) for side, size in (("left", n), ("right", m))}
        return found | {"scale": weight.new_ones(())} if normalize else found

    def network(parameters: Parameters, gradient: Tensor) -> Tensor:
        g = as_matrices(gradient)
        for k in range(layers):
            g = between(g) if k else g
            g = times(times(g, parameters[f"right{k}"]).mT, parameters[f"left{k}"].mT).mT  # L G R
        return from_matrices(g, gradient)

    def update(parameters: Parameters, gradient: Tensor) -> Tensor:
        if not normalize:
            return network(parameters, gradient)
        return along_direction(partial(network, parameters), gradient, parameters["scale"])

    options = {"layers": layers, "activation": activation, "normalize": normalize, "adapt": adapt}
    return per_weight(name, init, update, adapts=adapt, factored=True, options=options)
