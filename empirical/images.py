"""Images of many tasks in one tensor, and what is done to them with weights for each task, differentiable to any order.

The order is (n, H, W, R, T, C): points, places, runs, tasks, channels. Seen as (n, R · T · C, H, W) that is channels last, so that a
convolution with weights for each task is a grouped one and nothing is copied; and every sum over points and places runs
over whole rows of memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

How = tuple[Any, Any, Any, int]
"""Stride, padding, dilation, groups."""


@dataclass(frozen=True)
class Images:
    """Images of R × T tasks: values (n, H, W, R, T, C)."""

    values: Tensor

    @classmethod
    def of(cls, x: Tensor | Images) -> Images:
        """From (R, T, n, C, H, W), or as it is."""
        return x if isinstance(x, Images) else cls(x.permute(2, 4, 5, 0, 1, 3).contiguous())

    def plain(self) -> Tensor:
        """As (R, T, n, C, H, W)."""
        return self.values.permute(3, 4, 0, 5, 1, 2)


# Sums over points and places go in two stages, first along rows of places: a compiled kernel then reads blocks that fit in the
# fastest cache, instead of one column of memory after the other. Spreading is the opposite, so that its derivative
# goes in the same two stages.


def total(values: Tensor) -> Tensor:
    """Sums over points and places: (n, H, W, R, T, C) to (R, T, C)."""
    return values.sum(2).sum((0, 1))


def spread(own: Tensor, values: Tensor) -> Tensor:
    """Numbers (R, T or 1, C) as they meet values (n, H, W, R, T, C)."""
    return own.expand(*values.shape[:2], 1, *own.shape)


# The form Φ(x, w, g) = ⟨g, conv(x, w)⟩ is linear in inputs x, weights w and output gradients g. Its three partial derivatives are
# the convolution, its gradient with respect to the inputs, and that with respect to the weights; the derivatives of
# each are the other two again. So three functions that call each other stand for all orders. (torch's own second
# derivative runs a loop over groups, and groups are what tasks are here.)


def convolve(x: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Tensor:
    """Values (n, H, W, R, T, C) with weights (R, T or 1, O, C / groups, h, w), to (n, H', W', R, T, O)."""
    runs, tasks = x.shape[3:5]
    y = _Convolution.apply(_channels(x), _stacked(weight, tasks), (stride, padding, dilation, groups * runs * tasks))
    return y.permute(0, 2, 3, 1).unflatten(-1, (runs, tasks, -1))


def convolution_weight_gradient(
    x: Tensor, gradient: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """Each task's gradient of its weights, (R, T, *shape), from values and the gradient at the outputs."""
    runs, tasks = x.shape[3:5]
    how = (stride, padding, dilation, groups * runs * tasks)
    found = _WeightGradient.apply(_channels(x), _channels(gradient), _stacked(weight, tasks).detach(), how)
    return found.reshape(runs, tasks, *weight.shape[2:])


def _channels(x: Tensor) -> Tensor:
    """(n, H, W, R, T, C) as (n, R · T · C, H, W)."""
    return x.flatten(3).permute(0, 3, 1, 2)


def _stacked(weight: Tensor, tasks: int) -> Tensor:
    """(R, T or 1, O, C, h, w) as (R · T · O, C, h, w)."""
    return weight.expand(-1, tasks, *weight.shape[2:]).flatten(0, 2)


def _last(x: Tensor) -> Tensor:
    """Channels last, where the convolutions of CPUs are fastest."""
    return x.contiguous(memory_format=torch.channels_last)


FEW_PLACES = 4
"""Places of an output, H' · W', up to which a convolution is a product of matrices: the library's own are made for large images."""


def _forward(x: Tensor, weight: Tensor, how: How) -> Tensor:
    stride, padding, dilation, groups = how
    form = _Columns.of(x.shape, weight.shape, how)
    if x.device.type == "cpu" and form.few:
        return form.image(form.unfold(x) @ form.matrix(weight))
    return torch.ops.aten.convolution(_last(x), _last(weight), None, stride, padding, dilation, False, [0, 0], groups)


def _backward(g: Tensor, x: Tensor, weight: Tensor, how: How, of_weight: bool) -> Tensor:
    # Of the one that is differentiated only the shape is read; a tensor that is there already costs nothing.
    stride, padding, dilation, groups = how
    form = _Columns.of(x.shape, weight.shape, how)
    if x.device.type == "cpu" and form.few:
        rows = form.rows(g)
        return form.weight(form.unfold(x).mT @ rows) if of_weight else form.fold(rows @ form.matrix(weight).mT)
    wanted = [not of_weight, of_weight, False]
    found = torch.ops.aten.convolution_backward(
        _last(g), _last(x), _last(weight), None, stride, padding, dilation, False, [0, 0], groups, wanted
    )
    return found[1 if of_weight else 0]


