"""One step of logistic regression: against Monte Carlo within 5 standard errors, other quadratures, and exact small cases."""

from itertools import pairwise
from math import inf, log, pi, sqrt

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from analysis import (
    CRITICAL_RATE,
    GaussianLogistic,
    accuracy_at_angle,
    expected_gradient,
    label_signal,
    logistic,
    mean_angle,
    one_point_angle,
    sampled_bayes_accuracy,
    stein_factor,
)

SEPARABLE = GaussianLogistic(2)
SAMPLED = GaussianLogistic(2, "sampled")


def sigma(x):
    return 1 / (1 + np.exp(-x))


def close(sample, expected, errors=5):
    """The mean of a sample is within `errors` standard errors, and rounding, of what is expected."""
    sample = np.asarray(sample, dtype=float)
    assert abs(sample.mean() - expected) < errors * sample.std() / sqrt(len(sample)) + 1e-12, (sample.mean(), expected)


def draw(rng, tasks, points, count):
    """θ (count, d), x (count, points, d) and ±1 labels, straight from their definitions."""
    theta = rng.standard_normal((count, tasks.dimension))
    if tasks.norm is not None:
        theta *= tasks.norm / np.linalg.norm(theta, axis=1, keepdims=True)
    x = rng.standard_normal((count, points, tasks.dimension))
    logit = np.einsum("cd,cnd->cn", theta, x)
    if tasks.labels == "separable":
        return theta, x, np.sign(logit)
    return theta, x, np.where(rng.random(logit.shape) < sigma(logit), 1.0, -1.0)


def gauss_hermite(size=40):
    """Nodes (size², 2) and weights of N(0, I₂)."""
    t, w = np.polynomial.hermite_e.hermegauss(size)
    return np.stack(np.meshgrid(t, t), -1).reshape(-1, 2), np.outer(w, w).ravel() / (2 * pi)


# --- the ingredients -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [0.0, 0.3, 1.0, 7.0, 60.0])
def test_stein_factor_by_another_quadrature(norm):
    def integrand(z):
        return mpmath.npdf(z) * mpmath.sech(norm * z / 2) ** 2 / 4

    points = sorted({0, 0.1 / (norm + 1), 1 / (norm + 1), 5 / (norm + 1), 1, 10})
    assert stein_factor(norm) == pytest.approx(float(2 * mpmath.quad(integrand, points)), abs=1e-12)


def test_stein_factor_at_the_origin_is_a_quarter_and_falls():
    values = [stein_factor(x) for x in np.linspace(0, 20, 50)]
    assert values[0] == pytest.approx(1 / CRITICAL_RATE, abs=1e-14)
    assert all(b < a for a, b in pairwise(values))


@given(st.floats(0.01, 50))
def test_steins_lemma(norm):
    assert label_signal(norm) == pytest.approx(norm * stein_factor(norm), rel=1e-9)
    assert label_signal(norm) < label_signal(inf)


def test_the_signal_of_separable_labels():
    assert label_signal(inf) == pytest.approx(1 / sqrt(2 * pi), abs=1e-14)


@pytest.mark.parametrize("labels", ["separable", "sampled"])
def test_expected_gradient_by_monte_carlo(labels):
    rng = np.random.default_rng(1)
    theta, c = np.array([1.2, -0.4, 0.7]), np.array([-0.5, 2.0, 0.3])
    x = rng.standard_normal((200_000, 3))
    y = x @ theta > 0 if labels == "separable" else rng.random(len(x)) < sigma(x @ theta)
    sample = (sigma(x @ c) - y)[:, None] * x
    for column, expected in zip(sample.T, expected_gradient(c, theta, labels), strict=True):
        close(column, expected)


@pytest.mark.parametrize("norm", [0.5, 3.0, inf])
def test_accuracy_at_an_angle(norm):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((200_000, 2))
    right = np.heaviside(x[:, 0], 0) if norm == inf else sigma(norm * x[:, 0])
    angles = np.array([0.0, 0.4, 2.0])
    for angle, expected in zip(angles, accuracy_at_angle(angles, norm), strict=True):
        said = np.cos(angle) * x[:, 0] + np.sin(angle) * x[:, 1] > 0
        close(np.where(said, right, 1 - right), expected)
    assert accuracy_at_angle(pi / 2, norm) == pytest.approx(0.5, abs=1e-12)
    assert accuracy_at_angle(0.7, norm) + accuracy_at_angle(pi - 0.7, norm) == pytest.approx(1, abs=1e-12)


