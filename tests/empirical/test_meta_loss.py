import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from empirical import (
    RegressionTasks,
    finite_support_loss_quadrature,
    maml_gradient,
    maml_hessian,
    maml_loss_monte_carlo,
    maml_loss_quadrature,
    sample,
    sample_theta,
    stochastic_gradient_moments,
    task_meta_gradients,
)

torch.set_num_threads(1)
STANDARD = RegressionTasks()
SKEW = RegressionTasks(mu=0.4, tau2=0.6, s2=1.5, v=0.3)
weight = st.floats(-1.5, 1.5)
rate = st.floats(0.0, 0.3)


def within(estimate, exact, errors=5):
    return abs(estimate.mean - float(exact)) < errors * estimate.standard_error


@pytest.mark.parametrize("weights", [(0.7,), (0.6, -0.9), (0.8, 1.1, -0.5)])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_quadrature_meets_monte_carlo(weights, steps):
    for query in (None, 1):
        exact = maml_loss_quadrature(weights, SKEW, lr=0.1, steps=steps)
        found = maml_loss_monte_carlo(weights, SKEW, lr=0.1, steps=steps, n_tasks=50_000, query=query, seed=7)
        assert within(found, exact)
        assert not within(found, 1.1 * exact)  # sharp enough to notice a tenth


def test_finer_quadrature_changes_nothing(monkeypatch):
    from empirical import meta_loss

    options = dict(lr=0.15, steps=3)
    value = maml_loss_quadrature((0.6, -0.9), SKEW, **options)
    exact_rule = meta_loss.theta_nodes
    monkeypatch.setattr(meta_loss, "theta_nodes", lambda t, degree, **o: exact_rule(t, degree + 40, **o))
    torch.testing.assert_close(maml_loss_quadrature((0.6, -0.9), SKEW, **options), value, rtol=1e-12, atol=0)
    # and a much coarser rule does, so the degree that is asked for matters
    monkeypatch.setattr(meta_loss, "theta_nodes", lambda t, degree, **o: exact_rule(t, 2, **o))
    assert abs(maml_loss_quadrature((0.6, -0.9), SKEW, **options) - value) > 1e-8


@settings(max_examples=25)
@given(a=weight, b=weight, lr=rate)
def test_zero_steps_are_the_plain_loss(a, b, lr):
    # 1/2 E(y - wx)^2 = 1/2 (s2 (tau2 + (mu - w)^2) + v)
    plain = 0.5 * (1.5 * (0.6 + (0.4 - a * b) ** 2) + 0.3)
    assert maml_loss_quadrature((a, b), SKEW, lr=lr, steps=0).item() == pytest.approx(plain, rel=1e-12)


@settings(max_examples=25)
@given(c=weight, lr=st.floats(0, 1.5))
def test_one_shallow_step_in_closed_form(c, lr):
    found = maml_loss_quadrature((c,), STANDARD, lr=lr, steps=1)
    assert found.item() == pytest.approx(0.5 * ((1 - lr) ** 2 * (c**2 + 1) + 1), rel=1e-12)


@settings(max_examples=25)
@given(a=weight, b=weight, lr=rate, steps=st.integers(0, 3))
def test_dropping_the_half_doubles_the_inner_rate_and_the_loss(a, b, lr, steps):
    without = maml_loss_quadrature((a, b), SKEW, lr=lr, steps=steps, half=False)
    halved = maml_loss_quadrature((a, b), SKEW, lr=2 * lr, steps=steps)
    assert without.item() == pytest.approx(2 * halved.item(), rel=1e-9)


@settings(max_examples=25)
@given(a=weight, b=weight, lr=rate, steps=st.integers(0, 3))
def test_swapping_the_layers_changes_nothing(a, b, lr, steps):
    one, other = ((a, b), [True, False]), ((b, a), [False, True])
    for masked in (False, True):
        values = [
            maml_loss_quadrature(w, SKEW, lr=lr, steps=steps, adapts=mask if masked else None).item()
            for w, mask in (one, other)
        ]
        assert values[0] == pytest.approx(values[1], rel=1e-9)


def central_difference(function, point, h=1e-5):
    columns = []
    for i in range(len(point)):
        shift = torch.zeros_like(point)
        shift[i] = h
        columns.append((function(point + shift) - function(point - shift)) / (2 * h))
    return torch.stack(columns, dim=-1)


def settings_of_a_step():
    return st.fixed_dictionaries(
        {
            "lr": rate,
            "steps": st.integers(0, 2),
            "adapts": st.sampled_from([None, [True, False], [False, True]]),
            "preconditioner": st.sampled_from([None, [[1.0, 0.4], [-0.3, 0.7]]]),
            "half": st.booleans(),
        }
    )


@settings(max_examples=25)
@given(a=weight, b=weight, options=settings_of_a_step())
def test_gradient_and_hessian_meet_finite_differences(a, b, options):
    point = torch.tensor([a, b], dtype=torch.float64)
    gradient = central_difference(lambda w: maml_loss_quadrature(w, SKEW, **options), point)
    torch.testing.assert_close(maml_gradient(point, SKEW, **options), gradient, rtol=1e-6, atol=1e-6)
    for first_order in (False, True):
        jacobian = central_difference(
            lambda w, first_order=first_order: maml_gradient(w, SKEW, **options, first_order=first_order),
            point,
        )
        found = maml_hessian(point, SKEW, **options, first_order=first_order)
        torch.testing.assert_close(found, jacobian, rtol=1e-6, atol=1e-6)


