"""Exact mathematics of gradient-based meta-learning: losses, landscapes, update laws. Never imports torch."""

from .certificate import CertificateError
from .dynamics import (
    adaptation_update,
    effective_update,
    meta_training_update,
    one_step_preconditioner,
    step_size_factor,
    stochastic_meta_gradient,
)
from .landscape import Landscape, StationaryPoint, stationary_points
from .landscape_theorem import Theorem, critical_learning_rate, theorem
from .linear_network import LinearNetwork
from .maml import Maml

__all__ = [
    "CertificateError",
    "Landscape",
    "LinearNetwork",
    "Maml",
    "StationaryPoint",
    "Theorem",
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
