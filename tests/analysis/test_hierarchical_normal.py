"""The shrinkage toy against routes that share nothing with it: raw log densities, numpy solves, finite differences."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Rational, oo, sqrt

from analysis import (
    HierarchicalNormal,
    StationaryVariance,
    ascent_limit,
    joint_map_stationary_points,
    marginal_maximiser,
)
from analysis.hierarchical_normal import (
    collapse_probability,
    marginal_log_likelihood,
    mean_law,
    means_covariance,
    predictive_limit,
    spread_law,
)
from analysis.joint_map import (
    joint_map_polynomial,
    joint_map_profile,
    joint_map_roots,
    log_joint,
    posterior_profile,
)

DATA = [[Rational(3), Rational(1)], [Rational(-1), Rational(0)], [Rational(5, 2), Rational(7, 2)]]
MEANS = [sum(row) / len(row) for row in DATA]
s = sympy.Symbol("s", positive=True)
positive_rationals = st.fractions(min_value=Fraction(1, 20), max_value=20, max_denominator=20)
rationals = st.fractions(min_value=-5, max_value=5, max_denominator=8)
counts = st.integers(min_value=1, max_value=6)


def exact(value):
    return Rational(value.numerator, value.denominator)


def raw(sigma2, theta, phi, data=DATA, rho2=1.0, prior2=None):
    """The log joint density in floats, written anew."""

    def normal(x, mean, variance):
        return -0.5 * np.log(2 * np.pi * variance) - 0.5 * (x - mean) ** 2 / variance

    total = sum(normal(t, phi, sigma2) for t in theta)
    total += sum(normal(float(x), t, rho2) for t, row in zip(theta, data, strict=True) for x in row)
    return total + (normal(phi, 0.0, prior2) if prior2 else 0.0)


def raw_profile(sigma2, data=DATA, rho2=1.0):
    """Its maximum over θ and φ, from the normal equations."""
    tasks, phi_first = len(data), np.zeros(len(data) + 1)
    matrix = np.zeros((tasks + 1, tasks + 1))
    matrix[0, 0] = tasks / sigma2
    for t, row in enumerate(data, 1):
        matrix[0, t] = matrix[t, 0] = -1 / sigma2
        matrix[t, t] = 1 / sigma2 + len(row) / rho2
        phi_first[t] = float(sum(row)) / rho2
    phi, *theta = np.linalg.solve(matrix, phi_first)
    return raw(sigma2, theta, phi, data, rho2)


def test_the_log_density_has_every_constant():
    theta, phi = [1.5, -0.5, 2.0], 0.25
    for prior2 in (None, 3.0):
        ours = log_joint(DATA, theta, phi, 0.7, "1/2", oo if prior2 is None else prior2)
        assert float(ours) == pytest.approx(raw(0.7, theta, phi, rho2=0.5, prior2=prior2), rel=1e-13)


def test_map_is_where_the_raw_density_is_stationary():
    theta, phi = sympy.symbols("t0:3", real=True), sympy.Symbol("phi", real=True)
    for prior2 in (oo, Rational(2)):
        data = [[1, 4], [0], [2, 2, -7]]
        density = log_joint(data, theta, phi, s, Rational(3, 2), prior2)
        model = HierarchicalNormal([Rational(sum(row), len(row)) for row in data], (2, 1, 3), Rational(3, 2), prior2)
        at = {phi: model.phi_hat(s), **dict(zip(theta, model.theta_hat(s), strict=True))}
        for symbol in (phi, *theta):
            assert sympy.simplify(density.diff(symbol).subs(at)) == 0


def test_theta_at_a_given_centre():
    model = HierarchicalNormal([4, 0], 3, "1/2")
    assert model.theta_hat(2, phi=1) == (Rational(49, 13), Rational(1, 13))  # (6·4 + ½)/(6 + ½), ½/(6 + ½)


def test_profile_is_the_maximum_of_the_raw_density():
    model = HierarchicalNormal(MEANS, 2)
    values = [0.2, 0.9, 3.0, 11.0]
    ours = [float(joint_map_profile(v, model.spread, 3, Rational(1, 2))) for v in values]
    theirs = [raw_profile(v) for v in values]
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-12)
    spread, tasks, r = sympy.symbols("S T r", positive=True)
    expected = -tasks * sympy.log(s) / 2 - tasks * spread / (2 * (s + r))
    assert sympy.simplify(joint_map_profile(s, spread, tasks, r) - expected) == 0


def test_profile_with_the_centre_held_off_the_mean():
    spread, tasks, r, c = sympy.symbols("S T r c", positive=True)
    expected = -tasks * sympy.log(s) / 2 - tasks * (spread + c**2) / (2 * (s + r))
    assert sympy.simplify(joint_map_profile(s, spread, tasks, r, center=c) - expected) == 0


def test_polynomial_and_roots():
    spread, r = sympy.symbols("S r", positive=True)
    assert sympy.expand(joint_map_polynomial(s, spread, r) - (s**2 + (2 * r - spread) * s + r**2)) == 0
    left, right = joint_map_roots(spread, r)
    assert sympy.expand(left + right - (spread - 2 * r)) == 0 and sympy.expand(left * right - r**2) == 0
    assert (right - left).subs({spread: 9, r: 2}) == 3
    slope = joint_map_profile(s, spread, 3, r).diff(s)
    assert sympy.simplify(slope + 3 * joint_map_polynomial(s, spread, r) / (2 * s * (s + r) ** 2)) == 0


@pytest.mark.parametrize(
    ("spread", "n", "rho2", "points"),
    [
        (3, 1, 1, ()),
        ("399/100", 1, 1, ()),
        (4, 1, 1, ((1, "inflection"),)),
        (2, 2, 1, ((Rational(1, 2), "inflection"),)),
        (1, 8, 2, ((Rational(1, 4), "inflection"),)),
        ("9/2", 1, 1, ((Rational(1, 2), "minimum"), (2, "maximum"))),
        (5, 1, 1, (((3 - sqrt(5)) / 2, "minimum"), ((3 + sqrt(5)) / 2, "maximum"))),
        (0, 3, 1, ()),
    ],
)
def test_stationary_points(spread, n, rho2, points):
    found = joint_map_stationary_points(spread, n, rho2)
    assert [p.kind for p in found] == [kind for _, kind in points]
    assert all(sympy.expand(p.sigma2 - place) == 0 for p, (place, _) in zip(found, points, strict=True))


LEFT, RIGHT = (point.sigma2 for point in joint_map_stationary_points(5, 1))
TINY = Rational(1, 10**40)


@pytest.mark.parametrize(
    ("start", "spread", "limit"),
    [
        (LEFT, 5, LEFT),
        (LEFT - TINY, 5, 0),
        (LEFT + TINY, 5, RIGHT),
        (RIGHT, 5, RIGHT),
        (RIGHT + 7, 5, RIGHT),
        (1, 5, RIGHT),
        (Rational(1, 2), "9/2", Rational(1, 2)),
        (1, 4, 1),
        (1 - TINY, 4, 0),
        (1 + TINY, 4, 1),
        (100, 4, 1),
        (100, "399/100", 0),
        ("1/100", "399/100", 0),
    ],
)
def test_where_ascent_ends(start, spread, limit):
    assert sympy.expand(ascent_limit(start, spread, 1) - limit) == 0


@settings(max_examples=40)
@given(spread=positive_rationals, start=positive_rationals, n=counts, rho2=positive_rationals)
def test_ascent_follows_the_slope_of_the_raw_density(spread, start, n, rho2):
    """A flow in log σ² on finite differences of nothing but the profile's float formula, against the exact answer."""
    r = float(rho2) / n
    limit = float(ascent_limit(exact(start), exact(spread), n, exact(rho2)))
    here = np.log(float(start))

    def value(u):
        return -u / 2 - float(spread) / (2 * (np.exp(u) + r))

    away = [abs(float(p.sigma2) / float(start) - 1) for p in joint_map_stationary_points(exact(spread), n, exact(rho2))]
    near_tangent = abs(float(spread) / (4 * r) - 1) < 0.01
    assume(not near_tangent and min(away, default=1) > 0.01)
    for _ in range(20000):
        here += 0.5 * (value(here + 1e-6) - value(here - 1e-6)) / 2e-6
        if here < -25:
            break
    assert (limit == 0) == (np.exp(here) < 1e-8 * r)
    if limit:
        assert np.exp(here) == pytest.approx(limit, rel=1e-4)


