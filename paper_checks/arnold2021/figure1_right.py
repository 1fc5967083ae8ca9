"""Figure 1 (right), Figure B.1 and B.4: what is said of the measured accuracies of logistic regression in the plane, and what is possible.

The bounds were declared before the full runs. Accuracies are means over 1,000 test tasks of 1,000 fresh points and over seeds. Labels are
drawn (the text) or separable (the caption of Figure B.1); "2 or 3 linear layers" are networks of 2 to 4 layers, whichever way they are
counted; 10 points a task is the main reading. See `empirical.experiments.arnold2021_figure1_right`.
"""

from __future__ import annotations

from functools import cache

from analysis import GaussianLogistic

from ..arnold2019 import records
from ..framework import Above, Below, Measurement, Near
from .paper import PAPER

EXPERIMENT = "arnold2021/figure1-right"
LABELS = {"sampled": "sampled", "sign": "separable"}
"""What the records and `analysis` call them."""
STARTS = {"default": "", "zero": ", from 0", "normal": ", from N(0, 1)"}
POINTS = (10, 100)
CHANCE_AT_MOST = 0.55
NEARLY_PERFECT = 0.95


@cache
def exact(labels: str, points: int) -> float:
    """The accuracy on fresh points after one step from effective weight 0; no function of the mean gradient there has more."""
    return GaussianLogistic(2, LABELS[labels]).adapted_accuracy(points)


def _name(layers: int, labels: str, points: int = 10, addition: str = "") -> str:
    return f"{layers} layer{'s' * (layers > 1)}, {labels}, {points} points{addition}"


def _levels(named: dict[str, str], bound, control, note: str = "") -> Measurement:
    return Measurement(
        lambda: {part: records.accuracy(EXPERIMENT, name) for part, name in named.items()},
        dict.fromkeys(named, bound),
        dict.fromkeys(named, control),
        records.command(EXPERIMENT),
        note,
    )


def _chance(labels: str) -> Measurement:
    return _levels(
        {f"LR from {start}": _name(1, labels, addition=addition) for start, addition in STARTS.items()},
        Below(CHANCE_AT_MOST),
        Above(CHANCE_AT_MOST),
        f"Fails is read as: below {CHANCE_AT_MOST:g} on average. One step from c = 0 has {exact(labels, 10):.4f}, exactly",
    )


def _perfect(labels: str) -> Measurement:
    best = GaussianLogistic(2, LABELS[labels]).bayes_accuracy()
    reached = ", ".join(f"{exact(labels, n):.4f} on {n} points" for n in POINTS)
    return _levels(
        {f"{layers} layers, {n} points": _name(layers, labels, n) for n in POINTS for layers in (2, 3, 4)},
        Above(NEARLY_PERFECT),
        Below(NEARLY_PERFECT),
        f"Nearly perfect is read as: above {NEARLY_PERFECT:g} on average. One step from effective weight 0 has {reached}; no classifier "
        f"has more than {best:.4f}",
    )


for _labels, _told in (("sampled", "labels drawn from σ(θᵀx)"), ("sign", "separable labels")):
    PAPER.claim(f"b1-lr-{_labels}", "B.1", f"Fig. B.1: the model (LR) fails to perform better than chance; {_told}")(
        lambda labels=_labels: _chance(labels)
    )
    PAPER.claim(
        f"b1-linnet-{_labels}",
        "B.1",
        f"Fig. B.1: LR with 2 or 3 linear layers attains nearly perfect classification on any task; {_told}",
    )(lambda labels=_labels: _perfect(labels))


@PAPER.claim("b1-rescue", "B.1", "Fig. B.1: adding linear layers rescues the meta-learning of LR")
def rescue() -> Measurement:
    pairs = {
        f"{layers} layers − LR, {labels}": (_name(layers, labels), _name(1, labels))
        for labels in LABELS
        for layers in (2, 3, 4)
    }
    return Measurement(
        lambda: {part: records.difference(EXPERIMENT, *pair) for part, pair in pairs.items()},
        dict.fromkeys(pairs, Above(0.05)),
        dict.fromkeys(pairs, Below(0.05)),
        records.command(EXPERIMENT),
        note="Rescues is read as: better by more than 0.05. LR from PyTorch's initialisation",
    )


@PAPER.claim(
    "b4-train-test",
    "B.4",
    "there is very little difference between training accuracies and meta-testing accuracies, with linear nets and without",
)
def train_test() -> Measurement:
    names = {
        f"{layers} layers, {labels}" if layers > 1 else f"LR, {labels}": (layers, labels)
        for labels in LABELS
        for layers in (1, 2, 3, 4)
    }
    return Measurement(
        lambda: {part: records.training_gap(EXPERIMENT, _name(*which)) for part, which in names.items()},
        dict.fromkeys(names, Below(0.02, z=0.0)),
        dict.fromkeys(names, Above(0.02, z=0.0)),
        records.command(EXPERIMENT),
        note="Very little is read as: less than 0.02. Tasks are drawn afresh all the time, so that there is nothing to overfit",
    )


@PAPER.claim(
    "b1-lr-exact",
    "beyond",
    "Fig. B.1: LR ends at what one step from c = 0 has exactly, whatever it was started from",
    uses=("b1-origin-best",),
)
def lr_exact() -> Measurement:
    parts = {
        f"{labels}, {n} points, from {start}": (labels, n, addition)
        for labels in LABELS
        for n in POINTS
        for start, addition in STARTS.items()
    }
    return Measurement(
        lambda: {
            part: records.accuracy(EXPERIMENT, _name(1, labels, n, addition))
            for part, (labels, n, addition) in parts.items()
        },
        {part: Near(exact(labels, n), 0.01, 0.0) for part, (labels, n, _) in parts.items()},
        {part: Near(0.5, 0.01, 0.0) for part in parts},
        records.command(EXPERIMENT),
        note="Within 0.01, and three standard errors",
    )


@PAPER.claim(
    "b1-linnet-exact",
    "beyond",
    "Fig. B.1: linear layers do not adapt beyond what one step of LR from c = 0 has exactly",
    uses=("b1-origin-best",),
)
def linnet_exact() -> Measurement:
    parts = {f"{labels}, {n} points": (labels, n) for labels in LABELS for n in POINTS}

    def among(labels: str, n: int) -> list[str]:
        return [name for name in records.names(EXPERIMENT) if f"{labels}, {n} points" in name]

    return Measurement(
        lambda: {part: records.extreme(EXPERIMENT, among(*which)) for part, which in parts.items()},
        {part: Below(exact(*which) + 0.01, z=0.0) for part, which in parts.items()},
        {part: Above(exact(*which) + 0.01, z=0.0) for part, which in parts.items()},
        records.command(EXPERIMENT),
        note="The greatest of all models, widths, optimisers and starts; 0.01 is about two standard errors over 1,000 tasks",
    )
