"""The sizes of the CNNs and of their meta-optimizers, printed in Section A.1.2 and Table A3; and what else A.1 prints of its set-up.

One reading gives every printed size of KFC at once: four pairs (L, R) for each weight, bias and vector of batch norm, and a learned
factor for each entry of what they put out. With four maps L Lᵀ for the pairs it gives those of CFC but one, whose digits are swapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import prod
from typing import Literal

import torch
from torch import nn

from analysis.kronecker import cholesky_costs, cnn_weights, factored_parameters, meta_optimizer_parameters
from empirical import cfc, kfc
from empirical.data.splits import SPLITS, omniglot_arnold2019, omniglot_vinyals
from empirical.experiments import arnold2019_cnn
from empirical.models import benchmark_cnn
from empirical.update_rules import UpdateRule, as_matrices

from ..framework import Finding, Formula, Proposition
from ..published import TITLES
from . import witness
from .paper import PAPER

Factor = Literal["none", "one", "entry"]
Shape = tuple[int, ...]

SETTINGS = {  # hidden units, channels of the images, places that the linear layer is given
    "omniglot": (64, 1, 1),
    "cifar-fs": (32, 3, 1),
    "mini-imagenet": (32, 3, 25),
}

# printed in A.1.2, by the number of layers
MODELS = {
    "omniglot": {4: 112_586, 2: 38_474},
    "cifar-fs": {4: 29_226, 2: 10_602},
    "mini-imagenet": {4: 36_906, 2: 18_282},
}
KFC = {
    "omniglot": {4: 267_451, 2: 134_171},
    "cifar-fs": {4: 69_325, 2: 35_117},
    "mini-imagenet": {4: 2_630_000, 2: 2_600_000},
}
UNIT = {"omniglot": 1, "cifar-fs": 1, "mini-imagenet": 10_000}  # of the last digit of KFC's sizes

# printed in Table A3: by the number of layers, the model's and KFC's; and those of CFC, with 2 layers, by rank
TABLE = {
    "omniglot": {4: (112_586, 267_451), 2: (38_474, 134_171)},
    "cifar-fs": {4: (29_226, 69_325), 2: (10_602, 35_117)},
    "mini-imagenet": {4: (36_906, 2_630_000), 2: (18_282, 2_600_000)},
}
CFC = {
    "omniglot": {1: 8_905, 10: 66_379},
    "cifar-fs": {1: 4_185, 10: 34_317},
    "mini-imagenet": {1: 42_585, 10: 349_197},
}

KINDS = ("convolution", "convolution bias", "norm scale", "norm bias", "linear", "linear bias")


@dataclass(frozen=True)
class Reading:
    """A reading of what a CNN's meta-optimizer is made of.

    Attributes:
        kinds: of the weights that have one.
        layers: pairs (L, R) of each, or maps L Lᵀ.
        factor: the numbers that scale what it puts out.
        filters: whether a convolution's filters share it (m = C, n = HW), and not its channels (m = N, n = HW).
    """

    kinds: tuple[str, ...] = KINDS
    layers: int = 4
    factor: Factor = "one"
    filters: bool = True

    def __str__(self) -> str:
        owners = "every weight" if self.kinds == KINDS else " and ".join(self.kinds)
        factor = {"none": "no factor", "one": "one factor", "entry": "a factor for each entry"}[self.factor]
        return f"{self.layers} layers for {owners}, m = {'C' if self.filters else 'N'}, {factor}"


Sizes = Callable[[str, int, Reading], int]
"""KFC's parameters on a data set's CNN with so many layers."""


def shapes(dataset: str, layers: int, classes: int = 10) -> list[tuple[str, Shape]]:
    """Of the CNN's weights, by kind."""
    hidden, channels, places = SETTINGS[dataset]
    return cnn_weights(layers, hidden, classes, channels, places)


