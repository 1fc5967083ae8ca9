"""The inner loop: every task takes K steps θ ← θ − inner_lr · U(∇ℓ(θ)) from weights that the tasks share.

Written once, for all meta-learners. What can be differentiated through is the caller's choice, and so are the ways to save
memory: checkpointed steps, and weights kept as a shared matrix with a low-rank update.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from .layers import BatchNormMode, Gradient, LowRank, Pass, Products, TaskModel, Weight, Weights, dense
from .losses import Loss, batched
from .update_rules import UPDATE_RULES, UpdateRule
from .update_rules.base import Tapped

Data = tuple[Tensor, Tensor]
"""Inputs (R, T, n, ...) and targets (R, T, n, ...) of R × T tasks."""
Through = Literal["nothing", "first-order", "second-order"]


def checked_steps(steps: object, least: int) -> int:
    """K as it is. Raises ValueError unless it is a whole number, `least` or more."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < least:
        raise ValueError(f"The number of inner steps is {steps!r}: expected a whole number, {least} or more.")
    return steps


def checked_rate(inner_lr: float | Tensor) -> Tensor:
    """The inner learning rate, () or (R,). Raises ValueError unless it is positive."""
    rate = torch.as_tensor(inner_lr, dtype=torch.float64)
    if rate.ndim > 1 or not (torch.isfinite(rate) & (rate > 0)).all():
        raise ValueError(f"inner_lr is {rate.tolist()}: expected a positive number, or one for each run.")
    return rate


def check_runs(rate: Tensor, runs: int) -> None:
    """Raise ValueError where there are rates for another number of runs."""
    if rate.ndim and len(rate) != runs:
        raise ValueError(
            f"There are {len(rate)} inner learning rates and {runs} runs: give one for all, or one for each."
        )


class Directions(NamedTuple):
    """What a rule made of gradients (`values`), of which parameters, and `at` what it is differentiated with respect to."""

    values: dict[str, Gradient]
    rule: dict[str, Weight]
    at: dict[str, Tensor | Tapped]


@dataclass(frozen=True)
class Adapted:
    """Tasks after some inner steps.

    Attributes:
        weights: by name, each (R, T or 1, *shape).
        rule: the update rule's parameters, each (R, T or 1, ...); a matrix may be low-rank, as a weight may.
        before: the gradients of the last step, if there was one and the rule itself adapts.
        directions: what the rule made of them, where the graph of that step is kept.
    """

    weights: Weights
    rule: dict[str, Weight]
    before: dict[str, Tensor] = field(default_factory=dict)
    directions: Directions | None = None


