"""Cholesky-factored meta-optimizers: a positive semi-definite map of rank r, A = L Lᵀ."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor

from .base import Parameters, UpdateRule, along_direction, as_matrices, from_matrices, matrix_shape, per_weight, times
from .kronecker import ACTIVATIONS

__all__ = ["cfc"]


def cfc(
    rank: int = 1,
    layers: int = 1,
    activation: Literal["relu", "leaky_relu", "tanh", "identity"] = "relu",
    normalize: bool = True,
    adapt: bool = True,
) -> UpdateRule:
    """U(g) = L (Lᵀ g), or a network of such maps, with L of rank r drawn as Glorot has it; no biases.

    g is the vector of a whole weight, of each filter of a convolution. No L of rank r < n makes L Lᵀ the identity, so this does not
    start at MAML.

    Args:
        rank: r.
        layers: how many such maps, with the activation between them.
        activation: a key of `kronecker.ACTIVATIONS`.
        normalize: as in `kronecker.kfc`.
        adapt: as in `kronecker.kfc`.

    Raises:
        ValueError: a rank or a number of layers below 1, or an unknown activation.

    Source: arnold2019, eq. (8) and A.2.3.
    """
    if rank < 1 or layers < 1:
        raise ValueError(f"CFC was given rank {rank} and {layers} layers: expected 1 or more of each.")
    if activation not in ACTIVATIONS:
        raise ValueError(f"The activation is {activation!r}: expected {', '.join(map(repr, ACTIVATIONS))}.")
    between = ACTIVATIONS[activation]

    def init(weight: Tensor, generator: torch.Generator) -> Parameters:
        _, n, m = matrix_shape(weight.shape)
        spread = (2 / (n * m + rank)) ** 0.5
        drawn = {
            f"factor{k}": torch.randn(n * m, rank, generator=generator, dtype=torch.float64) * spread
            for k in range(layers)
        }
        found = {name: value.to(weight) for name, value in drawn.items()}
        return found | {"scale": weight.new_ones(())} if normalize else found

    def network(parameters: Parameters, gradient: Tensor) -> Tensor:
        matrices = as_matrices(gradient)
        vectors = matrices.flatten(3)
        for k in range(layers):
            vectors = between(vectors) if k else vectors
            factor = parameters[f"factor{k}"]
            vectors = times(times(vectors, factor), factor.mT)
        return from_matrices(vectors.view(matrices.shape), gradient)

    def update(parameters: Parameters, gradient: Tensor) -> Tensor:
        if not normalize:
            return network(parameters, gradient)
        return along_direction(partial(network, parameters), gradient, parameters["scale"])

    options = dict(rank=rank, layers=layers, activation=activation, normalize=normalize, adapt=adapt)
    return per_weight("cfc", init, update, adapts=adapt, factored=True, options=options)
