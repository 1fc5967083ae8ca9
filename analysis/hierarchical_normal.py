"""The hierarchical normal toy of shrinkage, exactly: MAP, marginal and predictive likelihood (chen2019, Appendix B).

T tasks with N_t observations each: x_{t,n} ~ N(θ_t, ρ²), θ_t ~ N(φ, σ²), and a flat prior on φ or φ ~ N(0, δ²). The data
count through the task means x̄_t alone, whose noise is r_t = ρ²/N_t. Every variance here is a variance, never a deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy

from . import joint_map
from .joint_map import StationaryVariance, count, maximum, positive, spread_value, task_count
from .polynomial import exact_expr

__all__ = [
    "HierarchicalNormal",
    "collapse_probability",
    "marginal_log_likelihood",
    "marginal_maximiser",
    "mean_law",
    "means_covariance",
    "predictive_limit",
    "spread_law",
]


def mean_law(tasks: object, sigma_true2: object, n: object, rho2: object = 1) -> sympy.Expr:
    """The variance of φ̂ = x̄ about φ_True: (σ_True² + r)/T; equal N_t, flat prior (chen2019, Prop. 2)."""
    tasks = count(tasks, "the number of tasks")
    return means_covariance(sigma_true2, n, 1, rho2)[0, 0] / tasks


def spread_law(tasks: object, sigma_true2: object, n: object, rho2: object = 1) -> tuple[sympy.Expr, sympy.Expr]:
    """The law of S as (scale, degrees of freedom): S ~ scale · χ² with scale (σ_True² + r)/T and T − 1 degrees.

    As T → ∞, S → σ_True² + r almost surely (chen2019, eq. (14)).
    """
    tasks = task_count(tasks)
    return means_covariance(sigma_true2, n, 1, rho2)[0, 0] / tasks, tasks - 1


def collapse_probability(tasks: object, sigma_true2: object, n: object, rho2: object = 1) -> sympy.Expr:
    """The probability over data that ascent on ℓ_MAP collapses from every start: P(S < 4r), exactly.

    As T → ∞ it tends to 1 for σ_True² < 3r and to 0 for σ_True² > 3r; at σ_True² = 3r it tends to ½.

    Raises:
        ValueError: fewer than 2 tasks, or a variance or a number of observations that is not positive.
    """
    scale, degrees = spread_law(tasks, sigma_true2, n, rho2)
    x = 4 * positive(rho2, "rho2") / count(n, "n") / scale  # P(χ² < x)
    # not evaluated: for whole numbers sympy would write out a sum of T/2 terms
    return sympy.lowergamma(degrees / 2, x / 2, evaluate=False) / sympy.gamma(degrees / 2, evaluate=False)


def marginal_log_likelihood(
    sigma2: object, spread: object, tasks: object, r: object, *, integrate_phi: bool = False
) -> sympy.Expr:
    """The log density log p(x | σ²) with θ integrated out and φ maximised or integrated over its flat prior; terms without σ² left out.

    x̄_t ~ N(φ, σ² + r): −(T/2) log(σ² + r) − (T/2) S/(σ² + r), and ½ log(σ² + r) more if φ is integrated.
    """
    sigma2, spread, r, tasks = exact_expr(sigma2, "sigma2"), spread_value(spread), positive(r, "r"), task_count(tasks)
    degrees = tasks - 1 if integrate_phi else tasks
    return -degrees * sympy.log(sigma2 + r) / 2 - tasks * spread / (2 * (sigma2 + r))


def marginal_maximiser(
    spread: object, tasks: object, n: object, rho2: object = 1, *, integrate_phi: bool = False
) -> sympy.Expr:
    """The σ² that maximises the marginal likelihood: max(0, S − r), or max(0, T S/(T − 1) − r) with φ integrated out.

    It is 0 where the task means spread no more than their noise explains.

    Args:
        spread: S.
        tasks: T, at least 2.
        n: N.
        rho2: ρ².
        integrate_phi: whether φ is integrated over its flat prior, or maximised.

    Raises:
        ValueError: S is negative, T < 2, N is no positive integer or ρ² is not positive.
    """
    spread, tasks = spread_value(spread), task_count(tasks)
    r = positive(rho2, "rho2") / count(n, "n")
    v = sympy.Symbol("_v", positive=True)  # σ² + r
    slope = sympy.numer(
        sympy.together(marginal_log_likelihood(v - r, spread, tasks, r, integrate_phi=integrate_phi).diff(v))
    )
    constant, linear = (slope.expand().coeff(v, power) for power in (0, 1))
    return sympy.Max(0, sympy.simplify(-constant / linear - r))


def means_covariance(sigma_true2: object, n: object, k: object, rho2: object = 1) -> sympy.Matrix:
    """Covariance of a task's training and validation means (x̄_t, ȳ_t) of N and K points: chen2019, eq. (21)."""
    sigma_true2 = exact_expr(sigma_true2, "sigma_true2")
    if sigma_true2.is_negative:
        raise ValueError(f"sigma_true2 is {sigma_true2}, and must be 0 or more")
    rho2 = positive(rho2, "rho2")
    # both means contain the same θ_t, and each its own noise
    maps = sympy.Matrix([[1, 1, 0], [1, 0, 1]])
    return maps * sympy.diag(sigma_true2, rho2 / count(n, "n"), rho2 / count(k, "k")) * maps.T


