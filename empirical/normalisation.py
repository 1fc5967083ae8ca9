"""To mean 0 and variance 1 over the points of each channel, with its first two derivatives in closed form.

Composed of means and squares, the second derivative that meta-gradients need reads and writes a layer's outputs several times
over; in closed form it is two passes.

With x̂ = r (x - mean x), r = (var x + eps)^(-1/2) and P v = v - mean v - x̂ mean(x̂ v), the derivative of x̂ is r P, which is its own
transpose. So a gradient d at x̂ is r P d at x. The derivatives of ⟨u, r P d⟩ are r P u with respect to d and, with respect to x,

    -r² (x̂ (mean(u d) - 3 a_u a_d) + a_d u + a_u d),   where a_v = mean(x̂ v), for u and d less their means.
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
    """x̂, differentiable to any order by autograd (not by `torch.func`)."""
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
        d = d - mean(d)
        return rate * (d - normal * mean(d * normal))

    @staticmethod
    def backward(ctx, u: Tensor):
        d, x, normal, rate = ctx.saved_tensors
        if torch.is_grad_enabled():  # third derivatives, which are as rare as they are slow
            normal, rate = _composed(x, ctx.eps, ctx.channels)
        mean = ctx.channels.mean
        u, d = u - mean(u), d - mean(d)  # centred first, or sums of large numbers would cancel
        along_u, along_d = mean(u * normal), mean(d * normal)
        of_d = rate * (u - normal * along_u)
        of_x = -rate.square() * (normal * (mean(u * d) - 3 * along_u * along_d) + along_d * u + along_u * d)
        return of_d, of_x, None, None, None, None


def _composed(x: Tensor, eps: float, channels: Channels) -> tuple[Tensor, Tensor]:
    """x̂ and r."""
    centred = x - channels.mean(x)
    rate = torch.rsqrt(channels.mean(centred.square()) + eps)
    return centred * rate, rate
