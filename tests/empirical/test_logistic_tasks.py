"""The synthetic classification tasks: their statistics, and what they share."""

import math

import pytest
import torch

from empirical.randomness import generator
from empirical.tasks.logistic import LogisticTasks


def drawn(tasks: LogisticTasks, count: int = 400, step: int = 0):
    return tasks.sample(count, generator(3, "training", step), "training", torch.float64)


@pytest.mark.parametrize("labels", ["sign", "sampled"])
def test_inputs_are_standard_normal_and_labels_even(labels):
    support_x, support_y, query_x, query_y = drawn(LogisticTasks(2, labels, 60, 40))
    assert support_x.shape == (400, 60, 2) and support_y.shape == (400, 60)
    assert query_x.shape == (400, 40, 2) and query_y.shape == (400, 40)
    x, y = torch.cat([support_x, query_x], 1), torch.cat([support_y, query_y], 1)
    assert set(y.unique().tolist()) == {0.0, 1.0}
    points = x[..., 0].numel()
    assert abs(y.mean() - 0.5) < 4 * 0.5 / math.sqrt(points)
    assert (x.mean((0, 1)).abs() < 4 / math.sqrt(points)).all()
    assert (torch.cov(x.reshape(-1, 2).T) - torch.eye(2)).abs().max() < 6 / math.sqrt(points)


def test_the_query_can_be_the_support():
    support_x, support_y, query_x, query_y = drawn(LogisticTasks(3, "sign", 7, None))
    assert torch.equal(support_x, query_x) and torch.equal(support_y, query_y)


def test_shared_inputs_are_the_same_for_all_tasks_and_splits():
    tasks = LogisticTasks(3, "sign", 5, 4, shared_inputs=0)
    first = drawn(tasks, 6)
    second = tasks.sample(2, generator(9, "test"), "test", torch.float64)
    for part in (0, 2):
        assert (first[part] == second[part][0]).all()
    assert len({tuple(labels.tolist()) for labels in first[1]}) > 1
    other = drawn(LogisticTasks(3, "sign", 5, 4, shared_inputs=1), 6)
    assert not torch.equal(first[0], other[0])


def test_the_same_key_draws_the_same_tasks():
    tasks = LogisticTasks(2, "sampled", 5, 5)
    for one, other in zip(drawn(tasks), drawn(tasks), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(drawn(tasks)[0], drawn(tasks, step=1)[0])


@pytest.mark.parametrize(
    "wrong", [{"labels": "signs"}, {"support": 0}, {"query": 0}, {"dimensions": 0}, {"shared_inputs": -1}]
)
def test_refuses_what_is_no_distribution(wrong):
    with pytest.raises(ValueError, match="is no task distribution: expected labels 'sign' or 'sampled'"):
        LogisticTasks(**{"dimensions": 2} | wrong)
