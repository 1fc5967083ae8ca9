"""The outer loop on regression tasks: meta-training by SGD, several starts at once, evaluated on fixed test tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .adaptation import adapt
from .divergence import DivergenceError
from .regression_models import squared_error
from .tasks.regression import Batch, RegressionTasks, population, sample, sample_theta

TEST_SEED = 1_000_003
"""Seeds the test tasks, apart from the seeds 0, 1, 2, ... that training commonly uses."""


@dataclass(frozen=True)
class MetaTraining:
    """What one meta-training run of S starts leaves, as numpy arrays.

    - evaluated_at (E,): the meta-iterations, 0 (before training) and the last included, of test_error (E, S):
      the post-adaptation mean squared error E(y - yhat)^2 on the test tasks, without the factor 1/2 and with
      the noise variance.
    - kept_at (J,): the meta-iterations of trajectory (J, S, L), the weights; empty when none was asked for.
    - final (S, L): the weights at the end.
    """

    evaluated_at: np.ndarray
    test_error: np.ndarray
    kept_at: np.ndarray
    trajectory: np.ndarray
    final: np.ndarray


def meta_train(
    initial: Tensor,
    tasks: RegressionTasks,
    *,
    inner_lr: float,
    outer_lr: float,
    momentum: float,
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

    `initial` is (S, L), with one seed for each start. Each start draws its own tasks from a generator of its
    own seed, on the device, so its run does not depend on the starts beside it. `support` and `query` are
    numbers of sampled points per task; None takes the population. The loss carries the factor 1/2, inside and
    outside; the reported test error does not (see MetaTraining). Test tasks, and their support points where
    these are sampled, are the same for all starts and throughout. Raises ValueError for shapes and counts
    that do not fit, DivergenceError where a loss or a weight is not finite. Source: arnold2021, eq. (3),
    Sections 4.1 and D.
    """
    if initial.ndim != 2 or len(initial) != len(seeds):
        raise ValueError(
            f"Got starts of shape {tuple(initial.shape)} and {len(seeds)} seeds: expected (S, L) and S seeds."
        )
    counts = dict(
        iterations=iterations + 1,  # none at all is a run too: it only evaluates
        tasks_per_step=tasks_per_step,
        test_tasks=test_tasks,
        evaluate_every=evaluate_every,
        support=support,
        query=query,
        keep_trajectory_every=keep_trajectory_every,
    )
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(f"{name} is too small: expected {0 if name == 'iterations' else 1} or more.")
    starts, dtype = len(initial), initial.dtype
    generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
    test_generator = torch.Generator(device).manual_seed(TEST_SEED)
    test_theta = sample_theta(tasks, test_tasks, test_generator, dtype=dtype)
    test_support = _points(test_theta, tasks, support, test_generator)
    test_query = population(test_theta, tasks)

    def adapted(weights: Tensor, batch: Batch, first_order: bool = False) -> Tensor:
        return adapt(
            lambda p: squared_error(p[0], batch),
            (weights,),
            lr=inner_lr,
            steps=steps,
            first_order=first_order,
        )[0]

    def training_loss(weights: Tensor) -> Tensor:
        """The mean loss of each start over its own tasks: (S,)."""
        theta = [sample_theta(tasks, tasks_per_step, generator, dtype=dtype) for generator in generators]
        inner = _stack([_points(t, tasks, support, g) for t, g in zip(theta, generators, strict=True)])
        outer = inner
        if support is not None or query is not None:
            outer = _stack([_points(t, tasks, query, g) for t, g in zip(theta, generators, strict=True)])
        end = adapted(weights.repeat_interleave(tasks_per_step, dim=0), inner)
        return squared_error(end, outer).view(starts, tasks_per_step).mean(dim=1)

    def test_error(weights: Tensor) -> np.ndarray:
        # One start at a time keeps the memory at one test set; first order because only values are wanted.
        errors = [
            squared_error(
                adapted(w.expand(test_tasks, -1), test_support, first_order=True), test_query, half=False
            ).mean()
            for w in weights.detach()
        ]
        return torch.stack(errors).detach().cpu().numpy()

    def check(values: Tensor, name: str, iteration: int) -> None:
        bad = torch.nonzero(~torch.isfinite(values).reshape(starts, -1).all(dim=1)).flatten().tolist()
        if bad:
            raise DivergenceError(
                f"The {name} is not finite at meta-iteration {iteration}, start {bad[0]} "
                f"(seed {seeds[bad[0]]}, weights {initial[bad[0]].tolist()}), with {inner_lr=}, {outer_lr=}, "
                f"{momentum=}, {steps=}, {tasks_per_step=}: take smaller learning rates or more tasks a step."
            )

    weights = initial.detach().to(device).clone().requires_grad_()
    optimizer = torch.optim.SGD([weights], lr=outer_lr, momentum=momentum)
    evaluated_at, errors, kept_at, trajectory = [], [], [], []
    for iteration in range(iterations + 1):
        last = iteration == iterations
        if iteration % evaluate_every == 0 or last:
            errors.append(test_error(weights))
            evaluated_at.append(iteration)
            check(torch.from_numpy(errors[-1]), "test error", iteration)
            if progress:
                progress(f"meta-iteration {iteration} of {iterations}: mean test error {errors[-1].mean():.6g}")
        if keep_trajectory_every and (iteration % keep_trajectory_every == 0 or last):
            kept_at.append(iteration)
            trajectory.append(weights.detach().cpu().numpy().copy())
        if last:
            break
        loss = training_loss(weights)
        check(loss, "meta-training loss", iteration)
        optimizer.zero_grad()
        loss.sum().backward()  # the starts share no term of this sum, so each gets its own gradient
        optimizer.step()
        check(weights.detach(), "weight", iteration + 1)
    final = weights.detach().cpu().numpy().copy()
    return MetaTraining(
        np.array(evaluated_at),
        np.stack(errors),
        np.array(kept_at, dtype=int),
        np.stack(trajectory) if trajectory else np.empty((0, *final.shape)),
        final,
    )


def _points(theta: Tensor, tasks: RegressionTasks, n: int | None, generator: torch.Generator) -> Batch:
    return population(theta, tasks) if n is None else sample(theta, tasks, n, generator)


def _stack(batches: Sequence[Batch]) -> Batch:
    return Batch(torch.cat([b.x for b in batches]), torch.cat([b.y for b in batches]), batches[0].weight)
