"""The numerical witness of chen2019's theory: log densities in torch (float64), differentiated, maximised and climbed by autograd."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal
from torch.func import grad, hessian, jacrev

__all__ = [
    "climb",
    "curvature_at",
    "expected",
    "extremum",
    "jacobian",
    "joint_profile",
    "log_joint",
    "map_point",
    "modular_log_density",
    "modular_map",
    "observations",
    "points_with_spread",
    "posterior",
    "profile_slopes",
    "tensor",
    "validation_log_likelihood",
    "zero_between",
]

Rows = Sequence[Tensor]  # one tensor of observations for each task


def tensor(values: object) -> Tensor:
    """Float64."""
    return torch.as_tensor(values, dtype=torch.float64)


def observations(means: Sequence[float], counts: int | Sequence[int] = 2) -> list[Tensor]:
    """Observations with the given means: N_t of them for each task, spread about the mean."""
    counts = [int(counts)] * len(means) if isinstance(counts, int | float) else counts
    return [
        tensor(mean) + torch.linspace(-1, 1, n, dtype=torch.float64) * (n > 1)
        for mean, n in zip(means, counts, strict=True)
    ]


def points_with_spread(spread: float, n: int = 1) -> list[Tensor]:
    """Two tasks whose means spread by S."""
    return observations((spread**0.5, -(spread**0.5)), n)


def log_joint(theta: Tensor, phi: Tensor, sigma2: Tensor, rows: Rows) -> Tensor:
    """The log density log p(θ, x | φ, σ²) of the toy, constants included."""
    likelihood = sum(Normal(t, 1.0).log_prob(row).sum() for t, row in zip(theta, rows, strict=True))
    return Normal(phi, tensor(sigma2).sqrt()).log_prob(theta).sum() + likelihood


def validation_log_likelihood(theta: Tensor, rows: Rows) -> Tensor:
    """Σ_t log p(D_t^val | θ_t)."""
    return sum(Normal(t, 1.0).log_prob(row).sum() for t, row in zip(theta, rows, strict=True))


def extremum(function: Callable[[Tensor], Tensor], size: int) -> Tensor:
    """The stationary point of a quadratic function of a vector, by one Newton step; differentiable in what it closes over."""
    start = torch.zeros(size, dtype=torch.float64)
    return start - torch.linalg.solve(hessian(function)(start), grad(function)(start))


def map_point(sigma2: Tensor, rows: Rows) -> Tensor:
    """(φ̂, θ̂_1, …, θ̂_T) at σ²."""
    return extremum(lambda z: log_joint(z[1:], z[0], sigma2, rows), len(rows) + 1)


def joint_profile(sigma2: float, rows: Rows) -> float:
    """The greatest log joint density at σ²."""
    z = map_point(tensor(sigma2), rows)
    return float(log_joint(z[1:], z[0], tensor(sigma2), rows))


def posterior(sigma2: float, rows: Rows) -> MultivariateNormal:
    """The posterior of (φ, θ) under the flat prior, by its precision matrix."""
    precision = -hessian(lambda z: log_joint(z[1:], z[0], tensor(sigma2), rows))(map_point(tensor(sigma2), rows))
    return MultivariateNormal(map_point(tensor(sigma2), rows), precision_matrix=precision)


def profile_slopes(*datasets: Rows) -> Callable[[Tensor], Tensor]:
    """The slope of the log joint density in log σ², θ and φ at their maximum, at many σ² at once.

    The density is quadratic in (φ, θ), and its two parts are read off by autograd once.

    Args:
        datasets: one, for every σ²; or one for each, all with the same numbers of observations.
    """
    size = len(datasets[0]) + 1
    start = torch.zeros(size, dtype=torch.float64)

    def prior(z: Tensor) -> Tensor:
        return Normal(z[0], 1.0).log_prob(z[1:]).sum()

    data = hessian(lambda z: validation_log_likelihood(z[1:], datasets[0]))(start)
    right = torch.stack([grad(lambda z, rows=rows: validation_log_likelihood(z[1:], rows))(start) for rows in datasets])
    pull = hessian(prior)(start)
    # −(data + p pull) at every p = σ⁻² from one eigenvalue problem
    root = torch.linalg.inv(torch.linalg.cholesky(-(data + pull)))
    values, vectors = torch.linalg.eigh(root @ pull @ root.T)
    basis = root.T @ vectors
    right = right @ basis

    def slopes(log_sigma2: Tensor) -> Tensor:
        u = log_sigma2.detach().clone().requires_grad_()
        stretched = 1 - (torch.exp(-u.detach())[:, None] - 1) * values
        z = ((right / stretched)[:, None, :] * basis).sum(dim=2)
        value = Normal(z[:, :1], torch.exp(u / 2)[:, None]).log_prob(z[:, 1:]).sum()
        return torch.autograd.grad(value, u)[0]

    return slopes


def climb(slopes: Callable[[Tensor], Tensor], start: Sequence[float], tasks: int, steps: int = 1200) -> list[float]:
    """Gradient ascent in log σ² from each start, step 1 on the density per task; 0 for what falls below e⁻³⁰.

    A start at which the slope is 0 stays where it is.
    """
    u = tensor(start).log()
    u0, still = u.clone(), slopes(u).abs() < 1e-12
    for _ in range(steps):
        u = (u + slopes(u) / tasks).clamp(min=-31)
    u = torch.where(still, u0, u)
    return [0.0 if v < -30 else math.exp(v) for v in u.tolist()]


def zero_between(function: Callable[[Tensor], Tensor], low: float, high: float) -> float:
    """Where a function of one variable changes sign between two points, by narrowing a grid."""
    for _ in range(12):
        grid = torch.linspace(low, high, 65, dtype=torch.float64)
        values = function(grid)
        change = int(torch.nonzero(torch.sign(values[1:]) != torch.sign(values[0]))[0])
        low, high = float(grid[change]), float(grid[change + 1])
    return (low + high) / 2


def curvature_at(slopes: Callable[[Tensor], Tensor], sigma2: float) -> float:
    """The slope's change across σ², from 1% below to 1% above; 0 where the slope has one sign on both sides."""
    below, above = slopes(tensor([sigma2 * 0.99, sigma2 * 1.01]).log()).tolist()
    return above - below if below * above < 0 else 0.0