class InnerLoop:
    """How tasks adapt.

    Args:
        model: any module; nn.Sequential of common layers is fastest (see `layers`).
        loss: a name from `losses.LOSSES`, or a function of one task's (outputs, targets) that returns one number.
        update: an inner-update rule, or the name of one in UPDATE_RULES.
        inner_lr: one number, or one for each run (R,).
        steps: K.
        adapts: patterns of the names of parameters that adapt, "*" for all.
        batch_norm: where batch norm takes its statistics from (see `layers.BATCH_NORM`).
        checkpoint: keep only the weights between steps and compute the rest again in the backward pass.
        low_rank: keep adapted matrices as shared matrix plus low-rank update: always, never, or (None) where that is less work.

    Raises:
        ValueError: an unknown name or mode, a pattern that matches nothing, a number out of range.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: str | Loss = "cross_entropy",
        *,
        update: UpdateRule | str = "sgd",
        inner_lr: float | Tensor = 0.1,
        steps: int = 1,
        adapts: str | Sequence[str] = "*",
        batch_norm: BatchNormMode = "transductive",
        checkpoint: bool = False,
        low_rank: bool | None = None,
    ):
        if isinstance(update, str):
            if update not in UPDATE_RULES:
                raise ValueError(f"The update rule is {update!r}: expected {', '.join(map(repr, UPDATE_RULES))}.")
            update = UPDATE_RULES[update]()
        frozen: tuple[str, ...] = ()
        if update.prepare is not None:
            model, frozen = update.prepare(model)
        self.model, self.loss_name, self.loss = TaskModel(model, batch_norm), loss, batched(loss)
        self.update, self.inner_lr, self.steps = update, checked_rate(inner_lr), checked_steps(steps, 0)
        self.checkpoint, self.low_rank = checkpoint, low_rank
        names = list(self.model.initial)
        matched: set[str] = set()
        for pattern in [adapts] if isinstance(adapts, str) else adapts:
            found = fnmatch.filter(names, pattern)
            if not found:
                raise ValueError(f"adapts has {pattern!r}, which matches no parameter; they are {', '.join(names)}.")
            matched |= set(found)
        for pattern in frozen:
            matched -= set(fnmatch.filter(names, pattern))
        if not matched:
            raise ValueError("No parameter adapts: widen adapts.")
        self.adapts = frozenset(matched)

    def settings(self) -> dict[str, Any]:
        """These settings as plain data."""
        return {
            "loss": self.loss_name if isinstance(self.loss_name, str) else "a function",
            "update": self.update.name,
            "update_options": self.update.options,
            "inner_lr": self.inner_lr.tolist(),
            "steps": self.steps,
            "adapts": sorted(self.adapts),
            "batch_norm": self.model.batch_norm if self.model.has_batch_norm else None,
            "checkpoint": self.checkpoint,
            "low_rank": self.low_rank,
            "model": str(self.model.module),
        }

    def rule_parameters(self, generator: torch.Generator) -> dict[str, Tensor]:
        """The update rule's parameters at the start."""
        return self.update.init({n: w for n, w in self.model.initial.items() if n in self.adapts}, generator)

    def run(
        self,
        weights: dict[str, Tensor],
        rule: dict[str, Tensor],
        support: Data,
        *,
        through: Through = "nothing",
        steps: int | None = None,
        observe: Callable[[int, Adapted], None] | None = None,
    ) -> Adapted:
        """Adapt from weights (R, *shape) and the rule's parameters (R, ...), all by name.

        `observe(step, adapted)` is called before the first step, with 0, and after each.
        """
        check_runs(self.inner_lr, len(next(iter(weights.values()))))
        now = Adapted({n: w[:, None] for n, w in weights.items()}, {n: p[:, None] for n, p in rule.items()})
        if observe:
            observe(0, now)
        count = self.steps if steps is None else steps
        products: dict[Any, Any] = {}
        if count > 1:
            support = self.model.arranged(support[0]), support[1]
        for step in range(count):
            if self.checkpoint and through == "second-order":
                now = self._checkpointed(now, support, count)
            else:
                now = self._step(now, support, through, count, products)
            if observe:
                observe(step + 1, now)
        return now

    def predict(self, adapted: Adapted, x: Tensor, support_x: Tensor) -> Tensor:
        """Predictions (R, T, n, ...); the support inputs are read where batch norm takes its statistics from them."""
        statistics = None
        if self.model.batch_norm == "support" and self.model.has_batch_norm:
            statistics = {}
            self.model(adapted.weights, support_x, Pass(collect=statistics))
        return self.model(adapted.weights, x, Pass(statistics=statistics))

    def _step(
        self, now: Adapted, support: Data, through: Through, count: int, products: dict[Any, Any] | None = None
    ) -> Adapted:
        x, y = support
        second = through == "second-order"
        into = Pass(adapts=self.adapts)
        if second and products is not None:
            into.data, into.products = x, products
        with torch.enable_grad():
            at = now.weights if second else {n: _cut(w, n in self.adapts) for n, w in now.weights.items()}
            losses = self.loss(self.model(at, x, into), y)
            # a task's loss reads that task's numbers alone: the gradient of the sum is each task's own
            found = torch.autograd.grad(losses.sum(), [tap.at for tap in into.taps], create_graph=second)
        gradients: dict[str, Gradient] = {}
        with torch.set_grad_enabled(second):
            for tap, d in zip(into.taps, found, strict=True):
                gradients |= tap.gradients(d)
            if not self.update.products:
                gradients = {name: dense(gradient) for name, gradient in gradients.items()}
        with torch.set_grad_enabled(through != "nothing"):
            rule = self._adapted_rule(now, gradients, second, count) if self.update.adapts else now.rule
            # made once for this step and for the rule's own, where the second differentiates what the first has made
            kept = self._directions(rule, gradients) if self.update.adapts and second and not self.checkpoint else None
            values = kept.values if kept else self.update.update(rule, gradients)
            weights = {
                name: self._moved(w, values[name], count) if name in values else w for name, w in now.weights.items()
            }
        return Adapted(weights, rule, gradients if self.update.adapts else {}, kept)

    def _directions(self, rule: dict[str, Weight], gradients: dict[str, Gradient], cut: bool = False) -> Directions:
        """What the rule, `cut` from its history or not, makes of gradients, so that it can be differentiated."""
        tasks = next(iter(gradients.values())).shape[1]
        # a factor is differentiated where it was used, and stays shared; what else the rule has is each task's own from here on
        factors = {n for n, p in rule.items() if self.update.factored and (isinstance(p, LowRank) or p.ndim == 4)}
        rule = {n: p if n in factors else p.expand(-1, tasks, *p.shape[2:]) for n, p in rule.items()}
        at = {n: _cut(p, True) for n, p in rule.items()} if cut else rule
        at = {n: Tapped(p) if n in factors else p for n, p in at.items()}
        return Directions(self.update.update(at, gradients), rule, at)

    def _adapted_rule(
        self, now: Adapted, gradients: dict[str, Gradient], second: bool, count: int
    ) -> dict[str, Weight]:
        """ξ − α ∇_ξ ℓ(θ), where θ = θ′ − α U_ξ(g′) came from the step before, with its gradients g′.

        At the first step the loss does not depend on ξ. Source: arnold2019, eq. (4); its (3) has no rate α, which U has here as elsewhere.
        """
        if not now.before:
            return now.rule
        with torch.enable_grad():
            moved, rule, at = now.directions or self._directions(now.rule, now.before, cut=not second)
            plain = [n for n, p in at.items() if not isinstance(p, Tapped)]
            uses = [(n, use) for n, p in at.items() if isinstance(p, Tapped) for use in p.uses]
            # the chain rule: the gradients at θ are held, and what moved θ is differentiated
            pull = [-self._rate(gradients[n]) * gradients[n] for n in moved]
            found = torch.autograd.grad(
                list(moved.values()),
                [*(at[n] for n in plain), *(use.outputs for _, use in uses)],
                pull,
                create_graph=second,
                allow_unused=True,
            )
        with torch.set_grad_enabled(second):
            steps: dict[str, Gradient] = {n: d for n, d in zip(plain, found, strict=False) if d is not None}
            for (n, use), d in zip(uses, found[len(plain) :], strict=True):
                if d is not None:
                    own = use.gradient(d)
                    steps[n] = _together(steps[n], own) if n in steps else own
        return {n: self._moved(p, steps[n], count) if n in steps else p for n, p in rule.items()}

    def _checkpointed(self, now: Adapted, support: Data, count: int) -> Adapted:
        leaves, layout = tree_flatten(({n: dense(w) for n, w in now.weights.items()}, now.rule, now.before))
        after: list[object] = []

        def step(through: Through, *tensors: Tensor) -> tuple[Tensor, ...]:
            done = self._step(Adapted(*tree_unflatten(list(tensors), layout)), support, through, count)
            flat, shape = tree_flatten((done.weights, done.rule, done.before))
            after[:] = [shape]
            return tuple(flat)

        found = _Again.apply(step, *leaves)
        return Adapted(*tree_unflatten(list(found), after[0]))

    def _rate(self, like: Tensor) -> Tensor | float:
        if not self.inner_lr.ndim:
            return self.inner_lr.item()
        return self.inner_lr.to(like).view(-1, *[1] * (like.ndim - 1))

    def _moved(self, weight: Weight, direction: Gradient, count: int) -> Weight:
        rate = self._rate(direction.left if isinstance(direction, Products) else direction)
        if isinstance(direction, Products) and self._keeps_low_rank(direction, count):
            update = Products(-rate * direction.left, direction.right)
            if isinstance(weight, LowRank):
                return LowRank(weight.base, _together(weight.update, update))
            if weight.shape[1] == 1:
                return LowRank(weight, update)
        return dense(weight) - rate * dense(direction)

    def _keeps_low_rank(self, direction: Products, count: int) -> bool:
        if self.checkpoint or self.low_rank is False:
            return False
        if self.low_rank:
            return True
        rows, outputs = direction.left.shape[2:]
        inputs = direction.right.shape[-1]
        return direction.left.shape[1] > 1 and 2 * rows * count * (outputs + inputs) < outputs * inputs