@dataclass(frozen=True)
class _Columns:
    """A convolution as products of matrices, one for each of G groups: columns (G, n · H' · W', h · w · C) times weights.

    Inputs are (n, G · C, H, W), outputs (n, G · O, H', W'), weights (G · O, C, h, w).
    """

    sizes: tuple[int, int]
    kernel: tuple[int, int]
    places: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @classmethod
    def of(cls, inputs: torch.Size, weights: torch.Size, how: How) -> _Columns:
        """From shapes."""
        sizes, kernel = tuple(inputs[2:]), tuple(weights[2:])
        places = tuple(
            (size + 2 * pad - apart * (k - 1) - 1) // step + 1
            for size, k, step, pad, apart in zip(sizes, kernel, *how[:3], strict=True)
        )
        return cls(sizes, kernel, places, *how)

    @property
    def few(self) -> bool:
        """Whether this is the faster way."""
        return self.places[0] * self.places[1] <= FEW_PLACES and self.dilation == (1, 1)

    def unfold(self, x: Tensor) -> Tensor:
        """What each place of the output sees."""
        (h, w), (down, right) = self.kernel, self.padding
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, right, right, down, down))
        seen = padded.unfold(1, h, self.stride[0]).unfold(2, w, self.stride[1])
        return seen.unflatten(3, (self.groups, -1)).permute(3, 0, 1, 2, 5, 6, 4).flatten(4).flatten(1, 3)

    def fold(self, columns: Tensor) -> Tensor:
        """The transpose of `unfold`: each number is added to where it was seen."""
        seen = columns.unflatten(2, (*self.kernel, -1)).unflatten(1, (-1, *self.places))
        total = 0
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                # zeros between the places, as many as the stride leaves out, and around them
                apart = F.pad(
                    seen[:, :, :, None, :, None, i, j], (0, 0, 0, self.stride[1] - 1, 0, 0, 0, self.stride[0] - 1)
                )
                apart = apart.flatten(4, 5).flatten(2, 3)
                top, left = i - self.padding[0], j - self.padding[1]
                below, beside = self.sizes[0] - top - apart.shape[2], self.sizes[1] - left - apart.shape[3]
                total = total + F.pad(apart, (0, 0, left, beside, top, below))
        return total.permute(1, 0, 4, 2, 3).flatten(1, 2)

    def matrix(self, weight: Tensor) -> Tensor:
        """(G, h · w · C, O)."""
        return weight.unflatten(0, (self.groups, -1)).permute(0, 3, 4, 2, 1).flatten(1, 3)

    def weight(self, matrix: Tensor) -> Tensor:
        """The way back."""
        return matrix.unflatten(1, (*self.kernel, -1)).permute(0, 4, 3, 1, 2).flatten(0, 1)

    def rows(self, y: Tensor) -> Tensor:
        """Outputs as (G, n · H' · W', O)."""
        return y.unflatten(1, (self.groups, -1)).permute(1, 0, 3, 4, 2).flatten(1, 3)

    def image(self, rows: Tensor) -> Tensor:
        """The way back."""
        return rows.unflatten(1, (-1, *self.places)).permute(1, 0, 4, 2, 3).flatten(1, 2)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, how: How) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = how
        return _forward(x, weight, how)

    @staticmethod
    def backward(ctx, g: Tensor):
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            _InputGradient.apply(g, weight, x.detach(), ctx.how) if wanted[0] else None,
            _WeightGradient.apply(x, g, weight.detach(), ctx.how) if wanted[1] else None,
            None,
        )


class _InputGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, g: Tensor, weight: Tensor, like: Tensor, how: How) -> Tensor:
        ctx.save_for_backward(g, weight)
        ctx.how = how
        return _backward(g, like, weight, how, of_weight=False)

    @staticmethod
    def backward(ctx, u: Tensor):
        g, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            _Convolution.apply(u, weight, ctx.how) if wanted[0] else None,
            _WeightGradient.apply(u, g, weight.detach(), ctx.how) if wanted[1] else None,
            None,
            None,
        )


class _WeightGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, g: Tensor, like: Tensor, how: How) -> Tensor:
        ctx.save_for_backward(x, g)
        ctx.how = how
        return _backward(g, x, like, how, of_weight=True)

    @staticmethod
    def backward(ctx, v: Tensor):
        x, g = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            _InputGradient.apply(g, v, x.detach(), ctx.how) if wanted[0] else None,
            _Convolution.apply(x, v, ctx.how) if wanted[1] else None,
            None,
            None,
        )


def max_pool(x: Tensor, window: int = 2) -> Tensor:
    """The greatest value of each window × window square, of values (n, H, W, R, T, C); ties go to the first, as torch has it."""
    height, width = (size - size % window for size in x.shape[1:3])
    x = x[:, :height, :width]
    greatest, *others = _corners(x.detach(), window)
    where = torch.zeros_like(greatest)  # a number 0 to window² - 1, of a type that compiles to fast code
    for place, value in enumerate(others, 1):
        greater = value > greatest
        greatest, where = torch.where(greater, value, greatest), torch.where(greater, float(place), where)
    return _Pick.apply(x, where, window)


def _corners(x: Tensor, window: int) -> list[Tensor]:
    """The windows' values, one tensor for each place in a window."""
    return [x[:, i::window, j::window] for i in range(window) for j in range(window)]


class _Pick(torch.autograd.Function):
    """One value of each window, by its number."""

    @staticmethod
    def forward(ctx, x: Tensor, where: Tensor, window: int) -> Tensor:
        ctx.save_for_backward(where)
        ctx.window = window
        found, *others = _corners(x, window)
        for place, value in enumerate(others, 1):
            found = torch.where(where == place, value, found)
        return found

    @staticmethod
    def backward(ctx, g: Tensor):
        return _Spread.apply(g, *ctx.saved_tensors, ctx.window), None, None


class _Spread(torch.autograd.Function):
    """The transpose of `_Pick`: each value to its place in the window, and zeros."""

    @staticmethod
    def forward(ctx, g: Tensor, where: Tensor, window: int) -> Tensor:
        ctx.save_for_backward(where)
        ctx.window = window
        place = torch.arange(window**2, dtype=where.dtype, device=g.device).view(window, 1, window, *[1] * (g.ndim - 3))
        chosen = where[:, :, None, :, None] == place
        return torch.where(chosen, g[:, :, None, :, None], 0.0).flatten(3, 4).flatten(1, 2)

    @staticmethod
    def backward(ctx, u: Tensor):
        return _Pick.apply(u, *ctx.saved_tensors, ctx.window), None, None
