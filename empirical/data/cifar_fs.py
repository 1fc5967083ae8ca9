"""CIFAR-FS: the 100 fine classes of CIFAR-100 with 600 images of 32 × 32 in colours each, its train and test parts together.

Read from `cifar-100-python.tar.gz`, or from the folder that it unpacks to.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np

from . import sources, splits
from .image_set import ImageSet

UNPACKED = "cifar-100-python"
ARCHIVE = f"{UNPACKED}.tar.gz"
PARTS = ("train", "test")
CLASSES = splits.all_classes(splits.cifar_fs())
IMAGES = 600
SIDE = 32


def unpacked(archive: str) -> str:
    """The name of the folder that the archive unpacks to."""
    return archive.removesuffix(".tar.gz")


def files(folder: Path) -> list[Path]:
    """The archive or the folder. Raises DataError where it is missing."""
    return [sources.first_of(folder, ARCHIVE, UNPACKED, what="CIFAR-100")]


def read(folder: Path) -> ImageSet:
    """Decode all images: (60000, 32, 32, 3); classes are the fine labels' names.

    Raises:
        DataError: a file is missing, damaged, a web page or unsafe to read; a class or images are missing; another shape.
    """
    (path,) = files(folder)
    contents = _contents(path)
    place = {part: f"{UNPACKED}/{part} of {path}" if path.is_file() else str(path / part) for part in contents}
    meta = sources.unpickled(contents["meta"], place["meta"])
    known = [str(sources.text(name)) for name in sources.column(meta, "fine_label_names", place["meta"])]
    sources.names(set(known), set(CLASSES), place["meta"], "class")
    images, labels = [], []
    for part in PARTS:
        table = sources.unpickled(contents[part], place[part])
        data = sources.pixels(sources.column(table, "data", place[part]), (3 * SIDE * SIDE,), place[part])
        label = sources.whole_numbers(sources.column(table, "fine_labels", place[part]), f"the labels of {place[part]}")
        if len(label) != len(data) or (len(label) and not 0 <= label.min() <= label.max() < len(known)):
            raise sources.DataError(
                f"{place[part]} has {len(data)} images and {len(label)} labels: expected as many, and labels from 0 to "
                f"{len(known) - 1}; fetch it again."
            )
        images.append(data)
        labels.append(label)
    # a row has all of red, then green, then blue
    pooled = np.concatenate(images).reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    label = np.concatenate(labels)
    groups = {}
    for number, name in enumerate(known):
        groups[name] = pooled[label == number]
        if len(groups[name]) != IMAGES:
            raise sources.DataError(
                f"CIFAR-100 in {path} has {len(groups[name])} images of the class {name}: expected {IMAGES}; fetch it again."
            )
    return ImageSet.of(groups)


def _contents(path: Path) -> dict[str, bytes]:
    """The bytes of train, test and meta."""
    wanted = (*PARTS, "meta")
    if path.is_dir():
        missing = [part for part in wanted if not (path / part).is_file()]
        if missing:
            raise sources.DataError(
                f"{path} has no file {missing[0]!r}: expected {', '.join(wanted)}; unpack {ARCHIVE} again."
            )
        for part in wanted:
            sources.refuse_web_page(path / part)
        return {part: (path / part).read_bytes() for part in wanted}
    sources.refuse_web_page(path)
    found = {}
    with sources.reading(path), tarfile.open(path, "r:gz") as archive:
        for member in archive:
            part = member.name.removeprefix("./").removeprefix(f"{UNPACKED}/")
            if part in wanted and member.isfile():
                found[part] = archive.extractfile(member).read()
        while archive.fileobj.read(1 << 20):  # gzip's checksum stands at its end, and is compared only there
            pass
    missing = [part for part in wanted if part not in found]
    if missing:
        raise sources.DataError(f"{path} has no file {UNPACKED}/{missing[0]}: fetch it again.")
    return found
