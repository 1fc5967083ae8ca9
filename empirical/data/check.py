"""Are the files what they should be? Counts and sizes, and each class's pixels against the digests that come with the package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from . import sources
from .datasets import dataset
from .image_set import ImageSet
from .sources import DataError


@dataclass(frozen=True)
class Checked:
    """A data set that was found to be whole.

    Attributes:
        title: its name.
        images, classes: how many there are.
        shape: of an image, (H, W, C).
        digest: of all pixels (see `ImageSet.digest`).
        compared: classes whose pixels were compared with the digests known; 0 where none are known.
    """

    title: str
    images: int
    classes: int
    shape: tuple[int, ...]
    digest: str
    compared: int

    def __str__(self) -> str:
        size = " × ".join(map(str, self.shape))
        pixels = (
            f"the pixels of all {self.compared} are the expected ones"
            if self.compared
            else "no digests of pixels are known"
        )
        return (
            f"{self.title}: {self.images} images of {size} in {self.classes} classes; {pixels} (sha256 {self.digest})"
        )


def check(name: str, folder: Path | str | None = None) -> Checked:
    """Decode a data set from its files, never from the cache, and compare.

    Args:
        name: of `DATASETS`.
        folder: see `datasets.load`.

    Raises:
        DataError: what reading raises; other counts or sizes; the first class whose pixels differ.
    """
    known = dataset(name)
    root = sources.data_folder(folder)
    images = known.reader.read(root)
    found = (len(images.classes), len(images.images), images.images.shape[1:])
    if found != (known.classes, known.images, known.shape):
        raise DataError(
            f"{known.title} in {str(root)!r} has {found[0]} classes, {found[1]} images and shape {found[2]}: expected {known.classes}, "
            f"{known.images} and {known.shape}; fetch it again."
        )
    expected = digests(name)
    for label, digest in expected.items():
        if label not in images.classes or images.digest(label) != digest:
            raise DataError(
                f"{known.title} in {str(root)!r}: the pixels of the class {label} are not the expected ones; fetch it again."
            )
    return Checked(known.title, found[1], found[0], found[2], images.digest(), len(expected))


def digests(name: str) -> dict[str, str]:
    """By class, the digest of its pixels; empty for a data set of which none are known."""
    file = resources.files(__package__) / "digests" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))["classes"] if file.is_file() else {}


def digests_of(images: ImageSet, computed_from: str) -> str:
    """The file that `digests` reads, as text."""
    told = {"computed_from": computed_from, "classes": {name: images.digest(name) for name in images.classes}}
    return json.dumps(told, indent=0, ensure_ascii=False) + "\n"
