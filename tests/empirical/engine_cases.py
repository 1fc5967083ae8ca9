"""Tiny models, data and rules that the engine's tests share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import oracle
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from empirical import cfc, kfc, klin, learned_rates, meta_curvature, meta_sgd, t_nets
from empirical.models import cnn, linear_network
from empirical.update_rules import UpdateRule, sgd

F64 = torch.float64


class Residual(nn.Module):
    """No Sequential, with a parameter that is a single number."""

    def __init__(self):
        super().__init__()
        self.one, self.scale, self.two = nn.Linear(4, 4), nn.Parameter(torch.ones(())), nn.Linear(4, 3)

    def forward(self, x):
        return self.two(x + self.scale * torch.tanh(self.one(x)))


class Normed(nn.Module):
    """No Sequential, with a batch norm inside."""

    def __init__(self, **norm):
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2, **norm), nn.Linear(2, 3)

    def forward(self, x):
        return self.head(F.softplus(self.norm(self.conv(x))).mean((2, 3)))


def sequence() -> nn.Sequential:
    """A layer without a rule of its own, batch norm of (n, C, L), nested parts."""
    first = nn.Sequential(nn.Conv1d(2, 2, 2), nn.BatchNorm1d(2), nn.Tanh())
    return nn.Sequential(first, nn.Flatten(), nn.Linear(6, 3))


@dataclass(frozen=True)
class Case:
    """A model, the shape of its inputs, its loss, and an inner learning rate at which five steps of any rule stay finite."""

    model: Callable[[], nn.Module]
    inputs: tuple[int, ...]
    loss: str = "cross_entropy"
    rate: float = 0.3

    def batch(
        self, tasks: int = 2, runs: int = 1, support: int = 4, query: int = 3, seed: int = 0
    ) -> tuple[Tensor, ...]:
        """Random tasks (R, T, n, ...)."""
        generator = torch.Generator().manual_seed(seed)
        parts = []
        for n in (support, query):
            parts.append(torch.randn(runs, tasks, n, *self.inputs, generator=generator, dtype=F64))
            if self.loss == "cross_entropy":
                parts.append(torch.randint(3, (runs, tasks, n), generator=generator))
            else:
                y = torch.randn(runs, tasks, n, 1, generator=generator, dtype=F64)
                parts.append((y > 0).double() if self.loss == "bce" else y)
        return tuple(parts)


CASES = {
    "linear": Case(partial(nn.Linear, 4, 3), (4,)),
    "LinNet": Case(partial(linear_network, 4, 3, 1), (4,), "mse", 0.05),
    "LinNet, deep": Case(partial(linear_network, 4, 3, 2, 1), (4,), "bce"),
    # more outputs than query points, and fewer than support points: both ways to run adjacent linear layers
    "LinNet, wide": Case(partial(linear_network, 4, 2, 3), (4,)),
    "CNN, max": Case(partial(cnn, 2, hidden=2, classes=3, pooling="max"), (1, 5, 6)),
    "CNN, stride": Case(partial(cnn, 2, hidden=2, classes=3, pooling="stride"), (1, 5, 4)),
    "CNN, flattened": Case(partial(cnn, 2, hidden=2, classes=3, pooling=(4, 1), head="flatten", side=9), (1, 9, 9)),
    "Residual": Case(Residual, (4,)),
    "Normed": Case(Normed, (1, 3, 3)),
    "sequence": Case(sequence, (2, 4)),
}


@dataclass(frozen=True)
class Rule:
    """A rule, and what it is to the oracle."""

    make: Callable[[], UpdateRule]
    oracle: Callable = oracle.sgd
    in_task: bool = False


def _network(name: str, in_task: bool, **options) -> Rule:
    make, naive = {"kfc": (kfc, oracle.factored), "cfc": (cfc, oracle.cfc)}[name]
    rank = {"rank": options.pop("rank")} if "rank" in options else {}
    return Rule(partial(make, adapt=in_task, **rank, **options), partial(naive, **options), in_task)


RULES = {
    "sgd": Rule(sgd),
    "learned-rates": Rule(learned_rates, oracle.learned_rates),
    "learned-rates, model": Rule(partial(learned_rates, "model"), oracle.learned_rates),
    "learned-rates, entry": Rule(partial(learned_rates, "entry"), oracle.learned_rates),
    "meta-sgd": Rule(meta_sgd, oracle.meta_sgd),
    "meta-curvature": Rule(meta_curvature, oracle.meta_curvature),
    "meta-curvature, diagonal": Rule(partial(meta_curvature, diagonal=True), oracle.meta_curvature),
    "t-nets": Rule(t_nets),
    "klin": Rule(klin, oracle.factored, True),
    "klin, fixed": Rule(partial(klin, adapt=False), oracle.factored),
    "kfc": _network("kfc", True, layers=2, activation="relu", normalize=True),
    "kfc, fixed": _network("kfc", False, layers=2, activation="leaky_relu", normalize=False),
    "kfc, three layers": _network("kfc", True, layers=3, activation="tanh", normalize=False),
    "cfc": _network("cfc", True, rank=1, layers=1, activation="relu", normalize=True),
    "cfc, fixed": _network("cfc", False, rank=2, layers=2, activation="tanh", normalize=False),
    "cfc, two layers": _network("cfc", True, rank=2, layers=2, activation="relu", normalize=True),
}


def make_model(name: str, seed: int = 0) -> nn.Module:
    """The model of a case, in float64."""
    torch.manual_seed(seed)
    return CASES[name].model().double()


def shaken(learned: dict[str, Tensor], by: float = 0.3, seed: int = 0) -> dict[str, Tensor]:
    """Learned numbers with noise on every entry, so that no identity, one or zero hides anything."""
    generator = torch.Generator().manual_seed(seed)
    return {n: v.double() + by * torch.randn(v.shape, generator=generator, dtype=F64) for n, v in learned.items()}


def first(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Run 0 of each."""
    return {n: v[0] for n, v in values.items()}


def distance(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The greatest relative error: of all numbers together, and of each learned group."""
    assert found.keys() == expected.keys()
    worst = 0.0
    for group in ("", "model.", "update."):
        names = [n for n in expected if n.startswith(group)]
        if names:
            a, b = (torch.cat([v[n].flatten().double() for n in names]) for v in (found, expected))
            assert b.norm() > 0
            worst = max(worst, ((a - b).norm() / b.norm()).item())
    return worst
