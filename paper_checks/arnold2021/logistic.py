"""Appendix B.1: what is said of logistic regression without an experiment. arnold2019, Section 3.2, says the same of other labels."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from scipy import optimize
from torch import Tensor

from analysis import CRITICAL_RATE, GaussianLogistic, accuracy_at_angle, sampled_bayes_accuracy

from ..framework import Finding, Proposition
from .paper import PAPER

__all__ = ["best_start", "sufficient", "task_gradient"]

RATE = 0.9  # Table D.5
VERY_HIGH = 0.9  # what is taken for "very high accuracy", a low bar
DRAWS = 50_000


# --- the witness: float64 torch, autograd through the inner step, nothing of `analysis` --------------------------------


def _legendre(count: int, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Gauss–Legendre nodes and weights on [low, high], by the eigenvalues of the Jacobi matrix."""
    k = torch.arange(1, count, dtype=torch.float64)
    off = k / torch.sqrt(4 * k**2 - 1)
    nodes, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    return low + (high - low) / 2 * (nodes + 1), (high - low) * vectors[0] ** 2


def _inputs() -> tuple[Tensor, Tensor]:
    """Nodes (N, 2) and weights of x ~ N(0, I₂) in polar coordinates; x₁ > 0 and x₁ < 0 apart, so that a label may jump at 0."""
    radius, weight = _legendre(32, 0, 9)
    weight = weight * radius * torch.exp(-(radius**2) / 2) / (2 * math.pi)
    halves = [_legendre(20, low, low + math.pi) for low in (-math.pi / 2, math.pi / 2)]
    turn, turn_weight = (torch.cat(parts) for parts in zip(*halves, strict=True))
    x = radius[:, None, None] * torch.stack([torch.cos(turn), torch.sin(turn)], -1)
    return x.reshape(-1, 2), (weight[:, None] * turn_weight).reshape(-1)


X, X_WEIGHT = _inputs()


def _probability(along: Tensor, norms: Tensor) -> Tensor:
    """P(y = 1) at eᵀx = `along`; the labels are separable where the norm is infinite."""
    sampled = torch.sigmoid(torch.where(torch.isinf(norms), 1.0, norms) * along)
    return torch.where(torch.isinf(norms), (along > 0).double(), sampled)


def task_loss(c: Tensor, norms: Tensor) -> Tensor:
    """Expected cross-entropy (T,) of weights c (T, 2), in the plane of c and θ with θ = (‖θ‖, 0); `norms` is ‖θ‖ (T,)."""
    logit = c @ X.T
    label = _probability(X[:, 0], norms[:, None])
    return (torch.nn.functional.softplus(logit) - label * logit) @ X_WEIGHT


def task_gradient(c: Tensor, norms: Tensor) -> Tensor:
    """Its gradient (T, 2) in c, by autograd."""
    at = c.detach().requires_grad_()
    return torch.autograd.grad(task_loss(at, norms).sum(), at)[0]


def _tasks(dimension: int, labels: str) -> tuple[Tensor, Tensor, Tensor]:
    """All tasks as seen from a start: its direction (T, 2) in the plane where θ = (‖θ‖, 0), ‖θ‖ (T,), and weights (T,)."""
    between, weight = _legendre(24, 0, math.pi)
    weight = weight * torch.sin(between) ** (dimension - 2)
    norms, norm_weight = torch.tensor([math.inf]).double(), torch.ones(1).double()
    if labels == "sampled":
        norms, norm_weight = _legendre(16, max(0.0, dimension**0.5 - 7), dimension**0.5 + 7)
        log_density = (dimension - 1) * torch.log(norms) - norms**2 / 2
        norm_weight = norm_weight * torch.exp(log_density - log_density.max())
    directions = torch.stack([torch.cos(between), torch.sin(between)], -1)
    weights = (weight[:, None] * norm_weight).reshape(-1)
    return (
        directions.repeat_interleave(len(norms), 0),
        norms.repeat(len(between)),
        weights / weights.sum(),
    )


def _maml_slope(start_norm: float, rate: float, dimension: int, labels: str) -> tuple[float, float]:
    """The one-step MAML loss at a start of this norm and its derivative in the norm, by autograd through the inner step."""
    directions, norms, weights = _tasks(dimension, labels)
    size = torch.tensor(start_norm, dtype=torch.float64, requires_grad=True)
    c = size * directions
    (slope,) = torch.autograd.grad(task_loss(c, norms).sum(), c, create_graph=True)
    loss = weights @ task_loss(c - rate * slope, norms)
    return loss.item(), torch.autograd.grad(loss, size)[0].item()