def test_accuracy_at_an_angle_of_weak_labels():
    """To first order in r it is ½ + (r/4) cos(angle) E|z|."""
    assert accuracy_at_angle(0.9, 1e-4) == pytest.approx(0.5 + 1e-4 / 4 * np.cos(0.9) * sqrt(2 / pi), abs=1e-11)


def test_bayes_accuracy_is_exact_in_even_dimensions():
    assert sampled_bayes_accuracy(2) == sympy.log(2)
    assert sympy.simplify(sampled_bayes_accuracy(4) - (sympy.log(2) / 2 + sympy.pi**2 / 24)) == 0
    for d in (2, 4, 6, 40, 100):
        assert GaussianLogistic(d, "sampled").bayes_accuracy() == pytest.approx(
            float(sampled_bayes_accuracy(d)), abs=1e-10
        )
    assert float(sampled_bayes_accuracy(100)) == pytest.approx(0.94499875, abs=1e-8)
    assert GaussianLogistic(7).bayes_accuracy() == 1
    with pytest.raises(ValueError, match="even"):
        sampled_bayes_accuracy(3)


def test_bayes_accuracy_by_monte_carlo():
    rng = np.random.default_rng(3)
    theta, x = rng.standard_normal((2, 200_000, 5))
    close(sigma(np.abs((theta * x).sum(1))), GaussianLogistic(5, "sampled").bayes_accuracy())
    close(sigma(2.5 * np.abs(x[:, 0])), GaussianLogistic(5, "sampled", norm=2.5).bayes_accuracy())


# --- from the origin -------------------------------------------------------------------------------------------------

CASES = [
    (SEPARABLE, 1),
    (SEPARABLE, 4),
    (GaussianLogistic(6), 3),
    (GaussianLogistic(5), 30),
    (GaussianLogistic(2, "sampled", norm=1.5), 2),
    (GaussianLogistic(3, "sampled", norm=4.0), 25),
    (GaussianLogistic(4, "sampled"), 24),
    (GaussianLogistic(3, "sampled", norm=0.4), 7),
]


@pytest.mark.parametrize(("tasks", "points"), CASES, ids=str)
def test_one_step_from_the_origin_by_monte_carlo(tasks, points):
    rng = np.random.default_rng(points)
    theta, x, s = draw(rng, tasks, points, 60_000)
    step = np.einsum("cn,cnd->cd", s, x)
    cosine = (step * theta).sum(1) / np.linalg.norm(step, axis=1) / np.linalg.norm(theta, axis=1)
    close(np.arccos(np.clip(cosine, -1, 1)), tasks.adapted_angle(points))
    fresh, label = fresh_points(rng, tasks, theta)
    close((np.sign((step * fresh).sum(1)) == label).astype(float), tasks.adapted_accuracy(points))
    margin = s * np.einsum("cnd,cd->cn", x, step)
    close((margin > 0).mean(1), tasks.support_accuracy(points))


def fresh_points(rng, tasks, theta):
    x = rng.standard_normal(theta.shape)
    logit = (theta * x).sum(1)
    if tasks.labels == "separable":
        return x, np.sign(logit)
    return x, np.where(rng.random(len(x)) < sigma(logit), 1.0, -1.0)


def test_one_separable_point_exactly():
    assert [one_point_angle(d) for d in (2, 3)] == [sympy.pi / 4, 1]
    for d in (2, 3, 4, 7, 12):
        psi = sympy.Symbol("psi")
        if d < 6:
            weight = sympy.sin(psi) ** (d - 2)
            exact = sympy.integrate(psi * weight, (psi, 0, sympy.pi / 2)) / sympy.integrate(
                weight, (psi, 0, sympy.pi / 2)
            )
            assert sympy.simplify(one_point_angle(d) - exact) == 0
        tasks = GaussianLogistic(d)
        assert tasks.adapted_accuracy(1) == pytest.approx(1 - float(one_point_angle(d)) / pi, abs=1e-9)
        assert tasks.support_accuracy(1) == 1


