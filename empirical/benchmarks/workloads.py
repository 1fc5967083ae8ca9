"""The workloads that engines are measured on: one meta-iteration of second-order MAML, as data.

An engine is given a workload's model, its fixed random batch and the initial values; what it has to compute stands in
`peers.loop`, the plainest way to do it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "bce": F.binary_cross_entropy_with_logits,
    "cross_entropy": F.cross_entropy,
    "mse": F.mse_loss,
}
"""The loss of one task by name: the mean over its observations, and for "mse" without the factor 1/2."""

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Support inputs and targets, query inputs and targets, each with the tasks as its leading dimension."""


@dataclass(frozen=True)
class Workload:
    """One meta-iteration of second-order MAML.

    In each of the `tasks`, all parameters take `steps` gradient steps of length `inner_lr` on the mean support loss. The
    gradient of the mean query loss over tasks at the adapted parameters, taken with respect to the initial ones, then makes one
    step of the outer optimiser. Random data will do: no engine's time depends on them.

    Attributes:
        model: makes the network, on the CPU and in float32.
        loss: a key of LOSSES.
        inputs: the shape of one observation's input.
        support: observations of one task to adapt on.
        query: observations of one task to take the meta-loss on.
        outer: "sgd" (plain) or "adam" (default betas and epsilon).
        classes: the number of classes of "cross_entropy", in turn among the observations; 0 with other losses.
        kronecker: whether the inner gradient passes through a meta-learned Kronecker-factored transform (`precondition`).
        chunk: how many tasks an engine that works in chunks takes at a time; None leaves that to the engine.
    """

    name: str
    model: Callable[[], nn.Module]
    loss: str
    inputs: tuple[int, ...]
    support: int
    query: int
    tasks: int
    steps: int
    inner_lr: float
    outer: str
    outer_lr: float
    classes: int = 0
    kronecker: bool = False
    chunk: int | None = None

    def batch(self, seed: int, dtype: torch.dtype) -> Batch:
        """The data: inputs (T, n, ...), targets (T, n) of classes or (T, n, 1). The same numbers, rounded, in each dtype."""
        generator = torch.Generator().manual_seed(seed)
        slopes = torch.randn(self.tasks, 1, 1, generator=generator, dtype=torch.float64)
        parts = []
        for count in (self.support, self.query):
            x = torch.randn(self.tasks, count, *self.inputs, generator=generator, dtype=torch.float64)
            if self.loss == "cross_entropy":
                y = (torch.arange(count) % self.classes).expand(self.tasks, -1).contiguous()
            else:
                noise = torch.randn(self.tasks, count, 1, generator=generator, dtype=torch.float64)
                y = slopes * x.flatten(2).sum(-1, keepdim=True) + noise
                y = ((y > 0).double() if self.loss == "bce" else y).to(dtype)
            parts += [x.to(dtype), y]
        return tuple(parts)

    def initial(self, seed: int, dtype: torch.dtype, perturbation: float = 0.0) -> dict[str, Tensor]:
        """The model's initial parameters by name, and the factors of its transform, which start at the identity.

        Normal noise of standard deviation `perturbation` is added to every entry: identities, ones and zeros would hide
        that an engine forgets or transposes what it multiplies with.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            values = {name: p.detach().double() for name, p in self.model().named_parameters()}
            if self.kronecker:
                values |= kronecker_factors(values)
            return {name: (v + perturbation * torch.randn_like(v)).to(dtype) for name, v in values.items()}


def kronecker_factors(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """Identity factors "NAME.left" and "NAME.right" for each parameter: see `precondition` for their sizes."""
    factors = {}
    for name, p in parameters.items():
        left, right = {
            1: lambda p: (1, len(p)),
            2: lambda p: tuple(p.shape),
            4: lambda p: (p[0, 0].numel(), p.shape[1]),
        }[p.ndim](p)
        factors[f"{name}.left"] = torch.eye(left, dtype=p.dtype)
        factors[f"{name}.right"] = torch.eye(right, dtype=p.dtype)
    return factors


def precondition(gradient: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """L G R, the update that a Kronecker-factored linear transform makes of a gradient.

    G is a weight's gradient (o, i) itself, the row (1, d) of a bias's, and for a convolution's (N, C, H, W) the matrix (HW, C)
    of each filter; all filters of a layer share their factors.
    """
    if gradient.ndim != 4:
        return (left @ gradient.reshape(len(left), -1) @ right).reshape(gradient.shape)
    filters = gradient.flatten(2).transpose(1, 2)
    return (left @ filters @ right).transpose(1, 2).reshape(gradient.shape)


def _linear(*widths: int, bias: bool = True) -> nn.Sequential:
    """A linear network: layers without activations between them."""
    return nn.Sequential(*(nn.Linear(i, o, bias=bias) for i, o in pairwise(widths)))


def _cnn(layers: int, channels: int = 32, classes: int = 5) -> nn.Sequential:
    """CNN(layers) on images of one channel: convolutions, the mean over space, one linear layer.

    The convolutions halve the image by stride 2. That variant, not max-pooling after a convolution of stride 1 (which takes
    2 to 3 times as long), has the running times known for these workloads; so have 5 queries for each class rather than 5 in all.
    """
    blocks: list[nn.Module] = []
    for layer in range(layers):
        blocks += [
            nn.Conv2d(channels if layer else 1, channels, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels, track_running_stats=False),  # statistics of the batch, in every mode
            nn.ReLU(),
        ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def _images(name: str, layers: int, steps: int, **options: object) -> Workload:
    """5-way 5-shot, with 5 queries for each class."""
    return Workload(
        name,
        model=partial(_cnn, layers),
        loss="cross_entropy",
        inputs=(1, 28, 28),
        support=25,
        query=25,
        tasks=16,
        steps=steps,
        inner_lr=0.1,
        outer="adam",
        outer_lr=1e-3,
        classes=5,
        chunk=2,  # of those tried (1, 2, 4, all) the fastest: what it works on stays in the processor's caches
        **options,
    )


WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload(
            "W1_lr",
            model=partial(nn.Linear, 100, 1, bias=False),
            loss="bce",
            inputs=(100,),
            support=100,
            query=100,
            tasks=1,
            steps=1,
            inner_lr=0.1,
            outer="sgd",
            outer_lr=1e-3,
        ),
        Workload(
            "W1_linnet",
            model=partial(_linear, 100, 64, 64, 64, 1),
            loss="bce",
            inputs=(100,),
            support=100,
            query=100,
            tasks=1,
            steps=1,
            inner_lr=0.1,
            outer="sgd",
            outer_lr=1e-3,
        ),
        Workload(
            "W2",
            model=partial(_linear, 784, 256, 128, 64, 64, 5),
            loss="cross_entropy",
            inputs=(784,),
            support=5,
            query=5,
            tasks=32,
            steps=2,
            inner_lr=0.01,
            outer="adam",
            outer_lr=1e-4,
            classes=5,
        ),
        Workload(
            "W5",
            model=partial(_linear, 1, 1, 1, bias=False),
            loss="mse",
            inputs=(1,),
            support=10,
            query=10,
            tasks=4096,
            steps=1,
            inner_lr=0.01,
            outer="sgd",
            outer_lr=1e-3,
        ),
        _images("cnn2_1", layers=2, steps=1),
        _images("cnn2_5", layers=2, steps=5),
        _images("cnn4_1", layers=4, steps=1),
        _images("cnn4_5", layers=4, steps=5),
        _images("kfo_1", layers=2, steps=1, kronecker=True),
        _images("kfo_5", layers=2, steps=5, kronecker=True),
    )
}

FLOORS: dict[str, float] = {
    "W1_lr": 1.5,
    "W1_linnet": 1.3,
    "W2": 15,
    "W5": 5,
    "cnn2_1": 2,
    "cnn2_5": 1.75,
    "cnn4_1": 1.5,
    "cnn4_5": 1.85,
    "kfo_1": 2,
    "kfo_5": 1.9,
}
"""How many times faster than the fastest peer the engine has to be, on two CPU cores."""
