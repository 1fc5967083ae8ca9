"""Reptile: move phi towards where gradient descent takes the tasks."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ..adaptation import check_finite, descend
from ..objective import Data, Objective
from ..optimizers import Optimizer, sgd
from .settings import checked_phi, checked_rate, checked_steps, rate_for

Learned = dict[str, Tensor]


class Reptile:
    """Reptile with a fixed inner learning rate; the limit of Shrinkage as every sigma tends to infinity (chen2019, Section 3).

    Source: Nichol et al. 2018.

    Args:
        objective: the tasks' losses (see `empirical.objective`).
        steps: K, inner steps in meta-training.
        inner_rate: one number, or one for each run (R,).
        optimizer: of the inner loop.
    """

    def __init__(
        self, objective: Objective, steps: int, inner_rate: Tensor | float, optimizer: Optimizer | None = None
    ):
        self.objective, self.optimizer = objective, optimizer or sgd()
        self.steps, self.inner_rate = checked_steps(steps, "Reptile"), checked_rate(inner_rate)

    def init(self, phi: Tensor) -> Learned:
        """Start at phi (R, P)."""
        return {"phi": checked_phi(phi)}

    def gradients(self, learned: Learned, support: Data, query: Data) -> tuple[Learned, Tensor]:
        """The difference of phi and the mean adapted parameters, and the query loss (R,), which Reptile itself does not use."""
        end = self.adapt(learned, support)
        return {"phi": learned["phi"] - end.mean(dim=1)}, self.objective(end, query).mean(dim=1)

    def adapt(
        self,
        learned: Learned,
        support: Data,
        steps: int | None = None,
        observe: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """Parameters (R, T, P) after K (or `steps`) steps from phi on the support loss."""
        phi = learned["phi"]
        return descend(
            lambda theta: self.objective(theta, support),
            phi[:, None].expand(-1, support[0].shape[1], -1),
            rate=rate_for(self.inner_rate, phi),
            steps=self.steps if steps is None else steps,
            optimizer=self.optimizer,
            observe=observe,
        )

    def check(self, end: Tensor, learned: Learned, support: Data, steps: int | None = None) -> None:
        """Raise DivergenceError, naming step and task, where adapted parameters are not finite."""
        rates = self.inner_rate.expand(len(end)).tolist()
        check_finite(end, lambda observe: self.adapt(learned, support, steps, observe), "Reptile", rates)
