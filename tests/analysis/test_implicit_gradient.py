"""Implicit gradients against finite differences of solved problems, real steps of ascent, and a second elimination."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Matrix, Rational, oo

from analysis import (
    HierarchicalNormal,
    ModularMap,
    predictive_gradient,
    predictive_stationary_points,
    unroll,
    unrolled_gradient,
)
from analysis.implicit_gradient import METHODS, central_step

s = sympy.Symbol("s", positive=True)
rationals = st.fractions(min_value=-4, max_value=4, max_denominator=6)
positive_rationals = st.fractions(min_value=Fraction(1, 8), max_value=6, max_denominator=8)


def exact(value):
    return Rational(value.numerator, value.denominator)


def solved(curvatures, centres, sigma2, prior2, dims):
    """(φ̂, θ̂) of Σ_t −½(θ_t − c_t)ᵀH_t(θ_t − c_t) − ½‖θ_t − φ‖²_Σ − ½‖φ‖²_Δ, in floats."""
    precision = np.diag(np.repeat(1 / np.asarray(sigma2), dims))
    size, tasks = len(precision), len(curvatures)
    matrix, right = np.zeros(((tasks + 1) * size,) * 2), np.zeros((tasks + 1) * size)
    matrix[:size, :size] = tasks * precision
    if prior2 is not None:
        matrix[:size, :size] += np.diag(np.repeat(1 / np.asarray(prior2), dims))
    for t, (h, c) in enumerate(zip(curvatures, centres, strict=True), 1):
        here = slice(t * size, (t + 1) * size)
        matrix[here, here] = h + precision
        matrix[here, :size] = matrix[:size, here] = -precision
        right[here] = h @ c
    return np.split(np.linalg.solve(matrix, right), tasks + 1)


def random_problem(rng, dims, tasks):
    size = sum(dims)
    roots = rng.normal(size=(tasks, size, size))
    return (
        roots @ roots.transpose(0, 2, 1) + np.eye(size),
        rng.normal(size=(tasks, size)),
        rng.normal(size=(tasks, size)),
    )


@pytest.mark.parametrize(
    ("dims", "tasks", "flat"), [((1, 1), 2, False), ((2, 1), 3, True), ((1,), 2, True), ((2, 3), 1, False)]
)
@pytest.mark.parametrize("method", ["exact", "schur"])
def test_the_exact_gradient_is_the_derivative_of_the_solved_problem(dims, tasks, flat, method):
    rng = np.random.default_rng(3)
    curvatures, centres, targets = random_problem(rng, dims, tasks)
    sigma2, prior2 = rng.uniform(0.5, 2, len(dims)), None if flat else rng.uniform(0.5, 2, len(dims))

    def predictive(log_sigma2):
        _, *theta = solved(curvatures, centres, np.exp(log_sigma2), prior2, dims)
        return -0.5 * sum(((t - y) ** 2).sum() + (t[0] - y[0]) ** 4 for t, y in zip(theta, targets, strict=True))

    h = 1e-5
    units = np.eye(len(dims))
    by_difference = [(predictive(np.log(sigma2) + h * u) - predictive(np.log(sigma2) - h * u)) / (2 * h) for u in units]
    phi, *theta = solved(curvatures, centres, sigma2, prior2, dims)
    slopes = []
    for t, y in zip(theta, targets, strict=True):
        slope = y - t
        slope[0] -= 2 * (t[0] - y[0]) ** 3
        slopes.append(Matrix([Rational(float(x)) for x in slope]))
    rational = [[Rational(float(x)) for x in vector] for vector in (phi, *theta)]
    symmetric = [np.tril(c) + np.tril(c, -1).T for c in curvatures]
    system = ModularMap(
        [Matrix(len(c), len(c), lambda i, j, c=c: Rational(float(c[i, j]))) for c in symmetric],
        [Rational(float(x)) for x in sigma2],
        dims,
        None if flat else [Rational(float(x)) for x in prior2],
    )
    gradient = system.gradient(rational[0], rational[1:], slopes, method)
    np.testing.assert_allclose([float(x) for x in gradient], by_difference, rtol=1e-6)


def symbolic_quadratic(dims, tasks):
    """ℓ_MAP of symbols for a general quadratic likelihood, and its variables."""
    size = sum(dims)
    real = {"real": True}
    phi = Matrix(size, 1, lambda i, _: sympy.Symbol(f"phi{i}", **real))
    theta = [Matrix(size, 1, lambda i, _, t=t: sympy.Symbol(f"theta{t}_{i}", **real)) for t in range(tasks)]
    curvatures = [
        Matrix(size, size, lambda i, j, t=t: sympy.Symbol(f"H{t}_{min(i, j)}{max(i, j)}", **real)) for t in range(tasks)
    ]
    p = sympy.symbols(f"p0:{len(dims)}", positive=True)
    d = sympy.symbols(f"d0:{len(dims)}", positive=True)
    module = [m for m, dim in enumerate(dims) for _ in range(dim)]
    value = -sum(phi[i] ** 2 / d[module[i]] for i in range(size)) / 2
    for t, h in zip(theta, curvatures, strict=True):
        value -= (t.T * h * t)[0] / 2 + sum(p[module[i]] * (t[i] - phi[i]) ** 2 for i in range(size)) / 2
    return value, phi, theta, curvatures, p, d


@pytest.mark.parametrize(("dims", "tasks"), [((1, 1), 2), ((2, 1), 2), ((1,), 3)])
def test_second_derivatives_by_differentiation(dims, tasks):
    value, phi, theta, curvatures, p, d = symbolic_quadratic(dims, tasks)
    system = ModularMap(curvatures, [1 / x for x in p], dims, d)
    variables = [*phi, *(x for t in theta for x in t)]
    assert sympy.simplify(system.hessian - sympy.hessian(value, variables)) == sympy.zeros(len(variables))
    mixed = Matrix(len(variables), len(p), lambda i, m: value.diff(variables[i], p[m]))
    assert sympy.simplify(system.mixed(phi, theta) - mixed) == sympy.zeros(*mixed.shape)


def test_the_approximations_keep_what_they_say():
    _, _, _, curvatures, p, d = symbolic_quadratic((2, 1), 2)
    system = ModularMap(curvatures, [1 / x for x in p], (2, 1), d)
    for i in range(9):
        for j in range(9):
            whole = system.hessian[i, j]
            assert system.approximate_hessian("block-diagonal")[i, j] == (whole if i // 3 == j // 3 else 0)
            assert system.approximate_hessian("diagonal")[i, j] == (whole if i == j else 0)


def test_whole_matrix_and_schur_complement_agree_symbolically():
    h1, h2, a1, a2, f = sympy.symbols("h1 h2 a1 a2 f", real=True)
    d = sympy.Symbol("d", positive=True)
    system = ModularMap([Matrix([[h1]]), Matrix([[h2]])], [s], prior2=[d])
    whole, schur = (system.response([f], [[a1], [a2]], method) for method in ("exact", "schur"))
    assert all(sympy.cancel(x[0] - y[0]) == 0 for x, y in zip(whole, schur, strict=True))
    # arrow against block-diagonal: they differ by what φ̂ moves
    block = system.response([f], [[a1], [a2]], "block-diagonal")
    assert sympy.cancel(block[0][0] - (f - a1) / (h1 + 1 / s)) == 0
    assert sympy.cancel(block[0][0] - whole[0][0]) != 0


def test_block_diagonal_and_diagonal_in_two_dimensions():
    h = Matrix([[3, 1], [1, 2]])
    system = ModularMap([h], [Rational(1, 2)], (2,))
    gap, slope = Matrix([1, -2]), Matrix([5, 7])
    arguments = ([0, 0], [gap], [slope])
    assert system.gradient(*arguments, "block-diagonal")[0] == 2 * (slope.T * (h + 2 * sympy.eye(2)).inv() * gap)[0]
    assert system.gradient(*arguments, "diagonal")[0] == 2 * (5 * Rational(1, 5) - 14 * Rational(1, 4))
    assert system.gradient(*arguments, "h-free")[0] == 5 - 14


def test_a_module_hears_of_another_through_h():
    """(28) has the whole column of (H + Σ⁻¹)⁻¹; (29) and (30) see their own module alone."""
    system = ModularMap([Matrix([[3, 1], [1, 2]])], [1, 1])
    arguments = ([0, 0], [Matrix([1, 0])], [Matrix([0, 1])])
    assert [system.gradient(*arguments, m)[0] for m in ("block-diagonal", "diagonal", "h-free")] == [
        Rational(-1, 11),
        0,
        0,
    ]


MODEL, VALIDATION = HierarchicalNormal([3, -1, "1/2"], 2, "3/2"), (2, 0, 1)
UNBALANCED = HierarchicalNormal([3, -1, "1/2"], (1, 2, 5))


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        UNBALANCED,
        HierarchicalNormal([3, -1, "1/2"], 2, prior2=3),
        HierarchicalNormal([3, -1, "1/2"], (4, 1, 1), prior2="1/2"),
    ],
)
def test_the_toy_s_exact_gradient_differentiates_the_predictive_likelihood(model):
    direct = s * model.predictive_log_likelihood(VALIDATION, 4, s).diff(s)
    for method in ("exact", "schur"):
        assert sympy.cancel(direct - predictive_gradient(model, VALIDATION, 4, s, method)) == 0
    assert predictive_gradient(model, VALIDATION, 4, s, "diagonal") == predictive_gradient(
        model, VALIDATION, 4, s, "block-diagonal"
    )


@settings(max_examples=25)
@given(
    means=st.lists(rationals, min_size=3, max_size=3),
    validation=st.lists(rationals, min_size=3, max_size=3),
    n=st.integers(1, 5),
    rho2=positive_rationals,
)
def test_with_equal_counts_and_a_flat_prior(means, validation, n, rho2):
    model = HierarchicalNormal([exact(x) for x in means], n, exact(rho2))
    validation = [exact(y) for y in validation]
    at = {m: predictive_gradient(model, validation, 3, Rational(2, 3), m) for m in METHODS}
    assert at["exact"] == at["schur"] == at["block-diagonal"] == at["diagonal"]
    assert at["h-free"] == (1 + n * Rational(2, 3) / exact(rho2)) * at["exact"]


def test_with_unequal_counts_the_sign_itself_may_differ():
    """At σ² = 9/10 the exact gradient ascends, the block-diagonal one descends: their zeros lie on either side."""
    at = {m: predictive_gradient(UNBALANCED, VALIDATION, 2, Rational(9, 10), m) for m in METHODS}
    assert at["exact"] > 0 > at["block-diagonal"] > at["h-free"]
    zeros = {m: predictive_stationary_points(UNBALANCED, VALIDATION, 2, m) for m in METHODS}
    assert [len(z) for z in zeros.values()] == [1] * 5
    assert float(zeros["exact"][0]) == pytest.approx(0.94824159)
    assert float(zeros["block-diagonal"][0]) == pytest.approx(0.87624358)
    for method, (zero,) in zeros.items():
        below, above = (predictive_gradient(UNBALANCED, VALIDATION, 2, zero.evalf() * f, method) for f in (0.99, 1.01))
        assert below > 0 > above


def test_stationary_points_with_equal_counts_are_the_maximiser():
    best = MODEL.predictive_maximiser(VALIDATION)
    for method in METHODS:
        assert predictive_stationary_points(MODEL, VALIDATION, 4, method) == (best,)
    assert predictive_stationary_points(MODEL, (-2, 0, -1), 4) == ()


def test_validation_counts_may_differ():
    one = predictive_gradient(MODEL, VALIDATION, (1, 1, 1), 2)
    two = predictive_gradient(MODEL, VALIDATION, (1, 1, 3), 2) - one
    assert sympy.cancel(two - (predictive_gradient(MODEL, VALIDATION, (1, 1, 2), 2) - one) * 2) == 0 and two != 0


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_unrolled_steps_are_steps(steps):
    """Steps of ascent one by one, with a dual number for log σ²."""
    mean, phi, h, sigma2, rate = (Rational(x) for x in ("3", "-1/2", "2", "1/3", "1/7"))
    theta, slope = phi, Rational(0)
    for _ in range(steps):
        slope += rate * (-h * slope - slope / sigma2 + (theta - phi) / sigma2)  # d(1/σ²)/dlog σ² = −1/σ²
        theta += rate * (h * (mean - theta) - (theta - phi) / sigma2)
    found = unroll(mean, phi, h, sigma2, rate, steps)
    assert (found.theta, found.slope) == (theta, slope)
    assert found.slope == found.limit * (1 + found.relative_error)


def test_unrolled_error_is_of_order_k_q_to_the_k():
    k = sympy.Symbol("K", positive=True)
    found = unroll(3, 1, 2, 1, Rational(1, 4), k)  # q = 1/4
    assert found.q == Rational(1, 4)
    assert sympy.simplify(found.slope / found.limit - 1 - found.relative_error) == 0
    assert sympy.limit(found.relative_error / (k * found.q**k), k, oo) == -3  # −(1 − q)/q
    assert found.limit == Rational(4, 9)


def test_unrolling_tends_to_the_block_diagonal_gradient_and_not_to_the_exact_one():
    at = Rational(9, 10)
    unrolled = float(unrolled_gradient(UNBALANCED, VALIDATION, 2, at, Rational(1, 7), 200))
    block, whole = (float(predictive_gradient(UNBALANCED, VALIDATION, 2, at, m)) for m in ("block-diagonal", "exact"))
    assert unrolled == pytest.approx(block, rel=1e-12)
    assert abs(unrolled - whole) > 0.1 * abs(block)
    assert unrolled_gradient(UNBALANCED, VALIDATION, 2, at, Rational(1, 7), 1) == 0  # the first step sees no prior


def test_unrolled_gradient_from_a_given_start():
    ours = unrolled_gradient(MODEL, VALIDATION, 2, 1, Rational(1, 5), 3, phi=2)
    h, theirs = 2 / 1.5, 0.0

    def adapted(log_sigma2, mean):
        theta = 2.0
        for _ in range(3):
            theta += 0.2 * (h * (mean - theta) - (theta - 2.0) / np.exp(log_sigma2))
        return theta

    for mean, y in zip((3, -1, 0.5), VALIDATION, strict=True):
        slope = (adapted(1e-6, mean) - adapted(-1e-6, mean)) / 2e-6
        theirs += 2 / 1.5 * (y - adapted(0, mean)) * slope
    assert float(ours) == pytest.approx(theirs, rel=1e-7)


def test_central_response_and_first_order_maml():
    h = Matrix([[3, 1], [1, 2]])
    (response,) = ModularMap([h], [Rational(1, 2), Rational(1, 3)]).central_response()
    precision = sympy.diag(2, 3)
    assert (h + precision) * response == precision
    scale = sympy.Symbol("e", positive=True)
    (free,) = ModularMap([scale * h], [Rational(1, 2), Rational(1, 3)]).central_response()
    assert free.subs(scale, 0) == sympy.eye(2)  # then the gradient in φ is Σ_t ∇_t, first-order MAML's


def test_the_central_step_becomes_reptile_s():
    eps, a, b, phi = sympy.symbols("e a b phi", real=True)
    assert sympy.expand(central_step([a, b], phi, s, eps * s) - (phi + eps * (a + b - 2 * phi))) == 0
    assert central_step([3, 5], 1, 2, 1) == 4
    assert central_step([3, 5], 1, 2, 1, prior2=2) == Rational(7, 2)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: ModularMap([], [1]), "no task"),
        (lambda: ModularMap([Matrix([[1, 0]])], [1]), "shape 1×2"),
        (lambda: ModularMap([Matrix([[1, 2], [0, 1]])], [1, 1]), "not symmetric"),
        (lambda: ModularMap([sympy.eye(2)], [1, 1], (1,)), "2 variances"),
        (lambda: ModularMap([sympy.eye(2)], [1], (0,)), "size of 1 or more"),
        (lambda: ModularMap([sympy.eye(2)], [1, 0]), "sigma2 is 0"),
        (lambda: ModularMap([sympy.eye(2)], [1, 1], prior2=[1]), "1 prior variances"),
        (lambda: ModularMap([sympy.eye(2)], [1, 1], prior2=[1, -1]), "prior2 is -1"),
        (lambda: ModularMap([sympy.eye(1)], [1]).response([1], [[1]], "arrow"), "method is 'arrow'"),
        (lambda: ModularMap([sympy.eye(1)], [1]).response([1], [[1], [2]]), "give one vector for φ"),
        (lambda: ModularMap([sympy.eye(1)], [1]).response([1], [[1, 2]]), "give one vector for φ"),
        (lambda: ModularMap([sympy.eye(1)], [1]).gradient([1], [[1]], []), "0 were given"),
        (lambda: predictive_gradient(MODEL, [1], 1, 1), "1 validation means"),
        (lambda: predictive_gradient(MODEL, VALIDATION, (1, 2), 1), "2 numbers of points"),
        (lambda: predictive_gradient(MODEL, VALIDATION, 0, 1), "k is 0"),
        (lambda: predictive_gradient(MODEL, VALIDATION, 1, -1), "sigma2 is -1"),
        (lambda: predictive_stationary_points(HierarchicalNormal([1, 1], 2), [1, 2], 1), "0 for every sigma2"),
        (lambda: unroll(1, 0, 1, 1, "1/10", -1), "steps is -1"),
        (lambda: unroll(1, 0, 1, 1, 0, 2), "rate is 0"),
        (lambda: central_step([1], 0, -1, 1), "sigma2 is -1"),
    ],
)
def test_errors_say_what_was_given(call, told):
    with pytest.raises(ValueError, match=told):
        call()