def expected(
    function: Callable[[Tensor, Tensor], Tensor], sigma_true2: float, n: int, k: int, mean: float = 0.0
) -> Tensor:
    """E over a task's (x̄_t, ȳ_t) of a function of degree 5 or less, by Gauss–Hermite quadrature over θ_t and the two noises."""
    nodes = tensor([-(3**0.5), 0.0, 3**0.5])
    weights = tensor([1 / 6, 2 / 3, 1 / 6])
    a, b, c = torch.meshgrid(nodes, nodes, nodes, indexing="ij")
    w = weights[:, None, None] * weights[None, :, None] * weights[None, None, :]
    theta = mean + sigma_true2**0.5 * a
    return (w * function(theta + b / n**0.5, theta + c / k**0.5)).sum()


def modular_log_density(
    z: Tensor, precision: Tensor, curvatures: Sequence[Tensor], centers: Sequence[Tensor], prior: Tensor
) -> Tensor:
    """ℓ_MAP up to a constant of modules of one dimension: z = (φ, θ_1, …, θ_T), Gaussian likelihoods N(θ_t; c_t, H_t⁻¹)."""
    phi, *theta = z.reshape(len(curvatures) + 1, -1)
    value = -(prior * phi**2).sum() / 2
    for task, h, center in zip(theta, curvatures, centers, strict=True):
        value = value - (task - center) @ h @ (task - center) / 2
        value = value + (torch.log(precision) / 2 - precision * (task - phi) ** 2 / 2).sum()
    return value


def modular_map(precision: Tensor, curvatures: Sequence[Tensor], centers: Sequence[Tensor], prior: Tensor) -> Tensor:
    """Θ̂ at the given precisions σ_m⁻²; differentiable in them."""
    size = (len(curvatures) + 1) * len(precision)
    return extremum(lambda z: modular_log_density(z, precision, curvatures, centers, prior), size)


def jacobian(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The Jacobian by reverse-mode differentiation."""
    return jacrev(function)(at)
