import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from empirical import RegressionEpisodes, RegressionTasks, population, sample, sample_theta, theta_nodes
from empirical.tasks.regression import MOST_NODES, weighted_error


def normal_moment(k: int, mu: float, tau2: float) -> float:
    """E theta^k by the recursion E theta^k = mu E theta^(k-1) + (k-1) tau2 E theta^(k-2)."""
    moments = [1.0, mu]
    for i in range(2, k + 1):
        moments.append(mu * moments[-1] + (i - 1) * tau2 * moments[-2])
    return moments[k]


@settings(max_examples=30)
@given(degree=st.integers(0, 30), mu=st.floats(-1, 1), tau2=st.floats(0, 2))
def test_theta_nodes_integrate_every_power_up_to_the_degree(degree, mu, tau2):
    theta, weight = theta_nodes(RegressionTasks(mu=mu, tau2=tau2), degree)
    for k in range(degree + 1):
        scale = 1 + (theta.abs() ** k @ weight).item()
        assert abs((theta**k @ weight).item() - normal_moment(k, mu, tau2)) < 1e-11 * scale


def test_theta_nodes_are_no_more_exact_than_promised():
    # 3 nodes serve degree 5; degree 6 must come out wrong, or the rule would be larger than asked for.
    theta, weight = theta_nodes(RegressionTasks(), 5)
    assert len(theta) == 3
    assert abs((theta**6 @ weight).item() - 15) > 1


def test_the_largest_rule_still_gives_the_highest_even_moment():
    degree = 2 * MOST_NODES - 2
    theta, weight = theta_nodes(RegressionTasks(), degree)
    log_terms = weight.log() + degree * theta.abs().log()
    exact = math.lgamma(degree + 1) - math.lgamma(degree / 2 + 1) - degree / 2 * math.log(2)
    assert abs(torch.logsumexp(log_terms, 0).item() - exact) < 1e-9
    with pytest.raises(ValueError, match="nodes"):
        theta_nodes(RegressionTasks(), 2 * MOST_NODES)


def test_population_has_the_moments_of_x_and_y():
    tasks = RegressionTasks(s2=2.0, v=0.7)
    theta = torch.tensor([0.4, -1.5], dtype=torch.float64)
    x, y, weight = population(theta, tasks)
    expected = {
        (2, 0): 2.0 + 0 * theta,
        (1, 1): 2.0 * theta,
        (0, 2): 2.0 * theta**2 + 0.7,
        (1, 0): 0 * theta,
        (4, 0): 12.0 + 0 * theta,
    }
    for (i, j), value in expected.items():
        torch.testing.assert_close((x**i * y**j) @ weight, value, rtol=0, atol=1e-12)


def test_sampled_points_have_the_population_moments():
    tasks = RegressionTasks(mu=1.0, tau2=0.5, s2=2.0, v=0.7)
    generator = torch.Generator().manual_seed(1)
    theta = sample_theta(tasks, 200_000, generator)
    batch = sample(theta, tasks, 2, generator)
    assert batch.weight.sum().item() == pytest.approx(1)
    for values, exact in [
        (theta, 1.0),
        (theta**2, 1.5),
        (batch.x[:, 0] ** 2, 2.0),
        (batch.x[:, 0] * batch.y[:, 0], 2.0),
        (batch.y[:, 1] ** 2, 2.0 * 1.5 + 0.7),
        (batch.x[:, 0] * batch.x[:, 1], 0.0),
    ]:
        assert abs(values.mean() - exact) < 5 * values.std() / np.sqrt(len(values))


def test_episodes_are_the_points_of_sampled_tasks():
    tasks = RegressionTasks(mu=1.0, s2=2.0, v=0.7)

    def draw(split, **points):
        return RegressionEpisodes(tasks, **points).sample(5, torch.Generator().manual_seed(3), split, torch.float64)

    theta = sample_theta(tasks, 5, torch.Generator().manual_seed(3))
    everything = draw("training")
    for x, target in (everything[:2], everything[2:]):
        assert torch.equal(x[..., 0], population(theta, tasks).x) and target.shape == (5, 9, 2)
        for task in range(5):  # ½ E(y − c x)² = ½ (s2 (θ − c)² + v)
            loss = weighted_error(0.3 * x[task], target[task])
            assert loss.item() == pytest.approx((2 * (theta[task].item() - 0.3) ** 2 + 0.7) / 2)
    support_x, _, query_x, query_y = draw("training", support=4, query=3)
    assert support_x.shape == (5, 4, 1) and query_y.shape == (5, 3, 2)
    assert not torch.equal(support_x[:, :3], query_x)  # fresh points
    assert weighted_error(0 * query_x[0], query_y[0]).item() == pytest.approx(
        query_y[0, :, 0].square().mean().item() / 2
    )
    tested = draw("test", support=4, query=3)
    assert torch.equal(tested[0], support_x) and torch.equal(tested[2], everything[2])
    with pytest.raises(ValueError, match="query is 0: expected 1 point or more"):
        RegressionEpisodes(tasks, query=0)


@pytest.mark.parametrize("wrong", [{"tau2": -1.0}, {"s2": 0.0}, {"v": -0.1}, {"mu": math.nan}, {"v": math.inf}])
def test_impossible_tasks_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        RegressionTasks(**wrong)
