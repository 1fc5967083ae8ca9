"""When two formulas are the same: exactly in sympy, and in floats at sampled points; with the freedom a paper leaves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from .claims import Freedom

__all__ = ["Agreement", "Sample", "agree", "agree_numerically", "components", "counterexample", "sample_points"]

TOLERANCE = 1e-9  # relative, for float64 routes of a few hundred operations
ROUNDING = 1e-13  # absolute, where both are 0


def components(formula: Any) -> list[sympy.Expr]:
    """A formula as a flat list of expressions."""
    if isinstance(formula, sympy.MatrixBase | list | tuple):
        return [part for entry in formula for part in components(entry)]
    return [sympy.sympify(formula)]


def _probes(symbols: Iterable[sympy.Symbol], count: int) -> Iterator[dict[sympy.Symbol, sympy.Rational]]:
    """Small rational points; none of them negative where the symbol cannot be."""
    ordered = sorted(symbols, key=str)
    positive = [
        sympy.Rational(n, d) for n, d in ((1, 2), (2, 1), (1, 3), (3, 1), (3, 2), (2, 3), (1, 1), (4, 1), (5, 1))
    ]
    generator = random.Random(0)
    yield {s: positive[k % len(positive)] for k, s in enumerate(ordered)}
    for _ in range(count - 1):
        signs = {s: 1 if s.is_nonnegative else generator.choice((1, 1, -1)) for s in ordered}
        yield {s: generator.choice(positive) * signs[s] for s in ordered}


def _normal(expr: sympy.Expr) -> sympy.Expr:
    """Expanded, and simplified where it is no polynomial; 0 if it is identically 0."""
    expanded = sympy.expand(expr)
    return expanded if expanded.is_polynomial() else sympy.simplify(expanded)


def _equal(left: sympy.Expr, right: sympy.Expr) -> bool:
    if left == right:
        return True
    for point in _probes(left.free_symbols | right.free_symbols, 1):
        gap = left.xreplace(point) - right.xreplace(point)
        if gap.is_Rational and gap != 0:  # one rational point is proof enough that they differ
            return False
    return _normal(left - right) == 0


@dataclass(frozen=True)
class Agreement:
    """Whether printed = factor · derived + constant, with a factor and a constant that the freedom allows."""

    holds: bool
    factor: sympy.Expr = sympy.S.One
    constant: sympy.Expr = sympy.S.Zero

    @property
    def exact(self) -> bool:
        """Whether they are equal without any freedom."""
        return self.holds and self.factor == 1 and self.constant == 0


def agree(printed: Any, derived: Any, freedom: Freedom = Freedom()) -> Agreement:
    """Decide exactly whether two formulas agree; equality is tried first, then what `freedom` leaves open.

    Raises:
        ValueError: they have different numbers of components.
    """
    left, right = components(printed), components(derived)
    if len(left) != len(right):
        raise ValueError(f"the printed formula has {len(left)} components and the derived one {len(right)}")
    if all(_equal(p, d) for p, d in zip(left, right, strict=True)):
        return Agreement(True)
    if freedom == Freedom():
        return Agreement(False)
    factor = _common_factor(left, right, freedom.constant_in) if freedom.factor else sympy.S.One
    if factor is None:
        return Agreement(False)
    rests = [_normal(p - factor * d) for p, d in zip(left, right, strict=True)]
    if all(rest == 0 for rest in rests):
        return Agreement(True, factor)
    if freedom.constant_in and len(rests) == 1 and not rests[0].has(*freedom.constant_in):
        return Agreement(True, factor, rests[0])
    return Agreement(False)


def _common_factor(
    left: Sequence[sympy.Expr], right: Sequence[sympy.Expr], constant_in: Sequence[sympy.Symbol]
) -> sympy.Expr | None:
    """The only positive rational number that can be the factor, read off at one point; None if there is none."""
    for p, d in _without_constants(left, right, constant_in):
        for point in _probes(p.free_symbols | d.free_symbols, 5):
            below = _normal(d.xreplace(point))
            if below != 0:
                ratio = sympy.simplify(p.xreplace(point) / below)
                return ratio if ratio.is_Rational and ratio > 0 else None
    return None


def _without_constants(
    left: Sequence[sympy.Expr], right: Sequence[sympy.Expr], constant_in: Sequence[sympy.Symbol]
) -> list[tuple[sympy.Expr, sympy.Expr]]:
    """The pairs themselves, or their slopes in each symbol of which an open constant is free."""
    pairs = list(zip(left, right, strict=True))
    return [(p.diff(symbol), d.diff(symbol)) for p, d in pairs for symbol in constant_in] if constant_in else pairs


def counterexample(printed: Any, derived: Any, freedom: Freedom) -> str | None:
    """A small rational point that shows two formulas to differ, whatever the freedom leaves open, in words.

    Without freedom their values differ there; with an open constant their slopes do; with an open factor their ratio is not
    the same in two components, or not at two points. None if no such point was found.
    """
    left, right = components(printed), components(derived)
    what = "the printed formula gives"
    if freedom.constant_in:
        what = f"the printed formula's slope in {', '.join(map(str, freedom.constant_in))} is"
    left, right = map(list, zip(*_without_constants(left, right, freedom.constant_in), strict=True))
    symbols = set().union(*(x.free_symbols for x in left + right))
    ratios: dict[sympy.Expr, str] = {}
    for point in _probes(symbols, 200):
        where = "at " + ", ".join(f"{s} = {x}" for s, x in point.items()) if point else ""
        for number, (p, d) in enumerate(zip(left, right, strict=True), 1):
            here, there = (sympy.simplify(x.xreplace(point)) for x in (p, d))
            if not freedom.factor and sympy.simplify(here - there) != 0:
                return f"{where} {what} {here}, the right one {there}".strip()
            if freedom.factor and (here, there) != (0, 0):
                ratio = sympy.simplify(here / there) if there != 0 else sympy.zoo
                name = f"{where}, component {number}" if len(left) > 1 else where
                ratios.setdefault(ratio, f"{here} against {there} ({name})")
                if len(ratios) == 2 or not (ratio.is_real and ratio > 0):
                    return "no positive factor fits: printed against right it is " + " and ".join(ratios.values())
    return None


@dataclass(frozen=True)
class Sample:
    """A rational point, and the number of the group of points that share every symbol but those of `constant_in`."""

    point: dict[str, Fraction]
    group: int


def sample_points(
    symbols: Sequence[sympy.Symbol],
    freedom: Freedom,
    domain: Mapping[str, tuple[float, float]],
    groups: int = 3,
    size: int = 3,
) -> list[Sample]:
    """Reproducible rational points at which the two routes are compared."""
    generator = random.Random(1)

    def draw(symbol: sympy.Symbol) -> Fraction:
        low, high = domain.get(symbol.name, (0.1, 0.9) if symbol.is_nonnegative else (-2, 2))
        return Fraction(round(generator.uniform(low, high) * 64), 64)

    samples = []
    for group in range(groups):
        fixed = {s.name: draw(s) for s in symbols}
        for _ in range(size):
            moving = {s.name: draw(s) for s in symbols if not freedom.constant_in or s in freedom.constant_in}
            samples.append(Sample({**fixed, **moving}, group))
    return samples


def agree_numerically(
    formula: Any, witness: Callable[..., Any], samples: Sequence[Sample], freedom: Freedom = Freedom()
) -> tuple[bool, float]:
    """Whether a formula agrees with the witness at the sampled points, up to the freedom; and the largest relative error.

    With freedom the factor is fitted from differences within one group, and must be one positive number for all.
    """
    parts = components(formula)
    symbols = [sympy.Symbol(name) for name in samples[0].point]
    plain = [part.subs({s: sympy.Symbol(s.name) for s in part.free_symbols}) for part in parts]
    function = sympy.lambdify(symbols, plain, modules="numpy")
    ours, theirs = [], []
    for sample in samples:
        values = {name: float(value) for name, value in sample.point.items()}
        ours.append(np.asarray(function(*values.values()), dtype=np.float64).ravel())
        theirs.append(np.asarray(witness(**values), dtype=np.float64).ravel())
        if ours[-1].shape != theirs[-1].shape:
            raise ValueError(
                f"the witness returned {theirs[-1].size} numbers for a formula of {ours[-1].size} components"
            )
    left, right = np.array(ours), np.array(theirs)
    # else a control could be rejected for want of a number
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise ValueError(
            "the formula or its witness is not finite at a sampled point; give the claim a narrower domain"
        )
    if freedom.constant_in:
        group = np.array([sample.group for sample in samples])
        left, right = (x - np.array([x[group == g][0] for g in group]) for x in (left, right))
    # each component against its own size
    scale = np.maximum(np.maximum(np.abs(right), np.abs(left)).max(axis=0), ROUNDING / TOLERANCE)
    factor = 1.0
    if freedom.factor:
        factor = float((left * right).sum() / ((right * right).sum() or 1.0))
    error = float((np.abs(left - factor * right) / scale).max())
    return error < TOLERANCE and factor > 0, error
