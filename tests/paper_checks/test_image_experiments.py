"""The measured claims about the image experiments: each can be reproduced, fail, or not be run; and which tier judges what."""

import shlex
from dataclasses import replace

import numpy as np
import pytest
from made_records import CNN, IDS, LINNET, PLAIN, SEARCHED, made_up, write

from empirical.experiments import EXPERIMENTS
from empirical.records import Record
from paper_checks import image_records
from paper_checks.arnold2019 import PAPER as ARNOLD2019
from paper_checks.arnold2019 import image_experiments as room2019
from paper_checks.arnold2021 import PAPER as ARNOLD2021
from paper_checks.arnold2021 import image_experiments as room2021
from paper_checks.framework import Measurement, NotRun
from paper_checks.framework.judging import judge
from paper_checks.image_records import Reader, accuracy, combined, difference, orderings, read
from paper_checks.published import NotPublished, accuracies
from paper_checks.published import accuracy as printed

ROOMS = (room2019.__name__, room2021.__name__)
CLAIMS = {c.id: c for paper in (ARNOLD2019, ARNOLD2021) for c in paper.claims if c.build.__module__ in ROOMS}
LEVELS = {
    id
    for id in CLAIMS
    if id.split(".")[1].startswith(("t1-", "t2-", "t3-", "tb4-", "ta", "figa2-drop", "figa3-threshold"))
}
LEVELS |= {"arnold2019.fig1-omniglot-levels"}
TITLES = room2021.TITLES


def as_printed(experiment: str, name: str) -> float:
    """What the papers say of a cell, in the table that comes first."""
    paper = experiment.split("/")[0]
    if experiment == IDS[0]:
        return printed(paper, "Table 1", "Omniglot", room2019.LINEAR_METHODS[name]).value
    dataset, _, method = name.partition(" ")
    if experiment == IDS[2]:
        return 0.9 if "upper" in name else 0.7 if "LinNet" in name else 0.25
    for source in ("Table 1", "Table 2", "Table 3", "Table A1", "Table A2", "Table A3", "Table B.4"):
        try:
            return printed(paper, source, TITLES[dataset], method.partition(",")[0]).value
        except NotPublished:
            continue
    if "meta-KFO" not in method:
        return 0.3  # a single layer, or one that no table has
    gain = {1: 0.2, 3: 0.04, 4: 0.01, 6: 0.0}[int(method[4])]
    return gain + as_printed(experiment, name.partition(" w/ ")[0])


def verdicts(place, level, **options) -> dict[str, str]:
    """Of all claims, from full records whose level is a function of experiment and name."""
    for experiment in IDS:
        found = []
        for name in EXPERIMENTS[experiment].SETTINGS:
            own = options
            if experiment == IDS[1]:
                title = TITLES[name.split()[0]]
                own = {"small": printed("arnold2019", "Table A1", title, "CNN(4) pruned").value} | own
            found += made_up(experiment, name, "full", level(experiment, name), **own)
        write(place, experiment, found)
    judged = {id: judge(claim) for id, claim in CLAIMS.items()}
    assert not [(id, found.problems) for id, found in judged.items() if found.problems]
    return {id: found.verdict for id, found in judged.items()}


def test_without_records_no_claim_is_judged(place):
    assert len(CLAIMS) == 144 and len(LEVELS) == 30
    for claim in CLAIMS.values():
        content = claim.build()
        assert isinstance(content, Measurement) and content.bounds and content.changed.keys() == content.bounds.keys()
        with pytest.raises(NotRun):
            content.measure()
        judgement = judge(claim)
        assert judgement.verdict == "not-run" and not judgement.problems, claim.id
        assert "python -m empirical sweep arnold20" in judgement.reason


def test_every_setting_that_a_claim_reads_is_one(place):
    """A misspelt cell would leave its claim unjudged for ever."""
    assert set(verdicts(place, as_printed).values()) == {"reproduced", "not-reproduced"}


