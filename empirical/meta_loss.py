"""MAML's loss, gradient and Hessian: linear models on regression tasks, by autograd through the inner loop.

Expectations are exact (Gauss-Hermite quadrature of a polynomial) unless a name says Monte Carlo. Losses carry
the factor 1/2, inside and outside, and the noise constant; `half=False` drops the factor 1/2 in both places.

Arguments that many functions share:

- weights (L,): the initialisation of a scalar linear network, upper layer first: (c) or (a, b); a tensor or
  numbers.
- lr, steps: the inner learning rate and the number K of inner steps.
- adapts: one boolean for each layer (default: all adapt); preconditioner: a matrix M (L, L). A step is
  w <- w - lr * adapts * (M g).
- first_order: the inner gradients are treated as constants when the outer gradient is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .adaptation import Transform, adapt, layer_rule, only_tensors
from .regression_models import deep_vector_error, shallow_vector_error, squared_error
from .tasks.regression import (
    Batch,
    RegressionTasks,
    population,
    sample,
    sample_theta,
    standard_normal_nodes,
    theta_nodes,
)

Weights = Tensor | Sequence[float]
Adapts = Sequence[bool] | Tensor | None
Preconditioner = Tensor | Sequence[Sequence[float]] | None


class Estimate(NamedTuple):
    """A Monte Carlo mean and its standard error."""

    mean: float
    standard_error: float


class Moments(NamedTuple):
    """Mean (L,) and covariance (L, L) of a random gradient."""

    mean: Tensor
    cov: Tensor


def maml_loss_quadrature(
    weights: Weights,
    tasks: RegressionTasks,
    *,
    lr: float | Tensor,
    steps: int,
    adapts: Adapts = None,
    preconditioner: Preconditioner = None,
    first_order: bool = False,
    half: bool = True,
) -> Tensor:
    """MAML's loss E_theta[loss_theta(w_K)], support and query both the population; a 0-d tensor.

    Differentiable in the weights (and in lr or the preconditioner, where they are tensors); with
    `first_order` the value is the same and its autograd gradient is the first-order field. Raises ValueError
    where the polynomial in theta needs too many nodes. Source: arnold2021, eqs. (1), (40).
    """
    weights = _as_weights(weights)
    theta, probability = _nodes_for(weights, tasks, steps)
    batch = population(theta, tasks)
    adapted = _adapted(_copies(weights, theta), batch, lr, steps, layer_rule(adapts, preconditioner), first_order, half)
    loss = squared_error(adapted, batch, half) @ probability
    differentiable = any(isinstance(t, Tensor) and t.requires_grad for t in (weights, lr, preconditioner))
    return loss if differentiable else loss.detach()


def maml_gradient(
    weights: Weights,
    tasks: RegressionTasks,
    *,
    lr: float,
    steps: int,
    adapts: Adapts = None,
    preconditioner: Preconditioner = None,
    first_order: bool = False,
    half: bool = True,
) -> Tensor:
    """The gradient (L,) of MAML's loss, or with `first_order` the field E_theta[grad loss_theta at w_K].

    Source: arnold2021, eq. (28).
    """
    _, field = _meta_field(weights, tasks, lr, steps, layer_rule(adapts, preconditioner), first_order, half)
    return field.detach()


def maml_hessian(
    weights: Weights,
    tasks: RegressionTasks,
    *,
    lr: float,
    steps: int,
    adapts: Adapts = None,
    preconditioner: Preconditioner = None,
    first_order: bool = False,
    half: bool = True,
) -> Tensor:
    """The Hessian (L, L) of MAML's loss; with `first_order` the Jacobian d field_i / d w_j of that field.

    The first-order field is no gradient in general, so its Jacobian need not be symmetric.
    """
    leaf, field = _meta_field(weights, tasks, lr, steps, layer_rule(adapts, preconditioner), first_order, half)
    return torch.stack([torch.autograd.grad(component, leaf, retain_graph=True)[0] for component in field])


def maml_loss_monte_carlo(
    weights: Weights,
    tasks: RegressionTasks,
    *,
    lr: float,
    steps: int,
    n_tasks: int,
    support: int | None = None,
    query: int | None = 1,
    seed: int,
    adapts: Adapts = None,
    preconditioner: Preconditioner = None,
    half: bool = True,
) -> Estimate:
    """MAML's loss estimated from n_tasks sampled tasks: its mean and standard error.

    `support` and `query` are numbers of sampled points; None takes the population. One task's support points
    serve all its inner steps. Raises ValueError for fewer than 2 tasks, or no points.
    """
    if n_tasks < 2 or support == 0 or query == 0:
        raise ValueError(
            f"Got {n_tasks} tasks, support {support}, query {query}: expected 2 tasks and 1 point at least."
        )
    weights = _as_weights(weights).detach()
    generator = torch.Generator(weights.device).manual_seed(seed)
    rule = layer_rule(adapts, preconditioner)
    losses = []
    for start in range(0, n_tasks, 100_000):  # chunks bound the memory
        theta = sample_theta(tasks, min(100_000, n_tasks - start), generator, dtype=weights.dtype)
        inner, outer = (
            population(theta, tasks) if n is None else sample(theta, tasks, n, generator) for n in (support, query)
        )
        # First order because only the value is wanted, which does not depend on it.
        adapted = _adapted(_copies(weights, theta), inner, lr, steps, rule, True, half)
        losses.append(squared_error(adapted.detach(), outer, half))
    loss = torch.cat(losses)
    return Estimate(loss.mean().item(), loss.std().item() / math.sqrt(n_tasks))


def finite_support_loss_quadrature(
    c: float | Tensor, tasks: RegressionTasks, *, lr: float, steps: int, n: int, half: bool = True
) -> Tensor:
    """The shallow model's expected population loss after `steps` steps on n sampled points; a 0-d tensor.

    All steps see the same points. Exact: tensor-product quadrature over theta, x_1 ... x_n and the noise of
    y_1 ... y_n. Differentiable in c. Raises ValueError unless n is 1 or 2 (the product grows too fast
    beyond).
    """
    if n not in (1, 2):
        raise ValueError(f"A support set of {n} points is not served: expected n = 1 or 2; take maml_loss_monte_carlo.")
    weights = _as_weights(c)
    # Each step multiplies c by 1 - lr mean(x^2): c_K has degree 2K in every x, and the loss twice that.
    # In theta and in each noise c_K is linear, for any K.
    counts = [2] + [2 * max(steps, 0) + 1] * n + [2] * n
    rules = [standard_normal_nodes(count, dtype=weights.dtype, device=weights.device) for count in counts]
    z = torch.cartesian_prod(*(nodes for nodes, _ in rules))
    probability = torch.cartesian_prod(*(weight for _, weight in rules)).prod(dim=1)
    theta = tasks.mu + math.sqrt(tasks.tau2) * z[:, 0]
    x = math.sqrt(tasks.s2) * z[:, 1 : n + 1]
    y = theta[:, None] * x + math.sqrt(tasks.v) * z[:, n + 1 :]
    support = Batch(x, y, torch.full((n,), 1 / n).to(x))
    adapted = _adapted(_copies(weights, theta), support, lr, steps, None, False, half)
    loss = squared_error(adapted, population(theta, tasks), half) @ probability
    return loss if weights.requires_grad else loss.detach()


def task_meta_gradients(
    weights: Weights,
    theta: Tensor,
    tasks: RegressionTasks,
    *,
    lr: float,
    steps: int,
    query: Batch | None = None,
    adapts: Adapts = None,
    preconditioner: Preconditioner = None,
    first_order: bool = False,
    half: bool = True,
) -> Tensor:
    """Every task's own meta-gradient d loss_theta(w_K) / dw: theta (T,), to (T, L).

    The inner steps see the population; the outer loss is over the population, or over the given query points
    of the T tasks.
    """
    support = population(theta, tasks)
    start = _copies(_as_weights(weights).detach(), theta).clone().requires_grad_()
    adapted = _adapted(start, support, lr, steps, layer_rule(adapts, preconditioner), first_order, half)
    loss = squared_error(adapted, support if query is None else query, half)
    return torch.autograd.grad(loss.sum(), start)[0]


def stochastic_gradient_moments(
    weights: Weights,
    tasks: RegressionTasks,
    *,
    lr: float,
    steps: int,
    query: int | None = None,
    adapts: Adapts = None,
    preconditioner: Preconditioner = None,
    first_order: bool = False,
    half: bool = True,
) -> Moments:
    """Mean (L,) and covariance (L, L) of one task's meta-gradient, theta ~ N(mu, tau2); exact, by quadrature.

    query=None: the outer loss is the population's. query=n: it is the mean over n sampled points, which adds
    E_theta Cov(g_1 | theta) / n, g_1 the gradient from one point. The inner steps see the population in both
    cases.
    """
    if query is not None and query < 1:
        raise ValueError(f"The number of query points is {query}: expected 1 or more, or None for the population.")
    weights = _as_weights(weights)
    options = dict(lr=lr, steps=steps, adapts=adapts, preconditioner=preconditioner, first_order=first_order, half=half)
    theta, probability = _nodes_for(weights, tasks, steps, power=2)
    given_theta = task_meta_gradients(weights, theta, tasks, **options)
    mean = probability @ given_theta
    cov = _covariance(given_theta - mean, probability)
    if query is not None:
        points = population(theta, tasks)  # 3 nodes: the gradient has degree 2 in x and in the noise, its square 4
        per_task = len(points.weight)
        one_point = Batch(points.x.reshape(-1, 1), points.y.reshape(-1, 1), torch.ones(1).to(theta))
        g = task_meta_gradients(weights, theta.repeat_interleave(per_task), tasks, query=one_point, **options)
        deviation = g - given_theta.repeat_interleave(per_task, dim=0)
        cov = cov + _covariance(deviation, torch.outer(probability, points.weight).flatten()) / query
    return Moments(mean, cov)


def effective_weight_after_step(
    a: Tensor,
    B: Tensor,
    x: Tensor,
    y: Tensor,
    lr: float,
    half: bool = True,
    adapts: Sequence[str] = ("a", "B"),
) -> Tensor:
    """The effective weight B'^T a' (d,) after one gradient step of yhat = a^T B x on the mean squared error.

    Shapes: a (m,), B (m, d), x (n, d), y (n,). `adapts` names the parameters that move. Raises ValueError for
    another name. Source: arnold2021, Section 4.5.
    """
    if not set(adapts) <= {"a", "B"}:
        raise ValueError(f"adapts is {adapts!r}: expected names among 'a' and 'B'.")
    a_new, B_new = adapt(
        lambda p: deep_vector_error(*p, x, y, half),
        (a[None], B[None]),
        lr=lr,
        steps=1,
        transform=only_tensors(("a" in adapts, "B" in adapts)),
    )
    return (B_new[0].T @ a_new[0]).detach()


def shallow_gradient(c: Tensor, x: Tensor, y: Tensor, half: bool = True) -> Tensor:
    """Gradient (d,) of the mean squared error of yhat = c^T x: c (d,), x (n, d), y (n,)."""
    c = c.detach().clone().requires_grad_()
    return torch.autograd.grad(shallow_vector_error(c[None], x, y, half).sum(), c)[0]


def _as_weights(weights: Weights | float) -> Tensor:
    tensor = weights if isinstance(weights, Tensor) else torch.tensor(weights, dtype=torch.float64)
    tensor = tensor.reshape(1) if tensor.ndim == 0 else tensor
    if tensor.ndim != 1 or len(tensor) == 0 or not tensor.is_floating_point():
        raise ValueError(
            f"The weights have shape {tuple(tensor.shape)} and type {tensor.dtype}: expected (L,), floating."
        )
    return tensor


def _copies(weights: Tensor, theta: Tensor) -> Tensor:
    return weights.expand(len(theta), -1)


def _nodes_for(weights: Tensor, tasks: RegressionTasks, steps: int, power: int = 1) -> tuple[Tensor, Tensor]:
    """Nodes that integrate the `power`-th power of the loss (or of its gradient) after `steps` steps."""
    depth = len(weights)
    # One step makes every weight linear in theta; each further one multiplies the degree by 2 depth - 1.
    product_degree = depth * (2 * depth - 1) ** (steps - 1) if steps > 0 else 0
    return theta_nodes(tasks, power * max(2, 2 * product_degree), dtype=weights.dtype, device=weights.device)


def _adapted(
    start: Tensor,
    support: Batch,
    lr: float | Tensor,
    steps: int,
    rule: Transform | None,
    first_order: bool,
    half: bool,
) -> Tensor:
    (end,) = adapt(
        lambda p: squared_error(p[0], support, half),
        (start,),
        lr=lr,
        steps=steps,
        transform=rule,
        first_order=first_order,
    )
    return end


def _meta_field(
    weights: Weights,
    tasks: RegressionTasks,
    lr: float,
    steps: int,
    rule: Transform,
    first_order: bool,
    half: bool,
) -> tuple[Tensor, Tensor]:
    """A leaf copy of the weights and the meta-gradient there, as a differentiable function of that leaf."""
    leaf = _as_weights(weights).detach().clone().requires_grad_()
    theta, probability = _nodes_for(leaf, tasks, steps)
    batch = population(theta, tasks)
    # Second order inside even for the first-order field, which is read off at w_K: w_K moves with the leaf.
    adapted = _adapted(_copies(leaf, theta), batch, lr, steps, rule, False, half)
    loss = squared_error(adapted, batch, half) @ probability
    if first_order:
        (at_adapted,) = torch.autograd.grad(loss, adapted, create_graph=True)
        return leaf, at_adapted.sum(dim=0)  # the loss already holds the probabilities
    return leaf, torch.autograd.grad(loss, leaf, create_graph=True)[0]


def _covariance(deviation: Tensor, probability: Tensor) -> Tensor:
    return deviation.T @ (deviation * probability[:, None])
