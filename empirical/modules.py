"""Modules: which entries of a model's parameters share one number (a variance, a learning rate).

All parameters of a model are one flat vector of P entries, so that a module is any set of entries: a whole tensor,
several tensors, one entry. `Modules.index` (P,) names each entry's module.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Modules:
    """A partition of P parameter entries into named modules.

    Attributes:
        index: (P,), the number of each entry's module.
        names: of the G modules, by number.
    """

    index: Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        index = self.index
        if index.ndim != 1 or index.dtype != torch.long or not len(index):
            raise ValueError(
                f"The index of modules has shape {tuple(index.shape)} and type {index.dtype}: expected (P,) integers."
            )
        if sorted(set(index.tolist())) != list(range(len(self.names))):
            raise ValueError(
                f"{len(self.names)} modules are named, and the entries' modules are {sorted(set(index.tolist()))}: expected the numbers "
                f"0 to {len(self.names) - 1}, each at least once."
            )

    @property
    def count(self) -> int:
        """G, the number of modules."""
        return len(self.names)

    @property
    def entries(self) -> int:
        """P, the number of parameter entries."""
        return len(self.index)

    def spread(self, values: Tensor) -> Tensor:
        """One value for each module (..., G), to one for each entry (..., P). Raises ValueError where G does not fit."""
        if values.shape[-1] != self.count:
            raise ValueError(
                f"There are {values.shape[-1]} values and {self.count} modules ({', '.join(self.names[:6])}"
                f"{', …' if self.count > 6 else ''}): give one value for each module."
            )
        return values[..., self.index.to(values.device)]

    def total(self, entries: Tensor) -> Tensor:
        """Sums over each module's entries: (..., P) to (..., G). Raises ValueError where P does not fit."""
        if entries.shape[-1] != self.entries:
            raise ValueError(
                f"There are {entries.shape[-1]} entries, and the modules partition {self.entries}: give as many."
            )
        sums = entries.new_zeros(*entries.shape[:-1], self.count)
        return sums.index_add(-1, self.index.to(entries.device), entries)

    def sizes(self) -> Tensor:
        """The number of entries of each module: (G,)."""
        return torch.bincount(self.index, minlength=self.count)


def one_module(entries: int) -> Modules:
    """All entries in one module: the methods without "M-"."""
    return Modules(torch.zeros(entries, dtype=torch.long), ("all",))


def per_entry(entries: int) -> Modules:
    """Every entry its own module."""
    return Modules(torch.arange(entries), tuple(map(str, range(entries))))


def per_tensor(model: nn.Module) -> Modules:
    """Every parameter tensor of a model its own module."""
    return grouped(model, {name: [name] for name, _ in model.named_parameters()})


def grouped(model: nn.Module, groups: Mapping[str, Sequence[str]]) -> Modules:
    """Modules by parameter names, with wildcards: {"body": ["conv*"], "head": ["fc.weight", "fc.bias"]}.

    Raises ValueError for a pattern that matches nothing, and for a parameter in no module or in two.
    """
    names = [name for name, _ in model.named_parameters()]
    owner: dict[str, str] = {}
    for group, patterns in groups.items():
        for pattern in patterns:
            matched = fnmatch.filter(names, pattern)
            if not matched:
                raise ValueError(
                    f"Module {group!r} has {pattern!r}, which matches no parameter; the parameters are {', '.join(names)}."
                )
            for name in matched:
                if owner.setdefault(name, group) != group:
                    raise ValueError(
                        f"Parameter {name!r} is in the modules {owner[name]!r} and {group!r}: put it in one."
                    )
    left = [name for name in names if name not in owner]
    if left:
        raise ValueError(f"The parameters {', '.join(left)} are in no module: put each in one.")
    number = {group: n for n, group in enumerate(groups)}
    index = torch.cat([torch.full((p.numel(),), number[owner[name]]) for name, p in model.named_parameters()])
    return Modules(index, tuple(groups))
