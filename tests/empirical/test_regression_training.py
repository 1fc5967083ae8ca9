import math

import numpy as np
import pytest
import torch

from empirical import (
    Batch,
    DivergenceError,
    RegressionEpisodes,
    RegressionTasks,
    adapt,
    maml_loss_quadrature,
    meta_train,
    squared_error,
)
from empirical.randomness import generator

torch.set_num_threads(1)
OPTIONS = dict(inner_lr=0.1, outer_lr=0.01, tasks_per_step=4, test_tasks=50)


def start(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_a_start_does_not_depend_on_its_neighbours():
    options = OPTIONS | dict(iterations=30, keep_trajectory_every=10)
    for points in ({}, {"support": 3, "query": 2}):
        both = meta_train(start([0.5, 1.0], [-1.0, 0.3]), RegressionTasks(), seeds=[4, 9], **options, **points)
        alone = meta_train(start([-1.0, 0.3]), RegressionTasks(), seeds=[9], **options, **points)
        np.testing.assert_allclose(both.trajectory[:, 1], alone.trajectory[:, 0], rtol=1e-12)
        np.testing.assert_allclose(both.test_error[:, 1], alone.test_error[:, 0], rtol=1e-12)


def test_seeds_choose_the_tasks_and_nothing_else_does():
    runs = [
        meta_train(start([0.5, 1.0]), RegressionTasks(), iterations=5, seeds=[seed], **OPTIONS) for seed in (1, 1, 2)
    ]
    assert np.array_equal(runs[0].final, runs[1].final)
    assert not np.array_equal(runs[0].final, runs[2].final)
    assert np.array_equal(runs[0].test_error[0], runs[2].test_error[0])  # the test tasks are fixed


def test_one_iteration_is_one_sgd_step_on_the_sampled_tasks():
    # tau2 = 0 makes every task theta = mu, so the step is known: shallow, 1/2 ((1-lr)^2 (c - mu)^2 + 1)
    tasks = RegressionTasks(mu=2.0, tau2=0.0)
    result = meta_train(start([0.5]), tasks, iterations=1, seeds=[0], **OPTIONS)
    assert result.final[0, 0] == pytest.approx(0.5 - 0.01 * 0.9**2 * (0.5 - 2.0))
    # the test error has no factor 1/2 and holds the noise variance
    assert result.test_error[0, 0] == pytest.approx(0.9**2 * (0.5 - 2.0) ** 2 + 1)


def test_training_is_torchs_sgd_with_momentum_on_autograds_meta_gradient():
    """The plain witness `adapt` on the tasks that the trainer draws, upper layer first."""
    tasks, points = RegressionTasks(v=0.5), {"support": 3, "query": 2}
    result = meta_train(start([0.5, 1.0]), tasks, iterations=4, seeds=[7], **points, **OPTIONS)
    weights = start([0.5, 1.0])[0].requires_grad_()
    optimizer = torch.optim.SGD([weights], lr=0.01, momentum=0.9)
    for step in range(4):
        drawn = generator(7, "training", step)
        support_x, support_y, query_x, query_y = RegressionEpisodes(tasks, **points).sample(
            4, drawn, "training", torch.float64
        )
        support, query = (
            Batch(x[..., 0], y[..., 0], y[0, :, 1]) for x, y in ((support_x, support_y), (query_x, query_y))
        )
        (end,) = adapt(lambda p, on=support: squared_error(p[0], on), (weights.expand(4, -1),), lr=0.1, steps=1)
        optimizer.zero_grad()
        squared_error(end, query).mean().backward()
        optimizer.step()
    np.testing.assert_allclose(result.final[0], weights.detach().numpy(), rtol=1e-12)


def test_the_deep_model_learns_to_adapt_in_one_step_and_the_shallow_cannot():
    tasks = RegressionTasks()
    options = OPTIONS | dict(tasks_per_step=16, iterations=400)
    deep = meta_train(start([1.5, 0.9]), tasks, seeds=[0], **options)
    assert deep.test_error[-1, 0] < 1.001 < 1.5 < deep.test_error[0, 0]
    assert abs(deep.final[0, 0]) == pytest.approx(1 / math.sqrt(0.1), rel=0.02)
    shallow = meta_train(start([1.5]), tasks, seeds=[0], **options)
    assert shallow.test_error[-1, 0] > 1.5
    assert maml_loss_quadrature(deep.final[0].tolist(), tasks, lr=0.1, steps=1) < 0.5 + 1e-3


def test_curves_and_trajectories_hold_both_ends():
    lines = []
    result = meta_train(
        start([0.5, 1.0]),
        RegressionTasks(),
        iterations=25,
        seeds=[0],
        evaluate_every=10,
        keep_trajectory_every=20,
        progress=lines.append,
        **OPTIONS,
    )
    assert result.evaluated_at.tolist() == [0, 10, 20, 25]
    assert result.kept_at.tolist() == [0, 20, 25]
    assert result.trajectory[0, 0].tolist() == [0.5, 1.0]
    assert np.array_equal(result.trajectory[-1], result.final)
    assert result.test_error.shape == (4, 1) and len(lines) == 4


def test_divergence_names_iteration_start_and_setting():
    with pytest.raises(DivergenceError) as caught:
        meta_train(
            start([0.1, 0.1], [50.0, 50.0]),
            RegressionTasks(),
            iterations=50,
            seeds=[3, 8],
            **OPTIONS | dict(inner_lr=0.5, steps=20),
        )
    message = str(caught.value)
    assert caught.value.run == 1
    for part in ("meta-iteration 0, seed 8", "in task 0 of run 1", "inner learning rate 0.5"):
        assert part in message


@pytest.mark.parametrize(
    "wrong",
    [
        *({"seeds": [0, 1]}, {"support": 0}, {"query": 0}, {"iterations": -1}, {"tasks_per_step": 0}),
        *({"evaluate_every": 0}, {"keep_trajectory_every": 0}, {"test_tasks": 0}),
    ],
)
def test_counts_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        meta_train(start([0.5]), RegressionTasks(), **OPTIONS | dict(iterations=1, seeds=[0]) | wrong)
