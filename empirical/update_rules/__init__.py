"""Inner-update rules: what a gradient becomes before it is taken off the weights, θ ← θ − inner_lr · U(∇ℓ(θ)).

A rule is a pair of pure functions and a few facts about them (see `UpdateRule`). Its parameters are learned across tasks, together
with the initialisation. UPDATE_RULES names them all; every test of a rule's contract runs over that table.
"""

from collections.abc import Callable

from .base import UpdateRule, as_matrices, from_matrices
from .cholesky import cfc
from .kronecker import kfc, klin
from .meta_curvature import meta_curvature
from .rates import learned_rates, meta_sgd, sgd
from .t_nets import t_nets

UPDATE_RULES: dict[str, Callable[..., UpdateRule]] = {
    "sgd": sgd,
    "learned-rates": learned_rates,
    "meta-sgd": meta_sgd,
    "meta-curvature": meta_curvature,
    "t-nets": t_nets,
    "klin": klin,
    "kfc": kfc,
    "cfc": cfc,
}
"""By the name that a configuration gives."""

__all__ = [
    "UPDATE_RULES",
    "UpdateRule",
    "as_matrices",
    "cfc",
    "from_matrices",
    "kfc",
    "klin",
    "learned_rates",
    "meta_curvature",
    "meta_sgd",
    "sgd",
    "t_nets",
]
