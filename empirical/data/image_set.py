"""A data set of images by class, as one array whose order does not depend on how its files were packed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """Decoded images, class after class.

    Attributes:
        images: (N, H, W, C) uint8.
        classes: their names, sorted.
        starts: class c is images[starts[c] : starts[c + 1]]; one more than there are classes.

    Raises:
        ValueError: another type, shape or order.
    """

    images: np.ndarray
    classes: tuple[str, ...]
    starts: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(
                f"Got images of shape {self.images.shape} and type {self.images.dtype}: expected (N, H, W, C) of uint8."
            )
        if list(self.classes) != sorted(set(self.classes)) or len(self.starts) != len(self.classes) + 1:
            raise ValueError("Class names have to be sorted, each there once, with one start more than names.")
        if self.starts[0] != 0 or self.starts[-1] != len(self.images) or (np.diff(self.starts) < 1).any():
            raise ValueError(f"The starts {self.starts} do not divide {len(self.images)} images into classes.")

    @classmethod
    def of(cls, groups: Mapping[str, Iterable[np.ndarray]]) -> ImageSet:
        """From each class's images (H, W, C), all of one shape, in any order.

        Within a class they are sorted by the sha256 of their pixels. Raises ValueError for no images.
        """
        names = sorted(groups)
        listed = [sorted(groups[name], key=image_hash) for name in names]
        starts = np.cumsum([0] + [len(images) for images in listed])
        if not starts[-1]:
            raise ValueError("There are no images to make a data set of.")
        images = np.empty((starts[-1], *listed[0][0].shape), np.uint8)
        for at, each in zip(starts, listed, strict=False):
            for number, image in enumerate(each):
                images[at + number] = image
        return cls(images, tuple(names), tuple(int(start) for start in starts))

    def of_class(self, name: str) -> np.ndarray:
        """The images (n, H, W, C) of a class. Raises KeyError for an unknown one."""
        at = self._places[name]
        return self.images[self.starts[at] : self.starts[at + 1]]

    def digest(self, name: str | None = None) -> str:
        """Sha256 of all pixels, or of those of one class: the same for every packing and order of the same images."""
        if name is None:
            return self._digest
        images = self.of_class(name)
        found = hashlib.sha256(repr(images.shape).encode())
        for image in sorted(map(image_hash, images)):
            found.update(image)
        return found.hexdigest()

    @cached_property
    def _digest(self) -> str:
        found = hashlib.sha256()
        for name in self.classes:
            found.update(f"{name}\0{self.digest(name)}\n".encode())
        return found.hexdigest()

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.classes)}

    def resized(self, side: int) -> ImageSet:
        """The images at side × side, by Pillow's LANCZOS, in the order that they have here."""
        if self.images.shape[1:3] == (side, side):
            return self
        images = np.empty((len(self.images), side, side, self.images.shape[3]), np.uint8)
        for number, image in enumerate(self.images):
            images[number] = resize(image, side)
        return ImageSet(images, self.classes, self.starts)

    def __repr__(self) -> str:
        count, *shape = self.images.shape
        return f"ImageSet({count} images {tuple(shape)}, {len(self.classes)} classes, sha256 {self.digest()})"


def image_hash(image: np.ndarray) -> bytes:
    """Sha256 of an image's pixels."""
    return hashlib.sha256(np.ascontiguousarray(image).data).digest()


def resize(image: np.ndarray, side: int) -> np.ndarray:
    """One image (H, W, 1 or 3) uint8 at side × side, by Pillow's LANCZOS."""
    # of one channel Pillow wants no third axis
    small = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).resize((side, side), Image.LANCZOS)
    return np.asarray(small).reshape(side, side, -1)
