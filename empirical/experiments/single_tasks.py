"""Networks that are trained on one task alone, without meta-learning: the upper bounds of both Arnold papers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..meta_learners.maml import MAML


def trained_alone(
    learner: MAML, start: dict[str, Tensor], support: tuple[Tensor, Tensor], rates: Sequence[float], steps: int
) -> dict[str, Tensor]:
    """What networks learn of the support points of a task, all of them in every step of Adam.

    Gradient steps at any one rate are slow to fit a network with batch norm; Adam does in a hundred or two.

    Args:
        learner: has the network.
        start: what it starts from, of each run (R, ...).
        support: images (1, 1, n, C, H, W) and labels (1, 1, n).
        rates: Adam's, of each run.
        steps: how many.
    """
    images, labels = (part[0, 0] for part in support)
    found = []
    for run, rate in enumerate(rates):
        module = learner.module(start, run).to(images).train()
        optimizer = torch.optim.Adam(module.parameters(), rate)
        for _ in range(steps):
            optimizer.zero_grad()
            cross_entropy(module(images), labels).backward()
            optimizer.step()
        found.append(dict(module.named_parameters()))
    return start | {f"model.{name}": torch.stack([run[name].detach() for run in found]) for name in found[0]}
