"""Scalar linear networks ŷ = w_L … w_1 x and the regression tasks they are trained on (arnold2021, Section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import sympy
from flint import fmpq_mpoly

from . import symbols
from .gaussian import expectation, expectation_expr
from .polynomial import Ring, exact_expr

__all__ = ["LinearNetwork"]


@dataclass(frozen=True)
class LinearNetwork:
    """The depth-L network ŷ = w_L … w_1 x with tasks θ ~ N(μ, τ²), x ~ N(0, s²), y ~ N(θx, v).

    Depth 1 is arnold2021's *shallow* model ŷ = c x, depth 2 its *deep* model ŷ = a b x (eqs. (6), (7), (29)). The numbers may
    be exact numbers or sympy expressions; sympy symbols stay symbolic throughout.

    Args:
        depth: the number L of layers, at least 1.
        mu: mean μ of the task parameter.
        tau2: variance τ² of the task parameter, not negative.
        s2: variance s² of the covariate, positive.
        v: variance of the observation noise, not negative.
        half: whether the loss is ½E(y − ŷ)², eq. (30), or E(y − ŷ)², as eqs. (8), (9) print it.

    Raises:
        ValueError: depth below 1, a malformed number, a negative variance.
    """

    depth: int
    mu: object = 0
    tau2: object = 1
    s2: object = 1
    v: object = 1
    half: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.depth, int) or self.depth < 1:
            raise ValueError(f"depth is {self.depth}; a linear network has 1 layer or more")
        for name in ("mu", "tau2", "s2", "v"):
            object.__setattr__(self, name, exact_expr(getattr(self, name), name))
        for name, smallest in (("tau2", "0 or more"), ("s2", "above 0"), ("v", "0 or more")):
            value = getattr(self, name)
            if value.is_negative or (name == "s2" and value.is_zero):
                raise ValueError(f"{name} is {value}; this variance must be {smallest}")

    @property
    def weights(self) -> tuple[sympy.Symbol, ...]:
        """The weights, upper layer first: (c,), (a, b) or (w_L, …, w_1)."""
        return symbols.weight_symbols(self.depth)

    @property
    def kappa(self) -> sympy.Rational:
        """The factor before the squared error: ½ or 1."""
        return sympy.Rational(1, 2) if self.half else sympy.Integer(1)

    @property
    def curvature(self) -> sympy.Expr:
        """2κs²: the curvature of the task loss in the effective weight w, which turns a learning rate α into ρ = 2κα s²."""
        return 2 * self.kappa * self.s2

    @cached_property
    def task_loss_expr(self) -> sympy.Expr:
        """ℓ_τ as a polynomial in the effective weight w = w_L … w_1 and θ: κE(y − w x)², arnold2021, eq. (30).

        Derived from the set-up by taking the expectation over x and the noise, not written down.
        """
        w, x, noise = sympy.symbols("w _x _noise", real=True)  # underscores: a user may call a variance x
        squared_error = self.kappa * (symbols.theta * x + noise - w * x) ** 2
        return expectation_expr(squared_error, {x: 0, noise: 0}, {(x, x): self.s2, (noise, noise): self.v})

    def ring(self, *extra: object) -> Ring:
        """A ring that holds the weights, θ, the effective weight w, and every symbol in the parameters and in `extra`."""
        parameters = [sympy.sympify(value) for value in (self.mu, self.tau2, self.s2, self.v, *extra)]
        free = set().union(*(value.free_symbols for value in parameters))
        clash = {str(symbol) for symbol in free} & {"theta", "w", *map(str, self.weights)}
        if clash:
            raise ValueError(f"the symbol {', '.join(sorted(clash))} is taken by the model; choose another name")
        return Ring([*self.weights, *sorted(free, key=str), symbols.theta, sympy.Symbol("w", real=True)])

    def task_loss(self, ring: Ring, weights: list[fmpq_mpoly]) -> fmpq_mpoly:
        """ℓ_τ at the given weights (polynomials of `ring`, upper layer first), a polynomial that also contains θ."""
        return ring.substitute(ring.poly(self.task_loss_expr), {"w": prod(weights, start=ring.poly(1))})

    def task_gradient(self, ring: Ring, weights: list[fmpq_mpoly]) -> list[fmpq_mpoly]:
        """∂ℓ_τ/∂w_i at the given weights, by the chain rule through the product."""
        slope_in_w = ring.poly(self.task_loss_expr).derivative("w")
        slope = ring.substitute(slope_in_w, {"w": prod(weights, start=ring.poly(1))})
        others = [prod(weights[:i] + weights[i + 1 :], start=ring.poly(1)) for i in range(len(weights))]
        return [slope * other for other in others]

    def expectation_over_tasks(self, ring: Ring, polynomial: fmpq_mpoly) -> fmpq_mpoly:
        """E over θ ~ N(μ, τ²)."""
        t = symbols.theta
        return expectation(ring, polynomial, {t: self.mu}, {(t, t): self.tau2})

    def finite_support_loss(self, points: object, steps: int = 1, alpha: object = symbols.alpha) -> sympy.Expr:
        """The shallow model's MAML loss when each task adapts on n sampled points, exactly.

        The same n points, drawn from p(x, y | θ), serve all K steps; the loss after adaptation is the population's. With
        h = Σxᵢ²/n and z = Σxᵢεᵢ/n, K steps take c − θ to (1 − 2κα h)^K (c − θ) + z (1 − (1 − 2κα h)^K)/h; given the xᵢ,
        z is N(0, v h/n), and n h/s² is χ² with n degrees of freedom, whose moments are polynomial in 1/n.

        Args:
            points: n, a positive integer or a sympy symbol.
            steps: the number K of inner steps.
            alpha: the inner learning rate.

        Returns:
            A sympy expression in c (and in what is symbolic).

        Raises:
            ValueError: the network is not shallow, or n is no positive integer.
        """
        if self.depth != 1:
            raise ValueError(f"finite support sets are offered for depth 1, and depth is {self.depth}")
        if not isinstance(steps, int) or steps < 0:
            raise ValueError(f"steps is {steps}; the number of inner steps is 0 or more")
        n = exact_expr(points, "points")
        if not isinstance(n, sympy.Symbol) and not (n.is_Integer and n > 0):
            raise ValueError(f"the number of support points is {points}; it must be a positive integer or a symbol")
        rate_and_all = [exact_expr(alpha, "alpha"), self.mu, self.tau2, self.s2, self.v, *self.weights]
        if any(n in value.free_symbols for value in rate_and_all):
            raise ValueError(
                f"the number of support points is called {n}, and so is another quantity here; rename one of them"
            )
        c, h, inverse_n = self.weights[0], sympy.Dummy("h"), sympy.Dummy("inverse_n")
        rate = 2 * self.kappa * exact_expr(alpha, "alpha")
        contraction = 1 - rate * h
        bias = contraction ** (2 * steps) * ((c - self.mu) ** 2 + self.tau2)
        steps_sum = rate * sum(contraction**k for k in range(steps))  # (1 − (1 − rate·h)^K)/h, a polynomial in h
        noise = steps_sum**2 * h * self.v * inverse_n
        in_h = sympy.Poly(sympy.expand(bias + noise), h)
        mean = sum(
            coefficient * self.s2**power * prod(1 + 2 * j * inverse_n for j in range(power))
            for (power,), coefficient in in_h.terms()
        )
        return sympy.expand(self.kappa * (self.s2 * mean + self.v)).subs(inverse_n, 1 / n)
