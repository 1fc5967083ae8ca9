"""The numbers of parameters printed in Section A.1.1."""

from __future__ import annotations

from typing import Any

import torch

from analysis.kronecker import factored_parameters

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER

SYNTHETIC, OMNIGLOT = (100, 1), (784, 5)  # (m, n)


def counted(size: tuple[int, int], layers: int, bias: bool = False) -> int:
    """The same number from torch's own parameters."""
    m, n = size
    layer = [torch.eye(n), torch.eye(m)] + [torch.zeros(n * m)] * bias
    return witness.numbers(*layer * layers)


def _exact(printed: int, layers: int) -> Formula:
    return Formula(
        printed=printed,
        derived=factored_parameters(*SYNTHETIC, layers),
        control=factored_parameters(*SYNTHETIC, layers, bias=True),
        witness=lambda: counted(SYNTHETIC, layers),
        note=f"{layers} pair{'s' * (layers > 1)} (L, R) without biases, as A.1 says; the control has them",
    )


@PAPER.claim(
    "a11-klin-synthetic", "A.1.1", "KLin on R^100 consists of 10,001 parameters (m = 100, n = 1)", uses=("eq5",)
)
def klin_synthetic() -> Formula:
    return _exact(10_001, layers=1)


@PAPER.claim(
    "a11-kfc-synthetic",
    "A.1.1",
    "KFC on R^100 uses a single hidden layer, for a total of 20,002 parameters (m = 100, n = 1)",
    uses=("eq7",),
)
def kfc_synthetic() -> Formula:
    return _exact(20_002, layers=2)


def _rounded(printed: int, unit: int, **parameters: Any) -> Proposition:
    """A number printed with a unit claims the count to within one unit of its last digit, rounded or cut off."""

    def against(count: int, exact: str) -> Finding:
        return Finding(abs(count - printed) < unit, f"{exact} {count:,}")

    def check(layers: int, bias: bool) -> Finding:
        return against(
            int(factored_parameters(*OMNIGLOT, layers, bias)), f"{layers} × (784² + 5²){' + biases' * bias} ="
        )

    def numerically(layers: int, bias: bool) -> Finding:
        return against(counted(OMNIGLOT, layers, bias), "torch holds")

    return Proposition(check, witness=numerically, **parameters)


@PAPER.claim(
    "a11-klin-omniglot", "A.1.1", "KLin on Omniglot consists of 614k parameters, with m = 784, n = 5", uses=("eq5",)
)
def klin_omniglot() -> Proposition:
    return _rounded(
        614_000,
        1_000,
        stated={"layers": 1, "bias": False},
        control={"layers": 1, "bias": True},
        note="614k is cut off; rounded it would be 615k",
    )


@PAPER.claim(
    "a11-kfc-omniglot",
    "A.1.1",
    "KFC on Omniglot consists of 4 hidden layers (2.5M parameters), m = 784, n = 5",
    assumptions=("h hidden layers are h + 1 pairs (L, R), as the 20,002 parameters of one hidden layer show",),
    uses=("a11-kfc-synthetic",),
)
def kfc_omniglot() -> Proposition:
    return _rounded(
        2_500_000,
        100_000,
        stated={"layers": 5, "bias": False},
        weaker={"layers": 4, "bias": False},
        assumption="4 layers are meant, and so 3 hidden ones",
        control={"layers": 3, "bias": False},
        note="Section A.1.2 says 4 layers, not 4 hidden layers, of the other KFC",
    )
