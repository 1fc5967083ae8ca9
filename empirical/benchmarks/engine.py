"""This package's own engine, as one more object to be measured: the step that `Trainer` takes, compiled."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..meta_learners import MAML
from ..optimizers import BETA1
from ..trainer import Trainer
from ..update_rules import klin, sgd
from .measuring import OURS, UNCOMPILED
from .workloads import Batch, Workload

_PARTS = {"left": "left0", "right": "right0"}


class Engine:
    """`MAML` under `Trainer(compile=...)`."""

    def __init__(self, name: str = OURS, compile: bool = True):
        self.name, self.compile = name, compile

    def available(self) -> str | None:
        """It always runs: without a compiler, uncompiled."""
        return None

    def supports(self, workload: Workload) -> bool:
        """All of them."""
        return True

    def prepare(self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype) -> _Prepared:
        """Make a trainer that starts from these values."""
        return _Prepared(workload, batch, parameters, dtype, self.compile)


class _Prepared:
    def __init__(
        self, workload: Workload, batch: Batch, parameters: dict[str, Tensor], dtype: torch.dtype, compile: bool
    ):
        model: nn.Module = workload.model()
        learner = MAML(
            model,
            workload.loss,
            update=klin(adapt=False) if workload.kronecker else sgd(),
            inner_lr=workload.inner_lr,
            steps=workload.steps,
        )
        self.names = {f"model.{n}": n for n, _ in model.named_parameters()}
        if workload.kronecker:
            self.names |= {f"update.{n}:{_PARTS[p]}": f"{n}.{p}" for n, _ in model.named_parameters() for p in _PARTS}
        self.trainer = Trainer(
            learner,
            tasks=None,
            outer=workload.outer,
            outer_lr=workload.outer_lr,
            tasks_per_step=workload.tasks,
            learned={ours: parameters[theirs][None] for ours, theirs in self.names.items()},
            chunk=workload.chunk,
            dtype=dtype,
            compile=compile,
        )
        self.batch = tuple(part[None] for part in batch)

    def gradient(self) -> dict[str, Tensor]:
        """The gradient that the step used, read off what the step did, so that it is that of the very thing that is timed."""
        trainer = self.trainer
        before = trainer.learned, trainer.states, trainer.diverged_at, trainer.iteration
        trainer.step(self.batch)
        if trainer.outer == "adam":  # its first moment after one step from zero
            found = {n: trainer.states[n][0] / (1 - BETA1) for n in self.names}
        else:
            found = {n: (before[0][n] - trainer.learned[n]) / trainer.rates[n][0] for n in self.names}
        trainer.learned, trainer.states, trainer.diverged_at, trainer.iteration = before
        return {theirs: found[ours][0] for ours, theirs in self.names.items()}

    def step(self) -> float:
        """One meta-iteration."""
        return self.trainer.step(self.batch)["loss"].item()


ENGINES = {name: Engine(name, compile=name == OURS) for name in (OURS, UNCOMPILED)}
"""The engine with its steps compiled, and as they are."""
ENGINE = ENGINES[OURS]
