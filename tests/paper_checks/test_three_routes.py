"""Exact polynomial, Gauss–Hermite quadrature and autograd: three routes to one number that share no code."""

from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis import LinearNetwork, Maml, stochastic_meta_gradient
from analysis.vector_linear import preconditioner
from empirical import (
    RegressionTasks,
    effective_weight_after_step,
    finite_support_loss_quadrature,
    maml_gradient,
    maml_hessian,
    maml_loss_monte_carlo,
    maml_loss_quadrature,
    shallow_gradient,
    stochastic_gradient_moments,
)

torch.set_num_threads(1)

numbers = st.fractions("-3/2", "3/2", max_denominator=8)
variances = st.fractions("1/4", 2, max_denominator=4)
TASKS = st.fixed_dictionaries(dict(mu=numbers, tau2=variances, s2=variances, v=variances))
rates = st.fractions("1/40", "3/10", max_denominator=40)
SKEW = dict(mu=Fraction(2, 5), tau2=Fraction(3, 5), s2=Fraction(3, 2), v=Fraction(3, 10))
EXTRAS = ["plain", "without the half", "ANIL", "preconditioned", "ANIL, preconditioned, without the half"]
SIZES = [*product((1, 2, 3), (0, 1)), (1, 2), (2, 2), (3, 2)]


def few(examples):
    return settings(max_examples=examples)


def close(found, exact, rtol=1e-10):
    """Agreement relative to the largest entry."""
    exact = np.array(exact, float)
    np.testing.assert_allclose(np.asarray(found, float), exact, rtol=rtol, atol=rtol * np.abs(exact).max(initial=1e-3))


def matrix_of(size):
    return [[Fraction(i + 2 * j + 1, 3 + i) - (i == j) for j in range(size)] for i in range(size)]


def both(depth, steps, alpha, tasks, extra="plain"):
    """The exact object, and the options under which the witness computes the same."""
    half = "without the half" not in extra
    network = LinearNetwork(depth, **tasks, half=half)
    mask = tuple(i % 2 == 1 or depth == 1 for i in range(depth)) if "ANIL" in extra else None
    matrix = matrix_of(depth) if "preconditioned" in extra else None
    adapts = mask and tuple(str(w) for w, on in zip(network.weights, mask, strict=True) if on)
    exact = Maml(network, steps=steps, alpha=alpha, adapts=adapts, preconditioner=matrix)
    options = dict(lr=float(alpha), steps=steps, half=half, adapts=mask)
    options["preconditioner"] = None
    if matrix:
        rows = [[float(entry) for entry in row] for row in matrix]
        options["preconditioner"] = torch.tensor(rows, dtype=torch.float64)
    return exact, RegressionTasks(**{name: float(value) for name, value in tasks.items()}), options


def by_numpy(weights, steps, alpha, tasks, half, mask=None, matrix=None):
    """Gauss–Hermite over θ, with the inner gradient written out: the second route."""
    nodes, probability = np.polynomial.hermite_e.hermegauss(40)
    mu, tau2, s2, v = (float(tasks[name]) for name in ("mu", "tau2", "s2", "v"))
    theta, kappa, size = mu + tau2**0.5 * nodes, 0.5 if half else 1.0, len(weights)
    matrix = np.eye(size) if matrix is None else matrix.numpy()
    w = [np.full_like(theta, float(value)) for value in weights]
    for _ in range(steps):
        error = prod(w) - theta
        g = np.array([2 * kappa * s2 * error * prod(w[:i] + w[i + 1 :]) for i in range(size)])
        step = matrix @ g
        w = [
            x - float(alpha) * s if mask is None or mask[i] else x for i, (x, s) in enumerate(zip(w, step, strict=True))
        ]
    return (kappa * (s2 * (prod(w) - theta) ** 2 + v)) @ (probability / probability.sum())


