"""To mean 0 and variance 1 over the points of each channel, with its first two derivatives in closed form.

Composed of means and squares, the second derivative that meta-gradients need reads and writes a layer's outputs several times
over; in closed form it is two passes.

With x̂ = r (x - mean x), r = (var x + eps)^(-1/2) and P v = v - mean v - x̂ mean(x̂ v), the derivative of x̂ is r P, which is its own
transpose. So a gradient d at x̂ is r P d at x. The derivatives of ⟨u, r P d⟩ are r P u with respect to d and, with respect to x,

    -r² (x̂ (mean(u d) - mean u mean d - 3 a_u a_d) + a_d (u - mean u) + a_u (d - mean d)),   where a_v = mean(x̂ v).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Channels(NamedTuple):
    """How values are laid out: `total` sums over the `count` points of each channel, and `spread` is the way back."""

    count: int
    total: Callable[[Tensor], Tensor]
    spread: Callable[[Tensor], Tensor]

    def mean(self, values: Tensor) -> Tensor:
        """Spread out already."""
        return self.spread(self.total(values) / self.count)


def normalise(x: Tensor, eps: float, channels: Channels) -> Tensor:
    """x̂, differentiable to any order."""
    return _Normalise.apply(x, eps, channels)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, eps: float, channels: Channels) -> Tensor:
        normal, rate = _composed(x, eps, channels)
        ctx.save_for_backward(x, normal, rate)
        ctx.eps, ctx.channels = eps, channels
        return normal

    @staticmethod
    def backward(ctx, d: Tensor):
        x, normal, rate = ctx.saved_tensors
        return _Gradient.apply(d, x, normal.detach(), rate, ctx.eps, ctx.channels), None, None


class _Gradient(torch.autograd.Function):
    """r P d as a function of d and x, given x̂ and r."""

    @staticmethod
    def forward(ctx, d: Tensor, x: Tensor, normal: Tensor, rate: Tensor, eps: float, channels: Channels) -> Tensor:
        ctx.save_for_backward(d, x, normal, rate)
        ctx.eps, ctx.channels = eps, channels
        mean = channels.mean
        return rate * (d - mean(d) - normal * mean(d * normal))

    @staticmethod
    def backward(ctx, u: Tensor):
        d, x, normal, rate = ctx.saved_tensors
        if torch.is_grad_enabled():  # third derivatives, which are as rare as they are slow
            normal, rate = _composed(x, ctx.eps, ctx.channels)
        mean = ctx.channels.mean
        mean_u, mean_d, along_u, along_d = mean(u), mean(d), mean(u * normal), mean(d * normal)
        of_d = rate * (u - mean_u - normal * along_u)
        common = mean(u * d) - mean_u * mean_d - 3 * along_u * along_d
        of_x = -rate.square() * (normal * common + along_d * (u - mean_u) + along_u * (d - mean_d))
        return of_d, of_x, None, None, None, None


def _composed(x: Tensor, eps: float, channels: Channels) -> tuple[Tensor, Tensor]:
    """x̂ and r."""
    centred = x - channels.mean(x)
    rate = torch.rsqrt(channels.mean(centred.square()) + eps)
    return centred * rate, rate