def test_what_the_papers_print_would_be_reproduced_but_where_they_contradict_themselves(place):
    found = verdicts(place, as_printed)
    missed = {id for id, verdict in found.items() if verdict != "reproduced"}
    assert missed == {
        "arnold2019.s1-similar-omniglot",  # 91.13 is not similar to 97.56
        "arnold2019.s1-similar-cifar-fs",  # 52.94 and 55.03 are just not
        "arnold2019.fig1-omniglot-chance",  # 46.5% is not chance
        "arnold2019.s51-omniglot",  # 63.88 is not similar to 71.31
        "arnold2019.fig2-together-omniglot",  # as long as C4 is not frozen, accuracy remains unaffected
        "arnold2019.fig2-together-cifar-fs",
        "arnold2019.s53-best-mini-imagenet",  # Meta-Curvature is better
        "arnold2019.a23-competitive-cifar-fs",  # CFC1's 32.11 is below 38.44
        "arnold2019.a23-competitive-mini-imagenet",  # its 16.13 is below 18.55
        "arnold2021.s52-below-six-omniglot",  # 98.1 is not above 98.5
        "arnold2021.s52-six-degrades-cifar-fs",  # 71.3 is not below 70.9
    }


def test_where_nothing_is_learned_no_level_is_reproduced_nor_any_order(place):
    found = verdicts(place, lambda *_: None, small=0.2)
    kept = {id for id, verdict in found.items() if verdict == "reproduced"}
    assert kept == {"arnold2019.fig1-omniglot-chance"}


def judged_with(place, full=(), lite=(), id="arnold2021.s53-improve-omniglot", long=()):
    for tier, found in (("full", full), ("long", long), ("lite", lite)):
        write(place, CNN, list(found), tier)
    return judge(CLAIMS[id])


def rows(tier: str, table: str, level=as_printed, skip=()) -> list[Record]:
    return [
        record
        for layers, method in EXPERIMENTS[CNN].TABLES[table]
        if method not in skip
        for record in made_up(
            CNN, f"omniglot CNN({layers}) {method}", tier, level(CNN, f"omniglot CNN({layers}) {method}")
        )
    ]


def test_an_order_is_judged_on_a_smaller_tier_where_full_lacks_a_cell_and_the_tiers_are_never_mixed(place):
    full, lite = rows("full", "Table 3"), rows("lite", "Table 3", lambda *_: 0.5)
    long = rows("long", "Table 3")
    assert "(full, " in judged_with(place, full, lite, long=long).cross_check
    found = judged_with(place, full[1:], lite, long=long)
    assert found.verdict == "reproduced" and "(long, " in found.cross_check and "(full, " not in found.cross_check
    assert "(lite, " in judged_with(place, full[1:], lite, long=long[1:]).cross_check
    assert judged_with(place, full, lite).verdict == "reproduced"
    found = judged_with(place, full[1:], lite)
    assert found.verdict == "not-reproduced" and "(lite, " in found.cross_check and "(full, " not in found.cross_check
    found = judged_with(place, full[1:], lite[:-1])
    assert found.verdict == "not-run" and not found.problems
    assert "the full record of arnold2021/cnn has no" in found.reason
    assert "the lite record of arnold2021/cnn has no omniglot CNN(2) MAML w/ meta-KFO" in found.reason
    iterations = EXPERIMENTS[CNN].TIERS["lite"].cut(EXPERIMENTS[CNN].SETTINGS[PLAIN]).iterations
    found = judged_with(place, (), rows("lite", "Table 3"))
    assert (
        found.verdict == "reproduced"
        and f"{PLAIN} (lite, {iterations:,} meta-iterations of 4 tasks)" in found.cross_check
    )