def predictive_limit(
    sigma2: object, sigma_true2: object, n: object, k: object, rho2: object = 1
) -> tuple[sympy.Expr, sympy.Expr]:
    """The limits of ℓ_PLL/T and of the approximate gradient (4)/T as T → ∞, where φ̂ = φ_True (chen2019, Prop. 4).

    Args:
        sigma2: the σ² at which tasks adapt.
        sigma_true2: the σ² that the tasks come from.
        n: N training points.
        k: K validation points.
        rho2: ρ².

    Returns:
        The limit of ℓ_PLL/T up to a constant, and that of (19)/T: [K/(N (1 + ρ²/(Nσ²))²)] (σ_True²/σ² − 1).
    """
    sigma2, rho2, n, k = positive(sigma2, "sigma2"), positive(rho2, "rho2"), count(n, "n"), count(k, "k")
    covariance = means_covariance(sigma_true2, n, k, rho2)
    w = sigma2 / (sigma2 + rho2 / n)
    error = sympy.Matrix([-w, 1])  # ȳ_t − θ̂_t, from φ
    shift = sympy.Matrix([w, 0])  # θ̂_t − φ
    likelihood = -k * (error.T * covariance * error)[0] / (2 * rho2)
    gradient = k * (error.T * covariance * shift)[0] / rho2
    return sympy.factor(likelihood), sympy.factor(gradient)


