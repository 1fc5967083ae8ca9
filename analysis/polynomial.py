"""Exact multivariate polynomials over the rationals: sympy at the door, python-flint inside.

Everything this project derives for linear networks is a polynomial with rational coefficients. sympy is the language in
which people write and read them; python-flint multiplies them some hundred times faster. A `Ring` is the bridge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Integral

import sympy
from flint import Ordering, fmpq, fmpq_mpoly, fmpq_mpoly_ctx
from sympy.polys.polyerrors import BasePolynomialError

__all__ = ["Ring", "exact_expr", "exact_rational"]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?|[+-]?\d+/\d+", re.IGNORECASE | re.ASCII)


def exact_rational(value: object) -> Fraction:
    """Read a number exactly: `"0.1"` is 1/10, and so is the float 0.1 (its shortest decimal is what was meant).

    Accepts int, Fraction, Decimal, float, sympy and flint rationals, and strings such as `"7/10"`, `"-0.3"`, `"1e-2"`.

    Raises:
        ValueError: the text or value is not a finite rational number.
    """
    if isinstance(value, fmpq):
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, sympy.Rational):
        return Fraction(int(value.p), int(value.q))
    if isinstance(value, Integral | Fraction) and not isinstance(value, bool):
        return Fraction(int(value)) if isinstance(value, Integral) else value
    if isinstance(value, Decimal) and value.is_finite():
        return Fraction(value)
    text = float.__repr__(value) if isinstance(value, float) else str(value).strip()  # numpy's floats are floats
    if isinstance(value, str | float | sympy.Float) and _NUMBER.fullmatch(text) and not re.search(r"/0+$", text):
        return Fraction(text)
    raise ValueError(f"{text!r} is not a rational number; write it like 1/10, 0.1, -3 or 1e-2")


def exact_expr(value: object, what: str) -> sympy.Expr:
    """A sympy expression as it is, and any number exactly, as a sympy rational.

    Raises:
        ValueError: the value is neither; `what` it should have been is named.
    """
    if isinstance(value, sympy.Expr) and not value.is_Number:
        return value
    try:
        number = exact_rational(value)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    return sympy.Rational(number.numerator, number.denominator)


class Ring:
    """The polynomials with rational coefficients in some sympy symbols, held as python-flint `fmpq_mpoly`.

    Arithmetic, comparison and `.derivative(name)` are python-flint's own; the ring converts to and from sympy, substitutes
    and evaluates.
    """

    def __init__(self, symbols: Sequence[sympy.Symbol]):
        self.symbols = tuple(dict.fromkeys(symbols))
        self.names = tuple(symbol.name for symbol in self.symbols)
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"two different symbols share a name among {self.names}; rename one of them")
        # python-flint takes plain names alone; one name always becomes the same other, so that rings can exchange polynomials
        inner = ["".join(c if c.isascii() else f"_u{ord(c):x}_" for c in name) for name in self.names]
        self._inner = dict(zip(self.names, inner, strict=True))
        self.context = fmpq_mpoly_ctx.get(inner, Ordering.lex)
        self._generators = dict(zip(self.names, self.context.gens(), strict=True))

    def __repr__(self) -> str:
        return f"Ring({', '.join(self.names)})"

    def gen(self, symbol: sympy.Symbol | str) -> fmpq_mpoly:
        """The polynomial that is just this symbol."""
        return self._generators[str(symbol)]

    def poly(self, value: object) -> fmpq_mpoly:
        """Take a number, a sympy expression or a polynomial of a ring in fewer symbols into this ring.

        Raises:
            ValueError: the value is no polynomial with rational coefficients in this ring's symbols.
        """
        if isinstance(value, fmpq_mpoly):
            if value.context() == self.context:
                return value
            foreign = [n for n, degree in zip(value.context().names(), value.degrees(), strict=True) if degree > 0]
            foreign = [name for name in foreign if name not in self._inner.values()]
            if foreign:  # python-flint would drop them without a word
                raise ValueError(f"{value} contains {', '.join(foreign)}, which {self} does not hold")
            return value.project_to_context(self.context)
        if isinstance(value, sympy.Symbol) and value in self.symbols:
            return self.gen(value)
        if isinstance(value, sympy.Expr) and not value.is_Number:
            try:
                terms = sympy.Poly(value, *self.symbols, domain="QQ").terms()
            except BasePolynomialError as error:
                raise ValueError(
                    f"{value} is not a polynomial in {', '.join(self.names)} with rational coefficients"
                ) from error
            return self.context.from_dict({powers: fmpq(int(c.p), int(c.q)) for powers, c in terms if c})
        number = exact_rational(value)
        return self.context.constant(fmpq(number.numerator, number.denominator))

    def expr(self, polynomial: fmpq_mpoly) -> sympy.Expr:
        """The same polynomial as an expanded sympy expression."""
        terms = {
            tuple(map(int, powers)): sympy.Rational(int(c.p), int(c.q)) for powers, c in polynomial.to_dict().items()
        }
        return sympy.Poly.from_dict(terms, *self.symbols, domain="QQ").as_expr() if terms else sympy.S.Zero

    def substitute(self, polynomial: fmpq_mpoly, values: Mapping[sympy.Symbol | str, object]) -> fmpq_mpoly:
        """Replace symbols by numbers, expressions or polynomials, all at once.

        Raises:
            ValueError: a symbol is none of this ring's, or a value is no polynomial of this ring.
        """
        foreign = [str(symbol) for symbol in values if str(symbol) not in self.names]
        if foreign:
            raise ValueError(
                f"{', '.join(foreign)} is no symbol of this polynomial; its symbols are {', '.join(self.names)}"
            )
        replaced = {str(symbol): self.poly(value) for symbol, value in values.items()}
        if all(value.is_constant() for value in replaced.values()):  # python-flint's own path for numbers is faster
            numbers = {
                self._inner[name]: value.leading_coefficient() if value != 0 else fmpq(0)
                for name, value in replaced.items()
            }
            return polynomial.subs(numbers)
        return polynomial.compose(*(replaced.get(name, generator) for name, generator in self._generators.items()))

    def evaluate(self, polynomial: fmpq_mpoly, point: Mapping[sympy.Symbol | str, object]) -> Fraction:
        """The exact value at a rational point.

        Raises:
            ValueError: a symbol on which the polynomial depends has no value at this point.
        """
        rest = self.substitute(polynomial, point)
        if not rest.is_constant():
            missing = [name for name, degree in zip(self.names, rest.degrees(), strict=True) if degree > 0]
            raise ValueError(f"no value was given for {', '.join(missing)}")
        return exact_rational(rest.leading_coefficient()) if rest != 0 else Fraction(0)

    def gradient(self, polynomial: fmpq_mpoly, symbols: Sequence[sympy.Symbol]) -> list[fmpq_mpoly]:
        """First derivatives with respect to the given symbols, in their order."""
        return [polynomial.derivative(self._inner[str(symbol)]) for symbol in symbols]

    def hessian(self, polynomial: fmpq_mpoly, symbols: Sequence[sympy.Symbol]) -> list[list[fmpq_mpoly]]:
        """Second derivatives with respect to the given symbols, as nested lists."""
        return [self.gradient(first, symbols) for first in self.gradient(polynomial, symbols)]
