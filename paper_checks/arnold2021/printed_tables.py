"""Sections 5.2, 5.3, B.5 and B.6: what is said of Tables 1, 2, 3 and B.4, against the numbers that they print."""

from __future__ import annotations

from itertools import combinations

from ..framework import Proposition
from ..printed_accuracies import Cell, Inequality, equal, less, statement, within
from .paper import PAPER

DATA = ("Omniglot", "CIFAR-FS", "mini-ImageNet")
LINNET = "MAML w/ LinNet"
OPTIMIZERS = {
    "Table 3": ("MAML", "MAML w/ MSGD", "MAML w/ MC", "MAML w/ T-Nets", "MAML w/ meta-KFO"),
    "Table B.4": ("ANIL", "ANIL w/ MSGD", "ANIL w/ MC", "ANIL w/ meta-KFO"),
}


def _cell(source: str, data: str, layers: int, method: str) -> Cell:
    return Cell("arnold2021", source, data, f"CNN({layers}) {method}")


def _added(data: str, layers: int) -> Inequality:
    """That LinNet improves MAML."""
    return less(_cell("Table 1", data, layers, LINNET), _cell("Table 1", data, layers, "MAML"))


def _deeper(data: str, more: int, fewer: int, method: str = "MAML") -> Inequality:
    return less(_cell("Table 1", data, more, method), _cell("Table 1", data, fewer, method))


@PAPER.claim(
    "t1-printed-below-six",
    "5.2",
    "Table 1 as printed: when the number of CNN layers is less than 6, the addition improves meta-learning performances",
)
def below_six() -> Proposition:
    cells = [(data, layers) for data in DATA for layers in (2, 3, 4)]
    return statement(
        [_added(*cell) for cell in cells],
        right=[_added(*cell) for cell in cells if cell != ("Omniglot", 4)],
        right_statement="it does in all nine cells but Omniglot's with CNN(4)",
    )


@PAPER.claim(
    "t1-printed-six-degrades",
    "5.2",
    "Table 1 as printed: at CNN(6) there are degradations in performance by the original MAML on Omniglot and CIFAR-FS",
)
def six_degrades() -> Proposition:
    return statement(
        [_deeper(data, 4, 6) for data in ("Omniglot", "CIFAR-FS")],
        control=[_deeper("Omniglot", 6, 4)],
        right=[_deeper("Omniglot", 4, 6)],
        right_statement="there are on Omniglot alone",
        note="It is MAML w/ LinNet that degrades on CIFAR-FS, from 74.4 to 71.9",
    )


@PAPER.claim(
    "t1-printed-six-linnet",
    "5.2",
    "Table 1 as printed: such that at CNN(6) LinNet does not improve further on Omniglot and CIFAR-FS",
)
def six_linnet() -> Proposition:
    small = ("Omniglot", "CIFAR-FS")

    def no_better(data: str) -> Inequality:
        return less(_cell("Table 1", data, 6, "MAML"), _cell("Table 1", data, 6, LINNET), strict=False)

    return statement(
        [no_better(data) for data in small],
        control=[no_better("mini-ImageNet"), _added("Omniglot", 6)],
        weaker=[_deeper(data, 4, 6, LINNET) for data in small],
        assumption="further means: than with four layers",
        note="Over MAML on the same CNN(6) it improves on CIFAR-FS by 0.6 points",
    )


@PAPER.claim(
    "t1-printed-mini-imagenet",
    "5.2",
    "Table 1 as printed: on mini-ImageNet, while MAML improves, LinNet decreases though its performance at CNN(4) is still the best",
)
def mini_imagenet() -> Proposition:
    data, best = "mini-ImageNet", _cell("Table 1", "mini-ImageNet", 4, LINNET)
    cells = [_cell("Table 1", data, layers, method) for method in ("MAML", LINNET) for layers in (2, 3, 4, 6)]
    return statement([_deeper(data, 6, 4), *(less(best, cell) for cell in cells if cell != best)])


