"""What the claims about the synthetic classification experiments read from the recorded runs, as numbers with standard errors.

A run that diverged counts with the accuracy of a guess, 1/2: its last weights are no result of meta-learning.
"""

from __future__ import annotations

from math import hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np

from .. import recorded
from ..framework import Estimate, NotRun

if TYPE_CHECKING:
    from empirical.experiments.logistic import Setting
    from empirical.records import Record

__all__ = ["accuracies", "accuracy", "command", "difference", "divergence", "extreme", "names", "read", "training_gap"]

GUESS = 0.5


def command(experiment: str) -> str:
    """The command that makes an experiment's record."""
    return f"python -m empirical run {experiment} --tier full"


def _records(experiment: str) -> dict[str, Record]:
    try:
        return recorded.read(experiment)
    except recorded.MissingRecord as error:
        raise NotRun(str(error)) from None


def _declared(experiment: str) -> dict[str, tuple[Setting, str, float]]:
    """Setting, start and scale of the outer rate, by the name that its record has."""
    from empirical.experiments import EXPERIMENTS

    settings = EXPERIMENTS[experiment].SETTINGS
    return {
        name + addition: (setting, start, scale)
        for name, setting in settings.items()
        for start, scale, addition in setting.variants()
    }


def names(experiment: str) -> list[str]:
    """The names of all records that an experiment leaves."""
    return list(_declared(experiment))


def read(experiment: str, name: str) -> Record:
    """A record of the full tier. Raises NotRun where there is none, or one of another protocol."""
    from empirical.experiments import EXPERIMENTS
    from empirical.experiments.logistic import declaration

    found = _records(experiment).get(name)
    if found is None:
        raise NotRun(f"the record of {experiment} has no {name}")
    declared = declaration(*_declared(experiment)[name], EXPERIMENTS[experiment].TIERS["full"])
    differing = [key for key, value in declared.items() if found.configuration.get(key) != value]
    if found.tier != "full" or differing:
        what = " and ".join(differing) or "tier"
        raise NotRun(f"the record of {name} in {experiment} is stale: its {what} differ from what is declared now")
    return found


def accuracies(experiment: str, name: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Test accuracies at the end: of each task, the mean over seeds; of each seed, the mean over tasks; what to say of it."""
    found = read(experiment, name)
    last = found.learning_curve["test_accuracy"][-1]
    by_seed = np.array([GUESS if value is None else value for value in last])
    diverged = sum(value is None for value in last)
    tasks = found.configuration["tier"]["test_tasks"]
    per_task = np.array(found.details["test_accuracy_per_task"] or [GUESS] * tasks)
    per_task = (per_task * (len(last) - diverged) + GUESS * diverged) / len(last)
    told = f", {diverged} of {len(last)} seeds diverged, counted as {GUESS:g}" if diverged else ""
    return per_task, by_seed, name + told


def _estimate(per_task: np.ndarray, by_seed: np.ndarray, evidence: str) -> Estimate:
    """A mean over test tasks and seeds; its standard error has a part from either."""
    over_tasks = per_task.std(ddof=1) / sqrt(len(per_task))
    over_seeds = by_seed.std(ddof=1) / sqrt(len(by_seed)) if len(by_seed) > 1 else 0.0
    return Estimate(float(per_task.mean()), float(hypot(over_tasks, over_seeds)), evidence)


def accuracy(experiment: str, name: str) -> Estimate:
    """The test accuracy at the end of meta-training."""
    return _estimate(*accuracies(experiment, name))


def difference(experiment: str, first: str, second: str) -> Estimate:
    """The first's test accuracy minus the second's, paired: both meet the same test tasks and the same seeds."""
    for key in ("tasks", "test_query"):
        if len({str(read(experiment, name).configuration[key]) for name in (first, second)}) > 1:
            raise ValueError(f"{first} and {second} of {experiment} are tested on other data: no pairs")
    ours, theirs = accuracies(experiment, first), accuracies(experiment, second)
    return _estimate(ours[0] - theirs[0], ours[1] - theirs[1], f"{ours[2]}, minus {theirs[2]}")


def extreme(experiment: str, among: list[str], pick=max) -> Estimate:
    """The greatest (or least) test accuracy among some settings."""
    return pick((accuracy(experiment, name) for name in among), key=lambda estimate: estimate.value)


def training_gap(experiment: str, name: str) -> Estimate:
    """|training − test accuracy| at the end, the former over the last stretch of meta-training, before each task is learned from."""
    per_task, by_seed, told = accuracies(experiment, name)
    row = read(experiment, name).learning_curve["training_accuracy"][-1]
    training = np.array([GUESS if value is None else value for value in row])
    gap = abs(training.mean() - per_task.mean())
    error = _estimate(per_task, by_seed, "").standard_error
    return Estimate(float(gap), error, f"{told}: training {training.mean():.4f}, test {per_task.mean():.4f}")


def divergence(experiment: str, name: str) -> Estimate:
    """The meta-iteration at which the last seed left the finite numbers; all of them where one did not."""
    found = read(experiment, name)
    end = found.configuration["tier"]["iterations"]
    at = [end if value is None else value for value in found.details["diverged_at"]]
    return Estimate(float(max(at)), 0.0, f"{name}: seeds diverged at {', '.join(map(str, at))} of {end:,}")