def _together(a: Products, b: Products) -> Products:
    """Their sum."""
    return Products(torch.cat([a.left, b.left], 2), torch.cat([a.right, b.right], 2))


def _cut(weight: Weight, adapts: bool) -> Weight:
    """The same numbers without their history; those that adapt can be differentiated with respect to."""
    if isinstance(weight, LowRank):
        update = Products(weight.update.left.detach(), weight.update.right.detach())
        return LowRank(_cut(weight.base, adapts), update)
    return weight.detach().requires_grad_(adapts)


class _Again(torch.autograd.Function):
    """A step whose inside is not kept for the backward pass, but computed again there."""

    @staticmethod
    def forward(ctx, step: Callable[..., tuple[Tensor, ...]], *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.step = step
        ctx.save_for_backward(*tensors)
        return tuple(t.detach() for t in step("nothing", *(t.detach() for t in tensors)))

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        with torch.enable_grad():
            leaves = [
                t.detach().requires_grad_(wanted)
                for t, wanted in zip(ctx.saved_tensors, ctx.needs_input_grad[1:], strict=True)
            ]
            found = ctx.step("second-order", *leaves)
            pairs = [(f, g) for f, g in zip(found, gradients, strict=True) if f.requires_grad and g is not None]
            wanted = [leaf for leaf in leaves if leaf.requires_grad]
            pulled = iter(torch.autograd.grad([f for f, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True))
        return None, *(next(pulled) if leaf.requires_grad else None for leaf in leaves)
