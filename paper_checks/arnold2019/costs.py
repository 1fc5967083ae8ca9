"""Section A.4 and Table A3: what a meta-step takes, from recorded times that were taken in turn; and what inference takes."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from .. import recorded
from ..framework import Above, Below, Estimate, Measurement, NotRun
from ..image_records import cell
from ..published import TITLES
from .paper import PAPER

if TYPE_CHECKING:
    from empirical.records import Record

__all__ = ["EXPERIMENT", "command", "ratio", "read"]

EXPERIMENT = "arnold2019/costs"
PAIRS = (
    ((4, "KFC"), (4, "MAML")),
    ((2, "KFC"), (2, "MAML")),
    *(pair for rank in ("CFC1", "CFC10") for pair in (((2, rank), (2, "MAML")), ((2, "KFC"), (2, rank)))),
)
"""Of the printed seconds, the first takes longer."""


def command(dataset: str) -> str:
    """What makes the record of a data set."""
    return f"python -m empirical run {EXPERIMENT} --tier full --method {dataset}"


def read(name: str) -> Record:
    """A cell's record. Raises NotRun where there is none, or one of another protocol."""
    from empirical.experiments import EXPERIMENTS

    module = EXPERIMENTS[EXPERIMENT]
    try:
        found = recorded.read(EXPERIMENT).get(name)
    except recorded.MissingRecord as missing:
        raise NotRun(str(missing)) from None
    if found is None:
        raise NotRun(f"the record of {EXPERIMENT} has no {name}")
    if found.tier != "full" or found.configuration != module.declaration(name, module.TIERS["full"]):
        raise NotRun(f"the record of {name} is stale: its protocol is not what is declared now")
    return found


def ratio(first: str, second: str) -> Estimate:
    """How many times as long the first cell's meta-step takes, a mean over rounds. Raises NotRun where they were not timed in turn, too."""
    records = [read(name) for name in (first, second)]
    if records[0].details["fingerprint"] != records[1].details["fingerprint"]:
        raise NotRun(f"{first} and {second} were not timed in turn: run them together")
    above, below = (np.array(record.learning_curve["seconds"]) for record in records)
    ratios = above / below
    told = ", ".join(f"{record.setting} {record.details['median_seconds']:g} s" for record in records)
    return Estimate(
        float(ratios.mean()), float(ratios.std(ddof=1)) / sqrt(len(ratios)), f"medians of {len(ratios)} rounds: {told}"
    )


def _order(dataset: str) -> Measurement:
    """That steps take longer in the order of the printed seconds."""
    pairs = {f"CNN({a[0]}) {a[1]} / CNN({b[0]}) {b[1]}": (cell(dataset, *a), cell(dataset, *b)) for a, b in PAIRS}
    return Measurement(
        lambda: {part: ratio(*names) for part, names in pairs.items()},
        dict.fromkeys(pairs, Above(1.0)),
        dict.fromkeys(pairs, Below(1.0)),
        command(dataset),
        note="No sentence says so: it is the order of the printed seconds, which are of other code and hardware. Ours are of methods timed "
        "in turn, none of them compiled. Times of separate runs, which were compared before, differ by more than the methods do",
    )


for _d, _title in TITLES.items():
    PAPER.claim(
        f"a4-times-{_d}",
        "A.4",
        f"Table A3, {_title}: a meta-step with KFC takes longer than with MAML, and one with CFC lies between",
    )(lambda d=_d: _order(d))

PAPER.definition(
    "a4-inference",
    "A.4",
    "inference time is identical across methods for models of the same size",
    "after adaptation every method leaves the same network, and its meta-optimizer is not called any more: true by construction, here as "
    "there, and nothing that a run could contradict",
)
