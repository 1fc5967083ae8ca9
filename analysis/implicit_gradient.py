"""The gradient of the predictive likelihood in log σ² by implicit differentiation, exact and approximated (chen2019, Appendix C).

M modules of D_1, …, D_M dimensions, D in all; θ_t ~ N(φ, Σ), φ ~ N(0, Δ) or flat, and near its maximum each task's
log-likelihood has the negative Hessian H_t. Θ = (φ, θ_1, …, θ_T).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import sympy
from flint import fmpq, fmpq_poly
from sympy.polys.matrices import DomainMatrix

from .hierarchical_normal import HierarchicalNormal
from .joint_map import count, positive
from .polynomial import exact_expr
from .real_algebraic import IDENTITY, real_roots

__all__ = [
    "METHODS",
    "ModularMap",
    "Unrolled",
    "central_step",
    "predictive_gradient",
    "predictive_stationary_points",
    "unroll",
    "unrolled_gradient",
]

METHODS = ("exact", "schur", "block-diagonal", "diagonal", "h-free")


def _in_one_field(*matrices: sympy.Matrix) -> list[DomainMatrix]:
    """The matrices over the field that all their entries span, where sums and products stay in lowest terms."""
    return list(
        DomainMatrix.unify(*(DomainMatrix.from_Matrix(sympy.Matrix(m)).to_field() for m in matrices), fmt="sparse")
    )


@dataclass(frozen=True)
class ModularMap:
    """Second derivatives of ℓ_MAP at its maximum over Θ, for M modules and T tasks.

    Args:
        curvatures: H_t, one symmetric D×D matrix for each task.
        sigma2: σ_m², one for each module.
        dims: D_m, the dimensions of each module; all 1 by default.
        prior2: δ_m², one for each module; None for the flat prior.

    Raises:
        ValueError: no task, sizes that do not fit, a variance that is not positive.
    """

    curvatures: Sequence[sympy.Matrix]
    sigma2: Sequence[object]
    dims: Sequence[int] | None = None
    prior2: Sequence[object] | None = None

    def __post_init__(self) -> None:
        dims = tuple(self.dims) if self.dims is not None else (1,) * len(self.sigma2)
        if len(dims) != len(self.sigma2) or not dims or any(not isinstance(d, int) or d < 1 for d in dims):
            raise ValueError(
                f"dims is {dims} for {len(self.sigma2)} variances; give each module a size of 1 or more, and a variance"
            )
        if not self.curvatures:
            raise ValueError("no task was given; give the matrix H_t of one task or more")
        size = sum(dims)
        matrices = tuple(sympy.ImmutableMatrix(h) for h in self.curvatures)
        for h in matrices:
            if h.shape != (size, size) or not h.is_symmetric():
                raise ValueError(
                    f"an H_t has shape {h.rows}×{h.cols}{'' if h.shape != (size, size) else ' and is not symmetric'}; "
                    f"the modules have {size} dimensions in all, so give symmetric {size}×{size} matrices"
                )
        if self.prior2 is not None and len(self.prior2) != len(dims):
            raise ValueError(
                f"{len(self.prior2)} prior variances were given for {len(dims)} modules; give one for each, or None"
            )
        object.__setattr__(self, "dims", dims)
        object.__setattr__(self, "curvatures", matrices)
        object.__setattr__(self, "sigma2", tuple(positive(s, "sigma2") for s in self.sigma2))
        if self.prior2 is not None:
            object.__setattr__(self, "prior2", tuple(positive(d, "prior2") for d in self.prior2))

    @property
    def size(self) -> int:
        """D."""
        return sum(self.dims)

    @property
    def tasks(self) -> int:
        """T."""
        return len(self.curvatures)

    def _diagonal(self, values: Sequence[sympy.Expr]) -> sympy.Matrix:
        return sympy.diag(*(v for v, d in zip(values, self.dims, strict=True) for _ in range(d)))

    @property
    def precision(self) -> sympy.Matrix:
        """Σ⁻¹ (D×D)."""
        return self._diagonal([1 / s for s in self.sigma2])

    @property
    def prior_precision(self) -> sympy.Matrix:
        """Δ⁻¹ (D×D); 0 for the flat prior."""
        return sympy.zeros(self.size) if self.prior2 is None else self._diagonal([1 / d for d in self.prior2])

    @property
    def hessian(self) -> sympy.Matrix:
        """∂²ℓ_MAP/∂Θ², arrow-shaped, (T+1)D square: chen2019, eq. (26)."""
        p, size = self.precision, self.size
        matrix = sympy.diag(-self.prior_precision - self.tasks * p, *(-h - p for h in self.curvatures))
        for t in range(1, self.tasks + 1):
            matrix[:size, t * size : (t + 1) * size] = p
            matrix[t * size : (t + 1) * size, :size] = p
        return matrix

    def approximate_hessian(self, method: str) -> sympy.Matrix:
        """The Hessian's "block-diagonal" part, eq. (28), or its "diagonal"."""
        blocks = [self.hessian[i : i + self.size, i : i + self.size] for i in range(0, self.hessian.rows, self.size)]
        if method == "diagonal":
            blocks = [sympy.diag(*block.diagonal()) for block in blocks]
        return sympy.diag(*blocks)

    def _by_module(self, vector: sympy.Matrix) -> sympy.Matrix:
        """A D-vector as the D×M matrix with its module m in column m."""
        starts = [0, *accumulate(self.dims)]
        columns = [
            [vector[i] if starts[m] <= i < starts[m + 1] else 0 for i in range(self.size)]
            for m in range(len(self.dims))
        ]
        return sympy.Matrix(columns).T

    def mixed(self, phi: sympy.Matrix, theta: Sequence[sympy.Matrix]) -> sympy.Matrix:
        """∂²ℓ_MAP/∂Θ∂σ⁻² at (φ, θ_1, …, θ_T), (T+1)D × M: chen2019, eq. (27)."""
        gaps = [sympy.Matrix(t) - sympy.Matrix(phi) for t in theta]
        first = sum(gaps[1:], gaps[0])
        return sympy.Matrix.vstack(self._by_module(first), *(self._by_module(-gap) for gap in gaps))

    def _check(self, phi: sympy.Matrix, theta: Sequence[sympy.Matrix], method: str) -> None:
        if method not in METHODS:
            raise ValueError(f"method is {method!r}; the methods are {', '.join(METHODS)}")
        if len(theta) != self.tasks or any(len(x) != self.size for x in (phi, *theta)):
            raise ValueError(
                f"vectors of sizes {[len(x) for x in (phi, *theta)]} were given for φ and {self.tasks} tasks of {self.size} dimensions; "
                "give one vector for φ and one for each task"
            )

    def response(
        self, phi: sympy.Matrix, theta: Sequence[sympy.Matrix], method: str = "exact"
    ) -> tuple[sympy.Matrix, ...]:
        """∂θ̂_t/∂σ⁻² for each task, D×M: chen2019, eq. (25), or what an approximation makes of it.

        Args:
            phi: φ̂, a D-vector.
            theta: θ̂_t, a D-vector for each task.
            method: "exact" solves with the whole arrow-shaped Hessian, "schur" eliminates the tasks first (the same
                numbers); "block-diagonal" is eq. (28), which holds φ fixed; "diagonal" eq. (29); "h-free" eqs. (4), (30).

        Raises:
            ValueError: no such method, or vectors of the wrong size.
        """
        self._check(phi, theta, method)
        size, p = self.size, self.precision
        mixed = self.mixed(phi, theta)
        rows = [mixed[i : i + size, :] for i in range(0, mixed.rows, size)]
        if method == "h-free":
            variances, *tasks = _in_one_field(self._diagonal(self.sigma2), *rows[1:])
            return tuple((variances * row).to_Matrix() for row in tasks)
        if method == "exact":
            matrix, right = _in_one_field(-self.hessian, mixed)
            whole = matrix.to_dense().lu_solve(right.to_dense()).to_Matrix()
            return tuple(whole[i : i + size, :] for i in range(size, whole.rows, size))
        curvatures = self.curvatures
        if method == "diagonal":
            curvatures = [sympy.diag(*h.diagonal()) for h in curvatures]
        p, prior, *rest = _in_one_field(p, self.prior_precision, *curvatures, *rows)
        inverses = [(h + p).to_dense().inv().to_sparse() for h in rest[: self.tasks]]
        first, *tasks = rest[self.tasks :]
        if method != "schur":
            return tuple((inverse * row).to_Matrix() for inverse, row in zip(inverses, tasks, strict=True))
        schur, right = prior, first
        for inverse, row in zip(inverses, tasks, strict=True):
            schur, right = schur + p - p * inverse * p, right + p * inverse * row
        central = schur.to_dense().lu_solve(right.to_dense()).to_sparse()
        return tuple((inverse * (row + p * central)).to_Matrix() for inverse, row in zip(inverses, tasks, strict=True))

    def gradient(
        self, phi: sympy.Matrix, theta: Sequence[sympy.Matrix], slopes: Sequence[sympy.Matrix], method: str = "exact"
    ) -> sympy.Matrix:
        """∂ℓ_PLL/∂log σ_m² for each module, M×1: chen2019, eqs. (24), (28) to (30) and (4).

        Args:
            phi: φ̂.
            theta: θ̂_t.
            slopes: ∂log p(D_t^val | θ̂_t)/∂θ_t, a D-vector for each task.
            method: see `response`.
        """
        if len(slopes) != self.tasks or any(len(slope) != self.size for slope in slopes):
            raise ValueError(
                f"give one gradient of {self.size} entries for each of the {self.tasks} tasks; {len(slopes)} were given"
            )
        responses = self.response(phi, theta, method)
        rows = [sympy.Matrix(g).T * response for g, response in zip(slopes, responses, strict=True)]
        in_precision = sum(rows[1:], rows[0])
        # ∂σ⁻²/∂log σ² = −σ⁻²
        return sympy.Matrix([sympy.cancel(-entry / s) for entry, s in zip(in_precision, self.sigma2, strict=True)])

    def central_response(self) -> tuple[sympy.Matrix, ...]:
        """∂θ̂_t/∂φ with φ free and σ fixed, D×D: (H_t + Σ⁻¹)⁻¹Σ⁻¹; the identity if H_t is left out, as (4) does.

        The gradient of ℓ_PLL in φ is Σ_t of its transpose times ∂log p(D_t^val | θ̂_t)/∂θ_t; without H_t it is the
        first-order MAML gradient.
        """
        p, *curvatures = _in_one_field(self.precision, *self.curvatures)
        return tuple(((h + p).to_dense().inv().to_sparse() * p).to_Matrix() for h in curvatures)