def test_a_budget_in_which_a_cell_has_not_begun_to_learn_judges_nothing_of_it(place):
    def stuck(experiment, name):
        return 0.25 if name == PLAIN else as_printed(experiment, name)

    lite = rows("lite", "Table 3", stuck)
    found = judged_with(place, (), lite)
    assert found.verdict == "not-run" and not found.problems
    assert (
        f"{PLAIN} (lite, " in found.reason
        and " has 25.0% on validation tasks, where a guess has 20%: it has not begun" in found.reason
    )
    assert "--tier full" in found.reason
    # at full it would have had the time that the paper gives it, and a longer budget may do
    assert judged_with(place, rows("full", "Table 3", stuck), lite).verdict == "reproduced"
    found = judged_with(place, (), lite, long=rows("long", "Table 3"))
    assert found.verdict == "reproduced" and "(long, " in found.cross_check
    # of seeds that have not diverged, which is not for want of time; and the test tasks have no say
    for record in lite:
        if record.setting == PLAIN:
            record.details.update(
                diverged_at=[None, 7, 7],
                validation_accuracy_per_seed=[0.31, None, None],
                test_accuracy_per_seed=[0.21, None, None],
            )
    assert judged_with(place, (), lite).verdict == "reproduced"
    for record in lite:
        if record.setting == PLAIN:
            record.details.update(diverged_at=[7, 7, 7], test_accuracy_per_task=None)
    assert judged_with(place, (), lite).verdict == "reproduced"


def test_the_evidence_of_an_order_tells_its_errors_apart_and_what_the_other_batch_norm_has(place):
    first, second = made_up(CNN, PLAIN, "lite", 0.7), made_up(CNN, f"{PLAIN} w/ MC", "lite", 0.8)
    told = combined((1.0, image_records.Cell(first[0])), (-1.0, image_records.Cell(second[0]))).evidence
    assert "; standard errors 0.0000 over tasks and 0.0000 over seeds" in told and "support" not in told
    for (record,), values in ((first, [0.6, 0.5, 0.4]), (second, [0.7, 0.8, 0.6])):
        record.details["test_accuracy_support_statistics_per_seed"] = values
    cells = [image_records.Cell(record) for record in (*first, *second)]
    assert (
        "; -0.2000 where batch norm sees the support points alone"
        in combined((1.0, cells[0]), (-1.0, cells[1])).evidence
    )
    assert "; 0.3000 where" in combined((1.0, cells[0]), less=0.2).evidence
    other = image_records.Cell(replace(second[0], seeds=[7, 8, 9]))
    assert ", not on the same tasks, so not paired" in combined((1.0, cells[0]), (-1.0, other)).evidence


def test_a_claim_about_an_upper_bound_tells_whether_it_has_converged(place):
    bound = made_up("arnold2019/cnn", "omniglot CNN(2) upper bound", "lite", 0.8)
    for record in bound:
        record.details["test_accuracy_on_support_per_seed"] = [0.5, 0.6, 0.7]
    write(place, "arnold2019/cnn", bound, "lite")
    told = str(read("arnold2019/cnn", "omniglot CNN(2) upper bound", "lite", place / "results"))
    assert told.endswith("(lite, no meta-training, 60.0% on the points that it is trained on)")


def test_lite_never_judges_a_level_but_is_told(place):
    found = judged_with(place, (), rows("lite", "Table 3"), "arnold2021.t3-omniglot")
    assert found.verdict == "not-run" and not found.problems
    assert "tiers that judge no level have CNN(2) MAML 0.66" in found.reason
    found = judged_with(place, (), rows("lite", "Table 3"), "arnold2021.t3-omniglot", rows("long", "Table 3")[:1])
    assert found.verdict == "not-run"
    assert f"{PLAIN} (long, " in found.reason and f"{PLAIN} w/ MC (lite, " in found.reason
    full = rows("full", "Table 3")
    assert judged_with(place, full, (), "arnold2021.t3-omniglot").verdict == "reproduced"
    off = rows("full", "Table 3", lambda *cell: as_printed(*cell) - 0.08)
    assert judged_with(place, off, (), "arnold2021.t3-omniglot").verdict == "not-reproduced"


def test_a_record_of_another_protocol_is_stale(place):
    full = rows("full", "Table 3")
    changed = replace(full[0], configuration=full[0].configuration | {"queries": 15, "inner_lr": 9.0})
    found = judged_with(place, [changed, *full[1:]])
    assert found.verdict == "not-run"
    assert f"the full record of {PLAIN} is stale: its inner_lr and queries is not what is declared now" in found.reason
    more = replace(full[0], configuration=full[0].configuration | {"another": 1})
    assert "its another is not" in judged_with(place, [more, *full[1:]]).reason
    assert "its tier is not" in judged_with(place, [replace(full[0], tier="smoke"), *full[1:]]).reason
    # lite stands in for what is stale
    assert "(lite, " in judged_with(place, [changed, *full[1:]], rows("lite", "Table 3")).cross_check
    old = replace(full[0], details={k: v for k, v in full[0].details.items() if not k.endswith("_per_seed")})
    assert "by seed: run it again" in judged_with(place, [old, *full[1:]]).reason


