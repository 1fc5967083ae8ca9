"""What the claims about the image experiments of both Arnold papers read from the recorded runs, as numbers with standard errors.

A claim is judged on the full tier where it has all cells that the claim needs as they are declared now, else on the long tier or the
lite one where that has them all: tiers are never mixed. A published accuracy is judged on the full tier alone. A run that diverged counts
as a guess. A tier with a budget judges nothing of which a cell has not begun to learn: that says how long it was trained, and not what the
paper speaks of. Of a search, the candidate is read that the validation tasks prefer. No choice looks at a
test task, but that of a collapsed network's rate, which is made against the claims.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import hypot, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import recorded
from .framework import Above, Below, Bound, Estimate, Measurement, Near, NotRun

if TYPE_CHECKING:
    from empirical.records import Record

    from .published import Accuracy

__all__ = [
    "Cell",
    "Number",
    "Reader",
    "TIERS",
    "above_chance",
    "accuracy",
    "cell",
    "combined",
    "difference",
    "differences",
    "gained",
    "level",
    "levels",
    "orderings",
    "over_seeds",
    "overfitted",
    "read",
    "same",
    "sum_of",
]

TIERS = ("full", "long", "lite")
"""Those that a claim is judged on: the first that has all of its cells. The first of them is the papers' protocol."""
SUPPORT = "test_accuracy_support_statistics"
"""Measured where batch norm sees the support points alone."""
ORDERED = Above(0.0)
"""The bound of a difference that is said to be positive."""
LEARNED = Above(0.1)
"""Above chance by this is a network of which it can be said that something leaves it as it is."""
BEGUN = 1.5
"""Times a guess: a network with less has not begun to learn. All that the papers print of CNNs, but for pruned ones, is above it."""
WITHIN, MOST, MOVED = 0.03, 0.04, 0.15
"""Of a published accuracy: how far ours may be from it, what the standard errors may add, and how far the control is moved."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table, as it was run."""

    record: Record

    @property
    def chance(self) -> float:
        """The accuracy of a guess."""
        return 1 / self.record.configuration["ways"]

    @property
    def diverged(self) -> np.ndarray:
        """Of each seed, whether its run left the finite numbers."""
        return np.array([at is not None for at in self.record.details["diverged_at"]])

    @property
    def data(self) -> str:
        """What two cells have in common whose accuracies are of the same test tasks and the same seeds."""
        keys = ("dataset", "split", "ways", "shots", "queries", "test_tasks")
        told = self.record.configuration
        return str([*(told[key] for key in keys), told["network"]["side"], self.record.seeds])

    def by_seed(self, what: str = "test_accuracy") -> np.ndarray:
        """Of each seed, the mean over tasks."""
        values = self.record.details.get(f"{what}_per_seed")
        if values is None:
            raise NotRun(f"the {self.record.tier} record of {self.record.setting} has no {what} by seed: run it again")
        return self.guessing(values)

    def per_task(self) -> np.ndarray:
        """Of each test task, the mean over seeds."""
        values = self.record.details["test_accuracy_per_task"]
        if values is None:
            values = [self.chance] * self.record.configuration["test_tasks"]
        share = self.diverged.mean()
        return (1 - share) * np.array(values) + share * self.chance

    def studied(self, study: str, *names: str) -> np.ndarray:
        """Of each seed, what a study measured, on the first test tasks. Raises NotRun where it did not."""
        return self.guessing(self._of_study("studies", study, *names))

    def studied_along_training(self, study: str, *names: str) -> np.ndarray:
        """What a study measured at each look, by seed: (looks, seeds), nan from where one diverged. Raises NotRun where it did not."""
        return np.array(self._of_study("studies_along_training", study, *names), dtype=float)

    def _of_study(self, *names: str) -> Any:
        found: Any = self.record.details
        for name in names:
            if name not in found:
                what = ", ".join(names).replace("_", " ")
                raise NotRun(f"the {self.record.tier} record of {self.record.setting} has no {what}: run it again")
            found = found[name]
        return found

    def guessing(self, values: list[float | None]) -> np.ndarray:
        """Accuracies by seed, a guess for those that diverged."""
        known = [self.chance if value is None else value for value in values]
        return np.where(self.diverged, self.chance, known)

    def __str__(self) -> str:
        """What was run."""
        told = self.record.configuration
        run = f"{told['iterations']:,} meta-iterations of {told['tasks_per_step']} tasks"
        run = run if told["iterations"] else "no meta-training"
        # of what is trained on each task alone: whether it has converged
        fitted = self.record.details.get("test_accuracy_on_support_per_seed")
        run += f", {self.guessing(fitted).mean():.1%} on the points that it is trained on" if fitted else ""
        lost, seeds = int(self.diverged.sum()), len(self.record.seeds)
        guessed = f", {lost} of {seeds} seeds diverged, counted as {self.chance:g}" if lost else ""
        return f"{self.record.setting} ({self.record.tier}, {run}{guessed})"


