"""arnold2021, Figure 1 (left): 1-D regression, shallow against deep, test error after one adaptation step.

The paper gives the learning rates and the momentum (Appendix D); the number of tasks per meta-iteration, the
length and the initialisation are this file's choice.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from ..optimizers import MOMENTUM
from ..records import Metric, Record, environment
from ..regression_training import meta_train
from ..tasks.regression import RegressionTasks

ID = "arnold2021/figure1-left"
SUMMARY = "1-D regression: post-adaptation test error of the shallow and the deep model"
TIERS = {
    "smoke": dict(iterations=100, evaluate_every=25, test_tasks=200, runs=3),
    "full": dict(iterations=3000, evaluate_every=25, test_tasks=1000, runs=10),
}
TASKS = RegressionTasks()
INITIAL_SEED = 2_000_000  # keeps the initial weights apart from the tasks that the same seed draws
DEPTHS = {"shallow": 1, "deep": 2}
TRAINING = dict(inner_lr=0.1, outer_lr=0.01, steps=1, tasks_per_step=16)


def run(
    tier: str, *, device: str = "cpu", seed: int = 0, progress: Callable[[str], None] | None = None
) -> list[Record]:
    """Meta-train both models from random starts, with the seeds seed, seed + 1, ...; one record each."""
    settings = dict(TIERS[tier])
    seeds = list(range(seed, seed + settings.pop("runs")))
    records = []
    for name, depth in DEPTHS.items():
        began = time.perf_counter()
        initial = torch.stack(
            [
                torch.randn(depth, generator=torch.Generator().manual_seed(INITIAL_SEED + s), dtype=torch.float64)
                for s in seeds
            ]
        )
        result = meta_train(
            initial,
            TASKS,
            **TRAINING,
            **settings,
            seeds=seeds,
            device=device,
            progress=_named(progress, name),
        )
        records.append(
            Record(
                experiment=ID,
                setting=name,
                tier=tier,
                configuration={"model": name, "depth": depth, "tasks": vars(TASKS), "support": "population"}
                | {"query": "population", "optimizer": "SGD", "momentum": MOMENTUM}
                | TRAINING
                | settings,
                seeds=seeds,
                initialisation="every weight from N(0, 1)",
                parameter_count=depth,
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
                    "initial_weights": initial.tolist(),
                    "final_weights": result.final.tolist(),
                },
            )
        )
    return records


def _named(progress: Callable[[str], None] | None, name: str) -> Callable[[str], None] | None:
    return None if progress is None else lambda line: progress(f"{name}, {line}")
