"""Factored meta-optimizers against numpy, which knows nothing of sympy's Kronecker products."""

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Matrix, eye

from analysis import factored_parameters, is_kronecker_product, kronecker_apply, kronecker_costs, kronecker_network
from analysis.kronecker import (
    blind_direction,
    cholesky_costs,
    cnn_weights,
    meta_optimizer_parameters,
    meta_optimizer_steps,
    prove_for_every_size,
    relu,
    t_net_step,
    unfactored,
    vec,
    weight_matrix,
)

SIZES = st.tuples(st.integers(1, 4), st.integers(1, 4))
few = settings(max_examples=25, deadline=None)


def integers(rows, columns):
    return st.lists(st.integers(-5, 5), min_size=rows * columns, max_size=rows * columns).map(
        lambda entries: Matrix(rows, columns, entries)
    )


@st.composite
def factored(draw):
    """L n×n, R m×m, G n×m."""
    n, m = draw(SIZES)
    return draw(integers(n, n)), draw(integers(m, m)), draw(integers(n, m))


def array(matrix):
    return np.array(matrix.tolist(), dtype=np.int64)


@few
@given(factored())
def test_the_vec_identity_in_both_stackings(matrices):
    left, right, gradient = map(array, matrices)
    product = kronecker_apply(*matrices)
    assert (array(product) == left @ gradient @ right).all()
    for stacking, order, whole in (
        ("columns", "F", np.kron(right.T, left)),
        ("rows", "C", np.kron(left, right.T)),
    ):
        assert (array(unfactored(*matrices[:2], stacking)) == whole).all()
        assert (array(vec(product, stacking))[:, 0] == whole @ gradient.flatten(order)).all()


def test_the_vec_identity_with_symbolic_entries_and_for_every_size():
    for n, m in ((1, 1), (2, 2), (2, 3), (3, 1), (3, 2)):
        left, right, gradient = (
            Matrix(*size, lambda i, j, name=name: sympy.Symbol(f"{name}{i}{j}"))
            for name, size in (("L", (n, n)), ("R", (m, m)), ("G", (n, m)))
        )
        apart = unfactored(left, right) * vec(gradient) - vec(kronecker_apply(left, right, gradient))
        assert apart.expand() == sympy.zeros(n * m, 1)
    assert prove_for_every_size() is True


def test_a_gradient_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match=r"L is 3×3, G is 2×3, R is 2×2; L must be n×n and R m×m"):
        kronecker_apply(eye(3), eye(2), sympy.ones(2, 3))  # arnold2021, C.1: W ∈ R^{m×n}


@few
@given(factored(), st.integers(0, 2**32 - 1))
def test_a_network_is_its_layers_as_maps_of_a_vector(matrices, seed):
    *first, gradient = matrices
    rng = np.random.default_rng(seed)
    n, m = gradient.shape
    others = [(rng.integers(-3, 4, (n, n)), rng.integers(-3, 4, (m, m))) for _ in range(2)]
    g = np.kron(array(first[1]).T, array(first[0])) @ array(gradient).flatten("F")
    for left, right in others:
        g = np.kron(right.T, left) @ np.maximum(g, 0)
    factors = [tuple(first), *((Matrix(left), Matrix(right)) for left, right in others)]
    assert (array(vec(kronecker_network(factors, gradient, relu)))[:, 0] == g).all()


@few
@given(factored())
def test_the_rank_of_the_product_is_the_product_of_the_ranks(matrices):
    left, right, _ = matrices
    assert unfactored(left, right).rank() == left.rank() * right.rank()


@few
@given(factored(), st.data())
def test_kronecker_products_are_recognised(matrices, data):
    left, right, gradient = matrices
    n, m = gradient.shape
    product = unfactored(left, right)
    assert is_kronecker_product(product, m, n)
    # one entry changed by much more than any other is: a product no more, unless a side is 1
    i, j = (data.draw(st.integers(0, n * m - 1)) for _ in range(2))
    changed = product.copy()
    changed[i, j] += 10**6
    blocks = array(changed).reshape(m, n, m, n).transpose(0, 2, 1, 3).reshape(m * m, n * n)
    assert is_kronecker_product(changed, m, n) == (np.linalg.matrix_rank(blocks) <= 1)


def test_which_diagonals_are_kronecker_products():
    rates = Matrix(2, 3, lambda i, j: sympy.Symbol(f"d{i}{j}"))
    assert not is_kronecker_product(sympy.diag(*vec(rates)), 3, 2)
    assert is_kronecker_product(sympy.diag(*vec(rates[:, 0] * rates[0, :])), 3, 2)
    assert is_kronecker_product(sympy.diag(*vec(rates)), 6, 1)
    assert is_kronecker_product(eye(6), 3, 2)
    with pytest.raises(ValueError, match=r"the matrix is 6×6, and m = 2, n = 2 ask for 4×4"):
        is_kronecker_product(eye(6), 2, 2)