def _records(experiment: str, tier: str, results: Path | None) -> dict[str, Record]:
    try:
        return recorded.read(experiment, results, tier)
    except recorded.MissingRecord:
        raise NotRun(f"there is no record of the {tier} tier of {experiment}") from None


def read(experiment: str, name: str, tier: str, results: Path | None = None) -> Cell:
    """A setting's record; of a search, that of the candidate with the best validation accuracy, the first of equals.

    `results` is the folder of records, as in `recorded.find`. Raises NotRun where there is none, or one of another protocol.
    """
    from empirical.experiments import EXPERIMENTS
    from empirical.experiments.few_shot import declaration

    module, found = EXPERIMENTS[experiment], _records(experiment, tier, results)
    names = module.SETTINGS[name].candidates(name)
    lacking = [each for each in names.values() if each not in found]
    if lacking:
        raise NotRun(f"the {tier} record of {experiment} has no {lacking[0]}")
    setting, candidates = module.TIERS[tier].cut(module.SETTINGS[name]), []
    parameters = setting.parameters()
    for (inner, outer), each in names.items():
        record, declared = found[each], declaration(setting, inner, outer, module.TIERS[tier])
        given = record.configuration
        differing = sorted(key for key in {*declared, *given} if declared.get(key) != given.get(key))
        if record.parameter_count != parameters:  # a network or an update rule that is made in another way now
            differing.append("number of parameters")
        if record.tier != tier or differing:
            what = " and ".join(differing) or "tier"
            raise NotRun(f"the {tier} record of {each} is stale: its {what} is not what is declared now")
        candidates.append(Cell(record))
    return _preferred(candidates)


def _preferred(cells: list[Cell]) -> Cell:
    """The one that the validation tasks prefer."""
    return max(cells, key=lambda cell: cell.by_seed("validation_accuracy").mean())


@dataclass(frozen=True)
class Reader:
    """The cells of an experiment as one tier ran them."""

    experiment: str
    tier: str

    def __getitem__(self, names: str | tuple[str, ...]) -> Cell:
        """A cell by its setting's name; of several settings, that which the validation tasks prefer. Raises NotRun."""
        names = (names,) if isinstance(names, str) else names
        return _preferred([read(self.experiment, name, self.tier) for name in names])


Name = str | tuple[str, ...]
"""Of a setting; or of several, readings of one cell among which the validation tasks choose."""


@dataclass(frozen=True)
class Number:
    """A number that is made of cells of one tier.

    Attributes:
        cells: their names.
        of: from the cells, in this order, to the number.
    """

    cells: tuple[Name, ...]
    of: Callable[..., Estimate]

    def __call__(self, reader: Reader) -> Estimate:
        """Raises NotRun where a cell is missing."""
        return self.of(*(reader[name] for name in self.cells))


def over_seeds(by_seed: np.ndarray, evidence: str) -> Estimate:
    """A mean over seeds; its standard error counts seeds alone."""
    return Estimate(float(by_seed.mean()), _error(by_seed), f"{evidence}; its standard error is over seeds alone")


