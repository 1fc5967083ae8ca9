"""MAML and what differs from it by an argument: first-order MAML, ANIL, and every inner-update rule under either."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..inner_loop import Adapted, InnerLoop
from ..losses import Loss, metrics
from .learner import Batch, Learned, Metrics, as_batch, check_adapted, initial

__all__ = ["ANIL", "MAML"]


class MAML:
    """Learn weights, and the update rule's parameters, from which tasks adapt in K steps.

    Source: Finn et al. 2017; arnold2021, eqs. (1), (22), (23).

    Args:
        model: any `nn.Module`; one that is an `nn.Sequential` of common layers runs fastest. It is copied.
        loss: "cross_entropy", "bce", "mse", or a function of one task's (outputs, targets) that returns one number.
        update: an inner-update rule or the name of one (see `update_rules`).
        inner_lr: the adaptation learning rate; one number, or one for each run (R,).
        steps: K.
        adapts: patterns of the names of the parameters that adapt; the others are learned across tasks only (ANIL).
        first_order: take the inner gradients as constants.
        batch_norm: "transductive", "support" or "running": whose statistics batch norm uses (see `layers.BATCH_NORM`).
        checkpoint: keep only the weights between inner steps, and compute the rest again in the backward pass.
        low_rank: keep adapted matrices as shared matrix plus low-rank update: True, False, or None for where it is less work.

    Raises:
        ValueError: an unknown name or mode, a pattern that matches no parameter, a number out of range.
    """

    name = "MAML"

    def __init__(
        self,
        model: nn.Module,
        loss: str | Loss = "cross_entropy",
        *,
        first_order: bool = False,
        **inner: Any,
    ):
        self.inner = InnerLoop(model, loss, **inner)
        self.first_order = first_order

    def init(self, runs: int, generator: torch.Generator | None = None) -> Learned:
        """The learned numbers at the start, each (R, ...): "model.NAME" and "update.NAME"; the same for all runs."""
        rule = self.inner.rule_parameters(generator or torch.Generator().manual_seed(0))
        return initial(runs, model=self.inner.model.initial, update=rule)

    def gradients(self, learned: Learned, batch: Batch, tasks: int | None = None) -> tuple[Learned, Metrics]:
        """The gradient of the query losses' sum over `tasks`, by name, and what was measured, as (R,) sums over `tasks`.

        `tasks` is the batch's own number, so that these are means, unless the batch is a part of a larger one.
        """
        support_x, support_y, query_x, query_y = as_batch(batch, learned)
        tasks = tasks or query_x.shape[1]
        leaves = {name: value.detach().requires_grad_() for name, value in learned.items()}
        with torch.enable_grad():
            adapted = self._adapt(leaves, (support_x, support_y), "first-order" if self.first_order else "second-order")
            output = self.inner.predict(adapted, query_x, support_x)
            losses = self.inner.loss(output, query_y)
            found = torch.autograd.grad(losses.sum() / tasks, list(leaves.values()), allow_unused=True)
        gradients = {
            name: torch.zeros_like(leaf) if g is None else g
            for (name, leaf), g in zip(leaves.items(), found, strict=True)
        }
        values = {"loss": losses.detach()} | metrics(self.inner.loss_name, output.detach(), query_y)
        return gradients, {name: value.sum(1) / tasks for name, value in values.items()}

    def settings(self) -> dict[str, Any]:
        """What this learner is, as plain data: for records and checkpoints."""
        return {"learner": self.name, "first_order": self.first_order} | self.inner.settings()

    def to(self, device: torch.device | str, dtype: torch.dtype) -> None:
        """Move what is not learned, and the initial weights."""
        self.inner.model.to(device, dtype)

    def module(self, learned: Learned, run: int = 0) -> nn.Module:
        """The model with the learned weights of a run, as a module of its own."""
        module = copy.deepcopy(self.inner.model.module)
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(learned[f"model.{name}"][run])
        return module

    def _adapt(self, learned: Learned, support: tuple[Tensor, Tensor], through, steps=None, observe=None) -> Adapted:
        weights = {n.removeprefix("model."): v for n, v in learned.items() if n.startswith("model.")}
        rule = {n.removeprefix("update."): v for n, v in learned.items() if n.startswith("update.")}
        return self.inner.run(weights, rule, support, through=through, steps=steps, observe=observe)

    def adapt(
        self,
        learned: Learned,
        support: tuple[Tensor, Tensor],
        steps: int | None = None,
        observe: Callable[[int, Adapted], None] | None = None,
    ) -> Adapted:
        """Adapt to support sets (R, T, n, ...) in K, or `steps`, steps. Nothing is kept for gradients."""
        return self._adapt(learned, support, "nothing", steps, observe)

    @torch.no_grad()
    def evaluate(self, learned: Learned, batch: Batch, steps: int | None = None) -> Metrics:
        """What is measured on the query sets after adaptation, for each task: (R, T)."""
        support_x, support_y, query_x, query_y = as_batch(batch, learned)
        adapted = self.adapt(learned, (support_x, support_y), steps)
        output = self.inner.predict(adapted, query_x, support_x)
        values = {"loss": self.inner.loss(output, query_y)}
        return values | metrics(self.inner.loss_name, output, query_y)

    def check(self, learned: Learned, batch: Batch) -> None:
        """Raise DivergenceError, naming step and task, where the inner loop leaves the finite numbers."""
        support_x, support_y, *_ = as_batch(batch, learned)
        check_adapted(
            lambda observe: self.adapt(learned, (support_x, support_y), observe=observe), self.name, self.inner.inner_lr
        )


class ANIL(MAML):
    """MAML in which only the last layer adapts, or any other subset of layers. Source: Raghu et al. 2020.

    Takes what MAML takes; `adapts` is by default the last layer with parameters.
    """

    name = "ANIL"

    def __init__(
        self,
        model: nn.Module,
        loss: str | Loss = "cross_entropy",
        *,
        adapts: str | Sequence[str] | None = None,
        **options: Any,
    ):
        super().__init__(model, loss, adapts=last_layer(model) if adapts is None else adapts, **options)


def last_layer(model: nn.Module) -> str:
    """A pattern of the parameters of the last layer that has any. Raises ValueError for a model without parameters."""
    names = [name for name, _ in model.named_parameters()]
    if not names:
        raise ValueError(f"The model {type(model).__name__} has no parameters: there is nothing to adapt.")
    layer, dot, _ = names[-1].rpartition(".")
    return f"{layer}{dot}*"
