"""arnold2019, Figure A.1: linear networks of 1 to 4 hidden layers and of widths 2 to 256, on the data of `arnold2019_synthetic`.

Every panel has curves by width, so that its "1 layer" is one hidden layer of that width. The rates are not printed: those of the
linear network of A.1.1 (both 1.9), with an outer rate of a tenth beside it because most networks diverge at the other. The rest is the
main reading of `arnold2019_synthetic`: fresh query points, biases, PyTorch's initialisation. One seed: 64 runs of 30,000 iterations.
"""

from __future__ import annotations

from dataclasses import replace

from . import logistic
from .arnold2019_synthetic import MODELS
from .logistic import Tier

ID = "arnold2019/figure-a1"
SUMMARY = "linear networks of 1 to 4 hidden layers and widths 2 to 256: post-adaptation accuracy in R^100"
TIERS = {
    "smoke": Tier(20, 10, 10, 2),
    "lite": Tier(1500, 500, 50, 1, (100,)),
    "full": Tier(30_000, 3000, 100, 1, (100, 300, 1000)),
}
DEPTHS = (1, 2, 3, 4)
WIDTHS = (2, 4, 8, 16, 32, 64, 128, 256)
SETTINGS = {
    f"depth {depth} width {width}": replace(MODELS["LinNet"], hidden=(width,) * depth)
    for depth in DEPTHS
    for width in WIDTHS
}
METHODS = tuple(SETTINGS)
run = logistic.runner(ID, SETTINGS, TIERS)