def combined(*terms: tuple[float, Cell], less: float = 0.0) -> Estimate:
    """A sum of multiples of accuracies, less a number. Cells on the same tasks and seeds are paired; its standard error counts both.

    The evidence tells the errors apart, and the sum where batch norm sees the support points alone.
    """
    groups: dict[str, list[tuple[float, Cell]]] = {}
    for factor, cell in terms:
        groups.setdefault(cell.data, []).append((factor, cell))
    value, of_tasks, of_seeds = -less, 0.0, 0.0
    for group in groups.values():
        per_task = np.sum([factor * cell.per_task() for factor, cell in group], 0)
        by_seed = np.sum([factor * cell.by_seed() for factor, cell in group], 0)
        value += float(per_task.mean())
        of_tasks, of_seeds = hypot(of_tasks, _error(per_task)), hypot(of_seeds, _error(by_seed))
    told = " ".join(f"{'−' if factor < 0 else '+'} {cell}" for factor, cell in terms).removeprefix("+ ")
    told += f"; standard errors {of_tasks:.4f} over tasks and {of_seeds:.4f} over seeds"
    told += ", not on the same tasks, so not paired" if len(groups) > 1 else ""
    if all(f"{SUPPORT}_per_seed" in cell.record.details for _, cell in terms):
        other = sum(factor * cell.by_seed(SUPPORT).mean() for factor, cell in terms) - less
        told += f"; {other:.4f} where batch norm sees the support points alone"
    return Estimate(value, hypot(of_tasks, of_seeds), told)


def _error(values: np.ndarray) -> float:
    """The standard error of a mean; 0 for a single value."""
    return float(values.std(ddof=1)) / sqrt(len(values)) if len(values) > 1 else 0.0


def above_chance(name: Name) -> Number:
    """By how much a cell's test accuracy exceeds that of a guess."""
    return Number((name,), lambda found: combined((1.0, found), less=found.chance))


def accuracy(name: Name) -> Number:
    """A cell's test accuracy."""
    return Number((name,), lambda found: combined((1.0, found)))


def gained(name: Name) -> Number:
    """By how much meta-training raises a cell's test accuracy: beside it, networks that were not meta-trained adapt in the same way."""

    def of(found: Cell) -> Estimate:
        by_seed = found.by_seed() - found.by_seed("test_accuracy_from_scratch")
        return over_seeds(by_seed, f"{found}, minus the same untrained")

    return Number((name,), of)


def overfitted(name: Name) -> Number:
    """By how much a cell is better on training tasks, before each is learned from, than on test tasks; of the last stretch of training."""

    def of(found: Cell) -> Estimate:
        training = found.guessing(found.record.learning_curve["training_accuracy"][-1])
        return over_seeds(training - found.by_seed(), f"{found}, {training.mean():.4f} on training tasks")

    return Number((name,), of)


def sum_of(terms: Iterable[tuple[float, Name]]) -> Number:
    """A sum of multiples of cells' test accuracies."""
    factors, names = zip(*terms, strict=True)
    return Number(names, lambda *cells: combined(*zip(factors, cells, strict=True)))


def difference(first: Name, second: Name) -> Number:
    """The first cell's test accuracy minus the second's."""
    return sum_of([(1.0, first), (-1.0, second)])


def cell(dataset: str, layers: int, method: str) -> str:
    """The setting of a cell of a CNN."""
    return f"{dataset} CNN({layers}) {method}"


def differences(dataset: str, pairs: Iterable[tuple[tuple[int, str], tuple[int, str]]]) -> dict[str, Number]:
    """Of cells of CNNs, first minus second."""
    return {
        f"CNN({a[0]}) {a[1]} − CNN({b[0]}) {b[1]}": difference(cell(dataset, *a), cell(dataset, *b)) for a, b in pairs
    }


def _begun(cells: Iterable[Cell]) -> None:
    """Raises NotRun for the first that guesses: on validation tasks, seeds apart that have diverged, which takes no time to learn."""
    for found in cells:
        alive = found.by_seed("validation_accuracy")[~found.diverged]
        if len(alive) and alive.mean() < BEGUN * found.chance:
            raise NotRun(
                f"{found} has {alive.mean():.1%} on validation tasks, where a guess has {found.chance:.0%}: it has not begun to learn, and "
                "such a budget says no more"
            )


