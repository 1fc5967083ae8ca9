"""What each layer of a trained CNN does for its adaptation: frozen, adapted alone, perturbed, scaled, pruned, collapsed.

Studies of `few_shot.Trained`, of models that MAML has trained with plain gradient steps. A layer is a block of the CNN (C1, C2, …: its
convolution and its batch norm), or the last, linear layer (FC).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..layers import dense
from ..losses import metrics
from ..models import collapse, prune
from ..randomness import generator
from .few_shot import Trained, learner_of
from .looks import accuracies

STUDIED_TASKS = 100
"""Test tasks of each study: arnold2019, Section 3.2."""
SCALES = (0.0, *(2.0**k for k in range(6)))
"""What weights are multiplied by: arnold2019, Figure A.2. The factor 0 stands on its axis."""
NOISE = (0.0, *(2.0**k for k in range(-4, 2)))
"""Standard deviations of the noise on FC: arnold2019, Figure 2 (right)."""
THRESHOLDS = {
    "omniglot": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35),
    "cifar-fs": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    "mini-imagenet": (0.0, 0.025, 0.05, 0.075, 0.1, 0.15),
}
"""Of pruning; arnold2019's own, 0.30, 0.5 and 0.075, are among them."""

COLLAPSED_RATES = (0.3, 1.0, 3.0, 10.0, 30.0)
"""What the inner rate is multiplied by where a collapsed network adapts: a single layer may want another rate than the network did."""

Weights = dict[str, Tensor]


def layer_names(trained: Trained) -> dict[str, str]:
    """The papers' names of the layers, and what the names of their parameters begin with."""
    blocks = {f"C{k + 1}": f"block{k}." for k in range(trained.setting.network.layers)}
    return blocks | {"FC": "head."}


def freezing(trained: Trained) -> dict[str, Any]:
    """Accuracy where one layer does not adapt, and where it alone does: arnold2019, Figure 2 (left, middle)."""
    layers = layer_names(trained)
    test = _some(trained)

    def adapting(prefixes: list[str]) -> np.ndarray:
        return _accuracies(trained, test, [f"{prefix}*" for prefix in prefixes])

    return {
        "freezing only this": {n: adapting([q for m, q in layers.items() if m != n]) for n in layers},
        "adapting only this": {n: adapting([prefix]) for n, prefix in layers.items()},
    }


def noise(trained: Trained) -> dict[str, Any]:
    """Accuracy where only the last block and FC adapt, and FC starts with normal noise on it: arnold2019, Figure 2 (right)."""
    last = f"block{trained.setting.network.layers - 1}."
    test = _some(trained)
    drawn = generator(trained.seed, "search")  # one draw, scaled: the same for all runs
    normal = {
        name: torch.randn(value.shape[1:], generator=drawn, dtype=torch.float64).to(value)
        for name, value in trained.trainer.learned.items()
        if name.startswith("model.head.")
    }
    return {
        f"{scale:g}": _accuracies(
            trained,
            test,
            [f"{last}*", "head.*"],
            trained.trainer.learned | {n: trained.trainer.learned[n] + scale * e for n, e in normal.items()},
        )
        for scale in NOISE
    }


def scaling(trained: Trained) -> dict[str, Any]:
    """Accuracy where a layer's weights and biases are multiplied, before or after adaptation: arnold2019, Figure A.2.

    Those of batch norm are not, nor are they a layer's weights: what it takes in, it brings to one scale anyway.
    """
    test = _some(trained)
    changed_after = after_adaptation(trained, test)
    found: dict[str, Any] = {"before adaptation": {}, "after adaptation": {}}
    for layer, prefix in layer_names(trained).items():
        own = [f"{prefix}{'conv.' if prefix != 'head.' else ''}{what}" for what in ("weight", "bias")]

        def scaled(weights: Weights, scale: float, own: list[str] = own) -> Weights:
            return weights | {name: scale * dense(weights[name]) for name in own}

        before, after = found["before adaptation"], found["after adaptation"]
        before[layer], after[layer] = {}, {}
        for scale in SCALES:
            learned = trained.trainer.learned
            changed = learned | {f"model.{name}": scale * learned[f"model.{name}"] for name in own}
            before[layer][f"{scale:g}"] = _accuracies(trained, test, ["*"], changed)
            after[layer][f"{scale:g}"] = changed_after(lambda w, s=scale, f=scaled: f(w, s))
    return found


