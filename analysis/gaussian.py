"""Exact moments: the expectation of a polynomial in Gaussian variables, with any mean, variance and correlation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement

import sympy
from flint import fmpq, fmpq_mpoly

from .polynomial import Ring

__all__ = ["expectation", "expectation_expr"]


def expectation(
    ring: Ring,
    polynomial: fmpq_mpoly,
    mean: Mapping[sympy.Symbol, object],
    covariance: Mapping[tuple[sympy.Symbol, sympy.Symbol], object],
) -> fmpq_mpoly:
    """E f(X) for jointly Gaussian X, as a polynomial in the remaining symbols.

    For several variables the heat semigroup gives it in one line, whatever their correlation:
    E f(m + Z) = exp(½ Σ_ij C_ij ∂_i ∂_j) f at m, and on a polynomial the series ends by itself. For one variable its moments
    are faster: one product for each power, where the series differentiates the whole polynomial each time.

    Args:
        ring: the ring in which `polynomial`, the means and the covariances live.
        polynomial: f.
        mean: the mean of each Gaussian symbol; it must not contain a Gaussian symbol.
        covariance: `{(X, X): variance, (X, Y): covariance}`; a pair stands once, in either order, and is 0 if left out.

    Raises:
        ValueError: a mean or a covariance contains a Gaussian symbol, or a covariance names a symbol that has no mean.
    """
    gaussian = list(mean)
    unknown = {symbol for pair in covariance for symbol in pair} - set(gaussian)
    if unknown:
        raise ValueError(
            f"a covariance names {', '.join(map(str, unknown))}, and the Gaussian variables are {gaussian}"
        )
    parameters = [*mean.values(), *covariance.values()]
    inside = set().union(
        *(sympy.sympify(value).free_symbols for value in parameters if not isinstance(value, fmpq_mpoly))
    )
    taken = inside & set(gaussian)
    if taken:
        raise ValueError(
            f"a mean or covariance contains {', '.join(map(str, taken))}, which is a Gaussian variable here; rename it"
        )
    if len(gaussian) == 1:
        (symbol,) = gaussian
        return _by_moments(
            ring, polynomial, symbol, ring.poly(mean[symbol]), ring.poly(covariance.get((symbol, symbol), 0))
        )
    weights = []
    for first, second in combinations_with_replacement(gaussian, 2):
        entry = covariance.get((first, second), covariance.get((second, first), 0))
        # ½ Σ_ij counts an off-diagonal pair twice
        weight = ring.poly(entry) * (fmpq(1, 2) if first == second else fmpq(1))
        if weight != 0:
            weights.append((first, second, weight))
    total, term, order = polynomial, polynomial, 0
    while term != 0:
        order += 1
        term = sum(
            (weight * ring.gradient(ring.gradient(term, [first])[0], [second])[0] for first, second, weight in weights),
            ring.poly(0),
        ) * fmpq(1, order)
        total = total + term
    return ring.substitute(total, mean)


def _by_moments(
    ring: Ring, polynomial: fmpq_mpoly, symbol: sympy.Symbol, mean: fmpq_mpoly, variance: fmpq_mpoly
) -> fmpq_mpoly:
    """Σ_k f_k E Xᵏ, f_k the coefficient of Xᵏ, with E Xᵏ = m E Xᵏ⁻¹ + (k − 1) σ² E Xᵏ⁻²."""
    position = ring.names.index(symbol.name)
    coefficients: dict[int, dict[tuple[int, ...], fmpq]] = {}
    for powers, c in polynomial.to_dict().items():
        rest = (*powers[:position], 0, *powers[position + 1 :])
        coefficients.setdefault(powers[position], {})[rest] = c
    total, moment, before = ring.poly(0), ring.poly(1), ring.poly(0)
    for k in range(max(coefficients, default=-1) + 1):
        if k in coefficients:
            total += ring.context.from_dict(coefficients[k]) * moment
        moment, before = mean * moment + k * variance * before, moment
    return total


def expectation_expr(
    expr: sympy.Expr,
    mean: Mapping[sympy.Symbol, object],
    covariance: Mapping[tuple[sympy.Symbol, sympy.Symbol], object],
) -> sympy.Expr:
    """The same for a sympy expression that is polynomial in all its symbols; returns a sympy expression."""
    values = [sympy.sympify(value) for value in (*mean.values(), *covariance.values())]
    symbols = set(mean).union(sympy.sympify(expr).free_symbols, *(value.free_symbols for value in values))
    ring = Ring(sorted(symbols, key=str))
    return ring.expr(expectation(ring, ring.poly(sympy.sympify(expr)), mean, covariance))
