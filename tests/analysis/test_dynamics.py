from fractions import Fraction
from itertools import pairwise
from math import prod

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import (
    LinearNetwork,
    Maml,
    adaptation_update,
    effective_update,
    meta_training_update,
    one_step_preconditioner,
    step_size_factor,
    stochastic_meta_gradient,
)
from analysis import symbols as sy
from analysis.gaussian import expectation_expr

few = settings(max_examples=10)
numbers = st.fractions(-2, 2, max_denominator=4)
variances = st.fractions("1/4", 2, max_denominator=4)
rates = st.fractions("1/20", "1/2", max_denominator=20)
TASKS = dict(mu=numbers, tau2=variances, s2=variances, v=variances, half=st.booleans(), alpha=rates)
SYMBOLIC = dict(mu=sy.mu, tau2=sy.tau2, s2=sy.s2, v=sy.v)
A, B = sy.weight_symbols(2)
(C,) = sy.weight_symbols(1)


def rational(number):
    return sympy.Rational(number.numerator, number.denominator)


def fraction(expr):
    assert expr.is_Rational, expr
    return Fraction(int(expr.p), int(expr.q))


def network_of(depth, setting):
    return LinearNetwork(depth, mu=setting.mu, tau2=setting.tau2, s2=setting.s2, v=setting.v, half=setting.half)


# --- update laws -------------------------------------------------------------------------------------------------------


def test_update_laws_of_the_shallow_model():
    """arnold2021, eqs. (13), (14)."""
    network, alpha, beta, theta = LinearNetwork(1), sy.alpha, sy.beta, sy.theta
    assert sympy.expand(adaptation_update(network)[C] - (C - alpha * (C - theta))) == 0
    assert sympy.expand(meta_training_update(network)[C] - (C - beta * (1 - alpha) ** 2 * (C - theta))) == 0


def test_update_laws_of_the_deep_model():
    """arnold2021, eqs. (17), (18), (19), (38), (39)."""
    network, alpha, beta, theta = LinearNetwork(2), sy.alpha, sy.beta, sy.theta
    adapted = adaptation_update(network)
    assert sympy.expand(adapted[A] - (A - alpha * B * (A * B - theta))) == 0
    assert sympy.expand(adapted[B] - (B - alpha * A * (A * B - theta))) == 0
    trained = meta_training_update(network, adapts=("b",))
    assert list(trained) == list(adaptation_update(network, adapts=("b",))) == [B]
    assert sympy.expand(trained[B] - (B - beta * A * (1 - alpha * A**2) ** 2 * (A * B - theta))) == 0


@few
@given(weights=st.lists(numbers, min_size=1, max_size=3), theta=numbers, beta=rates, steps=st.integers(0, 1), **TASKS)
def test_updates_against_the_recursion(by_hand, weights, theta, beta, steps, **tasks):
    setting = by_hand.Setting(steps=steps, **tasks)
    network, at = network_of(len(weights), setting), {"theta": rational(theta)}
    at |= {str(w): rational(value) for w, value in zip(sy.weight_symbols(len(weights)), weights, strict=True)}

    def numbers_of(update):
        return [fraction(expr.subs({s: at[str(s)] for s in expr.free_symbols})) for expr in update.values()]

    one_step = by_hand.Setting(steps=1, **tasks)
    assert numbers_of(adaptation_update(network, alpha=setting.alpha)) == one_step.adapted(weights, theta)
    slopes = [
        sum((c * theta**k for k, c in enumerate(g.coefficients)), Fraction(0)) for g in setting.task_gradients(weights)
    ]
    trained = meta_training_update(network, steps=steps, alpha=setting.alpha, beta=rational(beta))
    assert numbers_of(trained) == [w - beta * slope for w, slope in zip(weights, slopes, strict=True)]


# --- the step-size factor of (17) --------------------------------------------------------------------------------------


@pytest.mark.parametrize("half", [True, False])
def test_step_size_factor(half):
    network = LinearNetwork(2, **SYMBOLIC, half=half)
    found, kappa = step_size_factor(network), network.kappa
    rho = 2 * kappa * sy.alpha * sy.s2
    assert sympy.expand(found.expr - 2 * kappa * sy.s2 * A * (1 - rho * A**2) ** 2) == 0
    assert sympy.expand(found.derivative - found.expr.diff(A)) == 0
    trained = meta_training_update(network, adapts=("b",))[B]
    assert sympy.expand(trained - (B - sy.beta * found.expr * (A * B - sy.theta))) == 0


def test_step_size_factor_of_the_paper():
    found, root = step_size_factor(), 1 / sympy.sqrt(sy.alpha)
    near = root / sympy.sqrt(5)
    high = sympy.Rational(16, 125) * sympy.sqrt(5) * root
    wanted = [(-root, 0, "maximum"), (-near, -high, "minimum"), (near, high, "maximum"), (root, 0, "minimum")]
    assert [
        (sympy.simplify(p - q), sympy.simplify(u - w), k)
        for (p, u, k), (q, w, _) in zip(found.extrema, wanted, strict=True)
    ] == [(0, 0, kind) for _, _, kind in wanted]


