"""One-dimensional linear regression tasks: y ~ N(theta x, v), with theta ~ N(mu, tau2) and x ~ N(0, s2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

MOST_NODES = 180
"""The largest Gauss-Hermite rule used: the polynomials that need a larger one strain float64."""


@dataclass(frozen=True)
class RegressionTasks:
    """The distribution of tasks theta ~ N(mu, tau2), x ~ N(0, s2), y ~ N(theta x, v).

    The defaults are those of arnold2021, Section 4.1. Raises ValueError unless mu is finite, tau2 >= 0, s2 >
    0 and v >= 0.
    """

    mu: float = 0.0
    tau2: float = 1.0
    s2: float = 1.0
    v: float = 1.0

    def __post_init__(self) -> None:
        finite = all(math.isfinite(value) for value in (self.mu, self.tau2, self.s2, self.v))
        if not (finite and self.tau2 >= 0 and self.s2 > 0 and self.v >= 0):
            raise ValueError(
                f"{self} is no task distribution: expected finite numbers with tau2 >= 0, s2 > 0 and v >= 0."
            )


class Batch(NamedTuple):
    """Weighted points of T tasks: x (T, n), y (T, n), weight (n,) with sum 1."""

    x: Tensor
    y: Tensor
    weight: Tensor


@dataclass(frozen=True)
class RegressionEpisodes:
    """Regression tasks as a trainer draws them.

    A point's target is the pair (y, weight), for the population's points are weighted: see `weighted_error`.

    Attributes:
        tasks: the distribution.
        support, query: how many points of a task are drawn; None takes the population. If both do, they are the same points.
            The query set of a test task is always the population, so that its loss has no noise.

    Raises:
        ValueError: no points.
    """

    tasks: RegressionTasks
    support: int | None = None
    query: int | None = None

    def __post_init__(self) -> None:
        for name, points in (("support", self.support), ("query", self.query)):
            if points is not None and points < 1:
                raise ValueError(f"{name} is {points}: expected 1 point or more, or None for the population.")

    def sample(
        self, count: int, generator: torch.Generator, split: str, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw tasks: inputs (count, n, 1) and targets (count, n, 2) of support and query."""
        theta = sample_theta(self.tasks, count, generator, dtype=dtype)
        return *self._points(theta, self.support, generator), *self._points(
            theta, None if split == "test" else self.query, generator
        )

    def _points(self, theta: Tensor, n: int | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, y, weight = population(theta, self.tasks) if n is None else sample(theta, self.tasks, n, generator)
        return x[..., None], torch.stack([y, weight.expand_as(y)], dim=-1)


def weighted_error(output: Tensor, target: Tensor) -> Tensor:
    """½ E(y - yhat)² of one task: outputs (n, 1) and targets (n, 2) of `RegressionEpisodes`. Source: arnold2021, eq. (30)."""
    y, weight = target.unbind(-1)
    return weight @ (y - output[:, 0]).square() / 2


@cache
def _rule(count: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


def standard_normal_nodes(
    count: int, *, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Gauss-Hermite nodes (count,) and weights (count,) of N(0, 1).

    Exact for polynomials of degree 2 count - 1 and less. Raises ValueError for more than MOST_NODES nodes.
    """
    if count > MOST_NODES:
        raise ValueError(
            f"This expectation needs {count} Gauss-Hermite nodes, and at most {MOST_NODES} are served: "
            "take fewer inner steps, or maml_loss_monte_carlo."
        )
    nodes, weights = _rule(count)
    return torch.tensor(nodes, dtype=dtype, device=device), torch.tensor(weights, dtype=dtype, device=device)


def theta_nodes(
    tasks: RegressionTasks,
    degree: int,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """Nodes theta (T,) and weights (T,) that integrate every polynomial in theta up to this degree exactly.

    Raises ValueError where that takes more than MOST_NODES nodes.
    """
    nodes, weights = standard_normal_nodes(degree // 2 + 1, dtype=dtype, device=device)
    return tasks.mu + math.sqrt(tasks.tau2) * nodes, weights


def population(theta: Tensor, tasks: RegressionTasks, nodes: int = 3) -> Batch:
    """Points whose weighted mean is the expectation over (x, noise), for tasks theta (T,): n = nodes ** 2.

    Exact for what has degree at most 2 nodes - 1 in x (the noise fixed) and in the noise (x fixed); a squared
    error has degree 2 in each, so its weighted mean over this batch is the population loss.
    """
    z, weight = standard_normal_nodes(nodes, dtype=theta.dtype, device=theta.device)
    x = math.sqrt(tasks.s2) * z.repeat_interleave(nodes)
    noise = math.sqrt(tasks.v) * z.repeat(nodes)
    x = x.expand(len(theta), -1)
    return Batch(x, theta[:, None] * x + noise, torch.outer(weight, weight).flatten())


def sample(theta: Tensor, tasks: RegressionTasks, n: int, generator: torch.Generator) -> Batch:
    """Draw n points of each task theta (T,), each with weight 1/n. The generator lives on theta's device."""
    z = torch.randn(2, len(theta), n, generator=generator, dtype=theta.dtype, device=theta.device)
    x = math.sqrt(tasks.s2) * z[0]
    y = theta[:, None] * x + math.sqrt(tasks.v) * z[1]
    return Batch(x, y, torch.full((n,), 1 / n, dtype=theta.dtype, device=theta.device))


def sample_theta(
    tasks: RegressionTasks, count: int, generator: torch.Generator, *, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Draw theta (count,) from N(mu, tau2), on the generator's device."""
    z = torch.randn(count, generator=generator, dtype=dtype, device=generator.device)
    return tasks.mu + math.sqrt(tasks.tau2) * z
