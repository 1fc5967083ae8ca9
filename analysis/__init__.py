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
from .hierarchical_normal import HierarchicalNormal, marginal_maximiser
from .implicit_gradient import ModularMap, predictive_gradient, predictive_stationary_points, unroll, unrolled_gradient
from .joint_map import StationaryVariance, ascent_limit, joint_map_stationary_points
from .kronecker import (
    cholesky_costs,
    factored_parameters,
    is_kronecker_product,
    kronecker_apply,
    kronecker_costs,
    kronecker_network,
)
from .landscape import Landscape, StationaryPoint, stationary_points
from .landscape_theorem import Theorem, critical_learning_rate, theorem
from .linear_gaussian import (
    LinearGaussian,
    best_flow_time,
    best_rates,
    best_step,
    best_variance,
    chen2019_experiment1,
    infer_observations,
    joint_map_variance,
    plateaus,
    shrinkage_fixed_point,
    shrinkage_gradient,
)
from .linear_network import LinearNetwork
from .logistic import (
    CRITICAL_RATE,
    GaussianLogistic,
    accuracy_at_angle,
    expected_gradient,
    label_signal,
    mean_angle,
    one_point_angle,
    sampled_bayes_accuracy,
    stein_factor,
)
from .maml import Maml

__all__ = [
    "CRITICAL_RATE",
    "CertificateError",
    "GaussianLogistic",
    "HierarchicalNormal",
    "Landscape",
    "LinearGaussian",
    "LinearNetwork",
    "Maml",
    "ModularMap",
    "StationaryPoint",
    "StationaryVariance",
    "Theorem",
    "accuracy_at_angle",
    "adaptation_update",
    "ascent_limit",
    "best_flow_time",
    "best_rates",
    "best_step",
    "best_variance",
    "chen2019_experiment1",
    "cholesky_costs",
    "critical_learning_rate",
    "effective_update",
    "expected_gradient",
    "factored_parameters",
    "infer_observations",
    "is_kronecker_product",
    "joint_map_stationary_points",
    "joint_map_variance",
    "kronecker_apply",
    "kronecker_costs",
    "kronecker_network",
    "label_signal",
    "marginal_maximiser",
    "mean_angle",
    "meta_training_update",
    "one_point_angle",
    "one_step_preconditioner",
    "plateaus",
    "predictive_gradient",
    "predictive_stationary_points",
    "sampled_bayes_accuracy",
    "shrinkage_fixed_point",
    "shrinkage_gradient",
    "stationary_points",
    "stein_factor",
    "step_size_factor",
    "stochastic_meta_gradient",
    "theorem",
    "unroll",
    "unrolled_gradient",
]
