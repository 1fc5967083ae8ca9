"""chen2019's measured claims: what they read from records, and that each can be reproduced, fail, or not be run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from empirical import records as files
from empirical.experiments import EXPERIMENTS
from empirical.experiments import chen2019 as protocol
from paper_checks.chen2019 import PAPER, exact_experiment1, experiments, published_results, records
from paper_checks.framework import Measurement, NotRun
from paper_checks.framework.judging import judge

THEOREMS = {f"chen2019.{name}" for name in ("observations", "exp1-overfit-exact", "exp1-approximate-gradient")}
ROOMS = (exact_experiment1.__name__, published_results.__name__, experiments.__name__)
MEASURED = [claim for claim in PAPER.claims if claim.build.__module__ in ROOMS and claim.id not in THEOREMS]
TIERS = {
    "linear": protocol.Tier(2, 10, 20, 2, 300, 200, horizons=(50,)),
    "spiral": protocol.Tier(2, 4, 20, 2, 300, 220, horizons=(50, 200)),
}


@pytest.fixture(scope="module")
def short_runs():
    """Records of the real experiments, cut short, that say they are of the full tier."""
    return {
        name: [
            replace(record, tier="full")
            for record in protocol.runner(EXPERIMENTS[f"chen2019/{name}"].PROTOCOL, {"short": tier})("short")
        ]
        for name, tier in TIERS.items()
    }


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder in which records are looked for; nothing is there. The short tiers are what is declared."""
    monkeypatch.chdir(tmp_path)
    for name, tier in TIERS.items():
        monkeypatch.setitem(EXPERIMENTS[f"chen2019/{name}"].TIERS, "full", tier)
    monkeypatch.setattr(records.recorded, "__file__", str(tmp_path / "elsewhere" / "recorded.py"))
    yield tmp_path


@pytest.fixture
def recorded(place, short_runs):
    for name, found in short_runs.items():
        files.write(place / "results" / "chen2019" / f"{name}.jsonl", found)
    return place


def test_without_records_no_claim_is_judged(place):
    for claim in MEASURED:
        judgement = judge(claim)
        assert judgement.verdict == "not-run" and not judgement.problems, claim.id
        assert judgement.reason.count("python -m empirical run chen2019/") == 1


def test_with_records_every_claim_is_judged_and_its_control_fails(recorded):
    verdicts = {}
    for claim in MEASURED:
        judgement = judge(claim)
        assert not judgement.problems, (claim.id, judgement.problems)
        verdicts[claim.id] = judgement.verdict
    assert set(verdicts.values()) == {"reproduced", "not-reproduced"}
    # runs of a few meta-iterations have learned nothing, yet they follow the exact curves
    exact = [verdict for id, verdict in verdicts.items() if id.startswith("chen2019.exact-")]
    assert exact == ["reproduced"] * 8


def test_a_wrong_curve_is_not_the_exact_one(place, short_runs):
    def off(record):
        learned = record.details["learned"]
        # not by the same number everywhere: that direction is the steepest, and soon forgotten
        changed = {"phi": (np.array(learned["phi"]) + 20 * np.resize([1, -1], 8)).tolist()}
        return replace(record, details=record.details | {"learned": learned | changed})

    files.write(place / "results" / "chen2019" / "linear.jsonl", map(off, short_runs["linear"]))
    exact = [claim for claim in MEASURED if claim.id.startswith("chen2019.exact-")]
    found = [judge(claim) for claim in exact]
    assert [judgement.verdict for judgement in found] == ["not-reproduced"] * 8, found


def test_a_record_of_another_protocol_is_stale(place, short_runs):
    claim = next(claim for claim in MEASURED if claim.id == "chen2019.exp1-modular")
    file = place / "results" / "chen2019" / "linear.jsonl"

    def judged(change):
        files.write(file, map(change, short_runs["linear"]))
        return judge(claim)

    assert judged(lambda record: record).verdict != "not-run"
    assert "stale" in judged(lambda record: replace(record, tier="lite")).reason

    def other_tasks(record):
        tasks = record.configuration["tasks"] | {"observations": 5}
        return replace(record, configuration=record.configuration | {"tasks": tasks})

    assert "stale: its tasks differ" in judged(other_tasks).reason

    def other_search(record):
        search = [c | {"configuration": c["configuration"] | {"steps": 7}} for c in record.details["search"]]
        return replace(record, details=record.details | {"search": search})

    assert "stale: its horizons differ" in judged(other_search).reason
    one = iter(range(100))
    unpaired = judged(lambda record: replace(record, seeds=[next(one), 1]))
    assert unpaired.verdict == "not-run" and "not on the same tasks" in unpaired.reason
    files.write(file, short_runs["linear"][:1])
    assert "has no" in judge(claim).reason


def test_paired_differences_are_over_the_same_tasks(recorded):
    found = records.paired("linear", ("MAML", "last"), ("Shrinkage", "last"))
    losses = [np.array(records.read("linear", name).details["per_task"]["last"]) for name in ("MAML", "Shrinkage")]
    assert found.value == pytest.approx(float((losses[0] - losses[1]).mean()))
    unpaired = np.hypot(*(x.std(ddof=1) for x in losses)) / np.sqrt(len(losses[0]))
    assert 0 < found.standard_error < unpaired
    capped = records.paired("linear", ("MAML", "last"), ("Shrinkage", "last"), most=0.1)
    assert capped.value == pytest.approx(float(np.minimum(losses[0] - losses[1], 0.1).mean()))
    assert records.least("linear", "MAML").value == pytest.approx(
        min(np.array(records.read("linear", "MAML").details["test"]["loss"]).mean(0)), rel=1e-5
    )
    last = records.end("linear", "MAML")
    assert last.value == pytest.approx(records.level_at("linear", "MAML", 200).value, rel=1e-5)
    seeds = np.array(records.read("linear", "MAML").details["test"]["loss"])[:, 200]
    over_tasks = records.level_at("linear", "MAML", 200).standard_error
    assert last.standard_error == pytest.approx(np.hypot(over_tasks, seeds.std(ddof=1) / np.sqrt(2)), rel=1e-3)


def test_failing_shares_count_the_searchs_settings(recorded, short_runs):
    record = next(record for record in short_runs["spiral"] if record.setting == "MAML")
    for candidate in record.details["search"]:
        candidate["worse_than_start"] = candidate["configuration"]["steps"] == 200
        candidate["diverged"] = False
    files.write(recorded / "results" / "chen2019" / "spiral.jsonl", short_runs["spiral"])
    assert records.failing_share("spiral", "MAML", more_than=100).value == 1
    assert records.failing_share("spiral", "MAML", 0, at_most=100).value == 0
    assert records.failing_share("spiral", "MAML", 0).evidence == "2 of 4"
    assert records.failing_share("spiral", "MAML", 0, at_most=100).standard_error > 0


def test_every_bound_is_declared_without_looking_at_a_record(place):
    for claim in MEASURED:
        content = claim.build()
        assert isinstance(content, Measurement) and content.bounds
        with pytest.raises(NotRun):
            content.measure()


def test_a_step_of_least_error_is_chosen_on_other_tasks_than_it_is_judged_on():
    errors = torch.ones(4, 10, 2, dtype=torch.float64)
    errors[2, ::2, 0] = 0.5  # only on the tasks that choose
    errors[3, 1::2, 1] = 2.0
    found = protocol._overfitting(errors)
    assert found["value"] == [0.0, 1.0] and found["standard_error"] == [0.0, 0.0]