@PAPER.claim("t2-printed-improves", "5.2", "Table 2 as printed: LinNet improves ANIL")
def anil() -> Proposition:
    return statement([less(_cell("Table 2", d, 2, "ANIL w/ LinNet"), _cell("Table 2", d, 2, "ANIL")) for d in DATA])


def _improve(source: str) -> Proposition:
    plain, *others = OPTIMIZERS[source]
    return statement([less(_cell(source, d, 2, other), _cell(source, d, 2, plain)) for d in DATA for other in others])


def _most(source: str, data: tuple[str, ...]) -> Proposition:
    *others, best = OPTIMIZERS[source]
    return statement([less(_cell(source, d, 2, best), _cell(source, d, 2, other)) for d in data for other in others])


@PAPER.claim("t3-printed-improve", "5.3", "Table 3 as printed: all methods improve the original MAML")
def improve_maml() -> Proposition:
    return _improve("Table 3")


@PAPER.claim("t3-printed-most", "5.3", "Table 3 as printed: meta-KFO improves the most on Omniglot and CIFAR-FS")
def most_maml() -> Proposition:
    return _most("Table 3", ("Omniglot", "CIFAR-FS"))


@PAPER.claim(
    "t3-printed-same", "5.3", "Table 3 as printed: on mini-ImageNet, all methods improve about the same amount"
)
def same() -> Proposition:
    cells = [_cell("Table 3", "mini-ImageNet", 2, method) for method in OPTIMIZERS["Table 3"][1:]]

    def apart(distance: str) -> list[Inequality]:
        return [each for pair in combinations(cells, 2) for each in within(*pair, distance)]

    return statement(
        apart("0.03"), control=apart("0.01"), note="About the same is read as: within 3 points, as of our own runs"
    )


@PAPER.claim(
    "tb4-printed-improve",
    "B.5",
    "Table B.4 as printed: ANIL always benefits from the combination with a meta-optimizer",
)
def improve_anil() -> Proposition:
    return _improve("Table B.4")


@PAPER.claim("tb4-printed-most", "B.5", "Table B.4 as printed: ANIL benefits most from KFO")
def most_anil() -> Proposition:
    return _most("Table B.4", DATA)


@PAPER.claim(
    "t3-printed-as-t1", "Table 3", "Table 3 as printed: MAML on CNN(2) has the accuracies that it has in Table 1"
)
def same_cell() -> Proposition:
    pairs = {d: equal(_cell("Table 1", d, 2, "MAML"), _cell("Table 3", d, 2, "MAML")) for d in DATA}
    return statement(
        [each for pair in pairs.values() for each in pair],
        control=[less(_cell("Table 3", "CIFAR-FS", 2, "MAML"), _cell("Table 1", "CIFAR-FS", 2, "MAML"))],
        right=[*pairs["CIFAR-FS"], *pairs["mini-ImageNet"]],
        right_statement="it has on CIFAR-FS and mini-ImageNet",
    )


@PAPER.claim(
    "tb4-printed-as-t2", "Table B.4", "Table B.4 as printed: ANIL on CNN(2) has the accuracies that it has in Table 2"
)
def same_anil() -> Proposition:
    return statement(
        [each for d in DATA for each in equal(_cell("Table 2", d, 2, "ANIL"), _cell("Table B.4", d, 2, "ANIL"))]
    )


@PAPER.claim(
    "fig4-printed-size",
    "Figure 4",
    "Table 1 as printed: as the model size increases, the performance of MAML improves, which is said of Figure 4",
)
def size() -> Proposition:
    steps = [(d, more, fewer) for d in DATA for more, fewer in ((3, 2), (4, 3), (6, 4))]
    return statement(
        [_deeper(*step) for step in steps],
        right=[_deeper(*step) for step in steps if step[:2] != ("Omniglot", 6)],
        right_statement="it improves with every size but from CNN(4) to CNN(6) on Omniglot",
    )
