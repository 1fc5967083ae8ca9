"""Sections 3.2 and 5.1: what is said of logistic regression on separable data, and of linear networks, without an experiment."""

from __future__ import annotations

import math

import numpy as np
import sympy
import torch

from analysis import GaussianLogistic, expected_gradient

from ..arnold2021.logistic import best_start, sufficient, task_gradient
from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER
from .setup import symbols_matrix

DIMENSION = 100
POINTS = 1000  # Section A.1.1
RATE = 0.5  # Section A.1.1, logistic regression


@PAPER.claim(
    "s32-minimizers",
    "3.2",
    "if the model is shallow such that L_τ is convex in its parameters, all the tasks have precisely one global minimizer (logistic "
    "regression on labels sign(wᵀx): the samples w from the Gaussian distribution)",
    assumptions=("the task loss is the expected cross-entropy",),
)
def minimizers() -> Proposition:
    w = np.linspace(-1, 1, DIMENSION)
    length = float(np.linalg.norm(w))
    scales = (1.0, 10.0, 100.0)

    def told(slopes: list[float]) -> str:
        return ", ".join(f"{slope:.1e} at ‖c‖ = {scale:g}‖w‖" for scale, slope in zip(scales, slopes, strict=True))

    def check(labels: str, at: float) -> Finding:
        """The loss of the task w has one minimiser, at·w."""
        slopes = [float(expected_gradient(scale * w, w, labels) @ w) / length for scale in scales]
        if max(slopes) < 0:
            return Finding(
                False, f"there is no minimiser: along w the loss falls for ever, with the slope {told(slopes)}"
            )
        around = [expected_gradient(scale * at * w, w, labels) @ w for scale in (1 - 1e-3, 1, 1 + 1e-3)]
        if abs(around[1]) < 1e-9 and around[0] < 0 < around[2]:
            return Finding(
                True, f"ℓ is strictly convex, and its gradient κ(‖c‖) c − κ(‖w‖) w is 0 at c = {at:g}·w alone"
            )
        return Finding(False, f"the minimiser is w, and at {at:g}·w the slope along w is {around[1] / length:.3f}")

    def numerically(labels: str, at: float) -> Finding:
        # of moderate norms, which the quadrature resolves
        norm = 2.0
        norms = torch.tensor([norm if labels == "sampled" else math.inf]).double()

        def slope(scale: float) -> float:
            return task_gradient(torch.tensor([[scale * norm, 0.0]]).double(), norms)[0, 0].item()

        below, here, above = (slope(scale * at) for scale in (0.95, 1.0, 1.05))
        return Finding(
            abs(here) < 1e-6 and below < 0 < above,
            f"by autograd at {at:g}·w: slope {here:.1e}, {below:.1e} before and {above:.1e} after",
        )

    return Proposition(
        check,
        stated={"labels": "separable", "at": 1.0},
        weaker={"labels": "sampled", "at": 1.0},
        assumption="the labels are drawn from σ(wᵀx), and are not the sign of wᵀx",
        control={"labels": "sampled", "at": 2.0},
        witness=numerically,
        note="On separable labels the loss tends to its infimum 0 along w, and no c attains it. The argument that follows from it, a best "
        "start that favours no task, needs the symmetry alone",
    )


@PAPER.claim(
    "s32-origin-best",
    "3.2",
    "the origin provides the best initialization by not favoring any particular task",
    assumptions=("the inner step takes the gradient of the expected cross-entropy",),
)
def origin_best() -> Proposition:
    tasks = GaussianLogistic(DIMENSION)
    needed = " and ".join(f"{tasks.points_needed(accuracy):,} for {accuracy:.2%}" for accuracy in (0.9577, 0.99))
    return best_start(
        DIMENSION,
        "separable",
        RATE,
        f"On n = {POINTS} points, one step from the origin, at any α > 0, has the accuracy {tasks.adapted_accuracy(POINTS):.4f} on fresh "
        f"points and {tasks.support_accuracy(POINTS):.4f} on its own. No function of the mean gradient at the origin does better on fresh "
        f"points: a preconditioner or a linear network from effective weight 0 needs {needed}",
    )


@PAPER.claim(
    "s32-sufficient",
    "3.2",
    "by construction, a linear model such as logistic regression is sufficient to achieve very high accuracy on any task",
)
def sufficient_on_separable_labels() -> Proposition:
    return sufficient(
        DIMENSION,
        stated={"labels": "separable"},
        weaker=None,
        control={"labels": "sampled", "dimension": 4},
        assumption="",
        note="sign(wᵀx) makes no error",
    )


@PAPER.claim(
    "s51-collapse",
    "5.1",
    "linear networks can always be collapsed into a single weight matrix and bias term: W₃(W₂(W₁x + b₁) + b₂) + b₃ = Wx + b with "
    "W = W₃W₂W₁ and b = W₃W₂b₁ + W₃b₂ + b₃",
)
def collapse() -> Formula:
    weights = [symbols_matrix(f"W{k}", 2, 2) for k in (1, 2, 3)]
    biases = [symbols_matrix(f"b{k}", 2) for k in (1, 2, 3)]
    x = symbols_matrix("x", 2)
    first, second, third = weights
    through = x
    for weight, bias in zip(weights, biases, strict=True):
        through = weight * through + bias

    def collapsed(of_second: sympy.Matrix) -> sympy.Matrix:
        return third * second * first * x + third * second * biases[0] + of_second + biases[2]

    def numerically(**at: float) -> list[float]:
        hidden = witness.named(at, "x", 2).T
        for k in (1, 2, 3):
            bias = witness.named(at, f"b{k}", 2)[:, 0]
            hidden = torch.nn.functional.linear(hidden, witness.named(at, f"W{k}", 2, 2), bias)
        return hidden[0].tolist()

    return Formula(
        printed=collapsed(third * biases[1]),
        derived=through,
        control=collapsed(biases[1]),
        witness=numerically,
        note="The text has no formula. Judged with three layers of width 2, all entries symbolic; a fourth is composed with what three "
        "have become. So a linear network has no function that a single layer has not: what it gains is adaptation, and not modelling",
    )
