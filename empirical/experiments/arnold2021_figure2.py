"""arnold2021, Figure 2: four meta-training trajectories of the deep model, one into each minimum.

The minima of its MAML loss are (+-1/sqrt(alpha), 0) and (0, +-1/sqrt(alpha)). Along the valley that leads to
them the curvature is only 3 alpha^3, so most iterations are spent on its last stretch. The paper gives the
learning rates and the momentum (Appendix D); starts, length and the number of tasks per meta-iteration are
this file's choice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch

from ..optimizers import MOMENTUM
from ..records import Metric, Record, environment
from ..regression_training import meta_train
from ..tasks.regression import RegressionTasks

ID = "arnold2021/figure2"
SUMMARY = "1-D regression: four meta-training trajectories of the deep model and the minima they end in"
TIERS = {
    "smoke": dict(iterations=200, evaluate_every=100, test_tasks=200, keep_trajectory_every=10),
    "full": dict(iterations=30_000, evaluate_every=500, test_tasks=1000, keep_trajectory_every=5),
}
TASKS = RegressionTasks()
TRAINING = dict(inner_lr=0.1, outer_lr=0.01, steps=1, tasks_per_step=16)
STARTS = [(1.5, 0.9), (-0.9, 1.5), (-1.5, -0.9), (0.9, -1.5)]
"""Off the axes; the weight that is larger at the start grows into the minimum on its own axis."""


def run(
    tier: str, *, device: str = "cpu", seed: int = 0, progress: Callable[[str], None] | None = None
) -> list[Record]:
    """Meta-train the deep model from the four starts, with the seeds seed ... seed + 3; one record."""
    began = time.perf_counter()
    settings = TIERS[tier]
    seeds = list(range(seed, seed + len(STARTS)))
    initial = torch.tensor(STARTS, dtype=torch.float64)
    result = meta_train(initial, TASKS, **TRAINING, **settings, seeds=seeds, device=device, progress=progress)
    radius = 1 / math.sqrt(TRAINING["inner_lr"])
    minima = torch.tensor([(radius, 0), (0, radius), (-radius, 0), (0, -radius)], dtype=torch.float64)
    distance, nearest = torch.cdist(torch.from_numpy(result.final), minima).min(dim=1)
    # Dense where the weights move fast, sparse on the long way along the valley.
    kept = (result.kept_at < 1000) | (result.kept_at % 50 == 0)
    record = Record(
        experiment=ID,
        setting="deep",
        tier=tier,
        configuration={"model": "deep", "depth": 2, "tasks": vars(TASKS), "support": "population"}
        | {"query": "population", "optimizer": "SGD", "momentum": MOMENTUM}
        | TRAINING
        | settings,
        seeds=seeds,
        initialisation="four chosen starts (details.initial_weights), as (a, b)",
        parameter_count=2,
        learning_curve={
            "meta_iteration": result.evaluated_at.tolist(),
            "test_error": result.test_error.T.tolist(),
        },
        final={
            "distance_to_nearest_minimum": Metric.over(distance.tolist(), "starts"),
            "test_error": Metric.over(result.test_error[-1], "starts"),
        },
        wall_time_s=time.perf_counter() - began,
        environment=environment(device, initial.dtype),
        details={
            "test_error_is": "E(y - yhat)^2 after adaptation, no factor 1/2, noise variance included",
            "noise_variance": TASKS.v,
            "initial_weights": initial.tolist(),
            "final_weights": result.final.tolist(),
            "nearest_minimum": minima[nearest].tolist(),
            "distance": distance.tolist(),
            "trajectory": {
                "meta_iteration": result.kept_at[kept].tolist(),
                "weights": result.trajectory[kept].swapaxes(0, 1).tolist(),
            },
        },
    )
    return [record]