@pytest.mark.parametrize(("alpha", "s2", "half"), [(0.3, 1, True), (0.05, 2.5, False), (4, 0.5, True)])
def test_intervals_and_extrema_numerically(alpha, s2, half):
    found = step_size_factor(LinearNetwork(2, s2=s2, half=half))
    at = {sy.alpha: alpha}
    size = sympy.lambdify(A, found.expr.subs(at))
    ends = [float(found.intervals[0][0].subs(at)), *(float(right.subs(at)) for _, right, _ in found.intervals)]
    assert ends[0] == -np.inf and ends[-1] == np.inf and ends == sorted(ends)
    assert [float(left.subs(at)) for left, _, _ in found.intervals] == ends[:-1]
    reach = 2 * max(abs(x) for x in ends if np.isfinite(x))
    for (left, right, direction), (low, high) in zip(found.intervals, pairwise(ends), strict=True):
        assert float(left.subs(at)) == low and float(right.subs(at)) == high
        values = size(np.linspace(max(low, -reach), min(high, reach), 200))
        assert (np.diff(values) > 0).all() if direction == "increasing" else (np.diff(values) < 0).all()
    for (place, value, kind), end in zip(found.extrema, ends[1:-1], strict=True):
        place, value = float(place.subs(at)), float(value.subs(at))
        assert place == end and size(place) == pytest.approx(value, abs=1e-12)
        nearby = size(place + np.array([-1e-3, 1e-3]) * reach)
        assert (nearby < value).all() if kind == "maximum" else (nearby > value).all()


@pytest.mark.parametrize("depth", [1, 3])
def test_the_step_size_factor_is_the_deep_model_s(depth):
    with pytest.raises(ValueError, match=f"depth is {depth} and must be 2"):
        step_size_factor(LinearNetwork(depth))


def test_effective_update_at_other_depths():
    assert effective_update(LinearNetwork(1)).preconditioner == 1
    squares = [w**2 for w in sy.weight_symbols(3)]
    first = squares[0] * squares[1] + squares[0] * squares[2] + squares[1] * squares[2]
    assert sympy.expand(effective_update(LinearNetwork(3)).first_order - first) == 0


# --- the deep step as a preconditioned shallow step --------------------------------------------------------------------


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("adapts", [None, ("b",), ("a",), ()])
def test_effective_update(half, adapts):
    network = LinearNetwork(2, **SYMBOLIC, half=half)
    found = effective_update(network, adapts)
    c = sympy.Symbol("c", real=True)
    slope = sympy.diff(network.kappa * sy.s2 * (c - sy.theta) ** 2, c).subs(c, A * B)
    assert sympy.expand(found.after - (A * B - sy.alpha * found.preconditioner * slope)) == 0
    stepped = adaptation_update(network, adapts=adapts)
    assert sympy.expand(found.after - stepped.get(A, A) * stepped.get(B, B)) == 0
    first = {None: A**2 + B**2, ("b",): A**2, ("a",): B**2, (): 0}[adapts]
    assert sympy.expand(found.first_order - first) == 0
    whole = first - (sy.alpha * A * B * slope if adapts is None else 0)
    assert sympy.expand(found.preconditioner - whole) == 0


@pytest.mark.parametrize("half", [True, False])
def test_one_step_preconditioner(half):
    network = LinearNetwork(1, **SYMBOLIC, half=half)
    found = one_step_preconditioner(network)
    assert sympy.simplify(found - 1 / (2 * network.kappa * sy.alpha * sy.s2)) == 0
    p = sympy.Symbol("P", real=True)
    maml = Maml(network, preconditioner=[[p]])
    loss = maml.expr(maml.loss)
    assert sympy.simplify(loss.subs(p, found) - network.kappa * sy.v) == 0
    assert sympy.simplify(loss.subs(p, 2 * found) - network.kappa * sy.v) != 0


# --- the noise of SGD --------------------------------------------------------------------------------------------------


@few
@given(weights=st.lists(numbers, min_size=1, max_size=2), steps=st.integers(0, 1), **TASKS)
def test_noise_of_drawing_tasks(by_hand, weights, steps, **tasks):
    setting = by_hand.Setting(steps=steps, **tasks)
    mean, covariance = stochastic_meta_gradient(
        network_of(len(weights), setting), weights, steps=steps, alpha=setting.alpha
    )
    g = setting.task_gradients(weights)
    expected = [setting.mean(entry) for entry in g]
    assert list(map(fraction, mean)) == expected == setting.gradient(weights)
    wanted = [
        [setting.mean(p * q) - m * n for q, n in zip(g, expected, strict=True)]
        for p, m in zip(g, expected, strict=True)
    ]
    assert [[fraction(covariance[i, j]) for j in range(len(g))] for i in range(len(g))] == wanted


