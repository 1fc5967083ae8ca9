"""The papers' results, table by table: each printed number beside what was measured of it, from the records.

A row stands for a printed number, or for a cell that a figure shows without one. Where nothing has been run as it is declared now, it says
so. Accuracies lie between 0 and 1; chen2019's losses are ½ Σ ((x − μ)/ξ)² per observation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from . import image_results
from .arnold2019 import costs, synthetic
from .arnold2019 import records as synthetic_records
from .arnold2021 import figure1_left
from .chen2019 import exact_experiment1, published_results
from .chen2019 import records as shrinkage_records
from .framework import NotRun
from .published import TITLES, accuracies, results, times

if TYPE_CHECKING:
    from empirical.records import Record

    from .published import Result

__all__ = ["Measured", "Printed", "Row", "Table", "tables"]

PLAIN, CHANCE = "not adapted", "chance"
BESIDE = {
    "batch norm from the support": "support_statistics",
    PLAIN: "without_adaptation",
    "untrained": "from_scratch",
}
"""What is measured beside an accuracy on images, and what its record calls it."""
ONE_STEP, EXACT_END = "one step from 0, exactly", "exactly"
LEARNED, BAYES = "exactly, at what it learned", "Bayes risk, exactly"
EXPERIMENTS = {"linear": "Experiment 1, linear", "spiral": "Experiment 2, spiral"}
DATASETS = {title: dataset for dataset, title in TITLES.items()}
LEVELS = {
    "arnold2021": {"Table 1": "t1-{}", "Table 2": "t2-{}", "Table 3": "t3-{}", "Table B.4": "tb4-{}"},
    "arnold2019": {
        "Figure 1": "fig1-{}-levels",
        "Table 1": "t1-{}",
        "Table 2": "t2-{}",
        "Table A1": "ta1-{}",
        "Table A2": "ta2-{}",
        "Table A3": "ta3-{}",
    },
}
"""The claims that judge the numbers of a place, by data set."""
COSTS = (
    "Seconds of a meta-step on a meta-batch; printed ones are of a Titan XP. Measured are medians of rounds in which all methods were "
    "timed in turn. Compare the ratios, to MAML with the same network."
)
PARAMETERS = {"model parameters": "model_parameters", "optimizer parameters": "optimizer_parameters"}
"""What stands beside a time, and what a record calls it."""
UNPRINTED = {
    ("arnold2021", True): ("Figures 3, B.2 and B.3", "Curves and bars, of which the paper prints no number."),
    ("arnold2021", False): (
        "Figures 4 and B.4",
        "Cells that no table prints, and one reading of our own (5 inner steps).",
    ),
    ("arnold2019", False): ("Further cells", "Cells that the experiments have, and no table prints."),
}
"""Title and remark of a paper's cells without a printed number, of linear models or of others."""
FIGURE_3 = {
    "LR": ("fig3-chance-{}", "fig3-linnet-{}"),
    "LR+LinNet": ("fig3-linnet-{}",),
    "upper bound": ("fig3-sufficient-{}",),
    image_results.COLLAPSED: ("b3-collapse-{}", "b4-collapse-{}"),
}
"""The claims that speak of the linear models in arnold2021's Figures 3, B.2 and B.3."""


@dataclass(frozen=True)
class Printed:
    """A number as printed: the standard deviation beside it, if there is one, its last digit's place, and a remark."""

    value: float
    deviation: float | None = None
    decimals: int = 3
    remark: str = ""


