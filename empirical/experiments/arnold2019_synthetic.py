"""arnold2019, Figure 1 (left) and Table 1 "Synthetic": linear separation in R^100 after one adaptation step on 1,000 points.

Printed (A.1.1): w ~ N(0, I), 1,000 points x ~ N(0, I) with the label sign(wᵀx), 30,000 iterations of SGD without momentum on one
task each, the rates, three hidden layers of 64, and the sizes of the meta-optimizers, from which it follows that the logistic
regression under them has no bias (10,001 = 100² + 1²). Not printed, and so read in several ways: what the adapted model is judged on
(1,000 fresh points; the same points; half of the 1,000), whether every task has points of its own or all share one set, biases, and
where the weights start. The main reading, fresh points and biases, is run from three seeds, the others from one. At the printed rates
most settings diverge: outer rates of a tenth, and in the main reading of a hundredth, are run beside them. They were chosen for that
alone, before any full run.
"""

from __future__ import annotations

from dataclasses import replace

from ..tasks.logistic import LogisticTasks
from . import logistic
from .logistic import Setting, Tier

ID = "arnold2019/synthetic"
SUMMARY = "linear separation in R^100: post-adaptation accuracy of LR, LinNet, KLin and KFC"
TIERS = {
    "smoke": Tier(20, 10, 10, 2),
    "lite": Tier(1500, 500, 50, 2, (100,)),
    "full": Tier(30_000, 2000, 200, 3, (100, 300, 1000)),
}
DATA = {  # what the adapted model is judged on
    "": LogisticTasks(100, "sign", 1000, 1000),
    " same points": LogisticTasks(100, "sign", 1000, None),
    " 500 + 500": LogisticTasks(100, "sign", 500, 500),
    " one set of points": LogisticTasks(100, "sign", 1000, None, shared_inputs=0),
}
_FRESH = DATA[""]
MODELS = {
    "LR": Setting(_FRESH, inner_lr=0.5, outer_lr=0.01),
    "LinNet": Setting(_FRESH, inner_lr=1.9, outer_lr=1.9, hidden=(64, 64, 64), scales=(1.0, 0.1)),
    "KLin": Setting(_FRESH, inner_lr=3.33, outer_lr=3.33, bias=False, update="klin", scales=(1.0, 0.1)),
    "KFC": Setting(_FRESH, inner_lr=3.9, outer_lr=3.9, bias=False, update="kfc", scales=(1.0, 0.1)),
}
MAIN = {  # the main reading sweeps more
    "LR": {"starts": ("default", "zero", "normal")},
    **{model: {"scales": (1.0, 0.1, 0.01)} for model in ("LinNet", "KLin", "KFC")},
}
SETTINGS = {
    **{name: replace(setting, **MAIN[name]) for name, setting in MODELS.items()},
    "LR no bias": replace(MODELS["LR"], bias=False, seeds=1),
    "LinNet no bias": replace(MODELS["LinNet"], bias=False, seeds=1),
    **{
        name + data: replace(setting, tasks=DATA[data], seeds=1)
        for data in DATA
        if data
        for name, setting in MODELS.items()
    },
}
METHODS = tuple(SETTINGS)
run = logistic.runner(ID, SETTINGS, TIERS)
