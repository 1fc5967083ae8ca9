"""arnold2019, Figure 1 (right), Table 1 "Omniglot" and Figure A.5 (right): linear models, 5 ways, 1 shot, two inner steps.

Printed (A.1.1): 20,000 training tasks, 60,000 iterations of 32 tasks, Adam, the rates, the linear network 256-128-64-64, KLin
(m = 784, n = 5), KFC with 2.5M parameters, which are four layers and not the four hidden ones of the text; no biases in the
meta-optimizers. Not printed, and so read: one query for each class, as
the setup of Finn et al. has it; that the meta-optimizers act on the weights and on the biases alike. Of the 1,723 characters that are
printed as the split, there are 1,623 (see `empirical.data.splits`).
"""

from __future__ import annotations

from . import few_shot
from .arnold2019_cnn import CLASSES
from .few_shot import Network, Setting

ID = "arnold2019/omniglot-linear"
SUMMARY = "5-way 1-shot linear models of Omniglot: LR, LinNet, KLin and KFC"
TIERS = few_shot.TIERS
HIDDEN = (256, 128, 64, 64)


def _setting(rates: tuple[float, float], update: str = "sgd", linnet: tuple[int, ...] = ()) -> Setting:
    return Setting(
        "omniglot",
        ways=5,
        shots=1,
        queries=1,
        steps=2,
        network=Network(linnet=linnet),
        rates=(rates,),
        update=update,
        tasks_per_step=32,
        split="arnold2019",
        deviations=(
            *CLASSES["omniglot"],
            "not printed: queries, read as one for each class",
            *(() if update == "sgd" else ("not printed: whether biases have a meta-optimizer; here they have",)),
            *(
                ("printed: 4 hidden layers and 2.5M parameters; here the four layers that have so many",)
                * ("kfc" in update)
            ),
        ),
        pool=20_000,
    )


SETTINGS = {
    "LR": _setting((1.0, 0.0005)),
    "LR+LinNet": _setting((0.08, 0.0005), linnet=HIDDEN),
    "LR w/ KLin": _setting((0.9, 0.003), "klin"),
    "LR w/ KFC": _setting((0.01, 0.001), "kfc of linear models"),
}
METHODS = tuple(SETTINGS)
run = few_shot.runner(ID, SETTINGS, TIERS)