@cache
def _of_kind(dataset: str, layers: int, kind: str, reading: Reading, rank: int | None) -> int:
    found = [shape for own, shape in shapes(dataset, layers) if own == kind]
    if not reading.filters:
        found = [(shape[1], shape[0], *shape[2:]) if len(shape) == 4 else shape for shape in found]

    def of_matrix(m: int, n: int) -> int:
        if rank is not None:
            return reading.layers * cholesky_costs(m * n, rank).memory
        return factored_parameters(m, n, reading.layers)

    return meta_optimizer_parameters(found, of_matrix, reading.factor)


def exactly(dataset: str, layers: int, reading: Reading, rank: int | None = None) -> int:
    """The parameters of KFC, or of CFC of this rank."""
    every = replace(reading, kinds=KINDS)
    return sum(_of_kind(dataset, layers, kind, every, rank) for kind in reading.kinds)


@cache
def real_weights(dataset: str, layers: int) -> list[tuple[str, torch.Tensor]]:
    """The weights of the real model, which hold no memory, by kind."""
    layer_names = {nn.Conv2d: "convolution", nn.BatchNorm2d: "norm", nn.Linear: "linear"}
    with torch.device("meta"):
        model = benchmark_cnn(dataset, layers, paper="arnold2019", classes=10)
    found = []
    for layer in model.modules():
        for key, weight in layer.named_parameters(recurse=False):
            name = layer_names[type(layer)]
            scale = " scale" if name == "norm" else ""
            found.append((name + (scale if key == "weight" else " bias"), weight.detach()))
    return found


@cache
def _counted_of_kind(dataset: str, layers: int, kind: str, reading: Reading, rank: int | None) -> int:
    rule: UpdateRule = kfc(reading.layers) if rank is None else cfc(rank, reading.layers)
    total = 0
    for own, weight in real_weights(dataset, layers):
        if own == kind:
            weight = weight if reading.filters or weight.ndim < 4 else weight.transpose(0, 1)
            parameters = rule.init({"w": weight}, torch.Generator())
            scale = parameters.pop("w:scale")
            entries = as_matrices(weight[None, None])[0, 0, 0]
            total += witness.numbers(*parameters.values())
            total += {"none": 0, "one": witness.numbers(scale), "entry": witness.numbers(entries)}[reading.factor]
    return total


def counted(dataset: str, layers: int, reading: Reading, rank: int | None = None) -> int:
    """The same from the parameters that the engine's own rules make for the real model."""
    every = replace(reading, kinds=KINDS)
    return sum(_counted_of_kind(dataset, layers, kind, every, rank) for kind in reading.kinds)


# the models


def _model(dataset: str) -> Formula:
    def derived(classes: int) -> list[int]:
        return [sum(prod(shape) for _, shape in shapes(dataset, layers, classes)) for layers in (4, 2)]

    hidden, _, places = SETTINGS[dataset]
    inputs = f"; the linear layer has 5 × 5 × {hidden} inputs in both, and how two blocks come to 5 × 5 is not said"
    return Formula(
        printed=list(MODELS[dataset].values()),
        derived=derived(10),
        control=derived(5),
        witness=lambda: [witness.numbers(*(w for _, w in real_weights(dataset, layers))) for layers in (4, 2)],
        note=f"{hidden} hidden units, 10 classes, batch norm with scale and bias{inputs * (places > 1)}. The control has 5 classes",
    )


for _dataset, _title in TITLES.items():
    _four, _two = MODELS[_dataset].values()
    PAPER.claim(
        f"a12-cnn-{_dataset}",
        "A.1.2",
        f"{_title}: the 4-layer CNN has a total of {_four:,} parameters, while the 2-layer only {_two:,}",
    )(lambda dataset=_dataset: _model(dataset))


# KFC and CFC

ENTRIES = (
    "each bias and each vector of batch norm has a meta-optimizer too, with n = 1, and what scales a result is one number for each of "
    "its mn entries, or else a bias of that size"
)


