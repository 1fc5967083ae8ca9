"""Exact mathematics of gradient-based meta-learning: losses, landscapes, update laws. Never imports torch."""

from .dynamics import (
    adaptation_update,
    effective_update,
    meta_training_update,
    one_step_preconditioner,
    step_size_factor,
    stochastic_meta_gradient,
)
from .landscape import Landscape, StationaryPoint, critical_learning_rate, stationary_points, theorem
from .linear_network import LinearNetwork
from .maml import Maml

__all__ = [
    "Landscape",
    "LinearNetwork",
    "Maml",
    "StationaryPoint",
    "adaptation_update",
    "critical_learning_rate",
    "effective_update",
    "meta_training_update",
    "one_step_preconditioner",
    "stationary_points",
    "step_size_factor",
    "stochastic_meta_gradient",
    "theorem",
]
