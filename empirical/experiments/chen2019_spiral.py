"""chen2019, Experiment 2: pairs of dimensions, each turned by an angle in proportion to its length.

N, the number of observations, is not published; 4 is that of Experiment 1, which its curves imply (the claim
chen2019.observations).
"""

from __future__ import annotations

from ..tasks.hierarchical import HierarchicalTasks
from . import chen2019
from .chen2019 import Protocol, Tier

ID = "chen2019/spiral"
SUMMARY = "hierarchical normal tasks, spiral: generalisation loss against adaptation steps, eight methods"
METHODS = tuple(chen2019.METHODS)
TIERS = {
    "smoke": Tier(2, 15, 20, 2, 50, 60, horizons=(10,)),
    "lite": Tier(4, 300, 250, 2, 1000, 1000),
    "full": Tier(12, 1500, 500, 3, 1000, 1000),
}
PROTOCOL = Protocol(
    id=ID,
    tasks=HierarchicalTasks("spiral", phi=(2.0,) * 10, sigma=(4.0,) * 8 + (8.0,) * 2, xi=(10.0,) * 10, observations=4),
    horizons=(25, 50, 100, 200),
    converged=1000,
    start=0.5,  # phi = 0 is a fixed point of the rotation
    space={"inner_rate": (0.03, 1.0), "phi_rate": (0.01, 0.1), "other_rate": (0.01, 0.1), "sigma": (1.0, 20.0)},
    identifiable=False,
)
run = chen2019.runner(PROTOCOL, TIERS)
