"""What several claims about meta-optimizers derive from: matrices of symbols and of rational numbers."""

from __future__ import annotations

import sympy
from sympy import Expr, Matrix, Rational, Symbol, eye

__all__ = ["GENERIC", "REGULAR_AND_SINGULAR", "factors_at_identity", "gap", "of_rank", "symbols_matrix"]


def symbols_matrix(name: str, rows: int, columns: int = 1) -> Matrix:
    """A matrix of real symbols, named by row and column."""
    return Matrix(rows, columns, lambda i, j: Symbol(f"{name}{i}{j}", real=True))


def factors_at_identity(layers: int, m: int, n: int) -> list[tuple[Matrix, Matrix]]:
    """L_i = I_n and R_i = I_m: where the parameters of a meta-optimizer start (arnold2019, A.1)."""
    return [(eye(n), eye(m))] * layers


def of_rank(rank: int, size: int) -> Matrix:
    """A rational size×size matrix of the given rank, neither symmetric nor diagonal."""
    columns = Matrix(size, rank, lambda i, j: Rational(1, i + j + 1))
    return columns * Matrix(rank, size, lambda i, j: (j + 2) ** i)


GENERIC = (  # layers (L, R) for gradients of size 2×3; all regular
    (Matrix([[1, 2], [-1, 1]]), Matrix([[1, 0, 2], [-1, 1, 0], [0, 3, 1]])),
    (Matrix([[2, -1], [1, 3]]), Matrix([[0, 1, 1], [2, -1, 0], [1, 0, 1]])),
    (Matrix([[1, 1], [0, -2]]), Matrix([[1, -1, 0], [0, 2, 1], [1, 0, -1]])),
)
REGULAR_AND_SINGULAR = (  # first layers of every kind, for gradients of the same size
    *factors_at_identity(1, 3, 2),
    GENERIC[0],
    (of_rank(1, 2), eye(3)),
    (eye(2), of_rank(2, 3)),
)


def gap(one: Matrix, other: Matrix, point: dict[Symbol, Expr]) -> tuple[bool, Matrix, Matrix]:
    """Whether two matrices of expressions are the same; and what each is at a point."""
    same = all(sympy.expand(a - b) == 0 for a, b in zip(one, other, strict=True))
    return same, one.subs(point), other.subs(point)
