"""arnold2021, Figures 3, B.2 and B.3: linear models of images, with and without added linear layers, and these collapsed again.

Printed: 5 ways, 5 shots; the rates (Table D.5); the added network 256-128-64-64; mini-ImageNet at 32 × 32. Not printed, and so read: as
many queries as shots; Adam and meta-batches of 16, as with the CNNs; 20,000 meta-iterations; one inner step as in eq. (1), or five. What is
"the best performance if the models are trained by sufficient data from the meta-testing tasks" is measured by training the model on every
image of the task's classes but the queries (of CIFAR-FS and mini-ImageNet, 100 of each class), by 200 steps of Adam; the rate is one of
three, for the validation tasks to choose.
"""

from __future__ import annotations

from . import few_shot
from .few_shot import Network, Setting
from .layer_studies import STUDIES

ID = "arnold2021/linear-images"
SUMMARY = "5-way 5-shot linear models of images, with and without LinNet, and the LinNet collapsed"
TIERS = few_shot.TIERS
HIDDEN = (256, 128, 64, 64)
RATES = {  # Table D.5, adaptation and meta
    "omniglot": {"LR": (1.0, 0.0005), "LR+LinNet": (0.08, 0.0005)},
    "cifar-fs": {"LR": (0.01, 0.0005), "LR+LinNet": (0.02, 0.0001)},
    "mini-imagenet": {"LR": (0.01, 0.0005), "LR+LinNet": (0.01, 0.0005)},
}
SUFFICIENT = {"omniglot": 15, "cifar-fs": 100, "mini-imagenet": 100}
"""Images of each class that the upper bound is trained on; Omniglot has 20, five of them queries."""
READ = ("not printed: queries, read as many as shots",)
TRAINED = ("not printed: Adam and meta-batches of 16, read as the CNNs'", "not printed: 20,000 meta-iterations")
BOUND_STEPS, BOUND_RATES, BOUND_TASKS = 200, (0.0003, 0.001, 0.003), 100


def _settings() -> dict[str, Setting]:
    found = {}
    for dataset, rates in RATES.items():
        side = 32 if dataset == "mini-imagenet" else None
        for steps in (1, 5):
            for model, pair in rates.items():
                added = HIDDEN if model == "LR+LinNet" else ()
                found[f"{dataset} {model}, {steps} step{'s' * (steps > 1)}"] = Setting(
                    dataset,
                    ways=5,
                    shots=5,
                    queries=5,
                    steps=steps,
                    network=Network(linnet=added, side=side),
                    rates=(pair,),
                    iterations=20_000,
                    studies=("collapsing",) if added else (),
                    deviations=(*READ, *TRAINED, f"not printed: inner steps, here {steps}"),
                )
        found[f"{dataset} upper bound"] = Setting(
            dataset,
            ways=5,
            shots=SUFFICIENT[dataset],
            queries=5,
            steps=BOUND_STEPS,
            network=Network(side=side),
            rates=tuple((rate, 0.0) for rate in BOUND_RATES),
            update=few_shot.ALONE,
            iterations=0,
            test_tasks=BOUND_TASKS,
            deviations=(
                *READ,
                f"not printed: sufficient data, read as {SUFFICIENT[dataset]} images of each class",
                f"not printed: how the bound is trained, read as {BOUND_STEPS} steps of Adam; the validation tasks choose the rate",
            ),
        )
    return found


SETTINGS = _settings()
METHODS = tuple(SETTINGS)
run = few_shot.runner(ID, SETTINGS, TIERS, STUDIES, along=("collapsing",))