@settings(max_examples=30)
@given(left=positive_rationals, r=st.integers(1, 5))
def test_roots_multiply_to_r_squared(left, r):
    left = exact(left)
    assume(left != r)
    points = joint_map_stationary_points((left + r) ** 2 / left, 1, r)
    assert points == tuple(
        StationaryVariance(place, kind)
        for place, kind in zip(sorted([left, r**2 / left]), ("minimum", "maximum"), strict=True)
    )


def test_posterior_profile_is_half_the_log_determinant():
    r, tasks = 0.5, 3

    def direct(v):
        matrix = np.diag([tasks / v] + [1 / v + 1 / r] * tasks)
        matrix[0, 1:] = matrix[1:, 0] = -1 / v
        return 0.5 * np.linalg.slogdet(matrix)[1]

    values = [0.3, 1.0, 4.0]
    ours = [float(posterior_profile(v, tasks, Rational(1, 2))) for v in values]
    np.testing.assert_allclose(np.diff(ours), np.diff([direct(v) for v in values]), rtol=1e-12)
    assert ours == sorted(ours, reverse=True)


@pytest.mark.parametrize("integrate", [False, True])
def test_marginal_likelihood_against_the_covariance_of_the_means(integrate):
    """Without φ: the density of T − 1 contrasts; with φ at its best: the density of T means."""
    means, r = np.array([float(m) for m in MEANS]), 0.5
    spread = HierarchicalNormal(MEANS, 2).spread

    def direct(v):
        if not integrate:
            return -0.5 * sum(np.log(v + r) + (m - means.mean()) ** 2 / (v + r) for m in means)
        contrasts = np.array([[1, -1, 0], [1, 1, -2]])
        covariance, y = contrasts @ contrasts.T * (v + r), contrasts @ means
        return -0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * y @ np.linalg.solve(covariance, y)

    values = [0.0, 0.3, 2.0, 6.0]
    ours = [float(marginal_log_likelihood(v, spread, 3, Rational(1, 2), integrate_phi=integrate)) for v in values]
    np.testing.assert_allclose(np.diff(ours), np.diff([direct(v) for v in values]), rtol=1e-11)
    best = HierarchicalNormal(MEANS, 2).marginal_maximiser(integrate_phi=integrate)
    assert best == spread * (Rational(3, 2) if integrate else 1) - Rational(1, 2)
    for off in (0.99, 1.01):
        assert direct(float(best)) > direct(float(best) * off)


