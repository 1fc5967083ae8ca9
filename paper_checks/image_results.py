"""Every accuracy on images that the two Arnold papers print, beside what was measured: the tables of the README.

A row is a cell: one network, one method, one data set. It stands once, whatever tables it is in. What was measured comes from the full tier
where that has been run, else from the long one or the lite one, which are budgets and no published protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .arnold2019 import image_experiments as of2019
from .arnold2021 import image_experiments as of2021
from .framework import NotRun
from .image_records import SUPPORT, TIERS, Cell, read
from .published import TITLES, Accuracy, accuracies

__all__ = ["Row", "markdown", "missing", "rows", "tables"]

PAPERS = {
    "arnold2021": (of2021.LINEAR, of2021.CNN),
    "arnold2019": (of2019.LINEAR, of2019.CNN),
}
PRUNED = "CNN(4) pruned"
COLLAPSED = ", collapsed before it adapts"


@dataclass
class Row:
    """One cell.

    Attributes:
        paper, data, method: whose, on what, which.
        experiment, setting: of the record, with the study's name where a study of another cell measures it.
        printed: places and numbers.
        cell: what was run; None where nothing was, or something else than what is declared now.
        reason: why there is no cell.
    """

    paper: str
    data: str
    method: str
    experiment: str
    setting: str
    printed: list[tuple[str, Accuracy]] = field(default_factory=list)
    cell: Cell | None = None
    reason: str = ""

    @property
    def linear(self) -> bool:
        """Whether it is one of the linear models."""
        return self.experiment in (of2019.LINEAR, of2021.LINEAR)

    @property
    def whole(self) -> bool:
        """Whether the row is the cell itself, and not a study of it."""
        return self.method != PRUNED and not self.method.endswith(COLLAPSED)

    @property
    def by_seed(self) -> np.ndarray:
        """Accuracies of the seeds."""
        if self.method == PRUNED:
            return of2019.pruned(self.cell)[0]
        if self.method.endswith(COLLAPSED):
            return self.cell.studied("collapsing", "collapsed, then adapted")
        return self.cell.by_seed()

    @property
    def command(self) -> str:
        """What makes its record again, to the same numbers on the same device, or would make it at full."""
        record, tier, options = None if self.cell is None else self.cell.record, "full", ""
        if record is not None:
            tier, options = record.tier, f" --threads {record.environment['threads']}"
            options += "" if record.environment["device"].startswith("cpu") else " --device cuda"
            options += f" --seed {record.seeds[0]}" if record.seeds[0] else ""
        return f'python -m empirical run {self.experiment} --tier {tier} --method "{self.setting}"{options}'


def _settings() -> Iterator[Row]:
    """A row for each cell of the experiments, in their order."""
    from empirical.experiments import EXPERIMENTS

    for paper, experiments in PAPERS.items():
        for experiment in experiments:
            for name, setting in EXPERIMENTS[experiment].SETTINGS.items():
                data = TITLES[setting.dataset]
                method = name.removeprefix(f"{setting.dataset} ")
                method = of2019.LINEAR_METHODS.get(method, method)
                yield Row(paper, data, method, experiment, name)
                if "collapsing" in setting.studies:
                    yield Row(paper, data, method + COLLAPSED, experiment, name)
                if "pruning" in setting.studies:
                    yield Row(paper, data, PRUNED, experiment, name)


def rows() -> list[Row]:
    """All cells, with what is printed of them and what was measured.

    Raises LookupError where the paper prints an accuracy of a cell that no experiment has.
    """
    found = {(row.paper, row.data, row.method): row for row in _settings()}
    for paper in PAPERS:
        for (place, data, method), printed in accuracies(paper).items():
            if data not in TITLES.values():  # the synthetic ones stand elsewhere
                continue
            if (paper, data, method) not in found:
                raise LookupError(f"{paper} prints {place}, {data}, {method}, and no experiment has that cell")
            found[paper, data, method].printed.append((place, printed))
    for row in found.values():
        reasons = []
        for tier in TIERS:
            try:
                cell = read(row.experiment, row.setting, tier)
                if row.method == PRUNED:
                    of2019.pruned(cell)  # or it has not been pruned to that size
                row.cell = cell
                break
            except NotRun as reason:
                reasons.append(str(reason))
        else:
            row.reason = next((each for each in reasons if "stale" in each), reasons[0])
    return list(found.values())


HEAD = (
    "method",
    "printed, %",
    "measured, %",
    "its batch norm from the support, %",
    "not adapted, %",
    "untrained, %",
    "run",
    "command",
)


def markdown(listed: Sequence[Row]) -> str:
    """A table of the cells that have a record for each paper and data set, folded, and then those cells that have none."""
    return f"{tables(listed)}\n\n{missing(listed)}"


def tables(listed: Iterable[Row]) -> str:
    """The cells that have a record."""
    return "\n\n".join(_table(title, own) for title, own in _grouped(listed) if any(row.cell for row in own))


def missing(listed: Iterable[Row]) -> str:
    """The cells that have none, a line for each experiment and data set, by the names that --method takes."""
    lines, groups = [], {}
    for row in listed:
        if row.whole:  # what is measured on another cell comes with it
            groups.setdefault((row.experiment, row.data), []).append(row)
    for (experiment, data), own in groups.items():
        names = [f"`{row.setting}`" for row in own if row.cell is None]
        if names:
            lines.append(f"- {experiment}, {data}: {'all' if len(names) == len(own) > 1 else ', '.join(names)}")
    return "\n".join(lines)


def _grouped(listed: Iterable[Row]) -> Iterator[tuple[str, list[Row]]]:
    """By paper and data set."""
    found: dict[str, list[Row]] = {}
    for row in listed:
        found.setdefault(f"{row.paper}, {row.data}", []).append(row)
    return iter(found.items())


def _table(title: str, listed: list[Row]) -> str:
    recorded = [row for row in listed if row.cell is not None]
    lines = [
        f"<details>\n<summary>{title}: {len(recorded)} of {len(listed)} cells</summary>\n",
        "| " + " | ".join(HEAD) + " |",
        "|" + "---|" * len(HEAD),
        *("| " + " | ".join(_columns(row)) + " |" for row in recorded),
        "\n</details>",
    ]
    return "\n".join(lines)


def _columns(row: Row) -> list[str]:
    told, record = row.cell.record.configuration, row.cell.record

    def other(what: str) -> str:
        return _percent(row.cell.by_seed(what)) if row.whole and f"{what}_per_seed" in record.details else ""

    by_seed, of_support = row.by_seed, other(SUPPORT)
    of_support += _spread(row.cell.by_seed(SUPPORT)) if of_support else ""
    over_tasks = f" ({100 * row.cell.per_task().std(ddof=1):.1f})" if row.whole else ""
    if told["iterations"]:
        length = f"{told['iterations']:,} × {told['tasks_per_step']} tasks"
    else:
        on_support = other("test_accuracy_on_support")
        length = "each task" + (f" (on its support points {on_support})" if on_support else "")
    lost = int(row.cell.diverged.sum())
    return [
        row.method,
        "; ".join(f"{_printed(each)} ({place})" for place, each in row.printed),
        f"{_percent(by_seed)}{_spread(by_seed)}{over_tasks}" + (f", {lost} diverged" if lost else ""),
        of_support,
        other("test_accuracy_without_adaptation"),
        other("test_accuracy_from_scratch"),
        f"{record.tier}, {length}, {len(record.seeds)} seeds",
        f"`{row.command}`",
    ]


def _percent(by_seed: np.ndarray) -> str:
    return f"{100 * by_seed.mean():.1f}"


def _spread(by_seed: np.ndarray) -> str:
    return f" ± {100 * by_seed.std(ddof=1):.1f}" if len(by_seed) > 1 else ""


def _printed(each: Accuracy) -> str:
    decimals = 0 if each.reading_error > 0.001 else 1 if each.reading_error > 0.0001 else 2
    spread = f" ± {100 * each.standard_deviation:.2f}" if each.standard_deviation is not None else ""
    return f"{100 * each.value:.{decimals}f}{spread}"