@dataclass(frozen=True)
class HierarchicalNormal:
    """The toy with data: T training means, N_t observations each.

    Args:
        means: x̄_t of the T ≥ 2 tasks, exact numbers or expressions.
        n: N, or one N_t for each task.
        rho2: the noise variance ρ².
        prior2: δ² of the prior φ ~ N(0, δ²); infinite for a flat prior.

    Raises:
        ValueError: fewer than 2 tasks, a number of N_t other than T, an N_t below 1, a variance that is not positive.
    """

    means: Sequence[object]
    n: object
    rho2: object = 1
    prior2: object = sympy.oo

    def __post_init__(self) -> None:
        means = tuple(exact_expr(x, "a task mean") for x in self.means)
        task_count(len(means)) if means else task_count(1)
        counts = (
            tuple(self.n) if isinstance(self.n, Sequence) and not isinstance(self.n, str) else (self.n,) * len(means)
        )
        if len(counts) != len(means):
            raise ValueError(
                f"{len(counts)} numbers of observations were given for {len(means)} tasks; give one, or one for each"
            )
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "n", tuple(count(x, "n") for x in counts))
        object.__setattr__(self, "rho2", positive(self.rho2, "rho2"))
        if self.prior2 != sympy.oo:
            object.__setattr__(self, "prior2", positive(self.prior2, "prior2"))

    @property
    def tasks(self) -> int:
        """T."""
        return len(self.means)

    @property
    def curvatures(self) -> tuple[sympy.Expr, ...]:
        """h_t = N_t/ρ²: the curvature of a task's log-likelihood in θ_t, with the sign changed."""
        return tuple(n / self.rho2 for n in self.n)

    @property
    def balanced(self) -> bool:
        """Whether all N_t are equal and the prior on φ is flat, so that φ̂ = x̄ whatever σ² is."""
        return len(set(self.n)) == 1 and self.prior2 == sympy.oo

    def _need_balance(self, what: str) -> None:
        if not self.balanced:
            raise ValueError(
                f"{what} needs the same number of observations in every task and a flat prior, and n is {self.n}, prior2 {self.prior2}"
            )

    @property
    def spread(self) -> sympy.Expr:
        """S = (1/T) Σ (x̄_t − x̄)²."""
        mean = sum(self.means) / self.tasks
        return sympy.expand(sum((x - mean) ** 2 for x in self.means) / self.tasks)

    @cached_property
    def _solution(self) -> tuple[sympy.Symbol, sympy.Symbol, sympy.Expr, tuple[sympy.Expr, ...]]:
        """φ̂ as a function of σ², and each θ̂_t as one of σ² and φ; from the log density by maximising, inside out."""
        s, phi, theta = (
            sympy.Symbol("_s", positive=True),
            sympy.Symbol("_phi", real=True),
            sympy.Symbol("_t", real=True),
        )
        total = -(phi**2) / (2 * self.prior2) if self.prior2 != sympy.oo else sympy.S.Zero
        adapted = []
        for mean, h in zip(self.means, self.curvatures, strict=True):
            one_task = -((theta - phi) ** 2) / (2 * s) - h * (mean - theta) ** 2 / 2
            adapted.append(maximum(one_task, theta))
            total += sympy.cancel(one_task.subs(theta, adapted[-1]))
        return s, phi, maximum(total, phi), tuple(adapted)

    def phi_hat(self, sigma2: object) -> sympy.Expr:
        """φ̂(σ²), where the log joint density is greatest over θ and φ."""
        s, _, phi_hat, _ = self._solution
        return phi_hat.subs(s, positive(sigma2, "sigma2"))

    def theta_hat(self, sigma2: object, phi: object = None) -> tuple[sympy.Expr, ...]:
        """θ̂_t(σ², φ), with φ = φ̂(σ²) if none is given: chen2019, eq. (8)."""
        s, symbol, phi_hat, adapted = self._solution
        center = phi_hat if phi is None else sympy.sympify(phi)
        sigma2 = positive(sigma2, "sigma2")
        return tuple(t.subs(symbol, center).subs(s, sigma2) for t in adapted)

    def joint_map_stationary_points(self) -> tuple[StationaryVariance, ...]:
        """Stationary points of ℓ_MAP in σ²; see the function of that name."""
        self._need_balance("the joint MAP's list of stationary points")
        return joint_map.joint_map_stationary_points(self.spread, self.n[0], self.rho2)

    def marginal_maximiser(self, *, integrate_phi: bool = False) -> sympy.Expr:
        """The σ² that maximises the marginal likelihood; see the function of that name."""
        self._need_balance("the closed form of the marginal likelihood's maximum")
        return marginal_maximiser(self.spread, self.tasks, self.n[0], self.rho2, integrate_phi=integrate_phi)

    def _validation(self, means: Sequence[object]) -> tuple[sympy.Expr, ...]:
        if len(means) != self.tasks:
            raise ValueError(f"{len(means)} validation means were given for {self.tasks} tasks; give one for each")
        return tuple(exact_expr(y, "a validation mean") for y in means)

    def predictive_log_likelihood(self, validation: Sequence[object], k: object, sigma2: object) -> sympy.Expr:
        """ℓ_PLL(σ²) = Σ_t log p(D_t^val | θ̂_t(σ²)), eq. (3), without its terms that do not contain σ².

        Args:
            validation: ȳ_t, the means of K validation points per task.
            k: K.
            sigma2: σ².
        """
        validation, k = self._validation(validation), count(k, "k")
        return -sum((y - t) ** 2 for y, t in zip(validation, self.theta_hat(sigma2), strict=True)) * k / (2 * self.rho2)

    def predictive_weight(self, validation: Sequence[object]) -> sympy.Expr:
        """The w that maximises ℓ_PLL, which is quadratic in w = σ²/(σ² + r), over all real w: Σ d_t ȳ_t / Σ d_t², d_t = x̄_t − x̄.

        Raises:
            ValueError: unequal N_t or a proper prior; all task means are equal.
        """
        self._need_balance("the predictive likelihood as a quadratic")
        validation = self._validation(validation)
        w, mean = sympy.Symbol("_w", real=True), sum(self.means) / self.tasks
        loss = sum((y - mean - w * (x - mean)) ** 2 for x, y in zip(self.means, validation, strict=True))
        if sympy.expand(loss).coeff(w, 2) == 0:
            raise ValueError(
                f"all task means are {self.means[0]}, so the predictive likelihood does not depend on sigma2; give means that differ"
            )
        return maximum(-sympy.expand(loss), w)

    def predictive_maximiser(self, validation: Sequence[object]) -> sympy.Expr:
        """The σ² in [0, ∞] that maximises ℓ_PLL: 0 where the best w is 0 or below, `sympy.oo` where it is 1 or above.

        It does not depend on K. As T → ∞ it tends to σ_True² (chen2019, Prop. 4).

        Raises:
            ValueError: as `predictive_weight`; a mean is no number.
        """
        w = self.predictive_weight(validation)
        if not w.is_number:
            raise ValueError(f"the best weight is {w}, and whether it lies in (0, 1) is open; give numbers")
        if w <= 0:
            return sympy.S.Zero
        return sympy.oo if w >= 1 else sympy.radsimp(w / (1 - w)) / self.curvatures[0]
