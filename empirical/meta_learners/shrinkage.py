"""Shrinkage: hierarchical Bayes with a learned variance for each module (chen2019, Algorithm 1).

Each task's parameters have the prior N(phi, sigma_m^2) in module m. A task adapts by descending minus the log of its
posterior density; phi and the variances are learned across tasks. The gradient of the predictive likelihood with
respect to log sigma^2 needs the curvature of that descent's end: `gradient` says how much of it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..descent import descend
from ..inner_loop import Adapted, check_runs, checked_rate, checked_steps
from ..linear_solve import conjugate_gradient, hessian_diagonal, hessian_product
from ..losses import Loss
from ..modules import Modules
from ..objective import Data, ModuleObjective, Objective, of_module
from ..optimizers import OPTIMIZERS, Optimizer
from .learner import Batch, Learned, Metrics, as_batch, check_adapted

__all__ = ["GRADIENTS", "Shrinkage"]

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
        model: any `nn.Module`, whose parameters are where phi starts; or, without a loss, a ready objective (`empirical.objective`),
            as for another mode of batch norm.
        loss: a function of one task's (outputs, targets) that returns minus the log-likelihood, the total over its points.
        modules: which entries share a variance (see `empirical.modules`).
        steps: K, inner steps in meta-training.
        inner_lr: the inner learning rate; one number, or one for each run (R,).
        sigma: where every sigma starts: one number, one for each run (R,), or for each run and module (R, G).
        optimizer: of the inner loop: a name from OPTIMIZERS, or an optimiser.
        gradient: how log sigma^2 is differentiated: see GRADIENTS.
        phi_by: "map", phi ascends the joint density (2); "pll", the predictive likelihood, with the same share of the curvature
            as `gradient` (with "h_free" this is first-order MAML's gradient).
        sigma_by: "pll", the predictive likelihood (3); "map", the joint density, which Appendix B warns of.
        cg_tolerance: where conjugate gradient stops, relative to its right-hand side.
        cg_iterations: its most iterations; 2 P by default.

    Raises:
        ValueError: an unknown choice, modules of another model, no inner step, or a rate or a sigma that is not positive.
    """

    name = "Shrinkage"

    def __init__(
        self,
        model: nn.Module | Objective,
        loss: Loss | None = None,
        *,
        modules: Modules,
        steps: int,
        inner_lr: float | Tensor,
        sigma: float | Tensor = 1.0,
        optimizer: str | Optimizer = "sgd",
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
            *([("optimizer", optimizer, tuple(OPTIMIZERS))] if isinstance(optimizer, str) else []),
        ):
            if given not in known:
                raise ValueError(f"{name} is {given!r}: expected {' or '.join(map(repr, known))}.")
        if loss is not None and not isinstance(model, nn.Module):
            raise ValueError(
                f"A loss was given with {model!r}: expected a torch.nn.Module, or an objective and no loss."
            )
        self.objective = of_module(model, loss) if isinstance(model, nn.Module) else model
        self.modules, self.steps, self.inner_lr = modules, checked_steps(steps, 1), checked_rate(inner_lr)
        self.sigma, self.optimizer_name = torch.as_tensor(sigma, dtype=torch.float64), optimizer
        self.optimizer = OPTIMIZERS[optimizer]() if isinstance(optimizer, str) else optimizer
        self.gradient, self.phi_by, self.sigma_by = gradient, phi_by, sigma_by
        self.cg_tolerance, self.cg_iterations = cg_tolerance, cg_iterations
        if not (torch.isfinite(self.sigma) & (self.sigma > 0)).all():
            raise ValueError(
                f"sigma is {self.sigma.tolist()} at the start: expected positive finite numbers, since log sigma^2 is learned; a "
                "module that shall not adapt gets a small sigma."
            )
        if isinstance(self.objective, ModuleObjective):
            self._check_entries(self.objective.start().numel())

    def _check_entries(self, entries: int) -> None:
        if entries != self.modules.entries:
            raise ValueError(
                f"phi has {entries} entries, and the modules partition {self.modules.entries}: give as many."
            )

    @property
    def not_compilable(self) -> str | None:
        """Why the steps of this learner cannot be compiled, or None."""
        if self.gradient == "cg":
            return (
                "How many iterations conjugate gradient takes hangs on the numbers, which no compiled step can follow"
            )
        return None

    def init(self, runs: int, generator: torch.Generator | None = None) -> Learned:
        """The learned numbers at the start: phi (R, P), the model's own parameters, and log_variance (R, G).

        Raises ValueError where sigma does not fit the runs, and for a ready objective, which brings no phi: see `start`.
        """
        if not isinstance(self.objective, ModuleObjective):
            raise ValueError(
                "An objective says nothing of where phi starts: give the Trainer learned=learner.start(phi)."
            )
        return self.start(self.objective.start().repeat(runs, 1))

    def start(self, phi: Tensor) -> Learned:
        """The learned numbers at phi (R, P). Raises ValueError where phi does not fit the modules, or sigma the runs."""
        if phi.ndim != 2:
            raise ValueError(
                f"phi has shape {tuple(phi.shape)}: expected (runs, entries); one run of a model is flatten(model)[None]."
            )
        self._check_entries(phi.shape[1])
        phi, sigma = phi.detach().clone(), self.sigma.to(phi)
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
        """Parameters (R, T, P) after K (or `steps`) steps from phi on minus ℓ_MAP; `observe(step, parameters)` sees each."""
        return self._adapt(learned, support, steps, observe)

    def gradients(self, learned: Learned, batch: Batch, tasks: int | None = None) -> tuple[Learned, Metrics]:
        """What the outer loop descends along for phi and log sigma^2, and the query loss (R,), as sums over tasks divided by `tasks`.

        `tasks` is the batch's own number, so that these are means, unless the batch is a part of a larger one.
        """
        support_x, support_y, query_x, query_y = as_batch(batch, learned)
        support, query = (support_x, support_y), (query_x, query_y)
        if self.gradient == "unrolled" and "pll" in (self.phi_by, self.sigma_by):
            phi, log_variance, loss, theta = self._unrolled(learned, support, query)
        else:
            theta = self._adapt(learned, support)
            phi, log_variance, loss = self._implicit(learned, theta, support, query)
        precision = self.modules.spread(torch.exp(-learned["log_variance"]))
        gap = theta - learned["phi"][:, None]
        if self.phi_by == "map":
            phi = -precision * gap.mean(dim=1)
        if self.sigma_by == "map":
            size = self.modules.sizes().to(gap)
            log_variance = size / 2 - self.modules.total(precision * gap.square().mean(dim=1)) / 2
        count = theta.shape[1]
        share = count / (tasks or count)
        return {"phi": share * phi, "log_variance": share * log_variance}, {"loss": share * loss}

    @torch.no_grad()
    def evaluate(self, learned: Learned, batch: Batch, steps: int | None = None) -> Metrics:
        """The loss of each task's query set after adaptation, the total over its points: {"loss": (R, T)}."""
        support_x, support_y, query_x, query_y = as_batch(batch, learned)
        return {"loss": self.objective(self.adapt(learned, (support_x, support_y), steps), (query_x, query_y))}

    def settings(self) -> dict[str, Any]:
        """What this learner is, as plain data: for records and checkpoints."""
        of_a_module = isinstance(self.objective, ModuleObjective)
        return {
            "learner": self.name,
            "model": str(self.objective.model.module) if of_a_module else "an objective",
            "modules": dict(zip(self.modules.names, self.modules.sizes().tolist(), strict=True)),
            "steps": self.steps,
            "inner_lr": self.inner_lr.tolist(),
            "sigma": self.sigma.tolist(),
            "optimizer": self.optimizer_name if isinstance(self.optimizer_name, str) else "an optimizer",
            "gradient": self.gradient,
            "phi_by": self.phi_by,
            "sigma_by": self.sigma_by,
            "cg": [self.cg_tolerance, self.cg_iterations],
        }

    def to(self, device: torch.device | str, dtype: torch.dtype) -> None:
        """Move what is not learned, and the parameters that phi starts from."""
        if isinstance(self.objective, ModuleObjective):
            self.objective.to(device, dtype)

    def check(self, learned: Learned, batch: Batch) -> None:
        """Raise DivergenceError, naming step and task, where the inner loop leaves the finite numbers."""
        support_x, support_y, *_ = as_batch(batch, learned)
        sigma = torch.exp(learned["log_variance"] / 2)

        def again(observe: Callable[[int, Adapted], None]) -> None:
            self.adapt(
                learned,
                (support_x, support_y),
                observe=lambda step, theta: observe(step, Adapted({"theta": theta}, {})),
            )

        check_adapted(again, f"{self.name} (the smallest sigma is {sigma.min():.4g})", self.inner_lr)

    def _adapt(
        self, learned: Learned, support: Data, steps: int | None = None, observe=None, unrolled: bool = False
    ) -> Tensor:
        phi = learned["phi"]
        check_runs(self.inner_lr, len(phi))
        return descend(
            lambda theta: self.map_loss(theta, learned, support),
            phi[:, None].expand(-1, support[0].shape[1], -1),
            rate=self.inner_lr.to(phi).view(-1, 1, 1),
            steps=self.steps if steps is None else steps,
            optimizer=self.optimizer,
            unrolled=unrolled,
            observe=observe,
        )

    def _unrolled(self, learned: Learned, support: Data, query: Data) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        leaves = {name: learned[name].detach().requires_grad_() for name in ("phi", "log_variance")}
        with torch.enable_grad():
            theta = self._adapt(leaves, support, unrolled=True)
            loss = self.objective(theta, query).mean(dim=1)
            phi, log_variance = torch.autograd.grad(loss.sum(), list(leaves.values()))
        return phi, log_variance, loss.detach(), theta.detach()

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
