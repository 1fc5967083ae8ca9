from dataclasses import replace
from fractions import Fraction
from math import erf, exp, inf, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import (
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

few = settings(max_examples=15)
ONE, TWO = [0] * 8, [0] * 4 + [1] * 4
EXPERIMENT = chen2019_experiment1()
SMALL = LinearGaussian([["1/2", 1], [0, 2], [1, "-1/3"]], [1, "1/2", 2], ["1/3", -1], [2, "1/4"], 3)


@st.composite
def problems(draw):
    """Small problems with a nonsingular G: the identity stands above some further rows."""
    size = draw(st.integers(1, 3))
    small, variances = st.fractions(-2, 2, max_denominator=3), st.fractions("1/3", 4, max_denominator=3)
    rows = draw(st.lists(st.lists(small, min_size=size, max_size=size), max_size=2))
    rows = [[int(i == j) for j in range(size)] for i in range(size)] + rows

    def several(numbers, count):
        return draw(st.lists(numbers, min_size=count, max_size=count))

    noise = several(variances, len(rows))
    return LinearGaussian(rows, noise, several(small, size), several(variances, size), draw(st.integers(1, 4)))


def stable_rates(problem, precision, share):
    """Rates with which descent converges: `share` below 1 of the largest for a common one, differing by entry."""
    top = np.linalg.eigvalsh(problem.information * problem.n + np.diag(np.broadcast_to(precision, problem.size))).max()
    return [Fraction(share * 2 / top / (1 + m)).limit_denominator(1000) for m in range(problem.size)]


# --- sampling, with steps that are really taken ------------------------------------------------------------------------


def sampled(problem, steps, rates, variance, start, tasks=20_000, seed=0):
    """Losses (tasks,) and errors θ̂ − θ (tasks, M) of descent on observations that are drawn one by one."""
    rng = np.random.default_rng(seed)
    a, noise = np.array(problem.design, dtype=float), np.sqrt(np.array(problem.noise_variance, dtype=float))
    mean, spread = np.array(problem.prior_mean, dtype=float), np.sqrt(np.array(problem.prior_variance, dtype=float))
    theta = mean + spread * rng.standard_normal((tasks, problem.size))
    train, fresh = (
        (theta @ a.T)[:, None] + noise * rng.standard_normal((tasks, problem.n, len(noise))) for _ in range(2)
    )
    start, precision = np.array(start, dtype=float), 1 / np.array(variance, dtype=float)
    estimate = np.tile(start, (tasks, 1))
    for _ in range(steps):
        slope = -(((train - (estimate @ a.T)[:, None]) / noise**2) @ a).sum(1) + precision * (estimate - start)
        estimate = estimate - np.array(rates, dtype=float) * slope
    losses = (((fresh - (estimate @ a.T)[:, None]) / noise) ** 2).sum(-1).mean(-1) / 2
    return losses, estimate - theta


LEARNERS = [
    (3, [0.07, 0.02], [1.5, 0.25], [0.7, -1.5]),
    (2, [0.05, 0.05], [inf, 2], [1, 1]),
    (6, [0.04, 0.11], [2, inf], [0, -1]),
]


@pytest.mark.parametrize("learner", LEARNERS)
def test_against_sampling(learner):
    """Five standard errors, by the central limit theorem."""
    steps, rates, variance, start = learner
    losses, errors = sampled(SMALL, *learner)
    estimator = SMALL.descent(steps, rates, variance, start)
    root = sqrt(len(losses))
    assert abs(losses.mean() - SMALL.expected_loss(estimator)) < 5 * losses.std() / root
    spread = np.abs(errors).std(0)
    assert (np.abs(np.abs(errors).mean(0) - SMALL.absolute_error(estimator)) < 5 * spread / root).all()


def test_covariance_of_losses_against_sampling():
    found = [sampled(SMALL, *learner)[0] for learner in LEARNERS]  # one seed: the same tasks and data for all three
    exact = SMALL.loss_covariance([SMALL.descent(*learner) for learner in LEARNERS])
    assert np.allclose(exact, exact.T, rtol=1e-12) and np.linalg.eigvalsh(exact).min() > 0
    centred = np.array(found) - np.mean(found, axis=1, keepdims=True)
    for i, first in enumerate(centred):
        for j, second in enumerate(centred):
            products = first * second
            assert abs(products.mean() - exact[i, j]) < 5 * products.std() / sqrt(products.size)


def test_covariance_of_losses_of_rotated_errors():
    """θ, noise ~ N(0, I), n = 1: the second learner's error is the first one's turned by 90°, and noise of its own.

    With endless validation data the covariance is Var ½‖θ‖² = 1.
    """
    problem = LinearGaussian([[1, 0], [0, 1]], 1, 0, 1, 1)
    stays = problem.descent(0, 1)
    turns = replace(stays, gain=np.array([[1.0, -1.0], [1.0, 1.0]]))
    assert problem.loss_covariance([stays, turns], 10**9)[0, 1] == pytest.approx(1, rel=1e-6)


def test_more_validation_observations_leave_the_spread_of_the_tasks():
    estimator = SMALL.descent(2, "1/20")
    one, two, many = (SMALL.loss_covariance([estimator], count)[0, 0] for count in (1, 2, 10**9))
    assert one - two == pytest.approx((two - many), rel=1e-6) and many > 0
    assert SMALL.loss_covariance([estimator])[0, 0] == SMALL.loss_covariance([estimator], SMALL.n)[0, 0]


# --- exact against floating point, and against independent formulas ----------------------------------------------------


@few
@given(problem=problems(), share=st.floats(0.1, 0.9), shrink=st.booleans(), shift=st.integers(-2, 2))
def test_exact_curves_are_the_floating_point_ones(problem, share, shrink, shift):
    variance = [Fraction(2, 1 + m) for m in range(problem.size)] if shrink else None
    rates = stable_rates(problem, 2 if shrink else 0, share)
    start = [mean + shift for mean in problem.prior_mean]
    curve = problem.curve(6, rates, variance, start)
    exact = problem.curve(6, rates, variance, start, exact=True)
    assert curve.shape == (7,) and all(type(value) is Fraction for value in exact)
    assert np.allclose(curve, np.array(exact, dtype=float), rtol=1e-12, atol=0)


def test_exact_curve_of_the_experiment():
    curve, exact = (EXPERIMENT.curve(40, "1/4", [64] * 4 + [4] * 4, exact=flag) for flag in (False, True))
    assert np.abs(curve - np.array(exact, dtype=float)).max() < 1e-12


def test_one_variable_by_hand():
    """θ ~ N(0, v), x̄ of n observations: ε_{k+1} = (1 − η(n/s + p)) ε_k + η e + η p ε_0, moments by Fractions."""
    v, s, n, eta, p, bias = Fraction(3), Fraction(2), 5, Fraction(1, 7), Fraction(1, 4), Fraction(3, 2)
    problem = LinearGaussian([[1]], s, 0, v, n)
    f, left, noise, expected = 1 - eta * (n / s + p), Fraction(1), Fraction(0), []
    for _ in range(6):
        expected.append(Fraction(1, 2) + (left**2 * (v + bias**2) + noise**2 * n / s) / (2 * s))
        left, noise = f * left + eta * p, f * noise + eta
    assert problem.curve(5, eta, 1 / p, bias, exact=True) == expected
    assert expected[0] == Fraction(1, 2) + (v + bias**2) / (2 * s)


@few
@given(problem=problems())
def test_bayes_risk_by_the_posterior(problem):
    """D/2 + ½ tr(G (nG + P)⁻¹), in Fractions."""
    size = problem.size
    g = [
        [
            sum(row[i] * row[j] / xi for row, xi in zip(problem.design, problem.noise_variance, strict=True))
            for j in range(size)
        ]
        for i in range(size)
    ]
    a = [
        [problem.n * g[i][j] + (1 / problem.prior_variance[i] if i == j else 0) for j in range(size)] + list(g[i])
        for i in range(size)
    ]
    for i in range(size):  # Gauss–Jordan: the right half becomes (nG + P)⁻¹G
        a[i] = [x / a[i][i] for x in a[i]]
        for r in range(size):
            if r != i:
                a[r] = [x - a[r][i] * y for x, y in zip(a[r], a[i], strict=True)]
    risk = Fraction(problem.outputs, 2) + sum(a[i][size + i] for i in range(size)) / 2
    assert problem.bayes_risk(exact=True) == risk
    assert problem.bayes_risk() == pytest.approx(float(risk), rel=1e-13)


@few
@given(problem=problems())
def test_maximum_likelihood_costs_half_a_parameter_per_observation(problem):
    expected = Fraction(problem.outputs, 2) + Fraction(problem.size, 2 * problem.n)
    start = [mean + 3 for mean in problem.prior_mean]
    assert problem.limit(start=start, exact=True) == expected
    assert problem.limit(start=start) == pytest.approx(float(expected), rel=1e-12)


@few
@given(problem=problems(), share=st.floats(0.3, 0.9), shrink=st.booleans())
def test_curves_end_at_the_limit(problem, share, shrink):
    variance = 2 if shrink else None
    rates = stable_rates(problem, 0.5 if shrink else 0, share)
    start = [mean - 1 for mean in problem.prior_mean]
    limit = problem.limit(variance, start, rates)
    far = problem.expected_loss(problem.descent(200_000, rates, variance, start))
    assert far == pytest.approx(limit, rel=1e-9) and limit == problem.limit(variance, start)
    assert limit == pytest.approx(float(problem.limit(variance, start, exact=True)), rel=1e-12)


def test_a_singular_model_without_prior():
    """Two entries of which only the sum is seen: descent ends where the sum fits."""
    problem = LinearGaussian([[1, 1]], 2, 1, 3, 4)
    assert problem.limit() == pytest.approx(1 / 2 + 1 / 8, rel=1e-13)
    assert problem.limit(rates=["1/10", "1/5"]) == pytest.approx(1 / 2 + 1 / 8, rel=1e-13)
    assert problem.curve(3000, ["1/10", "1/5"])[-1] == pytest.approx(1 / 2 + 1 / 8, rel=1e-13)
    with pytest.raises(ValueError, match="singular"):
        problem.limit(exact=True)


def test_diverging_rates():
    """One variable: the spectral radius is |1 − ηn/ξ²|, which is |1 − 3·4/2| = 5."""
    problem = LinearGaussian([[1]], 2, 0, 1, 4)
    with pytest.raises(ValueError, match=r"spectral radius 5 .* by more than 3$"):
        problem.limit(rates=3)
    with pytest.raises(ValueError, match="spectral radius 1 "):
        problem.limit(rates=1)
    assert problem.limit(rates="99/100") == problem.limit()
    assert problem.curve(3000, 3)[-1] == inf


def test_a_row_and_its_noise_scale_together():
    rows = [[1, 0], [0, 1], ["3/2", "3/2"]]
    scaled = LinearGaussian(rows, [1, 2, "9/4"], 0, 1, 2)
    plain = LinearGaussian([*rows[:2], [1, 1]], [1, 2, 1], 0, 1, 2)
    assert scaled.curve(4, "1/9", exact=True) == plain.curve(4, "1/9", exact=True)


def test_the_experiment_is_the_papers():
    a = np.vstack([np.eye(8), np.ones(8) / sqrt(8)])
    xi = np.array([8] * 4 + [5] * 4 + [1.0])
    assert np.allclose(EXPERIMENT.information, a.T @ np.diag(1 / xi**2) @ a, rtol=1e-14)
    assert (EXPERIMENT.outputs, EXPERIMENT.size, EXPERIMENT.n) == (9, 8, 4)
    assert EXPERIMENT.prior_variance == (64,) * 4 + (4,) * 4 and EXPERIMENT.prior_mean == (1,) * 8


# --- who does not move, and where to start -----------------------------------------------------------------------------


def test_an_entry_of_variance_zero_does_not_adapt():
    frozen = SMALL.curve(5, "1/20", [0, 1], exact=True)
    assert frozen == SMALL.curve(5, ["0", "1/20"], [3, 1], exact=True)
    assert np.allclose(SMALL.curve(5, "1/20", [0, 1]), np.array(frozen, dtype=float), rtol=1e-13)
    assert SMALL.limit([0, 1]) == pytest.approx(SMALL.limit(["1e-12", 1]), rel=1e-9)
    assert float(SMALL.limit([0, 1], exact=True)) == pytest.approx(SMALL.limit([0, 1]), rel=1e-13)
    assert SMALL.limit(0, exact=True) == SMALL.curve(0, 1, exact=True)[0] == SMALL.limit(1, rates=[0, 0], exact=True)


def test_infinite_variance_is_no_prior():
    assert SMALL.curve(4, "1/20", inf, exact=True) == SMALL.curve(4, "1/20", exact=True)
    assert SMALL.curve(4, "1/20", [None, 2], exact=True) == SMALL.curve(4, "1/20", ["inf", 2], exact=True)
    assert SMALL.curve(4, "1/20", [None, 2], exact=True) != SMALL.curve(4, "1/20", 2, exact=True)


@few
@given(problem=problems(), share=st.floats(0.1, 0.9), shift=st.fractions(-3, 3, max_denominator=4))
def test_the_best_start_is_the_mean_of_the_tasks(problem, share, shift):
    """The loss is even and quadratic in the bias, and never less with one: its three values fix the parabola."""
    rates, step = stable_rates(problem, 1, share), 3

    def at(factor):
        start = [mean + factor * shift for mean in problem.prior_mean]
        return problem.curve(step, rates, 1, start, exact=True)[step]

    assert at(1) == at(-1) >= at(0) and at(3) - at(0) == 9 * (at(1) - at(0))


def test_a_bias_that_descent_does_not_see():
    """The first step removes a bias along the row whose curvature is 1/rate; what is left of another stays."""
    rate = 1 / np.linalg.eigvalsh(4 * EXPERIMENT.information).max()
    free, biased = (EXPERIMENT.curve(80, rate, start=start) for start in (None, 3))
    assert biased[0] - free[0] > 16 and abs(biased[77] - free[77]) < 1e-5


def test_absolute_error_is_that_of_a_shifted_gaussian():
    mean, spread = 0.7, sqrt(2)
    found = LinearGaussian([[1]], 1, 0, 2, 1)
    expected = spread * sqrt(2 / pi) * exp(-(mean**2) / 4) + mean * erf(mean / 2)
    assert found.absolute_error(found.descent(0, 1, start="7/10")) == pytest.approx([expected], rel=1e-14)
    certain = replace(found, prior_variance=0)
    assert certain.absolute_error(certain.descent(0, 1, start="-7/10")) == pytest.approx([0.7], rel=1e-14)
    curve = SMALL.absolute_error(SMALL.descent(range(4), "1/20"))
    assert curve.shape == (4, 2) and np.allclose(curve[2], SMALL.absolute_error(SMALL.descent(2, "1/20")), rtol=1e-14)


# --- optima ------------------------------------------------------------------------------------------------------------


def test_best_step():
    assert best_step([3, 1, 2, 1]) == 1 and best_step(EXPERIMENT.curve(200, 19.807 / 77)) == 77


@few
@given(problem=problems(), guess=st.lists(st.floats(0.05, 20), min_size=3, max_size=3))
def test_the_tasks_own_variance_is_the_best(problem, guess):
    found, bayes = best_variance(problem), problem.bayes_risk()
    assert found.loss == pytest.approx(bayes, rel=1e-12)
    assert np.allclose(found.values, np.array(problem.prior_variance, dtype=float), rtol=1e-4)
    guess = guess[: problem.size]
    assert problem.limit(guess) >= bayes - 1e-13
    assert problem.expected_loss(problem.flow(guess[0])) >= bayes - 1e-13
    for gradient in ("h_free", "diagonal", "block"):
        assert np.abs(shrinkage_gradient(problem, problem.prior_variance, None, gradient)).max() < 1e-13


@few
@given(problem=problems(), variance=st.floats(0.2, 5), own=st.booleans())
def test_block_is_the_slope_of_the_limit(problem, variance, own):
    modules = None if own else [0] * problem.size
    step = 1e-5
    slopes = shrinkage_gradient(problem, variance, modules, "block")
    for m, slope in enumerate(slopes):
        moved = np.arange(problem.size) == m if own else np.ones(problem.size)
        up, down = (problem.limit(variance * np.exp(sign * step * moved)) for sign in (1, -1))
        assert slope == pytest.approx(-(up - down) / (2 * step), abs=1e-8)


def test_the_shrinkage_gradients_by_sampling():
    """Equations (4), (29) and (28), each from data: θ̂ by solving, the slope of the validation likelihood by its sum."""
    rng, tasks, variance = np.random.default_rng(1), 60_000, np.array([0.8, 1.7])
    a, noise = np.array(SMALL.design, dtype=float), np.array(SMALL.noise_variance, dtype=float)
    mean, spread = np.array(SMALL.prior_mean, dtype=float), np.sqrt(np.array(SMALL.prior_variance, dtype=float))
    theta = mean + spread * rng.standard_normal((tasks, 2))
    train, fresh = ((theta @ a.T)[:, None] + np.sqrt(noise) * rng.standard_normal((tasks, 3, 3)) for _ in range(2))
    h = 3 * (a.T / noise) @ a
    inverse = np.linalg.inv(h + np.diag(1 / variance))
    u = ((train - a @ mean) / noise @ a).sum(1) @ inverse
    slope = ((fresh - ((mean + u) @ a.T)[:, None]) / noise @ a).mean(1)
    terms = {
        "h_free": slope * u,
        "diagonal": slope * u / variance / (np.diag(h) + 1 / variance),
        "block": (slope @ inverse) * u / variance,
    }
    for gradient, values in terms.items():
        for modules, per_task in ((None, values), ([0, 0], values.sum(1, keepdims=True))):
            exact = shrinkage_gradient(SMALL, variance, modules, gradient)
            assert (np.abs(per_task.mean(0) - exact) < 5 * per_task.std(0) / sqrt(tasks)).all()


def test_fixed_points_of_one_shared_variance():
    """Only the full gradient leads to the best σ²; equation (4) ends at a smaller one, and (29) between the two."""
    best = best_variance(EXPERIMENT, ONE)
    block, diagonal, free = (shrinkage_fixed_point(EXPERIMENT, ONE, name) for name in ("block", "diagonal", "h_free"))
    assert block.values == pytest.approx(best.values, rel=1e-6) and block.loss == pytest.approx(best.loss, rel=1e-12)
    assert free.values[0] < diagonal.values[0] - 1 < best.values[0] - 5
    assert free.loss > diagonal.loss + 1e-3 > best.loss + 4e-3
    grid = [EXPERIMENT.limit(variance) for variance in np.geomspace(1, 1000, 200)]
    assert best.loss <= min(grid) < best.loss + 1e-3
    for found, name in ((block, "block"), (diagonal, "diagonal"), (free, "h_free")):
        assert np.abs(shrinkage_gradient(EXPERIMENT, found.values, ONE, name)).max() < 1e-12
        assert found.loss == pytest.approx(EXPERIMENT.limit(found.values), rel=1e-12)
        own = shrinkage_fixed_point(SMALL, None, name)
        assert own.values == pytest.approx([2, 0.25], rel=1e-8) and own.loss == pytest.approx(SMALL.bayes_risk())


@pytest.mark.parametrize(("modules", "steps"), [(ONE, 1), (ONE, 7), (TWO, 3), (TWO, 60)])
def test_best_rates(modules, steps):
    found = best_rates(EXPERIMENT, steps, modules)
    assert found.loss == pytest.approx(EXPERIMENT.curve(steps, found.values)[-1], rel=1e-12)
    if modules is TWO:
        assert found.loss < best_rates(EXPERIMENT, steps, ONE).loss - 0.1
        assert found.loss == pytest.approx(best_rates(EXPERIMENT, steps).loss, abs=1e-9)  # entries of a kind are alike
    top = 2 / np.linalg.eigvalsh(4 * EXPERIMENT.information).max()
    rng = np.random.default_rng(steps)
    for _ in range(200):
        scale = np.exp(rng.uniform(-4, 1, len(set(modules)))) * top
        assert EXPERIMENT.curve(steps, scale[modules])[-1] >= found.loss - 1e-12
    assert found.loss > EXPERIMENT.bayes_risk()


def test_best_flow_time():
    found = best_flow_time(EXPERIMENT)
    times = np.linspace(0, 100, 5001)
    losses = EXPERIMENT.expected_loss(EXPERIMENT.flow(times))
    assert losses.min() - 1e-5 < found.loss <= losses.min()
    assert found.values == pytest.approx(times[losses.argmin()], abs=0.02)
    assert losses[-1] < EXPERIMENT.limit() and EXPERIMENT.expected_loss(EXPERIMENT.flow(1e6)) == pytest.approx(5.5)
    small_steps = EXPERIMENT.descent(10**6, float(found.values) / 10**6)
    assert EXPERIMENT.expected_loss(small_steps) == pytest.approx(found.loss, abs=1e-6)
    many = best_rates(EXPERIMENT, 3000, ONE)
    assert many.values[0] * 3000 == pytest.approx(float(found.values), rel=1e-3)
    assert many.loss == pytest.approx(found.loss, abs=1e-4)


@pytest.mark.parametrize(("true", "n"), [(4, 3), (2, 2), ("3/2", 8)])
def test_joint_map_of_one_variable(true, n):
    """chen2019, eq. (10): T → ∞, unit noise; the limit, and the boundary below which σ² collapses."""
    problem = LinearGaussian([[1]], 1, 0, true, n)
    v = float(Fraction(true))
    root = sqrt((v + 1 / n) * (v - 3 / n))
    upper, lower = (v - 1 / n + root) / 2, (v - 1 / n - root) / 2
    assert joint_map_variance(problem).values == pytest.approx([upper], rel=1e-9)
    assert joint_map_variance(problem, initial=lower * 1.01).values == pytest.approx([upper], rel=1e-9)
    collapsed = joint_map_variance(problem, initial=lower * 0.99)
    assert collapsed.values == [0] and collapsed.loss == pytest.approx(1 / 2 + v / 2)


def test_joint_map_collapses_below_the_boundary():
    assert joint_map_variance(LinearGaussian([[1]], 1, 0, "0.99", 3)).values == [0]
    assert joint_map_variance(LinearGaussian([[1]], 1, 0, "1.01", 3)).values[0] > 0


def test_joint_map_of_the_experiment():
    found = joint_map_variance(EXPERIMENT)
    assert (found.values[4:] == 0).all() and np.ptp(found.values[:4]) < 1e-6
    assert found.loss == pytest.approx(EXPERIMENT.limit(found.values), rel=1e-12)
    _, errors = sampled(EXPERIMENT, 400, [0.2] * 4 + [0] * 4, found.values.clip(1e-9), [1] * 8, tasks=4000)
    rng = np.random.default_rng(0)
    theta = 1 + np.sqrt(np.array(EXPERIMENT.prior_variance, dtype=float)) * rng.standard_normal((4000, 8))
    moved = ((errors + theta - 1)[:, :4] ** 2).mean(1)
    assert abs(moved.mean() - found.values[0]) < 5 * moved.std() / sqrt(moved.size)


def test_joint_map_of_a_shared_variance():
    """Three entries alike that share σ² are one variable three times over."""
    identity = [[int(i == j) for j in range(3)] for i in range(3)]
    alone = joint_map_variance(LinearGaussian([[1]], 1, 0, 4, 3)).values[0]
    assert joint_map_variance(LinearGaussian(identity, 1, 0, 4, 3), [0] * 3).values == pytest.approx([alone] * 3)


# --- the number of observations ----------------------------------------------------------------------------------------


def test_the_number_of_observations_is_found_again():
    truth = chen2019_experiment1(5)
    known = plateaus(truth)
    names = ["m_shrinkage", "shrinkage", "maximum_likelihood"]
    estimators = [known[name].estimator for name in names]
    covariance = truth.loss_covariance(estimators) / 1000
    noise = np.random.default_rng(3).multivariate_normal(np.zeros(3), covariance)
    measured = {name: known[name].loss + shift for name, shift in zip(names, noise, strict=True)}
    judged = {candidate.n: candidate for candidate in infer_observations(EXPERIMENT, measured, 1000, (4, 5, 6))}
    assert list(judged) == [4, 5, 6]
    assert (
        judged[5].misfit == pytest.approx(noise @ np.linalg.solve(covariance, noise), rel=1e-6)
        and judged[5].misfit < 12
    )
    assert min(judged[4].misfit, judged[6].misfit) > 30
    assert judged[5].deviation["shrinkage"] == pytest.approx(noise[1] / sqrt(covariance[1, 1]), rel=1e-6)
    (loose,) = infer_observations(EXPERIMENT, {"shrinkage": known["shrinkage"].loss + 3}, 1000, [5], tolerance=3)
    assert loose.deviation["shrinkage"] == pytest.approx(1, abs=1e-3) and loose.misfit == pytest.approx(1, abs=1e-3)


def test_plateaus_are_in_order():
    known = {name: optimum.loss for name, optimum in plateaus(EXPERIMENT).items()}
    order = ["m_shrinkage", "joint_map", "shrinkage", "shrinkage_h_free", "early_stopping", "maximum_likelihood"]
    assert sorted(known, key=known.get) == order
    assert known["shrinkage_h_free"] == shrinkage_fixed_point(EXPERIMENT, ONE).loss
    assert known["m_shrinkage"] == pytest.approx(13565359 / 2645730, rel=1e-13) and known[
        "maximum_likelihood"
    ] == pytest.approx(5.5)


# --- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(noise_variance=[1, 0, 1]), "noise_variance holds 0; .* above 0"),
        (dict(prior_variance=[1, -1]), "prior_variance holds -1; .* 0 or more"),
        (dict(n=0), "n is 0; .* 1 or more"),
        (dict(n=2.5), "n is 2.5"),
        (dict(prior_mean=[1]), "prior_mean has 1 entries and the model has 2"),
        (dict(noise_variance=[1, 2]), "noise_variance has 2 entries and the model has 3"),
        (dict(design=[[1, 2], [1]]), "row 1 of the design has 1 entries"),
        (dict(design=[]), "the design is empty"),
        (dict(prior_variance=inf), "prior_variance: .* not a rational number"),
        (dict(prior_mean="one"), "prior_mean: 'one' is not a rational number"),
    ],
)
def test_a_malformed_model_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changed)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(rates=-1), "rates hold -1; a learning rate must be 0 or more"),
        (dict(rates=[1, 1, 1]), "rates has 3 entries and the model has 2"),
        (dict(rates=inf), "rates: .* not a rational number"),
        (dict(rates=1, variance=[1, -2]), "variance holds -2"),
        (dict(rates=1, variance=[1]), "variance has 1 entries"),
        (dict(rates=1, start=[1, 2, 3]), "start has 3 entries"),
        (dict(rates=1, steps=-1), "steps is -1"),
        (dict(rates=1, steps=1.5), "steps is 1.5"),
    ],
)
def test_a_malformed_learner_is_refused(arguments, message, exact):
    with pytest.raises(ValueError, match=message):
        SMALL.curve(**{"steps": 2, **arguments}, exact=exact)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SMALL.descent([1, -1], 1), "steps is"),
        (lambda: SMALL.descent(0.5, 1), "steps is 0.5"),
        (lambda: SMALL.flow(-1), "time is -1"),
        (lambda: best_rates(SMALL, 0), "steps is 0"),
        (lambda: best_rates(SMALL, 2, [0]), "modules has 1 labels and the model has 2 entries"),
        (lambda: shrinkage_gradient(SMALL, 1, None, "full"), "gradient is 'full'; choose one of h_free"),
        (lambda: shrinkage_fixed_point(SMALL, None, "full"), "gradient is 'full'"),
        (lambda: shrinkage_gradient(SMALL, [1, 0]), "variance holds 0"),
        (lambda: shrinkage_fixed_point(replace(SMALL, prior_variance=0)), "no zero"),
        (lambda: joint_map_variance(SMALL, initial=-1), "initial holds -1"),
        (lambda: SMALL.loss_covariance([SMALL.descent(1, 1)], 0), "validation is 0"),
        (lambda: SMALL.loss_covariance([SMALL.descent([1, 2], 1)]), "several matrices"),
        (lambda: infer_observations(SMALL, {"reptile": 1}, 10, [2]), "measured names .'reptile'.*m_shrinkage"),
        (lambda: infer_observations(SMALL, {}, 10, [2]), "measured names nothing"),
        (lambda: infer_observations(SMALL, {"shrinkage": 1}, 0, [2]), "tasks is 0"),
    ],
)
def test_malformed_requests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_best_variance_for_a_horizon():
    """Where descent is slow a weaker prior is best, or none, since stopping early shrinks already; in the end the tasks' own is."""
    problem, modules, rate = chen2019_experiment1(4), [0] * 4 + [1] * 4, 0.3
    found = {steps: best_variance(problem, modules, steps=steps, rates=rate) for steps in (20, 100, 200, 2000)}
    for steps, best in found.items():
        variance = [float(v) for v in best.values]
        assert best.loss == pytest.approx(problem.curve(steps, rate, variance)[-1], rel=1e-12)
        for module in (0, 1):
            for factor in (0.8, 1.25):
                moved = [v * factor if label == module else v for v, label in zip(variance, modules, strict=True)]
                worse = problem.expected_loss(problem.descent(steps, rate, moved)) - best.loss
                assert worse > 0 or moved == variance  # infinity stays infinity
    assert found[20].values[0] == np.inf > found[100].values[0] > found[200].values[0] > 64
    assert found[100].loss < problem.curve(100, rate, problem.prior_variance)[-1]
    assert found[2000].values[[0, 4]] == pytest.approx([64, 4], rel=1e-3)
    assert found[2000].loss == pytest.approx(problem.bayes_risk(), rel=1e-9)


@pytest.mark.parametrize(
    ("steps", "rates", "words"),
    [(5, None, "give both"), (None, 0.1, "give both"), (0, 0.1, "from 1 on"), (1.5, 0.1, "from 1 on")],
)
def test_best_variance_refuses_half_a_horizon(steps, rates, words):
    with pytest.raises(ValueError, match=words):
        best_variance(chen2019_experiment1(4), steps=steps, rates=rates)
