"""chen2019's two synthetic benchmarks: what both share. `chen2019_linear` and `chen2019_spiral` say what differs.

For each method: a random search over the settings that the paper does not publish, each trained in full and judged on
validation tasks; then meta-training with the settings found, from several seeds; then adaptation to 1000 test tasks,
step by step. The test tasks are the same for all methods and seeds, and no choice looks at them.

The paper leaves open and this file chooses: the outer optimizer (Adam, its rates falling along half a cosine), 16 tasks
a meta-iteration, the number of meta-iterations, where phi starts, the ranges of the search, and its criterion, the mean
validation loss after the K steps of meta-training. MAML and Reptile are trained with at most half the steps that the
test looks at, so that it can show what goes on beyond K. Shrinkage is to adapt until it has converged (Section 3): its K is the number
of steps of the test. With the variances by joint MAP K is 200: they collapse, and leave nothing to adapt.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import records
from ..inner_loop import Adapted
from ..layers import dense
from ..meta_learners import MAML, Learner, Reptile, Shrinkage
from ..meta_learners.learner import Batch, Learned, as_batch
from ..modules import one_module, per_entry
from ..randomness import generator
from ..records import Metric, Record
from ..tasks.hierarchical import HierarchicalModel, HierarchicalTasks
from ..trainer import CheckpointError, Trainer
from ..update_rules import learned_rates
from . import methods
from .methods import rounded

JOINT_MAP_STEPS = 200
"""K, the inner steps of meta-training, where the variances are learned by joint MAP."""


@dataclass(frozen=True)
class Method:
    """One of the paper's methods: its learner, whether every dimension is a module, what its gradients take along."""

    learner: str
    modular: bool = False
    first_order: bool = False
    sigma_by: str = "pll"


METHODS = {
    "MAML": Method("maml"),
    "M-MAML": Method("maml", modular=True),
    "FO-MAML": Method("maml", first_order=True),
    "FO-M-MAML": Method("maml", modular=True, first_order=True),
    "Reptile": Method("reptile"),
    "Shrinkage": Method("shrinkage"),
    "M-Shrinkage": Method("shrinkage", modular=True),
    "M-Shrinkage joint MAP": Method("shrinkage", modular=True, sigma_by="map"),
}


@dataclass(frozen=True)
class Tier:
    """How much is run."""

    candidates: int  # random settings for each K
    iterations: int  # of meta-training, in the search too
    validation_tasks: int
    seeds: int
    test_tasks: int
    horizon: int  # adaptation steps on test tasks
    horizons: tuple[int, ...] | None = None  # in place of the K to try


@dataclass(frozen=True)
class Protocol:
    """One benchmark.

    Attributes:
        id: of the experiment.
        tasks: the distribution.
        horizons: K, the inner steps of meta-training, that the search tries for MAML and Reptile.
        converged: K of Shrinkage.
        start: every entry of phi before meta-training.
        space: setting → (low, high), drawn log-uniformly: `inner_rate` (where MAML's learned rates start), `phi_rate` and
            `other_rate` (outer rates, of phi and of log σ² or the log inner rates), `sigma` (at the start).
        identifiable: whether |θ̂ − θ| by dimension means something.
    """

    id: str
    tasks: HierarchicalTasks
    horizons: tuple[int, ...]
    converged: int
    start: float
    space: Mapping[str, tuple[float, float]]
    identifiable: bool
    tasks_per_step: int = 16


Candidate = dict[str, float]


def runner(protocol: Protocol, tiers: Mapping[str, Tier]) -> Callable[..., list[Record]]:
    """The `run` of an experiment's module."""

    def prepared(tier, name, device, seed, progress, work) -> _Run:
        return _Run(protocol, tier, tiers[tier], name, device, seed, progress, work)

    return methods.runner(METHODS, prepared)


def horizons(protocol: Protocol, tier: Tier, name: str) -> tuple[int, ...]:
    """K, the inner steps of meta-training, that the search tries for a method."""
    if tier.horizons or METHODS[name].learner != "shrinkage":
        return tier.horizons or protocol.horizons
    return (JOINT_MAP_STEPS if METHODS[name].sigma_by == "map" else protocol.converged,)


