"""Statements about a paper's printed accuracies, held against its own tables: exactly, in fractions, and once more in floats."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from .framework import Finding, Proposition
from .published import accuracy

__all__ = ["Cell", "Inequality", "holding", "less", "reversed_", "statement"]

ROUNDING = 1e-9
"""Of sums of a few accuracies in floats."""


@dataclass(frozen=True)
class Cell:
    """A printed accuracy, as `published.accuracy` knows it."""

    paper: str
    source: str
    data: str
    method: str

    def __str__(self) -> str:
        return f"{self.method} ({self.source}, {self.data})"


@dataclass(frozen=True)
class Inequality:
    """A sum of multiples of printed accuracies, and what it is said to be.

    Attributes:
        terms: factors, and the cells that they multiply.
        threshold: a number as text.
        strict: whether the sum is said to exceed the threshold; else to be at least that.
    """

    terms: tuple[tuple[int, Cell], ...]
    threshold: str = "0"
    strict: bool = True

    def margin(self) -> Fraction:
        """The sum less the threshold."""
        return sum((f * accuracy(*_key(cell)).exact for f, cell in self.terms), -Fraction(self.threshold))

    def margin_in_floats(self) -> float:
        """The same in floats."""
        return sum((f * accuracy(*_key(cell)).value for f, cell in self.terms), -float(Fraction(self.threshold)))

    def holds(self) -> bool:
        """Whether it is so, exactly."""
        return self.margin() > 0 if self.strict else self.margin() >= 0

    def holds_in_floats(self) -> bool:
        """Whether it is so, up to rounding."""
        return self.margin_in_floats() > (ROUNDING if self.strict else -ROUNDING)

    def __str__(self) -> str:
        # a sum that begins with a minus is said to be small: told without it
        turn = -1 if self.terms[0][0] < 0 else 1
        told = []
        for factor, cell in self.terms:
            sign = "− " if turn * factor < 0 else "+ "
            times = "" if abs(factor) == 1 else f"{abs(factor)} × "
            told.append(f"{sign}{times}{_percent(accuracy(*_key(cell)).exact)} {cell}")
        threshold = Fraction(self.threshold)
        total = f" = {_percent(turn * (self.margin() + threshold))}" if len(told) > 1 else ""
        word = {(1, True): "above", (1, False): "at least", (-1, True): "below", (-1, False): "at most"}[
            turn, self.strict
        ]
        bound = f", said to be {word} {_percent(turn * threshold)}" if threshold else ""
        return " ".join(told).removeprefix("+ ") + total + bound


def _key(cell: Cell) -> tuple[str, str, str, str]:
    return cell.paper, cell.source, cell.data, cell.method


def _percent(value: Fraction) -> str:
    """In percent, as many digits as the tables have."""
    return f"{float(100 * value):.2f}".replace("-", "−")


def less(first: Cell, second: Cell, threshold: str = "0", strict: bool = True) -> Inequality:
    """That the first less the second exceeds a threshold."""
    return Inequality(((1, first), (-1, second)), threshold, strict)


def reversed_(inequality: Inequality) -> Inequality:
    """Its opposite."""
    threshold = str(-Fraction(inequality.threshold))
    return Inequality(tuple((-f, cell) for f, cell in inequality.terms), threshold, not inequality.strict)


def holding(inequalities: tuple[Inequality, ...]) -> Finding:
    """Whether all of them hold; the evidence names those that do not, or else the closest."""
    return _judged(inequalities, Inequality.holds)


def holding_in_floats(inequalities: tuple[Inequality, ...]) -> Finding:
    """The same in floats."""
    return _judged(inequalities, Inequality.holds_in_floats)


def _judged(inequalities: tuple[Inequality, ...], holds: Callable[[Inequality], bool]) -> Finding:
    failing = [each for each in inequalities if not holds(each)]
    if failing:
        return Finding(False, "; ".join(map(str, failing)))
    closest = min(inequalities, key=Inequality.margin)
    return Finding(
        True, str(closest) if len(inequalities) == 1 else f"of {len(inequalities)}, the closest is {closest}"
    )


def statement(
    stated: Iterable[Inequality],
    *,
    control: Iterable[Inequality] | None = None,
    weaker: Iterable[Inequality] | None = None,
    assumption: str = "",
    right: Iterable[Inequality] | None = None,
    right_statement: str = "",
    note: str = "",
) -> Proposition:
    """The proposition that all inequalities hold. The control is the opposite of the first, by default."""
    stated = tuple(stated)
    changed = (reversed_(stated[0]), *stated[1:]) if control is None else tuple(control)
    return Proposition(
        holding,
        stated={"inequalities": stated},
        control={"inequalities": changed},
        witness=holding_in_floats,
        weaker=None if weaker is None else {"inequalities": tuple(weaker)},
        assumption=assumption,
        right=None if right is None else {"inequalities": tuple(right)},
        right_statement=right_statement,
        note=note,
    )


def equal(first: Cell, second: Cell) -> tuple[Inequality, Inequality]:
    """That two cells have the same number."""
    return less(first, second, strict=False), less(second, first, strict=False)


def within(first: Cell, second: Cell, distance: str) -> tuple[Inequality, Inequality]:
    """That two cells are no further apart."""
    below = replace(less(first, second, strict=False), threshold=f"-{distance}")
    return below, replace(below, terms=tuple((-f, cell) for f, cell in below.terms))
