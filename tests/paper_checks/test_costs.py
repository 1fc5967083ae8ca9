"""The claims about what a meta-step takes: times are compared that were taken in turn, and by the scatter of their ratios."""

from dataclasses import replace

import pytest
from made_records import timed, write

from empirical.experiments import EXPERIMENTS
from paper_checks.arnold2019 import PAPER
from paper_checks.arnold2019.costs import EXPERIMENT, ratio
from paper_checks.framework import NotRun
from paper_checks.framework.judging import judge

(CLAIM,) = (claim for claim in PAPER.claims if claim.id == "arnold2019.a4-times-omniglot")
SLOW, QUICK = [2.0, 3.0, 2.0], [1.0, 1.5, 1.0]
"""The second round is slower for all: another process ran."""
IN_ORDER = {
    "CNN(4) MAML": QUICK,
    "CNN(4) KFC": SLOW,
    "CNN(2) MAML": QUICK,
    "CNN(2) KFC": SLOW,
    "CNN(2) CFC1": [1.4, 2.1, 1.4],
    "CNN(2) CFC10": [1.6, 2.4, 1.6],
}


@pytest.fixture
def judged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("paper_checks.recorded.__file__", str(tmp_path / "paper_checks" / "recorded.py"))

    def of(found):
        write(tmp_path, EXPERIMENT, found)
        return judge(CLAIM)

    return of


def test_the_order_of_the_printed_times_is_judged_by_ratios_within_a_round(judged):
    assert judged(timed("omniglot", IN_ORDER)).verdict == "reproduced"
    found = judged(timed("omniglot", IN_ORDER | {"CNN(2) KFC": [1.5, 2.2, 1.5]}))  # quicker than CFC10
    assert found.verdict == "not-reproduced" and not found.problems
    assert "medians of 3 rounds: omniglot CNN(4) KFC 2 s, omniglot CNN(4) MAML 1 s" in found.cross_check
    scattered = judged(
        timed("omniglot", IN_ORDER | {"CNN(2) KFC": [1.7, 9.0, 1.7]})
    )  # slower in every round, by one alone that says so
    assert scattered.verdict == "not-reproduced"
    assert ratio("omniglot CNN(4) KFC", "omniglot CNN(4) MAML").value == 2.0
    assert ratio("omniglot CNN(4) KFC", "omniglot CNN(4) MAML").standard_error == 0.0


def test_what_was_not_timed_in_turn_or_by_another_protocol_is_not_run(judged):
    first, *others = timed("omniglot", IN_ORDER)
    found = judged([*timed("omniglot", {"CNN(4) MAML": QUICK}, turn="another"), *others])
    assert found.verdict == "not-run" and "were not timed in turn" in found.reason
    assert "has no omniglot CNN(4) MAML" in judged(others).reason
    stale = replace(first, configuration=first.configuration | {"tasks_per_step": 4})
    assert "is stale" in judged([stale, *others]).reason
    assert "is stale" in judged([replace(first, tier="smoke"), *others]).reason
    with pytest.raises(NotRun):
        ratio("cifar-fs CNN(4) KFC", "cifar-fs CNN(4) MAML")


def test_every_cell_is_one_of_the_table():
    module = EXPERIMENTS[EXPERIMENT]
    assert {f"CNN({layers}) {method}" for layers, method in module.CELLS} == set(IN_ORDER)