def _is(printed: int, found: int, unit: int) -> bool:
    """Whether it is what was printed, rounded to the unit or cut off."""
    return -unit / 2 <= found - printed < unit


def _against(printed: Mapping[str, tuple[int, int]], unit: int = 1) -> Finding:
    """Sizes by name: printed, and found."""
    told = ", ".join(f"{found:,} with {name}" for name, (_, found) in printed.items())
    holds = all(_is(given, found, unit) for given, found in printed.values())
    given = " and ".join(f"{given:,}" for given, _ in printed.values())
    return Finding(holds, told if holds else f"{told}, and not {given}")


def _kfc(dataset: str) -> Proposition:
    def by(size: Sizes, factor: Factor) -> Finding:
        reading = Reading(factor=factor)
        found = {f"{k} layers": (given, size(dataset, k, reading)) for k, given in KFC[dataset].items()}
        return _against(found, UNIT[dataset])

    return Proposition(
        lambda factor: by(exactly, factor),
        witness=lambda factor: by(counted, factor),
        stated={"factor": "one"},
        weaker={"factor": "entry"},
        assumption=ENTRIES,
        control={"factor": "none"},
        note="The text has one learnable factor for each KFC, and no bias, which are the sizes that are not printed; the engine's kfc() "
        "follows the text",
    )


for _dataset, _title in TITLES.items():
    _four, _two = (f"{n / 1e6:.2f}M" if UNIT[_dataset] > 1 else f"{n:,}" for n in KFC[_dataset].values())
    PAPER.claim(
        f"a12-kfc-{_dataset}",
        "A.1.2",
        f"{_title}: the KFC optimizer of 4 layers has {_two} parameters for the 2-layer CNN, {_four} for the 4-layer CNN",
        assumptions=("4 layers are 4 pairs (L, R)", "of a convolution m = C, n = HW, shared by its filters; no biases"),
        uses=("eq7", f"a12-cnn-{_dataset}", "a12-kfc-readings"),
    )(lambda dataset=_dataset: _kfc(dataset))


def _cfc(dataset: str, ranks: tuple[int, ...]) -> Proposition:
    def by(size: Callable[..., int], factor: Factor) -> Finding:
        reading = Reading(factor=factor)
        found = {f"r = {r}": (CFC[dataset][r], size(dataset, 2, reading, r)) for r in ranks}
        return _against(found)

    return Proposition(
        lambda factor: by(exactly, factor),
        witness=lambda factor: by(counted, factor),
        stated={"factor": "one"},
        weaker={"factor": "entry"},
        assumption=f"CFC has four maps L Lᵀ, as KFC has four pairs; {ENTRIES}",
        control={"factor": "none"},
        note="A.2.3 does not say how many layers CFC has",
    )


for _dataset, _ranks in {"omniglot": (10,), "cifar-fs": (1, 10), "mini-imagenet": (1, 10)}.items():
    PAPER.claim(
        f"table-a3-cfc-{_dataset}",
        "Table A3",
        f"{TITLES[_dataset]}: on the 2-layer CNN "
        + " and ".join(f"CFC{r} has {CFC[_dataset][r]:,} parameters" for r in _ranks),
        uses=("eq8", f"a12-kfc-{_dataset}"),
    )(lambda dataset=_dataset, ranks=_ranks: _cfc(dataset, ranks))


@PAPER.claim(
    "table-a3-cfc1-omniglot",
    "Table A3",
    "Omniglot: on the 2-layer CNN CFC1 has 8,905 parameters",
    assumptions=("the construction that gives the five other sizes of CFC",),
    uses=("table-a3-cfc-omniglot", "table-a3-cfc-cifar-fs", "table-a3-cfc-mini-imagenet"),
)
def cfc1_omniglot() -> Formula:
    reading = Reading(factor="entry")
    return Formula(
        printed=CFC["omniglot"][1],
        derived=exactly("omniglot", 2, reading, 1),
        control=exactly("omniglot", 2, Reading(factor="one"), 1),
        right=("8,095", exactly("omniglot", 2, reading, 1)),
        witness=lambda: counted("omniglot", 2, reading, 1),
        note="Two digits are swapped",
    )