def _toy(model: HierarchicalNormal, sigma2: object) -> tuple[ModularMap, sympy.Expr, tuple[sympy.Expr, ...]]:
    system = ModularMap(
        [sympy.Matrix([[h]]) for h in model.curvatures],
        (sigma2,),
        prior2=None if model.prior2 == sympy.oo else (model.prior2,),
    )
    return system, model.phi_hat(sigma2), model.theta_hat(sigma2)


def _validation(model: HierarchicalNormal, validation: Sequence[object], k: object) -> tuple[tuple, tuple]:
    counts = tuple(k) if isinstance(k, Sequence) and not isinstance(k, str) else (k,) * model.tasks
    if len(validation) != model.tasks or len(counts) != model.tasks:
        raise ValueError(
            f"{len(validation)} validation means and {len(counts)} numbers of points were given for {model.tasks} tasks; "
            "give one for each"
        )
    return tuple(exact_expr(y, "a validation mean") for y in validation), tuple(count(x, "k") for x in counts)


def predictive_gradient(
    model: HierarchicalNormal, validation: Sequence[object], k: object, sigma2: object, method: str = "exact"
) -> sympy.Expr:
    """dℓ_PLL/d log σ² in the toy at θ̂(σ²), φ̂(σ²).

    With equal N_t and a flat prior φ̂ does not depend on σ²: "exact" is then "block-diagonal", and "h-free", eq. (19), is
    1 + Nσ²/ρ² times that. With M = D = 1 "diagonal" is always "block-diagonal".

    Args:
        model: the training data.
        validation: ȳ_t, the validation means.
        k: K, the number of validation points of every task, or one for each.
        sigma2: σ².
        method: one of `METHODS`.

    Raises:
        ValueError: sizes that do not fit, or no such method.
    """
    validation, counts = _validation(model, validation, k)
    system, phi, theta = _toy(model, exact_expr(sigma2, "sigma2"))
    slopes = [[c * (y - t) / model.rho2] for c, y, t in zip(counts, validation, theta, strict=True)]
    return sympy.factor(system.gradient([phi], [[t] for t in theta], slopes, method)[0])


