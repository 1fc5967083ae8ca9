"""The image experiments of both Arnold papers: what they share. Their own modules say what differs.

A setting is one cell of a table: data, network, meta-learner, rates. It is meta-trained from several seeds at once, each with a start and
tasks of its own (of the same pool where there is one), and then judged on the same test tasks for every setting with the same data. No
choice looks at a test task.

The papers leave open whose statistics batch norm uses at test. Training is transductive, as their libraries have it; the test is made
both ways. Beside the accuracy stand the numbers that give it a meaning: chance, the trained network before it adapts, and an untrained
one that adapts in the same way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from math import prod
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .. import compilation, distributed, records
from ..data import DATASETS, find
from ..meta_learners.maml import MAML
from ..models import benchmark_cnn, linear_network
from ..randomness import generator
from ..records import Metric, Record
from ..tasks.few_shot import FewShotTasks
from ..trainer import Trainer
from ..update_rules import UpdateRule, cfc, kfc, klin, meta_curvature, meta_sgd, sgd, t_nets
from . import longer, methods
from .looks import Kept, accuracies, along, surviving
from .methods import rounded
from .single_tasks import trained_alone

COMPILED_FROM, PER_TENSOR = 150, 5
"""Meta-iterations from which compiling the step is worth it: so many, and so many for each learned tensor: the code grows with them."""

OVERHEAD = 1e8
"""Multiplications that would take as long as a meta-iteration of next to none."""

UPDATES: dict[str, Callable[[], UpdateRule]] = {
    "sgd": sgd,
    "meta-sgd": meta_sgd,
    "meta-curvature": meta_curvature,
    "t-nets": t_nets,
    "klin": klin,
    # the gradient as it is; four layers have the 2.5M parameters that are printed, and not four hidden ones: arnold2019, A.1.1
    "kfc of linear models": lambda: kfc(4, "relu", normalize=False),
    # four layers, the direction apart from the norm: arnold2019, A.1.2
    "kfc": lambda: kfc(4, "relu"),
    # arnold2021, (22): the meta-optimizer's parameters stay as they are inside a task
    "meta-kfo": lambda: kfc(4, "relu", adapt=False),
    "cfc1": lambda: cfc(1, 4),
    "cfc10": lambda: cfc(10, 4),
}
ALONE = "adam"
"""By what each task is trained where nothing is trained across tasks (see `single_tasks`)."""
TIMED = 5
"""Meta-iterations that are timed at the end, once more after training."""
TRAINED, UNTRAINED = 0, 1
"""Which start of a seed: that of meta-training, or of a network that adapts without it."""


@dataclass(frozen=True)
class Network:
    """What adapts.

    Attributes:
        layers: blocks of the CNN; 0 is a linear model of the pixels.
        paper: whose number of channels.
        linnet: widths of the hidden linear layers that are added in front of the last layer.
        side: height and width of the images, where not the data set's own.
    """

    layers: int = 0
    paper: Literal["arnold2019", "arnold2021"] = "arnold2021"
    linnet: tuple[int, ...] = ()
    side: int | None = None

    def inputs(self, dataset: str) -> tuple[int, int, int]:
        """The shape (C, H, W) of an image."""
        side = self.side or DATASETS[dataset].side
        return DATASETS[dataset].shape[-1], side, side

    def module(self, dataset: str, ways: int) -> nn.Module:
        """A network that torch's default initialises."""
        if not self.layers:
            return nn.Sequential(nn.Flatten(), *linear_network(prod(self.inputs(dataset)), *self.linnet, ways))
        made = benchmark_cnn(dataset, self.layers, paper=self.paper, classes=ways)
        if self.linnet:
            made.head = linear_network(made.head.in_features, *self.linnet, ways)
        return made


