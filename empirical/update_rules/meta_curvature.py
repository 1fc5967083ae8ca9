"""Meta-Curvature: a learned linear map of the gradient, one factor for each of a weight's dimensions."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Gradient, Parameters, Products, UpdateRule, eye, per_weight, times

__all__ = ["meta_curvature"]


def meta_curvature(diagonal: bool = False) -> UpdateRule:
    """M ∇ℓ with M a Kronecker product over outputs, inputs and places: M_o for outputs, M_i for inputs, M_f for HW places.

    A vector has M_o alone. The factors are the identity at the start, which is MAML; they do not adapt inside a task. With
    `diagonal` each factor is a diagonal matrix. Source: Park and Oliva 2019; arnold2021, eq. (24).
    """

    def init(weight: Tensor, _: torch.Generator) -> Parameters:
        shape = weight.shape if weight.ndim <= 2 else (*weight.shape[:2], weight[0, 0].numel())
        factors = {name: eye(size, weight) for name, size in zip(("outputs", "inputs", "places"), shape, strict=False)}
        return {name: f.diagonal().clone() for name, f in factors.items()} if diagonal else factors

    def update(parameters: Parameters, gradient: Gradient) -> Gradient:
        if diagonal:
            parameters = {name: torch.diag_embed(values) for name, values in parameters.items()}
        if isinstance(gradient, Products):
            left, right = times(gradient.left, parameters["outputs"].mT), times(gradient.right, parameters["inputs"].mT)
            return Products(left, right)
        if "outputs" not in parameters:
            return gradient
        if "inputs" not in parameters:
            return times(gradient, parameters["outputs"].mT)
        g = gradient.reshape(*gradient.shape[:4], -1)  # (R, T, o, i, places)
        if "places" in parameters:
            g = times(g, parameters["places"].mT)
        g = times(g.movedim(3, -1), parameters["inputs"].mT).movedim(-1, 3)
        return times(g.movedim(2, -1), parameters["outputs"].mT).movedim(-1, 2).reshape(gradient.shape)

    return per_weight("meta-curvature", init, update, products=True, options={"diagonal": diagonal})
