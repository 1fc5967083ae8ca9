"""ŷ = wᵀx against ŷ = aᵀBx: the added layer as a preconditioner of the effective weight (arnold2021, Section 4.5)."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from . import symbols
from .polynomial import Ring

__all__ = ["EffectiveStep", "changes_direction", "effective_step", "preconditioner", "prove_for_every_size"]


def preconditioner(a: sympy.Matrix, b: sympy.Matrix, adapts: tuple[str, ...] = ("a", "B")) -> sympy.Matrix:
    """The d×d matrix that multiplies the gradient in w = Bᵀa to first order in α: ‖a‖² I (from B) plus BᵀB (from a).

    Args:
        a: upper layer, m×1.
        b: lower layer B, m×d.
        adapts: which of "a" and "B" take the inner step.

    Raises:
        ValueError: `adapts` names something else.
    """
    if unknown := set(adapts) - {"a", "B"}:
        raise ValueError(f"adapts names {', '.join(map(repr, sorted(unknown)))}; the layers are 'a' and 'B'")
    size = b.cols
    from_b = (a.T * a)[0] * sympy.eye(size) if "B" in adapts else sympy.zeros(size)
    from_a = b.T * b if "a" in adapts else sympy.zeros(size)
    return from_b + from_a


@dataclass(frozen=True)
class EffectiveStep:
    """One inner step of ŷ = aᵀBx on ℓ_τ = ½(w − θ)ᵀΣ(w − θ) + const, in terms of w = Bᵀa, with symbolic entries.

    w ← w − αPg + α²(wᵀg)g, where g = ∇ℓ_τ(w).

    Attributes:
        a: m×1 symbols.
        b: m×d symbols.
        gradient: g as polynomials in the entries.
        preconditioner: P = ‖a‖² I + BᵀB.
        second_order: (wᵀg) g, which multiplies α².
        residual: the exact change of w by differentiation, minus the formula; zero by computation, or the proof failed.
    """

    a: sympy.Matrix
    b: sympy.Matrix
    gradient: sympy.Matrix
    preconditioner: sympy.Matrix
    second_order: sympy.Matrix
    residual: sympy.Matrix


def effective_step(hidden: int, inputs: int) -> EffectiveStep:
    """Derive the change of w by differentiating the loss in every entry of a (m×1) and B (m×d), and compare.

    Args:
        hidden: m, the width of the added layer.
        inputs: d, the number of inputs.
    """
    a = sympy.Matrix(hidden, 1, lambda i, _: sympy.Symbol(f"a{i}", real=True))
    b = sympy.Matrix(hidden, inputs, lambda i, j: sympy.Symbol(f"B{i}{j}", real=True))
    theta = sympy.Matrix(inputs, 1, lambda i, _: sympy.Symbol(f"theta{i}", real=True))
    sigma = sympy.Matrix(inputs, inputs, lambda i, j: sympy.Symbol(f"Sigma{min(i, j)}{max(i, j)}", real=True))
    ring = Ring([*a, *b, *theta, *sigma, symbols.alpha])
    alpha = ring.poly(symbols.alpha)
    w = b.T * a
    loss = ring.poly(sympy.expand(((w - theta).T * sigma * (w - theta))[0] / 2))
    a_after = [ring.gen(s) - alpha * loss.derivative(str(s)) for s in a]
    b_after = [
        [ring.gen(b[i, j]) - alpha * loss.derivative(str(b[i, j])) for j in range(inputs)] for i in range(hidden)
    ]
    gradient = (sigma * (w - theta)).applyfunc(sympy.expand)
    matrix = preconditioner(a, b)
    second = (w.T * gradient)[0] * gradient
    formula = w - symbols.alpha * matrix * gradient + symbols.alpha**2 * second
    residual = sympy.Matrix(
        [
            ring.expr(
                sum((b_after[i][j] * a_after[i] for i in range(hidden)), ring.poly(0))
                - ring.poly(sympy.expand(formula[j]))
            )
            for j in range(inputs)
        ]
    )
    return EffectiveStep(a, b, gradient, matrix, second, residual)


def prove_for_every_size() -> bool:
    """Whether (B − αagᵀ)ᵀ(a − αBg) = w − αPg + α²(wᵀg)g holds in matrix algebra, with m and d left open.

    For any differentiable ℓ(w) the chain rule through w = Bᵀa gives ∂ℓ/∂a = Bg and ∂ℓ/∂B = agᵀ.
    """
    m, d = sympy.symbols("m d", positive=True, integer=True)
    a, b, g = sympy.MatrixSymbol("a", m, 1), sympy.MatrixSymbol("B", m, d), sympy.MatrixSymbol("g", d, 1)
    alpha = symbols.alpha
    after = ((b - alpha * a * g.T).T * (a - alpha * b * g)).expand()
    # ‖a‖² and wᵀg are 1×1 matrices here: g aᵀa = ‖a‖² g, and g aᵀB g = (wᵀg) g
    formula = b.T * a - alpha * (g * a.T * a + b.T * b * g) + alpha**2 * g * a.T * b * g
    return (after - formula.expand()).doit() == sympy.ZeroMatrix(d, 1)


def changes_direction(a: sympy.Matrix, b: sympy.Matrix, g: sympy.Matrix, adapts: tuple[str, ...] = ("a", "B")) -> bool:
    """Whether the deep step moves w in another direction than the shallow one, −g, at these exact values.

    The second-order term is a multiple of g, so this is so just where Pg is no multiple of g: where g is no eigenvector of
    BᵀB. Never when only B adapts, nor with one input, nor when BᵀB is a multiple of the identity.
    """
    return sympy.Matrix.hstack(preconditioner(a, b, adapts) * g, g).rank() == 2