@pytest.mark.parametrize("norm", [0.3, 2.0, 12.0])
def test_one_sampled_point_in_the_plane_in_polar_coordinates(norm):
    """The step is ρ(cos ψ, sin ψ) with the density 2 σ(rρ cos ψ) ρ e^{−ρ²/2} / 2π: no characteristic function."""
    rho, w = np.polynomial.legendre.leggauss(80)
    rho, w = 5 * (rho + 1), 5 * w
    psi, v = np.polynomial.legendre.leggauss(200)
    psi, v = pi / 2 * (psi + 1), pi / 2 * v
    density = 2 * sigma(norm * np.outer(np.cos(psi), rho)) @ (w * rho * np.exp(-(rho**2) / 2)) / pi
    expected = v @ (density * accuracy_at_angle(psi, norm))
    tasks = GaussianLogistic(2, "sampled", norm=norm)
    assert tasks.adapted_accuracy(1) == pytest.approx(expected, abs=1e-9)
    assert tasks.adapted_angle(1) == pytest.approx(v @ (density * psi), abs=1e-9)


@pytest.mark.parametrize("tasks", [SEPARABLE, GaussianLogistic(100), GaussianLogistic(5, "sampled", norm=2.0)], ids=str)
def test_the_large_sample_angle_is_within_its_bound(tasks):
    for points in (1, 3, 30, 1000, 100_000):
        angle, bound = tasks.large_sample_angle(points)
        exact = tasks.adapted_angle(points)
        assert abs(angle - exact) <= bound
        if points == 30:
            assert bound > 10 * abs(angle - exact) > 1e-3  # it is an approximation
    assert tasks.large_sample_angle(10**6)[1] == pytest.approx(tasks.large_sample_angle(10**5)[1] / 10, rel=0.01)


def test_separable_and_strongly_sampled_labels_agree():
    strong = GaussianLogistic(3, "sampled", norm=400.0)
    # P(label ≠ sign) is about log 2 · 2 φ(0)/400 on each point
    for points in (20, 200):
        assert strong.adapted_accuracy(points) == pytest.approx(GaussianLogistic(3).adapted_accuracy(points), abs=5e-3)
        assert strong.support_accuracy(points) == pytest.approx(GaussianLogistic(3).support_accuracy(points), abs=5e-3)


@pytest.mark.parametrize("norm", [0.5, 6.0])
def test_the_real_axis_and_the_ray_agree(norm, monkeypatch):
    """From 20 points on the integrals are taken along a ray; on the real axis they have the same value."""
    tasks = GaussianLogistic(3, "sampled", norm=norm)
    methods = (tasks.adapted_accuracy, tasks.support_accuracy, tasks.adapted_angle)
    along_ray = [f(n) for f in methods for n in (20, 60)]
    monkeypatch.setattr(logistic, "_SMALL", 1000)
    assert [f(n) for f in methods for n in (20, 60)] == pytest.approx(along_ray, abs=1e-9)


def test_the_published_setting_of_arnold2019():
    tasks = GaussianLogistic(100)
    assert tasks.adapted_accuracy(1000) == pytest.approx(0.88073, abs=1e-5)
    assert tasks.support_accuracy(1000) == pytest.approx(0.92131, abs=1e-5)


@pytest.mark.parametrize(("tasks", "accuracy"), [(SEPARABLE, 0.9), (GaussianLogistic(100), 0.9577)], ids=str)
def test_points_needed(tasks, accuracy):
    n = tasks.points_needed(accuracy)
    assert tasks.adapted_accuracy(n) >= accuracy > tasks.adapted_accuracy(n - 1)
    # the angle of the mean, inverted
    d = tasks.dimension
    chi = sqrt(2) * mpmath.gamma(d / 2) / mpmath.gamma((d - 1) / 2)
    assert n == pytest.approx(float(chi**2 * pi / 2 / np.tan(pi * (1 - accuracy)) ** 2), rel=0.06)


def test_no_number_of_points_beats_bayes():
    with pytest.raises(ValueError, match=r"below 0\.693147"):
        SAMPLED.points_needed(0.7)


