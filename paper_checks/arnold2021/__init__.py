"""The claims of arnold2021, in the paper's order."""

from . import background, deep_model, insights, shallow_model
from .paper import PAPER

__all__ = ["PAPER"]

_SECTIONS = (background, shallow_model, deep_model, insights)
_ORDER = {locator: position for position, locator in enumerate(PAPER.locators)}
PAPER.claims.sort(key=lambda claim: _ORDER[claim.locator])
