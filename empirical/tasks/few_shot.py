"""Few-shot classification of images: a task has some classes, a few images of each to adapt on, and others to be judged on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data import ImageSet, load, splits_of
from ..data.splits import SPLITS
from ..randomness import generator as keyed

QUARTERS = 4
"""Rotations by multiples of 90 degrees."""
PIECE = 3 << 16
"""Numbers that are made of pixels at a time on a CPU: few enough to stay in its caches from one operation to the next."""


@dataclass(frozen=True, eq=False, repr=False)
class FewShotTasks:
    """Tasks of `ways` classes with `shots` images each to adapt on and `queries` others each to judge the adapted model.

    Classes are drawn without replacement within a task, images without replacement within a class. Values are in [0, 1], for Omniglot
    1 where there is ink; or standardised.

    Args:
        images: see `empirical.data.load`.
        splits: by "training", "validation" and "test", the names of classes (see `empirical.data.splits_of`).
        ways, shots, queries: numbers from 1 up.
        rotations: a class turned by 90, 180 and 270 degrees is a class too, of the same split: there are four times as many.
        standardise: subtract each channel's mean over all images of the training classes, and divide by its standard deviation.
        pool: draw from a fixed pool of so many tasks for each split; None draws new ones for ever.
        pool_seed: which pool.

    Attributes:
        mean, deviation: by channel, of values in [0, 1], over all images of the training classes.

    Raises:
        ValueError: numbers out of range; splits that overlap, or have unknown classes; fewer classes than ways, or fewer images in
            a class than shots and queries.
    """

    images: ImageSet
    splits: Mapping[str, tuple[str, ...]]
    ways: int
    shots: int
    queries: int
    rotations: bool = False
    standardise: bool = False
    pool: int | None = None
    pool_seed: int = 0
    mean: tuple[float, ...] = field(init=False)
    deviation: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        for name, least in (("ways", 1), ("shots", 1), ("queries", 1), ("pool", 1), ("pool_seed", 0)):
            value = getattr(self, name)
            if name == "pool" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}: expected a whole number, {least} or more.")
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"The splits are {', '.join(self.splits)}: expected {', '.join(SPLITS)}.")
        known, taken = set(self.images.classes), {}
        for split in SPLITS:
            for name in self.splits[split]:
                if name not in known:
                    raise ValueError(f"The {split} split has the class {name}, which the images have not.")
                if name in taken:
                    raise ValueError(f"The class {name} is in the {taken[name]} split and in the {split} split.")
                taken[name] = split
            self._validate(split)
        if self.rotations and self.images.images.shape[1] != self.images.images.shape[2]:
            raise ValueError(f"Images of {self.images.images.shape[1:3]} cannot be rotated: expected square ones.")
        mean, deviation = self._moments()
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "deviation", deviation)

    def _validate(self, split: str) -> None:
        classes = len(self.splits[split]) * (QUARTERS if self.rotations else 1)
        if classes < self.ways:
            raise ValueError(
                f"The {split} split has {classes} classes: expected as many as ways, {self.ways}, or more."
            )
        for name in self.splits[split]:
            count = len(self.images.of_class(name))
            if count < self.shots + self.queries:
                raise ValueError(
                    f"The class {name} has {count} images: expected {self.shots} shots and {self.queries} queries, or fewer of them."
                )

    @classmethod
    def of(
        cls,
        name: str,
        ways: int,
        shots: int,
        queries: int,
        *,
        folder: Path | str | None = None,
        cache: Path | str | Literal[False] | None = None,
        split: str | None = None,
        side: int | None = None,
        pool: int | None = None,
        pool_seed: int = 0,
    ) -> FewShotTasks:
        """Tasks of a data set by its name: Omniglot with rotations, at 28 × 28; the others standardised.

        Args:
            name: of `empirical.data.DATASETS`.
            ways: see the class, as for shots, queries, pool and pool_seed.
            shots: images of a class to adapt on.
            queries: images of a class to judge on.
            folder: see `empirical.data.load`, as for cache and side.
            cache: where decoded images are kept.
            split: the name of the splits; the usual ones by default.
            side: height and width of an image.
            pool: tasks of a fixed pool.
            pool_seed: which pool.

        Raises:
            DataError: see `empirical.data.load`.
            ValueError: see the class.
        """
        images = load(name, folder, cache, side)
        drawn = name == "omniglot"
        return cls(
            images,
            splits_of(name, images, split),
            ways,
            shots,
            queries,
            rotations=drawn,
            standardise=not drawn,
            pool=pool,
            pool_seed=pool_seed,
        )

    def sample(
        self, count: int, generator: torch.Generator, split: str, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw tasks on the generator's device.

        Returns:
            Inputs (count, ways · n, C, H, W) and labels (count, ways · n) of support, n = shots, and of query, n = queries. Classes
            stand one after the other, labelled 0 to ways − 1 in the order that they were drawn in.

        Raises:
            ValueError: an unknown split.
        """
        if split not in SPLITS:
            raise ValueError(f"There is no split {split!r}: expected {', '.join(SPLITS)}.")
        device = generator.device
        if self.pool is None:
            chosen = self._draw(count, generator, split)
        else:
            at = torch.randint(self.pool, (count,), generator=generator, device=device)
            chosen = self._pooled(split, device)[at].long()
        support = self._values(chosen[..., : self.shots], dtype)
        query = self._values(chosen[..., self.shots :], dtype)
        label = torch.arange(self.ways, device=device)
        support_y = label.repeat_interleave(self.shots).repeat(count, 1)
        query_y = label.repeat_interleave(self.queries).repeat(count, 1)
        return support, support_y, query, query_y

    def _draw(self, count: int, generator: torch.Generator, split: str) -> Tensor:
        """Places (count, ways, shots + queries) in the tensor of images."""
        device = generator.device
        where = {"generator": generator, "device": device}
        table = self._table(split, device)
        # the smallest of independent uniform numbers are a uniform choice without replacement
        classes = torch.rand(count, len(table.starts), **where).topk(self.ways, largest=False).indices
        order = torch.rand(count, self.ways, table.most, **where)
        if table.uneven:
            beyond = torch.arange(table.most, device=device) >= table.sizes[classes][..., None]
            order = order.masked_fill(beyond, 2.0)
        chosen = order.topk(self.shots + self.queries, largest=False).indices
        return table.starts[classes][..., None] + chosen

    def _pooled(self, split: str, device: torch.device) -> Tensor:
        """The pool's places (pool, ways, shots + queries), drawn on the CPU, so that they are the same ones for every device."""
        key = (split, device)
        if key not in self._pools:
            cpu = torch.device("cpu")
            if (split, cpu) not in self._pools:
                drawn = [
                    self._draw(1, keyed(self.pool_seed, "pool", number * len(SPLITS) + SPLITS.index(split)), split)
                    for number in range(self.pool)
                ]
                self._pools[split, cpu] = torch.cat(drawn).to(
                    torch.int32
                )  # places are below 2^31, and this halves the pool
            self._pools[key] = self._pools[split, cpu].to(device)
        return self._pools[key]

    def _values(self, chosen: Tensor, dtype: torch.dtype) -> Tensor:
        """The images at places (T, ways, n), as numbers (T, ways · n, C, H, W)."""
        pixels, places = self._pixels(chosen.device), chosen.flatten()
        values = torch.empty(len(places), *pixels.shape[1:], dtype=dtype, device=chosen.device)
        piece = max(1, PIECE // pixels[0].numel()) if chosen.device.type == "cpu" else len(places)
        if self.standardise:
            by_channel = {"dtype": dtype, "device": chosen.device}
            deviation, mean = (torch.tensor(m, **by_channel).view(-1, 1, 1) for m in (self.deviation, self.mean))
            scale, shift = 1 / (255 * deviation), mean / deviation
        for own, at in zip(values.split(piece), places.split(piece), strict=True):
            own.copy_(pixels.index_select(0, at))
            if self.standardise:
                own.mul_(scale).sub_(shift)
            else:
                own.div_(255)
        return values.view(len(chosen), -1, *pixels.shape[1:])

    # what is made once for each device

    @cached_property
    def _pools(self) -> dict[tuple[str, torch.device], Tensor]:
        return {}

    @cached_property
    def _held(self) -> dict[torch.device, Tensor]:
        return {}

    @cached_property
    def _tables(self) -> dict[tuple[str, torch.device], _Table]:
        return {}

    def _pixels(self, device: torch.device) -> Tensor:
        """All images (N or, with rotations, 4 N, C, H, W) uint8: all as they are, then all turned once, twice, three times."""
        if device not in self._held:
            pixels = torch.tensor(np.array(self.images.images)).permute(0, 3, 1, 2)
            # four copies of small images cost less than turning those of each task
            turned = [torch.rot90(pixels, times, (2, 3)) for times in range(QUARTERS if self.rotations else 1)]
            self._held[device] = torch.cat(turned).contiguous().to(device)
        return self._held[device]

    def _table(self, split: str, device: torch.device) -> _Table:
        key = (split, device)
        if key not in self._tables:
            places = {name: at for at, name in enumerate(self.images.classes)}
            at = np.array([places[name] for name in self.splits[split]])
            starts = np.array(self.images.starts)
            sizes = starts[at + 1] - starts[at]
            turns = QUARTERS if self.rotations else 1
            begins = [starts[at] + times * len(self.images.images) for times in range(turns)]
            self._tables[key] = _Table(
                torch.tensor(np.concatenate(begins), device=device),
                torch.tensor(np.tile(sizes, turns), device=device),
                int(sizes.max()),
                bool(sizes.min() < sizes.max()),
            )
        return self._tables[key]

    def _moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation by channel, from counts of the 256 values, which are exact."""
        channels = self.images.images.shape[-1]
        counts = np.zeros((channels, 256), np.int64)
        for name in self.splits["training"]:
            images = self.images.of_class(name)
            for channel in range(channels):
                counts[channel] += np.bincount(images[..., channel].ravel(), minlength=256)
        value = np.arange(256) / 255
        share = counts / counts.sum(1, keepdims=True)
        mean = share @ value
        deviation = np.sqrt((share * (value - mean[:, None]) ** 2).sum(1))
        if self.standardise and not deviation.all():
            raise ValueError(
                "A channel has one value in all training images, and cannot be standardised: leave it out."
            )
        return tuple(mean.tolist()), tuple(deviation.tolist())

    def __repr__(self) -> str:
        told = json.dumps({split: list(self.splits[split]) for split in SPLITS}, sort_keys=True)
        counts = "/".join(str(len(self.splits[split])) for split in SPLITS)
        splits = f"{counts} classes, sha256 {hashlib.sha256(told.encode()).hexdigest()}"
        settings = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in ("ways", "shots", "queries", "rotations", "standardise", "pool", "pool_seed")
        )
        return f"FewShotTasks(images={self.images!r}, splits=({splits}), {settings})"


class _Table(NamedTuple):
    """Of the classes of a split, each rotation a class of its own: where they start, how many images they have, the most of these."""

    starts: Tensor
    sizes: Tensor
    most: int
    uneven: bool
