"""The claims of arnold2019 about meta-optimizers and its synthetic experiments, in the paper's order."""

from . import comparisons, inner_loop, kronecker, logistic, low_rank, parameter_counts, synthetic
from .paper import PAPER

__all__ = ["PAPER"]

_ROOMS = (
    logistic,
    inner_loop,
    kronecker,
    low_rank,
    comparisons,
    parameter_counts,
    synthetic,
)  # each declares its claims
_ORDER = {locator: position for position, locator in enumerate(PAPER.locators)}
PAPER.claims.sort(key=lambda claim: _ORDER[claim.locator])