def declaration(protocol: Protocol, tier: Tier, name: str) -> dict[str, Any]:
    """What a method's record says of its protocol, as plain JSON data: all but what the search chose."""
    declared = {
        "tasks": asdict(protocol.tasks),
        "method": asdict(METHODS[name]),
        "search_space": dict(protocol.space),
        "tier": asdict(tier),
        "tasks_per_step": protocol.tasks_per_step,
        "outer_optimizer": "adam, rates falling along half a cosine",
        "criterion": "mean validation loss after K inner steps",
    }
    return json.loads(json.dumps(declared))


class _Run:
    """One method on one benchmark: search, meta-training, test."""

    def __init__(self, protocol, tier_name, tier, name, device, seed, progress, work):
        self.protocol, self.tier_name, self.tier, self.name = protocol, tier_name, tier, name
        self.method, self.tasks = METHODS[name], protocol.tasks
        self.device, self.seed, self.progress, self.work = device, seed, progress, work
        self.horizons = horizons(protocol, tier, name)
        self.where = {"device": device, "dtype": torch.float64}
        self.key = self._fingerprint("record")

    def run(self) -> list[Record]:
        """Search, meta-training, test."""
        began = time.perf_counter()
        searched = [self._search(steps) for steps in self.horizons]
        candidates = [c for horizon in searched for c in horizon["candidates"]]
        chosen = min(candidates, key=_merit)
        trainer = self._train(chosen["configuration"])
        return [self._evaluate(chosen["configuration"], trainer, candidates, searched, began)]

    # search

    def _search(self, steps: int) -> dict[str, Any]:
        """Try random settings with K = steps, all at once; what became of each."""
        file = None if self.work is None else self.work / f"search-{steps}.json"
        key = self._fingerprint(f"search {steps}")
        if file is not None and file.exists():
            try:
                found = json.loads(file.read_text())
                same = found["fingerprint"] == key
            except (ValueError, TypeError, KeyError):
                raise CheckpointError(f"{file} is damaged: delete it to search anew.") from None
            if same:
                return found
        drawn = generator(self.seed, "search", steps)
        settings = {
            name: _log_uniform(*self.protocol.space[name], self.tier.candidates, drawn) for name in self._searched()
        }
        trainer = self._meta_train(
            settings, steps, [self.seed], f"{self.name}, search, K = {steps}", f"search-{steps}", key
        )
        batch = self.tasks.episodes(self.tier.validation_tasks, [self.seed], "validation", **self.where).batch
        before = self._mean_loss(self._start(1)[:, None], batch)
        after = trainer.learner.evaluate(trainer.learned, batch)["loss"] / self.tasks.observations
        diverged_at = _or_none(trainer.diverged_at)
        candidates = []
        for run in range(self.tier.candidates):
            loss, diverged = float(after[run].mean()), diverged_at[run] is not None
            candidates.append(
                {
                    "configuration": {"steps": steps} | {name: float(values[run]) for name, values in settings.items()},
                    "validation_loss": loss if math.isfinite(loss) else None,
                    "diverged": diverged or not math.isfinite(loss),
                    "diverged_at": diverged_at[run],
                    "worse_than_start": not loss < float(before.mean()),
                }
            )
        best = min(range(len(candidates)), key=lambda run: _merit(candidates[run]))
        found = {
            "fingerprint": key,
            "steps": steps,
            "candidates": candidates,
            "best_per_task": rounded(after[best]) if torch.isfinite(after[best]).all() else None,
        }
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            records.write_text(file, json.dumps(found) + "\n")
        return found

    def _searched(self) -> list[str]:
        """The settings that this method has."""
        names = ["inner_rate", "phi_rate"]
        if self.method.learner != "reptile":
            names.append("other_rate")
        return [*names, "sigma"] if self.method.learner == "shrinkage" else names

    def _same_for(self, configuration: Candidate, seeds: list[int]) -> dict[str, Tensor]:
        """One candidate's settings, for a run of each seed."""
        return {name: torch.full((len(seeds),), configuration[name], dtype=torch.float64) for name in self._searched()}

    # meta-training

    def _train(self, configuration: Candidate) -> Trainer:
        seeds = [self.seed + s for s in range(self.tier.seeds)]
        key = self._fingerprint(f"train {json.dumps(configuration, sort_keys=True)}")
        return self._meta_train(
            self._same_for(configuration, seeds),
            int(configuration["steps"]),
            seeds,
            f"{self.name}, meta-training",
            "train",
            key,
        )

    def _meta_train(
        self, settings: dict[str, Tensor], steps: int, seeds: list[int], what: str, file: str, key: str
    ) -> Trainer:
        trainer = self._trainer(
            settings,
            steps,
            seeds,
            checkpoint=None if self.work is None else self.work / f"{file}.safetensors",
            fingerprint=key,
            progress=self.progress,
            description=what,
        )
        return trainer.fit(self.tier.iterations)

    def _trainer(self, settings: dict[str, Tensor], steps: int, seeds: list[int], **options: Any) -> Trainer:
        """A trainer of one run for each setting, from the start."""
        learner = self._learner(settings, steps)
        runs = len(settings["inner_rate"])
        rates = {"*phi": settings["phi_rate"]}
        if "other_rate" in settings:
            rates["*log_*"] = settings["other_rate"]
        return Trainer(
            learner,
            self.tasks,
            outer="adam",
            outer_lr=rates,
            schedule="cosine",
            tasks_per_step=self.protocol.tasks_per_step,
            seed=seeds,
            runs=runs,
            learned=learner.start(self._start(runs)) if isinstance(learner, Shrinkage) else None,
            tolerate_divergence=True,  # it is a result here, and stands in the record
            **self.where,
            **options,
        )

    def _learner(self, settings: dict[str, Tensor], steps: int) -> Learner:
        """The learner, with one run for each setting."""
        shared = {"steps": steps, "inner_lr": settings["inner_rate"]}
        if self.method.learner == "shrinkage":
            modules = (per_entry if self.method.modular else one_module)(self.tasks.entries)
            return Shrinkage(
                self.tasks.losses, modules=modules, sigma=settings["sigma"], sigma_by=self.method.sigma_by, **shared
            )
        model = HierarchicalModel(self.tasks, self.protocol.start)
        if self.method.learner == "reptile":
            return Reptile(model, self.tasks.loss, **shared)
        rule = learned_rates("entry" if self.method.modular else "model")
        return MAML(model, self.tasks.loss, update=rule, first_order=self.method.first_order, **shared)

    def _start(self, runs: int) -> Tensor:
        return torch.full((runs, self.tasks.entries), self.protocol.start, **self.where)

    # test

    def _evaluate(self, configuration, trainer: Trainer, candidates, searched, began) -> Record:
        learner, learned = trainer.learner, trainer.learned
        # the test tasks hang on the experiment's seed alone: they are the same for all methods and training seeds
        test = self.tasks.episodes(self.tier.test_tasks, [self.seed], "test", **self.where)
        batch = as_batch(test.batch, learned)
        losses, errors = [], []
        bar = self.progress.bar(f"{self.name}, test", self.tier.horizon) if self.progress else None

        def observe(step: int, adapted: Adapted | Tensor) -> None:
            theta = dense(adapted.weights["phi"]) if isinstance(adapted, Adapted) else adapted
            losses.append(self._mean_loss(theta, batch))
            if self.protocol.identifiable:
                errors.append((theta - test.theta).abs().mean(0))
            if bar:
                bar(step, "")

        learner.adapt(learned, batch[:2], self.tier.horizon, observe)
        loss = torch.stack(losses, dim=1).cpu().numpy()  # (S, steps + 1, tasks)
        per_task = loss.mean(axis=0)
        curve = per_task.mean(axis=1)
        with np.errstate(over="ignore", invalid="ignore"):  # of a curve that blows up
            spread = per_task.std(axis=1, ddof=1) / math.sqrt(per_task.shape[1])
        finite = np.isfinite(curve) & np.isfinite(spread)
        best = int(np.argmin(np.where(finite, curve, np.inf)))
        last = int(np.flatnonzero(finite)[-1])
        return Record(
            experiment=self.protocol.id,
            setting=self.name,
            tier=self.tier_name,
            configuration=declaration(self.protocol, self.tier, self.name) | {"chosen": configuration},
            seeds=trainer.seeds,
            initialisation=f"phi = {self.protocol.start} in every entry",
            parameter_count=sum(value[0].numel() for value in learned.values()),
            learning_curve=_thinned(trainer.curve("loss"), self.tasks.observations),
            final={
                "test_loss_best_step": Metric.over(per_task[best], "tasks"),
                "test_loss_last_step": Metric.over(per_task[last], "tasks"),
                "test_loss_last_step_by_seed": Metric.over(loss[:, last].mean(axis=1), "seeds"),
            },
            wall_time_s=time.perf_counter() - began,
            environment=records.environment(self.device, torch.float64),
            details={
                "fingerprint": self.key,
                "loss_is": "½ Σ_d ((x_d − μ_d)/ξ_d)² of one query observation, the mean over the task's; no constant",
                "test": {
                    "step": list(range(len(curve))),
                    "loss": [rounded(row) for row in loss.mean(axis=2)],
                    "standard_error": rounded(spread),
                },
                "best_step": best,
                "last_finite_step": last,
                "per_task": {"best": rounded(per_task[best]), "last": rounded(per_task[last])},
                "error_per_dimension": [rounded(e.mean(0)) for e in errors] if errors else None,
                "overfitting_per_dimension": _overfitting(torch.stack(errors)) if errors else None,
                "learned": _learned(learned, self._same_for(configuration, trainer.seeds)["inner_rate"]),
                "diverged_at": _or_none(trainer.diverged_at),
                "search": candidates,
                "horizons": [{"steps": h["steps"], "best_per_task": h["best_per_task"]} for h in searched],
            },
        )

    def _mean_loss(self, theta: Tensor, batch: Batch) -> Tensor:
        """The mean loss of a query observation, for each run and task (R, T)."""
        return self.tasks.losses(theta, batch[2:]) / self.tasks.observations

    def _fingerprint(self, stage: str) -> str:
        told = stage, asdict(self.protocol), asdict(self.tier), asdict(self.method), self.seed
        return methods.fingerprint(self.device, torch.float64, *told)


