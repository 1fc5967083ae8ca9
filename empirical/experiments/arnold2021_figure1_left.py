"""arnold2021, Figure 1 (left): 1-D regression, shallow against deep, test error after one adaptation step.

The paper gives the learning rates and the momentum (Appendix D). Its loss is an expectation over a task's points (Section 4.1): the
population is the main reading, 10 or 100 points drawn for each task stand beside it. "Two or three linear layers" (Section 4.3) are
both run, and the shallow model is started near, at and far from its solution. The number of tasks per meta-iteration and the length are
this file's choice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..optimizers import MOMENTUM
from ..records import Metric, Record, environment
from ..regression_training import meta_train
from ..tasks.regression import RegressionTasks
from .methods import rounded

ID = "arnold2021/figure1-left"
SUMMARY = "1-D regression: post-adaptation test error of the shallow and the deep model"
TIERS = {
    "smoke": dict(iterations=100, evaluate_every=25, test_tasks=200, runs=3),
    "lite": dict(iterations=1000, evaluate_every=25, test_tasks=400, runs=3),
    "full": dict(iterations=3000, evaluate_every=25, test_tasks=1000, runs=10),
}
TASKS = RegressionTasks()
INITIAL_SEED = 2_000_000  # keeps the initial weights apart from the tasks that the same seed draws
TRAINING = dict(inner_lr=0.1, outer_lr=0.01, steps=1, tasks_per_step=16)


@dataclass(frozen=True)
class Setting:
    """One reading.

    Attributes:
        depth: linear layers; 1 is the shallow model.
        points: drawn for each task and set; None takes the population.
        start: the standard deviation of the initial weights.
    """

    depth: int
    points: int | None = None
    start: float = 1.0


MODELS = {"shallow": 1, "deep": 2, "three layers": 3}
SETTINGS = {name: Setting(depth) for name, depth in MODELS.items()}
SETTINGS |= {"shallow, from 0": Setting(1, start=0.0), "shallow, from N(0, 100)": Setting(1, start=10.0)}
SETTINGS |= {
    f"{name}, {points} points": Setting(depth, points) for points in (10, 100) for name, depth in MODELS.items()
}


def declaration(name: str, tier: str) -> dict[str, Any]:
    """What a setting's record says of its protocol, as plain JSON data."""
    setting = SETTINGS[name]
    points = setting.points or "population"
    data = {"tasks": vars(TASKS), "support": points, "query": points, "test_query": "population"}
    model = {"model": name.split(",")[0], "depth": setting.depth, "start": setting.start}
    return model | data | {"optimizer": "SGD", "momentum": MOMENTUM} | TRAINING | TIERS[tier]


def run(
    tier: str, *, device: str = "cpu", seed: int = 0, progress: Callable[[str], None] | None = None
) -> list[Record]:
    """Meta-train every setting from random starts, with the seeds seed, seed + 1, ...; one record each."""
    settings = dict(TIERS[tier])
    seeds = list(range(seed, seed + settings.pop("runs")))
    records = []
    for name, setting in SETTINGS.items():
        began = time.perf_counter()
        initial = setting.start * torch.stack(
            [
                torch.randn(
                    setting.depth, generator=torch.Generator().manual_seed(INITIAL_SEED + s), dtype=torch.float64
                )
                for s in seeds
            ]
        )
        result = meta_train(
            initial,
            TASKS,
            **TRAINING,
            **settings,
            support=setting.points,
            query=setting.points,
            seeds=seeds,
            device=device,
            progress=_named(progress, name),
        )
        records.append(
            Record(
                experiment=ID,
                setting=name,
                tier=tier,
                configuration=declaration(name, tier),
                seeds=seeds,
                initialisation=f"every weight from N(0, {setting.start**2:g})" if setting.start else "every weight 0",
                parameter_count=setting.depth,
                learning_curve={
                    "meta_iteration": result.evaluated_at.tolist(),
                    "test_error": result.test_error.T.tolist(),
                },
                final={"test_error": Metric.over(result.test_error[-1], "seeds")},
                wall_time_s=time.perf_counter() - began,
                environment=environment(device, initial.dtype),
                details={
                    "test_error_is": "E(y - yhat)^2 after adaptation, no factor 1/2, noise variance included",
                    "noise_variance": TASKS.v,
                    "test_error_per_task": rounded(result.test_error_per_task.mean(axis=0)),
                    "initial_weights": initial.tolist(),
                    "final_weights": result.final.tolist(),
                },
            )
        )
    return records


def _named(progress: Callable[[str], None] | None, name: str) -> Callable[[str], None] | None:
    return None if progress is None else lambda line: progress(f"{name}, {line}")