def noise_by_integration(setting, weights, n):
    """Mean and covariance of the gradient of n query points, all of θ, xᵢ and εᵢ integrated out."""
    names = sy.weight_symbols(len(weights))
    theta, xs, es = sympy.Symbol("T", real=True), sympy.symbols(f"x1:{n + 1}"), sympy.symbols(f"e1:{n + 1}")
    kappa, s2, v, mu, tau2, alpha = (
        rational(Fraction(q)) for q in (setting.kappa, setting.s2, setting.v, setting.mu, setting.tau2, setting.alpha)
    )
    after = list(names)
    for _ in range(setting.steps):
        slope = 2 * kappa * s2 * (prod(after) - theta)
        after = [w - alpha * slope * prod(after[:i] + after[i + 1 :]) for i, w in enumerate(after)]
    f, at = prod(after), {w: rational(value) for w, value in zip(names, weights, strict=True)}
    slope = [f.diff(w).subs(at) for w in names]
    f = f.subs(at)
    per_point = [2 * kappa * ((f - theta) * x - e) * x for x, e in zip(xs, es, strict=True)]
    g = [sympy.expand(sum(per_point) * d / n) for d in slope]
    means = {theta: mu, **dict.fromkeys((*xs, *es), 0)}
    cov = {(theta, theta): tau2, **{(x, x): s2 for x in xs}, **{(e, e): v for e in es}}
    mean = sympy.Matrix([expectation_expr(entry, means, cov) for entry in g])
    size = len(g)
    square = sympy.Matrix(size, size, lambda i, j: expectation_expr(sympy.expand(g[i] * g[j]), means, cov))
    return mean, square - mean * mean.T


@pytest.mark.parametrize(("depth", "n"), [(1, 1), (1, 2), (2, 1), (2, 2)])
@settings(max_examples=2)
@given(values=st.tuples(numbers, numbers), tasks=st.fixed_dictionaries(TASKS))
def test_noise_of_drawing_query_points(by_hand, depth, n, values, tasks):
    weights, setting = list(values[:depth]), by_hand.Setting(**tasks)
    found = stochastic_meta_gradient(network_of(depth, setting), weights, alpha=setting.alpha, query=n)
    assert tuple(found) == noise_by_integration(setting, weights, n)


def test_more_query_points_mean_less_noise():
    n = sympy.Symbol("n", positive=True)
    network, at = LinearNetwork(2, mu="1/3"), ("1/2", "-3/4")
    mean, many = stochastic_meta_gradient(network, at, alpha="1/5", query=n)
    assert mean == stochastic_meta_gradient(network, at, alpha="1/5")[0]
    assert many.subs(n, 7) == stochastic_meta_gradient(network, at, alpha="1/5", query=7)[1]
    limit = many.applyfunc(lambda entry: sympy.limit(entry, n, sympy.oo))
    assert limit == stochastic_meta_gradient(network, at, alpha="1/5")[1]


@few
@given(values=st.tuples(numbers, numbers), query=st.none() | st.integers(1, 5), tasks=st.fixed_dictionaries(TASKS))
def test_covariances_are_positive_semidefinite(by_hand, values, query, tasks):
    setting = by_hand.Setting(**tasks)
    _, covariance = stochastic_meta_gradient(network_of(2, setting), values, alpha=setting.alpha, query=query)
    assert covariance == covariance.T
    assert covariance[0, 0] >= 0 and covariance[1, 1] >= 0 and covariance.det() >= 0


def test_at_the_solutions():
    """arnold2021, Section 4.5: SGD rests at (1/√α, 0) on every task, and not at the shallow solution c = 0."""
    mean, covariance = stochastic_meta_gradient(LinearNetwork(2), (1 / sympy.sqrt(sy.alpha), 0))
    assert mean == sympy.zeros(2, 1) and covariance == sympy.zeros(2, 2)
    mean, covariance = stochastic_meta_gradient(LinearNetwork(1), (0,))
    assert mean == sympy.zeros(1, 1)
    assert sympy.simplify(covariance[0] - (1 - sy.alpha) ** 4) == 0


def test_as_many_numbers_as_weights():
    with pytest.raises(ValueError, match=r"weight.* given and depth 2 has 2"):
        stochastic_meta_gradient(LinearNetwork(2), (1,))


@pytest.mark.parametrize("query", [0, -1])
def test_a_bad_number_of_query_points_is_refused(query):
    with pytest.raises(ValueError):
        stochastic_meta_gradient(LinearNetwork(1), ("1/2",), alpha="1/10", query=query)
