"""What the claims about chen2019's experiments read from the recorded runs, as numbers with their standard errors."""

from __future__ import annotations

from functools import cache
from math import hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np

from .. import recorded
from ..framework import Estimate, NotRun

if TYPE_CHECKING:
    from empirical.records import Record

__all__ = [
    "command",
    "difference",
    "dimension_errors",
    "end",
    "failing_share",
    "least",
    "level_at",
    "overfitting",
    "paired",
    "read",
    "settling_step",
    "validation_difference",
]


def command(experiment: str) -> str:
    """The command that makes an experiment's record."""
    return f"python -m empirical run chen2019/{experiment} --tier full"


@cache
def _records(experiment: str) -> dict[str, Record]:
    try:
        return recorded.read(f"chen2019/{experiment}")
    except recorded.MissingRecord as error:
        raise NotRun(str(error)) from None


def read(experiment: str, method: str) -> Record:
    """A method's record of the full tier. Raises NotRun where there is none, or one of another protocol."""
    from empirical.experiments import EXPERIMENTS

    found = _records(experiment).get(method)
    if found is None:
        raise NotRun(f"the record of chen2019/{experiment} has no {method}")
    protocol = EXPERIMENTS[f"chen2019/{experiment}"].PROTOCOL
    declared = {
        name: list(value) if isinstance(value, tuple) else value for name, value in vars(protocol.tasks).items()
    }
    if found.tier != "full" or found.configuration["tasks"] != declared:
        raise NotRun(
            f"the record of {method} in chen2019/{experiment} is stale: it is of another tier or task distribution"
        )
    return found


def _mean(values: np.ndarray, evidence: str) -> Estimate:
    return Estimate(float(values.mean()), float(values.std(ddof=1) / sqrt(values.size)), evidence)


def _per_task(experiment: str, method: str, when: str) -> np.ndarray:
    return np.array(read(experiment, method).details["per_task"][when], dtype=float)


def least(experiment: str, method: str) -> Estimate:
    """The test loss at the step at which its mean is least, over the test tasks."""
    step = read(experiment, method).details["best_step"]
    return _mean(_per_task(experiment, method, "best"), f"at step {step}")


def end(experiment: str, method: str) -> Estimate:
    """The test loss after the last adaptation step, over the test tasks."""
    step = read(experiment, method).details["last_finite_step"]
    return _mean(_per_task(experiment, method, "last"), f"at step {step}")


def paired(experiment: str, first: tuple[str, str], second: tuple[str, str]) -> Estimate:
    """The mean over the test tasks of one loss minus another, each (method, "best" or "last")."""
    difference = _per_task(experiment, *first) - _per_task(experiment, *second)
    return _mean(difference, f"{first[0]}, {first[1]} step, minus {second[0]}, {second[1]} step, on the same tasks")


def level_at(experiment: str, method: str, step: int) -> Estimate:
    """The mean test loss after a number of steps, of the average over the training seeds."""
    test = read(experiment, method).details["test"]
    return Estimate(
        float(np.array(test["loss"], dtype=float)[:, step].mean()), test["standard_error"][step], f"step {step}"
    )


def settling_step(experiment: str, method: str, share: float = 0.95) -> Estimate:
    """The first step at which this share of the curve's whole improvement is reached."""
    curve = np.nanmean(np.array(read(experiment, method).details["test"]["loss"], dtype=float), axis=0)
    goal = curve[0] - share * (curve[0] - np.nanmin(curve))
    return Estimate(
        float(np.argmax(curve <= goal)),
        0.0,
        f"{share:.0%} of the improvement from {curve[0]:.3f} to {np.nanmin(curve):.3f}",
    )


def overfitting(method: str, pick: str) -> Estimate:
    """By how much |θ̂_m − θ_m| ends above its least in Experiment 1: in the dimension where that is most, or where it is least."""
    found = read("linear", method).details["overfitting_per_dimension"]
    m = int((np.argmax if pick == "most" else np.argmin)(found["value"]))
    return Estimate(found["value"][m], found["standard_error"][m], f"dimension {m + 1}")


def dimension_errors(method: str) -> np.ndarray:
    """Mean |θ̂_m − θ_m| over test tasks and seeds: (steps + 1, M)."""
    return np.array(read("linear", method).details["error_per_dimension"], dtype=float)


def failing_share(experiment: str, method: str, more_than: int, at_most: int = 10**9) -> Estimate:
    """The share of the search's settings with K in (more_than, at_most] that diverged or ended worse than no adaptation."""
    tried = [
        c for c in read(experiment, method).details["search"] if more_than < c["configuration"]["steps"] <= at_most
    ]
    failed = sum(c["diverged"] or c["worse_than_start"] for c in tried)
    # Laplace's rule keeps the error of 0 or all of a few from being 0
    share = (failed + 1) / (len(tried) + 2)
    return Estimate(failed / len(tried), sqrt(share * (1 - share) / len(tried)), f"{failed} of {len(tried)}")


def difference(first: Estimate, second: Estimate) -> Estimate:
    """Of two independent numbers."""
    return Estimate(
        first.value - second.value,
        hypot(first.standard_error, second.standard_error),
        f"{first.evidence} against {second.evidence}",
    )


def validation_difference(experiment: str, method: str, longer: int, shorter: int) -> Estimate:
    """The best setting's validation loss after K = `longer` steps of meta-training minus that after `shorter`, on the same tasks."""
    found = {h["steps"]: h["best_per_task"] for h in read(experiment, method).details["horizons"]}
    if found.get(longer) is None or found.get(shorter) is None:
        raise NotRun(f"no setting of {method} with K = {longer} or {shorter} stayed finite")
    return _mean(np.array(found[longer]) - np.array(found[shorter]), f"K = {longer} minus K = {shorter}")
