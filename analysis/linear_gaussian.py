"""Exact generalisation-loss curves of gradient-based learners where everything is linear and Gaussian (chen2019, Experiment 1).

Every learner here moves from its starting point φ by a matrix, its *gain*, times the score of its data at φ,
θ̂ = φ + gain · Σ_n AᵀΞ⁻¹(x_n − Aφ): gradient descent stopped at any step, with any rates, with or without a Gaussian prior,
gradient flow, the MAP and the maximum-likelihood estimate. Its loss on new observations is then a moment of Gaussians. The curves
in floating point come from an eigendecomposition, the exact ones (`exact=True`) from the recursion of the steps over the rationals.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import inf, isinf, pi, sqrt

import numpy as np
import scipy
from flint import fmpq, fmpq_mat

from .polynomial import exact_rational

__all__ = [
    "Candidate",
    "Estimator",
    "LinearGaussian",
    "Optimum",
    "best_flow_time",
    "best_rates",
    "best_step",
    "best_variance",
    "chen2019_experiment1",
    "infer_observations",
    "joint_map_variance",
    "plateaus",
    "shrinkage_fixed_point",
    "shrinkage_gradient",
]

Numbers = object  # one number for all entries, or a sequence with one number per entry


def _numbers(value: Numbers, size: int, what: str, unbounded: bool = False) -> list[Fraction | float]:
    """One number per entry, exactly; with `unbounded` an entry may be None or infinite, and is then math.inf."""
    one = value is None or isinstance(value, str) or not isinstance(value, Iterable) or np.ndim(value) == 0
    entries = [value] * size if one else list(value)
    if len(entries) != size:
        raise ValueError(
            f"{what} has {len(entries)} entries and the model has {size}; give one number, or one per entry"
        )
    try:
        return [
            inf if unbounded and (x is None or (isinstance(x, float) and x == inf) or x == "inf") else exact_rational(x)
            for x in entries
        ]
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def _exact(rows: Sequence[Sequence[Fraction]]) -> fmpq_mat:
    entries = [fmpq(x.numerator, x.denominator) for row in rows for x in row]
    return fmpq_mat(len(rows), len(rows[0]), entries)


def _diagonal(entries: Sequence[Fraction]) -> fmpq_mat:
    return _exact([[x if i == j else Fraction(0) for j in range(len(entries))] for i, x in enumerate(entries)])


def _trace(matrix: fmpq_mat) -> fmpq:
    return sum((matrix[i, i] for i in range(matrix.nrows())), fmpq(0))


@dataclass(frozen=True)
class Estimator:
    """A learner that moves from its start φ to θ̂ = φ + gain · Σ_n AᵀΞ⁻¹(x_n − Aφ).

    Attributes:
        gain: (…, M, M), one matrix for each step asked for.
        start: (M,), the point φ.
    """

    gain: np.ndarray
    start: np.ndarray


@dataclass(frozen=True)
class Optimum:
    """The best, or the stationary, parameters of a method, and the expected loss there.

    Attributes:
        values: (M,) the parameter (rate, σ²) of each entry; equal within a module. A time is a single number.
        loss: the expected generalisation loss.
        estimator: the learner with these parameters.
    """

    values: np.ndarray
    loss: float
    estimator: Estimator


@dataclass(frozen=True)
class LinearGaussian:
    """Tasks θ ~ N(prior_mean, diag prior_variance), each seen through n observations x ~ N(Aθ, diag noise_variance).

    The loss of an observation is ½ Σ_d (x_d − μ_d)²/ξ_d², the negative log-likelihood without its normalising constant
    (chen2019, Appendix D). It does not change when a row of A is scaled and its noise variance by the square, so that a row with
    a root in it can be given exactly.

    Args:
        design: A, D rows of M numbers.
        noise_variance: ξ², positive, one number or one per row.
        prior_mean: the mean of the tasks, one number or one per entry of θ.
        prior_variance: the variance of the tasks, 0 or more, one number or one per entry.
        n: the number of observations a learner adapts on, 1 or more.

    Raises:
        ValueError: a malformed number, a wrong length, a variance out of range, n below 1.
    """

    design: Sequence[Sequence[object]]
    noise_variance: Numbers
    prior_mean: Numbers
    prior_variance: Numbers
    n: int

    def __post_init__(self) -> None:
        rows = [list(row) for row in self.design]
        if not rows or not rows[0]:
            raise ValueError("the design is empty; it needs at least one row, and one number in each row")
        size = len(rows[0])
        design = tuple(tuple(_numbers(row, size, f"row {d} of the design")) for d, row in enumerate(rows))
        noise = _numbers(self.noise_variance, len(rows), "noise_variance")
        variance = _numbers(self.prior_variance, size, "prior_variance")
        if min(noise) <= 0:
            raise ValueError(f"noise_variance holds {min(noise)}; the variance of an observation must be above 0")
        if min(variance) < 0:
            raise ValueError(f"prior_variance holds {min(variance)}; the variance of the tasks must be 0 or more")
        if isinstance(self.n, bool) or not isinstance(self.n, int | np.integer) or self.n < 1:
            raise ValueError(f"n is {self.n}; a learner adapts on a whole number of observations, 1 or more")
        object.__setattr__(self, "design", design)
        object.__setattr__(self, "noise_variance", tuple(noise))
        object.__setattr__(self, "prior_mean", tuple(_numbers(self.prior_mean, size, "prior_mean")))
        object.__setattr__(self, "prior_variance", tuple(variance))

    @property
    def size(self) -> int:
        """M, the number of entries of θ."""
        return len(self.design[0])

    @property
    def outputs(self) -> int:
        """D, the number of entries of an observation."""
        return len(self.design)

    @cached_property
    def _exact_information(self) -> fmpq_mat:
        a = _exact(self.design)
        return a.transpose() * _diagonal([1 / variance for variance in self.noise_variance]) * a

    @cached_property
    def information(self) -> np.ndarray:
        """G = AᵀΞ⁻¹A, (M, M): the information in one observation, computed exactly and rounded once."""
        entries = [float(Fraction(int(x.p), int(x.q))) for x in self._exact_information.entries()]
        return np.array(entries).reshape(self.size, self.size)

    @cached_property
    def _mean(self) -> np.ndarray:
        return np.array(self.prior_mean, dtype=float)

    @cached_property
    def _variance(self) -> np.ndarray:
        return np.array(self.prior_variance, dtype=float)

    # --- the learners ----------------------------------------------------------------------------------------------

    def _start(self, start: Numbers | None) -> list[Fraction]:
        return list(self.prior_mean) if start is None else _numbers(start, self.size, "start")

    def _learner(self, rates: Numbers, variance: Numbers | None) -> tuple[list[Fraction], list[Fraction]]:
        """Rates and precisions, exactly; an entry of variance 0 is one that does not move, whatever its rate."""
        rates = _numbers(rates, self.size, "rates")
        variance = _numbers(variance, self.size, "variance", unbounded=True)
        if min(rates) < 0:
            raise ValueError(f"rates hold {min(rates)}; a learning rate must be 0 or more")
        if min(variance) < 0:
            raise ValueError(f"variance holds {min(variance)}; a learner's σ² must be 0 (fixed) or more, or inf (free)")
        free = [v > 0 for v in variance]
        precision = [Fraction(0) if isinf(v) or not moves else 1 / v for v, moves in zip(variance, free, strict=True)]
        return [rate if moves else Fraction(0) for rate, moves in zip(rates, free, strict=True)], precision

    def _modes(self, rates: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues h and columns B with: k steps have the gain B diag((1 − (1 − h)^k)/h) Bᵀ.

        From I − L(NG + P), whose powers, times L, are symmetric: L = √L√L is drawn out on both sides.
        """
        root = np.sqrt(rates)
        h, vectors = np.linalg.eigh(root[:, None] * (self.n * self.information + np.diag(precision)) * root)
        return h, root[:, None] * vectors

    def _gain(self, rates: np.ndarray, precision: np.ndarray, shrunk: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """B diag(shrunk(h)/h) Bᵀ; where h = 0 the data say nothing and nothing moves."""
        h, columns = self._modes(rates, precision)
        seen = h > 1e-14 * h.max(initial=0)
        with np.errstate(over="ignore", invalid="ignore"):
            weights = np.where(seen, shrunk(np.where(seen, h, 1)) / np.where(seen, h, 1), 0)
            return np.einsum("...j,ij,lj->...il", weights, columns, columns)

    def descent(
        self, steps: int | Sequence[int], rates: Numbers, variance: Numbers = None, start: Numbers = None
    ) -> Estimator:
        """Gradient descent from φ on the task's loss, *summed* over its n observations, plus ½ Σ_m (θ_m − φ_m)²/σ_m².

        Args:
            steps: the number of steps, or several of them: the gain then has one matrix for each.
            rates: the learning rate, 0 or more: one, or one per entry.
            variance: σ² of the learner's prior, one or one per entry: 0 for an entry that does not adapt, inf or None for none.
            start: φ; the mean of the tasks if left out.

        Raises:
            ValueError: a negative number of steps, a malformed or negative rate or variance, a wrong length.
        """
        k = np.asarray(steps)
        if k.dtype.kind not in "iu" or (k.size and k.min() < 0):
            raise ValueError(f"steps is {steps}; the number of steps is a whole number, 0 or more")
        rates, precision = (np.array(x, dtype=float) for x in self._learner(rates, variance))
        gain = self._gain(rates, precision, lambda h: 1 - (1 - h) ** k[..., None])
        return Estimator(gain, np.array(self._start(start), dtype=float))

    def flow(self, time: float | Sequence[float], variance: Numbers = None, start: Numbers = None) -> Estimator:
        """Gradient flow for a time t: the limit of `descent` for rates t/k and k → ∞ steps. Same arguments and errors."""
        t = np.asarray(time, dtype=float)
        if t.size and not t.min() >= 0:
            raise ValueError(f"time is {time}; it must be 0 or more")
        rates, precision = (np.array(x, dtype=float) for x in self._learner(1, variance))
        gain = self._gain(rates, precision, lambda h: -np.expm1(-h * t[..., None]))
        return Estimator(gain, np.array(self._start(start), dtype=float))

    def converged(self, variance: Numbers = None, start: Numbers = None, rates: Numbers | None = None) -> Estimator:
        """Where `descent` ends: the MAP estimate under σ², the maximum-likelihood estimate where there is none.

        Args:
            variance: σ² as in `descent`.
            start: φ as in `descent`.
            rates: if given, the limit is checked to exist for them.

        Raises:
            ValueError: descent with these rates diverges (its spectral radius is named), or as `descent`.
        """
        moves, precision = (np.array(x, dtype=float) for x in self._learner(1 if rates is None else rates, variance))
        h, _ = self._modes(moves, precision)
        if rates is not None and h.max() >= 2:
            raise ValueError(
                f"descent with these rates has the spectral radius {h.max() - 1:.6g} and does not converge; "
                f"divide the rates by more than {h.max() / 2:.6g}"
            )
        return Estimator(self._limit_gain(moves > 0, precision), np.array(self._start(start), dtype=float))

    def _limit_gain(self, moves: np.ndarray, precision: np.ndarray) -> np.ndarray:
        """The gain of `converged`, by steps that are of the right size for each entry whatever the precisions."""
        curvature = self.n * self.information.diagonal() + precision
        return self._gain(
            np.where(moves & (curvature > 0), 1 / np.where(curvature > 0, curvature, 1), 0), precision, np.ones_like
        )

    # --- what they cost --------------------------------------------------------------------------------------------

    def _error(self, estimator: Estimator) -> tuple[np.ndarray, np.ndarray]:
        """What is left of φ − θ, (…, M, M), and the mean of θ̂ − θ, (…, M)."""
        left = np.eye(self.size) - self.n * estimator.gain @ self.information
        return left, left @ (estimator.start - self._mean)

    def _error_covariance(self, first: Estimator, second: Estimator) -> np.ndarray:
        """The covariance of the two learners' errors θ̂ − θ on one task and its data, (…, M, M)."""
        (left, _), (right, _) = self._error(first), self._error(second)
        noise = self.n * first.gain @ self.information @ np.swapaxes(second.gain, -1, -2)
        return (left * self._variance) @ np.swapaxes(right, -1, -2) + noise

    def expected_loss(self, estimator: Estimator) -> np.ndarray | float:
        """E ½‖Ξ^(−½)(x − Aθ̂)‖² on a new observation of a new task, (…): D/2 + ½ E (θ̂ − θ)ᵀG(θ̂ − θ).

        A loss too large for floating point is inf.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            _, mean = self._error(estimator)
            covariance = self._error_covariance(estimator, estimator)
            excess = np.einsum("ij,...ji->...", self.information, covariance)
            excess = excess + np.einsum("...i,ij,...j->...", mean, self.information, mean)
        return np.nan_to_num(self.outputs / 2 + excess / 2, nan=inf, posinf=inf)[()]

    def absolute_error(self, estimator: Estimator) -> np.ndarray:
        """E |θ̂_m − θ_m|, (…, M): the mean absolute value of a Gaussian that has a mean where φ is off (chen2019, Figure 5)."""
        _, mean = self._error(estimator)
        spread = np.sqrt(np.einsum("...ii->...i", self._error_covariance(estimator, estimator)).clip(0))
        ratio = mean / np.where(spread > 0, spread, 1)
        folded = spread * sqrt(2 / pi) * np.exp(-(ratio**2) / 2) + mean * scipy.special.erf(ratio / sqrt(2))
        return np.where(spread > 0, folded, np.abs(mean))

    def loss_covariance(self, estimators: Sequence[Estimator], validation: int | None = None) -> np.ndarray:
        """Covariance of the learners' validation losses on one and the same task, (len, len).

        The loss is the mean over `validation` new observations; the task, its data and these observations are drawn anew. The
        variance of the mean over T tasks is a diagonal entry / T, that of the difference of two learners on the same T tasks
        (C₁₁ + C₂₂ − 2 C₁₂) / T.

        Args:
            estimators: the learners, with one gain each.
            validation: the number of validation observations of a task; n if left out.

        Raises:
            ValueError: `validation` is not a positive number, or a gain has more than one matrix.
        """
        count = self.n if validation is None else validation
        if count < 1:
            raise ValueError(f"validation is {validation}; a task has 1 validation observation or more")
        if any(np.ndim(estimator.gain) != 2 for estimator in estimators):
            raise ValueError("a gain has several matrices; take the learner at one step")
        g = self.information
        means = [self._error(estimator)[1] for estimator in estimators]
        table = np.empty((len(estimators), len(estimators)))
        for i, first in enumerate(estimators):
            for j, second in enumerate(estimators):
                cross = self._error_covariance(first, second)
                linear = np.trace(g @ cross) + means[i] @ g @ means[j]
                quadratic = np.trace(g @ cross @ g @ cross.T) / 2 + means[i] @ g @ cross @ g @ means[j]
                table[i, j] = self.outputs / (2 * count) + linear / count + quadratic
        return table

    # --- curves ----------------------------------------------------------------------------------------------------

    def curve(
        self, steps: int, rates: Numbers, variance: Numbers = None, start: Numbers = None, exact: bool = False
    ) -> np.ndarray | list[Fraction]:
        """The expected generalisation loss after 0, 1, …, `steps` steps of `descent`.

        Args:
            steps: the last step K.
            rates: as in `descent`.
            variance: as in `descent`.
            start: as in `descent`.
            exact: whether to run the recursion of the steps over the rationals.

        Returns:
            (K + 1,) float64, or K + 1 fractions.

        Raises:
            ValueError: as `descent`.
        """
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 0:
            raise ValueError(f"steps is {steps}; the last step of a curve is a whole number, 0 or more")
        if not exact:
            return self.expected_loss(self.descent(np.arange(steps + 1), rates, variance, start))
        rates, precision = self._learner(rates, variance)
        scale, curvature = _diagonal(rates), self.n * self._exact_information + _diagonal(precision)
        identity = _diagonal([Fraction(1)] * self.size)
        gain, losses = _diagonal([Fraction(0)] * self.size), []
        for _ in range(steps + 1):
            losses.append(self._exact_loss(gain, start))
            gain += scale * (identity - curvature * gain)
        return losses

    def _exact_loss(self, gain: fmpq_mat, start: Numbers) -> Fraction:
        g = self._exact_information
        left = _diagonal([Fraction(1)] * self.size) - self.n * gain * g
        offset = _exact([[a - b] for a, b in zip(self._start(start), self.prior_mean, strict=True)])
        before = _diagonal(self.prior_variance) + offset * offset.transpose()
        after = left * before * left.transpose() + self.n * gain * g * gain.transpose()
        return exact_rational((self.outputs + _trace(g * after)) / 2)

    def limit(
        self, variance: Numbers = None, start: Numbers = None, rates: Numbers | None = None, exact: bool = False
    ) -> float | Fraction:
        """Where the curve ends as the steps go on: the loss of `converged`, with the same arguments and errors.

        With `exact` it is a fraction; the curvature must then be nonsingular.

        Raises:
            ValueError: as `converged`; with `exact`, a singular curvature.
        """
        estimator = self.converged(variance, start, rates)
        if not exact:
            return self.expected_loss(estimator)
        moves, precision = self._learner(1 if rates is None else rates, variance)
        kept = [m for m, rate in enumerate(moves) if rate > 0]
        gain = _diagonal([Fraction(0)] * self.size)
        if kept:
            curvature = self.n * self._exact_information + _diagonal(precision)
            block = fmpq_mat(len(kept), len(kept), [curvature[i, j] for i in kept for j in kept])
            if block.det() == 0:
                raise ValueError(
                    "the curvature of the adapting entries is singular; give them a variance, or exact=False"
                )
            inverse = block.inv()
            for i, row in enumerate(kept):
                for j, column in enumerate(kept):
                    gain[row, column] = inverse[i, j]
        return self._exact_loss(gain, start)

    def bayes_risk(self, exact: bool = False) -> float | Fraction:
        """The least expected loss that any learner can have: the posterior mean's, which is the MAP under the tasks' own σ²."""
        return self.limit(self.prior_variance, exact=exact)


def chen2019_experiment1(n: int = 4) -> LinearGaussian:
    """Experiment 1 of chen2019, Appendix D. The paper does not state n.

    The last row of A, 1ᵀ/√8 with noise variance 1, is given as 1ᵀ with noise variance 8.
    """
    design = [[int(i == j) for j in range(8)] for i in range(8)] + [[1] * 8]
    return LinearGaussian(design, [64] * 4 + [25] * 4 + [8], 1, [64] * 4 + [4] * 4, n)


# --- the best parameters of each method ------------------------------------------------------------------------------


def best_step(curve: Sequence[object]) -> int:
    """The step with the least loss, the first of them if there are several: where to stop."""
    return min(range(len(curve)), key=lambda step: curve[step])


def _modules(modules: Sequence[Hashable] | None, size: int) -> np.ndarray:
    """(size,) the number of each entry's module, from a label per entry; None makes every entry its own."""
    labels = list(range(size)) if modules is None else list(modules)
    if len(labels) != size:
        raise ValueError(
            f"modules has {len(labels)} labels and the model has {size} entries; give each entry its module"
        )
    order = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return np.array([order[label] for label in labels])


def _means(values: np.ndarray, modules: np.ndarray) -> np.ndarray:
    return np.bincount(modules, values) / np.bincount(modules)


def _minimise(loss: Callable, starts: Iterable[np.ndarray], gradient: Callable | str = "3-point") -> np.ndarray:
    """The best of the local minima over log parameters that are found from these starts."""

    def bounded(x: np.ndarray) -> float:
        return min(loss(np.exp(x.clip(-300, 300))), 1e100)  # where descent diverges

    options = {"gtol": 1e-10}
    found = [
        scipy.optimize.minimize(bounded, x, jac=gradient, method="BFGS", options=options) for x in map(np.log, starts)
    ]
    return np.exp(min(found, key=lambda result: result.fun).x.clip(-300, 300))


def best_rates(
    problem: LinearGaussian,
    steps: int,
    modules: Sequence[Hashable] | None = None,
    variance: Numbers = None,
    start: Numbers = None,
) -> Optimum:
    """The learning rates with the least expected loss after `steps` steps: what MAML and M-MAML learn, without sampling.

    The best start is the mean of the tasks, with any rates: a start off by b adds ½ bᵀRᵀGRb to the loss, R = I − n gain G.

    Args:
        problem: the tasks.
        steps: the number of steps, 1 or more.
        modules: a label per entry; entries with the same label share a rate. One label for all is MAML, none (None) one rate
            for every entry.
        variance: σ² of the learner's prior, as in `LinearGaussian.descent`.
        start: φ.

    Raises:
        ValueError: no step, or as `LinearGaussian.descent`.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps is {steps}; the number of steps is a whole number, and rates matter from 1 on")
    modules = _modules(modules, problem.size)
    base = problem.descent(steps, 1, variance, start)
    moves, precision = (np.array(x, dtype=float) for x in problem._learner(1, variance))

    def learner(rates: np.ndarray) -> Estimator:
        return replace(base, gain=problem._gain(moves * rates[modules], precision, lambda h: 1 - (1 - h) ** steps))

    def loss(rates: np.ndarray) -> float:
        return problem.expected_loss(learner(rates))

    curvature = problem.n * problem.information + np.diag(precision)
    stable = 2 / np.linalg.eigvalsh(curvature).max()
    common = stable * np.geomspace(1e-4, 1, 81)
    losses = np.array([loss(np.full(modules.max() + 1, rate)) for rate in common])
    flank = np.r_[np.inf, losses, np.inf]
    valleys = common[(losses <= flank[:-2]) & (losses <= flank[2:])]
    starts = [np.full(modules.max() + 1, rate) for rate in valleys]
    own = _means(2 / curvature.diagonal(), modules)
    starts += [np.minimum(own * part, stable * 50) for part in (1 / steps, 0.05, 0.2)] if modules.max() else []
    best = _minimise(loss, starts)
    return Optimum(best[modules], float(loss(best)), learner(best))


def best_flow_time(problem: LinearGaussian, start: Numbers = None) -> Optimum:
    """The time after which gradient flow from φ has the least expected loss: MAML with one rate, or Reptile, for many steps.

    Returns:
        `values` is the time, a single number: the rate times the number of steps.
    """
    times = np.geomspace(1e-3, 1e4, 281) / (problem.n * np.linalg.eigvalsh(problem.information).max())
    losses = problem.expected_loss(problem.flow(times, start=start))
    near = times[best_step(losses)]
    (best,) = _minimise(lambda t: problem.expected_loss(problem.flow(t[0], start=start)), [np.array([near])])
    estimator = problem.flow(best, start=start)
    return Optimum(np.array(best), float(problem.expected_loss(estimator)), estimator)


def best_variance(
    problem: LinearGaussian,
    modules: Sequence[Hashable] | None = None,
    steps: int | None = None,
    rates: Numbers | None = None,
) -> Optimum:
    """The σ² with the least expected loss of the MAP estimate, converged or after some steps: what Shrinkage aims at.

    Converged and with a σ² for every entry it is the tasks' own variance, and the loss is the Bayes risk. After some steps it is
    another: where descent is slow, stopping early shrinks already, and the best σ² is larger or infinite. 0 and infinity are
    returned as such.

    Args:
        problem: the tasks.
        modules: a label per entry, as in `best_rates`.
        steps: the number of steps, 1 or more; left out, the estimate is the converged one.
        rates: the learning rates of these steps, as in `LinearGaussian.descent`.

    Raises:
        ValueError: steps without rates or the other way round, no step, or as `LinearGaussian.descent`.
    """
    if (steps is None) != (rates is None):
        raise ValueError(
            f"steps is {steps} and rates {rates}; give both for a horizon, or neither for the converged estimate"
        )
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1):
        raise ValueError(f"steps is {steps}; the number of steps is a whole number, and σ matters from 1 on")
    labels = _modules(modules, problem.size)

    def learner(variance: np.ndarray) -> Estimator:
        if steps is None:
            return _map(problem, variance[labels])
        return problem.descent(steps, rates, [float(v) for v in variance[labels]])

    def loss(variance: np.ndarray) -> float:
        return problem.expected_loss(learner(variance))

    def gradient(x: np.ndarray) -> np.ndarray:
        return -_shrinkage_gradient(problem, np.exp(x.clip(-300, 300))[labels], labels, "block")

    centre = _means(np.maximum(problem._variance, 1e-6), labels)
    starts = [centre * factor for factor in (4, 1, 0.25)]
    best = _minimise(loss, starts, gradient) if steps is None else _minimise(loss, starts)
    # the search goes on for ever where no prior is best, or where it is best not to adapt: say so
    limits = np.where(best > 1e6 * centre, inf, np.where(best < 1e-6 * centre, 0, best))
    if loss(limits) <= loss(best) * (1 + 1e-12):
        best = limits
    return Optimum(best[labels], float(loss(best)), learner(best))


def _map(problem: LinearGaussian, variance: np.ndarray) -> Estimator:
    """`LinearGaussian.converged` from the mean of the tasks, for finite σ² in floating point."""
    precision = np.divide(1, variance, where=variance > 0, out=np.zeros_like(variance))
    return Estimator(problem._limit_gain(variance > 0, precision), problem._mean)


def _displacement(problem: LinearGaussian, estimator: Estimator) -> tuple[np.ndarray, np.ndarray]:
    """E u uᵀ and E u (θ̂ − θ)ᵀ for u = θ̂ − φ, (M, M) each, for a learner that starts at the mean of the tasks."""
    pull = problem.n * estimator.gain @ problem.information
    squared = (pull * problem._variance) @ pull.T + pull @ estimator.gain.T
    return squared, squared - pull * problem._variance


# --- the fixed points of Shrinkage's learning rules ------------------------------------------------------------------

_GRADIENTS = ("h_free", "diagonal", "block")


def shrinkage_gradient(
    problem: LinearGaussian, variance: Numbers, modules: Sequence[Hashable] | None = None, gradient: str = "h_free"
) -> np.ndarray:
    """The expected gradient by which Shrinkage moves log σ², per task and validation observation, one entry per module.

    With u = θ̂ − φ for the MAP estimate θ̂ and s = −G(θ̂ − θ), the expected slope of the validation log-likelihood: "h_free" is
    Σ_m E u_m s_m, chen2019, eq. (4); "diagonal" weighs each term by σ_m⁻²/((NG)_mm + σ_m⁻²), eq. (29); "block" is
    Σ_m σ_m⁻² E u_m ((NG + P)⁻¹s)_m, eq. (28) put into (25), which is the gradient of the expected predictive log-likelihood at
    fixed φ. The sums run over a module. φ is the mean of the tasks.

    Args:
        problem: the tasks.
        variance: σ², positive, one number or one per entry.
        modules: a label per entry, as in `best_rates`.
        gradient: "h_free", "diagonal" or "block".

    Raises:
        ValueError: another name of a gradient, a variance that is not positive and finite, a wrong length.
    """
    if gradient not in _GRADIENTS:
        raise ValueError(f"gradient is {gradient!r}; choose one of {', '.join(_GRADIENTS)}")
    modules = _modules(modules, problem.size)
    variance = np.array(_numbers(variance, problem.size, "variance"), dtype=float)
    if not variance.min() > 0:
        raise ValueError(f"variance holds {variance.min()}; log σ² moves only where σ² is above 0")
    return _shrinkage_gradient(problem, variance, modules, gradient)


def _shrinkage_gradient(
    problem: LinearGaussian, variance: np.ndarray, modules: np.ndarray, gradient: str
) -> np.ndarray:
    estimator = _map(problem, variance)
    _, with_error = _displacement(problem, estimator)
    terms = -with_error @ problem.information
    if gradient == "diagonal":
        terms = terms / (1 + problem.n * problem.information.diagonal() * variance)[:, None]
    elif gradient == "block":
        terms = terms @ estimator.gain / variance[:, None]
    return np.bincount(modules, terms.diagonal())


def shrinkage_fixed_point(
    problem: LinearGaussian, modules: Sequence[Hashable] | None = None, gradient: str = "h_free"
) -> Optimum:
    """The σ² at which `shrinkage_gradient` vanishes in every module, and the expected loss there.

    With a σ² for every entry all three gradients vanish at the tasks' own variance. With a shared σ² only "block" has its zero at
    the best one.

    Args:
        problem: the tasks.
        modules: a label per entry, as in `best_rates`.
        gradient: as in `shrinkage_gradient`.

    Raises:
        ValueError: another name of a gradient, or no zero was found.
    """
    if gradient not in _GRADIENTS:
        raise ValueError(f"gradient is {gradient!r}; choose one of {', '.join(_GRADIENTS)}")
    labels = _modules(modules, problem.size)
    centre = _means(np.maximum(problem._variance, 1e-6), labels)

    def slope(x: np.ndarray) -> np.ndarray:
        return _shrinkage_gradient(problem, np.exp(x.clip(-300, 300))[labels], labels, gradient)

    for factor in (2, 0.5, 1, 4, 0.25):
        x = np.log(factor * centre)
        found = scipy.optimize.root(slope, x, tol=1e-13)
        if np.abs(found.fun).max() < 1e-9 * np.abs(slope(x)).max() + 1e-14 and np.abs(found.x - x).max() < 12:
            variance = np.exp(found.x)[labels]
            estimator = _map(problem, variance)
            return Optimum(variance, float(problem.expected_loss(estimator)), estimator)
    raise ValueError(f"no zero of the {gradient!r} gradient was found near {centre}; a prior variance of 0 has none")


def joint_map_variance(
    problem: LinearGaussian, modules: Sequence[Hashable] | None = None, initial: Numbers | None = None
) -> Optimum:
    """The σ² at which ascent of the joint density over θ, φ and σ ends, for infinitely many tasks (chen2019, Appendix B).

    The density is stationary in σ_m² where σ_m² = E (θ̂_m − φ_m)², averaged over the module, θ̂ being the MAP estimate under σ²;
    this map is applied until it rests. A module whose σ² runs off to 0 ends there: it does not adapt. φ is the mean of the tasks.

    Args:
        problem: the tasks.
        modules: a label per entry, as in `best_rates`.
        initial: σ² at the outset. If left out, 100 times the tasks' variance, and a millionth more from each entry to the next:
            where entries are alike and their common rest is unstable, they part in the same way on every machine.

    Raises:
        ValueError: a wrong length or a negative variance, or no rest after 100 000 rounds.
    """
    labels = _modules(modules, problem.size)
    variance = 100 * problem._variance * (1 + 1e-6 * np.arange(problem.size))
    if initial is not None:
        variance = np.array(_numbers(initial, problem.size, "initial"), dtype=float)
    if variance.min() < 0:
        raise ValueError(f"initial holds {variance.min()}; a variance must be 0 or more")
    variance = _means(variance, labels)[labels]
    nothing = 1e-12 * max(problem._variance.max(), variance.max())
    for _ in range(100_000):
        squared, _ = _displacement(problem, _map(problem, variance))
        after = _means(squared.diagonal(), labels)[labels]
        after = np.where(after > nothing, after, 0)
        if np.allclose(after, variance, rtol=1e-12, atol=0):
            estimator = _map(problem, after)
            return Optimum(after, float(problem.expected_loss(estimator)), estimator)
        variance = after
    raise ValueError(
        "the map did not come to rest in 100 000 rounds; the tasks' variance is near the one where σ² collapses"
    )


# --- how many observations? -------------------------------------------------------------------------------------------


def plateaus(problem: LinearGaussian) -> dict[str, Optimum]:
    """Where each method of chen2019's Experiment 1 ends when it has learned all that it can, from infinitely many tasks.

    Returns:
        "m_shrinkage": a σ² for every entry, which gives the Bayes risk; "shrinkage": the best single σ²; "shrinkage_h_free": the
        single σ² at the zero of eq. (4); "maximum_likelihood": descent without shrinkage, after many steps; "early_stopping": the
        same, stopped at its best; "joint_map": σ² of every entry by the joint density.
    """
    one = [0] * problem.size
    likelihood, bayes = problem.converged(), _map(problem, problem._variance)
    return {
        "m_shrinkage": Optimum(problem._variance, float(problem.expected_loss(bayes)), bayes),
        "shrinkage": best_variance(problem, one),
        "shrinkage_h_free": shrinkage_fixed_point(problem, one),
        "maximum_likelihood": Optimum(np.full(problem.size, inf), float(problem.expected_loss(likelihood)), likelihood),
        "early_stopping": best_flow_time(problem),
        "joint_map": joint_map_variance(problem),
    }


@dataclass(frozen=True)
class Candidate:
    """One candidate for the number n of observations, held against measured losses.

    Attributes:
        n: the number of observations.
        expected: the exact losses, by the names of `plateaus`.
        deviation: (measured − exact) / standard deviation of a measured loss, by the same names.
        misfit: rᵀC⁻¹r for the deviations r and their covariance C, as many degrees of freedom as losses measured.
    """

    n: int
    expected: dict[str, float]
    deviation: dict[str, float]
    misfit: float


def infer_observations(
    problem: LinearGaussian,
    measured: Mapping[str, float],
    tasks: int,
    candidates: Iterable[int] = range(1, 13),
    tolerance: float = 0.0,
) -> list[Candidate]:
    """Judge numbers n of observations by losses that were measured on test tasks, the same ones for every method.

    Args:
        problem: the tasks; its own n plays no part.
        measured: a loss for some of the names of `plateaus`.
        tasks: the number of test tasks, each with n validation observations.
        candidates: the n to judge.
        tolerance: a standard deviation that every measured loss has besides, on its own: reading a figure, learning that
            stopped short.

    Raises:
        ValueError: a name that `plateaus` does not know, no measured loss, a number of tasks below 1, a negative tolerance.
    """
    if tasks < 1 or tolerance < 0:
        raise ValueError(f"tasks is {tasks} and tolerance {tolerance}; they must be at least 1 and at least 0")
    judged = []
    for n in candidates:
        known = plateaus(replace(problem, n=n))
        unknown = set(measured) - set(known)
        if unknown or not measured:
            raise ValueError(f"measured names {sorted(unknown) or 'nothing'}; the names are {', '.join(known)}")
        names = list(measured)
        covariance = replace(problem, n=n).loss_covariance([known[name].estimator for name in names]) / tasks
        covariance += tolerance**2 * np.eye(len(names))
        rest = np.array([measured[name] - known[name].loss for name in names])
        scaled = rest / np.sqrt(covariance.diagonal())
        judged.append(
            Candidate(
                n,
                {name: optimum.loss for name, optimum in known.items()},
                dict(zip(names, scaled.tolist(), strict=True)),
                float(rest @ np.linalg.solve(covariance, rest)),
            )
        )
    return judged