def _merit(candidate: dict[str, Any]) -> tuple[bool, float]:
    """Smaller is better: the finite ones by validation loss, then those that lasted longest."""
    if candidate["diverged"]:
        return True, -(candidate["diverged_at"] if candidate["diverged_at"] is not None else math.inf)
    return False, candidate["validation_loss"]


def _log_uniform(low: float, high: float, count: int, drawn: torch.Generator) -> Tensor:
    uniform = torch.rand(count, generator=drawn, dtype=torch.float64)
    return torch.exp(math.log(low) + (math.log(high) - math.log(low)) * uniform)


def _thinned(losses: Tensor, observations: int) -> dict[str, list[Any]]:
    """The training curve in at most 100 points: means over equal stretches of meta-iterations, by seed."""
    width = math.ceil(len(losses) / 100) or 1
    blocks = [losses[i : i + width].mean(dim=0) / observations for i in range(0, len(losses), width)]
    return {
        "meta_iteration": [min(i + width, len(losses)) for i in range(0, len(losses), width)],
        "query_loss": [rounded(block) for block in blocks],
    }


def _overfitting(errors: Tensor) -> dict[str, list[Any]]:
    """By how much each dimension's mean |θ̂ − θ| ends above its least, from errors (steps + 1, tasks, M).

    The least one's step is found on every other task and the difference measured on the rest, so that choosing the step does
    not bias it.
    """
    step = errors[:, ::2].mean(1).argmin(0)
    rest = errors[:, 1::2]
    excess = rest[-1] - rest[step, :, torch.arange(errors.shape[-1])].mT
    return {
        "best_step": errors.mean(1).argmin(0).tolist(),
        "value": rounded(excess.mean(0)),
        "standard_error": rounded(excess.std(0) / math.sqrt(len(excess))),
    }


def _learned(learned: Learned, inner_rate: Tensor) -> dict[str, Any]:
    """What a record says was learned: phi, sigma where there is one, and the inner rates, which may be fixed."""
    found: dict[str, Any] = {"phi": None, "sigma": None, "inner_lr": inner_rate[:, None].tolist()}
    for name, value in learned.items():
        if name.endswith("phi"):
            found["phi"] = value.tolist()
        elif name == "log_variance":
            found["sigma"] = torch.exp(value / 2).tolist()
        else:  # log_factor, one or one for each entry
            found["inner_lr"] = (inner_rate[:, None] * value.exp().view(len(value), -1).cpu()).tolist()
    return found


def _or_none(diverged_at: Tensor) -> list[int | None]:
    return [None if iteration < 0 else iteration for iteration in diverged_at.tolist()]