def test_a_search_is_decided_by_the_validation_tasks_and_not_by_the_test_tasks(place):
    found = made_up(CNN, SEARCHED, "full", [0.9, 0.8], validation=[0.6, 0.7])
    assert len(found) == 2
    write(place, CNN, found)
    cell = read(CNN, SEARCHED, "full")
    assert cell.record == found[1] and accuracy(SEARCHED)(Reader(CNN, "full")).value == pytest.approx(0.8)
    write(place, CNN, made_up(CNN, SEARCHED, "full", [0.9, 0.8], validation=[0.7, 0.7]))
    assert read(CNN, SEARCHED, "full").record.setting == found[0].setting  # the first of equals
    write(place, CNN, made_up(CNN, SEARCHED, "full", [None, 0.25]))
    assert read(CNN, SEARCHED, "full").record.setting == found[1].setting
    write(place, CNN, found[:1])
    with pytest.raises(NotRun, match=r"has no omniglot CNN.3. MAML, inner 0.4, outer 0.003"):
        read(CNN, SEARCHED, "full")


def test_the_number_of_steps_is_decided_in_the_same_way(place):
    names = room2021.linear("omniglot", "LR")
    found = made_up(IDS[2], names[0], "full", 0.5, [0.3]) + made_up(IDS[2], names[1], "full", 0.4, [0.35])
    write(place, IDS[2], found)
    assert accuracy(names)(Reader(IDS[2], "full")).value == pytest.approx(0.4)


def test_a_run_that_diverged_counts_as_a_guess(place):
    (whole,) = made_up(CNN, PLAIN, "full", None)
    write(place, CNN, [whole])
    found = accuracy(PLAIN)(Reader(CNN, "full"))
    assert found.value == pytest.approx(0.2) and found.standard_error == pytest.approx(0.0)
    assert "3 of 3 seeds diverged, counted as 0.2" in found.evidence
    (third,) = made_up(CNN, PLAIN, "full", 0.8)
    third.details["diverged_at"][1] = 100
    third.details["test_accuracy_per_seed"][1] = third.details["validation_accuracy_per_seed"][1] = None
    write(place, CNN, [third])
    found = accuracy(PLAIN)(Reader(CNN, "full"))
    assert found.value == pytest.approx(0.6) and found.standard_error == pytest.approx(0.2, rel=1e-2)
    assert read(CNN, PLAIN, "full").by_seed("validation_accuracy").mean() == pytest.approx(0.6)
    (study,) = made_up(IDS[1], "omniglot CNN(4) MAML", "full", 0.9)
    study.details["diverged_at"][0] = 5
    write(place, IDS[1], [study])
    cell = read(IDS[1], "omniglot CNN(4) MAML", "full")
    assert cell.studied("noise", "0").tolist() == [0.1, 0.9, 0.9]
    assert "not told apart by seed" in judge(CLAIMS["arnold2019.figa3-threshold-omniglot"]).reason


def test_the_standard_error_counts_seeds_and_tasks_and_pairs_cancel_what_is_common(place):
    (one,), (two,) = made_up(CNN, PLAIN, "full", 0.6), made_up(CNN, LINNET, "full", 0.7)
    one.details["test_accuracy_per_seed"] = [0.58, 0.6, 0.62]
    write(place, CNN, [one, two])
    tasks = np.std(one.details["test_accuracy_per_task"], ddof=1) / np.sqrt(600)
    found = accuracy(PLAIN)(Reader(CNN, "full"))
    assert found.standard_error == pytest.approx(np.hypot(0.02 / np.sqrt(3), tasks))
    found = difference(LINNET, PLAIN)(Reader(CNN, "full"))
    assert found.value == pytest.approx(0.1) and found.standard_error == pytest.approx(0.02 / np.sqrt(3), rel=0.02)
    cells = [image_records.Cell(record) for record in (one, two, replace(two, seeds=[5, 6, 7]))]
    gpu = image_records.Cell(replace(two, environment={"device": "a GPU"}))  # all devices draw the same test tasks
    for other in (cells[1], gpu):
        assert "not paired" not in combined((1.0, cells[0]), (-1.0, other)).evidence
    found = combined((1.0, cells[0]), (-1.0, cells[2]))
    assert "not paired" in found.evidence and found.standard_error > np.hypot(tasks, tasks)


