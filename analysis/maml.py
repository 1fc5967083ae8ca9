"""K inner steps on a linear network, exactly: MAML, ANIL, first-order and preconditioned; loss, gradient, Hessian."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import sympy
from flint import fmpq_mpoly

from . import symbols
from .linear_network import LinearNetwork
from .polynomial import Ring, exact_expr

__all__ = ["Maml"]


@dataclass(frozen=True)
class Maml:
    """MAML on a linear network with the exact population inner loss: θ_0 = w, θ_{k+1} = θ_k − α M ∇ℓ_τ(θ_k).

    Everything below is an exact polynomial in the weights, in α if that is left symbolic, and in whatever else is symbolic
    (arnold2021, eqs. (1), (27), (28)). The loss carries the factor and the noise constant of `network`.

    Args:
        network: model and task distribution.
        steps: the number K of inner steps, 0 or more.
        alpha: the inner learning rate: an exact number or a sympy expression.
        adapts: names of the weights that adapt in the inner loop, e.g. `("b",)` for ANIL-style; all by default.
        preconditioner: an L×L matrix M that multiplies the inner gradient; the identity by default. With `adapts`, the rows
            of weights that do not adapt have no effect.

    Raises:
        ValueError: steps below 0, an unknown weight in `adapts`, a matrix of the wrong shape, a malformed number.
    """

    network: LinearNetwork
    steps: int = 1
    alpha: object = symbols.alpha
    adapts: tuple[str, ...] | None = None
    preconditioner: Sequence[Sequence[object]] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 0:
            raise ValueError(f"steps is {self.steps}; the number of inner steps is 0 or more")
        object.__setattr__(self, "alpha", exact_expr(self.alpha, "alpha"))
        names = tuple(map(str, self.network.weights))
        adapts = names if self.adapts is None else self.adapts
        if isinstance(adapts, str):
            adapts = (adapts,)
        if not isinstance(adapts, Iterable):
            raise ValueError(f"adapts is {adapts!r}; it is a list of weights, such as {names[-1:]}")
        adapts = tuple(map(str, adapts))
        unknown = [name for name in adapts if name not in names]
        if unknown:
            raise ValueError(
                f"adapts names {', '.join(map(repr, unknown))}; this network's weights are {', '.join(names)}"
            )
        object.__setattr__(self, "adapts", adapts)
        if self.preconditioner is not None:
            given = self.preconditioner
            rows = given.tolist() if hasattr(given, "tolist") else given
            if not isinstance(rows, Iterable) or not all(isinstance(row, list | tuple) for row in rows):
                raise ValueError(f"the preconditioner is {given!r}; it is a matrix, a list of rows")
            if [len(row) for row in rows] != [len(names)] * len(names):
                raise ValueError(
                    f"the preconditioner's rows have {', '.join(str(len(row)) for row in rows)} entries; for {len(names)} "
                    f"weights it is {len(names)}×{len(names)}"
                )
            exact = [[exact_expr(entry, "preconditioner") for entry in row] for row in rows]
            object.__setattr__(self, "preconditioner", sympy.ImmutableMatrix(exact))

    @cached_property
    def ring(self) -> Ring:
        """The ring in which every polynomial of this object lives."""
        entries = () if self.preconditioner is None else tuple(self.preconditioner)
        return self.network.ring(self.alpha, *entries)

    def _adapt(self, weights: list[fmpq_mpoly]) -> list[fmpq_mpoly]:
        """K steps from these weights, polynomials of the ring."""
        ring, rate = self.ring, self.ring.poly(self.alpha)
        for _ in range(self.steps):
            step = self.network.task_gradient(ring, weights)
            if self.preconditioner is not None:
                rows = [[ring.poly(entry) for entry in row] for row in self.preconditioner.tolist()]
                step = [sum((m * g for m, g in zip(row, step, strict=True)), ring.poly(0)) for row in rows]
            weights = [
                weight - rate * g if str(name) in self.adapts else weight
                for name, weight, g in zip(self.network.weights, weights, step, strict=True)
            ]
        return weights

    @cached_property
    def adapted_weights(self) -> list[fmpq_mpoly]:
        """The weights after K steps on the task θ, upper layer first."""
        return self._adapt([self.ring.gen(symbol) for symbol in self.network.weights])

    @cached_property
    def task_loss(self) -> fmpq_mpoly:
        """ℓ_τ after adaptation, a polynomial that contains θ."""
        return self.network.task_loss(self.ring, self.adapted_weights)

    @cached_property
    def loss(self) -> fmpq_mpoly:
        """The MAML loss E_τ ℓ_τ(θ_K), arnold2021, eq. (1)."""
        return self.network.expectation_over_tasks(self.ring, self.task_loss)

    @cached_property
    def task_gradient(self) -> list[fmpq_mpoly]:
        """One task's meta-gradient ∂ℓ_τ(θ_K)/∂w, through the inner loop."""
        return self.ring.gradient(self.task_loss, self.network.weights)

    @cached_property
    def gradient(self) -> list[fmpq_mpoly]:
        """∂L_maml/∂w."""
        return self.ring.gradient(self.loss, self.network.weights)

    @cached_property
    def hessian(self) -> list[list[fmpq_mpoly]]:
        """∂²L_maml/∂w²."""
        return self.ring.hessian(self.loss, self.network.weights)

    @cached_property
    def first_order_task_gradient(self) -> list[fmpq_mpoly]:
        """One task's first-order meta-gradient: ∇ℓ_τ at θ_K, the inner Jacobian taken for the identity."""
        return self.network.task_gradient(self.ring, self.adapted_weights)

    @cached_property
    def first_order_gradient(self) -> list[fmpq_mpoly]:
        """First-order MAML's expected update direction; in general the gradient of no function."""
        return [self.network.expectation_over_tasks(self.ring, g) for g in self.first_order_task_gradient]

    @cached_property
    def first_order_jacobian(self) -> list[list[fmpq_mpoly]]:
        """The Jacobian of `first_order_gradient`, which need not be symmetric."""
        return [self.ring.gradient(g, self.network.weights) for g in self.first_order_gradient]

    def expr(self, polynomial: fmpq_mpoly | Sequence) -> sympy.Expr | list:
        """A polynomial of this object, or nested lists of them, as sympy expressions."""
        if isinstance(polynomial, fmpq_mpoly):
            return self.ring.expr(polynomial)
        return [self.expr(entry) for entry in polynomial]

    def _point(self, weights: Sequence[object]) -> dict[sympy.Symbol, object]:
        names = self.network.weights
        if len(weights) != len(names):
            raise ValueError(
                f"{len(weights)} weight{'s were' if len(weights) != 1 else ' was'} given and depth {self.network.depth} has "
                f"{len(names)}: {', '.join(map(str, names))}"
            )
        return dict(zip(names, weights, strict=True))

    def loss_at(self, weights: Sequence[object], others: Mapping[object, object] | None = None) -> Fraction:
        """The MAML loss at rational weights, exactly, without the polynomial in the weights: for many steps.

        Raises:
            ValueError: the wrong number of weights, or a symbol without a value.
        """
        start = [self.ring.poly(value) for value in self._point(weights).values()]
        after = self.network.task_loss(self.ring, self._adapt(start))
        return self.ring.evaluate(self.network.expectation_over_tasks(self.ring, after), others or {})

    def at(
        self,
        polynomial: fmpq_mpoly | Sequence,
        weights: Sequence[object],
        others: Mapping[object, object] | None = None,
    ) -> Fraction | list:
        """Exact value at rational weights (upper layer first) and at values for whatever else is symbolic.

        Raises:
            ValueError: the wrong number of weights, or a symbol without a value.
        """
        point = self._point(weights)
        if isinstance(polynomial, fmpq_mpoly):
            return self.ring.evaluate(polynomial, {**point, **(others or {})})
        return [self.at(entry, weights, others) for entry in polynomial]