def predictive_stationary_points(
    model: HierarchicalNormal, validation: Sequence[object], k: object, method: str = "exact"
) -> tuple[sympy.Expr, ...]:
    """Every σ² > 0 at which the gradient of this method is 0, ascending; rational data.

    Returns:
        Exact numbers, in radicals up to degree 2, else as sympy's `CRootOf`; empty if there is none.

    Raises:
        ValueError: the gradient is 0 for every σ².
    """
    s = sympy.Symbol("_s", positive=True)
    numerator = sympy.Poly(sympy.numer(predictive_gradient(model, validation, k, s, method)), s)
    if numerator.is_zero:
        raise ValueError("the gradient is 0 for every sigma2; give task means that differ")
    polynomial = fmpq_poly([fmpq(int(c.p), int(c.q)) for c in reversed(numerator.all_coeffs())])
    return tuple(root.as_sympy() for root, _ in real_roots(polynomial) if root.sign_of(IDENTITY) > 0)


@dataclass(frozen=True)
class Unrolled:
    """K steps of gradient ascent on ℓ_MAP in θ_t from θ_t = φ, with φ held fixed, as MAML unrolls them.

    Attributes:
        theta: θ^K = θ̂ + q^K (φ − θ̂), where θ̂ is the maximum given φ.
        q: the contraction 1 − η (h + 1/σ²); the steps converge for |q| < 1.
        slope: dθ^K/dlog σ².
        limit: its limit as K → ∞: σ⁻² (h + σ⁻²)⁻¹ (θ̂ − φ), which is the block-diagonal gradient's factor, eq. (28).
        relative_error: slope/limit − 1, exactly −q^K − K (1 − q) q^(K−1).
    """

    theta: sympy.Expr
    q: sympy.Expr
    slope: sympy.Expr
    limit: sympy.Expr
    relative_error: sympy.Expr


