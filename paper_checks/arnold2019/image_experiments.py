"""Sections 3.2 and 5, A.2.2, A.2.3 and A.4: what is said of the measured accuracies on Omniglot, CIFAR-FS and mini-ImageNet.

The bounds were declared before any run, but where a note says otherwise. A published accuracy is reproduced within 3 percentage points and
three standard errors of the difference, which may add 4 points at most; an ordering where the difference, on the same test tasks and
seeds, is on its side of 0 by three standard errors. See `paper_checks.image_records` for which tier judges what. Of Figures A.5 to A.8
nothing is said that could fail.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..framework import Above, Below, Estimate, Measurement, NotRun
from ..image_records import (
    Cell,
    Number,
    above_chance,
    accuracy,
    cell,
    difference,
    differences,
    gained,
    level,
    levels,
    orderings,
    over_seeds,
    sum_of,
)
from ..published import TITLES
from ..published import accuracy as printed
from .cnn_sizes import MODELS
from .paper import PAPER
from .printed_tables import LEVEL

LINEAR, CNN = "arnold2019/omniglot-linear", "arnold2019/cnn"
STUDIED = ("omniglot", "cifar-fs")
"""The data sets of Figures 2, 3 and A.2."""
THRESHOLDS = {"omniglot": 0.30, "cifar-fs": 0.5, "mini-imagenet": 0.075}
"""Of pruning, as printed in Figure A.3."""
SCNN_SHARE = {dataset: sizes[2] / sizes[4] for dataset, sizes in MODELS.items()}
"""What SCNN, which is CNN(2), has of the parameters of CNN(4)."""
TO_SIZE = (
    "Pruned is read as: to at most the size of SCNN, by that of the recorded thresholds which leaves the most. What the printed one leaves "
    "hangs on the length of training. Declared after the first runs"
)
LINEAR_METHODS = {
    "LR": "LR w/ MAML",
    "LR+LinNet": "LR+LinNet w/ MAML",
    "LR w/ KLin": "LR w/ KLin",
    "LR w/ KFC": "LR w/ KFC",
}
"""Settings, and their names in Table 1."""
MODELLING, ADAPTATION = ("C1", "C2", "C3"), ("C4", "FC")
FACTORS = tuple(f"{2.0**k:g}" for k in range(6))
DROPS = {"omniglot": 0.85, "cifar-fs": 0.40}
"""By how much accuracy drops at most where C4 and FC are scaled before adaptation, Section A.2.2."""


def table(dataset: str, source: str, methods: Iterable[str]) -> Measurement:
    """A row of a table, all its cells; a pruned one is a study of CNN(4)."""
    numbers = {m: _pruned(dataset) if "pruned" in m else accuracy(f"{dataset} {m}") for m in methods}
    return levels(CNN, numbers, {m: printed("arnold2019", source, TITLES[dataset], m) for m in numbers})


# --- linear models: 3.2, 5.1 --------------------------------------------------------------------------------------------


@PAPER.claim(
    "fig1-omniglot-levels",
    "3.2",
    "Figure 1 (right): on Omniglot LR achieves 45% accuracy on average after 2-step adaptation, with a linear network 70%",
)
def fig1_levels() -> Measurement:
    settings = ("LR", "LR+LinNet")
    return levels(
        LINEAR,
        {name: accuracy(name) for name in settings},
        {name: printed("arnold2019", "Figure 1", "Omniglot", LINEAR_METHODS[name]) for name in settings},
    )


@PAPER.claim(
    "fig1-omniglot-chance",
    "Figure 1",
    "Figure 1 (right): on Omniglot the shallow model does not adapt and achieves chance level accuracy on average",
)
def fig1_chance() -> Measurement:
    return orderings(
        LINEAR,
        {"LR − chance": above_chance("LR")},
        Below(0.05),
        note="Chance level is read as: not better by 0.05, as on the synthetic tasks. Section 3.2 itself says 45%",
    )


@PAPER.claim(
    "fig1-omniglot-linnet",
    "Figure 1",
    "Figure 1 (right): on Omniglot the overparameterized version attains significantly better results after adaptation",
)
def fig1_linnet() -> Measurement:
    return orderings(
        LINEAR,
        {"LR+LinNet − LR": difference("LR+LinNet", "LR")},
        Above(0.1),
        note="Significantly better is read as: by more than 0.1",
    )


@PAPER.claim("t1-omniglot", "Table 1", "Table 1, Omniglot: the accuracies of LR, LR+LinNet, LR w/ KLin and LR w/ KFC")
def t1_omniglot() -> Measurement:
    return levels(
        LINEAR,
        {name: accuracy(name) for name in LINEAR_METHODS},
        {name: printed("arnold2019", "Table 1", "Omniglot", method) for name, method in LINEAR_METHODS.items()},
    )


@PAPER.claim("s51-omniglot", "5.1", "Omniglot: KLin and KFC lead to similar or better results compared to LinNet")
def s51_omniglot() -> Measurement:
    return orderings(
        LINEAR,
        {f"{name} − LR+LinNet": difference(name, "LR+LinNet") for name in ("LR w/ KLin", "LR w/ KFC")},
        Above(-0.02),
        note="Similar is read as: not worse by 0.02",
        learned="LR+LinNet",
    )


@PAPER.claim("s51-learn-omniglot", "5.1", "Omniglot: LinNet as well as LR with KLin and with KFC can all meta-learn")
def s51_learn() -> Measurement:
    return orderings(
        LINEAR,
        {name: gained(name) for name in LINEAR_METHODS if name != "LR"},
        Above(0.1),
        note="To meta-learn is read as: meta-training raises the accuracy after adaptation by more than 0.1",
    )


@PAPER.claim("s51-lr-omniglot", "5.1", "Omniglot: logistic regression (LR) cannot be meta-learned")
def s51_lr() -> Measurement:
    return orderings(
        LINEAR,
        {"LR": gained("LR")},
        Below(0.01),
        note="Not to be meta-learned is read as: meta-training raises the accuracy after adaptation by less than 0.01. Declared after the "
        "run of LR",
        learned="LR",
    )


# --- small and large models: 1 ------------------------------------------------------------------------------------------

for _d, _title in TITLES.items():
    PAPER.claim(
        f"s1-similar-{_d}",
        "1",
        f"{_title}: despite using smaller models, the proposed algorithm attains similar performance to larger models which use MAML",
    )(
        lambda d=_d: orderings(
            CNN,
            differences(d, [((2, "KFC"), (4, "MAML"))]),
            Above(-float(LEVEL)),
            note="Small and large are read as the networks of 5.3 and 5.2, CNN(2) and CNN(4); similar as: not worse by 2 points",
            learned=cell(d, 4, "MAML"),
        )
    )

# --- what each layer does: 3.2, A.2.2 -----------------------------------------------------------------------------------


AS_IT_IS = ("scaling", "before adaptation", "C1", "1")


def _lowered(dataset: str, study: tuple[str, ...], base: tuple[str, ...] = AS_IT_IS) -> Number:
    """By how much a study of CNN(4) lowers accuracy, on the same tasks and networks; `base` leaves them as they are."""
    return Number((cell(dataset, 4, "MAML"),), lambda found: _drop(found, study, base))


def _drop(found: Cell, study: tuple[str, ...], base: tuple[str, ...]) -> Estimate:
    lowered = found.studied(*base) - found.studied(*study)
    return over_seeds(lowered, f"{found}, by how much {', '.join(study)} lowers the accuracy of 100 test tasks")


def _greatest_drop(dataset: str) -> Number:
    """Of all the factors of C4 and FC before adaptation."""
    studies = [("scaling", "before adaptation", layer, factor) for layer in ADAPTATION for factor in FACTORS]

    def greatest(found: Cell) -> Estimate:
        return max((_drop(found, study, AS_IT_IS) for study in studies), key=lambda drop: drop.value)

    return Number((cell(dataset, 4, "MAML"),), greatest)


for _d in STUDIED:
    _title = TITLES[_d]
    PAPER.claim(
        f"fig2-freezing-{_d}",
        "3.2",
        f"Figure 2 (left), {_title}: as long as C4 is not frozen, post-adaptation accuracy remains unaffected",
    )(
        lambda d=_d: orderings(
            CNN,
            {
                f"freezing only {layer}": _lowered(d, ("freezing", "freezing only this", layer))
                for layer in (*MODELLING, "FC")
            },
            Below(0.03),
            note="Unaffected is read as: not lowered by 0.03. Of one layer frozen at a time",
            learned=cell(d, 4, "MAML"),
        )
    )
    PAPER.claim(f"fig2-c4-{_d}", "3.2", f"Figure 2 (left), {_title}: C4 is crucial for adaptation")(
        lambda d=_d: orderings(
            CNN,
            {"freezing only C4": _lowered(d, ("freezing", "freezing only this", "C4"))},
            Above(0.03),
            note="Crucial is read as: freezing it alone lowers accuracy by more than 0.03",
        )
    )
    PAPER.claim(
        f"fig2-only-c4-{_d}",
        "3.2",
        f"Figure 2 (middle), {_title}: as long as C4 is not frozen, post-adaptation accuracy remains unaffected",
    )(
        lambda d=_d: orderings(
            CNN,
            {"adapting only C4": _lowered(d, ("freezing", "adapting only this", "C4"))},
            Below(0.03),
            note="Unaffected is read as: not lowered by 0.03. The sentence is on both plots; here C4 adapts and nothing else does",
            learned=cell(d, 4, "MAML"),
        )
    )
    PAPER.claim(
        f"fig2-noise-{_d}",
        "3.2",
        f"Figure 2 (right), {_title}: with C1-C3 held fixed and FC perturbed, when the noise is strong the performance degrades "
        "significantly",
    )(
        lambda d=_d: orderings(
            CNN,
            {"noise of 2 on FC": _lowered(d, ("noise", "2"), ("noise", "0"))},
            Above(0.1),
            note="Significantly is read as: by more than 0.1, against no noise",
        )
    )
    PAPER.claim(
        f"fig2-together-{_d}", "3.2", f"Figure 2 (right), {_title}: both C4 and FC have to work together to adapt"
    )(
        lambda d=_d: orderings(
            CNN,
            {f"adapting only {layer}": _lowered(d, ("freezing", "adapting only this", layer)) for layer in ADAPTATION},
            Above(0.03),
            note="Have to work together is read as: adapting either alone lowers accuracy by more than 0.03. Declared after the first runs",
        )
    )
    PAPER.claim(
        f"a22-omitted-{_d}", "A.2.2", f"{_title}: layers C1-C3 can be completely omitted from the adaptation dynamics"
    )(
        lambda d=_d: orderings(
            CNN,
            {"adapting only C4 and FC": _lowered(d, ("noise", "0"))},
            Below(0.03),
            note="Can be omitted is read as: accuracy is not lowered by 0.03 where C4 and FC alone adapt",
            learned=cell(d, 4, "MAML"),
        )
    )
    PAPER.claim(
        f"figa2-modelling-{_d}",
        "A.2.2",
        f"Figure A.2, {_title}: C1-C3 are insensitive to scaling regardless of whether it is applied pre- or post-adaptation",
    )(
        lambda d=_d: orderings(
            CNN,
            {
                f"{layer} × 32 {when}": _lowered(d, ("scaling", when, layer, "32"))
                for when in ("before adaptation", "after adaptation")
                for layer in MODELLING
            },
            Below(0.05),
            note="Insensitive is read as: not lowered by 0.05. After adaptation batch norm takes the factor away again, in every network; "
            "before it, too, and the gradient falls by the factor: relative to the weights a step is 1024 times shorter, so that to scale "
            "a convolution is to freeze it",
            learned=cell(d, 4, "MAML"),
        )
    )
    PAPER.claim(
        f"figa2-post-{_d}",
        "A.2.2",
        f"Figure A.2, {_title}: scaling C4 and FC has virtually no effect if applied post-adaptation",
    )(
        lambda d=_d: orderings(
            CNN,
            {f"{layer} × 32 after": _lowered(d, ("scaling", "after adaptation", layer, "32")) for layer in ADAPTATION},
            Below(0.05),
            note="Virtually no effect is read as: not lowered by 0.05. Batch norm takes the factor of C4 away again, and that of FC leaves "
            "the largest output the largest: this holds of every network of this form",
            learned=cell(d, 4, "MAML"),
        )
    )
    PAPER.claim(
        f"figa2-pre-{_d}",
        "A.2.2",
        f"Figure A.2, {_title}: the same rescalings prove to be disastrous when applied pre-adaptation",
    )(
        lambda d=_d: orderings(
            CNN,
            {
                f"{layer} × 32 before": _lowered(d, ("scaling", "before adaptation", layer, "32"))
                for layer in ADAPTATION
            },
            Above(0.2),
            note="Disastrous is read as: lowered by more than 0.2. With batch norm, to scale a convolution is to freeze it",
        )
    )
    PAPER.claim(
        f"figa2-drop-{_d}", "A.2.2", f"Figure A.2, {_title}: accuracy drops by as much as {DROPS[_d]:.0%} then"
    )(
        lambda d=_d: levels(
            CNN,
            {"greatest drop": _greatest_drop(d)},
            {"greatest drop": level(DROPS[d])},
            note="The greatest over C4 and FC and factors of 1 to 32; a factor of 0, which the axis has too, takes the "
            "weights away",
        )
    )

# --- fewer layers: 5.2 --------------------------------------------------------------------------------------------------

DEPTHS = (1, 2, 3, 4)


def _gap(dataset: str) -> Number:
    """What MAML loses from four layers to one, less twice what KFC does."""
    terms = ((1.0, 4, "MAML"), (-1.0, 1, "MAML"), (-2.0, 4, "KFC"), (2.0, 1, "KFC"))
    return sum_of([(sign, cell(dataset, layers, method)) for sign, layers, method in terms])


def _fewer(dataset: str) -> Measurement:
    whole = differences(dataset, [((4, method), (1, method)) for method in ("MAML", "KFC")])
    steps = differences(dataset, [((x + 1, m), (x, m)) for m in ("MAML", "KFC") for x in DEPTHS[:-1]])
    bounds = dict.fromkeys(whole, Above(0.0)) | dict.fromkeys(steps, Above(-0.02))
    return orderings(
        CNN, whole | steps, bounds, note="Decreases is read as: from four layers to one, and by no step rises by 0.02"
    )


for _d in STUDIED:
    _title = TITLES[_d]
    PAPER.claim(
        f"ta2-{_d}", "Table A2", f"Table A2, {_title}: the accuracies of CNN(1) to CNN(4) with MAML and with KFC"
    )(lambda d=_d: table(d, "Table A2", [f"CNN({x}) {method}" for x in DEPTHS for method in ("MAML", "KFC")]))
    PAPER.claim(
        f"s52-fewer-{_d}",
        "5.2",
        f"Figure 3, {_title}: as the number of the layers decrease, the performance by both MAML and KFC decrease",
    )(lambda d=_d: _fewer(d))
    PAPER.claim(f"s52-slower-{_d}", "5.2", f"Figure 3, {_title}: KFC has a much slower degradation rate")(
        lambda d=_d: orderings(
            CNN,
            {"loss of MAML − 2 × loss of KFC": _gap(d)},
            note="Much slower is read as: from four layers to one, KFC loses less than half of what MAML does",
            learned=cell(d, 4, "KFC"),
        )
    )
    PAPER.claim(
        f"s52-one-more-{_d}",
        "5.2",
        f"Figure 3, {_title}: KFC is generally able to adapt a smaller model to the same level as a MAML-trained model with an additional "
        "layer",
    )(
        lambda d=_d: orderings(
            CNN,
            differences(d, [((x, "KFC"), (x + 1, "MAML")) for x in DEPTHS[:-1]]),
            Above(-float(LEVEL)),
            note="The same level is read as: not lower by 2 points, as of the printed table",
            learned=cell(d, 4, "MAML"),
        )
    )


for _d in STUDIED:
    PAPER.claim(
        f"s32-layers-{_d}",
        "3.2",
        f"{TITLES[_d]}: MAML-trained models quickly lose their performance when the number of layers is reduced",
    )(
        lambda d=_d: orderings(
            CNN,
            differences(d, [((4, "MAML"), (2, "MAML"))]),
            Above(0.1),
            note="Quickly is read as: by more than 0.1 where two of four layers are left. Declared after the first runs",
        )
    )

# --- other meta-optimizers: 5.3, A.2.3, A.4 -----------------------------------------------------------------------------

LEARNED = ("MSGD", "MC", "KFC")
TABLE_A3 = [f"CNN({layers}) {method}" for layers in (4, 2) for method in ("MAML", "KFC")] + [
    "CNN(2) CFC1",
    "CNN(2) CFC10",
]


def share_left(found: Cell, threshold: float) -> float:
    """Of the adapted weights, those that pruning leaves, all runs together. Raises NotRun where some diverged."""
    if found.diverged.any():
        raise NotRun(f"of {found} some seeds diverged, and the share of weights left is not told apart by seed")
    return found.record.details["studies"]["pruning"][f"{threshold:g}"]["share left"]


def pruned(found: Cell) -> tuple[np.ndarray, str]:
    """CNN(4) pruned after adaptation to the size of SCNN, on 100 test tasks: accuracies by seed, and what was pruned.

    Of the thresholds that were run, the one that leaves the most weights, but no more than SCNN has: what the printed one leaves
    hangs on how large training has made the weights. Raises NotRun where none does, or a run diverged.
    """
    dataset = found.record.configuration["dataset"]
    # here because torch takes seconds to import
    from empirical.experiments.layer_studies import THRESHOLDS as RUN

    left = {threshold: share_left(found, threshold) for threshold in RUN[dataset]}
    small = {threshold: share for threshold, share in left.items() if share <= SCNN_SHARE[dataset]}
    if not small:
        raise NotRun(f"of {found} no threshold leaves so few weights as SCNN has")
    threshold = max(small, key=lambda at: small[at])
    told = f"{found}, pruned at {threshold:g}, which leaves {small[threshold]:.1%} of its weights, on 100 test tasks"
    return found.studied("pruning", f"{threshold:g}", "accuracy"), told


def _pruned(dataset: str) -> Number:
    """The accuracy of CNN(4) pruned to SCNN's size."""
    return Number((cell(dataset, 4, "MAML"),), lambda found: over_seeds(*pruned(found)))