@lru_cache
def _minima(rate: float, dimension: int, labels: str) -> list[tuple[float, float]]:
    """(norm, loss) of the minima of the MAML loss among starts of norm 0 … 6, by the sign of its radial derivative."""
    grid = [0.5 * k for k in range(1, 13)]
    slopes = [_maml_slope(norm, rate, dimension, labels)[1] for norm in grid]
    found = [(0.0, _maml_slope(0.0, rate, dimension, labels)[0])] if slopes[0] > 0 else []
    for low, high, before, after in zip(grid, grid[1:], slopes, slopes[1:], strict=False):
        if before < 0 < after:
            root = optimize.brentq(lambda x: _maml_slope(x, rate, dimension, labels)[1], low, high, xtol=1e-5)
            found.append((root, _maml_slope(root, rate, dimension, labels)[0]))
    return found


def _loss_of_accuracy(start_norm: float, rate: float, dimension: int, labels: str) -> tuple[float, float]:
    """By how much one step leaves the accuracy below that of θ itself, and the standard error, on fresh points of sampled tasks."""
    generator = torch.Generator().manual_seed(2021)
    theta = torch.randn(1000, dimension, generator=generator, dtype=torch.float64)
    norms = theta.norm(dim=1)
    cosine = theta[:, 0] / norms
    norms = norms if labels == "sampled" else torch.full_like(norms, math.inf)
    start = start_norm * torch.stack([cosine, torch.sqrt(1 - cosine**2)], -1)
    after = start - rate * task_gradient(start, norms)
    x = torch.randn(1000, 100, 2, generator=generator, dtype=torch.float64)
    right = _probability(x[..., 0], norms[:, None])
    best = torch.maximum(right, 1 - right)
    reached = torch.where((x * after[:, None]).sum(-1) > 0, right, 1 - right)
    lost = (best - reached).mean(1)
    return lost.mean().item(), (lost.std() / len(lost) ** 0.5).item()


# --- the claims ------------------------------------------------------------------------------------------------------


@PAPER.claim(
    "b1-minimizer",
    "B.1",
    "LR: the minimizer for the MAML loss L_maml is the origin, due to the rotation invariances of task parameters and inputs",
    assumptions=("one inner step; inner and outer loss are expectations over x and y",),
)
def minimizer() -> Proposition:
    tasks = GaussianLogistic(2, "sampled")

    def rates(up_to: float) -> list[float]:
        return [rate for rate in (RATE, 3.9, 8.0) if rate <= up_to]

    def check(up_to: float, norm: float) -> Finding:
        """For every rate up to `up_to` the MAML loss has one minimiser, and its norm is `norm`."""
        if up_to > CRITICAL_RATE:
            rate = rates(up_to)[-1]
            _, sphere = tasks.maml_minimisers(rate)
            return Finding(
                False,
                f"at α = {rate:g} every c of norm {sphere:.4f} has the loss of the origin, {tasks.maml_loss(0, rate):.6f}",
            )
        found = {rate: tasks.maml_minimisers(rate) for rate in rates(up_to)}
        curvature = ", ".join(f"{tasks.maml_curvature(rate):.4f} at α = {rate:g}" for rate in found)
        if all(norms == (norm,) for norms in found.values()):
            return Finding(
                True,
                "the loss depends on c through (1 − ακ(‖c‖)) ‖c‖ alone, is even and strictly convex in it, and κ ≤ κ(0) = ¼; the Hessian "
                f"at the origin is λ I, λ = {curvature}",
            )
        return Finding(False, f"the minimiser is the origin, and not at ‖c‖ = {norm:g}: λ = {curvature}")

    def numerically(up_to: float, norm: float) -> Finding:
        for rate in rates(up_to):
            minima = _minima(rate, 2, "sampled")
            least = min(loss for _, loss in minima)
            best = [at for at, loss in minima if loss < least + 1e-6]
            if len(best) != 1 or abs(best[0] - norm) > 1e-3:
                return Finding(
                    False, f"by autograd, α = {rate:g}: least at ‖c‖ = {', '.join(f'{at:.4f}' for at in best)}"
                )
        return Finding(True, f"by autograd at {len(rates(up_to))} rates: least at ‖c‖ = {norm:g} alone, of all ‖c‖ ≤ 6")

    return Proposition(
        check,
        stated={"up_to": math.inf, "norm": 0.0},
        weaker={"up_to": CRITICAL_RATE, "norm": 0.0},
        assumption="α ≤ 4 = 1/σ′(0)",
        control={"up_to": CRITICAL_RATE, "norm": 1.0},
        witness=numerically,
        note="Table D.5 has α = 0.9. The invariance alone makes the origin stationary; it is a strict local minimum at every α ≠ 4, and at "
        "every α where the inner step sees finitely many points",
    )


