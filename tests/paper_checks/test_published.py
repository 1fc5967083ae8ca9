"""The papers' own numbers: the table of results against the curves, and what the readers say of what is not there."""

import csv
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

import paper_checks.published
from paper_checks.printed_accuracies import Cell, Inequality, equal, holding, holding_in_floats, less, reversed_, within
from paper_checks.published import NotPublished, accuracy, curve, curves, result, results

# where each method's curve is shown
FIGURES = {"linear": ("3a", "6a", "7a"), "spiral": ("3b", "6b", "7b")}


def shown(experiment: str, method: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    (figure,) = (figure for figure in FIGURES[experiment] if method in curves("chen2019", figure))
    return curve("chen2019", figure, method)


@pytest.mark.parametrize("row", results("chen2019"), ids=lambda row: f"{row.experiment}-{row.method}")
def test_the_table_gives_the_ends_and_minima_of_the_curves(row):
    steps, values = shown(row.experiment, row.method)
    assert list(steps) == sorted(set(steps)) and len(steps) == len(values)
    assert steps[-1] == pytest.approx(row.last_step, abs=0.1)
    assert values[-1] == pytest.approx(row.last, abs=row.reading_error)
    least = min(values)
    if row.minimum is None:
        # the table gives no minimum: the curve falls to its end, or (joint MAP, spiral) rises from its start
        assert row.minimum_step is None
        assert least > row.last - 0.003 or steps[values.index(least)] < 5
    else:
        assert least == pytest.approx(row.minimum, abs=row.reading_error)
        assert steps[values.index(least)] == pytest.approx(row.minimum_step, abs=0.1)


def test_every_curve_of_a_method_has_a_result_and_figure5_every_dimension():
    for experiment, figures in FIGURES.items():
        methods = {each.method for each in results("chen2019") if each.experiment == experiment}
        assert {name for figure in figures for name in curves("chen2019", figure)} == methods
        assert len(methods) == 8
    names = {f"{method} dim{m}" for method in ("MAML", "M-MAML", "Shrinkage", "M-Shrinkage") for m in range(1, 9)}
    assert set(curves("chen2019", "5")) == names
    # before adaptation the error is that of the prior mean: σ √(2/π), with σ = 8 in the first four dimensions, then 2
    for dimension in range(1, 9):
        steps, values = curve("chen2019", "5", f"M-Shrinkage dim{dimension}")
        assert (steps[0], steps[-1]) == pytest.approx((0, 199), abs=0.1)
        assert values[0] == pytest.approx((8 if dimension <= 4 else 2) * (2 / 3.14159) ** 0.5, rel=0.05)


def test_one_result_by_name():
    found = result("chen2019", "linear", "MAML")
    assert (found.minimum, found.minimum_step, found.last) == (5.424, 77, 5.497)
    assert result("chen2019", "linear", "Shrinkage").minimum is None


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: results("chen2018"), "'chen2018'; there are those of chen2019"),
        (lambda: results("../published/chen2019"), "there are those of chen2019"),
        (lambda: curves("chen2019", "7"), "Figure '7'; there are those of 3a, 3b, 5, 6a, 6b, 7a, 7b"),
        (lambda: curve("chen2019", "7a", "Reptile"), "there are MAML, M-MAML, FO-MAML, FO-M-MAML"),
        (lambda: result("chen2019", "linear", "ANIL"), r"no result ANIL \(linear\).*M-Shrinkage joint MAP \(spiral\)"),
    ],
)
def test_what_is_not_there_is_answered_by_what_is(call, said):
    with pytest.raises(NotPublished, match=said):
        call()


@pytest.mark.parametrize(("paper", "count"), [("arnold2019", 75), ("arnold2021", 57)])
def test_an_accuracy_is_known_to_half_a_unit_of_its_last_digit(paper, count):
    with (Path(paper_checks.published.__file__).parent / f"{paper}_accuracies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count == len({(row["source"], row["data"], row["method"]) for row in rows})
    for row in rows:
        if row["source"] != "Figure 1":  # whole percents in the text
            exponent = Decimal(row["accuracy"]).as_tuple().exponent
            assert Decimal(row["reading_error"]) == Decimal(5).scaleb(exponent - 1)
        found = accuracy(paper, row["source"], row["data"], row["method"])
        assert found.exact == Fraction(row["accuracy"]) and found.value == float(found.exact) and 0 < found.value < 1


FIRST, SECOND = (Cell("arnold2021", "Table 1", "Omniglot", f"CNN(2) {method}") for method in ("MAML w/ LinNet", "MAML"))


@pytest.mark.parametrize(
    ("stated", "holds"),
    [
        (less(FIRST, SECOND), True),  # 0.881 − 0.668
        (less(SECOND, FIRST), False),
        (less(FIRST, SECOND, "0.213"), False),
        (less(FIRST, SECOND, "0.213", strict=False), True),
        (less(FIRST, SECOND, "0.2129"), True),
        (less(FIRST, FIRST), False),
        (Inequality(((2, FIRST), (-1, SECOND)), "1.094", strict=False), True),
        (Inequality(((-1, FIRST),), "-0.881"), False),
    ],
)
def test_an_inequality_of_printed_accuracies(stated, holds):
    assert holding((stated,)).holds == holding_in_floats((stated,)).holds == holds
    assert holding((reversed_(stated),)).holds == holding_in_floats((reversed_(stated),)).holds != holds


def test_equal_and_within():
    assert holding(equal(FIRST, FIRST)).holds and not holding(equal(FIRST, SECOND)).holds
    assert holding(within(FIRST, SECOND, "0.213")).holds == holding(within(SECOND, FIRST, "0.213")).holds is True
    assert not holding(within(FIRST, SECOND, "0.212")).holds and not holding(within(SECOND, FIRST, "0.212")).holds


def test_an_inequality_is_told_by_what_is_printed():
    first, second = "88.10 CNN(2) MAML w/ LinNet (Table 1, Omniglot)", "66.80 CNN(2) MAML (Table 1, Omniglot)"
    assert str(less(FIRST, SECOND)) == f"{first} − {second} = 21.30"
    assert str(less(FIRST, SECOND, "-0.02", strict=False)) == f"{first} − {second} = 21.30, said to be at least −2.00"
    assert str(Inequality(((-1, FIRST),), "-0.25", strict=False)) == f"{first}, said to be at most 25.00"
    assert str(reversed_(less(FIRST, SECOND, "0.1"))) == f"{first} − {second} = 21.30, said to be at most 10.00"


def test_reading_them_needs_neither_sympy_nor_torch():
    code = (
        "import sys, paper_checks.published as p; p.results('chen2019'); print({'sympy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