def draw_weights(data, depth):
    return data.draw(st.lists(numbers, min_size=depth, max_size=depth))


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize(("depth", "steps"), SIZES)
@few(2)
@given(alpha=rates, tasks=TASKS, data=st.data())
def test_value_gradient_and_hessian(depth, steps, extra, alpha, tasks, data):
    weights = draw_weights(data, depth)
    exact, witness_tasks, options = both(depth, steps, alpha, tasks, extra)
    at = list(map(float, weights))
    value = exact.loss_at(weights)
    quadrature = by_numpy(weights, steps, alpha, tasks, options["half"], options["adapts"], options["preconditioner"])
    close(maml_loss_quadrature(at, witness_tasks, **options), value)
    close(quadrature, value)
    if (depth, steps) == (3, 2):  # a polynomial of 9,171 terms: derivatives once, below
        return
    assert exact.at(exact.loss, weights) == value
    close(maml_gradient(at, witness_tasks, **options), exact.at(exact.gradient, weights), rtol=1e-9)
    close(maml_hessian(at, witness_tasks, **options), exact.at(exact.hessian, weights), rtol=1e-9)


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize(("depth", "steps"), SIZES[:-1])
@few(2)
@given(alpha=rates, tasks=TASKS, data=st.data())
def test_first_order_field_and_jacobian(depth, steps, extra, alpha, tasks, data):
    weights = draw_weights(data, depth)
    exact, witness_tasks, options = both(depth, steps, alpha, tasks, extra)
    at, options = list(map(float, weights)), {**options, "first_order": True}
    close(maml_gradient(at, witness_tasks, **options), exact.at(exact.first_order_gradient, weights), rtol=1e-9)
    close(maml_hessian(at, witness_tasks, **options), exact.at(exact.first_order_jacobian, weights), rtol=1e-9)


def test_a_preconditioner_as_a_list_loses_no_digits():
    exact, tasks, options = both(2, 1, Fraction(1, 10), SKEW, "preconditioned")
    options["preconditioner"] = options["preconditioner"].tolist()
    close(maml_loss_quadrature([0.5, -0.75], tasks, **options), exact.loss_at(["1/2", "-3/4"]))


def test_three_layers_and_two_steps():
    weights = [Fraction(1, 2), Fraction(-3, 4), Fraction(5, 4)]
    exact, tasks, options = both(3, 2, Fraction(1, 10), SKEW)
    at = list(map(float, weights))
    close(maml_gradient(at, tasks, **options), exact.at(exact.gradient, weights), rtol=1e-9)
    close(maml_hessian(at, tasks, **options), exact.at(exact.hessian, weights), rtol=1e-9)
    options["first_order"] = True
    close(maml_gradient(at, tasks, **options), exact.at(exact.first_order_gradient, weights), rtol=1e-9)
    close(maml_hessian(at, tasks, **options), exact.at(exact.first_order_jacobian, weights), rtol=1e-9)


def test_autograd_through_the_quadrature_is_the_gradient():
    weights = [Fraction(3, 5), Fraction(-4, 5)]
    exact, tasks, options = both(2, 2, Fraction(1, 5), SKEW)
    leaf = torch.tensor(list(map(float, weights)), dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(maml_loss_quadrature(leaf, tasks, **options), leaf)
    close(found, exact.at(exact.gradient, weights), rtol=1e-9)


@pytest.mark.parametrize(("depth", "steps"), [(1, 1), (2, 1), (2, 2), (3, 1)])
def test_the_routes_tell_a_perturbed_polynomial(depth, steps):
    """The control: one coefficient changed by one part in 10⁶, another rate, another convention; none agrees."""
    weights = [Fraction(3, 5), Fraction(-4, 5), Fraction(11, 10)][:depth]
    exact, tasks, options = both(depth, steps, Fraction(1, 5), SKEW)
    found, at = maml_loss_quadrature(list(map(float, weights)), tasks, **options), list(map(float, weights))
    close(found, exact.at(exact.loss, weights))
    powers, coefficient = max(exact.loss.to_dict().items(), key=lambda term: abs(term[1]))
    context = exact.ring.context
    perturbed = exact.loss + context.from_dict({powers: coefficient / 10**6})
    with pytest.raises(AssertionError):
        close(found, exact.at(perturbed, weights))
    for wrong in (
        Maml(exact.network, steps=steps, alpha="200001/1000000"),
        Maml(exact.network, steps=steps + 1, alpha="1/5"),
        Maml(LinearNetwork(depth, **SKEW, half=False), steps=steps, alpha="1/5"),
        Maml(LinearNetwork(depth, **{**SKEW, "tau2": "600001/1000000"}), steps=steps, alpha="1/5"),
    ):
        with pytest.raises(AssertionError):
            close(found, wrong.loss_at(weights))
    with pytest.raises(AssertionError):
        close(maml_gradient(at, tasks, **options), exact.at(exact.first_order_gradient, weights), rtol=1e-9)


# --- by chance ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("extra", ["plain", "ANIL, preconditioned, without the half"])
@pytest.mark.parametrize(("depth", "steps"), [(1, 1), (2, 1), (2, 2), (3, 1)])
def test_monte_carlo(depth, steps, extra, seed):
    weights = [Fraction(3, 5), Fraction(-4, 5), Fraction(11, 10)][:depth]
    exact, tasks, options = both(depth, steps, Fraction(1, 10), SKEW, extra)
    value = float(exact.loss_at(weights))
    found = maml_loss_monte_carlo(list(map(float, weights)), tasks, **options, n_tasks=40_000, seed=seed)
    assert abs(found.mean - value) < 5 * found.standard_error
    # sharp enough that one step more or less would show
    assert found.standard_error < 0.03 * value
    assert abs(found.mean - float(Maml(exact.network, steps=0).loss_at(weights))) > 5 * found.standard_error


@pytest.mark.parametrize(("n", "steps"), [(1, 1), (3, 1), (5, 2)])
def test_monte_carlo_with_sampled_support(n, steps):
    network = LinearNetwork(1, **SKEW)
    value = float(network.finite_support_loss(n, steps=steps, alpha="1/10").subs(network.weights[0], Fraction(-4, 5)))
    tasks = RegressionTasks(**{name: float(number) for name, number in SKEW.items()})
    options = dict(lr=0.1, steps=steps, n_tasks=100_000, query=None, seed=4)
    found = maml_loss_monte_carlo([-0.8], tasks, support=n, **options)
    assert abs(found.mean - value) < 5 * found.standard_error
    population = maml_loss_monte_carlo([-0.8], tasks, **options)
    assert abs(population.mean - value) > 5 * population.standard_error


# --- finite support, noise, vectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "steps", "half"), [(1, 0, True), (1, 1, True), (1, 2, False), (2, 1, False), (2, 2, True)]
)
@few(3)
@given(c=numbers, alpha=rates, tasks=TASKS)
def test_finite_support(n, steps, half, c, alpha, tasks):
    network = LinearNetwork(1, **tasks, half=half)
    exact = network.finite_support_loss(n, steps=steps, alpha=alpha).subs(network.weights[0], c)
    found = finite_support_loss_quadrature(
        float(c),
        RegressionTasks(**{k: float(q) for k, q in tasks.items()}),
        lr=float(alpha),
        steps=steps,
        n=n,
        half=half,
    )
    close(found, exact)
    if steps:
        with pytest.raises(AssertionError):
            close(found, network.finite_support_loss(n + 1, steps=steps, alpha=alpha).subs(network.weights[0], c))


