from fractions import Fraction
from math import isqrt

import pytest
import sympy
from flint import arb, ctx, fmpq, fmpq_poly
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, cbrt, cos, pi, sqrt

from analysis.real_algebraic import RealAlgebraic, real_roots

X = sympy.Symbol("x")
few = settings(max_examples=30)
coefficients = st.lists(st.fractions(-6, 6, max_denominator=4), min_size=2, max_size=4).filter(lambda c: c[-1])


def flint(c):
    return fmpq_poly([fmpq(q.numerator, q.denominator) for q in map(Fraction, c)])


@few
@given(coefficients, coefficients, st.integers(1, 3))
def test_real_roots_are_sympys(first, second, power):
    polynomial = flint(first) ** power * flint(second)
    found = real_roots(polynomial)
    poly = sympy.Poly([Rational(int(c.p), int(c.q)) for c in reversed(polynomial.coeffs())], X)
    wanted = sympy.real_roots(poly, multiple=False)
    assert [m for _, m in found] == [m for _, m in wanted]
    for (root, _), (expr, _) in zip(found, wanted, strict=True):
        assert float(root) == pytest.approx(float(expr.evalf(30)), rel=1e-14, abs=1e-300)
        assert root.sign_of(polynomial) == 0
        assert poly.count_roots(*_around(root)) == 1
        assert float(root.as_sympy()) == pytest.approx(float(root), rel=1e-14, abs=1e-300)


def _around(root):
    """A rational interval about the root, from its enclosure."""
    value = Fraction(float(root))
    width = Fraction(1, 10**12) * (1 + abs(value))
    return sympy.Rational(str(value - width)), sympy.Rational(str(value + width))


def test_polynomials_without_isolated_roots():
    assert real_roots(flint([5])) == []
    assert real_roots(flint([1, 0, 1])) == []
    with pytest.raises(ValueError, match="the zero polynomial has every number for a root"):
        real_roots(fmpq_poly([0]))


@pytest.mark.parametrize(
    ("value", "minimal", "index"),
    [
        ("3/7", (-3, 7), 0),
        (-2, (2, 1), 0),
        (0, (0, 1), 0),
        (sqrt(2), (-2, 0, 1), 1),
        (-sqrt(2) / 3, (-2, 0, 9), 0),
        (cbrt(2), (-2, 0, 0, 1), 0),
        (-cbrt(2), (2, 0, 0, 1), 0),
        (sqrt(2) + sqrt(3), (1, 0, -10, 0, 1), 3),
        (sqrt(3) - sqrt(2), (1, 0, -10, 0, 1), 2),
        (cos(pi / 7), (1, -4, -4, 8), 2),
        (sympy.CRootOf(X**5 - X - 1, 0), (-1, -1, 0, 0, 0, 1), 0),
        (sympy.CRootOf(X**3 - 3 * X + 1, 1), (1, -3, 0, 1), 1),
        # these are rational, though they do not look it
        (sqrt(3 + 2 * sqrt(2)) - sqrt(2), (-1, 1), 0),
        (sqrt(2 + sqrt(3)) - (sqrt(6) + sqrt(2)) / 2, (0, 1), 0),
    ],
)
def test_from_radicals_and_roots(value, minimal, index):
    found = RealAlgebraic.of(value)
    assert (found.minimal, found.index) == (minimal, index)
    assert float(found) == pytest.approx(float(sympy.N(sympy.sympify(value), 30)), rel=1e-14, abs=1e-20)
    assert RealAlgebraic.of(found.as_sympy()) == found
    assert found.rational == (Fraction(-minimal[0], minimal[1]) if len(minimal) == 2 else None)


@pytest.mark.parametrize(
    "bad",
    [
        *(pi, sympy.E, sympy.log(2), sympy.sin(1), sympy.I, sqrt(-2), sqrt(1 - sqrt(2)), (-2) ** Rational(1, 3)),
        *(sympy.CRootOf(X**5 - X - 1, 1), sympy.oo, sympy.nan, sympy.zoo, X, sqrt(2) * X, sympy.EulerGamma),
    ],
)
def test_what_is_no_real_algebraic_number_is_refused(bad):
    with pytest.raises(ValueError, match="is not a real algebraic number"):
        RealAlgebraic.of(bad)


@pytest.mark.parametrize("bad", ["sqrt(2)", None, float("nan"), "1/0"])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="is not a rational number"):
        RealAlgebraic.of(bad)


def test_signs_are_exact_where_floats_cannot_tell():
    root = RealAlgebraic.of(sqrt(2))
    tiny = fmpq(1, 10**400)
    assert root.sign_of(fmpq_poly([fmpq(-2), 0, 1])) == 0
    assert root.sign_of(fmpq_poly([fmpq(-2) + tiny, 0, 1])) == 1
    assert root.sign_of(fmpq_poly([fmpq(-2) - tiny, 0, 1])) == -1
    assert root.sign_of(fmpq_poly([fmpq(-2), 0, 1]) * fmpq_poly([1, 7, 5])) == 0
    assert root.sign_of(fmpq_poly([0])) == 0 and root.sign_of(fmpq_poly([-3])) == -1
    rational = RealAlgebraic.of("1/3")
    assert [rational.sign_of(fmpq_poly([fmpq(-1, 3) + d, 1])) for d in (-tiny, fmpq(0), tiny)] == [-1, 0, 1]


@few
@given(st.integers(2, 30), coefficients)
def test_sign_at_a_square_root(n, c):
    """p(√n) = r + s√n: compare r² with n s²."""
    r = sum(q * n ** (k // 2) for k, q in enumerate(c) if k % 2 == 0)
    s = sum(q * n ** (k // 2) for k, q in enumerate(c) if k % 2 == 1)
    if r * s >= 0:
        wanted = (r + s > 0) - (r + s < 0)
    else:
        wanted = ((r * r > n * s * s) - (r * r < n * s * s)) * (1 if r > 0 else -1)
    assert RealAlgebraic.of(sqrt(n)).sign_of(flint(c)) == wanted


def test_comparison():
    values = [-sqrt(3), -sqrt(2), 0, "1414213562373095/1000000000000000", sqrt(2), "1414213562373096/1000000000000000"]
    values += [sympy.CRootOf(X**3 - X - 2, 0), sqrt(3)]
    numbers = [RealAlgebraic.of(value) for value in values]
    for i, left in enumerate(numbers):
        assert [left.compare(right) for right in numbers] == [(i > j) - (i < j) for j in range(len(numbers))]
    assert RealAlgebraic.of(sqrt(8)).compare(RealAlgebraic.of(2 * sqrt(2))) == 0
    # closer to √2 than any double
    near = Fraction(isqrt(2 * 10**600), 10**300)
    assert RealAlgebraic.of(near).compare(RealAlgebraic.of(sqrt(2))) == -1


def test_enclosures_hold_the_number_at_any_precision():
    root = RealAlgebraic.of(sqrt(2))
    for precision in (64, 300, 2000):
        with ctx.workprec(precision + 100):
            ball = root.enclosure(precision)
            assert ball * ball - arb(2) == 0 or (ball * ball).contains(arb(2))
            assert ball.rad() < arb(2) ** (5 - precision)
