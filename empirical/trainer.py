"""The outer loop: a meta-learner trained on a distribution of tasks, several runs at once, with checkpoints and an exact resume.

Runs differ in their seeds, or in their settings (a search); each is what it would be by itself.
"""

from __future__ import annotations

import fnmatch
import json
import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from . import compilation, distributed
from .allocator import keep_freed_memory
from .compilation import Compiled
from .divergence import DivergenceError
from .meta_learners.learner import Batch, Learned, Learner, Metrics
from .optimizers import OPTIMIZERS
from .progress import Progress
from .randomness import generator
from .side_by_side import SideBySide

LOOK_EVERY = 100
"""Meta-iterations between two looks at whether a run has diverged; a diverged one keeps its last finite numbers."""
SHOW_EVERY = 1.0
"""Seconds between two looks at what is measured, where progress is shown: a look waits for a GPU."""


class Tasks(Protocol):
    """A distribution of tasks."""

    def sample(self, count: int, generator: torch.Generator, split: str, dtype: torch.dtype) -> Batch:
        """Draw tasks on the generator's device: support and query inputs and targets, each (count, n, ...).

        The split is "training", "validation" or "test"; where classes make tasks, those of two splits are disjoint.
        """


class CheckpointError(ValueError):
    """A checkpoint that cannot be continued from; the message says why and what to do."""


@dataclass(frozen=True)
class Evaluation:
    """What was measured after adaptation.

    Attributes:
        values: by name, for each run and task (R, T): "loss", and "accuracy" where the loss classifies.
    """

    values: dict[str, np.ndarray]

    def mean(self, name: str) -> float:
        """The mean over runs and tasks."""
        return float(self.values[name].mean())

    def __str__(self) -> str:
        parts = []
        for name, values in self.values.items():
            runs, tasks = values.shape
            spread = values.std(axis=1, ddof=1).mean() if tasks > 1 else 0.0
            parts.append(f"{name} {values.mean():.4f} +- {spread:.4f} (standard deviation over {tasks} tasks)")
            if runs > 1:
                parts[-1] += f" +- {values.mean(axis=1).std(ddof=1):.4f} (over {runs} runs)"
        return ", ".join(parts)