def unroll(mean: object, phi: object, h: object, sigma2: object, rate: object, steps: object) -> Unrolled:
    """Unroll K inner steps on one task of the toy, in closed form.

    Args:
        mean: x̄_t.
        phi: φ, which does not move.
        h: N_t/ρ².
        sigma2: σ².
        rate: the inner learning rate η.
        steps: K ≥ 0, an integer or a symbol.

    Raises:
        ValueError: a negative number of steps, or a variance, curvature or rate that is not positive.
    """
    mean, phi, steps = sympy.sympify(mean), sympy.sympify(phi), exact_expr(steps, "steps")
    h, sigma2, rate = positive(h, "h"), positive(sigma2, "sigma2"), positive(rate, "rate")
    if steps.is_number and not (steps.is_Integer and steps >= 0):
        raise ValueError(f"steps is {steps}; the number of inner steps is a whole number, 0 or more")
    p = sympy.Symbol("_p", positive=True)  # σ⁻²
    curvature = h + p
    theta_hat, q = (h * mean + p * phi) / curvature, 1 - rate * curvature
    theta = theta_hat + q**steps * (phi - theta_hat)
    dq = q.diff(p) * steps * (q ** (steps - 1) if steps != 0 else 1)  # 0⁻¹ must not arise where K = 0
    response = theta_hat.diff(p) * (1 - q**steps) + dq * (phi - theta_hat)
    limit = -p * theta_hat.diff(p)
    error = -(q**steps) - steps * (1 - q) * (q ** (steps - 1) if steps != 0 else 1)
    at = {p: 1 / sigma2}
    return Unrolled(*(e.subs(at) for e in (theta, q, -p * response, sympy.factor(limit), error)))


def unrolled_gradient(
    model: HierarchicalNormal,
    validation: Sequence[object],
    k: object,
    sigma2: object,
    rate: object,
    steps: object,
    phi: object = None,
) -> sympy.Expr:
    """dℓ_PLL/d log σ² by explicit differentiation through K inner steps on every task, at θ^K.

    As K → ∞ with |q_t| < 1 it tends to the "block-diagonal" gradient, not to the exact one, because φ is held fixed.

    Args:
        model: the training data.
        validation: ȳ_t.
        k: K_val, the number of validation points of every task, or one for each.
        sigma2: σ².
        rate: η.
        steps: K.
        phi: the start of the inner steps; φ̂(σ²) by default.
    """
    validation, counts = _validation(model, validation, k)
    center = model.phi_hat(sigma2) if phi is None else sympy.sympify(phi)
    total = sympy.S.Zero
    for mean, h, y, c in zip(model.means, model.curvatures, validation, counts, strict=True):
        unrolled = unroll(mean, center, h, sigma2, rate, steps)
        total += c * (y - unrolled.theta) / model.rho2 * unrolled.slope
    return total


def central_step(
    theta: Sequence[object], phi: object, sigma2: object, rate: object, prior2: object = sympy.oo
) -> sympy.Expr:
    """φ after one ascent step on ℓ_MAP: φ + rate (Σ_t (θ_t − φ)/σ² − φ/δ²).

    With rate = ε σ² and a flat prior it is φ + ε Σ_t (θ_t − φ) for every σ²: Reptile's outer step. What is left of
    chen2019's method is then Reptile as σ² → ∞, where the prior's part (φ − θ_t)/σ² of the inner gradient vanishes.
    """
    phi, rate, sigma2 = sympy.sympify(phi), exact_expr(rate, "rate"), positive(sigma2, "sigma2")
    pull = sum(sympy.sympify(t) - phi for t in theta) / sigma2
    prior = sympy.S.Zero if prior2 == sympy.oo else phi / positive(prior2, "prior2")
    return phi + sympy.expand(rate * (pull - prior))
