"""arnold2019, Table A3: what a meta-step takes with each meta-optimizer, all of them timed in turn.

Printed: one meta-gradient step on a whole meta-batch, on a Titan XP. Not printed, and so read: meta-batches of 16, as `arnold2019_cnn`
has them. Runs that are timed by themselves are no measure: on a machine that others use too, the same step takes twice as long at
another hour. Here every round has a step of each method, so that a ratio is of neighbours in time. No step is compiled: it is the
method's own work that is compared, and not what a compiler makes of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from .. import records
from ..data import find
from ..records import Metric, Record
from ..trainer import Trainer
from . import arnold2019_cnn, methods
from .few_shot import cell_name, learner_of

ID = "arnold2019/costs"
SUMMARY = "Table A3: seconds of a meta-step of CNN(4) and CNN(2) with MAML, KFC and CFC, timed in turn"


@dataclass(frozen=True)
class Tier:
    """How often each step is timed, on how many tasks, so many of them at once."""

    rounds: int
    tasks_per_step: int
    chunk: int = 4


TIERS = {"smoke": Tier(rounds=2, tasks_per_step=1), "full": Tier(rounds=10, tasks_per_step=16)}
CELLS = ((4, "MAML"), (4, "KFC"), (2, "MAML"), (2, "KFC"), (2, "CFC1"), (2, "CFC10"))
METHODS = tuple(arnold2019_cnn.PROTOCOLS)
"""The data sets: all cells of one are timed together."""


def declaration(name: str, tier: Tier) -> dict[str, Any]:
    """What a record says of its protocol, as plain JSON data."""
    setting = arnold2019_cnn.SETTINGS[name]
    network = {"layers": setting.network.layers, "update": setting.update, "inner_lr": setting.rates[0][0]}
    task = {key: getattr(setting, key) for key in ("dataset", "split", "ways", "shots", "queries", "steps")}
    return task | network | asdict(tier) | {"compile": False}


class _Run:
    """The cells of one data set."""

    def __init__(self, tier_name, dataset, device, seed, progress, work):
        self.tier_name, self.tier, self.device, self.seed = tier_name, TIERS[tier_name], device, seed
        self.dataset, self.progress = dataset, progress
        self.names = [cell_name(dataset, *cell) for cell in CELLS]
        told = [declaration(name, self.tier) for name in self.names]
        self.key = methods.fingerprint(device, torch.float32, ID, dataset, told, seed)

    def run(self) -> list[Record]:
        """Rounds of a step each, after one that is not timed; a record for each cell."""
        began = time.perf_counter()
        trainers = {name: self._trainer(name) for name in self.names}
        seconds: dict[str, list[float]] = {name: [] for name in self.names}
        bar = self.progress.bar(self.dataset, self.tier.rounds) if self.progress else None
        for number in range(self.tier.rounds + 1):
            for name, trainer in trainers.items():
                taken = self._step(trainer, number)
                if number:
                    seconds[name].append(float(f"{taken:.4g}"))
            if bar and number:
                bar(number, ", ".join(f"{each[-1]:.3g} s" for each in seconds.values()))
        return [self._record(name, trainers[name], seconds[name], began) for name in self.names]

    def _trainer(self, name: str) -> Trainer:
        setting = arnold2019_cnn.SETTINGS[name]
        (inner, outer), *_ = setting.rates
        torch.manual_seed(self.seed)
        return Trainer(
            learner_of(setting, inner),
            setting.tasks(),
            outer_lr=outer,
            tasks_per_step=self.tier.tasks_per_step,
            chunk=min(self.tier.chunk, self.tier.tasks_per_step),
            seed=self.seed,
            device=self.device,
        )

    def _step(self, trainer: Trainer, number: int) -> float:
        """Seconds of a meta-iteration; what it learns says nothing of how long the next one takes."""
        batch = trainer.draw(self.tier.tasks_per_step, "training", number)
        synchronize = torch.cuda.synchronize if trainer.device.type == "cuda" else lambda: None
        synchronize()
        began = time.perf_counter()
        trainer.step(batch)
        synchronize()
        return time.perf_counter() - began

    def _record(self, name: str, trainer: Trainer, seconds: list[float], began: float) -> Record:
        sizes = {
            part: sum(v[0].numel() for n, v in trainer.learned.items() if n.startswith(part))
            for part in ("model.", "update.")
        }
        return Record(
            experiment=ID,
            setting=name,
            tier=self.tier_name,
            configuration=declaration(name, self.tier),
            seeds=[self.seed],
            initialisation="PyTorch's default",
            parameter_count=sum(sizes.values()),
            learning_curve={"round": list(range(1, self.tier.rounds + 1)), "seconds": seconds},
            final={"seconds_per_meta_step": Metric.over(seconds, "rounds")},
            wall_time_s=time.perf_counter() - began,
            environment=records.environment(self.device, torch.float32),
            details={
                "fingerprint": self.key,
                "median_seconds": float(np.median(seconds)),
                "model_parameters": sizes["model."],
                "optimizer_parameters": sizes["update."],
            },
        )


_of_datasets = methods.runner(METHODS, _Run)


def run(tier: str, *, methods: Sequence[str] | None = None, **options: Any) -> list[Record]:
    """As that of the methods; raises DataError before any is timed, where images of one are missing."""
    for dataset in methods or METHODS:
        find(dataset)
    return _of_datasets(tier, methods=methods, **options)
