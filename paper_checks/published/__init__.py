"""The papers' own numbers, as data: curves and results read off their figures.

One file of curves (PAPER_figures.csv) and one of results (PAPER_results.csv) for a paper, or of accuracies and of times that it
prints (PAPER_accuracies.csv, PAPER_times.csv). chen2019: the curves of Figures 5 to 7 come from the lines of the vector graphics
(error of a value about 0.001; the largest were thinned by points that move the line by less than 0.0005), those of Figure 3,
Reptile alone, were read by eye (0.005). Step 0 is before adaptation. Losses are ½ Σ ((x − μ)/ξ)² per observation, a mean over
1000 test tasks.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

__all__ = [
    "TITLES",
    "Accuracy",
    "NotPublished",
    "Result",
    "accuracies",
    "accuracy",
    "curve",
    "curves",
    "digitised",
    "result",
    "results",
    "times",
]

TITLES = {"omniglot": "Omniglot", "cifar-fs": "CIFAR-FS", "mini-imagenet": "mini-ImageNet"}
"""What the papers, and the files of accuracies, call the data sets of images."""

_HERE = Path(__file__).parent


class NotPublished(LookupError):
    """A paper, figure, curve, experiment or method without published numbers here; the message names those there are."""


@dataclass(frozen=True)
class Result:
    """One curve's minimum and end; None where the paper shows none.

    Attributes:
        experiment, method: as the records of our own runs name them.
        minimum, minimum_step: the least value, and the adaptation step at which it is reached; None where the curve only falls.
        last, last_step: the value at the last step that is shown.
        reading_error: the greatest error in reading off a value.
    """

    experiment: str
    method: str
    minimum: float | None
    minimum_step: float | None
    last: float | None
    last_step: float | None
    reading_error: float


@dataclass(frozen=True)
class Accuracy:
    """A printed accuracy, between 0 and 1.

    Attributes:
        value: the number.
        exact: the number as its digits have it.
        standard_deviation: the one that stands beside it; None where none does. The paper does not say of what.
        reading_error: half a unit of its last digit.
    """

    value: float
    exact: Fraction
    standard_deviation: float | None
    reading_error: float


@cache
def _rows(paper: str, kind: str) -> tuple[dict[str, str], ...]:
    path = _HERE / f"{paper}_{kind}.csv"
    if path.parent != _HERE or not path.is_file():
        there = sorted(file.name.removesuffix(f"_{kind}.csv") for file in _HERE.glob(f"*_{kind}.csv"))
        raise NotPublished(f"there are no published {kind} of {paper!r}; there are those of {', '.join(there)}")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def _figures(paper: str) -> dict[str, dict[str, tuple[tuple[float, ...], tuple[float, ...]]]]:
    points: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in _rows(paper, "figures"):
        of_figure = points.setdefault(row["figure"], {})
        of_figure.setdefault(row["curve"], []).append((float(row["step"]), float(row["value"])))
    return {
        figure: {name: tuple(zip(*found, strict=True)) for name, found in named.items()}
        for figure, named in points.items()
    }


def curves(paper: str, figure: str) -> tuple[str, ...]:
    """The names of a figure's curves, e.g. of "7a" of "chen2019". Raises NotPublished."""
    figures = _figures(paper)
    if figure not in figures:
        raise NotPublished(f"there are no curves of {paper} Figure {figure!r}; there are those of {', '.join(figures)}")
    return tuple(figures[figure])


def curve(paper: str, figure: str, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Steps, ascending, and values of one curve, e.g. "MAML" of Figure "7a". Raises NotPublished."""
    known = curves(paper, figure)
    if name not in known:
        raise NotPublished(f"there is no curve {name!r} in {paper} Figure {figure}; there are {', '.join(known)}")
    return _figures(paper)[figure][name]


def digitised(paper: str) -> tuple[str, ...]:
    """The numbers of a paper's figures of which there are curves here, without the letters of their panels."""
    try:
        return tuple(dict.fromkeys(figure.rstrip("abcd") for figure in _figures(paper)))
    except NotPublished:
        return ()


@cache
def results(paper: str) -> tuple[Result, ...]:
    """Minimum and end of every curve that the paper's experiments show. Raises NotPublished."""
    return tuple(
        Result(
            row["experiment"],
            row["method"],
            *(float(row[name]) if row[name] else None for name in ("minimum", "minimum_step", "last", "last_step")),
            float(row["reading_error"]),
        )
        for row in _rows(paper, "results")
    )


def result(paper: str, experiment: str, method: str) -> Result:
    """One of `results`. Raises NotPublished."""
    known = {(each.experiment, each.method): each for each in results(paper)}
    if (experiment, method) not in known:
        there = ", ".join(f"{method} ({experiment})" for experiment, method in known)
        raise NotPublished(f"there is no result {method} ({experiment}) of {paper}; there are {there}")
    return known[experiment, method]


@cache
def accuracies(paper: str) -> dict[tuple[str, str, str], Accuracy]:
    """All printed accuracies, by source, data and method. Raises NotPublished."""
    return {
        (row["source"], row["data"], row["method"]): Accuracy(
            float(number := Fraction(row["accuracy"])),
            number,
            float(row["standard_deviation"]) if row["standard_deviation"] else None,
            float(row["reading_error"]),
        )
        for row in _rows(paper, "accuracies")
    }


def accuracy(paper: str, source: str, data: str, method: str) -> Accuracy:
    """An accuracy as printed, e.g. in "Table 1" on "Synthetic" of "LR w/ KLin" of "arnold2019". Raises NotPublished."""
    known = accuracies(paper)
    if (source, data, method) not in known:
        there = "; ".join(", ".join(key) for key in known)
        raise NotPublished(f"there is no accuracy {source}, {data}, {method} of {paper}; there are {there}")
    return known[source, data, method]


@cache
def times(paper: str) -> dict[tuple[str, str], float]:
    """Seconds of a meta-gradient step on a whole meta-batch as printed, by data and method (arnold2019, Table A3). Raises NotPublished."""
    return {(row["data"], row["method"]): float(row["seconds"]) for row in _rows(paper, "times")}
