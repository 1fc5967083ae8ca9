"""What one gradient step does to logistic regression on Gaussian inputs, started at the origin or elsewhere.

A task has a weight θ ~ N(0, I_d), inputs x ~ N(0, I_d) and labels y ∈ {0, 1}: "separable", y = 1 where θᵀx > 0 (arnold2019, Section
3.2 and A.1.1), or "sampled", y ~ Bernoulli(σ(θᵀx)) (arnold2021, B.1). Separable labels are the limit ‖θ‖ → ∞ of sampled ones, so that
one formula serves both. The loss is the mean cross-entropy; its gradient at c is the mean of (σ(cᵀx) − y) x.

Write e = θ/‖θ‖, s = 2y − 1 and r = ‖θ‖, with r = ∞ for separable labels.

- At the origin the gradient is −(1/2n) Σ s_i x_i. The vectors s_i x_i are independent; along e each has the density 2 φ(u) σ(ru), whose
  square has mean 1, and across e it is N(0, I_{d−1}), exactly and independently of u. (The label depends on eᵀx alone, and φ is even.)
- In expectation the gradient at c is κ(‖c‖) c − M(r) e, with κ(ρ) = E σ'(ρz), z ~ N(0, 1), and M(r) = r κ(r). This is Stein's lemma,
  E[f(cᵀx) x] = c E f'(cᵀx), for f = σ. For r = ∞ it is E[1{z > 0} z] = 1/√(2π). So one step from the origin goes along θ.

**No one-step method from the origin does better.** *Proposition.* Let g be the mean gradient at the origin, on any number n of points. Of
all classifiers sign(aᵀx) with a a function of g, a = −g has the greatest expected accuracy on fresh points, for either kind of labels.
That covers every inner rate, every preconditioner, Kronecker-factored or not, every network that transforms g, and every deep linear
network whose effective weight starts at 0, since its layers see the data through g alone. *Proof.* Let v = −2ng = Σ s_i x_i. Given e, its
density at v is proportional to exp(−‖v‖²/2n) R(vᵀe), where R(a) = E Π 2σ(r(a/n + ε_i)) and the ε_i are standard normal less their mean. R
does not decrease. The prior of e is uniform, so that its posterior is a nondecreasing function f of vᵀe: symmetric about v, and heaviest
next to it. The accuracy of a unit vector a is a nondecreasing function h of aᵀe. Let the reflection Q exchange a and v/‖v‖. For each pair
e, Qe the choice v/‖v‖ gains (f(vᵀe) − f(vᵀQe)) (h(vᵀe) − h(vᵀQe)) ≥ 0 over the choice a. Integrate over e, and then over r. ∎

Every number that is not exact is a quadrature of an analytic function, by the trapezoidal rule after a double-exponential change of
variable. Unless a docstring says otherwise, its absolute error is below 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import atan2, ceil, inf, isinf, log, pi, sqrt
from typing import Literal

import numpy as np
import sympy
from scipy import optimize, special

__all__ = [
    "CRITICAL_RATE",
    "GaussianLogistic",
    "accuracy_at_angle",
    "expected_gradient",
    "label_signal",
    "mean_angle",
    "one_point_angle",
    "sampled_bayes_accuracy",
    "stein_factor",
]

Labels = Literal["separable", "sampled"]

CRITICAL_RATE = 4
"""1/σ'(0): up to this inner rate the origin is the only minimiser of the population's one-step MAML loss."""


# --- quadrature ------------------------------------------------------------------------------------------------------


def _half_line(step: float, upper: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes t and weights of ∫_0^∞ f(t) dt/t, from t = exp(y − e^{−y}) with y up to `upper`."""
    y = np.arange(-3.7, upper, step)
    return np.exp(y - np.exp(-y)), step * (1 + np.exp(-y))


_T, _weights = _half_line(1 / 32, 2.3)
_HALF_NORMAL = _weights * _T * np.exp(-(_T**2) / 2) * sqrt(2 / pi)  # E f(|z|) = _HALF_NORMAL @ f(_T) for z ~ N(0, 1)