class Trainer:
    """Meta-train R runs at once.

    Args:
        learner: see `empirical.meta_learners`.
        tasks: see `Tasks`.
        outer: the outer optimiser, a name from `optimizers.OPTIMIZERS`: "adam", "sgd" or "momentum" (0.9).
        outer_lr: the meta learning rate: one number, one for each run (R,), or a mapping from patterns of learned names
            ("model.*", "update.*") to such; a name without one is not learned.
        tasks_per_step: tasks in a meta-batch.
        seed: one, or one for each run. Each seed sees its own tasks; runs of one seed see the same.
        runs: R, where it is not the number of seeds.
        learned: the learned numbers at the start, each (R, ...); by default the learner's own, the same for each run.
        schedule: "constant", or "cosine": the rates fall along half a cosine over all iterations of `fit`.
        chunk: tasks whose meta-gradient is taken at once: less memory, the same sum. All by default. Compiled, they are shared
            out among the threads of a CPU (see `side_by_side`).
        device, dtype: where everything lives, and in which precision.
        compile: compile the whole step (see `compilation`).
        tf32: let a GPU round the factors of float32 products to 10 bits.
        checkpoint: a file to continue from, written now and then, at the end, and on Ctrl-C.
        checkpoint_every: seconds between two of its versions.
        fingerprint: what else makes a checkpoint another run's.
        tolerate_divergence: a run that leaves the finite numbers stops there and the others go on; else it raises.
        progress: shows where it is.
        description: its name there, and in errors.
        log_dir: a folder for TensorBoard's logs (needs the extra "tensorboard").

    Raises:
        ValueError: a setting out of range, or names, numbers and runs that do not fit each other.
    """

    def __init__(
        self,
        learner: Learner,
        tasks: Tasks,
        *,
        outer: str = "adam",
        outer_lr: float | Tensor | Mapping[str, float | Tensor] = 1e-3,
        tasks_per_step: int = 16,
        seed: int | Sequence[int] = 0,
        runs: int | None = None,
        learned: Learned | None = None,
        schedule: Literal["constant", "cosine"] = "constant",
        chunk: int | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        compile: bool = False,
        tf32: bool = False,
        checkpoint: Path | str | None = None,
        checkpoint_every: float = 20.0,
        fingerprint: str = "",
        tolerate_divergence: bool = False,
        progress: Progress | None = None,
        description: str = "meta-training",
        log_dir: Path | str | None = None,
    ):
        self.seeds = [seed] if isinstance(seed, int) else list(seed)
        self.runs = len(self.seeds) if runs is None else runs
        for name, value, known in (("outer", outer, tuple(OPTIMIZERS)), ("schedule", schedule, ("constant", "cosine"))):
            if value not in known:
                raise ValueError(f"{name} is {value!r}: expected {' or '.join(map(repr, known))}.")
        for name, value in (("tasks_per_step", tasks_per_step), ("chunk", chunk if chunk is not None else 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}: expected a number of tasks, 1 or more.")
        if len(self.seeds) not in (1, self.runs):
            raise ValueError(f"Got {len(self.seeds)} seeds for {self.runs} runs: give one for all, or one for each.")
        if compile and getattr(learner, "not_compilable", None):  # most learners say nothing of it
            raise ValueError(f"{learner.not_compilable}: leave compile out.")
        self.learner, self.tasks, self.outer, self.schedule = learner, tasks, outer, schedule
        self.tasks_per_step, self.chunk = tasks_per_step, chunk
        self.device, self.dtype, self.compile, self.tf32 = torch.device(device), dtype, compile, tf32
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.checkpoint_every, self.tolerate_divergence = checkpoint_every, tolerate_divergence
        self.progress, self.description, self.log_dir = progress, description, log_dir
        if self.device.type == "cpu":
            keep_freed_memory()
        else:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        learner.to(self.device, dtype)
        if learned is None:
            learned = learner.init(self.runs)
        self.learned = {n: v.detach().to(self.device, dtype, copy=True) for n, v in learned.items()}
        wrong = {n: tuple(v.shape) for n, v in self.learned.items() if len(v) != self.runs}
        if wrong:
            raise ValueError(f"There are {self.runs} runs, and learned numbers of shapes {wrong}: expected (R, ...).")
        self.rates = self._rates(outer_lr)
        self.optimizer = OPTIMIZERS[outer]()
        self.states = {name: self.optimizer.init(self.learned[name]) for name in self.rates}
        self.iteration = 0
        self.diverged_at = torch.full((self.runs,), -1, device=self.device)
        self.history: dict[str, _Rows] = {}
        distribution = re.sub(r" at 0x[0-9a-f]+", "", repr(tasks))  # where an object lies in memory says nothing of it
        self._fingerprint = json.dumps(
            {
                "settings": learner.settings(),
                "tasks": distribution,
                "outer": [outer, schedule, tasks_per_step, self.seeds, {n: r.tolist() for n, r in self.rates.items()}],
                "shapes": {n: list(v.shape) for n, v in self.learned.items()},
                "numbers": [str(dtype), str(self.device), torch.get_num_threads(), compile, tf32, torch.__version__],
                "processes": distributed.size(),
                "caller": fingerprint,
            },
            sort_keys=True,
        )
        # not where nothing can be compiled: layers that run as they are would meet in one module
        together = compile and self.device.type == "cpu" and compilation.unavailable(self.device) is None
        self._calls = SideBySide(chunk if together and chunk else 1)
        if compile:
            self._gradients_of = Compiled(self._chunk_gradients, "the meta-gradient", self._calls.threads)
            self._advance_by, self._whole = Compiled(self._advance, "the outer step"), Compiled(self._step, "the step")
        else:
            self._gradients_of, self._advance_by, self._whole = self._chunk_gradients, self._advance, self._step

    def _rates(self, given: Any) -> dict[str, Tensor]:
        patterns = given if isinstance(given, Mapping) else {"*": given}
        rates: dict[str, Tensor] = {}
        for pattern, rate in patterns.items():
            rate = torch.as_tensor(rate, dtype=self.dtype, device=self.device)
            if rate.ndim > 1 or (rate.ndim and len(rate) != self.runs) or not (rate >= 0).all():
                raise ValueError(
                    f"The outer rate of {pattern} is {rate.tolist()}: expected a number, 0 or more, or {self.runs} of them."
                )
            matched = fnmatch.filter(self.learned, pattern)
            if not matched and pattern != "*":
                raise ValueError(
                    f"There is an outer rate for {pattern!r}; what is learned is {', '.join(self.learned)}."
                )
            rates |= dict.fromkeys(matched, rate.expand(self.runs).contiguous())
        return rates

    # one step

    def _chunk_gradients(self, learned: Learned, batch: Batch) -> tuple[Learned, Metrics]:
        return self.learner.gradients(learned, batch, self.tasks_per_step)

    def _advance(self, learned, states, diverged_at, iteration, rates, gradients, measured):
        """The outer optimiser's step; a run that leaves the finite numbers keeps its last ones from there on."""
        following, next_states = {}, {}
        fine = torch.isfinite(measured["loss"])
        for name, rate in rates.items():
            direction, next_states[name] = self.optimizer.update(gradients[name], states[name])
            following[name] = learned[name] - _per_run(rate, direction) * direction
            fine = fine & torch.isfinite(following[name]).view(self.runs, -1).all(1)
        alive = diverged_at < 0
        kept = alive & fine
        learned = learned | {n: torch.where(_per_run(kept, v), v, learned[n]) for n, v in following.items()}
        diverged_at = torch.where(alive & ~fine, iteration, diverged_at)
        measured = {n: torch.where(kept, v, math.nan) for n, v in measured.items()}
        return learned, next_states, diverged_at, measured

    def _step(self, learned, states, diverged_at, iteration, rates, batch):
        gradients, measured = self._chunk_gradients(learned, batch)
        return self._advance(learned, states, diverged_at, iteration, rates, gradients, measured)

    def step(self, batch: Batch, rates: dict[str, Tensor] | None = None) -> Metrics:
        """One meta-iteration on a meta-batch (R or 1, T, n, ...); returns what was measured, each (R,).

        T is tasks_per_step, or this process's share of it: raises ValueError for another number.
        """
        rates = rates or self.rates
        iteration = torch.tensor(self.iteration, device=self.device)
        tasks, mine = batch[0].shape[1], distributed.share(self.tasks_per_step)
        if tasks != mine.stop - mine.start:  # the gradient is a mean over tasks_per_step
            raise ValueError(
                f"The meta-batch has {tasks} tasks, and this trainer takes {mine.stop - mine.start}: give as many, or change "
                "tasks_per_step."
            )
        chunk = min(self.chunk or tasks, tasks)
        if chunk == tasks and distributed.size() == 1:
            now = self._whole(self.learned, self.states, self.diverged_at, iteration, rates, batch)
        else:
            size = max(1, chunk // self._calls.at_once)

            def own(at: int) -> Batch:
                return tuple(b[:, at : at + size] for b in batch)

            def part(at: int) -> tuple[Learned, Metrics]:
                # a shorter rest would be another shape, and is not compiled
                run = self._gradients_of if at + size <= tasks else self._chunk_gradients
                return run(self.learned, own(at))

            if self.compile:  # in this thread, which Ctrl-C reaches
                self._gradients_of.prepare(self.learned, own(0))

            gradients: Learned = {}
            measured: Metrics = {}
            for found, values in self._calls.map(part, range(0, tasks, size)):
                gradients = _sum(gradients, found) if gradients else found
                measured = _sum(measured, values) if measured else values
            gradients = distributed.sum_over_processes(gradients)
            measured = distributed.sum_over_processes(measured)
            now = self._advance_by(self.learned, self.states, self.diverged_at, iteration, rates, gradients, measured)
        self.learned, self.states, self.diverged_at, measured = now
        self.iteration += 1
        return measured

    def draw(self, count: int, split: str, step: int, seeds: Sequence[int] | None = None) -> Batch:
        """Tasks (S, count, n, ...) for S seeds, by the split and the step: the same ones every time."""
        drawn = [
            self.tasks.sample(count, generator(seed, split, step, self.device), split, self.dtype)
            for seed in (self.seeds if seeds is None else seeds)
        ]
        return tuple(torch.stack(parts) if len(drawn) > 1 else parts[0][None] for parts in zip(*drawn, strict=True))

    # many steps

    def fit(self, iterations: int) -> Trainer:
        """Train up to this meta-iteration, from where the trainer or its checkpoint stands.

        Raises:
            ValueError: a negative number.
            DivergenceError: a run left the finite numbers; names the meta-iteration, the seed and the setting, and the inner step
                and the task if it was the inner loop.
            CheckpointError: the checkpoint belongs to another run, or is no checkpoint.
            MemoryError: not enough memory; says which arguments lower it.
        """
        if iterations < 0:
            raise ValueError(f"Got {iterations} meta-iterations: expected 0 or more.")
        if self.checkpoint is not None and self.iteration == 0 and self.checkpoint.exists():
            self._restore(iterations)
        began = saved = shown = time.monotonic()
        first = self.iteration
        bar = self.progress.bar(self.description, iterations, first) if self.progress else None
        writer = _writer(self.log_dir)
        try:
            while self.iteration < iterations and bool((self.diverged_at < 0).any() if self._look() else True):
                measured = self._iterate(iterations)
                if bar and (time.monotonic() - shown > SHOW_EVERY or self.iteration == iterations):
                    shown = time.monotonic()
                    speed = (self.iteration - first) * self.tasks_per_step * self.runs / (time.monotonic() - began)
                    bar(self.iteration, _note(measured, speed))
                if writer and self._look():
                    for name, value in measured.items():
                        writer.add_scalar(f"training/{name}", value.mean().item(), self.iteration)
                if self._look():
                    self._raise_if_diverged()
                if self.checkpoint is not None and time.monotonic() - saved > self.checkpoint_every:
                    self.save(iterations)
                    saved = time.monotonic()
            self._raise_if_diverged()
        except (KeyboardInterrupt, MemoryError):
            if self.checkpoint is not None:
                self.save(iterations)
            raise
        finally:
            if writer:
                writer.close()
        if self.checkpoint is not None and self.iteration > first:
            self.save(iterations)
        return self

    def _look(self) -> bool:
        return self.iteration % LOOK_EVERY == 0

    def _iterate(self, iterations: int) -> Metrics:
        batch = self.draw(self.tasks_per_step, "training", self.iteration)
        mine = distributed.share(self.tasks_per_step)
        batch = tuple(b[:, mine] for b in batch)
        rates = self.rates
        if self.schedule == "cosine":
            fall = (1 + math.cos(math.pi * self.iteration / iterations)) / 2
            rates = {n: fall * r for n, r in rates.items()}
        try:
            measured = self.step(batch, rates)
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error):
                raise MemoryError(
                    f"{self.description}: not enough memory for a meta-step of {self.tasks_per_step} tasks; lower chunk (now "
                    f"{self.chunk or 'all tasks at once'}), or give the learner checkpoint=True, or take fewer tasks_per_step."
                ) from None
            raise
        for name, value in measured.items():
            self.history.setdefault(name, _Rows(value.new_empty(0, *value.shape))).append(value)
        return measured

    def curve(self, name: str) -> Tensor:
        """What was measured at every meta-iteration: (I, R), nan once a run has diverged."""
        return self.history[name].values.to("cpu", torch.float64)

    def evaluate(
        self,
        split: str = "test",
        tasks: int = 600,
        *,
        steps: int | None = None,
        seed: int = 0,
        at_once: int | None = None,
    ) -> Evaluation:
        """Adapt to tasks of a split, the same ones for every run, and measure on their query sets.

        Args:
            split: "test", "validation" or "training".
            tasks: how many.
            steps: inner steps, where they shall not be those of training.
            seed: which tasks.
            at_once: tasks in a piece; the chunk, or as many as in a meta-batch, by default.
        """
        piece = at_once or self.chunk or self.tasks_per_step
        found: list[Metrics] = []
        for number, at in enumerate(range(0, tasks, piece)):
            batch = self.draw(min(piece, tasks - at), split, number, [seed])
            found.append(self.learner.evaluate(self.learned, batch, steps))
        return Evaluation(
            {n: np.concatenate([f[n].detach().cpu().double().numpy() for f in found], axis=1) for n in found[0]}
        )

    # trouble

    def _raise_if_diverged(self) -> None:
        if self.tolerate_divergence:
            return
        at = self.diverged_at.tolist()
        first = min((iteration for iteration in at if iteration >= 0), default=None)
        if first is None:
            return
        bad = [run for run, iteration in enumerate(at) if iteration == first]

        def place(run: int) -> str:
            return f"{self.description}, meta-iteration {first}, seed {self.seeds[run % len(self.seeds)]}"

        try:  # their numbers are those before that meta-iteration, and its tasks can be drawn again
            self.learner.check(self.learned, self.draw(self.tasks_per_step, "training", first))
        except DivergenceError as error:
            if error.run in bad:
                raise DivergenceError(f"{place(error.run)}: {error}", error.run) from None
        run = bad[0]
        rates = {name: rate[run].item() for name, rate in self.rates.items()}
        raise DivergenceError(
            f"{place(run)}: a meta-gradient of run {run} is not finite, with outer learning rates {rates}; take smaller ones, or fewer "
            "inner steps.",
            run,
        )

    # checkpoints

    def save(self, iterations: int) -> None:
        """Write the checkpoint, all at once or not at all."""
        if distributed.rank() != 0:
            return
        tensors = {f"learned.{name}": value for name, value in self.learned.items()}
        tensors |= {f"state.{name}.{i}": part for name, state in self.states.items() for i, part in enumerate(state)}
        tensors |= {f"history.{name}": rows.values for name, rows in self.history.items()}
        tensors["diverged_at"] = self.diverged_at
        metadata = {"fingerprint": self._key(iterations), "iteration": str(self.iteration)}
        path = self.checkpoint
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(save({name: value.contiguous().cpu() for name, value in tensors.items()}, metadata))
        os.replace(part, path)

    def _key(self, iterations: int) -> str:
        """What run a checkpoint is of; how long a run of constant rates lasts changes nothing before its end."""
        return json.dumps([self._fingerprint, iterations if self.schedule != "constant" else None])

    def _restore(self, iterations: int) -> None:
        path = self.checkpoint
        try:
            with safe_open(path, "pt", device=str(self.device)) as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is no checkpoint ({error}): delete it to start anew.") from None
        if metadata.get("fingerprint") != self._key(iterations):
            raise CheckpointError(
                f"{path} belongs to a run with other settings, code, device, threads or compilation: delete it to start anew."
            )
        self.learned = {name: tensors[f"learned.{name}"] for name in self.learned}
        self.states = {
            name: tuple(tensors[f"state.{name}.{i}"] for i in range(len(state))) for name, state in self.states.items()
        }
        self.diverged_at, self.iteration = tensors["diverged_at"], int(metadata["iteration"])
        known = {n.removeprefix("history."): v for n, v in tensors.items() if n.startswith("history.")}
        self.history = {name: _Rows(values) for name, values in known.items()}


class _Rows:
    """Rows of one tensor that grows by doubling.

    A small tensor kept from every meta-iteration would each time cut a block out of the free memory that the next one needs whole:
    the process would grow by some hundred kilobytes an iteration.
    """

    def __init__(self, values: Tensor):
        self._held, self._count = values, len(values)

    def append(self, row: Tensor) -> None:
        if self._count == len(self._held):
            room = self._held.new_empty(max(256, self._count), *row.shape)
            self._held = torch.cat([self._held, room])
        self._held[self._count] = row.detach()
        self._count += 1

    @property
    def values(self) -> Tensor:
        """All rows so far."""
        return self._held[: self._count]


def _per_run(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.ndim - 1))


def _sum(a: dict[str, Tensor], b: dict[str, Tensor]) -> dict[str, Tensor]:
    """By name, in one call: gradients are many small tensors. Not in place, for two names may have one tensor."""
    return dict(zip(a, torch._foreach_add(list(a.values()), [b[name] for name in a]), strict=True))


def _note(measured: Metrics, speed: float) -> str:
    parts = [f"{name} {value.nanmean().item():.4g}" for name, value in measured.items()]
    return ", ".join([*parts, f"{speed:,.0f} tasks/s"])


def _writer(log_dir: Path | str | None) -> Any:
    if log_dir is None or distributed.rank() != 0:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError("log_dir needs TensorBoard: install the extra 'tensorboard', or leave it out.") from None
    return SummaryWriter(str(log_dir))
