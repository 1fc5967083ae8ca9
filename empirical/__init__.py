"""Numbers by autograd: linear models on regression tasks, adapted by real gradient steps, and recorded runs.

An independent witness for exact formulas: nothing here uses one. Losses carry the factor 1/2 and the noise
constant unless a name or `half=False` says otherwise.
"""

from .adaptation import adapt, chain, layer_rule, only_layers, only_tensors, precondition
from .divergence import DivergenceError
from .meta_learners import ANIL, MAML, Reptile, Shrinkage
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
from .modules import Modules, grouped, one_module, per_entry, per_tensor
from .objective import flatten, of_module, unflatten
from .optimizers import adam, sgd
from .regression_models import effective_weight, squared_error
from .regression_training import MetaTraining, meta_train
from .tasks.hierarchical import HierarchicalModel, HierarchicalTasks
from .tasks.regression import Batch, RegressionEpisodes, RegressionTasks, population, sample, sample_theta, theta_nodes
from .trainer import CheckpointError, Evaluation, Trainer
from .update_rules import UPDATE_RULES, UpdateRule, cfc, kfc, klin, learned_rates, meta_curvature, meta_sgd, t_nets

__all__ = [
    "ANIL",
    "Batch",
    "CheckpointError",
    "DivergenceError",
    "Evaluation",
    "HierarchicalModel",
    "HierarchicalTasks",
    "MAML",
    "MetaTraining",
    "Modules",
    "RegressionEpisodes",
    "RegressionTasks",
    "Reptile",
    "Shrinkage",
    "Trainer",
    "UPDATE_RULES",
    "UpdateRule",
    "adam",
    "adapt",
    "cfc",
    "chain",
    "effective_weight",
    "effective_weight_after_step",
    "finite_support_loss_quadrature",
    "flatten",
    "grouped",
    "kfc",
    "klin",
    "layer_rule",
    "learned_rates",
    "maml_gradient",
    "maml_hessian",
    "maml_loss_monte_carlo",
    "maml_loss_quadrature",
    "meta_curvature",
    "meta_sgd",
    "meta_train",
    "of_module",
    "one_module",
    "only_layers",
    "only_tensors",
    "per_entry",
    "per_tensor",
    "population",
    "precondition",
    "sample",
    "sample_theta",
    "sgd",
    "shallow_gradient",
    "squared_error",
    "stochastic_gradient_moments",
    "t_nets",
    "task_meta_gradients",
    "theta_nodes",
    "unflatten",
]
