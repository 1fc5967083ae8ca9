"""The numerical witness of arnold2021's formulas: `empirical`'s models, adapted by autograd, at one point at a time."""

from __future__ import annotations

import torch

from empirical import (
    RegressionTasks,
    adapt,
    effective_weight,
    layer_rule,
    maml_gradient,
    maml_hessian,
    maml_loss_quadrature,
    population,
    squared_error,
    task_meta_gradients,
    theta_nodes,
)

__all__ = [
    "ONLY_B",
    "TASKS",
    "adapted",
    "adapted_product",
    "expected_over_tasks",
    "maml_gradient_at",
    "maml_hessian_at",
    "maml_loss_at",
    "task_gradient",
    "task_loss_after",
    "task_meta_gradient",
]

TASKS = RegressionTasks()
ONLY_B = (False, True)  # of (a, b), b adapts and a is held fixed


def _tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def adapted(weights: tuple[float, ...], theta: float | torch.Tensor, alpha: float, adapts=None) -> torch.Tensor:
    """The weights (T, L) after one autograd step on the population loss of each task in `theta`."""
    theta = torch.atleast_1d(torch.as_tensor(theta, dtype=torch.float64))
    start = _tensor(*weights).expand(len(theta), -1).clone().requires_grad_()
    batch = population(theta, TASKS)
    (after,) = adapt(lambda p: squared_error(p[0], batch), (start,), lr=alpha, steps=1, transform=layer_rule(adapts))
    return after.detach()


def adapted_product(weights: tuple[float, ...], theta: float | torch.Tensor, alpha: float, adapts=None) -> torch.Tensor:
    """f: the effective weight (T,) after one step."""
    return effective_weight(adapted(weights, theta, alpha, adapts))


def task_loss_after(weights: tuple[float, ...], theta: float, alpha: float) -> float:
    """ℓ_τ after one step."""
    return float(squared_error(adapted(weights, theta, alpha), population(_tensor(theta), TASKS)))


def task_gradient(weights: tuple[float, ...], theta: float) -> list[float]:
    """∇ℓ_τ at the weights, with no inner step."""
    return task_meta_gradients(weights_of(weights), _tensor(theta), TASKS, lr=0.0, steps=0)[0].tolist()


def task_meta_gradient(weights: tuple[float, ...], theta: float, alpha: float, adapts=None) -> list[float]:
    """One task's meta-gradient through one inner step."""
    gradients = task_meta_gradients(weights_of(weights), _tensor(theta), TASKS, lr=alpha, steps=1, adapts=adapts)
    return gradients[0].tolist()


def weights_of(weights: tuple[float, ...]) -> torch.Tensor:
    """The weights as a float64 tensor (L,)."""
    return _tensor(*weights)


def maml_loss_at(weights: tuple[float, ...], alpha: float) -> float:
    """The one-step MAML loss by quadrature over tasks and data."""
    return float(maml_loss_quadrature(weights_of(weights), TASKS, lr=alpha, steps=1))


def maml_gradient_at(weights: tuple[float, ...], alpha: float) -> list[float]:
    """Its gradient by autograd through the inner loop."""
    return maml_gradient(weights_of(weights), TASKS, lr=alpha, steps=1).tolist()


def maml_hessian_at(weights: tuple[float, ...], alpha: float) -> list[float]:
    """Its Hessian by autograd through the inner loop, row by row."""
    return maml_hessian(weights_of(weights), TASKS, lr=alpha, steps=1).flatten().tolist()


def expected_over_tasks(function, degree: int) -> float:
    """E over θ ~ N(0, 1) of a function of the nodes (T,), exact for polynomials up to `degree`."""
    theta, probability = theta_nodes(TASKS, degree)
    return float(probability @ function(theta))
