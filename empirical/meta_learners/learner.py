"""What all meta-learners have in common: the shape of learned numbers and of batches, and the search for a divergence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from ..divergence import DivergenceError
from ..inner_loop import Adapted
from ..layers import dense

Learned = dict[str, Tensor]
"""Learned numbers by name, each (R, ...): a run never sees another's."""
Metrics = dict[str, Tensor]
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Support inputs and targets, query inputs and targets."""


class Learner(Protocol):
    """A meta-learner, as the trainer sees it."""

    def init(self, runs: int, generator: torch.Generator | None = None) -> Learned:
        """The learned numbers at the start."""

    def gradients(self, learned: Learned, batch: Batch, tasks: int | None = None) -> tuple[Learned, Metrics]:
        """What the outer loop descends along, and what was measured, (R,), both as sums over tasks divided by `tasks`."""

    def evaluate(self, learned: Learned, batch: Batch, steps: int | None = None) -> Metrics:
        """What is measured for each task after adaptation, (R, T)."""

    def settings(self) -> dict[str, Any]:
        """What the learner is, as plain data."""

    def to(self, device: torch.device | str, dtype: torch.dtype) -> None:
        """Move what is not learned, and what `init` starts from."""

    def check(self, learned: Learned, batch: Batch) -> None:
        """Raise DivergenceError where the inner loop leaves the finite numbers."""


def initial(runs: int, **groups: Mapping[str, Tensor]) -> Learned:
    """Numbers by name, as "group.name", the same for each run. Raises ValueError for a number of runs below 1."""
    if runs < 1:
        raise ValueError(f"There are {runs} runs: expected 1 or more.")
    return {
        f"{group}.{name}": value.detach()[None].repeat(runs, *[1] * value.ndim)
        for group, values in groups.items()
        for name, value in values.items()
    }


def as_batch(batch: Batch, learned: Learned) -> Batch:
    """The four tensors, each (R, T, n, ...). Raises ValueError unless they begin with (R, T) or (1, T), and there are four."""
    runs = len(next(iter(learned.values())))
    if len(batch) != 4:
        raise ValueError(f"A batch of tasks has {len(batch)} parts: expected support_x, support_y, query_x, query_y.")
    tasks = batch[0].shape[1:2]
    for part in batch:
        if part.ndim < 3 or part.shape[0] not in (1, runs) or part.shape[1:2] != tasks:
            raise ValueError(
                f"The batch has shapes {', '.join(str(tuple(p.shape)) for p in batch)}: expected each to begin with "
                f"({runs}, tasks, points), or with (1, tasks, points) where all {runs} runs see the same tasks."
            )
    return tuple(part.expand(runs, *part.shape[1:]) for part in batch)


def check_adapted(again: Callable[[Callable[[int, Adapted], None]], object], name: str, rates: Tensor) -> None:
    """Raise DivergenceError for the first step, run and task at which adapted weights are not finite.

    `again(observe)` runs the inner loop, which is deterministic, once more.
    """
    found: list[tuple[int, int, int]] = []

    def observe(step: int, adapted: Adapted) -> None:
        if found:
            return
        for weight in map(dense, adapted.weights.values()):
            bad = torch.nonzero(~torch.isfinite(weight).flatten(2).all(-1))
            if len(bad):
                found.append((step, *bad[0].tolist()))
                return

    again(observe)
    if found:
        step, run, task = found[0]
        rate = rates.expand(run + 1)[run].item() if rates.ndim == 0 else rates[run].item()
        raise DivergenceError(
            f"The inner loop of {name} is not finite from step {step} on, in task {task} of run {run}, with inner learning rate "
            f"{rate:.4g}: take a smaller inner learning rate.",
            run,
        )
