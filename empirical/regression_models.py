"""Linear models that know only data: predictions and mean squared errors, per task.

Every loss carries the factor 1/2 unless `half=False`.
"""

from __future__ import annotations

from torch import Tensor

from .tasks.regression import Batch


def effective_weight(weights: Tensor) -> Tensor:
    """The slope w_L ... w_1 of a scalar linear network: weights (..., L), upper layer first, to (...)."""
    return weights.prod(dim=-1)


def squared_error(weights: Tensor, batch: Batch, half: bool = True) -> Tensor:
    """Weighted squared error (T,) of T scalar linear networks, weights (T, L), each on its own task.

    With `half` this is 1/2 E(y - yhat)^2 (arnold2021, eq. (30)), else E(y - yhat)^2 (eqs. (8), (9) as
    printed).
    """
    prediction = batch.x
    for layer in reversed(range(weights.shape[-1])):  # the last column is the layer next to the data
        prediction = weights[:, layer, None] * prediction
    return _halved((batch.y - prediction).square() @ batch.weight, half)


def shallow_vector_error(c: Tensor, x: Tensor, y: Tensor, half: bool = True) -> Tensor:
    """Mean squared error of yhat = c^T x over n points: c (T, d), x (n, d), y (n,), to (T,)."""
    return _halved((y - c @ x.T).square().mean(dim=-1), half)


def deep_vector_error(a: Tensor, B: Tensor, x: Tensor, y: Tensor, half: bool = True) -> Tensor:
    """Mean squared error of yhat = a^T B x on n points: a (T, m), B (T, m, d), x (n, d), y (n,), to (T,)."""
    hidden = B @ x.T
    return _halved((y - (a[:, None, :] @ hidden)[:, 0]).square().mean(dim=-1), half)


def _halved(loss: Tensor, half: bool) -> Tensor:
    return loss / 2 if half else loss