@few
@given(factored())
def test_some_gradient_is_not_seen_whatever_the_factors_are(matrices):
    left, right, gradient = matrices
    blind = blind_direction(left, right)
    assert blind.shape == gradient.shape
    assert any(blind)
    assert max(left * blind * right) <= 0


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 2), (100, 1), (7, 7)])
def test_costs_by_counting(m, n):
    """Multiplications of the triple loops, and entries."""
    factored, plain = kronecker_costs(m, n)
    assert factored.memory == np.eye(m).size + np.eye(n).size
    assert plain.memory == plain.multiplications == np.kron(np.eye(m), np.eye(n)).size
    assert factored.multiplications == sum(n for _ in range(n) for _ in range(m)) + sum(
        m for _ in range(n) for _ in range(m)
    )
    assert cholesky_costs(m * n, 2).memory == np.ones((m * n, 2)).size
    assert cholesky_costs(m * n, 2).multiplications == 2 * np.ones((m * n, 2)).size


def test_printed_counts_of_parameters():
    assert factored_parameters(100, 1) == 10_001
    assert factored_parameters(100, 1, layers=2) == 20_002
    assert factored_parameters(784, 5) == 614_681
    assert [factored_parameters(784, 5, layers) for layers in (4, 5)] == [2_458_724, 3_073_405]
    assert factored_parameters(100, 1, layers=2, bias=True) == 20_202
    m, n = sympy.symbols("m n")
    assert factored_parameters(m, n, layers=3) == 3 * (m**2 + n**2)


def test_the_weights_of_a_cnn_and_their_matrices():
    found = cnn_weights(2, hidden=4, classes=5, channels=3, places=9)
    vectors = [(4,)] * 3
    assert [shape for _, shape in found] == [(4, 3, 3, 3), *vectors, (4, 4, 3, 3), *vectors, (5, 36), (5,)]
    assert [weight_matrix(shape) for shape in ((4, 3, 3, 3), (5, 36), (5,))] == [(3, 9), (36, 5), (5, 1)]


@pytest.mark.parametrize(("factor", "more"), [("none", 0), ("one", 3), ("entry", 3 * 4 + 5 * 2 + 7)])
def test_one_meta_optimizer_for_each_weight(factor, more):
    shapes = [(6, 3, 2, 2), (2, 5), (7,)]
    pairs = 2 * (3**2 + 4**2 + 5**2 + 2**2 + 7**2 + 1)
    found = meta_optimizer_parameters(shapes, lambda m, n: factored_parameters(m, n, 2), factor)
    assert found == pairs + more and type(found) is int


@pytest.mark.parametrize("scheme", ["equations", "algorithm"])
def test_steps_of_a_meta_optimizer_by_hand(scheme):
    """ℓ = ½θ², U = ξg: θ₂ = (1 − ξ)θ, ξ' = ξ + αθ₂θ, θ₃ = (1 − ξ')θ₂, in either scheme."""
    theta, xi, alpha = sympy.symbols("theta xi alpha", real=True)
    steps = meta_optimizer_steps(lambda t: t**2 / 2, lambda by, g: by * g, theta, xi, alpha, 2, scheme)
    second = (1 - xi) * theta
    third = (1 - xi - alpha * second * theta) * second
    assert [sympy.expand(step) for step in steps] == [theta, second.expand(), third.expand()]


def test_both_schemes_are_the_same_for_any_loss_and_update():
    theta, xi, alpha = sympy.symbols("theta xi alpha", real=True)
    loss, update = sympy.Function("l"), sympy.Function("U")
    one, other = (
        meta_optimizer_steps(loss, update, theta, xi, alpha, 3, scheme) for scheme in ("equations", "algorithm")
    )
    assert one == other
    fixed = theta - update(xi, loss(theta).diff(theta))
    assert one[1] == fixed
    assert one[2] != fixed - update(xi, loss(theta).diff(theta).subs(theta, fixed))  # ξ has adapted


def test_a_t_net_step_is_preconditioned_by_t_t_transposed():
    shared = Matrix(2, 3, lambda i, j: sympy.Symbol(f"T{i}{j}"))
    weight = Matrix(3, 2, lambda i, j: sympy.Symbol(f"W{i}{j}"))
    alpha = sympy.Symbol("alpha")

    def loss(value):
        return sum(entry**3 / 3 + entry * value[0, 0] for entry in value)

    after, effective, gradient = t_net_step(shared, weight, loss, alpha)
    assert effective == shared * weight
    assert (after - (effective - alpha * shared * shared.T * gradient)).expand() == sympy.zeros(2, 2)
    assert (gradient[1, 1] - effective[1, 1] ** 2 - effective[0, 0]).expand() == 0