# --- the proposition -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [GaussianLogistic(3), GaussianLogistic(3, "sampled", norm=3.0)], ids=str)
def test_no_function_of_the_gradient_beats_the_gradient(tasks):
    rng = np.random.default_rng(7)
    theta, x, s = draw(rng, tasks, 4, 40_000)
    g = np.einsum("cn,cnd->cd", s, x)
    unit = theta / np.linalg.norm(theta, axis=1, keepdims=True)

    def accuracy(a):
        cosine = (a * unit).sum(1) / np.linalg.norm(a, axis=1)
        return accuracy_at_angle(np.arccos(np.clip(cosine, -1, 1)), tasks.norm or inf)

    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    rivals = {
        "diagonal": g * [1, 2, 4],
        "full": g @ (np.eye(3) + 0.5 * rotation).T,
        "signs": np.sign(g),
        "relu network": np.maximum(g @ rotation, 0) - 0.5 * np.maximum(-g @ rotation, 0) + g,
        "constant added": g + np.array([1.0, 0, 0]),
    }
    for name, rival in rivals.items():
        gain = accuracy(g) - accuracy(rival)
        assert gain.mean() > 5 * gain.std() / sqrt(len(gain)), name


def test_the_posterior_is_symmetric_about_the_gradient():
    rng = np.random.default_rng(8)
    theta, x, s = draw(rng, GaussianLogistic(3), 3, 60_000)
    v = np.einsum("cn,cnd->cd", s, x)
    unit = theta / np.linalg.norm(theta, axis=1, keepdims=True)
    # a frame of v and two directions that know the coordinates but not θ
    frame = np.linalg.qr(np.stack([v, np.tile([1.0, 0, 0], (len(v), 1)), np.tile([0, 1.0, 0], (len(v), 1))], -1))[0]
    within = np.einsum("cdk,cd->ck", frame, unit)
    close(within[:, 1], 0)
    close(within[:, 2], 0)
    close(within[:, 1] * within[:, 2], 0)
    close(within[:, 1] ** 2 - within[:, 2] ** 2, 0)
    assert np.abs(within[:, 0]).mean() > 0.6


@pytest.mark.parametrize("norm", [1.5, inf])
def test_the_likelihood_ratio_of_the_proof(norm):
    """The sum S has the density N(a; 0, n) R(a), R(a) = E Π 2σ(r(a/n + ε_i)), which does not decrease."""
    rng, n = np.random.default_rng(9), 3

    def factor(u):
        return 2 * np.heaviside(u, 0.5) if norm == inf else 2 * sigma(norm * u)

    z = rng.standard_normal((200_000, n))
    weights = factor(z).prod(1)
    t = rng.standard_normal((200_000, n))
    s = np.sign(t) if norm == inf else np.where(rng.random(t.shape) < sigma(norm * t), 1, -1)
    total = (s * t).sum(1)
    for a in (0.5, 2.0, 4.0):
        by_ratio, direct = weights * (z.sum(1) > a), (total > a).astype(float)
        error = sqrt(by_ratio.var() / len(z) + direct.var() / len(t))
        assert abs(by_ratio.mean() - direct.mean()) < 5 * error
    spread = z - z.mean(1, keepdims=True)
    ratios = [factor(a / n + spread).prod(1).mean() for a in np.linspace(-6, 12, 16)]
    assert all(b >= a for a, b in pairwise(ratios)) and ratios[-1] > 7.5


# --- from elsewhere --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [2, 3, 50])
def test_mean_angle_at_the_ends_and_in_the_middle(dimension):
    assert mean_angle(0, dimension) == pytest.approx(pi / 2, abs=1e-12)
    assert mean_angle(1, dimension) == pytest.approx(pi / 4, abs=1e-9)  # ĉ + e bisects
    assert mean_angle(1e6, dimension) < 2e-6


@given(st.floats(0.01, 20))
def test_mean_angle_in_the_plane_against_the_definition(ratio):
    beta = (np.arange(200_000) + 0.5) * pi / 200_000
    direct = np.arctan2(np.sin(beta), ratio + np.cos(beta)).mean()
    assert mean_angle(ratio, 2) == pytest.approx(direct, abs=1e-6)
    assert mean_angle(ratio, 2) + mean_angle(1 / ratio, 2) == pytest.approx(pi / 2, abs=1e-12)


@pytest.mark.parametrize("ratio", [0.2, 0.99, 1.5])
def test_mean_angle_by_monte_carlo(ratio):
    e = np.random.default_rng(10).standard_normal((100_000, 5))
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    v = ratio * e + np.eye(5)[0]
    close(np.arccos(np.clip((v * e).sum(1) / np.linalg.norm(v, axis=1), -1, 1)), mean_angle(ratio, 5))


