"""An independent route to everything that `analysis.Maml` computes: Fractions, and nothing of `analysis`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from types import SimpleNamespace

import pytest


class InTheta:
    """A polynomial in θ with Fraction coefficients, constant term first."""

    def __init__(self, *coefficients):
        self.coefficients = [Fraction(c) for c in coefficients]

    def __add__(self, other):
        other = other if isinstance(other, InTheta) else InTheta(other)
        mine, theirs = self.coefficients, other.coefficients
        size = max(len(mine), len(theirs))
        padded = [c + [Fraction(0)] * (size - len(c)) for c in (mine, theirs)]
        return InTheta(*(p + q for p, q in zip(*padded, strict=True)))

    def __mul__(self, other):
        other = other if isinstance(other, InTheta) else InTheta(other)
        total = [Fraction(0)] * (len(self.coefficients) + len(other.coefficients) - 1)
        for i, p in enumerate(self.coefficients):
            for j, q in enumerate(other.coefficients):
                total[i + j] += p * q
        return InTheta(*total)

    def __sub__(self, other):
        return self + other * Fraction(-1)

    __radd__, __rmul__ = __add__, __mul__

    def mean(self, mu, tau2):
        """E over θ ~ N(μ, τ²) by the recursion E θᵏ = μ E θᵏ⁻¹ + (k − 1) τ² E θᵏ⁻²."""
        moments = [Fraction(1), Fraction(mu)]
        for k in range(2, len(self.coefficients)):
            moments.append(mu * moments[k - 1] + (k - 1) * tau2 * moments[k - 2])
        return sum((c * m for c, m in zip(self.coefficients, moments, strict=False)), Fraction(0))


@dataclass
class Dual:
    """value + slope·e with e² = 0: forward differentiation; nested, it gives second derivatives."""

    value: object
    slope: object

    def __add__(self, other):
        other = other if isinstance(other, Dual) else Dual(other, 0)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other):
        other = other if isinstance(other, Dual) else Dual(other, 0)
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    def __sub__(self, other):
        return self + other * Fraction(-1)

    __radd__, __rmul__ = __add__, __mul__


THETA = InTheta(0, 1)


@dataclass
class Setting:
    """Numbers for one check: everything rational."""

    alpha: Fraction = Fraction(1, 10)
    mu: Fraction = Fraction(0)
    tau2: Fraction = Fraction(1)
    s2: Fraction = Fraction(1)
    v: Fraction = Fraction(1)
    half: bool = True
    steps: int = 1
    adapts: tuple[bool, ...] | None = None
    matrix: list | None = None

    @property
    def kappa(self):
        return Fraction(1, 2) if self.half else Fraction(1)

    def task_gradient(self, weights, theta=THETA):
        slope = (prod(weights[1:], start=weights[0]) - theta) * (2 * self.kappa * self.s2)
        others = [weights[:i] + weights[i + 1 :] for i in range(len(weights))]
        return [prod(rest, start=slope) for rest in others]

    def adapted(self, weights, theta=THETA):
        size = len(weights)
        matrix = self.matrix or [[int(i == j) for j in range(size)] for i in range(size)]
        adapts = self.adapts or (True,) * size
        for _ in range(self.steps):
            g = self.task_gradient(weights, theta)
            step = [sum((matrix[i][j] * g[j] for j in range(1, size)), matrix[i][0] * g[0]) for i in range(size)]
            weights = [w - self.alpha * s if moves else w for w, s, moves in zip(weights, step, adapts, strict=True)]
        return weights

    def task_loss(self, weights, theta=THETA):
        """The loss after adaptation, for one θ (a number) or as a polynomial in θ."""
        after = self.adapted([w * InTheta(1) if theta is THETA else w for w in weights], theta)
        error = prod(after[1:], start=after[0]) - theta
        return (error * error * self.s2 + self.v) * self.kappa

    def mean(self, polynomial):
        return (polynomial * InTheta(1)).mean(self.mu, self.tau2)

    def loss(self, weights):
        return self.mean(self.task_loss(weights))

    def task_gradients(self, weights):
        """One task's meta-gradient: a polynomial in θ for each weight."""
        size = len(weights)
        return [
            self.task_loss([Dual(InTheta(w), InTheta(int(i == j))) for j, w in enumerate(weights)]).slope
            for i in range(size)
        ]

    def gradient(self, weights):
        return [self.mean(g) for g in self.task_gradients(weights)]

    def hessian(self, weights):
        def second(i, j):
            one = [
                Dual(Dual(InTheta(w), InTheta(int(k == i))), Dual(InTheta(int(k == j)), InTheta(0)))
                for k, w in enumerate(weights)
            ]
            return self.mean(self.task_loss(one).slope.slope)

        return [[second(i, j) for j in range(len(weights))] for i in range(len(weights))]

    def first_order_gradient(self, weights):
        after = self.adapted([InTheta(w) for w in weights])
        return [self.mean(g) for g in self.task_gradient(after)]

    def first_order_jacobian(self, weights):
        def column(j):
            dual = [Dual(InTheta(w), InTheta(int(k == j))) for k, w in enumerate(weights)]
            return [self.mean(g.slope) for g in self.task_gradient(self.adapted(dual))]

        columns = [column(j) for j in range(len(weights))]
        return [list(row) for row in zip(*columns, strict=True)]


@pytest.fixture(scope="session")
def by_hand():
    """The independent route: `by_hand.Setting(alpha=…, …).loss(weights)` and its like."""
    return SimpleNamespace(Setting=Setting, InTheta=InTheta)
