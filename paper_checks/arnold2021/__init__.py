"""The claims of arnold2021, in the paper's order."""

from . import (
    background,
    deep_landscape,
    deep_loss,
    deep_updates,
    figure1_left,
    figure1_right,
    image_experiments,
    insights,
    logistic,
    meta_optimizers,
    printed_tables,
    shallow_model,
)
from .paper import PAPER

__all__ = ["PAPER"]

_ROOMS = (  # each declares its claims
    background,
    shallow_model,
    deep_updates,
    deep_landscape,
    deep_loss,
    insights,
    logistic,
    figure1_left,
    figure1_right,
    meta_optimizers,
    image_experiments,
    printed_tables,
)
_ORDER = {locator: position for position, locator in enumerate(PAPER.locators)}
PAPER.claims.sort(key=lambda claim: _ORDER[claim.locator])
