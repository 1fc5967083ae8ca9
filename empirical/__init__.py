"""Numbers by autograd: linear models on regression tasks, adapted by real gradient steps, and recorded runs.

An independent witness for exact formulas: nothing here uses one. Losses carry the factor 1/2 and the noise
constant unless a name or `half=False` says otherwise.
"""

from .adaptation import adapt, chain, layer_rule, only_layers, only_tensors, precondition
from .divergence import DivergenceError
from .meta_loss import (
    effective_weight_after_step,
    finite_support_loss_quadrature,
    maml_gradient,
    maml_hessian,
    maml_loss_monte_carlo,
    maml_loss_quadrature,
    shallow_gradient,
    stochastic_gradient_moments,
    task_meta_gradients,
)
from .models import effective_weight, squared_error
from .regression_training import MetaTraining, meta_train
from .tasks.regression import Batch, RegressionTasks, population, sample, sample_theta, theta_nodes

__all__ = [
    "Batch",
    "DivergenceError",
    "MetaTraining",
    "RegressionTasks",
    "adapt",
    "chain",
    "effective_weight",
    "effective_weight_after_step",
    "finite_support_loss_quadrature",
    "layer_rule",
    "maml_gradient",
    "maml_hessian",
    "maml_loss_monte_carlo",
    "maml_loss_quadrature",
    "meta_train",
    "only_layers",
    "only_tensors",
    "population",
    "precondition",
    "sample",
    "sample_theta",
    "shallow_gradient",
    "squared_error",
    "stochastic_gradient_moments",
    "task_meta_gradients",
    "theta_nodes",
]