@dataclass(frozen=True)
class Setting:
    """One cell of a table.

    Attributes:
        dataset: of `empirical.data.DATASETS`.
        ways, shots, queries: of a task; queries are of each class.
        steps: inner steps; of Adam where each task is trained alone.
        network: what adapts.
        rates: inner and outer rate, or Adam's and 0. More than one pair is a search, each pair a record of its own.
        learner: "MAML" adapts all layers, "ANIL" of a CNN the last one, to which a LinNet belongs.
        update: a key of UPDATES, or ALONE.
        tasks_per_step: of a meta-iteration.
        iterations: meta-iterations of the full protocol; 0 trains nothing across tasks, and each alone from a network's start.
        test_tasks: at most so many at the end, of each split.
        split: which split of the classes; the usual one by default.
        pool: training tasks, where there is a fixed number of them.
        studies: what else is measured, names of the experiment's own studies.
        compile: compile the step where there are enough meta-iterations.
        deviations: what of this is not printed, or printed otherwise, and how it was read; told in the record.
    """

    dataset: str
    ways: int
    shots: int
    queries: int
    steps: int
    network: Network
    rates: tuple[tuple[float, float], ...]
    learner: Literal["MAML", "ANIL"] = "MAML"
    update: str = "sgd"
    tasks_per_step: int = 16
    iterations: int = 60_000
    test_tasks: int | None = None
    split: str | None = None
    pool: int | None = None
    studies: tuple[str, ...] = ()
    compile: bool = True
    deviations: tuple[str, ...] = ()

    def tasks(self) -> FewShotTasks:
        """Tasks of all three splits; a pool is of training tasks alone, since test tasks are the same ones anyway."""
        return FewShotTasks.of(
            self.dataset,
            self.ways,
            self.shots,
            self.queries,
            split=self.split,
            side=self.network.side,
            pool=self.pool,
        )

    def module(self) -> nn.Module:
        """Its network."""
        return self.network.module(self.dataset, self.ways)

    def candidates(self, name: str) -> dict[tuple[float, float], str]:
        """What the record of each pair of rates is called."""
        if len(self.rates) == 1:
            return {self.rates[0]: name}
        return {(inner, outer): f"{name}, inner {inner:g}, outer {outer:g}" for inner, outer in self.rates}

    def parameters(self) -> int:
        """How many numbers are learned."""
        return sum(value[0].numel() for value in learner_of(self, self.rates[0][0]).init(1).values())

    def worth_compiling(self) -> bool:
        """Whether there are meta-iterations enough to make up for the compilation of one."""
        tensors = len(learner_of(self, self.rates[0][0]).init(1))
        return self.compile and self.iterations >= max(COMPILED_FROM, PER_TENSOR * tensors)

    def work(self) -> float:
        """About how many multiplications a meta-iteration is, its overhead among them.

        Whatever an inner step of second order does, it does nine times over; where only the last layer adapts, three times.
        """
        forward, update = _multiplications(self.dataset, self.ways, self.network, self.update)
        times = 9 if self.learner == "MAML" else 3
        adaptation = times * self.steps * (self.ways * self.shots * forward + update)
        return OVERHEAD + self.tasks_per_step * (adaptation + 3 * self.ways * self.queries * forward)


@cache
def _multiplications(dataset: str, ways: int, network: Network, update: str) -> tuple[float, float]:
    """Of the forward pass of one image, and of the update rule on the gradient of all weights."""
    forward, shapes = _of_forward(dataset, ways, network, UPDATES[update]().prepare)
    return forward, sum(_of_update(update, shape) for shape in shapes)


@cache
def _of_forward(
    dataset: str, ways: int, network: Network, prepare: Callable[[nn.Module], tuple[nn.Module, Any]] | None
) -> tuple[float, list[torch.Size]]:
    """Multiplications of the forward pass of one image, and the shapes of all weights; `prepare` is an update rule's."""
    module = network.module(dataset, ways)
    if prepare is not None:
        module, _ = prepare(module)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.to("meta")(torch.zeros(2, *network.inputs(dataset), device="meta"))
    # of two images, and a multiplication and an addition are two
    return counter.get_total_flops() / 4, [weight.shape for weight in module.parameters()]


@cache
def _of_update(update: str, shape: torch.Size) -> float:
    """Multiplications of an update rule on the gradient of one weight; every rule treats each by itself."""
    rule, weight = UPDATES[update](), torch.zeros(shape, device="meta")
    found = rule.init({"w": weight}, torch.Generator())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        rule.update({n: p[None, None] for n, p in found.items()}, {"w": weight[None, None]})
    return counter.get_total_flops() / 2