def _measured(
    experiment: str, numbers: Mapping[str, Number], tiers: tuple[str, ...]
) -> tuple[str, dict[str, Estimate]]:
    """All numbers from the first tier that has all of their cells, and in which they have begun to learn; and that tier."""
    missing = []
    for tier in tiers:
        reader = Reader(experiment, tier)
        try:
            if tier != TIERS[0]:
                _begun(reader[name] for number in numbers.values() for name in number.cells)
            return tier, {part: number(reader) for part, number in numbers.items()}
        except NotRun as reason:
            missing.append(str(reason).rstrip("."))
    raise NotRun("; ".join(missing))


def _level(experiment: str, numbers: Mapping[str, Number]) -> dict[str, Estimate]:
    """All numbers from the full tier; without it the message tells what budgets have."""
    full, *budgets = TIERS
    try:
        return _measured(experiment, numbers, (full,))[1]
    except NotRun as reason:
        told = [found for part, number in numbers.items() if (found := _at_a_budget(experiment, part, number, budgets))]
        beside = f"; tiers that judge no level have {'; '.join(told)}" if told else ""
        raise NotRun(str(reason).rstrip(".") + beside) from None


def _at_a_budget(experiment: str, part: str, number: Number, tiers: Iterable[str]) -> str:
    """A number as the first of these tiers has it that has it; empty where none has."""
    for tier in tiers:
        try:
            found = number(Reader(experiment, tier))
        except NotRun:
            continue
        return f"{part} {found} ({found.evidence})"
    return ""


def _command(experiment: str, numbers: Mapping[str, Number], tier: str) -> str:
    """What makes the records of all cells."""
    names = dict.fromkeys(
        each
        for number in numbers.values()
        for name in number.cells
        for each in ([name] if isinstance(name, str) else name)
    )
    return shlex.join(["python", "-m", "empirical", "sweep", experiment, "--tier", tier, "--method", *names])


def _judged(experiment: str, numbers: Mapping[str, Number]) -> str:
    """The tier that a claim is judged on; full, where none can."""
    try:
        return _measured(experiment, numbers, TIERS)[0]
    except NotRun:
        return TIERS[0]


def level(published: float, within: float = WITHIN) -> Near:
    """The bound of a published number: so near, and three standard errors, which may add no more than MOST."""
    return Near(published, within, most=MOST)


def levels(
    experiment: str, numbers: Mapping[str, Number], printed: Mapping[str, Accuracy | Near], note: str = ""
) -> Measurement:
    """Published numbers, judged on the full tier alone. The control moves each towards ½, where it still is an accuracy."""
    bounds = {part: each if isinstance(each, Near) else level(each.value) for part, each in printed.items()}
    return Measurement(
        lambda: _level(experiment, numbers),
        bounds,
        {part: _moved(b) for part, b in bounds.items()},
        _command(experiment, numbers, TIERS[0]),
        note,
    )


def orderings(
    experiment: str,
    numbers: Mapping[str, Number],
    bounds: Mapping[str, Bound] | Bound = ORDERED,
    note: str = "",
    learned: Name | None = None,
) -> Measurement:
    """Differences and the like, judged on one tier; the control is their reverse.

    A statement that something makes no difference is true of a network that only guesses: give the one that must have `learned`.
    """
    declared = dict(bounds) if isinstance(bounds, Mapping) else dict.fromkeys(numbers, bounds)
    if learned is not None:
        part = f"{learned if isinstance(learned, str) else learned[0].rpartition(', ')[0]} − chance"
        numbers, declared = {**numbers, part: above_chance(learned)}, {**declared, part: LEARNED}
    return Measurement(
        lambda: _measured(experiment, numbers, TIERS)[1],
        declared,
        {part: _reverse(bound) for part, bound in declared.items()},
        _command(experiment, numbers, _judged(experiment, numbers)),
        note,
    )


def same(within: float) -> Near:
    """The bound of a difference that is said to be none; three standard errors may add MOST to it at most."""
    return Near(0.0, within, 0.0, most=MOST)


def _moved(bound: Near) -> Near:
    published = bound.published + (MOVED if bound.published < 0.5 else -MOVED)
    return Near(round(published, 6), bound.reading_error, bound.standard_error, bound.z, bound.most)


def _reverse(bound: Bound) -> Bound:
    if isinstance(bound, Near):
        return _moved(bound)
    return (Below if isinstance(bound, Above) else Above)(bound.threshold, bound.z)