def test_marginal_maximum_may_be_zero():
    assert marginal_maximiser("1/4", 3, 2) == 0
    assert marginal_maximiser("1/2", 3, 2) == 0  # S = r
    assert marginal_maximiser("1/2", 3, 2, integrate_phi=True) == Rational(1, 4)
    assert marginal_maximiser(4, 5, 2, 3) == Rational(5, 2)


@pytest.mark.parametrize(
    ("validation", "weight", "best"),
    [
        ((3, 0, -3), Rational(3, 4), Rational(3, 4) / (1 - Rational(3, 4)) / 2),
        ((0, 7, 0), 0, 0),
        ((-1, 0, 1), Rational(-1, 4), 0),
        ((4, 0, -4), 1, oo),
        ((9, 1, 1), 1, oo),
        ((8, 0, -8), 2, oo),
    ],
)
def test_predictive_maximiser(validation, weight, best):
    model = HierarchicalNormal([4, 0, -4], 2)
    assert model.predictive_weight(validation) == weight
    assert model.predictive_maximiser(validation) == best


@settings(max_examples=25)
@given(
    train=st.lists(rationals, min_size=3, max_size=3, unique=True),
    validation=st.lists(rationals, min_size=3, max_size=3),
    n=counts,
)
def test_nothing_beats_the_predictive_maximiser(train, validation, n):
    model = HierarchicalNormal([exact(x) for x in train], n, 2)
    validation = [exact(y) for y in validation]
    best = model.predictive_maximiser(validation)
    value = {  # 0 and ∞ by their limits
        v: model.predictive_log_likelihood(validation, 2, v) for v in (Rational(1, 10**9), Rational(1, 3), 1, 5, 10**9)
    }
    at = Rational(1, 10**12) if best == 0 else 10**12 if best == oo else best
    top = model.predictive_log_likelihood(validation, 2, at)
    assert all(top >= other for other in value.values())


