"""The synthetic classification experiments of both Arnold papers: what they share. Their own modules say what differs.

A setting is one reading of the text: a model, its data, its update rule. It is meta-trained by one-step MAML from several seeds, and
from several starts or at several outer rates where its module says so, all at once as runs of one `Trainer`: runs of one seed see the
same tasks. The accuracy after adaptation is measured along training on test tasks that are the same for all settings with the same
data; no choice looks at them. A run that leaves the finite numbers stops there: that is a result, and stands in its record.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .. import compilation, records
from ..meta_learners.maml import MAML
from ..models import linear_network
from ..randomness import generator
from ..records import Metric, Record
from ..tasks.logistic import LogisticTasks
from ..trainer import Trainer
from ..update_rules.kronecker import kfc, klin
from . import methods
from .looks import Kept, along, surviving
from .methods import rounded

PIECE = 20
"""Test tasks that are adapted to at once."""
COMPILED_FROM = 500
"""Meta-iterations from which compiling the step, some ten seconds, is worth it."""

UPDATES: dict[str, Callable[[], Any]] = {
    "sgd": lambda: "sgd",
    "klin": klin,
    # one hidden layer; the gradient is not taken to unit norm, which A.1.2 of arnold2019 says of deep models alone
    "kfc": lambda: kfc(2, "relu", normalize=False),
}
STARTS = {"default": "", "zero": ", from 0", "normal": ", from N(0, 1)"}
"""Where weights and biases start: PyTorch's default, 0, or N(0, 1); and how a record's setting says so."""


@dataclass(frozen=True)
class Setting:
    """One reading of an experiment.

    Attributes:
        tasks: the data of meta-training.
        inner_lr, outer_lr: the printed rates.
        hidden: widths of the linear hidden layers; none is logistic regression.
        bias: whether the layers have biases.
        update: a key of UPDATES.
        outer: the outer optimiser.
        tasks_per_step: of a meta-iteration.
        starts: keys of STARTS, a run of each.
        scales: what the printed outer rate is multiplied by, a run of each.
        test_query: query points of the test tasks, where not those of meta-training.
        seeds: at most so many, where a tier has more.
    """

    tasks: LogisticTasks
    inner_lr: float
    outer_lr: float
    hidden: tuple[int, ...] = ()
    bias: bool = True
    update: str = "sgd"
    outer: str = "sgd"
    tasks_per_step: int = 1
    starts: tuple[Literal["default", "zero", "normal"], ...] = ("default",)
    scales: tuple[float, ...] = (1.0,)
    test_query: int | None = None
    seeds: int | None = None

    def model(self) -> nn.Module:
        """Linear layers, one or more."""
        return linear_network(self.tasks.dimensions, *self.hidden, 1, bias=self.bias)

    def variants(self) -> list[tuple[str, float, str]]:
        """Start, scale, and what they add to the name of the setting, for each record that this setting leaves."""
        return [
            (start, scale, STARTS[start] + ("" if scale == 1 else f", outer rate × {scale:g}"))
            for start in self.starts
            for scale in self.scales
        ]


@dataclass(frozen=True)
class Tier:
    """How much is run: meta-iterations, when the test tasks are looked at (0 and the end too), how many, from how many seeds."""

    iterations: int
    evaluate_every: int
    test_tasks: int
    seeds: int
    evaluate_early: tuple[int, ...] = ()

    def evaluated(self) -> list[int]:
        """The meta-iterations after which the test tasks are looked at."""
        regular = range(0, self.iterations, self.evaluate_every)
        return sorted({0, *(at for at in self.evaluate_early if at < self.iterations), *regular, self.iterations})


def runner(experiment: str, settings: Mapping[str, Setting], tiers: Mapping[str, Tier]) -> Callable[..., list[Record]]:
    """The `run` of an experiment's module."""

    def prepared(tier, name, device, seed, progress, work) -> _Run:
        return _Run(experiment, settings[name], name, tier, tiers[tier], device, seed, progress, work)

    return methods.runner(settings, prepared)


def declaration(setting: Setting, start: str, scale: float, tier: Tier) -> dict[str, Any]:
    """What a record says of its protocol, as plain JSON data."""
    declared = asdict(setting)
    del declared["starts"], declared["scales"]
    declared |= {"start": start, "outer_lr": setting.outer_lr * scale, "steps": 1, "tier": asdict(tier)}
    return json.loads(json.dumps(declared))


class _OncePerSeed:
    """Tasks that are drawn once where several runs in a row have one seed."""

    def __init__(self, tasks: LogisticTasks):
        self.tasks = tasks
        self._last: tuple[Any, Any] = (None, None)

    def __repr__(self) -> str:
        return repr(self.tasks)

    def sample(self, count: int, generator: torch.Generator, split: str, dtype: torch.dtype):
        key = (count, generator.initial_seed(), dtype)  # split and step are in the generator's seed
        if self._last[0] != key:
            self._last = key, self.tasks.sample(count, generator, split, dtype)
        return self._last[1]


