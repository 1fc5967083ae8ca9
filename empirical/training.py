"""The outer loop: several runs of a meta-learner at once, checkpointed, with an exact resume.

Runs differ in their seeds or in their settings (a search); each is what it would be by itself. The outer learning
rates fall along half a cosine, so that the end is not blurred by the last tasks.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .divergence import DivergenceError
from .optimizers import OPTIMIZERS
from .progress import Progress

Learned = dict[str, Tensor]


class Learner(Protocol):
    """What the outer loop needs of a meta-learner (see `empirical.meta_learners`)."""

    def gradients(self, learned: Learned, support: Any, query: Any) -> tuple[Learned, Tensor]: ...
    def adapt(self, learned: Learned, support: Any, steps: int | None = None, observe: Any = None) -> Tensor: ...
    def check(self, end: Tensor, learned: Learned, support: Any, steps: int | None = None) -> None: ...


class Tasks(Protocol):
    """A distribution of tasks that draws the same ones for the same seed, stream and step."""

    def episodes(self, count: int, seeds: Sequence[int], stream: str, step: int = 0, **where: Any) -> Any: ...


class CheckpointError(ValueError):
    """A checkpoint that cannot be continued from; the message says why and what to do."""


@dataclass(frozen=True)
class Outer:
    """The outer loop's settings.

    Attributes:
        rates: learning rate by the learned tensor's name: a number, or one for each run (R,). A tensor without one stays.
        iterations: meta-iterations.
        tasks_per_step: tasks in a meta-batch.
        optimizer: a name from `optimizers.OPTIMIZERS`.
    """

    rates: Mapping[str, Tensor | float]
    iterations: int
    tasks_per_step: int
    optimizer: str = "adam"

    def __post_init__(self) -> None:
        if self.iterations < 0 or self.tasks_per_step < 1:
            raise ValueError(
                f"Got {self.iterations} meta-iterations of {self.tasks_per_step} tasks: expected 0 or more, and 1 or more."
            )
        for name, rate in self.rates.items():
            if not (torch.as_tensor(rate) >= 0).all():
                raise ValueError(f"The outer rate of {name} is {rate}: expected 0 or more.")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"The outer optimizer is {self.optimizer!r}: expected {' or '.join(map(repr, OPTIMIZERS))}."
            )


@dataclass(frozen=True)
class Trained:
    """What meta-training leaves.

    Attributes:
        learned: the learned tensors, each (R, ...).
        diverged_at: for each run, the meta-iteration at which it left the finite numbers, or None; its numbers are the last
            finite ones.
        query_loss: (I, R), the mean query loss of every meta-batch (nan once diverged).
    """

    learned: Learned
    diverged_at: list[int | None]
    query_loss: Tensor


def train(
    learner: Learner,
    tasks: Tasks,
    learned: Learned,
    outer: Outer,
    *,
    seeds: Sequence[int],
    tolerate_divergence: bool = False,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    checkpoint_every: float = 20.0,
    progress: Progress | None = None,
    description: str = "meta-training",
) -> Trained:
    """Meta-train R runs at once.

    Args:
        learner: see `empirical.meta_learners`.
        tasks: draws meta-batches, on the device and in the dtype of `learned`.
        learned: the learned tensors at the start, each (R, ...).
        outer: the outer loop's settings.
        seeds: one for all runs (they see the same tasks), or one for each.
        tolerate_divergence: a run that leaves the finite numbers stops there and the others go on, as a search needs; else it
            raises.
        checkpoint: a file to continue from, written now and then and at the end.
        fingerprint: says what learner and tasks these are; a checkpoint with another one, or of other settings of the outer
            loop, is refused.
        checkpoint_every: seconds between two of its versions.
        progress: shows where it is.
        description: its name there, and in errors.

    Raises:
        DivergenceError: a run left the finite numbers; names the meta-iteration, the run, and the inner step and task if it
            was the inner loop.
        CheckpointError: the checkpoint belongs to another run, or is no checkpoint.
        ValueError: `seeds` does not fit.
    """
    learned = {name: value.detach().clone() for name, value in learned.items()}
    runs = len(learned["phi"])
    if len(seeds) not in (1, runs):
        raise ValueError(f"Got {len(seeds)} seeds for {runs} runs: give one for all, or one for each.")
    unknown = set(outer.rates) - set(learned)
    if unknown:
        raise ValueError(
            f"There is an outer rate for {', '.join(sorted(unknown))}, and what is learned is {', '.join(learned)}."
        )
    where = {"device": learned["phi"].device, "dtype": learned["phi"].dtype}
    optimizer = OPTIMIZERS[outer.optimizer]()
    states = {name: optimizer.init(learned[name]) for name in outer.rates}
    rates = {name: torch.as_tensor(rate, **where).expand(runs) for name, rate in outer.rates.items()}
    alive = torch.ones(runs, dtype=torch.bool, device=where["device"])
    losses = torch.full((outer.iterations, runs), math.nan, dtype=torch.float64)
    first, diverged_at = 0, [None] * runs
    # what is known here of the run; what the caller alone knows (learner, tasks) is the fingerprint's to say
    settings = [outer.iterations, outer.tasks_per_step, outer.optimizer, list(seeds)]
    settings += [{name: rate.tolist() for name, rate in rates.items()}]
    settings += [{name: [list(value.shape), str(value.dtype)] for name, value in learned.items()}]
    fingerprint = json.dumps([fingerprint, *settings], sort_keys=True)
    if checkpoint is not None and checkpoint.exists():
        first, diverged_at = _restore(checkpoint, fingerprint, learned, states, alive, losses)
    saved = time.monotonic()
    bar = progress.bar(description, outer.iterations, first) if progress else None
    for iteration in range(first, outer.iterations):
        batch = tasks.episodes(outer.tasks_per_step, seeds, "training", iteration, **where)
        gradients, loss = learner.gradients(learned, batch.support, batch.query)
        fall = (1 + math.cos(math.pi * iteration / outer.iterations)) / 2
        following, next_states = {}, {}
        for name, rate in rates.items():
            direction, next_states[name] = optimizer.update(gradients[name], states[name])
            following[name] = learned[name] - fall * _per_run(rate, direction) * direction
        fine = torch.isfinite(loss)
        for value in following.values():
            fine = fine & torch.isfinite(value).flatten(1).all(1)
        if not (fine | ~alive).all():
            newly = torch.nonzero(alive & ~fine).flatten().tolist()
            if not tolerate_divergence:
                _explain(learner, learned, batch, iteration, newly[0], seeds, description)
            for run in newly:
                diverged_at[run] = iteration
            alive = alive & fine
        # a run that has diverged keeps its last finite numbers
        learned |= {
            name: torch.where(_per_run(alive, value), value, learned[name]) for name, value in following.items()
        }
        states = next_states
        losses[iteration] = torch.where(alive, loss, math.nan).to(losses)
        if bar:
            bar(iteration + 1, f"query loss of a task {losses[iteration].nanmean():.4g}")
        last = iteration + 1 == outer.iterations
        if checkpoint is not None and (last or time.monotonic() - saved > checkpoint_every):
            _save(checkpoint, fingerprint, iteration + 1, diverged_at, learned, states, alive, losses)
            saved = time.monotonic()
        if not alive.any():
            break
    return Trained(learned, diverged_at, losses)


def _per_run(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.ndim - 1))


def _explain(
    learner: Learner, learned: Learned, batch: Any, iteration: int, run: int, seeds: Sequence[int], what: str
) -> None:
    def place(run: int) -> str:
        return f"{what}, meta-iteration {iteration}, seed {seeds[run % len(seeds)]}"

    try:
        learner.check(learner.adapt(learned, batch.support), learned, batch.support)
    except DivergenceError as error:
        raise DivergenceError(f"{place(run if error.run is None else error.run)}: {error}", error.run) from None
    raise DivergenceError(
        f"{place(run)}: a meta-gradient of run {run} is not finite; take smaller outer learning rates or fewer inner steps."
    )


def _save(path: Path, fingerprint: str, iteration: int, diverged_at, learned, states, alive, losses) -> None:
    tensors = {f"learned.{name}": value for name, value in learned.items()}
    tensors |= {f"state.{name}.{i}": part for name, state in states.items() for i, part in enumerate(state)}
    tensors |= {"alive": alive, "losses": losses}
    metadata = {"fingerprint": fingerprint, "iteration": str(iteration), "diverged_at": json.dumps(diverged_at)}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(save({name: value.contiguous().cpu() for name, value in tensors.items()}, metadata))
    os.replace(part, path)


def _restore(path: Path, fingerprint: str, learned, states, alive, losses) -> tuple[int, list[int | None]]:
    """Fill in what a checkpoint holds; returns the next iteration and where runs diverged."""
    try:
        with safe_open(path, "pt", device=str(alive.device)) as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is no checkpoint ({error}): delete it to start anew.") from None
    if metadata.get("fingerprint") != fingerprint:
        raise CheckpointError(f"{path} belongs to a run with other settings or code: delete it to start anew.")
    for name in learned:
        learned[name] = tensors[f"learned.{name}"]
    for name, state in states.items():
        states[name] = tuple(tensors[f"state.{name}.{i}"] for i in range(len(state)))
    alive.copy_(tensors["alive"])
    losses.copy_(tensors["losses"])
    return int(metadata["iteration"]), json.loads(metadata["diverged_at"])
