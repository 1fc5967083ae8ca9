"""The data sets by name: how each is read, what it has to hold, and where it comes from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from . import cache as kept
from . import cifar_fs, mini_imagenet, omniglot, sources, splits
from .image_set import ImageSet
from .sources import DataError


@dataclass(frozen=True)
class Download:
    """One file of a data set: its address, and the md5 of its bytes in hexadecimal."""

    address: str
    md5: str

    @property
    def file(self) -> str:
        """Its name."""
        return self.address.rpartition("/")[2]


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set.

    Attributes:
        title: its name in sentences.
        reader: the module that reads it: `files(folder)` and `read(folder)`, and `unpacked(archive)` where there are downloads.
        classes, images: how many there are of each.
        shape: of an image as decoded, (H, W, C).
        side: height and width, in pixels, at which it is learned from.
        licence: its terms.
        download: its size, in words.
        downloads: the files; none where they cannot be had without an account.
        splits: by name, from the classes' names to those of each split; the first is the usual one.
    """

    title: str
    reader: ModuleType
    classes: int
    images: int
    shape: tuple[int, int, int]
    side: int
    licence: str
    download: str
    downloads: tuple[Download, ...]
    splits: Mapping[str, Callable[[tuple[str, ...]], splits.Splits]]


DATASETS = {
    "omniglot": Dataset(
        title="Omniglot",
        reader=omniglot,
        classes=1623,
        images=32460,
        shape=(105, 105, 1),
        side=28,
        licence="MIT licence (Brenden Lake, 2015)",
        download="16 MB",
        downloads=(
            Download(
                "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/images_background.zip",
                "68d2efa1b9178cc56df9314c21c6e718",
            ),
            Download(
                "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/images_evaluation.zip",
                "6b91aef0f799c5bb55b94e3f2daec811",
            ),
        ),
        splits={
            "vinyals": lambda classes: splits.omniglot_vinyals(),
            "arnold2019": lambda classes: splits.omniglot_arnold2019(),
        },
    ),
    "cifar-fs": Dataset(
        title="CIFAR-FS (CIFAR-100)",
        reader=cifar_fs,
        classes=100,
        images=60000,
        shape=(32, 32, 3),
        side=32,
        licence="no licence is stated; its authors ask to cite Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009)",
        download="169 MB",
        downloads=(
            Download(
                "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                "eb9058c3a382ffc7106e4002c42a8d85",
            ),
        ),
        splits={"bertinetto": lambda classes: splits.cifar_fs()},
    ),
    "mini-imagenet": Dataset(
        title="mini-ImageNet",
        reader=mini_imagenet,
        classes=100,
        images=60000,
        shape=(84, 84, 3),
        side=84,
        licence="ImageNet's terms of access: research and education that is not commercial",
        download="about 3 GB",
        downloads=(),
        splits={"ravi": splits.by_prefix},
    ),
}


def dataset(name: str) -> Dataset:
    """The data set of this name. Raises DataError for an unknown one, naming the nearest."""
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1, cutoff=0)[0]
        raise DataError(f"There is no data set {name!r}; the nearest is {near!r}, and all are {', '.join(DATASETS)}.")
    return DATASETS[name]


def find(name: str, folder: Path | str | None = None) -> list[Path]:
    """The files of a data set, which are not opened. See `load` for the arguments.

    Raises:
        DataError: an unknown name; files that are missing.
    """
    return dataset(name).reader.files(sources.data_folder(folder))


def load(
    name: str,
    folder: Path | str | None = None,
    cache: Path | str | Literal[False] | None = None,
    side: int | None = None,
) -> ImageSet:
    """Read a data set, from the cache where it was read before.

    Args:
        name: of `DATASETS`.
        folder: where its files are; by default that of the environment variable METAPROOF_DATA, else `data`.
        cache: where decoded images are kept (see `cache.cache_folder`); False keeps none.
        side: height and width that images are resized to, once (Pillow's LANCZOS); by default the data set's own side,
            28 for Omniglot, and the decoded size for the others.

    Raises:
        DataError: an unknown name; files that are missing, damaged or not what they should be.
    """
    known = dataset(name)
    side = known.side if side is None else side
    if side < 1:
        raise DataError(f"The side is {side} pixels: expected 1 or more.")
    root = sources.data_folder(folder)

    def make() -> ImageSet:
        return known.reader.read(root).resized(side)

    if cache is False:
        return make()
    content = sources.content_digest(find(name, root), root)
    return kept.cached(kept.cache_folder(cache), name, kept.key(content, side), make)


def splits_of(name: str, images: ImageSet, which: str | None = None) -> splits.Splits:
    """The splits of a data set that was loaded. Raises DataError for an unknown name."""
    known = dataset(name).splits
    which = which or next(iter(known))
    if which not in known:
        raise DataError(f"{dataset(name).title} has no splits {which!r}: expected {' or '.join(map(repr, known))}.")
    return known[which](images.classes)