@pytest.mark.parametrize(("start", "rate"), [(0.7, 0.5), (2.0, 3.3), (1.0, 9.0)])
def test_accuracy_after_a_population_step_from_elsewhere(start, rate):
    """The step by Gauss–Hermite quadrature of (σ(cᵀx) − σ(θᵀx)) x, the accuracy by fresh labels of sampled tasks."""
    x, w = gauss_hermite()
    c = start * np.array([0.6, -0.8])
    rng = np.random.default_rng(11)
    theta = rng.standard_normal((4000, 2))
    after = c - rate * ((w * sigma(x @ c)) @ x - sigma(theta @ x.T) @ (w[:, None] * x))
    fresh = rng.standard_normal((4000, 50, 2))
    right = sigma(np.einsum("cd,cnd->cn", theta, fresh))
    said = np.einsum("cd,cnd->cn", after, fresh) > 0
    close(np.where(said, right, 1 - right).mean(1), SAMPLED.accuracy_from(start, rate))


def test_a_start_far_away_leaves_chance():
    for tasks in (SEPARABLE, GaussianLogistic(100), SAMPLED):
        values = [tasks.accuracy_from(norm, 0.5) for norm in (0, 0.3, 1, 3, 10, 100)]
        assert all(a > b for a, b in pairwise(values))
        assert values[0] == tasks.bayes_accuracy() and 0.5 < values[-1] < 0.501


def test_large_dimension_limit_of_a_start():
    """For d → ∞ the start is across θ: the accuracy tends to ½ + arctan(αM/s)/π, with an error of O(1/d)."""
    rest = (1 - 0.5 * stein_factor(2.0)) * 2
    limit = 0.5 + np.arctan(0.5 / sqrt(2 * pi) / rest) / pi
    errors = [abs(GaussianLogistic(d).accuracy_from(2.0, 0.5) - limit) * d for d in (200, 400, 800)]
    assert errors[0] < 0.2 and errors == pytest.approx([errors[-1]] * 3, rel=0.02)


@pytest.mark.parametrize(("tasks", "rate"), [(GaussianLogistic(100), 0.5), (SEPARABLE, 0.9)], ids=str)
def test_start_norm_for(tasks, rate):
    norm = tasks.start_norm_for(0.55, rate)
    assert tasks.accuracy_from(norm, rate) == pytest.approx(0.55, abs=1e-9)


# --- the MAML loss ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", ["sampled", "separable"])
@pytest.mark.parametrize(("start", "rate"), [(0.0, 0.9), (0.8, 0.5), (1.5, 5.0)])
def test_maml_loss_by_another_quadrature(labels, start, rate):
    """Steps and losses by quadrature over x, tasks at equal angles and, if sampled, at Gauss–Legendre norms."""
    x, w = gauss_hermite()
    c = start * np.array([0.6, -0.8])
    turns = (np.arange(24) + 0.5) * 2 * pi / 24
    e = np.stack([np.cos(turns), np.sin(turns)], -1)
    r, p = np.polynomial.legendre.leggauss(24)
    r, p = (4.5 * (r + 1), 4.5 * p) if labels == "sampled" else (np.ones(1), np.exp([0.5]))
    total = 0.0
    for norm, weight in zip(r, p * r * np.exp(-(r**2) / 2), strict=True):
        theta = norm * e
        if labels == "sampled":
            signal = sigma(theta @ x.T) @ (w[:, None] * x)
        else:
            signal = e / sqrt(2 * pi)  # E[1{eᵀx > 0} x]: half of E|z|
        after = c - rate * ((w * sigma(x @ c)) @ x - signal)
        loss = np.logaddexp(0, after @ x.T) @ w - (after * signal).sum(1)
        total += weight * loss.mean()
    assert GaussianLogistic(2, labels).maml_loss(start, rate) == pytest.approx(total, abs=1e-7)


