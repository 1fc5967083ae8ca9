"""The claims of arnold2019 about meta-optimizers, its experiments and the sizes of its models, in the paper's order."""

from . import (
    cnn_sizes,
    comparisons,
    costs,
    image_experiments,
    inner_loop,
    kronecker,
    logistic,
    low_rank,
    parameter_counts,
    printed_tables,
    synthetic,
)
from .paper import PAPER

__all__ = ["PAPER"]

_ROOMS = (
    logistic,
    inner_loop,
    kronecker,
    low_rank,
    comparisons,
    parameter_counts,
    cnn_sizes,
    synthetic,
    image_experiments,
    costs,
    printed_tables,
)  # each declares its claims
_ORDER = {locator: position for position, locator in enumerate(PAPER.locators)}
PAPER.claims.sort(key=lambda claim: _ORDER[claim.locator])
