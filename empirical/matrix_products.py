"""Products of matrices in compiled steps on a CPU: small ones are written out, large ones go to the library that knows the processor."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

FUSED = 1 << 15
"""Entries of a matrix up to which its product with one vector is written out, which fuses it with what is around it."""
LARGE = 1 << 20
"""Multiplications from which a product is large: for less, MKL is as fast."""
MOST = 8
"""How many large products of one call, at most, are taken one by one."""


def _mm(a: Tensor, b: Tensor) -> Tensor:
    """A product of two matrices; a library call costs more than a small product with one vector does."""
    if a.device.type != "cpu" or not a.is_floating_point():
        return NotImplemented
    if max(a.numel(), b.numel()) <= FUSED:
        if a.shape[1] == 1:
            return a * b
        if len(a) == 1:
            return (a.mT * b).sum(0, keepdim=True)
        if b.shape[1] == 1:
            return (a * b.mT).sum(1, keepdim=True)
    return _by_onednn(a[None], b[None])[0] if _is_large(a, b) and prefers_onednn() else NotImplemented


def _bmm(a: Tensor, b: Tensor) -> Tensor:
    """Products of matrices (R, m, k) and (R, k, n): one for each run, as a rule."""
    if a.device.type != "cpu" or len(a) > MOST or not _is_large(a, b) or not prefers_onednn():
        return NotImplemented
    return _by_onednn(a, b)


def _is_large(a: Tensor, b: Tensor) -> bool:
    return a.dtype == torch.float32 and a.shape[-2] * a.shape[-1] * b.shape[-1] >= LARGE


DECOMPOSITIONS = {torch.ops.aten.mm.default: _mm, torch.ops.aten.bmm.default: _bmm}
"""What tracing puts in the place of torch's operators."""


@cache
def prefers_onednn() -> bool:
    """Whether oneDNN multiplies matrices faster than MKL, by which torch does it: MKL has AVX-512 for Intel's own processors alone.

    It is not measured here, for a run that is resumed has to choose the same again.
    """
    if not (torch.backends.mkl.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return False
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    try:
        return "GenuineIntel" not in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


# an operator of its own, because inductor takes oneDNN's for layers whose weights never change


@torch.library.custom_op("metaproof::by_onednn", mutates_args=(), device_types="cpu")
def _by_onednn(a: Tensor, b: Tensor) -> Tensor:
    product = torch.ops.mkldnn._linear_pointwise
    return torch.stack([product(x, y.mT, None, "none", [], None) for x, y in zip(a, b, strict=True)])


@_by_onednn.register_fake
def _(a: Tensor, b: Tensor) -> Tensor:
    return a.new_empty(*a.shape[:2], b.shape[2])
