"""Measured statements: each bound at its edge and beyond, every verdict, and what must fail a run."""

import json
import subprocess
import sys
from dataclasses import replace
from math import inf, nan
from xml.etree import ElementTree

import pytest

from paper_checks.framework import Above, Below, Estimate, Measurement, Near, NotRun, Paper
from paper_checks.framework.command import main
from paper_checks.framework.judging import Judgement, judge
from paper_checks.framework.output import as_json, as_junit, as_table, summary
from paper_checks.framework.running import run

LOSS, GAP = Estimate(5.25, 0.125, "1000 tasks"), Estimate(0.5, 0.125)
GOOD = Measurement(
    lambda: {"loss": LOSS, "gap": GAP},
    bounds={"loss": Near(5.0), "gap": Above(0)},
    control={"loss": Near(6.0), "gap": Above(1)},
    command="python -m runs loss",
)


def missing():
    raise NotRun("there is no record of 5 seeds")


def paper_with(content: object) -> Paper:
    paper = Paper("toy", "A toy paper", ["Table 1"])
    paper.claim("it", "Table 1", "the loss is about 5")(lambda: content)
    return paper


def judged(content: object) -> Judgement:
    return judge(paper_with(content).claims[0])


# --- bounds; every number here is exact in binary, so that an edge is one ---


@pytest.mark.parametrize(
    ("bound", "at_the_edge", "beyond"),
    [
        (Near(5.0, z=4, standard_error=0.375), Estimate(7.5, 0.5), Estimate(7.5625, 0.5)),  # √(0.375² + 0.5²) = 0.625
        (Near(5.0, z=4, standard_error=0.375), Estimate(2.5, 0.5), Estimate(2.4375, 0.5)),
        (Near(5.0, 0.25, z=4, standard_error=0.375), Estimate(7.75, 0.5), Estimate(7.8125, 0.5)),
        (Near(5.0, 0.25), Estimate(5.25, 0), Estimate(5.3125, 0)),
        (Near(5.0, z=0), Estimate(5.0, 1.0), Estimate(5.0625, 1.0)),
        (Above(1.0), Estimate(2.5625, 0.5), Estimate(2.5, 0.5)),  # the edge itself is not above
        (Below(1.0), Estimate(-0.5625, 0.5), Estimate(-0.5, 0.5)),
        (Above(-1.0, z=0), Estimate(-0.9375, 9), Estimate(-1.0, 9)),
        (Below(0.0, z=1), Estimate(-0.5, 0.25), Estimate(0.5, 0.25)),
    ],
)
def test_a_bound_admits_up_to_its_edge_and_no_further(bound, at_the_edge, beyond):
    assert bound.admits(at_the_edge) and bound.margin(at_the_edge) >= 0
    assert not bound.admits(beyond) and bound.margin(beyond) <= 0


def test_a_published_number_without_an_error_is_taken_to_have_ours():
    edge = 3 * 2**0.5 * 0.25
    assert Near(5.0).admits(Estimate(5.0 + edge - 1e-9, 0.25))
    assert not Near(5.0).admits(Estimate(5.0 + edge + 1e-9, 0.25))
    assert not Near(5.0, standard_error=0.0).admits(Estimate(5.0 + edge - 1e-9, 0.25))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Near(nan),
        lambda: Near(5, reading_error=-0.1),
        lambda: Near(5, standard_error=-1),
        lambda: Near(5, z=inf),
        lambda: Above(inf),
        lambda: Below(nan),
        lambda: Above(0, z=-1),
    ],
)
def test_a_bound_that_means_nothing_is_refused(make):
    with pytest.raises(ValueError, match="a bound's"):
        make()


def test_what_the_standard_errors_allow_for_can_have_a_limit():
    bound = Near(5.0, 0.25, most=0.5)
    assert bound.admits(Estimate(5.75, 10.0)) and not bound.admits(Estimate(5.8125, 10.0))
    assert bound.margin(Estimate(5.0, 0.0)) == 0.25
    assert str(bound) == "5 within 3 standard errors of the difference, at most 0.5, + 0.25"
    with pytest.raises(ValueError, match="a bound's most is -1"):
        Near(5.0, most=-1)


def test_bounds_and_estimates_read_as_a_person_would_write_them():
    assert str(Near(5.424, 0.001)) == "5.424 within 3 standard errors of the difference + 0.001"
    assert str(Above(0)) == "above 0 by 3 standard errors"
    assert str(Below(-0.5, z=2)) == "below -0.5 by 2 standard errors"
    assert str(Estimate(5.42419, 0.0123)) == "5.424 ± 0.012"
    assert str(Estimate(1234.5, 123)) == "1234 ± 123"  # exact halves go to the even digit
    assert str(Estimate(17, 0)) == "17 ± 0"


# --- verdicts ---


def test_within_every_bound_is_reproduced():
    found = judged(GOOD)
    assert found.verdict == "reproduced" and found.problems == ()
    assert found.printed == "loss: 5 within 3 standard errors of the difference; gap: above 0 by 3 standard errors"
    assert found.derived == "loss: 5.25 ± 0.12; gap: 0.50 ± 0.12"
    for said in ("loss: 5.25 ± 0.12", "gap: 0.50 ± 0.12", "declared above 0", "within, 0.28 to spare"):
        assert said in found.reason
    assert "loss: 1000 tasks" in found.cross_check
    assert found.control.startswith("rejected: loss 6")