@dataclass(frozen=True)
class Tier:
    """How much is run.

    Attributes:
        seeds: how many.
        test_tasks: at the end, of the validation and of the test classes.
        looks: how often test tasks are looked at along training, evenly; and at how many tasks.
        look_tasks: at how many of them.
        iterations: at most so many meta-iterations, or steps where each task is trained alone; the setting's own where None.
        work: at most so many multiplications for each seed (see `Setting.work`), but 10 meta-iterations at least. Each candidate of
            a search has them all, so that a cell whose rates are not printed is not trained for less than the others.
        tasks_per_step: at most so many tasks in a meta-iteration.
        chunk: tasks whose meta-gradient is taken at once.
    """

    seeds: int
    test_tasks: int
    looks: int
    look_tasks: int
    iterations: int | None = None
    work: float | None = None
    tasks_per_step: int | None = None
    chunk: int | None = None

    def cut(self, setting: Setting) -> Setting:
        """The setting as this tier runs it."""
        setting = replace(
            setting, tasks_per_step=min(setting.tasks_per_step, self.tasks_per_step or setting.tasks_per_step)
        )
        iterations = min(setting.iterations, self.iterations or setting.iterations)
        if self.work is not None and iterations:
            most = self.work / setting.work()
            iterations = min(iterations, max(10, int(float(f"{most:.2g}"))))
        steps = setting.steps if iterations else min(setting.steps, self.iterations or setting.steps)
        test_tasks = min(self.test_tasks, setting.test_tasks or self.test_tasks)
        return replace(setting, iterations=iterations, steps=steps, test_tasks=test_tasks)

    def looked(self, iterations: int) -> list[int]:
        """The meta-iterations after which test tasks are looked at; 0 and the end are among them."""
        return sorted({round(iterations * k / self.looks) for k in range(self.looks + 1)})


TIERS = {
    "smoke": Tier(seeds=2, test_tasks=8, looks=1, look_tasks=8, iterations=3, tasks_per_step=2),
    # three minutes of one core for a seed, at 2e10 multiplications a second
    "lite": Tier(seeds=3, test_tasks=300, looks=8, look_tasks=60, work=3e12, tasks_per_step=4),
    # ten times lite, from whose end it goes on (see `longer`): half an hour
    "long": Tier(seeds=3, test_tasks=300, looks=40, look_tasks=60, work=3e13, tasks_per_step=4),
    "full": Tier(seeds=3, test_tasks=600, looks=60, look_tasks=100),
}
"""Of the image experiments."""


@dataclass(frozen=True)
class Trained:
    """What a study is given.

    Attributes:
        setting: as the tier runs it.
        learner, trainer: after meta-training.
        test: batches of test tasks, the same for all runs.
        seed: the experiment's.
    """

    setting: Setting
    learner: MAML
    trainer: Trainer
    test: list[tuple[Tensor, ...]]
    seed: int


Study = Callable[[Trained], dict[str, Any]]
"""From a trained setting to plain JSON data, accuracies by seed."""


def runner(
    experiment: str,
    settings: Mapping[str, Setting],
    tiers: Mapping[str, Tier] = TIERS,
    studies: Mapping[str, Study] = {},
    along: Collection[str] = (),
) -> Callable[..., list[Record]]:
    """The `run` of an experiment's module; `along`: the studies, all of accuracies, that every look along training makes too."""

    def prepared(tier, name, device, seed, progress, work) -> _Run:
        return _Run(experiment, settings[name], name, tier, tiers, studies, along, device, seed, progress, work)

    of_methods = methods.runner(settings, prepared)

    def run(tier: str, *, methods: Sequence[str] | None = None, **options: Any) -> list[Record]:
        """As that of the methods; raises DataError before the first of them is run, where images of any are missing."""
        for dataset in dict.fromkeys(settings[name].dataset for name in methods or settings if name in settings):
            find(dataset)
        return of_methods(tier, methods=methods, **options)

    return run


def cell_name(dataset: str, layers: int, method: str) -> str:
    """The setting of a cell of a CNN."""
    return f"{dataset} CNN({layers}) {method}"


def learner_of(setting: Setting, rates: Tensor | float, **options: Any) -> MAML:
    """Its meta-learner, with the options of `MAML` in place of its own."""
    given: dict[str, Any] = {
        "update": UPDATES[setting.update]()
        if setting.iterations
        else sgd(),  # a task that is trained alone does not adapt
        "inner_lr": rates,
        "steps": setting.steps,
        "adapts": "*" if setting.learner == "MAML" else "head.*",
    }
    return MAML(setting.module(), "cross_entropy", **given | options)