def test_an_upper_bound_has_tasks_of_its_own(place):
    experiment, names = IDS[1], ("omniglot CNN(2) upper bound", "omniglot CNN(2) KFC")
    write(place, experiment, [r for name in names for r in made_up(experiment, name, "full", 0.9)])
    assert "not paired" in difference(*names)(Reader(experiment, "full")).evidence


def test_a_level_measured_without_precision_is_not_near_everything():
    bound = image_records.level(0.9)
    assert bound.admits(image_records.Estimate(0.84, 0.2)) and not bound.admits(image_records.Estimate(0.82, 0.2))
    for published in (0.1, 0.2, 0.49, 0.5, 0.985):
        declared = image_records.level(published)
        moved = image_records._moved(declared)
        assert 0 < moved.published < 1
        for value in np.linspace(0, 1, 201):
            estimate = image_records.Estimate(value, 0.5)
            assert not (declared.admits(estimate) and moved.admits(estimate))


def test_the_control_of_an_order_is_its_reverse():
    steps = tuple(f"omniglot LR, {steps}" for steps in ("1 step", "5 steps"))
    content = orderings(IDS[2], {"a": accuracy(steps[0])}, image_records.Below(0.05), learned=steps)
    assert content.bounds == {"a": image_records.Below(0.05), "omniglot LR − chance": image_records.LEARNED}
    assert content.control == {"a": image_records.Above(0.05), "omniglot LR − chance": image_records.Below(0.1)}


def test_the_command_of_a_claim_makes_its_cells_in_the_tier_that_judges_it(place):
    told, methods = "arnold2021.s52-anil-omniglot", ["omniglot CNN(2) ANIL w/ LinNet", "omniglot CNN(2) ANIL"]
    for tier, expected in ((None, "full"), ("lite", "lite"), ("full", "full")):
        if tier is not None:
            write(place, CNN, [record for name in methods for record in made_up(CNN, name, tier, 0.7)], tier)
        command = shlex.split(CLAIMS[told].build().command)
        assert command == ["python", "-m", "empirical", "sweep", CNN, "--tier", expected, "--method", *methods]
    for claim in CLAIMS.values():
        experiment, _, _, _, *methods = shlex.split(claim.build().command)[4:]
        assert methods and set(methods) <= set(EXPERIMENTS[experiment].METHODS)


def test_a_pruned_network_is_one_of_the_small_ones_size(place):
    name = "omniglot CNN(4) MAML"
    (record,) = made_up(IDS[1], name, "full", 0.9)
    size = room2019.SCNN_SHARE["omniglot"]
    shares = {"0": 1.0, "0.05": 0.9 * size, "0.1": 0.5 * size}
    for threshold, study in record.details["studies"]["pruning"].items():
        study |= {"share left": shares.get(threshold, 0.001), "accuracy": [shares.get(threshold, 0.001)] * 3}
    found, told = room2019.pruned(image_records.Cell(record))
    assert found == pytest.approx(0.9 * size) and "pruned at 0.05, which leaves 30" in told
    for study in record.details["studies"]["pruning"].values():
        study["share left"] = size + 0.01
    with pytest.raises(NotRun, match="no threshold leaves so few weights"):
        room2019.pruned(image_records.Cell(record))


def test_what_the_papers_print_of_cnns_has_begun_to_learn():
    for paper, ways in (("arnold2021", 5), ("arnold2019", 10)):
        for (_, data, method), found in accuracies(paper).items():
            if data in TITLES.values() and method.startswith("CNN") and "pruned" not in method:
                assert found.value > image_records.BEGUN / ways, (paper, data, method)
