from decimal import Decimal
from fractions import Fraction

import pytest
import sympy
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational

from analysis.polynomial import Ring, exact_rational

X, Y, Z = sympy.symbols("x y z", real=True)
RING = Ring([X, Y, Z])
few = settings(max_examples=40)
rationals = st.fractions(-9, 9, max_denominator=12)
powers = st.tuples(*[st.integers(0, 4)] * 3)
polynomials = st.dictionaries(powers, rationals, max_size=6)


def as_sympy(terms):
    return sympy.Add(*(Rational(c.numerator, c.denominator) * X**i * Y**j * Z**k for (i, j, k), c in terms.items()))


def by_hand(terms, point):
    return sum((c * point[0] ** i * point[1] ** j * point[2] ** k for (i, j, k), c in terms.items()), Fraction(0))


@pytest.mark.parametrize(
    ("given_value", "meant"),
    [
        ("0.1", Fraction(1, 10)),
        (0.1, Fraction(1, 10)),
        (1e-7, Fraction(1, 10**7)),
        (1e22, Fraction(10**22)),
        ("7/10", Fraction(7, 10)),
        (" -0.30 ", Fraction(-3, 10)),
        ("+.5", Fraction(1, 2)),
        ("1e-2", Fraction(1, 100)),
        ("2.5E3", Fraction(2500)),
        ("-6/4", Fraction(-3, 2)),
        (3, Fraction(3)),
        (Fraction(2, 6), Fraction(1, 3)),
        (Decimal("0.125"), Fraction(1, 8)),
        (Rational(-5, 7), Fraction(-5, 7)),
        (sympy.Integer(4), Fraction(4)),
        (sympy.Float("0.1"), Fraction(1, 10)),
        (fmpq(3, -9), Fraction(-1, 3)),
    ],
)
def test_a_number_is_read_exactly(given_value, meant):
    read = exact_rational(given_value)
    assert isinstance(read, Fraction) and read == meant


@pytest.mark.parametrize(
    "bad",
    [
        *("", "x", "1/0", "1/00", "1/-2", "1/2.5", "1 /2", "1_000", "0x10", "nan", "inf", "1,5", "1e99999", "--1"),
        *(None, [], 1j, b"1", float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity")),
        *(sympy.nan, sympy.oo, sympy.zoo, sympy.pi, sympy.sqrt(2), sympy.Symbol("q")),
    ],
)
def test_what_is_no_rational_number_is_refused_in_a_sentence(bad):
    with pytest.raises(ValueError, match=r"is not a rational number; write it like 1/10"):
        exact_rational(bad)


@few
@given(rationals)
def test_text_and_back(number):
    assert exact_rational(str(number)) == exact_rational(f" {number} ") == number
    assert exact_rational(float(number)) == Fraction(repr(float(number)))


@few
@given(polynomials)
def test_sympy_and_back(terms):
    expr = as_sympy(terms)
    polynomial = RING.poly(expr)
    assert sympy.expand(RING.expr(polynomial) - expr) == 0
    assert RING.poly(RING.expr(polynomial)) == polynomial
    found = {tuple(map(int, p)): Fraction(int(c.p), int(c.q)) for p, c in polynomial.to_dict().items()}
    assert found == {p: c for p, c in terms.items() if c}


@few
@given(polynomials, polynomials, st.tuples(rationals, rationals, rationals))
def test_arithmetic_and_evaluation(first, second, point):
    p, q = RING.poly(as_sympy(first)), RING.poly(as_sympy(second))
    at = dict(zip((X, Y, Z), point, strict=True))
    value, other = by_hand(first, point), by_hand(second, point)
    assert RING.evaluate(p, at) == value
    assert RING.evaluate(p * q - 2 * p, at) == value * other - 2 * value
    assert RING.evaluate(p, {"x": point[0], "y": str(point[1]), Z: point[2]}) == value


@few
@given(polynomials)
def test_derivatives_are_sympys(terms):
    expr = as_sympy(terms)
    p = RING.poly(expr)
    assert [RING.expr(g) for g in RING.gradient(p, [Z, X])] == [sympy.expand(expr.diff(s)) for s in (Z, X)]
    hessian = RING.hessian(p, [X, Y])
    wanted = [[sympy.expand(expr.diff(s, t)) for t in (X, Y)] for s in (X, Y)]
    assert [[RING.expr(entry) for entry in row] for row in hessian] == wanted


@few
@given(polynomials, polynomials, polynomials)
def test_substitution_is_simultaneous(outer, first, second):
    outer = {p: c for p, c in outer.items() if sum(p) <= 4}
    expr, f, g = as_sympy(outer), as_sympy(first), as_sympy(second)
    wanted = sympy.expand(expr.subs({X: f, Y: g}, simultaneous=True))
    assert sympy.expand(RING.expr(RING.substitute(RING.poly(expr), {X: f, "y": RING.poly(g)})) - wanted) == 0


def test_symbols_can_be_exchanged_and_mixed_with_numbers():
    p = RING.poly(X**2 - 2 * Y + Z)
    assert RING.expr(RING.substitute(p, {X: Y, Y: X})) == Y**2 - 2 * X + Z
    assert RING.expr(RING.substitute(p, {X: Y, Y: "1/2"})) == Y**2 - 1 + Z
    assert RING.expr(RING.substitute(p, {X: 0, Y: 0})) == Z
    assert RING.substitute(p, {X: 0, Y: 0, Z: 0}) == 0
    assert RING.expr(RING.poly(0)) == 0


def test_a_polynomial_of_a_smaller_ring_is_taken_in():
    small = Ring([Y, X])
    assert RING.expr(RING.poly(small.poly(X - 3 * Y**2))) == X - 3 * Y**2


@pytest.mark.parametrize("bad", [1 / X, sympy.sin(X), sympy.sqrt(X), "x", None])
def test_what_is_no_polynomial_is_refused(bad):
    with pytest.raises(ValueError, match="is not a"):
        RING.poly(bad)


def test_a_missing_value_is_named():
    with pytest.raises(ValueError, match="no value was given for y, z"):
        RING.evaluate(RING.poly(X * Y + Z), {X: 1})
    assert RING.evaluate(RING.poly(X * Y + Z), {X: 1, Y: 2, Z: 3}) == 5
    assert RING.evaluate(RING.poly(X * Y), {X: 0}) == 0


def test_two_symbols_of_one_name_are_refused():
    with pytest.raises(ValueError, match="share a name"):
        Ring([X, sympy.Symbol("x", positive=True)])
    assert Ring([X, Y, X]).names == ("x", "y")


@pytest.mark.parametrize("bad", [sympy.pi, sympy.sqrt(2) * X, sympy.Symbol("q"), sympy.Symbol("x") + 1])
def test_irrational_coefficients_and_foreign_symbols_are_refused(bad):
    with pytest.raises(ValueError, match="is not a polynomial in x, y, z with rational coefficients"):
        RING.poly(bad)


def test_a_polynomial_in_a_foreign_symbol_is_refused():
    with pytest.raises(ValueError):
        RING.poly(Ring([X, sympy.Symbol("q")]).gen("q"))


def test_rings_do_not_take_one_letter_beyond_ascii_for_another():
    tau, sigma = sympy.symbols("τ σ", real=True)
    one, other = Ring([tau]), Ring([sigma])
    with pytest.raises(ValueError, match="does not hold"):
        other.poly(one.gen(tau))
    both = Ring([sigma, tau])
    assert both.expr(both.poly(one.gen(tau)) * both.poly(other.gen(sigma)) ** 2) == sigma**2 * tau
