"""Experiment 1 against its exact mathematics: the unpublished N, and every measured curve beside the exact one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import chi2

from analysis.linear_gaussian import chen2019_experiment1, infer_observations
from empirical.tasks.hierarchical import HierarchicalTasks

from ..framework import Estimate, Finding, Measurement, Near, Proposition
from ..published import result
from . import records
from .paper import PAPER

METHODS = ("MAML", "M-MAML", "FO-MAML", "FO-M-MAML", "Reptile", "Shrinkage", "M-Shrinkage", "M-Shrinkage joint MAP")
STEPS = (5, 20, 50, 100, 200)


TEST_TASKS = 1000  # Appendix D
CANDIDATES = range(1, 13)
READING = 0.01
"""Standard deviation of what a published plateau may be off by itself: reading the figure, learning that stopped short."""


@PAPER.claim(
    "observations",
    "D",
    "N, not stated: of 1, …, 12 observations a task only 4 fit the published levels of Experiment 1",
)
def observations() -> Proposition:
    published = {
        "m_shrinkage": result("chen2019", "linear", "M-Shrinkage").last,
        "shrinkage_h_free": result("chen2019", "linear", "Shrinkage").last,
        "early_stopping": result("chen2019", "linear", "Reptile").minimum,
    }
    misfit = {
        c.n: c.misfit for c in infer_observations(chen2019_experiment1(), published, TEST_TASKS, CANDIDATES, READING)
    }
    limit = float(chi2.ppf(0.99, len(published)))

    def check(n: int) -> Finding:
        fitting = [m for m, value in misfit.items() if value < limit]
        near = ", ".join(f"{m}: {misfit[m]:.1f}" for m in sorted(misfit, key=misfit.get)[:3])
        return Finding(
            fitting == [n],
            f"χ² of three published levels (M-Shrinkage, Shrinkage, Reptile's least) by N: {near}; below {limit:.1f}, the 99% point, "
            f"is N = {', '.join(map(str, fitting)) or 'none'}",
        )

    def numerically(n: int) -> Finding:
        loss = {m: _bayes_loss(m) for m in CANDIDATES}
        nearest = min(loss, key=lambda m: abs(loss[m] - published["m_shrinkage"]))
        return Finding(
            nearest == n,
            f"sampled, the posterior mean's loss is nearest to {published['m_shrinkage']} at N = {nearest}",
        )

    return Proposition(
        check,
        stated={"n": 4},
        control={"n": 5},
        witness=numerically,
        note="The standard errors are those of 1000 shared test tasks with N validation observations each",
    )


def _bayes_loss(n: int, count: int = 20_000) -> float:
    """The loss of the MAP estimate under the tasks' own φ and σ, on sampled tasks."""
    tasks = HierarchicalTasks("linear", (1.0,) * 8, (8.0,) * 4 + (2.0,) * 4, (8.0,) * 4 + (5.0,) * 4 + (1.0,), n)
    batch = tasks.episodes(count, [0], "validation")
    design = torch.cat([torch.eye(8), torch.full((1, 8), 8**-0.5)]).double()
    weight = design.T / torch.tensor(tasks.xi, dtype=torch.float64).square()
    precision = torch.tensor(tasks.sigma, dtype=torch.float64) ** -2
    score = batch.support[0].sum(2) @ weight.T + precision * torch.tensor(tasks.phi, dtype=torch.float64)
    theta = torch.linalg.solve(n * weight @ design + torch.diag(precision), score[..., None])[..., 0]
    return float(tasks.losses(theta, batch.query).mean() / n)


def exact_curve(method: str) -> np.ndarray:
    """The expected test loss after 0, 1, … steps, averaged over the runs' seeds: (steps + 1,)."""
    record = records.read("linear", method)
    learned = record.details["learned"]
    problem = chen2019_experiment1(record.configuration["tasks"]["observations"])
    steps = record.configuration["tier"]["horizon"]

    def one_or_each(values: Sequence[float]) -> float | Sequence[float]:
        return values[0] if len(values) == 1 else values

    curves = []
    for seed in range(len(record.seeds)):
        sigma = learned["sigma"]
        variance = None if sigma is None else one_or_each([s * s for s in sigma[seed]])
        curves.append(problem.curve(steps, one_or_each(learned["inner_lr"][seed]), variance, learned["phi"][seed]))
    return np.mean(curves, axis=0)


def _content(method: str) -> Measurement:
    names = {f"measured − exact, step {step}": step for step in STEPS}

    def measure() -> dict[str, Estimate]:
        exact = exact_curve(method)
        found = {}
        for name, step in names.items():
            measured = records.level_at("linear", method, step)
            evidence = f"{measured.value:.4f} against {exact[step]:.4f}"
            found[name] = Estimate(measured.value - exact[step], measured.standard_error, evidence)
        return found

    return Measurement(
        measure,
        bounds=dict.fromkeys(names, Near(0.0, standard_error=0.0, z=4.0)),
        control=dict.fromkeys(names, Near(5.0, standard_error=0.0, z=4.0)),
        command=records.command("linear"),
        note="No statement of the paper's: the engine held against the exact mathematics",
    )


for _method in METHODS:
    PAPER.claim(
        f"exact-{_method.lower().replace(' ', '-')}",
        "D",
        f"Experiment 1, {_method}: the measured curve is the exact one at the learned φ, rates and σ",
        assumptions=("plain gradient descent inside",),
    )(lambda method=_method: _content(method))