@PAPER.claim(
    "table-a3-as-a12",
    "Table A3",
    "the numbers of parameters of the CNNs and of KFC are those of Section A.1.2",
    uses=tuple(f"a12-{what}-{dataset}" for what in ("cnn", "kfc") for dataset in TITLES),
)
def table_a3() -> Proposition:
    """`rows`: which rows of a data set are held against its CNNs of 4 and 2 layers."""

    def compared(expected: Callable[[str, int], tuple[int, int]], rows: tuple[int, int]) -> Finding:
        wrong = []
        for dataset in TITLES:
            for layers, row in zip((4, 2), rows, strict=True):
                model, optimizer = expected(dataset, layers)
                printed = TABLE[dataset][row]
                if model != printed[0] or not _is(printed[1], optimizer, UNIT[dataset]):
                    wrong.append(f"{TITLES[dataset]} has {printed} with {layers} layers, and not {(model, optimizer)}")
        return Finding(not wrong, wrong[0] if wrong else "all 12 numbers agree")

    def by_torch(dataset: str, layers: int) -> tuple[int, int]:
        return witness.numbers(*(w for _, w in real_weights(dataset, layers))), counted(
            dataset, layers, Reading(factor="entry")
        )

    return Proposition(
        lambda rows: compared(lambda dataset, layers: (MODELS[dataset][layers], KFC[dataset][layers]), rows),
        witness=lambda rows: compared(by_torch, rows),
        stated={"rows": (4, 2)},
        control={"rows": (2, 4)},
        note="The witness counts them anew, in the reading of KFC that gives them",
    )


@PAPER.claim(
    "a23-cfc10-size",
    "A.2.3",
    "CFC10 contains approximately as many parameters as KFC",
    assumptions=("approximately: by a factor of less than 3/2",),
    uses=("table-a3-cfc-omniglot", "table-a3-cfc-cifar-fs", "table-a3-cfc-mini-imagenet"),
)
def cfc10_size() -> Proposition:
    def by(size: Callable[[str], tuple[int, int]], datasets: tuple[str, ...]) -> Finding:
        sizes = {dataset: size(dataset) for dataset in datasets}
        told = ", ".join(f"{TITLES[d]} {ours:,} against {theirs:,}" for d, (ours, theirs) in sizes.items())
        return Finding(all(2 * theirs < 3 * ours < 9 * theirs / 2 for ours, theirs in sizes.values()), told)

    def by_torch(dataset: str) -> tuple[int, int]:
        reading = Reading(factor="entry")
        return counted(dataset, 2, reading, 10), counted(dataset, 2, reading)

    return Proposition(
        lambda datasets: by(lambda dataset: (CFC[dataset][10], KFC[dataset][2]), datasets),
        witness=lambda datasets: by(by_torch, datasets),
        stated={"datasets": tuple(TITLES)},
        right={"datasets": ("cifar-fs",)},
        right_statement="on CIFAR-FS it does",
        control={"datasets": ("omniglot", "mini-imagenet")},
        note="Table A3's own numbers",
    )


def _readings(factors: tuple[Factor, ...]) -> Iterator[Reading]:
    for count in range(1, len(KINDS) + 1):
        for kinds in combinations(KINDS, count):
            for layers in (3, 4, 5):
                for factor in factors:
                    for filters in (True, False) if "convolution" in kinds else (True,):
                        yield Reading(kinds, layers, factor, filters)


