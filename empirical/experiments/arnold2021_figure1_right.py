"""arnold2021, Figure 1 (right) and Figure B.1: logistic regression in the plane, without and with added linear layers.

Printed: θ ~ N(0, I₂), x ~ N(0, I₂), the rates (Table D.5), accuracy after one step, models without biases (Section 4.2). The text draws
the labels from σ(θᵀx), the caption of Figure B.1 has "linear separable data": both are run. The models "with 2 or 3 linear layers" have
either that many layers, aᵀBx being the one with two, or that many beside the regression's own: networks of 2, 3 and 4 layers serve both
readings. Not printed, and chosen here: the points of a task (10 to adapt on and 10 for the outer loss; 100 and 100 beside it), the width
(2, a square B; 64 beside it), 16 tasks a meta-iteration, 5,000 meta-iterations, and the optimiser: SGD with momentum 0.9, which Appendix D
gives for the 1-D regression of the same figure; Adam, its optimiser for networks, beside it. Test tasks are judged on 1,000 fresh points.
"""

from __future__ import annotations

from dataclasses import replace

from ..tasks.logistic import LogisticTasks
from . import logistic
from .logistic import Setting, Tier

ID = "arnold2021/figure1-right"
SUMMARY = "2-D logistic regression: post-adaptation accuracy with 1 to 4 linear layers"
TIERS = {
    "smoke": Tier(20, 10, 40, 2),
    "lite": Tier(1000, 250, 400, 3, (25, 100)),
    "full": Tier(5000, 500, 1000, 5, (25, 50, 100, 200)),
}
LAYERS = (1, 2, 3, 4)
MODELS = {
    1: Setting(
        LogisticTasks(2),
        inner_lr=0.9,
        outer_lr=0.01,
        bias=False,
        outer="momentum",
        tasks_per_step=16,
        starts=("default", "zero", "normal"),
        test_query=1000,
    )
}
MODELS |= {
    layers: replace(MODELS[1], outer_lr=0.1, hidden=(2,) * (layers - 1), starts=("default",)) for layers in LAYERS[1:]
}
DATA = {f"{labels}, {n} points": LogisticTasks(2, labels, n, n) for labels in ("sampled", "sign") for n in (10, 100)}


def name(layers: int, data: str, addition: str = "") -> str:
    """What a setting is called: its number of layers, its data, and what else is unlike the main reading."""
    return f"{layers} layer{'s' * (layers > 1)}, {data}{addition}"


SETTINGS = {
    name(layers, data): replace(setting, tasks=tasks)
    for data, tasks in DATA.items()
    for layers, setting in MODELS.items()
}
for _data in ("sampled, 10 points", "sign, 10 points"):
    for _layers, _setting in MODELS.items():
        _setting = replace(_setting, tasks=DATA[_data])
        SETTINGS[name(_layers, _data, ", adam")] = replace(_setting, outer="adam")
        if _layers > 1:
            SETTINGS[name(_layers, _data, ", width 64")] = replace(_setting, hidden=(64,) * (_layers - 1))
METHODS = tuple(SETTINGS)
run = logistic.runner(ID, SETTINGS, TIERS)
