"""chen2019, Experiment 1: a linear model, eight dimensions with two scales of the prior.

N, the number of observations, is not published; 4 is what the published end values of the curves imply (the claim
chen2019.observations).
"""

from __future__ import annotations

from ..tasks.hierarchical import HierarchicalTasks
from . import chen2019
from .chen2019 import Protocol, Tier

ID = "chen2019/linear"
SUMMARY = "hierarchical normal tasks, linear: generalisation loss against adaptation steps, eight methods"
METHODS = tuple(chen2019.METHODS)
TIERS = {
    "smoke": Tier(2, 15, 20, 2, 50, 40, horizons=(10,)),
    "lite": Tier(4, 300, 250, 2, 1000, 200),
    "full": Tier(12, 1500, 500, 3, 1000, 200),
}
PROTOCOL = Protocol(
    id=ID,
    tasks=HierarchicalTasks(
        "linear", phi=(1.0,) * 8, sigma=(8.0,) * 4 + (2.0,) * 4, xi=(8.0,) * 4 + (5.0,) * 4 + (1.0,), observations=4
    ),
    horizons=(10, 25, 50, 100),
    converged=200,
    start=0.0,
    space={"inner_rate": (0.03, 0.4), "phi_rate": (0.01, 0.1), "other_rate": (0.01, 0.1), "sigma": (1.0, 20.0)},
    identifiable=True,
)
run = chen2019.runner(PROTOCOL, TIERS)