@lru_cache
def _directions(dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the angle between a fixed direction and a uniform one in R^d, whose density is ∝ sin^{d−2}."""
    # tanh-sinh on [0, π]; the step resolves a peak of width 1/√d
    y = np.arange(-3.2, 3.2, min(1 / 32, 1 / (4 * sqrt(dimension))))
    angles = pi / 2 * (1 + np.tanh(pi / 2 * np.sinh(y)))
    weights = np.cosh(y) / np.cosh(pi / 2 * np.sinh(y)) ** 2 * np.sin(angles) ** (dimension - 2)
    return angles, weights / weights.sum()


@lru_cache
def _gauss_legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of ∫_{−1}^1."""
    return special.roots_legendre(count)


def _over_half_line(f: Callable[[np.ndarray], np.ndarray], tolerance: float = 1e-10) -> float:
    """∫_0^∞ f(v) dv/v, the step halved until two values agree."""
    before = inf
    for step in (2.0**-k for k in range(3, 10)):
        nodes, weights = _half_line(step, 18.0)
        value = float(weights @ f(nodes))
        if abs(value - before) < tolerance:
            return value
        before = value
    raise ArithmeticError(
        f"the quadrature did not settle within {tolerance:g}: above about 10⁶ points the n-th power is lost to rounding; "
        "use large_sample_angle there"
    )


def _mean_chi(degrees: int) -> float:
    """E‖Z‖ for Z standard normal in R^degrees."""
    return sqrt(2) * float(np.exp(special.gammaln((degrees + 1) / 2) - special.gammaln(degrees / 2)))


# --- the ingredients -------------------------------------------------------------------------------------------------


def stein_factor(norm: float) -> float:
    """κ(ρ) = E σ'(ρz), z ~ N(0, 1): the population's gradient of softplus at c is κ(‖c‖) c. It falls from ¼ at 0 to 0.

    Args:
        norm: ρ ≥ 0.
    """
    return float(_HALF_NORMAL @ _slope(norm * _T))


def _slope(t: np.ndarray) -> np.ndarray:
    return special.expit(t) * special.expit(-t)  # σ', without cancellation


def label_signal(norm: float) -> float:
    """M(r) = E[(y − ½) eᵀx], the length of the expected gradient at the origin: r κ(r), and 1/√(2π) for r = ∞.

    Args:
        norm: r = ‖θ‖, math.inf for separable labels.
    """
    return float(_HALF_NORMAL @ (_T * _confidence(norm))) / 2


def _confidence(norm: float) -> np.ndarray:
    """E[s | eᵀx = t] = tanh(rt/2) at the nodes: how much more likely the label σ(rt) is than the other one."""
    return np.ones_like(_T) if isinf(norm) else np.tanh(norm * _T / 2)


def expected_gradient(c: np.ndarray, theta: np.ndarray, labels: Labels) -> np.ndarray:
    """The gradient at c of the expected cross-entropy of the task θ: κ(‖c‖) c − M θ/‖θ‖ (Stein's lemma).

    Args:
        c: (d,) the model's weight.
        theta: (d,) the task's weight, not 0.
        labels: "separable" or "sampled".

    Returns:
        (d,).

    Raises:
        ValueError: theta is 0, or the labels are of another kind.
    """
    _check_labels(labels)
    c, theta = np.asarray(c, dtype=float), np.asarray(theta, dtype=float)
    norm = float(np.linalg.norm(theta))
    if norm == 0:
        raise ValueError("theta is 0; a task needs a direction")
    signal = label_signal(inf if labels == "separable" else norm)
    return stein_factor(float(np.linalg.norm(c))) * c - signal / norm * theta


def accuracy_at_angle(angle: float | np.ndarray, norm: float = inf) -> float | np.ndarray:
    """Probability that sign(cᵀx) is right on a fresh labelled point, for c at an angle from θ: 1 − angle/π if separable.

    Args:
        angle: radians in [0, π]; any shape.
        norm: ‖θ‖ of sampled labels, math.inf for separable ones.
    """
    if isinf(norm):
        return 1 - angle / pi
    turn = np.cos(angle)[..., None] / np.maximum(np.sin(angle), 1e-300)[..., None] if np.ndim(angle) else None
    if turn is None:
        return float(accuracy_at_angle(np.array([angle]), norm)[0])
    # given eᵀx = t > 0, cᵀx > 0 with probability Φ(t cot(angle))
    return 0.5 + special.erf(turn * _T / sqrt(2)) @ (_HALF_NORMAL * _confidence(norm)) / 2


def sampled_bayes_accuracy(dimension: int) -> sympy.Expr:
    """E σ(|θᵀx|) for θ, x ~ N(0, I_d), exactly: what the best classifier, which knows θ, gets on sampled labels.

    θᵀx has the characteristic function (1 + ω²)^{−d/2}. For d = 2m that is a mixture of densities |a|^k e^{−|a|}, and the
    accuracy is Σ_{j<m} C(m−1+j, j) 2^{1−m−j} η(m−j) with Dirichlet's η. For d = 2, where |θᵀx| ~ Exp(1), it is log 2.

    Args:
        dimension: d, even, 2 or more; `GaussianLogistic.bayes_accuracy` gives the number for any d.
    """
    if _checked_dimension(dimension) % 2:
        raise ValueError(f"dimension is {dimension}; the closed form is that of an even one")
    m = int(dimension) // 2
    return sympy.Add(
        *(sympy.binomial(m - 1 + j, j) * sympy.Rational(2) ** (1 - m - j) * _dirichlet_eta(m - j) for j in range(m))
    )


def _dirichlet_eta(k: int) -> sympy.Expr:
    """Σ_{j≥1} (−1)^{j−1}/j^k."""
    return sympy.log(2) if k == 1 else (1 - sympy.Rational(2) ** (1 - k)) * sympy.zeta(k)


def one_point_angle(dimension: int) -> sympy.Expr:
    """E of the angle between θ and the step from the origin on one separable point, exactly: π/4 for d = 2, 1 for d = 3.

    The step is uniform on the half sphere around θ. With I_k = ∫_0^{π/2} ψ sin^k ψ dψ, k² I_k = k (k−1) I_{k−2} + 1.

    Args:
        dimension: d ≥ 2.
    """
    k = _checked_dimension(dimension) - 2
    mean, mass = (sympy.Integer(1), sympy.Integer(1)) if k % 2 else (sympy.pi**2 / 8, sympy.pi / 2)
    for j in range(2 + k % 2, k + 1, 2):
        mean = sympy.Rational(j - 1, j) * mean + sympy.Rational(1, j**2)
        mass = sympy.Rational(j - 1, j) * mass
    return sympy.expand(mean / mass)


def mean_angle(ratio: float, dimension: int) -> float:
    """E of the angle between e and ĉ + ratio·e, where ĉ is a fixed unit vector and e uniform on the sphere of R^d.

    π/2 at ratio 0, falling to 0. For d = 2 it is π/2 − (2/π) χ₂(ratio) up to ratio 1 and (2/π) χ₂(1/ratio) from there, with
    Legendre's χ₂(x) = Σ_{j odd} x^j/j²; otherwise by quadrature.

    Args:
        ratio: 0 or more.
        dimension: d ≥ 2.
    """
    if not ratio >= 0:
        raise ValueError(f"ratio is {ratio}; it must be 0 or more")
    if _checked_dimension(dimension) == 2:
        x = min(ratio, 1 / ratio) if ratio > 0 else 0.0
        chi = float(special.spence(1 - x) - special.spence(1 + x)) / 2  # spence(1 − x) is the dilogarithm of x
        return pi / 2 - 2 / pi * chi if ratio <= 1 else 2 / pi * chi
    between, weights = _directions(dimension)
    return float(weights @ np.arctan2(np.sin(between), ratio + np.cos(between)))


def _check_labels(labels: str) -> None:
    if labels not in ("separable", "sampled"):
        raise ValueError(f"labels is {labels!r}; they are 'separable' or 'sampled'")


def _checked_dimension(dimension: int) -> int:
    if isinstance(dimension, bool) or not isinstance(dimension, int | np.integer) or dimension < 2:
        raise ValueError(f"dimension is {dimension}; it must be a whole number, 2 or more, for there to be an angle")
    return int(dimension)


# --- the step's sum --------------------------------------------------------------------------------------------------

_SMALL = 20  # from this many points on the integrals are taken along a ray that damps their oscillation


def _characteristic(z: np.ndarray, norm: float, points: int) -> np.ndarray:
    """E e^{izu} for u of the density 2 φ(u) σ(ru), at complex z in the upper half plane: Faddeeva's w(z/√2) for r = ∞.

    For finite r, w less 2i E[sin(z|t|)/(1 + e^{r|t|})]. It is set to 0 where its power `points` is negligible.
    """
    if isinf(norm):
        return special.wofz(z / sqrt(2))
    # it falls like exp(−z²/2) + exp(−πz/r); many points need it near 0 only
    reach, count = (10 * norm + 12, 128 + int(64 * norm)) if points < _SMALL else (8.0, 128)
    # few rules serve all norms
    t, weights = _gauss_legendre(128 * ceil(count / 128))
    t = 5 * (t + 1)
    weights = 5 * weights * sqrt(2 / pi) * np.exp(-(t**2) / 2) * special.expit(-norm * t)
    near = np.abs(z) <= reach
    result = np.zeros(z.shape, dtype=complex)
    result[near] = special.wofz(z[near] / sqrt(2)) - 2j * (np.sin(np.outer(z[near], t)) @ weights)
    return result


def _ray(norm: float, points: int) -> tuple[float, complex | float]:
    """The angle of the ray along which the inversion integrals are taken, and the ray's unit vector.

    By Cauchy's theorem Im ∫_0^∞ f(ω) dω/ω = angle·f(0) + Im ∫ f along the ray. On it the oscillating factor e^{iωS} decays.
    """
    return (pi / 8, np.exp(1j * pi / 8)) if isinf(norm) or points >= _SMALL else (0.0, 1.0)


def _mean_sign(points: int, dimension: int, norm: float, confidence: np.ndarray) -> float:
    """E over fresh x and the points of confidence(|eᵀx|) · sign(eᵀx) · sign(vᵀx), where v = Σ s_i x_i is the step from the origin.

    vᵀx given x = (t, ξ) is St + √n ‖ξ‖ N(0, 1). Gil-Pelaez's formula, the average over ‖ξ‖ and ω → ω/t leave one integral:
    (2/π) ∫ Im[ψ(z/√n)^n E_t confidence(t) (1 + z²/t²)^{−(d−1)/2}] dz/z, ψ the characteristic function of one s_i eᵀx_i.
    """
    angle, turn = _ray(norm, points)
    weights = _HALF_NORMAL * confidence

    def integrand(v: np.ndarray) -> np.ndarray:
        z = v * turn
        power = _characteristic(z / sqrt(points), norm, points) ** points
        seen = np.abs(power) > 1e-18
        result = np.zeros(len(v))
        across = np.exp(-(dimension - 1) / 2 * np.log1p((z[seen, None] / _T) ** 2)) @ weights
        result[seen] = (power[seen] * across).imag
        return result

    return 2 / pi * (angle * float(weights.sum()) + _over_half_line(integrand))


def _mean_support_sign(points: int, dimension: int, norm: float) -> float:
    """E of the sign of s_1 vᵀx_1, one of the step's own points: as `_mean_sign`, with its own ‖x_1‖² added to the margin.

    Given s_1 x_1 = (u, ξ) the margin is u² + ‖ξ‖² + u S' + √(n−1) ‖ξ‖ N(0, 1), with S' over the other n − 1 points, and the average
    over ‖ξ‖ is (1 − 2iω + (n−1) ω²)^{−(d−1)/2}.
    """
    if points == 1:
        return 1.0
    angle, turn = _ray(norm, points)
    right = _HALF_NORMAL * (1.0 if isinf(norm) else special.expit(norm * _T))
    wrong = _HALF_NORMAL - right  # u = −t: the point's label is the less likely one

    def integrand(v: np.ndarray) -> np.ndarray:
        z = v * turn / sqrt(points)
        power = _characteristic(z, norm, points) ** (points - 1)
        seen = np.abs(power) > 1e-18

        def own(z: np.ndarray, power: np.ndarray) -> np.ndarray:
            omega = z[seen, None] / _T
            across = (dimension - 1) / 2 * np.log(1 - 2j * omega + (points - 1) * omega**2)
            return (np.exp(1j * z[seen, None] * _T - across) * power[seen, None]).imag

        result = np.zeros(len(v))
        result[seen] = own(z, power) @ right
        if not isinf(norm):
            # there S' is weighed by u < 0, so that its factor decays in the lower half plane
            result[seen] += own(z.conj(), power.conj()) @ wrong
        return result

    return 2 / pi * (angle * float((right - wrong).sum()) + _over_half_line(integrand))


# --- the tasks -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GaussianLogistic:
    """Binary tasks on x ~ N(0, I_d) with θ ~ N(0, I_d), and logistic regression σ(cᵀx) that adapts to them by one step.

    Accuracies are expectations over tasks and data, as numbers in [0, 1].

    Args:
        dimension: d ≥ 2.
        labels: "separable", the sign of θᵀx, or "sampled", Bernoulli(σ(θᵀx)).
        norm: ‖θ‖ of sampled labels, if all tasks have the same; None for θ ~ N(0, I_d). Separable labels do not depend on it.

    Raises:
        ValueError: d below 2, other labels, a norm that is not positive or of separable labels.
    """

    dimension: int
    labels: Labels = "separable"
    norm: float | None = None

    def __post_init__(self) -> None:
        _checked_dimension(self.dimension)
        _check_labels(self.labels)
        if self.norm is not None and (self.labels == "separable" or not 0 < self.norm < inf):
            raise ValueError(
                f"norm is {self.norm} for {self.labels} labels; give a positive number for sampled ones, None else"
            )

    @cached_property
    def _norms(self) -> list[tuple[float, float]]:
        """(r, probability): ‖θ‖ as far as the labels depend on it. Gauss-Legendre for the χ_d distribution."""
        if self.labels == "separable" or self.norm is not None:
            return [(inf if self.norm is None else float(self.norm), 1.0)]
        d = self.dimension
        nodes, weights = _gauss_legendre(48)
        low, high = max(0.0, sqrt(d) - 8), sqrt(d) + 8
        r = low + (high - low) / 2 * (nodes + 1)
        density = np.exp((d - 1) * np.log(r) - r**2 / 2 - special.gammaln(d / 2) - (d / 2 - 1) * log(2))
        return list(zip(r.tolist(), ((high - low) / 2 * weights * density).tolist(), strict=True))

    def _over_tasks(self, f: Callable[[float], float]) -> float:
        return sum(probability * f(norm) for norm, probability in self._norms)

    def bayes_accuracy(self) -> float:
        """Accuracy of sign(θᵀx), the best there is: 1 for separable labels, E σ(|θᵀx|) for sampled ones.

        One step from the origin has it for n → ∞. `sampled_bayes_accuracy` gives it exactly.
        """
        return 0.5 + 0.5 * self._over_tasks(lambda r: float(_HALF_NORMAL @ _confidence(r)))

    # --- from the origin ---------------------------------------------------------------------------------------------

    def adapted_accuracy(self, points: int) -> float:
        """Accuracy on fresh points after one step of any rate > 0 from the origin.

        No other function of the mean gradient at the origin does better: the proposition in the module's docstring.

        Args:
            points: n, on which the step is taken, 1 to about 10⁶.

        Raises:
            ArithmeticError: n is too large for the quadrature; `large_sample_angle` is then all but exact.
        """
        n = _checked_points(points)
        return 0.5 + 0.5 * self._over_tasks(lambda r: _mean_sign(n, self.dimension, r, _confidence(r)))

    def support_accuracy(self, points: int) -> float:
        """Accuracy after one step of any rate > 0 from the origin, measured on the n points of the step themselves.

        Args:
            points: n, 1 or more.
        """
        n = _checked_points(points)
        return 0.5 + 0.5 * self._over_tasks(lambda r: _mean_support_sign(n, self.dimension, r))

    def adapted_angle(self, points: int) -> float:
        """E of the angle in radians between θ and the weight after one step of any rate > 0 from the origin.

        Args:
            points: n, 1 or more.
        """
        n = _checked_points(points)
        return pi / 2 * (1 - self._over_tasks(lambda r: _mean_sign(n, self.dimension, r, np.ones_like(_T))))

    def large_sample_angle(self, points: int) -> tuple[float, float]:
        """The angle of the mean, as an approximation of `adapted_angle`, and a bound of its error, which is O(1/n).

        The step is (S/n, χ_{d−1}/√n) along and across θ: a point X of the upper half plane of mean x₀. With ζ = X/x₀ − 1,
        |arg(1 + ζ) − Im ζ| ≤ π|ζ|² and E ζ = 0, so that E arg X is arg x₀ within π E|ζ|² = π Var X/|x₀|².

        Args:
            points: n, 1 or more.

        Returns:
            (angle, bound) in radians.
        """
        n, chi = _checked_points(points), _mean_chi(self.dimension - 1)

        def bound(r: float) -> float:
            m = 2 * label_signal(r)
            return pi * (1 - m**2 + self.dimension - 1 - chi**2) / (n * m**2 + chi**2)

        return self._over_tasks(lambda r: atan2(chi, 2 * label_signal(r) * sqrt(n))), self._over_tasks(bound)

    def points_needed(self, accuracy: float) -> int:
        """An n with `adapted_accuracy(n)` ≥ accuracy > `adapted_accuracy(n − 1)`; accuracy grew with n wherever it was computed.

        Args:
            accuracy: above ½ and below `bayes_accuracy`.

        Raises:
            ValueError: no number of points is enough, or one could have it without any.
            ArithmeticError: it would take more than about 10⁶ points.
        """
        best = self.bayes_accuracy()
        if not 0.5 < accuracy < best:
            raise ValueError(
                f"accuracy is {accuracy}; one step from the origin has those above 0.5 and below {best:.6g}"
            )
        enough = 1
        while self.adapted_accuracy(enough) < accuracy:
            enough *= 2
        short = enough // 2
        while enough - short > 1:
            middle = (short + enough) // 2
            short, enough = (middle, enough) if self.adapted_accuracy(middle) < accuracy else (short, middle)
        return enough

    # --- from elsewhere, in the population ---------------------------------------------------------------------------

    def _remains(self, start_norm: float, rate: float) -> float:
        """(1 − ακ(‖c‖)) ‖c‖: what a step leaves of the start, the same for every task."""
        if not (start_norm >= 0 and rate > 0):
            raise ValueError(f"start_norm is {start_norm} and rate {rate}; give one of 0 or more, and a positive rate")
        return (1 - rate * stein_factor(start_norm)) * start_norm

    def accuracy_from(self, start_norm: float, rate: float) -> float:
        """Accuracy on fresh points after one step from a fixed c of this norm, in the population (n = ∞).

        The step leaves (1 − ακ(‖c‖)) c + αM e. For separable labels the accuracy is 1 − `mean_angle`(αM/|(1 − ακ)‖c‖|)/π.

        Args:
            start_norm: ‖c‖ ≥ 0; the accuracy does not depend on the direction of c.
            rate: α > 0.
        """
        rest = abs(self._remains(start_norm, rate))
        if rest == 0:
            return self.bayes_accuracy()
        between, weights = _directions(self.dimension)

        def accuracy(r: float) -> float:
            ratio = rate * label_signal(r) / rest
            if isinf(r):
                return 1 - mean_angle(ratio, self.dimension) / pi
            angles = np.arctan2(np.sin(between), ratio + np.cos(between))
            return float(weights @ accuracy_at_angle(angles, r))

        return self._over_tasks(accuracy)

    def start_norm_for(self, accuracy: float, rate: float) -> float:
        """The ‖c‖ from which one step, in the population, has this accuracy: the inverse of `accuracy_from`.

        Args:
            accuracy: above ½ and below `bayes_accuracy`.
            rate: α in (0, 4], where accuracy falls with ‖c‖.

        Raises:
            ValueError: an accuracy or a rate out of these ranges.
        """
        best = self.bayes_accuracy()
        if not (0.5 < accuracy < best and 0 < rate <= CRITICAL_RATE):
            raise ValueError(
                f"accuracy is {accuracy} and rate {rate}; give an accuracy above 0.5 and below {best:.6g}, a rate up to 4"
            )
        high = 1.0
        while self.accuracy_from(high, rate) > accuracy:
            high *= 2
        return float(optimize.brentq(lambda x: self.accuracy_from(x, rate) - accuracy, 0.0, high, xtol=1e-10))

    # --- the MAML loss -----------------------------------------------------------------------------------------------

    def maml_loss(self, start_norm: float, rate: float) -> float:
        """The one-step MAML loss at a c of this norm: expected cross-entropy after a step, both in the population.

        With Λ(ρ) = E log(1 + e^{ρz}) it is E_r[E_β Λ(‖αM e + s ĉ‖) − αM²], s = (1 − ακ(‖c‖)) ‖c‖, β the angle between c and θ. It
        depends on c through s alone, is even and strictly convex in s, and so is least exactly where s = 0: see `maml_minimisers`.

        Args:
            start_norm: ‖c‖ ≥ 0.
            rate: α > 0.
        """
        rest = self._remains(start_norm, rate)
        between, weights = _directions(self.dimension)

        def loss(r: float) -> float:
            signal = label_signal(r)
            step = rate * signal
            length = np.sqrt(np.maximum(step**2 + rest**2 + 2 * step * rest * np.cos(between), 0))
            # log(1 + e^a) − a/2 is even, and E a = 0
            softplus = np.logaddexp(0.5 * np.outer(length, _T), -0.5 * np.outer(length, _T)) @ _HALF_NORMAL
            return float(weights @ softplus) - rate * signal**2

        return self._over_tasks(loss)

    def maml_curvature(self, rate: float) -> float:
        """λ(α): the Hessian of the one-step MAML loss at the origin is λ I, and its gradient is 0, both by symmetry.

        λ = (1 − α/4)² E_r[(E[z² σ'(αMz)] + (d − 1) κ(αM))/d]: positive for every α but 4, so that the origin is a strict local
        minimum. So it is on any finite number n of points in the step, for every α: σ''(0) = 0, so that the step is linear in c to
        second order, c ← v + Jc with J = I − (α/4n) Σ x_i x_iᵀ, and the Hessian is E[Jᵀ (∇²ℓ at v) J], with ∇²ℓ positive definite.

        Args:
            rate: α > 0.
        """
        if not rate > 0:
            raise ValueError(f"rate is {rate}; it must be positive")
        d = self.dimension

        def curvature(r: float) -> float:
            slope = _slope(rate * label_signal(r) * _T)
            return float(_HALF_NORMAL @ (slope * (_T**2 + d - 1))) / d

        return (1 - rate / CRITICAL_RATE) ** 2 * self._over_tasks(curvature)

    def maml_minimisers(self, rate: float) -> tuple[float, ...]:
        """The norms of all global minimisers of the population's one-step MAML loss, ascending.

        They solve (1 − ακ(‖c‖)) ‖c‖ = 0, and κ falls strictly from ¼ to 0: the origin alone for α ≤ 4, the origin and a whole sphere
        for α > 4.

        Args:
            rate: α > 0.
        """
        if not rate > 0:
            raise ValueError(f"rate is {rate}; it must be positive")
        if rate <= CRITICAL_RATE:
            return (0.0,)
        # κ(ρ) < 1/(ρ√(2π)), so that the root lies below the rate
        return 0.0, float(optimize.brentq(lambda x: 1 - rate * stein_factor(x), 0.0, rate, xtol=1e-12))


def _checked_points(points: int) -> int:
    if isinstance(points, bool) or not isinstance(points, int | np.integer) or points < 1:
        raise ValueError(f"points is {points}; a step is taken on a whole number of points, 1 or more")
    return int(points)