def pruning(trained: Trained) -> dict[str, Any]:
    """Accuracy where adapted weights below a threshold are set to 0, and the share of them: arnold2019, Figure A.3."""
    found: dict[str, Any] = {}
    changed_after = after_adaptation(trained, _some(trained))
    for threshold in THRESHOLDS[trained.setting.dataset]:
        left: list[float] = []

        def pruned(weights: Weights, threshold: float = threshold, left: list[float] = left) -> Weights:
            after = prune({name: dense(value) for name, value in weights.items()}, threshold)
            sizes = [value.numel() for value in after.values()]
            left.append(sum(int(value.count_nonzero()) for value in after.values()) / sum(sizes))
            return after

        found[f"{threshold:g}"] = {"accuracy": changed_after(pruned), "share left": float(np.mean(left))}
    return found


def collapsing(trained: Trained) -> dict[str, Any]:
    """Accuracy where a linear network is multiplied out before it adapts: arnold2021, B.3.

    The paper does not say with which rate the one layer that is left adapts: here that of the network, and others.
    """
    flat = replace(trained.setting, network=replace(trained.setting.network, linnet=()))
    learners = {factor: learner_of(flat, factor * trained.learner.inner.inner_lr) for factor in COLLAPSED_RATES}
    for learner in learners.values():
        learner.to(trained.trainer.device, trained.trainer.dtype)
    runs = [collapse(trained.learner.module(trained.trainer.learned, run)) for run in range(trained.trainer.runs)]
    values = [list(module.state_dict().values()) for module in runs]
    learned = {
        name: torch.stack([v[at] for v in values]).to(trained.trainer.device)
        for at, name in enumerate(learners[1.0].init(1))
    }
    adapted = {factor: accuracies(learner, learned, trained.test).mean(1) for factor, learner in learners.items()}
    return {
        "collapsed, then adapted": adapted[1.0],
        "collapsed, then adapted, by factor of the rate": {f"{factor:g}": a for factor, a in adapted.items()},
        "collapsed, not adapted": accuracies(learners[1.0], learned, trained.test, 0).mean(1),
    }


STUDIES: dict[str, Callable[[Trained], dict[str, Any]]] = {
    "freezing": freezing,
    "noise": noise,
    "scaling": scaling,
    "pruning": pruning,
    "collapsing": collapsing,
}
"""By name."""


def _some(trained: Trained) -> list[tuple[Tensor, ...]]:
    """The first test tasks."""
    found, count = [], 0
    for batch in trained.test:
        found.append(tuple(part[:, : STUDIED_TASKS - count] for part in batch))
        count += found[-1][0].shape[1]
        if count >= STUDIED_TASKS:
            break
    return found


def _accuracies(trained: Trained, test, adapts: list[str], learned: Weights | None = None) -> np.ndarray:
    """Of each run (R,), where these parameters adapt."""
    learner = learner_of(trained.setting, trained.learner.inner.inner_lr, adapts=adapts)
    learner.to(trained.trainer.device, trained.trainer.dtype)
    return accuracies(learner, trained.trainer.learned if learned is None else learned, test).mean(1)


def after_adaptation(trained: Trained, test) -> Callable[[Callable[[Weights], Weights]], np.ndarray]:
    """Adapt to test tasks, once. Call the result with a change of the adapted weights, by name (R, T, ...).

    It returns the accuracies (R,) on query points that are predicted with what the change has made of them.
    """
    inner, runs = trained.learner.inner, trained.trainer.runs
    batches = [tuple(part.expand(runs, *part.shape[1:]) for part in batch) for batch in test]
    adapted = [trained.learner.adapt(trained.trainer.learned, batch[:2]) for batch in batches]

    @torch.no_grad()
    def changed(change: Callable[[Weights], Weights]) -> np.ndarray:
        found = []
        for now, (support_x, _, query_x, query_y) in zip(adapted, batches, strict=True):
            output = inner.predict(replace(now, weights=change(now.weights)), query_x, support_x)
            found.append(metrics(inner.loss_name, output, query_y)["accuracy"].cpu().double())
        return torch.cat(found, dim=1).numpy().mean(1)

    return changed
