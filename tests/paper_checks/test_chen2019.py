"""chen2019's claims about its theory: the verdicts, what is said of the interesting ones, and that each can fail."""

from collections import Counter

import pytest
import sympy

from paper_checks.chen2019 import (
    PAPER,
    approximate_gradients,
    consistency,
    implicit_differentiation,
    joint_map_ascent,
    main_text,
    stationary_variances,
    synthetic_tasks,
    toy_model,
)
from paper_checks.chen2019.setup import lowest_terms
from paper_checks.framework.judging import judge

ROOMS = (
    main_text,
    toy_model,
    stationary_variances,
    joint_map_ascent,
    consistency,
    implicit_differentiation,
    approximate_gradients,
    synthetic_tasks,
)
ROOM_NAMES = {room.__name__ for room in ROOMS}
CLAIMS = {claim.id: claim for claim in PAPER.claims if claim.build.__module__ in ROOM_NAMES}
DEFINITIONS = ("chen2019.eq1", "chen2019.algorithm1", "chen2019.eq5")
for _id in DEFINITIONS:  # declared by the paper itself, not by a function of a room
    CLAIMS[_id] = next(claim for claim in PAPER.claims if claim.id == _id)


@pytest.fixture(scope="module")
def judgements():
    return {id: judge(claim) for id, claim in CLAIMS.items()}


def test_the_verdicts(judgements):
    assert not [problem for judgement in judgements.values() for problem in judgement.problems]
    counts = Counter(judgement.verdict for judgement in judgements.values())
    assert counts == {"proved": 35, "corrected": 6, "conditional": 5, "refuted": 2, "definition": 3}
    for kind in ("corrected", "conditional", "refuted", "definition"):
        ids = {id.removeprefix("chen2019.") for id, judgement in judgements.items() if judgement.verdict == kind}
        assert (
            ids
            == {
                "corrected": {"eq6", "eq9", "eq21", "eq22", "d-sum", "d-noise"},
                "conditional": {"eq4", "prop3", "prop3-posterior", "cor1", "eq17-kinds"},
                "refuted": {"fig4-condition", "plugging"},
                "definition": {"eq1", "algorithm1", "eq5"},
            }[kind]
        )


@pytest.mark.parametrize(
    ("id", "verdict", "words"),
    [
        ("eq6", "corrected", "log 2π"),
        ("eq9", "corrected", "single symbol"),
        ("eq9", "corrected", "would not hold if the second argument of N were the standard deviation"),
        ("eq21", "corrected", "would hold if its φ stood for φ_True"),
        ("eq22", "corrected", "if m were K and the limit that of g/T"),
        ("d-sum", "corrected", "√M"),
        ("d-noise", "corrected", "gives 5, the right one 1"),
        ("eq4", "conditional", "1856/1973 in the limit σ² → 0"),
        ("prop3", "conditional", "a start at σ² = 1/2 leads to 1/2, and not to 2"),
        ("cor1", "conditional", "tends to ½"),
        ("eq17-kinds", "conditional", "inflection at σ² = 1"),
        ("prop3-posterior", "conditional", "negative, whatever the data"),
        ("fig4-condition", "refuted", "condition 1 is violated"),
        ("plugging", "refuted", "into (24)"),
        ("eq2", "proved", "contains neither θ nor φ"),
        ("eq14", "proved", "σ̂ = 0"),
        ("eq15", "proved", "inflection"),
        ("eq10", "proved", "not consistent"),
        ("prop4", "proved", "only zero"),
        ("s3-reptile", "proved", "rate grows like σ²"),
        ("s3-joint-map", "proved", "not attained"),
        ("block-gradient", "proved", "exact 0.9482, block-diagonal 0.8762, (4) 0.7530"),
        ("unrolled", "proved", "off the block-diagonal one"),
        ("eq30", "proved", "1 + Nσ²"),
    ],
)
def test_what_is_said(judgements, id, verdict, words):
    judgement = judgements[f"chen2019.{id}"]
    assert judgement.verdict == verdict
    assert words in judgement.reason


@pytest.mark.parametrize("id", [id for id in CLAIMS if id not in DEFINITIONS])
def test_every_claim_has_a_witness_and_a_control_that_both_routes_reject(judgements, id):
    judgement = judgements[id]
    assert judgement.cross_check  # empty without a witness
    assert judgement.control.startswith(("rejected by the exact judge and by the witness", "fails: "))
    assert not any("control" in problem for problem in judgement.problems)


def test_every_locator_of_the_theory_has_a_claim():
    located = {claim.locator for claim in CLAIMS.values()}
    theory = {"3", "Algorithm 1", "B", "C", "D", "beyond", "Cor. 1", *(f"Prop. {n}" for n in range(1, 5))}
    assert located == theory | {f"({n})" for n in range(1, 32)}


def test_one_normal_form():
    a, b = sympy.symbols("a b")
    first, second = lowest_terms([(a**2 - b**2) / (2 * b - 2 * a)]), lowest_terms([-(a + b) / 2])
    assert first == second
    assert lowest_terms([a / (3 * b - a)]) == lowest_terms([-2 * a / (2 * a - 6 * b)])
