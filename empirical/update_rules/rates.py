"""Rules that scale a gradient: not at all, by one learned number for a group of weights, or by one for each entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from .base import Gradient, Parameters, Products, UpdateRule, dense, per_weight

__all__ = ["learned_rates", "meta_sgd", "sgd"]


def sgd() -> UpdateRule:
    """The gradient itself: MAML. Source: Finn et al. 2017; arnold2021, eq. (27)."""
    return UpdateRule("sgd", lambda weights, generator: {}, lambda parameters, g: dict(g), products=True)


def learned_rates(per: Literal["model", "tensor", "entry"] = "tensor") -> UpdateRule:
    """A positive factor of the inner learning rate for all weights, for each tensor, or for each entry; 1 at the start.

    Its logarithm is learned, so that it stays positive. Per tensor this is the M-MAML of chen2019 (Section 4) with a module for each
    tensor, per model its MAML. Raises ValueError for another `per`.
    """
    if per not in ("model", "tensor", "entry"):
        raise ValueError(f"per is {per!r}: expected 'model', 'tensor' or 'entry'.")

    def init(weights: Mapping[str, Tensor], generator: torch.Generator) -> Parameters:
        if per == "model":
            return {":log_factor": next(iter(weights.values())).new_zeros(())}
        return {
            f"{name}:log_factor": torch.zeros_like(w) if per == "entry" else w.new_zeros(())
            for name, w in weights.items()
        }

    def update(parameters: Parameters, gradients: Mapping[str, Gradient]) -> dict[str, Gradient]:
        return {
            name: _scaled(g, parameters[":log_factor" if per == "model" else f"{name}:log_factor"].exp())
            for name, g in gradients.items()
        }

    return UpdateRule("learned-rates", init, update, products=per != "entry", options={"per": per})


def _scaled(gradient: Gradient, factor: Tensor) -> Gradient:
    if isinstance(gradient, Products):
        return Products(factor[..., None, None] * gradient.left, gradient.right)
    return factor.reshape(*factor.shape, *[1] * (gradient.ndim - factor.ndim)) * dense(gradient)


def meta_sgd() -> UpdateRule:
    """A learned factor for each entry, of either sign; 1 at the start. Source: Li et al. 2017; arnold2021, eq. (24), M diagonal."""
    return per_weight("meta-sgd", lambda w, _: {"factor": torch.ones_like(w)}, lambda p, g: p["factor"] * g)
