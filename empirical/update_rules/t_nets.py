"""T-Nets: every layer is followed by a linear map that all tasks share and that does not adapt."""

from __future__ import annotations

from ..models import with_transforms
from .base import UpdateRule

__all__ = ["t_nets"]


def t_nets() -> UpdateRule:
    """ℓ(A(θ) − α∇ℓ(A(θ))), A(·) = (W, T): T is learned across tasks, W adapts too.

    One inner step moves the effective weight T W by −α T Tᵀ ∂ℓ/∂(T W): T preconditions, and can be absorbed after adaptation
    (`models.collapse`). Source: Lee and Choi 2018; arnold2021, eq. (25).
    """
    return UpdateRule(
        "t-nets",
        lambda weights, generator: {},
        lambda parameters, gradients: dict(gradients),
        products=True,
        prepare=with_transforms,
    )