def best_start(dimension: int, labels: str, rate: float, note: str) -> Proposition:
    """One step from the origin has the accuracy of the task's own θ; from another start it does not."""
    tasks = GaussianLogistic(dimension, labels)

    def check(start: float) -> Finding:
        reached, best = tasks.accuracy_from(start, rate), tasks.bayes_accuracy()
        told = f"from ‖c‖ = {start:g} one step at α = {rate:g} has the accuracy {reached:.4f}, and the best there is is {best:.4f}"
        # the step leaves (1 − ακ(‖c‖)) c + αM e, whose direction is that of θ for every task only where the first term is 0
        return Finding(start in tasks.maml_minimisers(rate) and reached == best, told)

    def numerically(start: float) -> Finding:
        lost, error = _loss_of_accuracy(start, rate, dimension, labels)
        return Finding(
            lost <= 5 * error + 1e-12,
            f"by autograd and sampling from ‖c‖ = {start:g}: {lost:.4f} ± {error:.4f} below the best",
        )

    return Proposition(check, stated={"start": 0.0}, control={"start": 0.5}, witness=numerically, note=note)


def sufficient(
    dimension: int, stated: dict, weaker: dict | None, control: dict, assumption: str, note: str
) -> Proposition:
    """The accuracy of sign(θᵀx) is very high; parameters are `labels` and, where it is another one, `dimension`."""

    def check(labels: str, dimension: int = dimension) -> Finding:
        exact = sampled_bayes_accuracy(dimension) if labels == "sampled" else 1
        shown = f"{exact} = {float(exact):.4f}" if labels == "sampled" else "1"
        if abs(float(exact) - GaussianLogistic(dimension, labels).bayes_accuracy()) > 1e-9:
            raise ArithmeticError("the closed form of the best accuracy is not what the quadrature gives")
        return Finding(
            exact > VERY_HIGH,
            f"with {labels} labels in R^{dimension} the best accuracy of any classifier is {shown} on average",
        )

    def numerically(labels: str, dimension: int = dimension) -> Finding:
        generator = torch.Generator().manual_seed(1)
        theta, x = torch.randn(2, DRAWS, dimension, generator=generator, dtype=torch.float64)
        along = (theta * x).sum(-1) / theta.norm(dim=1)
        norms = theta.norm(dim=1) if labels == "sampled" else torch.full_like(along, math.inf)
        right = _probability(along, norms)
        best = torch.maximum(right, 1 - right)
        mean, error = best.mean().item(), (best.std() / DRAWS**0.5).item()
        if abs(mean - VERY_HIGH) < 5 * error:
            raise ArithmeticError(f"sampling does not decide: {mean:.4f} ± {error:.4f}")
        return Finding(mean > VERY_HIGH, f"by sampling {mean:.4f} ± {error:.4f}")

    return Proposition(
        check, stated=stated, weaker=weaker, control=control, witness=numerically, assumption=assumption, note=note
    )


@PAPER.claim(
    "b1-origin-best",
    "B.1",
    "LR: the origin thus provides the best initialization to adapt to new tasks by not favoring any particular task",
    assumptions=("the inner step takes the gradient of the expected cross-entropy",),
    uses=("b1-minimizer",),
)
def origin_best() -> Proposition:
    tasks = GaussianLogistic(2, "sampled")
    on_fresh = ", ".join(f"{tasks.adapted_accuracy(n):.3f} on n = {n}" for n in (10, 100))
    return best_start(
        2,
        "sampled",
        RATE,
        f"So one step from the origin is far from chance; on n points it has, on fresh ones, {on_fresh}, whatever α > 0. Chance is left "
        f"to those that start far away: 0.51 is what ‖c‖ = {tasks.start_norm_for(0.51, RATE):.2f} has",
    )


@PAPER.claim(
    "b1-sufficient",
    "B.1",
    "by construction, logistic regression is sufficient to achieve very high accuracy on any task",
)
def sufficient_in_the_plane() -> Proposition:
    needed = optimize.brentq(lambda r: accuracy_at_angle(0.0, r) - VERY_HIGH, 0.1, 100)
    return sufficient(
        2,
        stated={"labels": "sampled"},
        weaker={"labels": "separable"},
        control={"labels": "sampled", "dimension": 4},
        assumption='the labels are the sign of θᵀx, as the caption of Figure B.1 has it ("linear separable data"), and not drawn from '
        "σ(θᵀx), as the text has it",
        note=f"Drawn labels allow {VERY_HIGH:g} only where ‖θ‖ > {needed:.2f}, which {math.exp(-(needed**2) / 2):.1e} of the tasks have; "
        'the "nearly perfect classification on any task" of Figure B.1 is then out of reach of every model',
    )
