"""Update laws of meta-training and meta-testing, and the drift and noise of SGD at a MAML solution (arnold2021, Section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import sympy
from flint import fmpq_mpoly

from . import symbols
from .linear_network import LinearNetwork
from .maml import Maml
from .polynomial import exact_expr

__all__ = [
    "EffectiveUpdate",
    "StepSizeFactor",
    "adaptation_update",
    "effective_update",
    "meta_training_update",
    "one_step_preconditioner",
    "step_size_factor",
    "stochastic_meta_gradient",
]


def adaptation_update(
    network: LinearNetwork, alpha: object = symbols.alpha, adapts: Sequence[str] | None = None
) -> dict[sympy.Symbol, sympy.Expr]:
    """Each adapting weight after one inner step on the task θ: arnold2021, eqs. (14), (18), (19), (38), (39)."""
    maml = Maml(network, alpha=alpha, adapts=adapts)
    after = zip(network.weights, maml.adapted_weights, strict=True)
    return {weight: maml.expr(adapted) for weight, adapted in after if str(weight) in maml.adapts}


def meta_training_update(
    network: LinearNetwork,
    *,
    steps: int = 1,
    alpha: object = symbols.alpha,
    beta: object = symbols.beta,
    adapts: Sequence[str] | None = None,
) -> dict[sympy.Symbol, sympy.Expr]:
    """Each adapting weight after one SGD step of rate β on one task's meta-loss: arnold2021, eqs. (13), (17).

    A weight that does not adapt is held fixed in the outer step too, as Section 4.4 holds a.
    """
    maml = Maml(network, steps=steps, alpha=alpha, adapts=adapts)
    gradients = zip(network.weights, maml.task_gradient, strict=True)
    rate = exact_expr(beta, "beta")
    return {w: w - rate * maml.expr(g) for w, g in gradients if str(w) in maml.adapts}


@dataclass(frozen=True)
class StepSizeFactor:
    """The factor of arnold2021, eq. (17), as a function of the upper weight a.

    Attributes:
        expr: S(a), with the update b ← b − β S(a) (ab − θ).
        derivative: S′(a), factored.
        extrema: (position, value, "minimum" or "maximum") of each local extremum, ascending.
        intervals: (from, to, "increasing" or "decreasing"), ascending, covering the real line.
    """

    expr: sympy.Expr
    derivative: sympy.Expr
    extrema: tuple[tuple[sympy.Expr, sympy.Expr, str], ...]
    intervals: tuple[tuple[sympy.Expr, sympy.Expr, str], ...]


def step_size_factor(network: LinearNetwork | None = None) -> StepSizeFactor:
    """S(a) = 2κs² a (1 − ρa²)² with ρ = 2κα s²: derived from the task gradient, with its monotone intervals and extrema."""
    network = LinearNetwork(2) if network is None else network
    if network.depth != 2:
        raise ValueError(f"the step-size factor is the deep model's, ŷ = a b x; depth is {network.depth} and must be 2")
    maml = Maml(network, adapts=("b",))
    a, b = network.weights
    quotient, rest = divmod(maml.task_gradient[1], maml.ring.poly(a * b - symbols.theta))
    if rest != 0:
        raise ArithmeticError("the task gradient in b is not a multiple of ab − θ")
    expr = sympy.factor(maml.expr(quotient))
    derivative = sympy.factor(expr.diff(a))
    # in A = √ρ a the derivative has rational coefficients, so that its sign is decided exactly between its roots
    rho = network.curvature * symbols.alpha
    scaled = sympy.Symbol("A", real=True)
    shape = sympy.Poly(sympy.simplify(derivative.subs(a, scaled / sympy.sqrt(rho)) / network.curvature), scaled)
    roots = sorted(set(shape.real_roots()))
    ends = [-sympy.oo, *roots, sympy.oo]
    samples = [
        roots[0] - 1,
        *((left + right) / 2 for left, right in pairwise(roots)),
        roots[-1] + 1,
    ]
    signs = [sympy.sign(shape.eval(sample)) for sample in samples]

    def back(position: sympy.Expr) -> sympy.Expr:
        return position if position.is_infinite else position / sympy.sqrt(rho)

    intervals = tuple(
        (back(left), back(right), "increasing" if sign > 0 else "decreasing")
        for left, right, sign in zip(ends, ends[1:], signs, strict=False)
    )
    extrema = tuple(
        (back(root), sympy.simplify(expr.subs(a, back(root))), "maximum" if before > 0 else "minimum")
        for root, before, after in zip(roots, signs, signs[1:], strict=False)
        if before != after
    )
    return StepSizeFactor(expr, derivative, extrema, intervals)


@dataclass(frozen=True)
class EffectiveUpdate:
    """One step of a deep model, seen as a step of the shallow model in the product of its weights: c ← c − α P ∇ℓ_τ(c).

    Attributes:
        preconditioner: P, a function of the deep weights and the task.
        first_order: the part of P that does not contain α: a² + b² at depth 2.
        after: the product after the step.
    """

    preconditioner: sympy.Expr
    first_order: sympy.Expr
    after: sympy.Expr


def effective_update(network: LinearNetwork | None = None, adapts: Sequence[str] | None = None) -> EffectiveUpdate:
    """arnold2021's thesis, "the upper layer acts as a meta-optimizer", as a formula: P = a² + b² − α ab ∂ℓ/∂c.

    With only b adapting (ANIL-style) P = a² exactly. At any depth the part without α is Σᵢ ∏_{j≠i} wⱼ², over the weights i
    that adapt.
    """
    network = LinearNetwork(2) if network is None else network
    maml = Maml(network, adapts=adapts)
    ring = maml.ring
    product = ring.poly(1)
    for weight in maml.adapted_weights:
        product *= weight
    before = ring.poly(sympy.prod(network.weights))
    slope = ring.substitute(ring.poly(network.task_loss_expr).derivative("w"), {"w": before})
    quotient, rest = divmod(before - product, slope * ring.poly(symbols.alpha))
    if rest != 0:
        raise ArithmeticError("the change of ab is not a multiple of α ∂ℓ/∂c")
    preconditioner = ring.expr(quotient)
    return EffectiveUpdate(preconditioner, preconditioner.subs(symbols.alpha, 0), ring.expr(product))


def one_step_preconditioner(network: LinearNetwork | None = None) -> sympy.Expr:
    """The P at which c ← c − αP∇ℓ_τ(c) reaches the optimum c = θ in one step, from every c and on every task: 1/(2κα s²).

    Solved from the shallow model's adapted weight, which must be θ.
    """
    network = LinearNetwork(1) if network is None else network
    p = sympy.Symbol("_P", real=True)  # a user may call a variance P
    maml = Maml(network, preconditioner=[[p]])
    (after,) = (maml.expr(weight) for weight in maml.adapted_weights)
    (solution,) = sympy.solve(sympy.Poly(after - symbols.theta, symbols.theta, *network.weights).coeffs(), p, dict=True)
    return solution[p]


def stochastic_meta_gradient(
    network: LinearNetwork,
    at: Sequence[object],
    *,
    steps: int = 1,
    alpha: object = symbols.alpha,
    query: object | None = None,
) -> tuple[sympy.Matrix, sympy.Matrix]:
    """Mean and covariance of one task's meta-gradient, all weights adapting, at the given weights.

    The task is drawn from p(τ) and adapts on its population loss. The outer loss is the task's population loss (query None:
    the noise is that of drawing tasks) or the average over n sampled points (query n). For a prediction f x with f = f(w, θ)
    the outer gradient of one point is 2κ((f − θ)x − ε) x ∇f, whence

        Cov = Cov_θ[2κs²(f − θ)∇f] + (4κ²/n) E_θ[(2s⁴(f − θ)² + v s²) ∇f∇fᵀ].

    Args:
        network: model and tasks.
        at: one exact number or expression per weight, upper layer first, e.g. `(1/sqrt(alpha), 0)`.
        steps: inner steps.
        alpha: inner learning rate.
        query: None, or the number n of query points (an integer or a symbol).

    Returns:
        mean (L×1) and covariance (L×L), exact.

    Raises:
        ValueError: the wrong number of weights, or a number of query points that is no positive integer.
    """
    maml = Maml(network, steps=steps, alpha=alpha)
    ring, weights = maml.ring, network.weights
    points = None if query is None else exact_expr(query, "query")
    if points is not None and not isinstance(points, sympy.Symbol) and not (points.is_Integer and points > 0):
        raise ValueError(f"the number of query points is {query}; it must be a positive integer")
    if len(at) != len(weights):
        raise ValueError(f"{len(at)} weights were given and depth {network.depth} has {len(weights)}")
    f = ring.poly(1)
    for weight in maml.adapted_weights:
        f *= weight
    s2, v, two_kappa = ring.poly(network.s2), ring.poly(network.v), ring.poly(2 * network.kappa)
    error, slope = f - ring.poly(symbols.theta), ring.gradient(f, weights)
    point = {weight: exact_expr(value, str(weight)) for weight, value in zip(weights, at, strict=True)}

    rational = all(value.is_Rational for value in point.values())

    def expected(polynomial: fmpq_mpoly) -> sympy.Expr:
        mean = network.expectation_over_tasks(ring, polynomial)
        if rational:  # python-flint substitutes numbers much faster than sympy
            return ring.expr(ring.substitute(mean, point))
        return sympy.expand(ring.expr(mean).subs(point, simultaneous=True))

    gradient = [two_kappa * s2 * error * g for g in slope]
    size = len(weights)
    mean = sympy.Matrix([expected(g) for g in gradient])
    covariance = sympy.Matrix(size, size, lambda i, j: expected(gradient[i] * gradient[j])) - mean * mean.T
    if points is not None:
        point_noise = two_kappa**2 * (2 * s2**2 * error**2 + v * s2)
        sampled = sympy.Matrix(size, size, lambda i, j: expected(point_noise * slope[i] * slope[j]))
        covariance += sampled / points
    return mean.applyfunc(sympy.factor), covariance.applyfunc(sympy.factor)