@pytest.mark.parametrize("tasks", [SEPARABLE, SAMPLED, GaussianLogistic(30)], ids=str)
def test_the_hessian_at_the_origin(tasks):
    for rate in (0.5, 3.0, 6.0):
        h = 0.02
        second = [2 * (tasks.maml_loss(k * h, rate) - tasks.maml_loss(0, rate)) / (k * h) ** 2 for k in (1, 2)]
        assert tasks.maml_curvature(rate) == pytest.approx((4 * second[0] - second[1]) / 3, rel=1e-4)
        assert tasks.maml_curvature(rate) > 0
    assert tasks.maml_curvature(1e-6) == pytest.approx(0.25, abs=1e-6)
    assert tasks.maml_curvature(CRITICAL_RATE) == 0


@pytest.mark.parametrize("tasks", [SEPARABLE, SAMPLED, GaussianLogistic(100)], ids=str)
def test_where_the_maml_loss_is_least(tasks):
    grid = np.linspace(0.2, 6, 12)
    for rate in (0.5, 0.9, 4.0):
        assert tasks.maml_minimisers(rate) == (0.0,)
        values = [tasks.maml_loss(norm, rate) for norm in (0, *grid)]
        assert all(b > a for a, b in pairwise(values))
    origin, sphere = tasks.maml_minimisers(8.0)
    least = tasks.maml_loss(0, 8.0)
    assert origin == 0 and stein_factor(sphere) == pytest.approx(1 / 8, abs=1e-12)
    assert tasks.maml_loss(sphere, 8.0) == pytest.approx(least, abs=1e-12)
    assert min(tasks.maml_loss(f * sphere, 8.0) for f in (0.3, 0.7, 0.95, 1.05, 1.5)) > least + 1e-6


def test_the_maml_loss_at_the_origin_falls_with_the_rate():
    """Its derivative in α is E_r M² (ακ(αM) − 1); without a step it is log 2."""
    assert SEPARABLE.maml_loss(0, 1e-9) == pytest.approx(log(2), abs=1e-8)
    m, h = label_signal(inf), 1e-4
    for rate in (0.5, 5.0, 50.0):
        slope = (SEPARABLE.maml_loss(0, rate + h) - SEPARABLE.maml_loss(0, rate - h)) / (2 * h)
        assert slope == pytest.approx(m**2 * (rate * stein_factor(rate * m) - 1), abs=1e-8)
        assert slope < 0


def test_on_finitely_many_points_the_origin_is_a_local_minimum_too():
    """Paired Monte Carlo of the MAML loss with a step on two points at a rate above 4, query in the population."""
    rng = np.random.default_rng(12)
    theta, x, s = draw(rng, SEPARABLE, 2, 20_000)
    e = theta / np.linalg.norm(theta, axis=1, keepdims=True)
    rate, c = 6.0, np.array([0.1, 0.0])
    t, w = np.polynomial.hermite_e.hermegauss(40)

    def loss(start):
        slope = sigma(x @ start) - (s + 1) / 2
        after = start - rate * (slope[..., None] * x).mean(1)
        length = np.linalg.norm(after, axis=1)
        softplus = np.logaddexp(0, length[:, None] * t) @ w / sqrt(2 * pi)
        return softplus - (after * e).sum(1) / sqrt(2 * pi)

    gain = loss(c) + loss(-c) - 2 * loss(0 * c)
    assert gain.mean() > 5 * gain.std() / sqrt(len(gain))


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GaussianLogistic(1), "2 or more"),
        (lambda: GaussianLogistic(2, "noisy"), "'separable' or 'sampled'"),
        (lambda: GaussianLogistic(2, "separable", norm=1.0), "norm is 1.0"),
        (lambda: GaussianLogistic(2, "sampled", norm=0.0), "positive"),
        (lambda: SEPARABLE.adapted_accuracy(0), "1 or more"),
        (lambda: SEPARABLE.support_accuracy(2.5), "whole number"),
        (lambda: SEPARABLE.accuracy_from(-1, 0.5), "start_norm is -1"),
        (lambda: SEPARABLE.maml_curvature(0), "positive"),
        (lambda: SEPARABLE.maml_minimisers(-1), "positive"),
        (lambda: SEPARABLE.start_norm_for(0.55, 5), "up to 4"),
        (lambda: mean_angle(-1, 2), "0 or more"),
        (lambda: expected_gradient([1, 0], [0, 0], "sampled"), "direction"),
        (lambda: expected_gradient([1, 0], [1, 0], "linear"), "'separable' or 'sampled'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
