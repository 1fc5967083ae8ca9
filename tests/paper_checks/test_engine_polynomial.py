"""The engine's MAML on ŷ = a b x against the exact polynomial of `analysis`: value, gradient and Hessian."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from analysis import LinearNetwork, Maml
from empirical import MAML, RegressionTasks, population, theta_nodes

TASKS = dict(mu=Fraction(2, 5), tau2=Fraction(3, 5), s2=Fraction(3, 2), v=Fraction(3, 10))
AT = [Fraction(7, 10), Fraction(-3, 10)]  # a, b


def weighted_half_square(output, target):
    """½ Σ w (y − ŷ)² of one task; the targets are pairs (y, w)."""
    return ((target[:, 0] - output[:, 0]).square() * target[:, 1]).sum() / 2


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("adapts", ["ab", "b"])
@pytest.mark.parametrize("steps", [1, 2])
def test_the_engine_computes_the_exact_polynomial(steps, adapts, first_order):
    alpha = Fraction(1, 7)
    exact = Maml(LinearNetwork(2, **TASKS), steps=steps, alpha=alpha, adapts=tuple(adapts))
    names = {"a": "1.weight", "b": "0.weight"}  # the first layer is the one next to the data
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    learner = MAML(
        model,
        weighted_half_square,
        inner_lr=float(alpha),
        steps=steps,
        adapts=[names[name] for name in adapts],
        first_order=first_order,
    )
    tasks = RegressionTasks(**{name: float(value) for name, value in TASKS.items()})
    # adapted weights are polynomials of degree 3^steps in θ at most, and they enter the loss squared
    theta, probability = theta_nodes(tasks, 4 * 3**steps + 2)
    points = population(theta, tasks)
    x = points.x[None, :, :, None]
    y = torch.stack([points.y, points.weight.expand_as(points.y)], dim=-1)[None]

    def loss(weights):
        named = {names[n]: w.view(1, 1, 1) for n, w in zip("ab", weights, strict=True)}
        through = "first-order" if first_order else "second-order"
        adapted = learner.inner.run(named, {}, (x, y), through=through)
        return (learner.inner.loss(learner.inner.predict(adapted, x, x), y)[0] * probability).sum()

    at = torch.tensor([float(w) for w in AT], dtype=torch.float64, requires_grad=True)
    value = loss(at)
    (gradient,) = torch.autograd.grad(value, at, create_graph=True)
    np.testing.assert_allclose(value.item(), float(exact.at(exact.loss, AT)), rtol=1e-11)
    expected = exact.first_order_gradient if first_order else exact.gradient
    np.testing.assert_allclose(gradient.detach(), [float(g) for g in exact.at(expected, AT)], rtol=1e-10)
    if not first_order:
        hessian = [torch.autograd.grad(g, at, retain_graph=True)[0].tolist() for g in gradient]
        np.testing.assert_allclose(hessian, np.array(exact.at(exact.hessian, AT), float), rtol=1e-10)


def test_the_meta_gradient_of_the_trainer_is_the_gradient_of_that_polynomial():
    """The path that training takes: equally likely tasks, whose mean loss is a quadrature where their nodes are equally likely."""
    alpha = Fraction(1, 7)
    exact = Maml(LinearNetwork(2), steps=1, alpha=alpha)
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    learner = MAML(model, weighted_half_square, inner_lr=float(alpha))
    learned = learner.init(1)
    learned = {n: torch.full_like(v, 0.7 if n == "model.1.weight" else -0.3) for n, v in learned.items()}
    theta, probability = theta_nodes(RegressionTasks(), 14)
    gradients = {name: 0.0 for name in learned}
    for node, weight in zip(theta, probability, strict=True):
        points = population(node[None], RegressionTasks())
        x, y = points.x[None, :, :, None], torch.stack([points.y, points.weight[None]], dim=-1)[None]
        found, _ = learner.gradients(learned, (x, y, x, y))
        gradients = {n: g + weight * found[n].item() for n, g in gradients.items()}
    expected = [float(g) for g in exact.at(exact.gradient, AT)]
    np.testing.assert_allclose([gradients["model.1.weight"], gradients["model.0.weight"]], expected, rtol=1e-10)
