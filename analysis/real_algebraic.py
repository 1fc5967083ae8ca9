"""Real algebraic numbers: isolated exactly, compared exactly, and the sign of a polynomial at one decided exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cmp_to_key

import sympy
from flint import arb, ctx, fmpq, fmpq_poly, fmpz_poly

from .polynomial import exact_rational

__all__ = ["IDENTITY", "RealAlgebraic", "real_roots", "sturm_count"]

IDENTITY = fmpq_poly([0, 1])

_FIRST_PRECISION, _LAST_PRECISION = 128, 1 << 16  # bits; the last is far beyond any separation bound met here


@cache
def _real_enclosures(coefficients: tuple[int, ...], precision: int) -> tuple[arb, ...]:
    """Disjoint enclosures of all real roots of an irreducible integer polynomial, ascending.

    Arb proves each root real or not (a real root's imaginary part is exactly 0) and its enclosures are isolating.
    """
    with ctx.workprec(precision):
        roots = [root.real for root, _ in fmpz_poly(list(coefficients)).complex_roots() if root.imag == 0]
        return tuple(sorted(roots, key=lambda ball: ball.mid()))


@dataclass(frozen=True)
class RealAlgebraic:
    """The real root number `index` (ascending from 0) of an irreducible integer polynomial.

    Args:
        minimal: the polynomial's coefficients, constant term first; primitive, with a positive leading coefficient.
        index: which of its real roots.
    """

    minimal: tuple[int, ...]
    index: int

    @classmethod
    def of(cls, value: object) -> RealAlgebraic:
        """From a rational number or any real algebraic sympy expression.

        Raises:
            ValueError: the value is not a real algebraic number.
        """
        try:
            number = exact_rational(value)
            return cls((-number.numerator, number.denominator), 0)
        except ValueError:
            if not isinstance(value, sympy.Expr):
                raise
        if value.free_symbols or value.is_real is False or value.is_algebraic is False:
            raise ValueError(f"{value} is not a real algebraic number")
        try:
            x = sympy.Symbol("x")
            polynomial = sympy.Poly(sympy.minimal_polynomial(value, x), x)
        except sympy.polys.polyerrors.NotAlgebraic:
            raise ValueError(f"{value} is not a real algebraic number") from None
        minimal = tuple(int(c) for c in reversed(polynomial.all_coeffs()))
        # evaluate to more and more digits until one enclosure alone is near
        digits = 30
        while digits < 2000:
            precision = 8 * digits
            with ctx.workprec(precision):
                target, radius = arb(str(value.evalf(digits))), arb(10) ** (5 - digits)
                balls = _real_enclosures(minimal, precision)
                near = [i for i, ball in enumerate(balls) if abs(ball - target) < radius * (1 + abs(target))]
            if len(near) == 1:
                return cls(minimal, near[0])
            digits *= 2
        raise ValueError(f"{value} could not be isolated among the roots of {polynomial.as_expr()}")

    def enclosure(self, precision: int = _FIRST_PRECISION) -> arb:
        """A ball that contains the number, with about `precision` correct bits."""
        if len(self.minimal) == 2:
            with ctx.workprec(precision):
                return arb(fmpq(-self.minimal[0], self.minimal[1]))
        return _real_enclosures(self.minimal, precision)[self.index]

    @property
    def rational(self) -> Fraction | None:
        """The number as a fraction, or None if it is irrational."""
        return Fraction(-self.minimal[0], self.minimal[1]) if len(self.minimal) == 2 else None

    def __float__(self) -> float:
        return float(self.enclosure())

    def sign_of(self, polynomial: fmpq_poly) -> int:
        """The sign, −1, 0 or 1, of a rational polynomial at this number; exact, never a guess.

        Zero is decided by divisibility by the minimal polynomial, any other sign by refining the enclosure.
        """
        if polynomial == 0 or polynomial % fmpq_poly(list(self.minimal)) == 0:
            return 0
        precision = _FIRST_PRECISION
        while precision <= _LAST_PRECISION:
            with ctx.workprec(precision):
                value = arb(0)
                for coefficient in reversed(polynomial.coeffs()):
                    value = value * self.enclosure(precision) + arb(coefficient)
            if value > 0:
                return 1
            if value < 0:
                return -1
            precision *= 2
        raise ArithmeticError(f"the sign of {polynomial} at {self} needs more than {_LAST_PRECISION} bits")

    def compare(self, other: RealAlgebraic) -> int:
        """−1, 0 or 1 as this number is below, equal to or above the other."""
        if self == other:
            return 0
        precision = _FIRST_PRECISION
        while precision <= _LAST_PRECISION:
            mine, theirs = self.enclosure(precision), other.enclosure(precision)
            if mine < theirs:
                return -1
            if mine > theirs:
                return 1
            precision *= 2
        raise ArithmeticError(f"{self} and {other} need more than {_LAST_PRECISION} bits to tell apart")

    def as_sympy(self) -> sympy.Expr:
        """The number in radicals up to degree 2, else as a sympy `CRootOf`."""
        x = sympy.Symbol("x")
        polynomial = sympy.Poly(list(reversed(self.minimal)), x)
        return sympy.CRootOf(polynomial, self.index, radicals=len(self.minimal) <= 3)


def real_roots(polynomial: fmpq_poly) -> list[tuple[RealAlgebraic, int]]:
    """All real roots with their multiplicities, ascending.

    Raises:
        ValueError: the polynomial is zero, so that every number is a root.
    """
    if polynomial == 0:
        raise ValueError("the zero polynomial has every number for a root")
    roots = []
    for factor, multiplicity in polynomial.factor()[1]:
        integer = factor.numer()
        integer = integer // (integer.content() if integer.leading_coefficient() > 0 else -integer.content())
        coefficients = tuple(int(c) for c in integer.coeffs())
        count = len(_real_enclosures(coefficients, _FIRST_PRECISION))
        roots += [(RealAlgebraic(coefficients, i), multiplicity) for i in range(count)]
    # numbers of different factors differ, so that comparing always ends
    return sorted(roots, key=cmp_to_key(lambda left, right: left[0].compare(right[0])))


def sturm_count(polynomial: fmpq_poly, positive: bool = False) -> int:
    """The number of distinct real (or positive) roots by sympy's Sturm sequences: a second opinion on `real_roots`."""
    x = sympy.Symbol("x")
    poly = sympy.Poly([sympy.Rational(int(c.p), int(c.q)) for c in reversed(polynomial.coeffs())], x)
    return poly.count_roots(0, None) - (1 if poly.eval(0) == 0 else 0) if positive else poly.count_roots()
