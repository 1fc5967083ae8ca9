"""The studies of what each layer of arnold2019's CNN(4) does: what Figures 2, A.2 and A.3 share."""

from __future__ import annotations

from collections.abc import Iterable

from paper_checks.image_records import Cell

from .image_curves import settings

__all__ = ["MODEL", "all_adapt", "wanted"]

MODEL = "CNN(4) MAML"


def wanted(datasets: Iterable[str] = ("omniglot", "cifar-fs")) -> dict[str, dict[str, str]]:
    """The cells, as `image_curves.collect` wants them."""
    return settings(datasets, {MODEL: MODEL})


def all_adapt(cell: Cell) -> float:
    """The accuracy where nothing is changed, on the test tasks of the studies."""
    return float(cell.studied("scaling", "before adaptation", "C1", "1").mean())
