"""Reptile: move the weights towards where gradient descent takes the tasks."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..layers import dense
from ..losses import Loss, metrics
from .learner import Batch, Learned, Metrics, as_batch
from .maml import MAML

__all__ = ["Reptile"]


class Reptile(MAML):
    """The outer direction is the difference between the weights and the mean adapted ones; no query set is used for it.

    Takes what MAML takes, but for `first_order`, and rules without parameters of their own. It is the limit of Shrinkage as every
    sigma tends to infinity (chen2019, Section 3). Source: Nichol et al. 2018.

    Raises:
        ValueError: a rule with parameters, for which Reptile has no gradient.
    """

    name = "Reptile"

    def __init__(self, model: nn.Module, loss: str | Loss = "cross_entropy", **inner: Any):
        super().__init__(model, loss, **inner)
        if self.inner.rule_parameters(torch.Generator().manual_seed(0)):
            raise ValueError(
                f"Reptile learns no update rule, and {self.inner.update.name!r} has parameters: take 'sgd', or MAML."
            )

    @torch.no_grad()
    def gradients(self, learned: Learned, batch: Batch, tasks: int | None = None) -> tuple[Learned, Metrics]:
        """The sum over tasks of weights minus adapted weights, divided by `tasks`, and what was measured on the way."""
        support_x, support_y, query_x, query_y = as_batch(batch, learned)
        count = query_x.shape[1]
        tasks = tasks or count
        adapted = self.adapt(learned, (support_x, support_y))
        found = {}
        for name, weight in learned.items():
            ends = dense(adapted.weights[name.removeprefix("model.")])
            found[name] = (weight - ends.mean(1)) * (count / tasks)
        output = self.inner.predict(adapted, query_x, support_x)
        values = {"loss": self.inner.loss(output, query_y)} | metrics(self.inner.loss_name, output, query_y)
        return found, {name: value.sum(1) / tasks for name, value in values.items()}