class _Run:
    """One setting: meta-training and test."""

    def __init__(self, experiment, setting, name, tier_name, tier, device, seed, progress, work):
        self.experiment, self.setting, self.name = experiment, setting, name
        self.tier_name, self.tier, self.device = tier_name, tier, device
        self.seed, self.progress, self.work = seed, progress, work
        self.seeds = [seed + s for s in range(min(tier.seeds, setting.seeds or tier.seeds))]
        # runs of one seed stand side by side: their tasks are drawn once
        self.runs = [(s, *variant) for s in self.seeds for variant in setting.variants()]
        self.key = methods.fingerprint(device, torch.float32, experiment, name, asdict(setting), asdict(tier), seed)

    def run(self) -> list[Record]:
        """Meta-training and test; a record for each start and scale."""
        began = time.perf_counter()
        learner = MAML(
            self.setting.model(), "bce", update=UPDATES[self.setting.update](), inner_lr=self.setting.inner_lr, steps=1
        )
        trainer = Trainer(
            learner,
            _OncePerSeed(self.setting.tasks),
            outer=self.setting.outer,
            outer_lr=torch.tensor([self.setting.outer_lr * scale for _, _, scale, _ in self.runs]),
            tasks_per_step=self.setting.tasks_per_step,
            seed=[run[0] for run in self.runs],
            learned=self._start(learner),
            device=self.device,
            compile=self.tier.iterations >= COMPILED_FROM,
            checkpoint=None if self.work is None else self.work / "trained.safetensors",
            fingerprint=self.key,
            tolerate_divergence=True,
            description=self.name,
        )
        test = list(self._test_tasks(trainer))
        norms = self._weight_norms(learner, trainer.learned)
        curve = along(
            Kept(self.work, self.key),
            trainer,
            self.tier.evaluated(),
            lambda: {"accuracy": rounded(surviving(learner, trainer, test).mean(1))},
            self.progress,
        )
        final = surviving(learner, trainer, test)
        before = surviving(learner, trainer, test, steps=0)
        end = self._weight_norms(learner, trainer.learned)
        return [
            self._record(number, variant, trainer, curve, final, before, (norms, end), began)
            for number, variant in enumerate(self.setting.variants())
        ]

    def _start(self, learner: MAML) -> dict[str, Tensor]:
        """Learned numbers at the start: a model of its own for every seed, the update rule's at the identity."""
        learned = learner.init(len(self.runs))
        for run, (seed, start, _, _) in enumerate(self.runs):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(generator(seed, "initial").initial_seed())
                model = self.setting.model()
                for name, value in model.named_parameters():
                    if start != "default":
                        (nn.init.normal_ if start == "normal" else nn.init.zeros_)(value)
                    learned[f"model.{name}"][run] = value.detach()
        return learned

    def _test_tasks(self, trainer: Trainer) -> Iterator[tuple[Tensor, ...]]:
        """The test tasks in pieces: they hang on the experiment's seed alone."""
        tasks = self.setting.tasks
        if self.setting.test_query is not None:
            tasks = replace(tasks, query=self.setting.test_query)
        for number, at in enumerate(range(0, self.tier.test_tasks, PIECE)):
            count = min(PIECE, self.tier.test_tasks - at)
            drawn = tasks.sample(count, generator(self.seed, "test", number, self.device), "test", trainer.dtype)
            yield tuple(part[None] for part in drawn)

    def _weight_norms(self, learner: MAML, learned: dict[str, Tensor]) -> list[float]:
        """Of each run, the norm of c in the model's prediction cᵀx + constant, before adaptation."""
        eye = torch.eye(self.setting.tasks.dimensions, device=self.device)
        found = []
        for run in range(len(self.runs)):
            module = learner.module(learned, run).to(self.device)
            with torch.no_grad():
                found.append((module(eye) - module(torch.zeros_like(eye))).norm().item())
        return found

    def _record(self, number, variant, trainer: Trainer, curve, final, before, norms, began) -> Record:
        start, scale, addition = variant
        mine = list(range(number, len(self.runs), len(self.setting.variants())))
        diverged = [trainer.diverged_at[run].item() for run in mine]
        alive = [run for run, at in zip(mine, diverged, strict=True) if at < 0]
        training = methods.blocks(trainer.curve("accuracy"), list(curve))
        metrics = {}
        if alive:
            metrics = {
                "test_accuracy": Metric.over(final[alive].mean(1), "seeds"),
                "test_accuracy_over_tasks": Metric.over(final[alive].mean(0), "tasks"),
                "training_accuracy": Metric.over(training[-1][alive], "seeds"),
                "test_accuracy_without_adaptation": Metric.over(before[alive].mean(1), "seeds"),
            }
        compiled = trainer.compile and compilation.unavailable(self.device) is None
        return Record(
            experiment=self.experiment,
            setting=self.name + addition,
            tier=self.tier_name,
            configuration=declaration(self.setting, start, scale, self.tier),
            seeds=self.seeds,
            initialisation={
                "default": "PyTorch's default for linear layers",
                "zero": "every weight and bias 0",
                "normal": "every weight and bias from N(0, 1)",
            }[start]
            + ("" if self.setting.update == "sgd" else "; the meta-optimizer at the identity"),
            parameter_count=sum(value[0].numel() for value in trainer.learned.values()),
            learning_curve={
                "meta_iteration": list(curve),
                "test_accuracy": [[look["accuracy"][run] for run in mine] for look in curve.values()],
                # of the tasks met since the row before, each before it is learned from
                "training_accuracy": [None, *(rounded(row[mine]) for row in training)],
            },
            final=metrics,
            wall_time_s=time.perf_counter() - began,
            environment=records.environment(self.device, trainer.dtype) | {"compiled": compiled},
            details={
                "fingerprint": self.key,
                "chance": 0.5,
                "diverged_at": [None if i < 0 else i for i in diverged],
                "test_accuracy_per_task": rounded(final[alive].mean(0)) if alive else None,
                "weight_norm_at_start": [norms[0][run] for run in mine],
                "weight_norm_at_end": [
                    None if i >= 0 else norms[1][run] for i, run in zip(diverged, mine, strict=True)
                ],
                "trained_together": len(self.runs),
            },
        )
