"""What a measured statement is: estimates from a recorded run, held against bounds that were declared before it.

Nothing here trains or reads anything: `measure` is the claim's own function, and may read a record or compute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor, hypot, isfinite, log10
from typing import Protocol

__all__ = ["Above", "Below", "Bound", "Estimate", "Measurement", "Near", "NotRun", "Part"]


class NotRun(Exception):
    """There is nothing to judge yet: no record, or one of another tier or protocol. The message says which."""


@dataclass(frozen=True)
class Estimate:
    """A measured number.

    Args:
        value: the number.
        standard_error: its standard error; 0 for a number without sampling error.
        evidence: where it comes from, in a few words.
    """

    value: float
    standard_error: float
    evidence: str = ""

    def __str__(self) -> str:
        """Value ± standard error, with two digits of the standard error."""
        if not (isfinite(self.standard_error) and self.standard_error > 1e-8):
            return f"{self.value:.6g} ± {self.standard_error:.2g}"
        decimals = max(0, 1 - floor(log10(self.standard_error)))
        return f"{self.value:.{decimals}f} ± {self.standard_error:.{decimals}f}"


class Bound(Protocol):
    """What a claim declares of one number; `str` of it completes "the number is …"."""

    def margin(self, estimate: Estimate) -> float:
        """How far inside the bound the estimate lies; negative outside."""

    def admits(self, estimate: Estimate) -> bool:
        """Whether the estimate lies within the bound."""


def _check(**numbers: float | None) -> None:
    """Refuse a bound that could never be met, or always."""
    for name, number in numbers.items():
        if number is not None and not (isfinite(number) and (number >= 0 or name in ("published", "threshold"))):
            raise ValueError(f"a bound's {name} is {number}; give a finite number, at least 0 unless it is a level")


@dataclass(frozen=True)
class Near:
    """The published number within z standard errors of the difference, plus what was lost in reading it off a plot.

    Args:
        published: the number as the paper shows it.
        reading_error: the greatest error in reading it off.
        standard_error: that of the published number; None where the paper gives none: the same protocol is then taken to
            have the same error as ours.
        z: how many standard errors the two may differ by.
        most: the most that the standard errors may allow for, so that a number measured without precision is not near everything.
    """

    published: float
    reading_error: float = 0.0
    standard_error: float | None = None
    z: float = 3.0
    most: float | None = None

    def __post_init__(self) -> None:
        _check(**vars(self))

    def margin(self, estimate: Estimate) -> float:
        ours = estimate.standard_error
        theirs = ours if self.standard_error is None else self.standard_error
        allowed = self.z * hypot(theirs, ours)
        if self.most is not None:
            allowed = min(allowed, self.most)
        return allowed + self.reading_error - abs(estimate.value - self.published)

    def admits(self, estimate: Estimate) -> bool:
        return self.margin(estimate) >= 0

    def __str__(self) -> str:
        reading = f" + {self.reading_error:g}" if self.reading_error else ""
        most = "" if self.most is None else f", at most {self.most:g},"
        return f"{self.published:g} within {self.z:g} standard errors of the difference{most}{reading}"


@dataclass(frozen=True)
class Above:
    """Greater than the threshold by more than z standard errors; `Above(0)` of a paired difference is an ordering."""

    threshold: float
    z: float = 3.0

    def __post_init__(self) -> None:
        _check(**vars(self))

    def margin(self, estimate: Estimate) -> float:
        return estimate.value - self.z * estimate.standard_error - self.threshold

    def admits(self, estimate: Estimate) -> bool:
        return self.margin(estimate) > 0

    def __str__(self) -> str:
        return f"above {self.threshold:g} by {self.z:g} standard errors"


@dataclass(frozen=True)
class Below:
    """Less than the threshold by more than z standard errors."""

    threshold: float
    z: float = 3.0

    def __post_init__(self) -> None:
        _check(**vars(self))

    def margin(self, estimate: Estimate) -> float:
        return self.threshold - estimate.value - self.z * estimate.standard_error

    def admits(self, estimate: Estimate) -> bool:
        return self.margin(estimate) > 0

    def __str__(self) -> str:
        return f"below {self.threshold:g} by {self.z:g} standard errors"


@dataclass(frozen=True)
class Part:
    """One number of a measurement, and what was declared of it."""

    name: str
    estimate: Estimate
    bound: Bound

    @property
    def admitted(self) -> bool:
        """Whether the bound admits the estimate."""
        return self.bound.admits(self.estimate)

    def __str__(self) -> str:
        margin = abs(self.bound.margin(self.estimate))
        outcome = f"within, {margin:.2g} to spare" if self.admitted else f"not within, {margin:.2g} beyond"
        return f"{self.name}: {self.estimate} (declared {self.bound}; {outcome})"


@dataclass(frozen=True)
class Measurement:
    """A statement about measured numbers, with bounds that are declared before the run.

    Args:
        measure: the numbers by name; raises `NotRun` where there is no record of the protocol that the claim is about.
        bounds: by the same names; the statement is reproduced if all of them admit their number.
        control: the same bounds, one or more of them changed (the unchanged ones may be left out): an ordering reversed, a
            level moved to where another method's would be. Where the statement is reproduced, each changed one must reject the
            number that was measured.
        command: what makes the record.
        note: what a reader should know beside the verdict.

    Raises:
        ValueError: there is no bound, or the control changes none, or one that there is not.
    """

    measure: Callable[[], Mapping[str, Estimate]]
    bounds: Mapping[str, Bound]
    control: Mapping[str, Bound]
    command: str
    note: str = ""

    def __post_init__(self) -> None:
        if not self.bounds:
            raise ValueError("a measurement needs at least one bound")
        unknown = [name for name in self.control if name not in self.bounds]
        if unknown:
            raise ValueError(
                f"the control names {', '.join(unknown)}, of which there is no bound; the bounds are of {', '.join(self.bounds)}"
            )
        if not self.changed:
            raise ValueError("the control changes none of the bounds; change at least one so that it must be rejected")

    @property
    def changed(self) -> dict[str, Bound]:
        """The control's bounds that differ from the declared ones."""
        return {name: bound for name, bound in self.control.items() if bound != self.bounds[name]}

    def parts(self) -> list[Part]:
        """Measure, and put each number beside its bound.

        Raises:
            NotRun: as `measure`.
            ValueError: `measure` returned other names, what is no `Estimate`, or a number that is not finite.
        """
        found = self.measure()
        if set(found) != set(self.bounds):
            raise ValueError(
                f"measured {', '.join(found) or 'nothing'}, and the bounds are of {', '.join(self.bounds)}"
            )
        for name, estimate in found.items():
            if not isinstance(estimate, Estimate):
                raise ValueError(f"{name} was measured as {estimate!r}; return an Estimate, with its standard error")
            # else a control could be rejected, or a bound missed, for want of a number
            if not (isfinite(estimate.value) and isfinite(estimate.standard_error) and estimate.standard_error >= 0):
                raise ValueError(f"{name} was measured as {estimate}; both must be finite, and the error not negative")
        return [Part(name, found[name], bound) for name, bound in self.bounds.items()]