@PAPER.claim(
    "a12-kfc-readings",
    "beyond",
    "one reading gives all six printed sizes of KFC: four pairs for each weight, bias and vector of batch norm, and a factor for each "
    "entry",
    assumptions=(
        "tried: which of the six kinds of weights have a KFC; 3, 4 or 5 pairs; no factor, one, or one for each entry; m = C or m = N",
    ),
    uses=("eq7",),
)
def kfc_readings() -> Proposition:
    def by(size: Sizes, factors: tuple[Factor, ...]) -> Finding:
        tried = list(_readings(factors))

        def misses(reading: Reading) -> list[int]:
            sizes = [(d, given, size(d, k, reading)) for d, both in KFC.items() for k, given in both.items()]
            return [abs(found - given) for d, given, found in sizes if not _is(given, found, UNIT[d])]

        fitting = [reading for reading in tried if not misses(reading)]
        if fitting:
            return Finding(
                fitting == [Reading(factor="entry")], f"of {len(tried)} readings {'; '.join(map(str, fitting))}"
            )
        nearest = min(tried, key=lambda reading: max(misses(reading)))
        return Finding(
            False, f"of {len(tried)} readings none; the nearest, {nearest}, is up to {max(misses(nearest)):,} off"
        )

    return Proposition(
        lambda factors: by(exactly, factors),
        witness=lambda factors: by(counted, factors),
        stated={"factors": ("none", "one", "entry")},
        control={"factors": ("none", "one")},
        note="The control has the factors that the text leaves room for. A factor for each entry and a bias in one of the four layers are "
        "as many numbers",
    )


@PAPER.claim(
    "a12-smaller-rate",
    "A.1.2",
    "mini-ImageNet: a smaller fast-adaptation learning rate set to 0.1 for Meta-SGD, 0.09 for Meta-Curvature, and 0.005 for KFC",
)
def smaller_rate() -> Proposition:
    plain, printed = Fraction("0.07"), {"MSGD": Fraction("0.1"), "MC": Fraction("0.09"), "KFC": Fraction("0.005")}

    def check(methods: tuple[str, ...]) -> Finding:
        larger = [f"{float(printed[m]):g} of {m}" for m in methods if printed[m] >= plain]
        return Finding(not larger, f"against {float(plain):g}, larger is {', '.join(larger) or 'none'}")

    def numerically(methods: tuple[str, ...]) -> Finding:
        """By the rates that the experiments run with."""
        protocol = arnold2019_cnn.PROTOCOLS["mini-imagenet"]
        rates = [protocol.meta[m][0] for m in methods]
        return Finding(all(rate < protocol.plain[2][0] for rate in rates), f"{rates} against {protocol.plain[2][0]}")

    return Proposition(
        check,
        witness=numerically,
        stated={"methods": tuple(printed)},
        right={"methods": ("KFC",)},
        right_statement="that of KFC alone is smaller than the 0.07 of MAML",
        control={"methods": ("MSGD",)},
    )


@PAPER.claim(
    "a11-omniglot-split",
    "A.1.1",
    "of the 1623 classes, we designate 1,200 for meta-training, 100 for validation, and 423 for testing",
)
def omniglot_split() -> Proposition:
    def check(training: int) -> Finding:
        return Finding(training + 100 + 423 == 1623, f"{training:,} + 100 + 423 = {training + 100 + 423:,}")

    def numerically(training: int) -> Finding:
        """By the lists of characters."""
        classes = {name for names in omniglot_vinyals().values() for name in names}
        drawn = omniglot_arnold2019()
        left = len(classes) - sum(len(drawn[split]) for split in SPLITS if split != "training")
        return Finding(training == left, f"of {len(classes):,} characters {left:,} are left to train on")

    return Proposition(
        check,
        witness=numerically,
        stated={"training": 1200},
        right={"training": 1100},
        right_statement="1,100 for meta-training, if 100 are for validation and 423 for testing",
        control={"training": 1000},
        note="Finn et al. (2017), whose setup it replicates, have 1,200 for training and 423 for testing",
    )