def test_predictive_likelihood_from_the_data():
    model = HierarchicalNormal([4, 0], 3, "1/2")  # φ̂ = 2, w = 12/13 at σ² = 2
    ours = model.predictive_log_likelihood([1, 2], 5, 2)
    theirs = -5 * ((1 - (2 + Rational(24, 13))) ** 2 + (2 - (2 - Rational(24, 13))) ** 2)
    assert ours == theirs


def test_limits_of_many_tasks():
    n, k, true, rho2 = sympy.symbols("N K t rho2", positive=True)
    assert means_covariance(true, n, k, rho2) == sympy.Matrix([[true + rho2 / n, true], [true, true + rho2 / k]])
    likelihood, gradient = predictive_limit(s, true, n, k, rho2)
    printed = k / (n * (1 + rho2 / (n * s)) ** 2) * (true / s - 1)
    assert sympy.simplify(gradient - printed) == 0
    slope = sympy.factor(s * likelihood.diff(s))
    assert sympy.simplify(gradient / slope - (1 + n * s / rho2)) == 0  # (4) is the exact one times 1 + Nσ²/ρ²
    assert sympy.solve(slope, s) == [true]
    assert mean_law(7, true, n, rho2) == (true + rho2 / n) / 7
    assert spread_law(7, true, n, rho2) == ((true + rho2 / n) / 7, 6)


def test_probability_of_collapse_by_simulation():
    rng = np.random.default_rng(0)
    tasks, true, n, rho2 = 6, 2.0, 2, 1.5
    means = rng.normal(size=(200_000, tasks)) * np.sqrt(true + rho2 / n)
    frequency = (means.var(axis=1) < 4 * rho2 / n).mean()
    assert float(collapse_probability(tasks, 2, n, "3/2")) == pytest.approx(frequency, abs=0.005)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: HierarchicalNormal([1], 2), "tasks is 1"),
        (lambda: HierarchicalNormal([], 2), "2 or more"),
        (lambda: HierarchicalNormal([1, 2], 0), "n is 0"),
        (lambda: HierarchicalNormal([1, 2], "3/2"), "n is 3/2"),
        (lambda: HierarchicalNormal([1, 2], (1, 2, 3)), "3 numbers of observations were given for 2 tasks"),
        (lambda: HierarchicalNormal([1, 2], 1, rho2=0), "rho2 is 0"),
        (lambda: HierarchicalNormal([1, 2], 1, prior2=-1), "prior2 is -1"),
        (lambda: HierarchicalNormal([1, "x"], 1), "task mean"),
        (lambda: HierarchicalNormal([1, 2], 1).phi_hat(0), "sigma2 is 0"),
        (lambda: HierarchicalNormal([1, 2], 1).theta_hat(-2), "sigma2 is -2"),
        (lambda: HierarchicalNormal([1, 2], 1).predictive_maximiser([1]), "1 validation means were given for 2 tasks"),
        (lambda: HierarchicalNormal([1, 1], 1).predictive_maximiser([1, 2]), "does not depend on sigma2"),
        (lambda: HierarchicalNormal([1, 2], (1, 2)).predictive_maximiser([1, 2]), "same number of observations"),
        (lambda: HierarchicalNormal([1, 2], 1, prior2=1).marginal_maximiser(), "flat prior"),
        (lambda: HierarchicalNormal([1, 2], (1, 2)).joint_map_stationary_points(), "same number of observations"),
        (lambda: HierarchicalNormal([s, 2], 1).predictive_maximiser([1, 2]), "give numbers"),
        (lambda: joint_map_stationary_points(-1, 1), "spread S is -1"),
        (lambda: joint_map_stationary_points(s, 1), "must be rational"),
        (lambda: joint_map_stationary_points(1, 1, -1), "rho2 is -1"),
        (lambda: ascent_limit(0, 5, 1), "start of sigma2 is 0"),
        (lambda: marginal_maximiser(1, 1, 1), "tasks is 1"),
        (lambda: log_joint(DATA, [1, 2], 0, 1), "2 task parameters were given for 3 tasks"),
        (lambda: log_joint(DATA, [1, 2, 3], 0, 0), "sigma2 is 0"),
        (lambda: means_covariance(-1, 1, 1), "sigma_true2 is -1"),
    ],
)
def test_errors_say_what_was_given(call, told):
    with pytest.raises(ValueError, match=told):
        call()