@dataclass(frozen=True)
class Measured:
    """A mean, and standard deviations over seeds and over test tasks; None where there is one seed, or no number by task."""

    value: float
    over_seeds: float | None
    over_tasks: float | None = None
    remark: str = ""


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        data, method, reading: of what; `reading` is empty where there is but one.
        printed: what the paper says, if it says a number.
        measured: what was measured; None where nothing was.
        beside: what gives the number its meaning, by name.
        record: of the run.
        protocol: how long it was meta-trained.
        command: what makes the record.
        claims: of those that judge it, the id and the part that is this number; no part where a claim only speaks of it.
        reason: why nothing was measured.
    """

    data: str
    method: str
    reading: str = ""
    printed: Printed | None = None
    measured: Measured | None = None
    beside: Mapping[str, float] = field(default_factory=dict)
    record: Record | None = None
    protocol: str = ""
    command: str = ""
    claims: tuple[tuple[str, str | None], ...] = ()
    reason: str = ""

    @property
    def stale(self) -> bool:
        """Whether there is a record, of another protocol than is declared now."""
        return "stale" in self.reason


@dataclass(frozen=True)
class Table:
    """The rows of one table or figure of a paper; `percent` where the numbers are accuracies."""

    paper: str
    title: str
    rows: tuple[Row, ...]
    percent: bool = True
    remark: str = ""

    @property
    def beside(self) -> tuple[str, ...]:
        """The names of what stands beside the measured numbers, in order."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.beside))


def tables() -> list[Table]:
    """All of them, in the papers' order.

    Raises:
        paper_checks.recorded.UnreadableRecord: a file of records is none.
    """
    on_images = image_results.rows()
    return [
        _regression(),
        *_of("arnold2021", on_images),
        *_of("arnold2019", on_images),
        _costs(),
        *(_adaptation(experiment) for experiment in EXPERIMENTS),
    ]


def _measured(by_seed: np.ndarray, per_task: np.ndarray | None = None, remark: str = "") -> Measured:
    def deviation(values: np.ndarray | None) -> float | None:
        return None if values is None or len(values) < 2 else float(values.std(ddof=1))

    mean = by_seed.mean() if per_task is None else per_task.mean()
    return Measured(float(mean), deviation(by_seed), deviation(per_task), remark)


# --- images: both Arnold papers -----------------------------------------------------------------------------------------


def _of(paper: str, listed: Iterable[image_results.Row]) -> Iterator[Table]:
    """A table for each place that prints an accuracy, then the cells without one."""
    own = {(row.data, row.method): row for row in listed if row.paper == paper}
    places: dict[str, list[Row]] = {}
    for (place, data, method), number in accuracies(paper).items():
        found = [_cell(own[data, method])] if data in DATASETS else _synthetic(place, method)
        decimals = 0 if number.reading_error > 0.001 else 1 if number.reading_error > 0.0001 else 2
        printed = Printed(number.value, number.standard_deviation, decimals)
        places.setdefault(place, []).extend(replace(row, printed=printed) for row in found)
    for place, rows in places.items():
        yield Table(paper, place, tuple(rows))
    for linear in (True, False):
        rest = tuple(_cell(row) for row in own.values() if not row.printed and row.linear == linear)
        if rest:
            title, remark = UNPRINTED[paper, linear]
            yield Table(paper, title, rest, remark=remark)


def _costs() -> Table:
    """Seconds and parameters of arnold2019's Table A3, against those of MAML with the same network."""
    printed, rows = times("arnold2019"), []
    for (data, method), seconds in printed.items():
        maml = f"{method.partition(' ')[0]} MAML"
        name, of_maml = (f"{DATASETS[data]} {each}" for each in (method, maml))
        row = Row(
            data,
            method,
            printed=Printed(seconds, decimals=2),
            beside={"printed, × MAML": seconds / printed[data, maml]},
            command=costs.command(DATASETS[data]),
            claims=((f"arnold2019.a4-times-{DATASETS[data]}", None),),
        )
        try:
            record = costs.read(name)
            beside = row.beside | {"measured, × MAML": costs.ratio(name, of_maml).value}
        except NotRun as reason:
            rows.append(replace(row, reason=str(reason)))
            continue
        details, told = record.details, record.configuration
        beside |= {each: float(details[key]) for each, key in PARAMETERS.items()}
        measured = Measured(details["median_seconds"], None)
        protocol = f"{told['rounds']} rounds of {told['tasks_per_step']} tasks"
        rows.append(replace(row, measured=measured, beside=beside, record=record, protocol=protocol))
    return Table("arnold2019", "Costs, A.4", tuple(rows), percent=False, remark=COSTS)


