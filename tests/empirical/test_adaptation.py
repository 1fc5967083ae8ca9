import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from empirical import (
    RegressionTasks,
    adapt,
    chain,
    effective_weight,
    effective_weight_after_step,
    layer_rule,
    only_layers,
    only_tensors,
    population,
    precondition,
    shallow_gradient,
    squared_error,
)
from empirical.regression_models import deep_vector_error

number = st.floats(-2, 2)


def scalar_adapt(weights, theta, tasks, **options):
    batch = population(theta, tasks)
    return adapt(lambda p: squared_error(p[0], batch, options.pop("half", True)), (weights,), **options)[0]


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


@settings(max_examples=30)
@given(c=number, theta=number, lr=st.floats(0, 1.5), s2=st.floats(0.1, 3))
def test_one_shallow_step_by_hand(c, theta, lr, s2):
    (end,) = scalar_adapt(double([c]), double(theta), RegressionTasks(s2=s2), lr=lr, steps=1)
    assert end.item() == pytest.approx(c - lr * s2 * (c - theta), abs=1e-10)


@settings(max_examples=30)
@given(a=number, b=number, theta=number, lr=st.floats(0, 1))
def test_one_deep_step_by_hand(a, b, theta, lr):
    (end,) = scalar_adapt(double([a, b]), double(theta), RegressionTasks(), lr=lr, steps=1)
    error = a * b - theta
    torch.testing.assert_close(end, double(a - lr * b * error, b - lr * a * error), rtol=0, atol=1e-10)


def test_tasks_do_not_see_each_other():
    tasks, theta = RegressionTasks(), double(-1.0, 0.5, 2.0)
    together = scalar_adapt(double([0.5, 0.8]).expand(3, -1), theta, tasks, lr=0.1, steps=3)
    for i in range(3):
        alone = scalar_adapt(double([0.5, 0.8]), theta[i : i + 1], tasks, lr=0.1, steps=3)
        torch.testing.assert_close(together[i], alone[0], rtol=1e-13, atol=0)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_masked_layer_stays_and_the_others_move(layer):
    start = double([0.7, -0.4, 1.2])
    mask = [i != layer for i in range(3)]
    full = [[1.0, 0.3, 0.2], [0.5, 1.0, 0.1], [0.4, 0.6, 1.0]]
    rule = layer_rule(mask, full)  # even a preconditioner that mixes all layers leaves it
    end = scalar_adapt(start, double(1.3), RegressionTasks(), lr=0.1, steps=2, transform=rule)
    assert [bool(moved) for moved in (end != start)[0]] == mask


def test_the_preconditioner_comes_before_the_mask():
    start, theta = double([0.7, -0.4]), double(1.3)
    matrix = double([1.0, 2.0], [0.5, -1.0])
    plain = (start - scalar_adapt(start, theta, RegressionTasks(), lr=1.0, steps=1))[0]
    end = scalar_adapt(start, theta, RegressionTasks(), lr=0.1, steps=1, transform=layer_rule([True, False], matrix))
    torch.testing.assert_close(end[0], double(0.7 - 0.1 * (matrix @ plain)[0].item(), -0.4))
    backwards = chain(only_layers([True, False]), precondition(matrix))
    other = scalar_adapt(start, theta, RegressionTasks(), lr=0.1, steps=1, transform=backwards)
    assert (other - end).abs().min() > 1e-3


def test_zero_steps_return_the_start():
    start = double([0.7, -0.4])
    assert torch.equal(scalar_adapt(start, double(1.0), RegressionTasks(), lr=0.1, steps=0), start)


def test_second_order_sees_the_inner_hessian_and_first_order_does_not():
    lr, theta = 0.3, double(2.0)
    slopes = {}
    for first_order in (False, True):
        c = double([0.5]).requires_grad_()
        end = scalar_adapt(c, theta, RegressionTasks(), lr=lr, steps=2, first_order=first_order)
        (slopes[first_order],) = torch.autograd.grad(end.sum(), c)
    assert slopes[False].item() == pytest.approx((1 - lr) ** 2)
    assert slopes[True].item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rule", "steps", "words"),
    [
        (None, -1, "inner steps"),
        (only_layers([True]), 1, "booleans"),
        (precondition([[1.0]]), 1, "preconditioner"),
    ],
)
def test_misfits_are_named(rule, steps, words):
    with pytest.raises(ValueError, match=words):
        scalar_adapt(double([0.7, -0.4]), double(1.0), RegressionTasks(), lr=0.1, steps=steps, transform=rule)


def test_indices_are_not_mistaken_for_booleans():
    with pytest.raises(ValueError, match="boolean"):
        only_layers((0, 1))


def vector_data(m=4, d=3, n=7):
    generator = torch.Generator().manual_seed(3)
    shapes = [(m,), (m, d), (n, d), (n,)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("adapts", [("a", "B"), ("a",), ("B",), ()])
def test_the_vector_step_is_the_chain_rule_on_the_shallow_gradient(adapts, half):
    a, B, x, y = vector_data()
    g = shallow_gradient(B.T @ a, x, y, half)
    scale = 1 if half else 2
    torch.testing.assert_close(g, scale * x.T @ (x @ B.T @ a - y) / len(y))
    # d/da = B g and d/dB = a g^T, since the effective weight is B^T a
    a_new = a - 0.1 * B @ g if "a" in adapts else a
    B_new = B - 0.1 * torch.outer(a, g) if "B" in adapts else B
    found = effective_weight_after_step(a, B, x, y, 0.1, half, adapts)
    torch.testing.assert_close(found, B_new.T @ a_new, rtol=1e-12, atol=1e-12)


def test_unknown_vector_parameters_are_refused():
    with pytest.raises(ValueError, match="'a' and 'B'"):
        effective_weight_after_step(*vector_data(), 0.1, adapts=("b",))


def test_several_tensors_adapt_together():
    a, B, x, y = vector_data()
    ends = adapt(
        lambda p: deep_vector_error(*p, x, y),
        (a[None], B[None]),
        lr=0.05,
        steps=5,
        transform=only_tensors([False, True]),
    )
    assert torch.equal(ends[0][0], a)
    assert deep_vector_error(*ends, x, y).item() < deep_vector_error(a[None], B[None], x, y).item()


def test_predictions_use_the_product_of_all_layers():
    weights = double([0.5, -2.0, 3.0], [1.0, 1.0, 2.0])
    assert effective_weight(weights).tolist() == [-3.0, 2.0]
    batch = population(double(-3.0, 2.0), RegressionTasks(v=0.0))
    torch.testing.assert_close(squared_error(weights, batch), double(0.0, 0.0), rtol=0, atol=1e-12)
