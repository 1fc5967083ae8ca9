from fractions import Fraction
from itertools import combinations_with_replacement, product
from math import comb, prod

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.gaussian import expectation, expectation_expr
from analysis.polynomial import Ring

NAMES = sympy.symbols("x y z", real=True)
X, Y, Z = NAMES
M, S = sympy.symbols("m s", real=True)
few = settings(max_examples=25)
rationals = st.fractions(-3, 3, max_denominator=5)
powers = st.tuples(*[st.integers(0, 3)] * 3)
polynomials = st.dictionaries(powers, rationals, min_size=1, max_size=5)
factors = st.lists(st.lists(rationals, min_size=3, max_size=3), min_size=3, max_size=3)


def build(terms):
    return sympy.Add(
        *(sympy.Rational(str(c)) * prod(s**k for s, k in zip(NAMES, p, strict=True)) for p, c in terms.items())
    )


def covariance_of(factor):
    """C = FFᵀ: any correlation, and singular ones too."""
    entry = {
        (i, j): sum(factor[i][k] * factor[j][k] for k in range(3))
        for i, j in combinations_with_replacement(range(3), 2)
    }
    return {(NAMES[i], NAMES[j]): sympy.Rational(str(value)) for (i, j), value in entry.items()}


def test_moments_of_one_variable():
    moments = [expectation_expr(X**k, {X: M}, {(X, X): S}) for k in range(7)]
    known = [1, M, M**2 + S, M**3 + 3 * M * S, M**4 + 6 * M**2 * S + 3 * S**2]
    assert moments[:5] == list(map(sympy.expand, known))
    central = [expectation_expr((X - M) ** k, {X: M}, {(X, X): S}) for k in (5, 6, 7, 8)]
    assert central == [0, 15 * S**3, 0, 105 * S**4]


def test_isserlis():
    names = sympy.symbols("g0:4", real=True)
    c = {(i, j): sympy.Symbol(f"c{i}{j}", real=True) for i, j in combinations_with_replacement(range(4), 2)}
    covariance = {(names[i], names[j]): value for (i, j), value in c.items()}
    zero = dict.fromkeys(names, 0)
    found = expectation_expr(sympy.prod(names), zero, covariance)
    assert sympy.expand(found - (c[0, 1] * c[2, 3] + c[0, 2] * c[1, 3] + c[0, 3] * c[1, 2])) == 0
    found = expectation_expr(names[0] ** 2 * names[1] ** 2, zero, covariance)
    assert sympy.expand(found - (c[0, 0] * c[1, 1] + 2 * c[0, 1] ** 2)) == 0
    assert expectation_expr(names[0] * names[1] * names[2], zero, covariance) == 0


def test_a_pair_stands_in_either_order_and_counts_once():
    for pair in ((X, Y), (Y, X)):
        assert expectation_expr(X * Y, {X: M, Y: 2}, {(X, X): 5, (Y, Y): 7, pair: S}) == 2 * M + S


def test_what_is_not_gaussian_stays():
    ring = Ring([X, Y, M, S])
    found = expectation(ring, ring.poly(Y * X**2 + Y**3), {X: M}, {(X, X): S})
    assert found == ring.poly(Y * M**2 + Y * S + Y**3)
    assert expectation(ring, ring.poly(Y), {X: 0}, {(X, X): 1}) == ring.gen(Y)
    assert expectation(ring, ring.poly(X**3 + 1), {X: M}, {}) == ring.poly(M**3 + 1)


@few
@given(polynomials, polynomials, rationals, factors, st.lists(rationals, min_size=3, max_size=3))
def test_linearity(first, second, k, factor, means):
    f, g = build(first), build(second)
    mean, covariance = (
        dict(zip(NAMES, map(lambda q: sympy.Rational(str(q)), means), strict=True)),
        covariance_of(factor),
    )
    e = [expectation_expr(h, mean, covariance) for h in (f, g, f + sympy.Rational(str(k)) * g)]
    assert e[2] == e[0] + sympy.Rational(str(k)) * e[1]


@few
@given(polynomials, factors, st.lists(rationals, min_size=3, max_size=3))
def test_gauss_hermite_agrees(terms, factor, means):
    nodes, weights = np.polynomial.hermite_e.hermegauss(6)  # exact to degree 11 in each direction; the terms reach 9
    weights = weights / weights.sum()
    total, size = 0.0, 0.0
    f, mu = np.array(factor, float), np.array(means, float)
    for i, j, k in product(range(6), repeat=3):
        point = mu + f @ nodes[[i, j, k]]
        values = [float(c) * np.prod(point ** np.array(p)) for p, c in terms.items()]
        total += weights[[i, j, k]].prod() * sum(values)
        size += weights[[i, j, k]].prod() * sum(map(abs, values))
    mean = {s: sympy.Rational(str(q)) for s, q in zip(NAMES, means, strict=True)}
    assert float(expectation_expr(build(terms), mean, covariance_of(factor))) == pytest.approx(
        total, rel=1e-10, abs=1e-11 * (1 + size)
    )


@few
@given(st.integers(0, 8), rationals, st.fractions(0, 3, max_denominator=5))
def test_moments_by_the_binomial_theorem(order, mean, variance):
    double_factorial = [prod(range(k - 1, 0, -2)) if k % 2 == 0 else 0 for k in range(order + 1)]
    wanted = sum(
        comb(order, k) * mean ** (order - k) * double_factorial[k] * variance ** Fraction(k, 2).__floor__()
        for k in range(order + 1)
    )
    found = expectation_expr(X**order, {X: sympy.Rational(str(mean))}, {(X, X): sympy.Rational(str(variance))})
    assert Fraction(str(found)) == wanted