@pytest.mark.parametrize("query", [None, 1, 4])
@pytest.mark.parametrize(
    ("depth", "steps", "half"), [(1, 1, True), (2, 0, True), (2, 1, False), (2, 2, True), (3, 0, True)]
)
def test_noise_of_the_meta_gradient(depth, steps, half, query):
    weights = [Fraction(3, 5), Fraction(-4, 5), Fraction(11, 10)][:depth]
    network = LinearNetwork(depth, **SKEW, half=half)
    mean, covariance = stochastic_meta_gradient(network, weights, steps=steps, alpha="1/10", query=query)
    found = stochastic_gradient_moments(
        list(map(float, weights)),
        RegressionTasks(**{k: float(q) for k, q in SKEW.items()}),
        lr=0.1,
        steps=steps,
        half=half,
        query=query,
    )
    close(found.mean, np.array(mean.tolist(), float)[:, 0], rtol=1e-9)
    close(found.cov, np.array(covariance.tolist(), float), rtol=1e-9)
    with pytest.raises(AssertionError):
        close(found.cov, 1.001 * np.array(covariance.tolist(), float), rtol=1e-9)


@pytest.mark.parametrize("adapts", [("a", "B"), ("B",), ("a",), ()])
@pytest.mark.parametrize("half", [True, False])
@few(4)
@given(seed=st.integers(0, 10**6), hidden=st.integers(1, 4), inputs=st.integers(1, 3))
def test_the_deep_step_is_a_preconditioned_shallow_step(adapts, half, seed, hidden, inputs):
    """w ← w − αPg + α²(wᵀg)g, the last term only where both move; arnold2021, Section 4.5."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=hidden), rng.normal(size=(hidden, inputs))
    x, y, lr = rng.normal(size=(7, inputs)), rng.normal(size=7), 0.1
    tensors = [torch.tensor(part) for part in (a, b, x, y)]
    after = effective_weight_after_step(*tensors, lr, half=half, adapts=adapts).numpy()
    w = b.T @ a
    g = shallow_gradient(torch.tensor(w), *tensors[2:], half=half).numpy()
    matrix = np.array(preconditioner(sympy.Matrix(a), sympy.Matrix(b), adapts), float)
    first = w - lr * matrix @ g
    formula = first + (lr**2 * (w @ g) * g if len(adapts) == 2 else 0)
    np.testing.assert_allclose(after, formula, rtol=1e-10, atol=1e-12)
    if len(adapts) == 2:
        assume(abs(w @ g) > 1e-2 and np.abs(g).max() > 1e-1)
        assert np.abs(after - first).max() > 1e-7
