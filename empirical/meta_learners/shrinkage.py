"""Shrinkage: hierarchical Bayes with a learned variance for each module (chen2019, Algorithm 1).

Each task's parameters have the prior N(phi, sigma_m^2) in module m. A task adapts by descending minus the log of its
posterior density; phi and the variances are learned across tasks. The gradient of the predictive likelihood with
respect to log sigma^2 needs the curvature of that descent's end: `gradient` says how much of it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ..adaptation import check_finite, descend
from ..linear_solve import conjugate_gradient, hessian_diagonal, hessian_product
from ..modules import Modules
from ..objective import Data, Objective
from ..optimizers import Optimizer, sgd
from .settings import checked_phi, checked_rate, checked_steps, rate_for

Learned = dict[str, Tensor]

GRADIENTS = {
    "h_free": "(4): the curvature of the likelihood is left out",
    "diagonal": "(29): only its diagonal is taken",
    "cg": "(28): all of it, by conjugate gradient with Hessian-vector products",
    "unrolled": "exactly, through the K inner steps; memory grows with K",
}
"""The ways to the gradient of log sigma^2, with chen2019's equations."""


class Shrinkage:
    """Algorithm 1 of chen2019, with every choice that the paper names.

    With one module it is Shrinkage, with several M-Shrinkage. Memory is constant in the number of inner steps, unless
    `gradient` is "unrolled".

    Args:
        objective: minus the log-likelihood of the tasks' observations (see `empirical.objective`).
        modules: which entries share a variance.
        steps: K, inner steps in meta-training.
        inner_rate: one number, or one for each run (R,).
        optimizer: of the inner loop: `optimizers.sgd()` (the default) or `optimizers.adam()`.
        gradient: how log sigma^2 is differentiated: see GRADIENTS.
        phi_by: "map", phi ascends the joint density (2); "pll", the predictive likelihood, with the same share of the curvature
            as `gradient` (with "h_free" this is first-order MAML's gradient).
        sigma_by: "pll", the predictive likelihood (3); "map", the joint density, which Appendix B warns of.
        cg_tolerance: where conjugate gradient stops, relative to its right-hand side.
        cg_iterations: its most iterations; 2 P by default.

    Raises:
        ValueError: an unknown choice, no inner step, or a rate that is not positive.
    """

    def __init__(
        self,
        objective: Objective,
        modules: Modules,
        steps: int,
        inner_rate: Tensor | float,
        optimizer: Optimizer | None = None,
        gradient: Literal["h_free", "diagonal", "cg", "unrolled"] = "h_free",
        phi_by: Literal["map", "pll"] = "map",
        sigma_by: Literal["pll", "map"] = "pll",
        cg_tolerance: float = 1e-10,
        cg_iterations: int | None = None,
    ):
        for name, given, known in (
            ("gradient", gradient, tuple(GRADIENTS)),
            ("phi_by", phi_by, ("map", "pll")),
            ("sigma_by", sigma_by, ("pll", "map")),
        ):
            if given not in known:
                raise ValueError(f"{name} is {given!r}: expected {' or '.join(map(repr, known))}.")
        self.objective, self.modules, self.optimizer = objective, modules, optimizer or sgd()
        self.steps, self.inner_rate = checked_steps(steps, "Shrinkage"), checked_rate(inner_rate)
        self.gradient, self.phi_by, self.sigma_by = gradient, phi_by, sigma_by
        self.cg_tolerance, self.cg_iterations = cg_tolerance, cg_iterations

    def init(self, phi: Tensor, sigma: Tensor | float) -> Learned:
        """Start at phi (R, P), with a sigma that is one number, one for each run (R,), or for each run and module (R, G).

        Raises ValueError unless every sigma is positive and finite: at sigma = 0 its logarithm, which is learned, does not exist.
        """
        phi = checked_phi(phi, self.modules)
        sigma = torch.as_tensor(sigma, dtype=phi.dtype, device=phi.device)
        if not (torch.isfinite(sigma) & (sigma > 0)).all():
            raise ValueError(
                f"sigma is {sigma.tolist()} at the start: expected positive finite numbers, since log sigma^2 is learned; a module that "
                "shall not adapt gets a small sigma."
            )
        if sigma.ndim == 0 or sigma.shape == (len(phi),):
            sigma = sigma.expand(len(phi))[:, None].expand(-1, self.modules.count)
        if sigma.shape != (len(phi), self.modules.count):
            raise ValueError(
                f"sigma has shape {tuple(sigma.shape)}: expected one number, {len(phi)} (one for each run), or "
                f"{(len(phi), self.modules.count)} (for each run and module)."
            )
        return {"phi": phi, "log_variance": 2 * sigma.log()}

    def map_loss(self, theta: Tensor, learned: Learned, support: Data) -> Tensor:
        """Minus ℓ_MAP of each task (R, T) as a function of theta (R, T, P), without the terms that theta does not change."""
        precision = self.modules.spread(torch.exp(-learned["log_variance"]))[:, None]
        gap = theta - learned["phi"][:, None]
        return self.objective(theta, support) + (precision * gap.square()).sum(-1) / 2

    def adapt(
        self,
        learned: Learned,
        support: Data,
        steps: int | None = None,
        observe: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """Parameters (R, T, P) after K (or `steps`) steps from phi on minus ℓ_MAP."""
        return self._adapt(learned, support, self.steps if steps is None else steps, observe)

    def gradients(self, learned: Learned, support: Data, query: Data) -> tuple[Learned, Tensor]:
        """What the outer loop descends along for phi and log sigma^2, averaged over tasks, and the query loss (R,)."""
        if self.gradient == "unrolled" and "pll" in (self.phi_by, self.sigma_by):
            exact, loss, theta = self._unrolled(learned, support, query)
            phi, log_variance = exact["phi"], exact["log_variance"]
        else:
            theta = self._adapt(learned, support, self.steps, None)
            phi, log_variance, loss = self._implicit(learned, theta, support, query)
        precision = self.modules.spread(torch.exp(-learned["log_variance"]))
        gap = theta - learned["phi"][:, None]
        if self.phi_by == "map":
            phi = -precision * gap.mean(dim=1)
        if self.sigma_by == "map":
            size = self.modules.sizes().to(gap)
            log_variance = size / 2 - self.modules.total(precision * gap.square().mean(dim=1)) / 2
        return {"phi": phi, "log_variance": log_variance}, loss

    def check(self, end: Tensor, learned: Learned, support: Data, steps: int | None = None) -> None:
        """Raise DivergenceError, naming step and task, where adapted parameters are not finite."""
        sigma = torch.exp(learned["log_variance"] / 2)
        setting = f"Shrinkage, the smallest sigma {sigma.min():.4g}"
        rates = self.inner_rate.expand(len(end)).tolist()
        check_finite(end, lambda observe: self.adapt(learned, support, steps, observe), setting, rates)

    def _adapt(self, learned: Learned, support: Data, steps: int, observe, through="nothing") -> Tensor:
        start = learned["phi"][:, None].expand(-1, support[0].shape[1], -1)
        return descend(
            lambda theta: self.map_loss(theta, learned, support),
            start,
            rate=rate_for(self.inner_rate, learned["phi"]),
            steps=steps,
            optimizer=self.optimizer,
            through=through,
            observe=observe,
        )

    def _unrolled(self, learned: Learned, support: Data, query: Data) -> tuple[Learned, Tensor, Tensor]:
        leaves = {name: value.detach().requires_grad_() for name, value in learned.items()}
        with torch.enable_grad():
            theta = self._adapt(leaves, support, self.steps, None, "second-order")
            loss = self.objective(theta, query).mean(dim=1)
            found = torch.autograd.grad(loss.sum(), list(leaves.values()))
        return dict(zip(leaves, found, strict=True)), loss.detach(), theta.detach()

    def _implicit(self, learned: Learned, theta: Tensor, support: Data, query: Data) -> tuple[Tensor, Tensor, Tensor]:
        """Both gradients of the query loss at theta = argmax ℓ_MAP, phi held fixed in sigma's and the other way round.

        Both are made of u = Σ⁻¹ (H + Σ⁻¹)⁻¹ g, g the query loss's gradient in theta: the derivative of theta is (H + Σ⁻¹)⁻¹ Σ⁻¹ in
        phi, and (H + Σ⁻¹)⁻¹ Σ⁻¹ (theta − phi) in log sigma^2 (chen2019, (28)). Without H, u is g itself. Where H + Σ⁻¹ is not
        positive definite theta is no strict maximum and the implicit derivative does not exist: such a task, or with "diagonal" such
        an entry, is taken without H.
        """
        with torch.enable_grad():
            at = theta.detach().requires_grad_()
            losses = self.objective(at, query)
            (slope,) = torch.autograd.grad(losses.sum(), at)
        variance = self.modules.spread(learned["log_variance"].exp())[:, None]

        def support_loss(x: Tensor) -> Tensor:
            return self.objective(x, support)

        pull = slope
        if self.gradient == "diagonal":
            curvature = 1 + variance * hessian_diagonal(support_loss, theta)
            pull = slope / torch.where(curvature > 0, curvature, 1.0)
        elif self.gradient == "cg":
            curvature = hessian_product(support_loss, theta)
            # scaled by Σ from both sides, so that the identity is what is added
            root = variance.sqrt()
            solved, broken = conjugate_gradient(
                lambda v: root * curvature(root * v) + v,
                root * slope,
                tolerance=self.cg_tolerance,
                iterations=self.cg_iterations,
            )
            pull = torch.where(broken[..., None], slope, solved / root)
        gap = theta - learned["phi"][:, None]
        return pull.mean(dim=1), self.modules.total((pull * gap).mean(dim=1)), losses.detach().mean(dim=1)
