"""What several claims of arnold2021 derive from: the models of Section 4.1 with the ½ of eq. (30), and their MAML."""

from __future__ import annotations

import sympy

from analysis import LinearNetwork, Maml
from analysis.gaussian import expectation_expr
from analysis.symbols import alpha, beta, theta, weight_symbols

__all__ = [
    "A_MAML",
    "DEEP",
    "HALF",
    "SHALLOW",
    "a",
    "alpha",
    "b",
    "beta",
    "c",
    "expected_over_tasks",
    "mean_square",
    "shallow",
    "deep",
    "theta",
]

(c,) = weight_symbols(1)
a, b = weight_symbols(2)
HALF = sympy.Rational(1, 2)
A_MAML = 1 / sympy.sqrt(alpha)  # the upper weight of the MAML solution (1/√α, 0)

SHALLOW, DEEP = LinearNetwork(1), LinearNetwork(2)
shallow, deep = Maml(SHALLOW), Maml(DEEP)


def mean_square(prediction: sympy.Expr) -> sympy.Expr:
    """E over x and y ~ N(θx, 1) of (y − prediction·x)², from the distribution itself."""
    x, noise = sympy.symbols("x noise", real=True)
    return expectation_expr((theta * x + noise - prediction * x) ** 2, {x: 0, noise: 0}, {(x, x): 1, (noise, noise): 1})


def expected_over_tasks(expr: sympy.Expr) -> sympy.Expr:
    """E over θ ~ N(0, 1)."""
    return expectation_expr(expr, {theta: 0}, {(theta, theta): 1})