def test_the_loss_backpropagates_to_the_same_fields():
    for first_order in (False, True):
        point = torch.tensor([0.6, -0.9], dtype=torch.float64, requires_grad=True)
        maml_loss_quadrature(point, SKEW, lr=0.2, steps=2, first_order=first_order).backward()
        field = maml_gradient(point, SKEW, lr=0.2, steps=2, first_order=first_order)
        torch.testing.assert_close(point.grad, field, rtol=1e-12, atol=1e-14)


def test_first_order_differs_from_second_order():
    options = dict(lr=0.2, steps=1)
    second, first = (maml_gradient((0.6, -0.9), SKEW, **options, first_order=f) for f in (False, True))
    assert (second - first).abs().min() > 1e-3
    # shallow: the first-order field lacks one factor (1 - lr s2)
    second, first = (maml_gradient((0.6,), SKEW, **options, first_order=f) for f in (False, True))
    assert second.item() == pytest.approx(first.item() * (1 - 0.2 * 1.5))
    jacobian = maml_hessian((0.6, -0.9), SKEW, **options, adapts=[True, False], first_order=True)
    assert abs(jacobian[0, 1] - jacobian[1, 0]) > 1e-3  # so the field has no potential


def test_gradient_with_respect_to_the_inner_rate():
    lr = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    maml_loss_quadrature((0.6, -0.9), SKEW, lr=lr, steps=2).backward()
    up, down = (maml_loss_quadrature((0.6, -0.9), SKEW, lr=0.2 + h, steps=2) for h in (1e-6, -1e-6))
    assert lr.grad.item() == pytest.approx(((up - down) / 2e-6).item(), rel=1e-6)


def test_too_many_steps_for_quadrature_say_so():
    with pytest.raises(ValueError, match="fewer inner steps"):
        maml_loss_quadrature((0.6, -0.9), SKEW, lr=0.1, steps=6)


@pytest.mark.parametrize("weights", [(), ((0.1, 0.2), (0.3, 0.4)), torch.tensor([1, 2])])
def test_weights_of_another_shape_or_type_are_refused(weights):
    with pytest.raises(ValueError, match="expected"):
        maml_loss_quadrature(weights, SKEW, lr=0.1, steps=1)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_finite_support_quadrature_meets_monte_carlo(n, steps):
    options = dict(lr=0.1, steps=steps)
    exact = finite_support_loss_quadrature(0.7, SKEW, n=n, **options)
    found = maml_loss_monte_carlo((0.7,), SKEW, n_tasks=200_000, support=n, query=None, seed=11, **options)
    assert within(found, exact)
    # the population support is another number, and the estimate tells the two apart
    assert not within(found, maml_loss_quadrature((0.7,), SKEW, **options))


def test_finite_support_gradient_and_refusal():
    c = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    finite_support_loss_quadrature(c, SKEW, lr=0.1, steps=2, n=2).backward()
    up, down = (finite_support_loss_quadrature(0.7 + h, SKEW, lr=0.1, steps=2, n=2).item() for h in (1e-5, -1e-5))
    assert c.grad.item() == pytest.approx((up - down) / 2e-5, rel=1e-8)
    with pytest.raises(ValueError, match="n = 1 or 2"):
        finite_support_loss_quadrature(0.7, SKEW, lr=0.1, steps=1, n=3)


def test_task_gradients_average_to_the_meta_gradient():
    for first_order in (False, True):
        options = dict(lr=0.1, steps=2, first_order=first_order)
        mean, _ = stochastic_gradient_moments((0.6, -0.9), SKEW, **options)
        torch.testing.assert_close(mean, maml_gradient((0.6, -0.9), SKEW, **options), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("query", [None, 1, 3])
@pytest.mark.parametrize("options", [{}, {"adapts": [False, True]}, {"first_order": True}])
def test_stochastic_moments_meet_sampled_gradients(query, options):
    options = dict(lr=0.1, steps=1) | options
    mean, cov = stochastic_gradient_moments((0.6, -0.9), SKEW, query=query, **options)
    generator = torch.Generator().manual_seed(5)
    theta = sample_theta(SKEW, 200_000, generator)
    points = None if query is None else sample(theta, SKEW, query, generator)
    g = task_meta_gradients((0.6, -0.9), theta, SKEW, query=points, **options)
    root = len(g) ** 0.5
    assert ((g.mean(0) - mean).abs() < 5 * g.std(0) / root).all()
    products = (g - mean)[:, :, None] * (g - mean)[:, None, :]
    assert ((products.mean(0) - cov).abs() < 5 * products.std(0) / root).all()
    assert not ((products.mean(0) - 1.1 * cov).abs() < 5 * products.std(0) / root).all()


def test_monte_carlo_is_seeded_and_checks_its_counts():
    def estimate(seed):
        return maml_loss_monte_carlo((0.6,), SKEW, lr=0.1, steps=1, n_tasks=100, support=2, seed=seed)

    assert estimate(1) == estimate(1)
    assert estimate(1) != estimate(2)
    with pytest.raises(ValueError, match="at least"):
        maml_loss_monte_carlo((0.6,), SKEW, lr=0.1, steps=1, n_tasks=1, seed=0)
