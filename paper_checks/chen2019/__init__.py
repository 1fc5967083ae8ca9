"""The claims of chen2019, in the paper's order."""

from . import (
    approximate_gradients,
    consistency,
    exact_experiment1,
    experiments,
    implicit_differentiation,
    joint_map_ascent,
    main_text,
    published_results,
    stationary_variances,
    synthetic_tasks,
    toy_model,
)
from .paper import PAPER

__all__ = ["PAPER"]

_ROOMS = (  # each declares its claims
    main_text,
    toy_model,
    stationary_variances,
    joint_map_ascent,
    consistency,
    implicit_differentiation,
    approximate_gradients,
    synthetic_tasks,
    exact_experiment1,
    published_results,
    experiments,
)
_ORDER = {locator: position for position, locator in enumerate(PAPER.locators)}
PAPER.claims.sort(key=lambda claim: _ORDER[claim.locator])
