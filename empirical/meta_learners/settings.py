"""What every meta-learner asks of its settings, in one place."""

from __future__ import annotations

import torch
from torch import Tensor

from ..modules import Modules


def checked_steps(steps: object, name: str) -> int:
    """K as it is. Raises ValueError unless it is a whole number, 1 or more."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"{name} was given {steps!r} inner steps: expected a whole number, 1 or more.")
    return steps


def checked_rate(rate: Tensor | float) -> Tensor:
    """Inner learning rates (1,) or (R,). Raises ValueError unless they are positive."""
    rate = torch.atleast_1d(torch.as_tensor(rate, dtype=torch.float64))
    if rate.ndim != 1 or not (torch.isfinite(rate) & (rate > 0)).all():
        raise ValueError(
            f"The inner learning rate is {rate.tolist()}: expected a positive number, or one for each run."
        )
    return rate


def rate_for(rate: Tensor, phi: Tensor) -> Tensor:
    """Inner learning rates against parameters (R, T, P). Raises ValueError where there are neither 1 nor R."""
    if len(rate) not in (1, len(phi)):
        raise ValueError(
            f"There are {len(rate)} inner learning rates and {len(phi)} runs: give one for all, or one for each."
        )
    return rate.to(phi)[:, None, None]


def checked_phi(phi: Tensor, modules: Modules | None = None) -> Tensor:
    """A copy of phi. Raises ValueError unless it is (R, P), with the modules' P."""
    if phi.ndim != 2:
        raise ValueError(
            f"phi has shape {tuple(phi.shape)}: expected (runs, entries); one run of a model is flatten(model)[None]."
        )
    if modules is not None and phi.shape[1] != modules.entries:
        raise ValueError(f"phi has {phi.shape[1]} entries, and the modules partition {modules.entries}: give as many.")
    return phi.detach().clone()