def _cell(row: image_results.Row) -> Row:
    known = Row(row.data, row.method, command=row.command, claims=_judging(row), reason=row.reason)
    if row.cell is None:
        return known
    record, lost = row.cell.record, int(row.cell.diverged.sum())
    beside = {
        name: float(row.cell.by_seed(f"test_accuracy_{key}").mean())
        for name, key in BESIDE.items()
        if row.whole and f"test_accuracy_{key}_per_seed" in record.details
    }
    return replace(
        known,
        measured=_measured(row.by_seed, row.cell.per_task() if row.whole else None, _lost(lost, record)),
        beside={**beside, CHANCE: row.cell.chance},
        record=record,
        protocol=_length(record.configuration["iterations"], record.configuration["tasks_per_step"]),
    )


def _judging(row: image_results.Row) -> tuple[tuple[str, str | None], ...]:
    dataset, paper = DATASETS[row.data], row.paper
    if row.linear and paper == "arnold2021":
        model = row.method.partition(",")[0] if row.whole else image_results.COLLAPSED
        return tuple((f"{paper}.{id.format(dataset)}", None) for id in FIGURE_3[model])
    part = row.setting if row.linear else row.method
    return tuple((f"{paper}.{LEVELS[paper][place].format(dataset)}", part) for place, _ in row.printed)


def _lost(lost: int, record: Record) -> str:
    return f"{lost} of {len(record.seeds)} seeds diverged, counted as a guess" if lost else ""


def _length(iterations: int, tasks: int) -> str:
    return f"{iterations:,} × {tasks} task{'s' * (tasks != 1)}" if iterations else "each task by itself"


# --- arnold2019: logistic regression on synthetic tasks -----------------------------------------------------------------


def _synthetic(place: str, method: str) -> Iterator[Row]:
    """A row for each reading of what the paper leaves open; of Figure 1, for the main one."""
    (key,) = (key for key, name in synthetic.METHODS.items() if name == method)
    model = synthetic.RECORDS[key]
    every = [n for n in synthetic_records.names(synthetic.SYNTHETIC) if n.partition(",")[0].split()[0] == model]
    main = {model: "", model + synthetic.TENTH: "-tenth"}
    for name in every if place == "Table 1" else main:
        known = Row(
            "Synthetic",
            method,
            name.removeprefix(model).strip(" ,") or "fresh points",
            command=synthetic_records.command(synthetic.SYNTHETIC),
        )
        if place == "Figure 1":
            known = replace(known, claims=(("arnold2019.fig1-linnet", "accuracy" + name.removeprefix(model)),))
        elif name in main:
            known = replace(known, claims=((f"arnold2019.t1-{key}{main[name]}", "accuracy"),))
        else:
            known = replace(known, claims=(("arnold2019.t1-readings", None),))
        yield _filled(known, name)


def _filled(known: Row, name: str) -> Row:
    try:
        record = synthetic_records.read(synthetic.SYNTHETIC, name)
    except NotRun as reason:
        return replace(known, reason=str(reason))
    per_task, by_seed, _ = synthetic_records.accuracies(synthetic.SYNTHETIC, name)
    lost = sum(at is not None for at in record.details["diverged_at"])
    beside = {}
    if plain := record.final.get("test_accuracy_without_adaptation"):
        beside[PLAIN] = plain.value
    if "one set" not in name:  # of points that all tasks share, nothing is known exactly
        points = 500 if "500 + 500" in name else synthetic.POINTS
        beside[ONE_STEP] = synthetic.exact(points, on_support="same points" in name)
    tier = record.configuration["tier"]
    return replace(
        known,
        measured=_measured(by_seed, per_task, _lost(lost, record)),
        beside={**beside, CHANCE: synthetic_records.GUESS},
        record=record,
        protocol=_length(tier["iterations"], record.configuration["tasks_per_step"]),
    )


