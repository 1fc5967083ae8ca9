"""Binary classification by a plane through the origin: θ ~ N(0, I), x ~ N(0, I), and labels by θᵀx."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from ..randomness import generator as keyed


@dataclass(frozen=True)
class LogisticTasks:
    """Tasks θ ~ N(0, I_d) on inputs x ~ N(0, I_d) with labels y in {0, 1}, each as likely as the other over all tasks.

    Args:
        dimensions: d.
        labels: "sign", y = 1 where θᵀx > 0 (arnold2019, Section 3.2 and A.1.1), or "sampled", y ~ Bernoulli(σ(θᵀx)) (arnold2021,
            B.1).
        support: points of a task to adapt on.
        query: points of it to judge the adapted model on; None takes those of the support.
        shared_inputs: a seed: all tasks, of training and test, have the inputs of this seed, and differ in their labels alone.
            None draws fresh inputs for every task.

    Raises:
        ValueError: other labels, or a number below 1 (of the seed: below 0).
    """

    dimensions: int
    labels: Literal["sign", "sampled"] = "sign"
    support: int = 10
    query: int | None = 10
    shared_inputs: int | None = None

    def __post_init__(self) -> None:
        numbers = (
            self.dimensions,
            self.support,
            1 if self.query is None else self.query,
            1 + (self.shared_inputs or 0),
        )
        if self.labels not in ("sign", "sampled") or min(numbers) < 1:
            raise ValueError(
                f"{self} is no task distribution: expected labels 'sign' or 'sampled', and numbers from 1 up."
            )

    def sample(
        self, count: int, generator: torch.Generator, split: str, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw tasks on the generator's device: inputs (count, n, d) and labels (count, n) of support and query.

        θ is continuous, so that no two splits have a task in common.
        """
        where = {"generator": generator, "dtype": dtype, "device": generator.device}
        points = self.support + (self.query or 0)
        theta = torch.randn(count, self.dimensions, 1, **where)
        if self.shared_inputs is None:
            x = torch.randn(count, points, self.dimensions, **where)
        else:
            x = _inputs(self.shared_inputs, points, self.dimensions, dtype, generator.device).expand(count, -1, -1)
        logits = (x @ theta)[..., 0]
        if self.labels == "sign":
            y = (logits > 0).to(dtype)
        else:
            y = (torch.rand(logits.shape, **where) < torch.sigmoid(logits)).to(dtype)
        if self.query is None:
            return x, y, x, y
        n = self.support
        return x[:, :n], y[:, :n], x[:, n:], y[:, n:]


@lru_cache(maxsize=4)
def _inputs(seed: int, points: int, dimensions: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.randn(points, dimensions, generator=keyed(seed, "initial", 0, device), dtype=dtype, device=device)
