"""What the claims about chen2019's experiments read from the recorded runs, as numbers with their standard errors."""

from __future__ import annotations

from math import hypot, inf, pi, sqrt
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
    "losses",
    "module_error",
    "overfitting",
    "paired",
    "read",
    "settling_step",
    "validation_difference",
]


def command(experiment: str) -> str:
    """The command that makes an experiment's record."""
    return f"python -m empirical run chen2019/{experiment} --tier full"


def _records(experiment: str) -> dict[str, Record]:
    try:
        return recorded.read(f"chen2019/{experiment}")
    except recorded.MissingRecord as error:
        raise NotRun(str(error)) from None


def read(experiment: str, method: str) -> Record:
    """A method's record of the full tier. Raises NotRun where there is none, or one of another protocol."""
    from empirical.experiments import EXPERIMENTS
    from empirical.experiments.chen2019 import declaration, horizons

    found = _records(experiment).get(method)
    if found is None:
        raise NotRun(f"the record of chen2019/{experiment} has no {method}")
    module = EXPERIMENTS[f"chen2019/{experiment}"]
    tier = module.TIERS["full"]
    declared = declaration(module.PROTOCOL, tier, method)
    differing = [name for name, value in declared.items() if found.configuration.get(name) != value]
    if {c["configuration"]["steps"] for c in found.details["search"]} != set(horizons(module.PROTOCOL, tier, method)):
        differing.append("horizons")
    if found.tier != "full" or differing:
        what = " and ".join(differing) or "tier"
        raise NotRun(
            f"the record of {method} in chen2019/{experiment} is stale: its {what} differ from what is declared now"
        )
    return found


def _estimate(per_task: np.ndarray, by_seed: np.ndarray, evidence: str) -> Estimate:
    """A mean over test tasks and training seeds; its standard error has a part from either."""
    tasks = per_task.std(ddof=1) / sqrt(per_task.size)
    seeds = by_seed.std(ddof=1) / sqrt(by_seed.size) if by_seed.size > 1 else 0.0
    return Estimate(float(per_task.mean()), hypot(tasks, seeds), evidence)


def losses(experiment: str, method: str, when: str) -> tuple[np.ndarray, np.ndarray, int]:
    """The loss at the "best" or the "last" step: of each test task, over the seeds; of each seed, over the tasks; and the step."""
    details = read(experiment, method).details
    step = details["best_step" if when == "best" else "last_finite_step"]
    by_seed = np.array(details["test"]["loss"], dtype=float)[:, step]
    return np.array(details["per_task"][when], dtype=float), by_seed, step


def _seeds_shown(by_seed: np.ndarray) -> str:
    return ", by seed " + ", ".join(f"{value:.3f}" for value in by_seed)


def least(experiment: str, method: str) -> Estimate:
    """The test loss at the step at which its mean is least."""
    per_task, by_seed, step = losses(experiment, method, "best")
    return _estimate(per_task, by_seed, f"at step {step}{_seeds_shown(by_seed)}")


def end(experiment: str, method: str) -> Estimate:
    """The test loss after the last adaptation step."""
    per_task, by_seed, step = losses(experiment, method, "last")
    return _estimate(per_task, by_seed, f"at step {step}{_seeds_shown(by_seed)}")


def paired(experiment: str, first: tuple[str, str], second: tuple[str, str], most: float = inf) -> Estimate:
    """The mean over the test tasks of one loss minus another, each (method, "best" or "last"), on the same tasks.

    A difference above `most` counts as `most`, so that a few tasks in which one method blows up do not hide the rest.
    Raises NotRun where the two were not tested on the same tasks.
    """
    records = [read(experiment, method) for method, _ in (first, second)]
    if len({(tuple(record.seeds), record.environment["device"]) for record in records}) > 1:
        raise NotRun(
            f"{first[0]} and {second[0]} were run with other seeds or on other devices, hence not on the same tasks"
        )
    (ours, our_seeds, _), (theirs, their_seeds, _) = (losses(experiment, *one) for one in (first, second))
    by_seed = np.minimum(our_seeds - their_seeds, most)
    name = f"{first[0]}, {first[1]} step, minus {second[0]}, {second[1]} step{_seeds_shown(by_seed)}"
    return _estimate(np.minimum(ours - theirs, most), by_seed, name)


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


def overfitting(method: str) -> Estimate:
    """By how much |θ̂_m − θ_m| ends above its least in Experiment 1, in the dimension in which that is most."""
    found = read("linear", method).details["overfitting_per_dimension"]
    m = int(np.argmax(found["value"]))
    return Estimate(found["value"][m], found["standard_error"][m], f"dimension {m + 1}")


def dimension_errors(method: str) -> np.ndarray:
    """Mean |θ̂_m − θ_m| over test tasks and seeds: (steps + 1, M)."""
    return np.array(read("linear", method).details["error_per_dimension"], dtype=float)


def module_error(method: str, dimensions: list[int], when: str) -> Estimate:
    """Mean |θ̂_m − θ_m| over some dimensions, each at the step where it is "least" or at the "last" one.

    |error| of a centred normal has the standard deviation √(π/2 − 1) times its mean; the dimensions are taken as fully correlated,
    which makes the standard error rather too large.
    """
    errors = dimension_errors(method)[:, dimensions]
    values = errors.min(axis=0) if when == "least" else errors[-1]
    tasks = read("linear", method).configuration["tier"]["test_tasks"]
    return Estimate(
        float(values.mean()), float(values.mean() * sqrt((pi / 2 - 1) / tasks)), ", ".join(f"{v:.3f}" for v in values)
    )


def failing_share(experiment: str, method: str, more_than: int, at_most: int = 10**9) -> Estimate:
    """The share of the search's settings with K in (more_than, at_most] that diverged or ended worse than the untrained start."""
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
    change = np.array(found[longer]) - np.array(found[shorter])
    return Estimate(
        float(change.mean()), float(change.std(ddof=1) / sqrt(change.size)), f"K = {longer} minus K = {shorter}"
    )