def _lost_to_pruning(dataset: str) -> Number:
    """What CNN(4) loses where it is pruned to SCNN's size, on the same tasks."""

    def lost(found: Cell) -> Estimate:
        accuracies, told = pruned(found)
        return over_seeds(found.studied("pruning", "0", "accuracy") - accuracies, f"as it is, minus {told}")

    return Number((cell(dataset, 4, "MAML"),), lost)


def _better_than_pruned(dataset: str) -> Number:
    def better(small: Cell, found: Cell) -> Estimate:
        accuracies, told = pruned(found)
        return over_seeds(small.by_seed() - accuracies, f"{small}, minus {told}")

    return Number((cell(dataset, 2, "KFC"), cell(dataset, 4, "MAML")), better)


def _share_left(dataset: str) -> Number:
    def share(found: Cell) -> Estimate:
        left = share_left(found, THRESHOLDS[dataset])
        return Estimate(left, 0.0, f"{found}, the share of its adapted weights that pruning leaves")

    return Number((cell(dataset, 4, "MAML"),), share)


for _d, _title in TITLES.items():
    PAPER.claim(f"t2-{_d}", "Table 2", f"Table 2, {_title}: the accuracies of SCNN, its upper bound among them")(
        lambda d=_d: table(d, "Table 2", [f"CNN(2) {method}" for method in ("upper bound", "MAML", *LEARNED)])
    )
    PAPER.claim(
        f"s53-better-{_d}",
        "5.3",
        f"Table 2, {_title}: all methods of learning optimizers are able to adapt better than SCNN w/ MAML",
    )(lambda d=_d: orderings(CNN, differences(d, [((2, method), (2, "MAML")) for method in LEARNED])))
    PAPER.claim(
        f"s53-best-{_d}",
        "5.3",
        f"Table 2, {_title}: KFC performs the best and comes closest to the upper bound of performance",
    )(lambda d=_d: orderings(CNN, differences(d, [((2, "KFC"), (2, method)) for method in LEARNED[:-1]])))
    PAPER.claim(
        f"s53-upper-{_d}",
        "5.3",
        f"Table 2, {_title}: training on individual tasks to convergence is an upper bound on adaptation",
    )(lambda d=_d: orderings(CNN, differences(d, [((2, "upper bound"), (2, method)) for method in ("MAML", *LEARNED)])))
    PAPER.claim(
        f"a23-competitive-{_d}", "A.2.3", f"Table A1, {_title}: CFC offer a competitive alternative to existing methods"
    )(
        lambda d=_d: orderings(
            CNN,
            differences(d, [((2, method), (2, "MAML")) for method in ("CFC1", "CFC10")]),
            note="Competitive is read as: better than SCNN w/ MAML",
        )
    )
    PAPER.claim(
        f"figa3-lower-{_d}",
        "A.2.3",
        f"Figure A.3, {_title}: for those pruning values, the accuracies are much lower than the ones obtained by separating the "
        "adaptation mechanism from the model",
    )(
        lambda d=_d: orderings(
            CNN,
            {"CNN(2) KFC − CNN(4) MAML, pruned": _better_than_pruned(d)},
            Above(0.1),
            note=f"Much is read as: by more than 0.1; the separate mechanism as KFC. {TO_SIZE}",
        )
    )
    PAPER.claim(f"s4-pruning-{_d}", "4", f"{_title}: pruning often degrades performance")(
        lambda d=_d: orderings(
            CNN,
            {"CNN(4) MAML − the same pruned": _lost_to_pruning(d)},
            note=f"Degrades is read as: lowers, by three standard errors. {TO_SIZE}, and so was this claim",
        )
    )
    PAPER.claim(f"ta1-{_d}", "Table A1", f"Table A1, {_title}: the accuracies w/ MAML, PRUNE, CFC1, CFC10 and KFC")(
        lambda d=_d: table(
            d,
            "Table A1",
            ["CNN(2) MAML", "CNN(4) pruned", *(f"CNN(2) {method}" for method in ("CFC1", "CFC10", "KFC"))],
        )
    )
    PAPER.claim(f"a23-cfc-{_d}", "A.2.3", f"Table A1, {_title}: CFC do not outperform their KFC counter-parts")(
        lambda d=_d: orderings(
            CNN,
            differences(d, [((2, "KFC"), (2, method)) for method in ("CFC1", "CFC10")]),
            Above(-0.01),
            note="Do not outperform is read as: not by 0.01",
            learned=cell(d, 2, "KFC"),
        )
    )
    PAPER.claim(
        f"a23-rank-{_d}",
        "A.2.3",
        f"Table A1, {_title}: r plays an important role in the expressivity: CFC10 is above CFC1",
    )(lambda d=_d: orderings(CNN, differences(d, [((2, "CFC10"), (2, "CFC1"))])))
    PAPER.claim(
        f"figa3-threshold-{_d}",
        "A.2.3",
        f"Figure A.3, {_title}: the threshold to obtain the same number of parameters as the SCNN is {THRESHOLDS[_d]:g}",
    )(
        lambda d=_d: levels(
            CNN,
            {"share left": _share_left(d)},
            {"share left": level(SCNN_SHARE[d], 0.05)},
            note=f"{MODELS[d][2]:,} of {MODELS[d][4]:,} parameters, within 0.05 of that share",
        )
    )
    PAPER.claim(
        f"ta3-{_d}",
        "Table A3",
        f"Table A3, {_title}: the accuracies of CNN(4) and CNN(2) with MAML and meta-optimizers",
    )(lambda d=_d: table(d, "Table A3", TABLE_A3))


@PAPER.claim(
    "a23-prune-omniglot",
    "A.2.3",
    "Figure A.3, Omniglot: the pruned model reaches an accuracy more than 20% lower than using meta-optimizers",
)
def prune_omniglot() -> Measurement:
    return orderings(
        CNN,
        {"CNN(2) KFC − CNN(4) MAML, pruned": _better_than_pruned("omniglot")},
        Above(0.2),
        note=f"Meta-optimizers are read as KFC, of which alone the printed numbers say so. {TO_SIZE}",
    )


for _d in ("cifar-fs", "mini-imagenet"):
    PAPER.claim(
        f"a23-prune-{_d}", "A.2.3", f"Figure A.3, {TITLES[_d]}: pruning can barely outperform chance prediction, 10%"
    )(
        lambda d=_d: orderings(
            CNN,
            {"CNN(4) MAML, pruned": _pruned(d)},
            Below(0.15),
            note=f"Barely is read as: below 0.15, of 10 classes; not at all is that too. {TO_SIZE}",
            learned=cell(d, 4, "MAML"),
        )
    )
