"""mini-ImageNet: 100 classes of ImageNet with 600 images each, in the split of Ravi and Larochelle (64, 16 and 20 classes), 84 × 84.

Read from the first of these that is there: `train.csv`, `val.csv` and `test.csv` beside the folder `images`; the three
`mini-imagenet-cache-….pkl`; the three `miniImageNet_category_split_….pickle`. The files say which class is in which split, so a class is
named by both, as in "training/n01532829". The last layout may number its classes without naming them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import sources, splits
from .image_set import ImageSet, resize

CLASSES = splits.mini_imagenet()
NUMBERED = "class"
"""How a class begins that has a number for a name; WordNet's names begin with n."""
IMAGES = 600
SIDE = 84

Groups = dict[str, list[np.ndarray]]


def _csv(split: str, path: Path) -> Groups:
    """One split from a table (filename, label) and the JPEGs that it names."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        wanted = [(row["filename"], row["label"]) for row in rows]
    except (KeyError, UnicodeDecodeError, csv.Error):
        raise sources.DataError(f"{path} is no table with the columns filename and label: fetch it again.") from None
    groups: Groups = {}
    for name, label in wanted:
        if not name or not label or Path(name).name != name:
            raise sources.DataError(f"{path} has the row {name!r}, {label!r}: expected a file's name and its label.")
        file = path.parent / "images" / name
        if not file.is_file():
            raise sources.DataError(f"{file} is missing, and {path.name} names it: fetch the images again.")
        image = np.asarray(sources.decoded(file.read_bytes(), str(file), "RGB"))
        groups.setdefault(label, []).append(image if image.shape[:2] == (SIDE, SIDE) else resize(image, SIDE))
    return groups


def _cache(split: str, path: Path) -> Groups:
    """One split from {"image_data": (N, 84, 84, 3), "class_dict": {label: indices}}."""
    table = sources.unpickled(path.read_bytes(), str(path))
    images = sources.pixels(sources.column(table, "image_data", str(path)), (SIDE, SIDE, 3), str(path))
    places = sources.column(table, "class_dict", str(path))
    if not isinstance(places, dict):
        raise sources.DataError(f"class_dict of {path} is a {type(places).__name__}: expected a dict; fetch it again.")
    groups: Groups = {}
    for label, at in places.items():
        name = str(sources.text(label))
        at = sources.whole_numbers(at, f"the indices of {name} in {path}")
        if len(at) and not 0 <= at.min() <= at.max() < len(images):
            raise sources.DataError(f"{path} has {len(images)} images, and {name} asks for another: fetch it again.")
        groups[name] = list(images[at])
    return groups


def _numbered(split: str, path: Path) -> Groups:
    """One split from {"data": (N, 84, 84, 3), "labels": (N,)}, and from {"catname2label": {name: label}} the names, if all are there."""
    table = sources.unpickled(path.read_bytes(), str(path))
    images = sources.pixels(sources.column(table, "data", str(path)), (SIDE, SIDE, 3), str(path))
    labels = sources.whole_numbers(sources.column(table, "labels", str(path)), f"the labels of {path}")
    if len(labels) != len(images):
        raise sources.DataError(f"{path} has {len(images)} images and {len(labels)} labels: fetch it again.")
    found, named = np.unique(labels).tolist(), table.get("catname2label") or {}
    if not isinstance(named, dict):
        raise sources.DataError(
            f"catname2label of {path} is a {type(named).__name__}: expected a dict; fetch it again."
        )
    numbers = sources.whole_numbers(list(named.values()) or [0], f"the labels of the names in {path}").tolist()
    names = {label: str(sources.text(name)) for name, label in zip(named, numbers, strict=False)}
    if not set(found) <= set(names):
        names = {label: f"{NUMBERED}{label:03}" for label in found}
    return {names[label]: list(images[labels == label]) for label in found}


SHORT = {"training": "train", "validation": "val", "test": "test"}
LAYOUTS: tuple[tuple[Callable[[str, Path], Groups], dict[str, str]], ...] = (
    (_csv, {split: f"{short}.csv" for split, short in SHORT.items()}),
    (_cache, {split: f"mini-imagenet-cache-{short}.pkl" for split, short in SHORT.items()}),
    (
        _numbered,
        {
            split: f"miniImageNet_category_split_{'train_phase_' if split == 'training' else ''}{short}.pickle"
            for split, short in SHORT.items()
        },
    ),
)
"""How each layout is read, and the file of each split in it."""


def _layout(folder: Path) -> tuple[Callable[[str, Path], Groups], dict[str, Path]]:
    for reader, names in LAYOUTS:
        paths = {split: folder / name for split, name in names.items()}
        there = [path for path in paths.values() if path.exists()]
        if there:
            for path in paths.values():
                if path not in there:
                    raise sources.DataError(f"{path} is missing, and {there[0].name} is there: fetch all three splits.")
            return reader, paths
    expected = "; ".join(", ".join(names.values()) for _, names in LAYOUTS)
    raise sources.DataError(
        f"mini-ImageNet is not in {str(folder)!r}: expected one of these sets of files there: {expected}; give the folder that holds "
        f"it, by --data or {sources.FOLDER_VARIABLE}."
    )


def files(folder: Path) -> list[Path]:
    """The three files of the layout that is there, and the folder of images of the first. Raises DataError where there is none."""
    reader, paths = _layout(folder)
    found = list(paths.values())
    if reader is _csv:
        found.append(sources.first_of(folder, "images", what="the folder of mini-ImageNet's JPEGs"))
    return found


def read(folder: Path) -> ImageSet:
    """Decode all images: (60000, 84, 84, 3); JPEGs of another size are resized (Pillow's LANCZOS). Classes SPLIT/LABEL.

    Raises:
        DataError: a file is missing, damaged, a web page or unsafe to read; a class or images are missing, or it is another split; another
            shape.
    """
    reader, paths = _layout(folder)
    groups: dict[str, list[np.ndarray]] = {}
    for split, path in paths.items():
        sources.refuse_web_page(path)
        of_split, expected = reader(split, path), set(CLASSES[split])
        if reader is _numbered and all(label.startswith(NUMBERED) for label in of_split):
            if len(of_split) != len(expected):
                raise sources.DataError(
                    f"{path} has {len(of_split)} classes: expected {len(expected)}; fetch it again."
                )
        else:
            sources.names(set(of_split), expected, str(path), "class")
        for label, images in sorted(of_split.items()):
            if len(images) != IMAGES:
                raise sources.DataError(
                    f"{path} has {len(images)} images of the class {label}: expected {IMAGES}; fetch it again."
                )
            groups[f"{split}/{label}"] = images
    return ImageSet.of(groups)
