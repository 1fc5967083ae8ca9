"""Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn by 20 people, as 105 × 105 images of ink and paper.

Read from `images_background.zip` and `images_evaluation.zip`, or from the folders that they unpack to.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import sources, splits
from .image_set import ImageSet

PARTS = ("images_background", "images_evaluation")
CHARACTERS = splits.all_classes(splits.omniglot_vinyals())
DRAWINGS = 20
SIDE = 105
ENTRY = re.compile(r"(?P<part>[^/]+)/(?P<character>[^/]+/character\d+)/(?P<file>\d+_(?P<drawing>\d+)\.png)")


def unpacked(archive: str) -> str:
    """The name of the folder that an archive unpacks to."""
    return archive.removesuffix(".zip")


def files(folder: Path) -> list[Path]:
    """The zip or the folder of each part. Raises DataError where one is missing."""
    return [sources.first_of(folder, f"{part}.zip", part, what=f"Omniglot ({part})") for part in PARTS]


def read(folder: Path) -> ImageSet:
    """Decode all drawings: (32460, 105, 105, 1), 255 where there is ink and 0 elsewhere; classes ALPHABET/characterNN.

    Raises:
        DataError: a part is missing, damaged or a web page; a character or a drawing is missing, decodes to nothing or has
            another size.
    """
    drawings: dict[str, dict[int, np.ndarray]] = {}
    for path in files(folder):
        entries = _of_folder(path) if path.is_dir() else _zipped(path)
        for name, content in entries:
            entry = ENTRY.fullmatch(name)
            if entry is None or entry["part"] != path.stem:  # a read-me, or what a file manager has left
                continue
            image = np.asarray(sources.decoded(content, f"{name} of {path}", "L", SIDE))
            of_character = drawings.setdefault(entry["character"], {})
            if int(entry["drawing"]) in of_character:
                raise sources.DataError(
                    f"{path} has drawing {entry['drawing']} of {entry['character']} twice: fetch it again."
                )
            of_character[int(entry["drawing"])] = 255 - image[..., None]  # paper is white in the files
    sources.names(set(drawings), set(CHARACTERS), f"Omniglot in {str(folder)!r}", "character")
    for character, found in sorted(drawings.items()):
        sources.names(
            {f"{number:02}" for number in found},
            {f"{number:02}" for number in range(1, DRAWINGS + 1)},
            f"{character} of Omniglot in {str(folder)!r}",
            "drawing",
        )
    return ImageSet.of({character: found.values() for character, found in drawings.items()})


def _zipped(path: Path) -> Iterator[tuple[str, bytes]]:
    sources.refuse_web_page(path)
    with sources.reading(path), zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith(".png"):
                yield entry.filename, archive.read(entry)


def _of_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(path.rglob("*.png")):
        yield file.relative_to(path.parent).as_posix(), file.read_bytes()
