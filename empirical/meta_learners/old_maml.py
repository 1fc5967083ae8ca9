"""MAML with learned inner learning rates: one rate, or one for each module; second order or first order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..adaptation import check_finite, descend
from ..modules import Modules
from ..objective import Data, Objective
from .settings import checked_phi, checked_steps

Learned = dict[str, Tensor]


class MAML:
    """Learn where gradient descent starts and how fast it goes.

    With one module this is MAML with a learned rate, with several it is chen2019's M-MAML; `first_order` takes the inner
    gradients as constants. Source: Finn et al. 2017; chen2019, Section 4 (the learned rates).

    Args:
        objective: the tasks' losses (see `empirical.objective`).
        modules: which entries share a rate.
        steps: K, inner steps in meta-training.
        first_order: FO-MAML.
    """

    def __init__(self, objective: Objective, modules: Modules, steps: int, first_order: bool = False):
        self.objective, self.modules, self.first_order = objective, modules, first_order
        self.steps = checked_steps(steps, "MAML")

    def init(self, phi: Tensor, rate: Tensor | float) -> Learned:
        """Start at phi (R, P) with inner rates (R,), the same for each module. Raises ValueError unless they are positive."""
        phi, rate = checked_phi(phi, self.modules), torch.as_tensor(rate, dtype=phi.dtype, device=phi.device)
        if rate.ndim and rate.shape != (len(phi),):
            raise ValueError(
                f"There are {len(rate)} inner learning rates and {len(phi)} runs: give one for all, or one for each."
            )
        rate = rate.expand(len(phi))
        if not (torch.isfinite(rate) & (rate > 0)).all():
            raise ValueError(
                f"The inner learning rates are {rate.tolist()}: expected positive numbers, since their logarithms are learned."
            )
        return {"phi": phi, "log_rate": rate.log()[:, None].repeat(1, self.modules.count)}

    def gradients(self, learned: Learned, support: Data, query: Data) -> tuple[Learned, Tensor]:
        """The meta-gradient for phi and the log rates, averaged over tasks, and the query loss (R,)."""
        leaves = {name: value.detach().requires_grad_() for name, value in learned.items()}
        with torch.enable_grad():
            end = self._adapt(leaves, support, self.steps, None, "first-order" if self.first_order else "second-order")
            loss = self.objective(end, query).mean(dim=1)
            found = torch.autograd.grad(loss.sum(), list(leaves.values()))
        return dict(zip(leaves, found, strict=True)), loss.detach()

    def adapt(
        self,
        learned: Learned,
        support: Data,
        steps: int | None = None,
        observe: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """Parameters (R, T, P) after K (or `steps`) gradient steps from phi on the support loss."""
        return self._adapt(learned, support, self.steps if steps is None else steps, observe, "nothing")

    def check(self, end: Tensor, learned: Learned, support: Data, steps: int | None = None) -> None:
        """Raise DivergenceError, naming step and task, where adapted parameters are not finite."""
        rates = learned["log_rate"].exp().amax(dim=-1).tolist()
        check_finite(end, lambda observe: self.adapt(learned, support, steps, observe), "MAML", rates)

    def _adapt(self, learned: Learned, support: Data, steps: int, observe, through) -> Tensor:
        tasks = support[0].shape[1]
        start = learned["phi"][:, None].expand(-1, tasks, -1)
        rate = self.modules.spread(learned["log_rate"].exp())[:, None]
        return descend(
            lambda theta: self.objective(theta, support),
            start,
            rate=rate,
            steps=steps,
            through=through,
            observe=observe,
        )
