"""Made-up records of chen2019's experiments: smooth curves near the published ones, one that leaves the picture, one that ends."""

import sys
from pathlib import Path

import numpy as np
import pytest

from empirical.records import Metric, Record, write
from paper_checks.published import curve, curves

# made_records, which the tests of the claims about images share
sys.path.insert(0, str(Path(__file__).parents[1] / "paper_checks"))

SEEDS, TASKS = 3, 1000
SHOWN = {"linear": ("3a", "6a", "7a"), "spiral": ("3b", "6b", "7b")}
STEPS = {"linear": 200, "spiral": 1000}
MODULES = ("MAML", "M-MAML", "Shrinkage", "M-Shrinkage")


def fake_record(experiment: str, method: str) -> Record:
    """A record of the promised shape; the numbers are the published ones, moved and shaken a little."""
    generator = np.random.default_rng(0)
    step = np.arange(STEPS[experiment] + 1)
    (figure,) = (name for name in SHOWN[experiment] if method in curves("chen2019", name))
    steps, values = curve("chen2019", figure, method)
    loss = np.interp(step, steps, values) + 0.6 * np.exp(-step / 8) + 0.02
    losses = [[float(x) for x in loss + shift] for shift in generator.normal(0, 0.004, SEEDS)]
    if (experiment, method) == ("spiral", "M-Shrinkage joint MAP"):
        losses[1][430:] = [None] * (len(step) - 430)
    details = {
        "test": {"step": step.tolist(), "loss": losses, "standard_error": [0.05] * len(step)},
        "per_task": {"best": [5.4] * TASKS, "last": [5.5] * TASKS},
        "best_step": int(loss.argmin()),
        "learned": {"phi": [[1.0] * 8] * SEEDS, "sigma": None, "inner_lr": None},
        "search": [{"configuration": {"inner_lr": 0.1}, "validation_loss": None, "diverged": True}],
    }
    if experiment == "linear" and method in MODULES:
        dimensions = [curve("chen2019", "5", f"{method} dim{m}") for m in range(1, 9)]
        errors = np.array([np.interp(step, *dimension) for dimension in dimensions]).T
        details["error_per_dimension"] = (1.03 * errors).tolist()
    final = {"test_loss": Metric.over([x[0] for x in losses], "seeds")}
    configuration = {"inner_lr": 0.1}
    return Record(
        f"chen2019/{experiment}", method, "full", configuration, [0, 1, 2], "", 8, {}, final, 1.0, {}, details
    )  # fmt: skip


@pytest.fixture(scope="session")
def fake_results(tmp_path_factory) -> Path:
    """A folder of made-up records."""
    folder = tmp_path_factory.mktemp("results")
    for experiment, figures in SHOWN.items():
        methods = [method for figure in figures for method in curves("chen2019", figure)]
        write(folder / "chen2019" / f"{experiment}.jsonl", [fake_record(experiment, method) for method in methods])
    return folder
