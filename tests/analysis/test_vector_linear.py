import numpy as np
import pytest
import sympy
from sympy import Matrix, eye, sqrt

from analysis.vector_linear import changes_direction, effective_step, preconditioner, prove_for_every_size


@pytest.mark.parametrize(("hidden", "inputs"), [(1, 1), (1, 3), (3, 1), (2, 2), (3, 2), (2, 3)])
def test_the_formula_holds_entry_by_entry(hidden, inputs):
    step = effective_step(hidden, inputs)
    assert step.residual == sympy.zeros(inputs, 1)
    assert step.preconditioner.shape == (inputs, inputs)
    assert step.a.shape == (hidden, 1) and step.b.shape == (hidden, inputs)


def test_the_formula_against_a_step_in_numbers():
    """Real gradient steps by central differences: no formula for the gradient is shared."""
    rng = np.random.default_rng(5)
    m, d, alpha = 3, 2, 0.2
    a, b, theta = rng.normal(size=m), rng.normal(size=(m, d)), rng.normal(size=d)
    root = rng.normal(size=(d, d))
    sigma = root @ root.T + np.eye(d)

    def loss(flat):
        w = flat[m:].reshape(m, d).T @ flat[:m]
        return (w - theta) @ sigma @ (w - theta) / 2

    flat, h = np.concatenate([a, b.ravel()]), 1e-5
    units = np.eye(len(flat))
    slope = np.array([(loss(flat + h * u) - loss(flat - h * u)) / (2 * h) for u in units])
    after = flat - alpha * slope
    w_after = after[m:].reshape(m, d).T @ after[:m]

    step = effective_step(m, d)
    names = [*step.a, *step.b, *sympy.symbols(f"theta0:{d}", real=True)]
    values = dict(zip(names, [*a, *b.ravel(), *theta], strict=True))
    for i in range(d):
        for j in range(i, d):
            values[sympy.Symbol(f"Sigma{i}{j}", real=True)] = sigma[i, j]
    g, p, second = (
        np.array(part.subs(values), float) for part in (step.gradient, step.preconditioner, step.second_order)
    )
    w = b.T @ a
    np.testing.assert_allclose(w - alpha * (p @ g)[:, 0] + alpha**2 * second[:, 0], w_after, rtol=1e-7)
    # the first-order part alone is not enough, so the check can fail
    assert np.abs(w - alpha * (p @ g)[:, 0] - w_after).max() > 1e-3


def test_the_formula_holds_for_every_size():
    assert prove_for_every_size() is True


def test_preconditioner_by_what_adapts():
    a, b = Matrix([1, 2]), Matrix([[1, 0, 2], [3, 1, 1]])
    assert preconditioner(a, b) == 5 * eye(3) + b.T * b
    assert preconditioner(a, b, ("B",)) == 5 * eye(3)
    assert preconditioner(a, b, ("a",)) == b.T * b


GENERIC = Matrix([[1, 2], [3, 4]])
ROTATED = Matrix([[sqrt(3), -1], [1, sqrt(3)]])  # BᵀB = 4 I


@pytest.mark.parametrize(
    ("b", "g", "adapts", "changes"),
    [
        (GENERIC, [1, 1], ("a", "B"), True),
        (GENERIC, [1, 1], ("a",), True),
        (GENERIC, [1, 1], ("B",), False),  # ‖a‖² I alone
        (3 * eye(2), [1, 2], ("a", "B"), False),
        (ROTATED, [1, 2], ("a", "B"), False),
        (Matrix([[2, 0], [0, 1]]), [1, 0], ("a", "B"), False),  # an eigenvector
        (Matrix([[2, 0], [0, 1]]), [0, 5], ("a", "B"), False),
        (Matrix([[2, 0], [0, 1]]), [1, 1], ("a", "B"), True),
        (Matrix([[2, 0], [0, -2]]), [1, 1], ("a", "B"), False),
        (Matrix([[3], [4]]), [7], ("a", "B"), False),  # one input
        (GENERIC, [0, 0], ("a", "B"), False),  # nothing to turn
        (sympy.zeros(2, 2), [1, 1], ("a", "B"), False),  # B is 0
    ],
)
def test_when_the_direction_changes(b, g, adapts, changes):
    assert changes_direction(Matrix([1, -2]), b, Matrix(g), adapts) is changes


def test_an_irrational_eigenvector_is_recognised():
    b = Matrix([[1, 1], [0, 1]])  # BᵀB has eigenvectors (1, (1 ± √5)/2)
    assert not changes_direction(Matrix([1, 1]), b, Matrix([1, (1 + sqrt(5)) / 2]))
    assert changes_direction(Matrix([1, 1]), b, Matrix([1, sympy.Rational(1618, 1000)]))
