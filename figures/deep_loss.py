"""The deep model's exact one-step MAML loss, evaluated on grids of weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import sympy

from analysis import LinearNetwork, Maml
from analysis.symbols import alpha

__all__ = ["FLOOR", "deep_loss", "square_grid"]

FLOOR = 0.5  # the least loss, at the minima: half the noise variance


@cache
def _compiled() -> Callable[..., np.ndarray]:
    maml = Maml(LinearNetwork(2))
    a, b = maml.network.weights
    return sympy.lambdify((a, b, alpha), sympy.horner(maml.expr(maml.loss)), "numpy")


def deep_loss(a: np.ndarray, b: np.ndarray, rate: float) -> np.ndarray:
    """L_maml of ŷ = abx (E ½(y − ŷ)², noise variance 1 included) at weights a, b and inner learning rate `rate`."""
    return _compiled()(a, b, rate)


def square_grid(half_width: float, points: int) -> tuple[np.ndarray, np.ndarray]:
    """The coordinates (a, b), each (points, points), of a grid on [−half_width, half_width]²."""
    line = np.linspace(-half_width, half_width, points)
    return tuple(np.meshgrid(line, line))
