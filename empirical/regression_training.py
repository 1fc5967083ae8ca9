"""MAML meta-trained on regression tasks: several starts at once, evaluated on fixed test tasks along the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .meta_learners import MAML
from .models import linear_network
from .tasks.regression import RegressionEpisodes, RegressionTasks, weighted_error
from .trainer import Trainer


@dataclass(frozen=True)
class MetaTraining:
    """What one meta-training run of S starts leaves, as numpy arrays.

    - evaluated_at (E,): the meta-iterations, 0 (before training) and the last included, of test_error (E, S):
      the post-adaptation mean squared error E(y - yhat)^2 on the test tasks, without the factor 1/2 and with
      the noise variance.
    - kept_at (J,): the meta-iterations of trajectory (J, S, L), the weights; empty when none was asked for.
    - final (S, L): the weights at the end.
    - test_error_per_task (S, T): the test error at the end, by test task.
    """

    evaluated_at: np.ndarray
    test_error: np.ndarray
    kept_at: np.ndarray
    trajectory: np.ndarray
    final: np.ndarray
    test_error_per_task: np.ndarray


def meta_train(
    initial: Tensor,
    tasks: RegressionTasks,
    *,
    inner_lr: float,
    outer_lr: float,
    iterations: int,
    tasks_per_step: int,
    seeds: Sequence[int],
    steps: int = 1,
    support: int | None = None,
    query: int | None = None,
    test_tasks: int = 1000,
    evaluate_every: int = 100,
    keep_trajectory_every: int | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[str], None] | None = None,
) -> MetaTraining:
    """Meta-train scalar linear networks from S starts at once by SGD with momentum.

    `initial` is (S, L), upper layer first, with one seed for each start, which draws its own tasks. `support` and `query` are
    numbers of sampled points per task; None takes the population. The loss carries the factor 1/2, inside and
    outside; the reported test error does not (see MetaTraining). Test tasks are the same for all starts and
    throughout. Raises ValueError for shapes and counts that do not fit, DivergenceError where a run leaves the finite
    numbers. Source: arnold2021, eq. (3), Sections 4.1 and D.
    """
    if initial.ndim != 2 or len(initial) != len(seeds):
        raise ValueError(
            f"Got starts of shape {tuple(initial.shape)} and {len(seeds)} seeds: expected (S, L) and S seeds."
        )
    for name, count in (
        ("test_tasks", test_tasks),
        ("evaluate_every", evaluate_every),
        ("keep_trajectory_every", keep_trajectory_every),
    ):
        if count is not None and count < 1:
            raise ValueError(f"{name} is {count}: expected 1 or more.")
    layers = range(initial.shape[1])
    names = [f"model.{k}.weight" for k in reversed(layers)]  # the model's first layer is the one next to the data
    learner = MAML(linear_network(*[1] * (len(layers) + 1), bias=False), weighted_error, inner_lr=inner_lr, steps=steps)
    trainer = Trainer(
        learner,
        RegressionEpisodes(tasks, support, query),
        outer="momentum",
        outer_lr=outer_lr,
        tasks_per_step=tasks_per_step,
        seed=seeds,
        learned={name: initial[:, layer, None, None] for layer, name in enumerate(names)},
        device=device,
        dtype=initial.dtype,
    )

    def weights() -> np.ndarray:
        return torch.cat([trainer.learned[name][:, 0] for name in names], dim=1).cpu().numpy()

    def due(every: int | None) -> set[int]:
        return set() if every is None else {*range(0, iterations, every), iterations}

    evaluated_at, kept_at = due(evaluate_every), due(keep_trajectory_every)
    errors, trajectory = [], []
    for iteration in sorted(evaluated_at | kept_at):
        trainer.fit(iteration)
        if iteration in evaluated_at:
            losses = trainer.evaluate("test", test_tasks, at_once=test_tasks).values["loss"]
            per_task = 2 * losses
            errors.append(per_task.mean(axis=1))
            if progress:
                progress(f"meta-iteration {iteration} of {iterations}: mean test error {errors[-1].mean():.6g}")
        if iteration in kept_at:
            trajectory.append(weights())
    final = weights()
    return MetaTraining(
        np.array(sorted(evaluated_at)),
        np.stack(errors),
        np.array(sorted(kept_at), dtype=int),
        np.stack(trajectory) if trajectory else np.empty((0, *final.shape)),
        final,
        per_task,
    )
