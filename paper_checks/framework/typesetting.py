"""Formulas as MathML and LaTeX, and a claim's statement as inline HTML."""

from __future__ import annotations

from collections.abc import Iterable

import sympy
from markupsafe import Markup, escape
from sympy.printing.mathml import mathml as _sympy_mathml

__all__ = ["latex", "mathml", "statement"]


def _components(formula: sympy.Basic | Iterable[sympy.Basic]) -> tuple[sympy.Basic, ...]:
    return (formula,) if isinstance(formula, sympy.Basic) else tuple(formula)


def mathml(formula: sympy.Basic | Iterable[sympy.Basic]) -> Markup:
    """Presentation MathML of an expression, or of several as a list."""
    return Markup(
        "".join(
            f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{_sympy_mathml(part, "presentation")}</math>'
            for part in _components(formula)
        )
    )


def latex(formula: sympy.Basic | Iterable[sympy.Basic]) -> str:
    """LaTeX source of an expression, or of several as a list."""
    return ", ".join(map(sympy.latex, _components(formula)))


def statement(text: str) -> Markup:
    """A claim's statement as inline HTML."""
    return escape(text)