class _Run:
    """One setting: meta-training and test."""

    def __init__(self, experiment, setting, name, tier_name, tiers, studies, along, device, seed, progress, work):
        self.experiment, self.name, self.tier_name, self.tier = experiment, name, tier_name, tiers[tier_name]
        self.setting: Setting = self.tier.cut(setting)
        self.studies = {study: studies[study] for study in setting.studies}
        self.studied_along = [study for study in setting.studies if study in along]
        self.device, self.seed, self.progress, self.work = device, seed, progress, work
        self.seeds = [seed + s for s in range(self.tier.seeds)]
        self.runs = [(s, *pair) for s in self.seeds for pair in setting.rates]
        self.tasks = self.setting.tasks()
        self.fresh = self.tasks if setting.pool is None else replace(self.tasks, pool=None)
        told = [asdict(self.setting), asdict(self.tier), self.tasks.images.digest()]
        self.key = methods.fingerprint(device, torch.float32, experiment, name, *told, seed)
        # what is trained and looked at, however long; what is compiled is another computation
        told = [asdict(replace(self.setting, iterations=0)), self.setting.worth_compiling()]
        told += [self.tier.look_tasks, self.tier.chunk, self.tasks.images.digest(), distributed.size()]
        self.training = methods.fingerprint(device, torch.float32, experiment, name, *told, seed)
        self.places = self.tier.looked(self.setting.iterations)
        self.shorter = longer.GOES_ON_FROM.get(tier_name)
        if self.shorter is not None:
            before = tiers[self.shorter].looked(tiers[self.shorter].cut(setting).iterations)
            self.places = before + [place for place in self.places if place > before[-1]]

    def run(self) -> list[Record]:
        """Training and test; a record for each pair of rates."""
        began = time.perf_counter()
        setting, kept = self.setting, Kept(self.work, self.key)
        learner = learner_of(setting, torch.tensor([inner for _, inner, _ in self.runs]))
        trainer = Trainer(
            learner,
            self.tasks,
            outer_lr=torch.tensor([outer for *_, outer in self.runs]),
            tasks_per_step=setting.tasks_per_step,
            seed=[run[0] for run in self.runs],
            learned=self._start(learner, TRAINED),
            chunk=self.tier.chunk,
            device=self.device,
            compile=setting.worth_compiling(),
            checkpoint=None if self.work is None else self.work / longer.CHECKPOINT,
            fingerprint=self.training,
            tolerate_divergence=True,
            description=self.name,
        )
        if setting.iterations:
            curve = self._meta_trained(learner, trainer)
            measured, found = self._meta_tested(kept, learner, trainer)
        else:
            measured, found = self._each_alone(kept, learner, trainer), {}
            curve = {0: {"accuracy": rounded(measured["test_accuracy"].mean(1))}}
        seconds = self._seconds(trainer)
        return [self._record(n, trainer, curve, measured, found, (began, seconds)) for n in range(len(setting.rates))]

    def _meta_trained(self, learner: MAML, trainer: Trainer) -> dict[int, dict[str, Any]]:
        """Train; accuracies and studies along it."""
        setting = self.setting
        if self.work is not None and self.shorter is not None:
            longer.take(self.work, longer.kept_by(self.shorter, self.work), self.training, self.progress)
        few = list(self._drawn(trainer, "test", min(self.tier.look_tasks, setting.test_tasks)))

        def look() -> dict[str, Any]:
            lost, now = (trainer.diverged_at >= 0).cpu().numpy(), Trained(setting, learner, trainer, few, self.seed)
            return {
                "accuracy": rounded(surviving(learner, trainer, few).mean(1)),
                **{
                    name: _by_run(self.studies[name](now), lambda v: rounded(np.where(lost, np.nan, v)))
                    for name in self.studied_along
                },
            }

        found = along(Kept(self.work, self.training, longer.LOOKS), trainer, self.places, look, self.progress)
        if self.work is not None and self.tier_name in longer.GOES_ON_FROM.values():
            longer.keep(self.work)
        return found

    def _meta_tested(self, kept: Kept, learner: MAML, trainer: Trainer) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Of what was learned, accuracies (R, T) and studies."""
        setting = self.setting
        test = list(self._drawn(trainer, "test", setting.test_tasks))
        self._tell(f"on {setting.test_tasks} test tasks")
        untrained = {n: v.to(trainer.device, trainer.dtype) for n, v in self._start(learner, UNTRAINED).items()}
        validation = self._drawn(trainer, "validation", setting.test_tasks)
        measures = {
            "test_accuracy": lambda: surviving(learner, trainer, test),
            "test_accuracy_without_adaptation": lambda: surviving(learner, trainer, test, steps=0),
            "validation_accuracy": lambda: surviving(learner, trainer, validation),
            "test_accuracy_from_scratch": lambda: accuracies(learner, untrained, test),
        }
        if inductive := self._inductive(learner, trainer):
            measures["test_accuracy_support_statistics"] = lambda: surviving(inductive, trainer, test)
        measured = {name: np.array(kept.once(name, lambda m=m: m().tolist())) for name, m in measures.items()}
        trained, studies = Trained(setting, learner, trainer, test, self.seed), {}
        for name, study in self.studies.items():
            self._tell(f"study of {name}")
            studies[name] = kept.once(f"study of {name}", lambda s=study: _by_run(s(trained), np.ndarray.tolist))
        return measured, studies

    def _each_alone(self, kept: Kept, learner: MAML, trainer: Trainer) -> dict[str, np.ndarray]:
        """Of networks that were trained on each task alone, accuracies (R, T)."""
        inductive = self._inductive(learner, trainer)
        rates = [rate for _, rate, _ in self.runs]

        def measure(task: tuple[Tensor, ...], split: str) -> dict[str, list[float]]:
            learned, support = trained_alone(learner, trainer.learned, task[:2], rates, self.setting.steps), task[:2]
            found = {f"{split}_accuracy": accuracies(learner, learned, [task], 0)}
            if split == "test":
                found["test_accuracy_without_adaptation"] = accuracies(learner, trainer.learned, [task], 0)
                # whether it has converged
                found["test_accuracy_on_support"] = accuracies(learner, learned, [(*support, *support)], 0)
                if inductive:
                    found["test_accuracy_support_statistics"] = accuracies(inductive, learned, [task], 0)
            return {name: values[:, 0].tolist() for name, values in found.items()}

        count, found = self.setting.test_tasks, {}
        bar = self.progress.bar(self.name, 2 * count) if self.progress else None
        for before, split in ((0, "validation"), (count, "test")):
            pieces = self._drawn(trainer, split, count)
            tasks = (tuple(p[:, k : k + 1] for p in piece) for piece in pieces for k in range(piece[0].shape[1]))
            for number, task in enumerate(tasks):
                for name, values in kept.once(f"{split} task {number}", lambda t=task, s=split: measure(t, s)).items():
                    found.setdefault(name, []).append(values)
                if bar:
                    bar(before + number + 1, f"{split} tasks, {np.mean(found[f'{split}_accuracy']):.4f}")
        return {name: np.array(values).T for name, values in found.items()}

    def _inductive(self, learner: MAML, trainer: Trainer) -> MAML | None:
        """The meta-learner with batch norm that sees the support points alone; None without batch norm."""
        if not learner.inner.model.has_batch_norm:
            return None
        made = learner_of(self.setting, learner.inner.inner_lr, batch_norm="support")
        made.to(trainer.device, trainer.dtype)
        return made

    def _tell(self, what: str) -> None:
        if self.progress:
            self.progress(f"{self.name}: {what}")

    def _start(self, learner: MAML, which: int) -> dict[str, Tensor]:
        """Learned numbers at the start: a network of its own for every seed, the update rule's as it starts."""
        learned = learner.init(len(self.runs))
        prepare = learner.inner.update.prepare
        for run, (seed, _, _) in enumerate(self.runs):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(generator(seed, "initial", which).initial_seed())
                module = self.setting.module()
            if prepare is not None:
                module, _ = prepare(module)
            for name, value in module.named_parameters():
                learned[f"model.{name}"][run] = value.detach()
        return learned

    def _seconds(self, trainer: Trainer) -> float | None:
        """The median time of a meta-iteration of one run, in seconds; the trained numbers are lost to it."""
        if not self.setting.iterations:
            return None
        batch = trainer.draw(self.setting.tasks_per_step, "training", 0)
        diverged_at = trainer.diverged_at.clone()
        taken = []
        for _ in range(TIMED):
            began = time.perf_counter()
            trainer.step(batch)
            if trainer.device.type == "cuda":
                torch.cuda.synchronize(trainer.device)
            taken.append(time.perf_counter() - began)
        trainer.diverged_at = diverged_at  # what was measured is of before
        return float(np.median(taken)) / trainer.runs

    def _drawn(self, trainer: Trainer, split: str, count: int) -> Iterator[tuple[Tensor, ...]]:
        """Tasks of a split in pieces, each (1, t, ...): they hang on the experiment's seed alone, and are no pool's.

        They are drawn on the CPU, so that every device is judged on the same ones.
        """
        piece = max(1, 1000 // (self.setting.ways * (self.setting.shots + self.setting.queries)))
        for number, at in enumerate(range(0, count, piece)):
            drawn = self.fresh.sample(min(piece, count - at), generator(self.seed, split, number), split, trainer.dtype)
            yield tuple(part[None].to(trainer.device) for part in drawn)

    def _record(self, number: int, trainer: Trainer, curve, measured, studies, timed) -> Record:
        setting, pairs, (began, seconds) = self.setting, len(self.setting.rates), timed
        mine = list(range(number, len(self.runs), pairs))
        diverged = [trainer.diverged_at[run].item() for run in mine]
        alive = [run for run, at in zip(mine, diverged, strict=True) if at < 0]
        metrics = {}
        if alive:
            metrics = {name: Metric.over(values[alive].mean(1), "seeds") for name, values in measured.items()}
            metrics["test_accuracy_over_tasks"] = Metric.over(measured["test_accuracy"][alive].mean(0), "tasks")
        training = methods.blocks(trainer.curve("accuracy"), list(curve)) if setting.iterations else []
        compiled = trainer.compile and compilation.unavailable(self.device) is None
        inner, outer = setting.rates[number]
        of_model = {name: value[0].numel() for name, value in trainer.learned.items() if name.startswith("model.")}
        return Record(
            experiment=self.experiment,
            setting=setting.candidates(self.name)[inner, outer],
            tier=self.tier_name,
            configuration=declaration(setting, inner, outer, self.tier),
            seeds=self.seeds,
            initialisation="PyTorch's default, a network for each seed; the update rule as it starts, the same for all",
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
                "data": repr(self.tasks),
                "deviations": list(setting.deviations),
                "chance": 1 / setting.ways,
                "diverged_at": [None if i < 0 else i for i in diverged],
                "seconds_per_meta_step": None if seconds is None else float(f"{seconds:.4g}"),
                "model_parameters": sum(of_model.values()),
                "optimizer_parameters": sum(
                    value[0].numel() for name, value in trainer.learned.items() if name.startswith("update.")
                ),
                # None for a run that has diverged
                **{f"{what}_per_seed": rounded(values[mine].mean(1)) for what, values in measured.items()},
                "test_accuracy_per_task": rounded(measured["test_accuracy"][alive].mean(0)) if alive else None,
                "studies": _by_run(studies, lambda values: rounded([values[run] for run in mine])),
                # by look, as in the learning curve; None from where a run has diverged
                "studies_along_training": {
                    name: _table([look[name] for look in curve.values()], mine) for name in self.studied_along
                },
            },
        )


def declaration(setting: Setting, inner: float, outer: float, tier: Tier) -> dict[str, Any]:
    """What a record says of its protocol, as plain JSON data: the setting as the tier runs it, and the tier."""
    declared = asdict(setting) | {"inner_lr": inner, "outer_lr": outer, "tier": asdict(tier)}
    del declared["rates"], declared["deviations"]
    return json.loads(json.dumps(declared))


def _by_run(values: Any, change: Callable[[Any], Any]) -> Any:
    """What a study has measured, its accuracies by run changed, which are at the bottom of its mappings."""
    if isinstance(values, Mapping):
        return {name: _by_run(value, change) for name, value in values.items()}
    return change(values) if isinstance(values, np.ndarray | list) else values


def _table(looks: Sequence[Any], mine: list[int]) -> Any:
    """Mappings of equal names with lists by run at their bottom, as one such mapping: a row for each, of these runs."""
    if isinstance(looks[0], Mapping):
        return {name: _table([look[name] for look in looks], mine) for name in looks[0]}
    return [[values[run] for run in mine] for values in looks]