# --- arnold2021: regression ---------------------------------------------------------------------------------------------


def _regression() -> Table:
    rows = []
    for name, points in {**figure1_left.SHALLOW, **figure1_left.DEEP}.items():
        shallow = name in figure1_left.SHALLOW
        model, _, reading = name.partition(", ")
        claims = [f"arnold2021.fig1-left-{'shallow' if shallow else 'deep'}{end}" for end in ("", "-exact")]
        known = Row(
            "1-D regression",
            model,
            reading or "the expectation of a task",
            command=figure1_left.COMMAND,
            claims=tuple((claim, name) for claim in claims),
        )
        try:
            record = figure1_left.read(name)
        except NotRun as reason:
            rows.append(replace(known, reason=str(reason)))
            continue
        by_seed = np.array(record.learning_curve["test_error"])[:, -1]
        told = record.configuration
        rows.append(
            replace(
                known,
                measured=_measured(by_seed, np.array(record.details["test_error_per_task"])),
                beside={EXACT_END: float(figure1_left.exact(points, best_rate=not shallow)), "nothing learned": 2.0},
                record=record,
                protocol=_length(told["iterations"], told["tasks_per_step"]),
            )
        )
    remark = (
        "E(y − ŷ)² after one step, without the factor ½, noise included: 1 is the noise. A curve; no number is printed."
    )
    return Table("arnold2021", "Figure 1 (left)", tuple(rows), percent=False, remark=remark)


# --- chen2019: losses along adaptation ----------------------------------------------------------------------------------


def _adaptation(experiment: str) -> Table:
    rows = [row for each in results("chen2019") if each.experiment == experiment for row in _losses(each)]
    remark = "The loss ½ Σ ((x − μ)/ξ)² per observation. A printed number is read off its figure, to the precision beside it."
    return Table(
        "chen2019", f"{EXPERIMENTS[experiment]} (Figures 3, 6 and 7)", tuple(rows), percent=False, remark=remark
    )


def _losses(published: Result) -> list[Row]:
    """The least loss of a curve and the last one, as far as the paper shows them."""
    experiment, method = published.experiment, published.method
    shown = {
        "least": (published.minimum, published.minimum_step, "best"),
        "last": (published.last, published.last_step, "last"),
    }
    data, command = EXPERIMENTS[experiment], shrinkage_records.command(experiment)
    rows = {}
    for part, (value, step, _) in shown.items():
        claim = (f"chen2019.{published_results.claim_id(published)}", part)
        if (experiment, method) == published_results.ERRATIC:
            claim = ("chen2019.exp2-joint-map", None)
        printed = None if value is None else Printed(value, remark=f"step {step:g}, to {published.reading_error:g}")
        if printed is not None:
            rows[part] = Row(data, method, f"{part} loss", printed, command=command, claims=(claim,))
    try:
        record = shrinkage_records.read(experiment, method)
    except NotRun as reason:
        return [replace(row, reason=str(reason)) for row in rows.values()]
    beside: dict[str, float] = {PLAIN: shrinkage_records.level_at(experiment, method, 0).value}
    exact = None
    if experiment == "linear":
        exact = exact_experiment1.exact_curve(method)
        beside[BAYES] = exact_experiment1.bayes_risk(record)
    protocol = _length(record.configuration["tier"]["iterations"], record.configuration["tasks_per_step"])
    found = []
    for part, row in rows.items():
        per_task, by_seed, at = shrinkage_records.losses(experiment, method, shown[part][2])
        measured = _measured(by_seed, per_task, f"step {at}")
        own = beside if exact is None else {**beside, LEARNED: float(exact[at])}
        found.append(replace(row, measured=measured, beside=own, record=record, protocol=protocol))
    return found
