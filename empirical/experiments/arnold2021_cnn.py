"""arnold2021, Tables 1, 2, 3 and B.4, Figures 4 and B.4: CNN(X) with linear layers added, with meta-optimizers, under MAML and ANIL.

A cell is run once, and stands in every table and figure that has it (see TABLES). Printed: 5 ways, 5 shots; Adam, meta-batches of 16; the
networks; for CNN(2) the rates (Tables D.6, D.7), but for T-Nets. Not printed, and so read: as many queries as shots; 60,000
meta-iterations, as arnold2019; how many inner steps (see STEPS); CNN(1) in Figure 4; the widths of the "two linear layers", taken as the
last two of the added network 256-128-64-64; meta-KFO as arnold2019's KFC of four layers, but not adapted inside a task, which is how (22)
and (26) have it. The rates of other X, and of T-Nets, are several candidates, among which the validation tasks choose.
"""

from __future__ import annotations

from . import few_shot
from .few_shot import Network, Setting, cell_name

ID = "arnold2021/cnn"
SUMMARY = "5-way 5-shot CNN(X): MAML and ANIL with LinNet, Meta-SGD, Meta-Curvature, T-Nets and meta-KFO"
TIERS = few_shot.TIERS
DATASETS = ("omniglot", "cifar-fs", "mini-imagenet")
DEPTHS = (1, 2, 3, 4, 6)
STEPS = 1
"""Inner steps of every cell, as in eq. (1); CNN(2) with MAML is run with OTHER_STEPS too."""
OTHER_STEPS = 5
LINNET = (64, 64)
RATES = {  # Tables D.6 and D.7, adaptation and meta, of CNN(2)
    "omniglot": {
        "MAML": (0.08, 0.003),
        "MAML w/ LinNet": (0.05, 0.003),
        "MAML w/ MSGD": (0.5, 0.0005),
        "MAML w/ MC": (0.5, 0.0005),
        "MAML w/ meta-KFO": (0.1, 0.001),
        "ANIL": (0.5, 0.001),
        "ANIL w/ LinNet": (0.5, 0.003),
        "ANIL w/ MSGD": (0.05, 0.001),
        "ANIL w/ MC": (0.05, 0.001),
        "ANIL w/ meta-KFO": (0.1, 0.001),
    },
    "cifar-fs": {
        "MAML": (0.07, 0.003),
        "MAML w/ LinNet": (0.01, 0.003),
        "MAML w/ MSGD": (0.7, 0.001),
        "MAML w/ MC": (0.7, 0.003),
        "MAML w/ meta-KFO": (0.1, 0.003),
        "ANIL": (0.5, 0.002),
        "ANIL w/ LinNet": (0.5, 0.001),
        "ANIL w/ MSGD": (0.1, 0.001),
        "ANIL w/ MC": (0.1, 0.001),
        "ANIL w/ meta-KFO": (0.1, 0.001),
    },
    "mini-imagenet": {
        "MAML": (0.001, 0.0005),
        "MAML w/ LinNet": (0.001, 0.0005),
        "MAML w/ MSGD": (0.1, 0.001),
        "MAML w/ MC": (0.05, 0.001),
        "MAML w/ meta-KFO": (0.001, 0.0001),
        "ANIL": (0.5, 0.001),
        "ANIL w/ LinNet": (0.5, 0.001),
        "ANIL w/ MSGD": (0.1, 0.001),
        "ANIL w/ MC": (0.1, 0.001),
        "ANIL w/ meta-KFO": (0.1, 0.001),
    },
}
LARGER = 5.0
"""Where no rate is printed, that of CNN(2) and one so much larger are the candidates; of T-Nets, those of MAML."""
UPDATES = {"MSGD": "meta-sgd", "MC": "meta-curvature", "T-Nets": "t-nets", "meta-KFO": "meta-kfo"}


def _deviations(dataset: str, layers: int, extra: str, steps: int, searched: bool, printed: bool) -> tuple[str, ...]:
    found = ["not printed: queries, read as many as shots", "not printed: 60,000 meta-iterations, read as arnold2019's"]
    read = f"read as {STEPS}, as in eq. (1)" if steps == STEPS else f"here {steps}"
    found.append(f"not printed: inner steps, {read}")
    if searched:
        found.append(
            f"not printed: rates; the validation tasks choose, printed ones of CNN(2) or an inner rate {LARGER:g} times as large"
        )
    elif not printed:
        found.append("not printed: rates, read as those of CNN(2)")
    if extra == "LinNet":
        found.append("not printed: the widths of the two linear layers, read as the last two of 256-128-64-64")
    if extra == "meta-KFO":
        found.append(
            "printed: Algorithm 1 adapts the meta-optimizer inside a task, (22) and (26) do not; here as these"
        )
    if layers == 1:
        found.append("not printed: the network of one layer")
    if dataset == "cifar-fs":
        found.append("not printed: stride and pooling of CIFAR-FS, read as Omniglot's stride and no max-pooling")
    return tuple(found)


def _setting(dataset: str, layers: int, method: str, steps: int = STEPS) -> Setting:
    learner, _, extra = method.partition(" w/ ")
    inner, outer = RATES[dataset].get(method, RATES[dataset]["MAML"])
    printed = layers == 2 and method in RATES[dataset]
    # meta-KFO learns how long its steps are
    searched = not printed and extra != "meta-KFO"
    return Setting(
        dataset,
        ways=5,
        shots=5,
        queries=5,
        steps=steps,
        network=Network(layers, "arnold2021", LINNET if extra == "LinNet" else ()),
        rates=((inner, outer), (round(LARGER * inner, 4), outer)) if searched else ((inner, outer),),
        learner=learner,
        update=UPDATES.get(extra, "sgd"),
        deviations=_deviations(dataset, layers, extra, steps, searched, printed),
    )


TABLES: dict[str, tuple[tuple[int, str], ...]] = {
    "Table 1": tuple((layers, method) for method in ("MAML", "MAML w/ LinNet") for layers in (2, 3, 4, 6)),
    "Table 2": ((2, "ANIL"), (2, "ANIL w/ LinNet")),
    "Table 3": tuple((2, f"MAML{extra}") for extra in ("", " w/ MSGD", " w/ MC", " w/ T-Nets", " w/ meta-KFO")),
    "Table B.4": tuple((2, f"ANIL{extra}") for extra in ("", " w/ MSGD", " w/ MC", " w/ meta-KFO")),
    "Figure 4": tuple((layers, method) for method in ("MAML", "MAML w/ meta-KFO") for layers in DEPTHS),
}
"""Their cells, layers and method, for each data set. Figure B.4 is Figure 4 with mini-ImageNet."""
# the order of running: what a reader would miss most first
_ORDER = ("Table 3", "Table 2", "Table B.4", "Table 1", "Figure 4")
SETTINGS = {
    cell_name(dataset, *cell): _setting(dataset, *cell)
    for table in _ORDER
    for dataset in DATASETS
    for cell in TABLES[table]
}
SETTINGS |= {
    f"{cell_name(dataset, 2, 'MAML')}, {OTHER_STEPS} steps": _setting(dataset, 2, "MAML", OTHER_STEPS)
    for dataset in DATASETS
}
METHODS = tuple(SETTINGS)
run = few_shot.runner(ID, SETTINGS, TIERS)
