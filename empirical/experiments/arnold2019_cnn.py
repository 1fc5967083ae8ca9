"""arnold2019, Section 3.2 and 5.2, 5.3: CNNs of one to four layers with meta-optimizers, and what each of four layers does.

Figures 2, 3 and A.2, A.3, A.6 to A.8 and Tables 2, A1, A2 and A3 share these cells. Printed (A.1.2): ways, shots and inner steps, the
networks, 20,000 training tasks (but of mini-ImageNet), and the rates of CNN(4) and CNN(2), plain and with Meta-SGD, Meta-Curvature and KFC.
Not printed, and so read: as many queries as shots; Adam, meta-batches of 16; 60,000 meta-iterations, where the axes of the figures end; the
rates of CFC, taken as KFC's, and of CNN(1) and CNN(3), those of CNN(2) and CNN(4), among which the validation tasks choose; CFC's layers,
taken as KFC's. The upper bound "trains on individual tasks to convergence": on all images of a task's classes but the queries (of CIFAR-FS
and mini-ImageNet, 50 of each class), by 200 steps of Adam on all of them; the validation tasks choose the rate.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import few_shot
from .few_shot import Network, Setting, cell_name
from .layer_studies import STUDIES

ID = "arnold2019/cnn"
SUMMARY = "10-way CNN(1) to CNN(4) with MAML, Meta-SGD, Meta-Curvature, KFC and CFC; layers frozen, scaled, pruned"
TIERS = few_shot.TIERS


@dataclass(frozen=True)
class _Protocol:
    """What differs between data sets: of a task, and the printed rates (inner, outer) by layers or method."""

    shots: int
    steps: int
    plain: dict[int, tuple[float, float]]
    meta: dict[str, tuple[float, float]]
    sufficient: int
    split: str | None = None


PROTOCOLS = {
    "omniglot": _Protocol(
        shots=5,
        steps=4,
        plain={4: (0.5, 0.003), 2: (0.8, 0.003)},
        meta={"MSGD": (0.5, 0.003), "MC": (0.5, 0.003), "KFC": (0.5, 0.003)},
        sufficient=15,
        split="arnold2019",
    ),
    "cifar-fs": _Protocol(
        shots=3,
        steps=2,
        plain={4: (0.7, 0.003), 2: (0.7, 0.003)},
        meta={"MSGD": (0.5, 0.003), "MC": (0.5, 0.003), "KFC": (0.5, 0.003)},
        sufficient=50,
    ),
    "mini-imagenet": _Protocol(
        shots=1,
        steps=5,
        plain={4: (0.07, 0.0005), 2: (0.07, 0.0005)},
        meta={"MSGD": (0.1, 0.0005), "MC": (0.09, 0.0005), "KFC": (0.005, 0.0005)},
        sufficient=50,
    ),
}
UPDATES = {"MAML": "sgd", "MSGD": "meta-sgd", "MC": "meta-curvature", "KFC": "kfc", "CFC1": "cfc1", "CFC10": "cfc10"}
BOUND_STEPS, BOUND_RATES, BOUND_TASKS = 200, (0.01, 0.03), 10
LAYER_STUDIES = ("freezing", "noise", "scaling", "pruning")
CELLS = (
    # Tables A2 and A3, Figure 3; its studies are Figures 2, A.2 and A.3, and, pruned, it is in Table A1
    (4, "MAML"),
    # Table 2 but for the upper bound; MAML, KFC and CFC are in Tables A1 and A3, MAML and KFC in Table A2 and Figure 3
    *((2, method) for method in ("MAML", "MSGD", "MC", "KFC", "CFC1", "CFC10")),
    # Tables A2 and A3, Figure 3
    (4, "KFC"),
    # Table A2, Figure 3
    *((layers, method) for layers in (1, 3) for method in ("MAML", "KFC")),
)
"""Layers and method, for each data set, in the order of running; Figures A.6 to A.8 are curves of the same."""

READ = "not printed: queries, read as many as shots"
CLASSES = {
    "omniglot": ("printed: 1,200, 100 and 423 characters, of the 1,623 that there are; here 1,100, 100 and 423",)
}


def _deviations(dataset: str, layers: int, method: str, rates: int) -> tuple[str, ...]:
    found = [READ, *CLASSES.get(dataset, ())]
    found.append("not printed: Adam, meta-batches of 16 and 60,000 meta-iterations, where the figures' axes end")
    if rates > 1:
        found.append("not printed: rates; the validation tasks choose, those of CNN(2) or of CNN(4)")
    elif method in ("CFC1", "CFC10"):
        found.append("not printed: rates and layers of CFC, read as KFC's")
    elif method != "MAML" and layers != 2:
        found.append("not printed: rates, read as those of CNN(2)")
    if method in ("KFC", "CFC1", "CFC10"):
        found.append("printed: a learnable factor; here one for each weight, the printed sizes have one for each entry")
    if dataset == "mini-imagenet":
        found.append("not printed: a fixed number of training tasks, read as the other data sets' 20,000")
    return tuple(found)


def _setting(dataset: str, layers: int, method: str) -> Setting:
    protocol = PROTOCOLS[dataset]
    if method != "MAML":
        rates = (protocol.meta.get(method, protocol.meta["KFC"]),)
    elif layers in protocol.plain:
        rates = (protocol.plain[layers],)
    else:
        rates = tuple(dict.fromkeys(protocol.plain.values()))
    return Setting(
        dataset,
        ways=10,
        shots=protocol.shots,
        queries=protocol.shots,
        steps=protocol.steps,
        network=Network(layers, "arnold2019"),
        rates=rates,
        update=UPDATES[method],
        split=protocol.split,
        pool=20_000,
        studies=LAYER_STUDIES if (layers, method) == (4, "MAML") else (),
        deviations=_deviations(dataset, layers, method, len(rates)),
    )


def _bound(dataset: str) -> Setting:
    protocol = PROTOCOLS[dataset]
    return Setting(
        dataset,
        ways=10,
        shots=protocol.sufficient,
        queries=protocol.shots,
        steps=BOUND_STEPS,
        network=Network(2, "arnold2019"),
        rates=tuple((rate, 0.0) for rate in BOUND_RATES),
        update=few_shot.ALONE,
        iterations=0,
        test_tasks=BOUND_TASKS,
        deviations=(
            READ,
            *CLASSES.get(dataset, ()),
            f"not printed: convergence, read as {BOUND_STEPS} steps of Adam on {protocol.sufficient} images of each class; the validation "
            "tasks choose the rate",
        ),
        split=protocol.split,
    )


SETTINGS = {cell_name(dataset, *cell): _setting(dataset, *cell) for dataset in PROTOCOLS for cell in CELLS}
SETTINGS |= {cell_name(dataset, 2, "upper bound"): _bound(dataset) for dataset in PROTOCOLS}
METHODS = tuple(SETTINGS)
run = few_shot.runner(ID, SETTINGS, TIERS, STUDIES)
