"""The engine's Shrinkage on the toy of chen2019's Appendix B against the exact gradients of `analysis`."""

from fractions import Fraction

import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import HierarchicalNormal, predictive_gradient, unrolled_gradient
from empirical import HierarchicalTasks, Shrinkage, one_module

TOY = HierarchicalTasks("identity", (0.0,), (1.0,), (1.0,), 2)
NUMBERS = st.fractions(min_value=-3, max_value=3, max_denominator=8)
METHODS = {"h_free": "h-free", "diagonal": "diagonal", "cg": "block-diagonal"}


def observations(means, count):
    """(1, T, count, 1): observations of each task with exactly these means."""
    offsets = torch.arange(count, dtype=torch.float64) - (count - 1) / 2
    found = torch.tensor([float(m) for m in means], dtype=torch.float64)[None, :, None, None] + offsets[:, None]
    return found, found


def engine(gradient, sigma2, steps, means, validation, n, k, rate=0.05):
    learner = Shrinkage(
        TOY.losses, modules=one_module(1), steps=steps, inner_lr=rate, sigma=float(sigma2) ** 0.5, gradient=gradient
    )
    phi = torch.tensor([[float(sum(means) / len(means))]], dtype=torch.float64)  # φ̂ where every task has N observations
    found, _ = learner.gradients(learner.start(phi), (*observations(means, n), *observations(validation, k)))
    return -len(means) * float(found["log_variance"])  # the engine descends on a mean over tasks


@settings(max_examples=25)
@given(
    data=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=4),
    n=st.integers(1, 4),
    k=st.integers(1, 3),
    sigma2=st.fractions(min_value=Fraction(1, 4), max_value=3, max_denominator=8),
)
def test_every_gradient_of_log_variance_is_the_exact_one(data, n, k, sigma2):
    means, validation = map(list, zip(*data, strict=True))
    model = HierarchicalNormal(means, [n] * len(means))
    for way, method in METHODS.items():
        exact = float(predictive_gradient(model, validation, k, sigma2, method))
        assert engine(way, sigma2, 700, means, validation, n, k) == pytest.approx(exact, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 5, 40])
def test_the_unrolled_gradient_is_the_exact_one(steps):
    means, validation, n, k = [3, -1, Fraction(1, 2)], [2, 0, 1], 2, 3
    model = HierarchicalNormal(means, [n] * 3)
    sigma2, rate = Fraction(9, 10), Fraction(1, 7)
    exact = float(unrolled_gradient(model, validation, k, sigma2, rate, steps))
    found = engine("unrolled", sigma2, steps, means, validation, n, k, float(rate))
    assert found == pytest.approx(exact, rel=1e-12)
    limit = float(predictive_gradient(model, validation, k, sigma2, "block-diagonal"))
    assert (abs(found - limit) < 1e-6 * abs(limit)) == (steps == 40)


def test_the_engine_stands_still_at_the_true_variance():
    """Prop. 4: with very many tasks the gradient (4) is 0 at σ² = σ_True², positive below and negative above."""
    tasks = HierarchicalTasks("identity", (0.5,), (1.5,), (1.0,), 3)
    batch = tasks.episodes(200_000, [0], "validation")
    signs = []
    for sigma2 in (1.8, 2.25, 2.8):
        learner = Shrinkage(tasks.losses, modules=one_module(1), steps=60, inner_lr=0.1, sigma=sigma2**0.5)
        learned = learner.start(torch.tensor([[0.5]], dtype=torch.float64))
        theta = learner.adapt(learned, batch.support)
        each = -((theta - batch.query[1].mean(2)) * (theta - 0.5) * 3).flatten()  # (19), task by task
        found = -float(learner.gradients(learned, batch.batch)[0]["log_variance"])
        assert found == pytest.approx(float(each.mean()), rel=1e-9)
        signs.append(found / float(each.std() / len(each) ** 0.5))
    assert signs[0] > 5 and abs(signs[1]) < 4 and signs[2] < -5


def test_exact_gradients_are_sympy_numbers():
    model = HierarchicalNormal([1, 2], [2, 2])
    assert isinstance(predictive_gradient(model, [0, 1], 1, Fraction(1, 2)), sympy.Expr)
