"""Which classes are for training, validation and test: no class is in two of them.

Splits are mappings from "training", "validation" and "test" to sorted names of classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import resources

SPLITS = ("training", "validation", "test")

Splits = dict[str, tuple[str, ...]]


def _listed(name: str) -> Splits:
    folder = resources.files(__package__) / "class_lists"
    return {
        split: tuple(sorted((folder / f"{name}.{split}.txt").read_text(encoding="utf-8").split())) for split in SPLITS
    }


def cifar_fs() -> Splits:
    """The 64, 16 and 20 classes of Bertinetto et al., *Meta-learning with differentiable closed-form solvers* (2019)."""
    return _listed("cifar-fs")


def omniglot_vinyals() -> Splits:
    """The 1,028, 172 and 423 characters of Vinyals et al., *Matching Networks for One Shot Learning* (2016).

    Their lists have each character in four rotations; a character is in the same split in all of them, and named once here.
    """
    return _listed("omniglot")


def mini_imagenet() -> Splits:
    """The 64, 16 and 20 classes of Ravi and Larochelle, *Optimization as a model for few-shot learning* (2017), by WordNet's names."""
    return _listed("mini-imagenet")


VALIDATION_OF_ARNOLD2019 = 100
"""Characters that arnold2019 validates on."""


def omniglot_arnold2019() -> Splits:
    """The 1,100, 100 and 423 characters taken for arnold2019.

    It prints 1,200, 100 and 423, which is 1,723 of 1,623 characters. Taken as they are: the 423 of the test (Vinyals et al.), and the
    100 of validation, which the 1,200 that remain have to give. Which ones is not said; here the 100 whose names have the smallest
    sha256, so that neither an order of alphabets nor a random generator decides.
    """
    vinyals = omniglot_vinyals()
    rest = sorted(vinyals["training"] + vinyals["validation"])
    validation = sorted(rest, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:VALIDATION_OF_ARNOLD2019]
    return {
        "training": tuple(name for name in rest if name not in set(validation)),
        "validation": tuple(sorted(validation)),
        "test": vinyals["test"],
    }


def by_prefix(classes: Iterable[str]) -> Splits:
    """The splits of classes that carry theirs in front, "training/n01532829": those of mini-ImageNet, whose files are split."""
    listed = sorted(classes)
    return {split: tuple(name for name in listed if name.startswith(f"{split}/")) for split in SPLITS}


def all_classes(splits: Splits) -> tuple[str, ...]:
    """The names of all splits, sorted."""
    return tuple(sorted(name for names in splits.values() for name in names))
