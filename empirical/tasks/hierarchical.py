"""Hierarchical normal tasks (chen2019, Appendix D): theta ~ N(phi, diag sigma²), x_n ~ N(mu(theta), diag xi²).

The loss of an observation is ½ Σ_d ((x_d - mu_d) / xi_d)², its negative log-likelihood up to a constant. Observations are both the
inputs and the targets of a task; a model predicts their mean whatever the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..objective import Data
from ..randomness import generator as keyed

OMEGA = math.pi / 5
"""The spiral's turn for each unit of a pair's length (chen2019, (31))."""


def identity_mean(theta: Tensor) -> Tensor:
    """mu(theta) = theta: the toy model of Appendix B."""
    return theta


def linear_mean(theta: Tensor) -> Tensor:
    """mu(theta) = [I, 1/√M]ᵀ theta: (..., M) to (..., M + 1). Source: chen2019, Appendix D, Experiment 1."""
    return torch.cat([theta, theta.sum(-1, keepdim=True) / math.sqrt(theta.shape[-1])], dim=-1)


def spiral_mean(theta: Tensor) -> Tensor:
    """Each pair (d, d + 1) turned by ω times its own length: (..., M), M even. Source: chen2019, (31), Experiment 2.

    Raises ValueError for an odd M.
    """
    if theta.shape[-1] % 2:
        raise ValueError(f"The spiral turns pairs, and theta has {theta.shape[-1]} entries: expected an even number.")
    pair = theta.unflatten(-1, (-1, 2))
    x, y = pair.unbind(-1)
    # the tiny term keeps the gradient of the length finite at 0
    angle = OMEGA * (x.square() + y.square() + 1e-30).sqrt()
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1).flatten(-2)


MEANS: dict[str, Callable[[Tensor], Tensor]] = {"identity": identity_mean, "linear": linear_mean, "spiral": spiral_mean}


class Episodes(NamedTuple):
    """Tasks of S seeds, with their true parameters: theta (S, T, M), support and query sets of observations (S, T, N, D)."""

    theta: Tensor
    support: Data
    query: Data

    @property
    def batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The tasks as a learner takes them."""
        return *self.support, *self.query


@dataclass(frozen=True)
class HierarchicalTasks:
    """A distribution of tasks.

    Attributes:
        mean: a name from MEANS.
        phi: (M,) prior mean.
        sigma: (M,) prior standard deviations.
        xi: (D,) noise standard deviations.
        observations: N, as many in the support as in the query set.

    Raises:
        ValueError: a standard deviation that is not positive, lengths that do not fit, no observation.
    """

    mean: str
    phi: tuple[float, ...]
    sigma: tuple[float, ...]
    xi: tuple[float, ...]
    observations: int

    def __post_init__(self) -> None:
        if self.mean not in MEANS:
            raise ValueError(f"The mean is {self.mean!r}: expected {' or '.join(map(repr, MEANS))}.")
        if len(self.phi) != len(self.sigma):
            raise ValueError(
                f"phi has {len(self.phi)} entries and sigma {len(self.sigma)}: give one sigma for each entry of phi."
            )
        for name, values in (("sigma", self.sigma), ("xi", self.xi)):
            if not all(math.isfinite(v) and v > 0 for v in values):
                raise ValueError(f"{name} is {list(values)}: expected positive standard deviations.")
        dimensions = MEANS[self.mean](torch.zeros(len(self.phi))).shape[-1]
        if len(self.xi) != dimensions:
            raise ValueError(
                f"xi has {len(self.xi)} entries, and an observation of the {self.mean} model with {len(self.phi)} parameters has "
                f"{dimensions}: give one xi for each."
            )
        if self.observations < 1:
            raise ValueError(f"There are {self.observations} observations a task: expected 1 or more.")

    @property
    def entries(self) -> int:
        """M, the number of parameters."""
        return len(self.phi)

    def loss(self, mean: Tensor, observations: Tensor) -> Tensor:
        """The total loss over a task's observations (..., N, D), predicted to be mean (..., N, D) or (..., 1, D)."""
        xi = torch.tensor(self.xi, dtype=mean.dtype, device=mean.device)
        return ((observations - mean) / xi).square().sum((-1, -2)) / 2

    def losses(self, theta: Tensor, data: Data) -> Tensor:
        """The total loss (R, T) over a task's observations (R, T, N, D) at parameters (R, T, M): an objective."""
        return self.loss(MEANS[self.mean](theta)[..., None, :], data[1])

    def sample(self, count: int, generator: torch.Generator, split: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Support observations, twice, and query observations, twice, each (count, N, D); all splits are alike."""
        _, support, query = self._draw(count, generator, dtype)
        return support, support, query, query

    def episodes(
        self,
        count: int,
        seeds: Sequence[int],
        stream: str,
        step: int = 0,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> Episodes:
        """The tasks that a trainer draws for each seed, by the stream and the step, with their true parameters."""
        drawn = [self._draw(count, keyed(seed, stream, step, device), dtype) for seed in seeds]
        theta, support, query = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        return Episodes(theta, (support, support), (query, query))

    def _draw(self, count: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=dtype, device=generator.device)

        phi, sigma, xi = (
            torch.tensor(v, dtype=dtype, device=generator.device) for v in (self.phi, self.sigma, self.xi)
        )
        theta = phi + sigma * normal(count, len(phi))
        center = MEANS[self.mean](theta)[:, None]
        support, query = center + xi * normal(2, count, self.observations, len(xi))
        return theta, support, query


class HierarchicalModel(nn.Module):
    """A task's model: the mean mu(phi) of its observations, in float64, with phi (M,) as the only parameter.

    Args:
        tasks: says what mu is, and how many entries phi has.
        start: every entry of phi before training.
    """

    def __init__(self, tasks: HierarchicalTasks, start: float = 0.0):
        super().__init__()
        self.mean = tasks.mean
        self.phi = nn.Parameter(torch.full((tasks.entries,), start, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """mu(phi) for each of the points x (N, D), whatever they are."""
        return MEANS[self.mean](self.phi).expand(x.shape)