def test_one_number_outside_is_not_reproduced_and_comes_first():
    found = judged(replace(GOOD, bounds={**GOOD.bounds, "gap": Above(0.25)}, note="a note"))
    assert found.verdict == "not-reproduced" and found.problems == ()
    assert found.reason.startswith("1 of 2 outside the declared bounds. gap: 0.50 ± 0.12 (declared above 0.25")
    assert "not within, 0.12 beyond" in found.reason and "loss: 5.25" in found.reason
    assert found.reason.endswith("a note.")


def test_without_a_record_it_is_not_run_and_says_what_to_run():
    result = run([paper_with(replace(GOOD, measure=missing))])
    (found,) = result.judgements
    assert found.verdict == "not-run" and result.problems == ()
    assert "there is no record of 5 seeds" in found.reason and "`python -m runs loss`" in found.reason
    assert "5 within" in found.printed and found.derived == ""


# --- what a judgement carries for a reader ---


def test_a_measurement_shows_its_numbers_its_bounds_and_where_they_come_from():
    found = judged(replace(GOOD, note="a note"))
    assert [(part.name, part.estimate, part.bound) for part in found.parts] == [
        ("loss", LOSS, Near(5.0)),
        ("gap", GAP, Above(0)),
    ]
    assert found.bounds == GOOD.bounds and found.command == "python -m runs loss" and found.note == "a note"
    assert [step.text for step in found.steps] == ["loss: 1000 tasks"]


def test_a_measurement_that_was_not_run_shows_what_was_declared():
    found = judged(replace(GOOD, measure=missing, note="a note"))
    assert found.parts == () and found.steps == ()
    assert found.bounds == GOOD.bounds and found.command == "python -m runs loss" and found.note == "a note"


# --- what must fail a run ---


def test_a_control_that_passes_fails_the_run():
    result = run([paper_with(replace(GOOD, control={**GOOD.control, "gap": Above(0.0625)}))])
    assert result.judgements[0].verdict == "unknown"
    (problem,) = result.problems
    assert "the negative control passes: gap" in problem and "loss" not in problem


def test_a_statement_that_fails_has_shown_that_its_check_can():
    reversed_gap = {"gap": Estimate(-0.5, 0.125)}
    judgement = judged(Measurement(lambda: reversed_gap, {"gap": Above(0)}, {"gap": Below(0)}, "run it"))
    assert judgement.verdict == "not-reproduced" and not judgement.problems
    assert judgement.control == "not needed: the bounds themselves reject"


def test_a_bound_that_the_control_leaves_as_it_is_need_not_be_rejected():
    assert judged(replace(GOOD, control={**GOOD.bounds, "loss": Near(6.0)})).problems == ()
    assert judged(replace(GOOD, control={"gap": Above(1)})).problems == ()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"loss": LOSS, "gap": Estimate(nan, 0.1)}, "gap was measured as nan ± 0.1"),
        ({"loss": Estimate(inf, 0.1), "gap": GAP}, "loss was measured as inf"),
        ({"loss": LOSS, "gap": Estimate(0.5, nan)}, "must be finite"),
        ({"loss": LOSS, "gap": Estimate(0.5, -0.1)}, "not negative"),
        ({"loss": LOSS, "gap": 0.5}, "return an Estimate"),
        ({"loss": LOSS}, "measured loss, and the bounds are of loss, gap"),
        ({}, "measured nothing"),
        ({"loss": LOSS, "gap": GAP, "more": GAP}, "more"),
    ],
)
def test_what_cannot_be_compared_is_a_problem_and_no_rejection(found, said):
    result = judged(replace(GOOD, measure=lambda: found))
    assert result.verdict == "unknown"
    assert said in result.problems[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bounds": {}}, "at least one bound"),
        ({"control": {"lost": Near(6)}}, "names lost, of which there is no bound; the bounds are of loss, gap"),
        ({"control": {}}, "changes none"),
        ({"control": {"loss": Near(5.0)}}, "changes none"),
    ],
)
def test_names_that_do_not_fit_are_refused_when_the_claim_is_made(change, said):
    with pytest.raises(ValueError, match=said):
        replace(GOOD, **change)


# --- outputs ---


def test_every_output_shows_what_was_measured(tmp_path, capsys):
    result = run([paper_with(replace(GOOD, bounds={**GOOD.bounds, "gap": Above(0.25)}))], expected={})
    (entry,) = json.loads(as_json(result))
    assert (
        entry["verdict"] == "not-reproduced" and "0.50 ± 0.12" in entry["derived"] and "above 0.25" in entry["printed"]
    )
    assert entry["command"] == "python -m runs loss" and entry["steps"] == ["loss: 1000 tasks"]
    assert "not-reproduced" in as_table(result.judgements)
    assert summary(result.judgements) == "1 claim: 1 not-reproduced"
    case = ElementTree.fromstring(as_junit(result))[0]
    assert "gap: 0.50 ± 0.12" in case.find("system-out").text
    # a run that was missing when it was accepted, and is there now, is a change like any other
    file = tmp_path / "verdicts.json"
    assert main([paper_with(replace(GOOD, measure=missing))], file, ["--accept"]) == 0
    assert main([paper_with(replace(GOOD, measure=missing))], file, []) == 0
    assert main([paper_with(GOOD)], file, []) == 1
    assert "the verdict is reproduced, and the accepted one is not-run" in capsys.readouterr().err


def test_a_file_of_measured_claims_needs_neither_sympy_nor_torch():
    code = (
        "import sys, paper_checks.framework; print(sorted({'sympy', 'torch', 'numpy', 'empirical'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
