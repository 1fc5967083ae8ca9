"""The table of what was measured on images: every printed accuracy has its cell, and every cell its command."""

import re

import pytest
from made_records import CNN, IDS, PLAIN, SEARCHED, made_up, write

from empirical.__main__ import main as empirical_main
from paper_checks import image_results
from paper_checks.__main__ import main
from paper_checks.image_results import COLLAPSED, HEAD, PRUNED, markdown, missing, rows
from paper_checks.published import accuracies


def columns(text: str) -> list[list[str]]:
    return [
        [part.strip() for part in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")
    ]


def test_every_printed_accuracy_stands_in_the_table(monkeypatch):
    printed = [p for row in rows() for p in row.printed]
    on_images = [key for paper in ("arnold2019", "arnold2021") for key in accuracies(paper) if key[1] != "Synthetic"]
    assert len(printed) == len(on_images) > 120
    assert any(row.method == PRUNED and row.printed for row in rows())
    extra = {("Table 9", "Omniglot", "CNN(9) MAML"): next(iter(accuracies("arnold2021").values()))}
    monkeypatch.setattr(image_results, "accuracies", lambda paper: accuracies(paper) | extra)
    with pytest.raises(LookupError, match="Table 9, Omniglot, CNN"):
        rows()


def test_a_row_says_what_was_printed_and_measured(place):
    write(place, CNN, made_up(CNN, PLAIN, "lite", 0.7), "lite")
    write(place, IDS[1], made_up(IDS[1], "omniglot CNN(4) MAML", "full", 0.9, small=0.42))
    write(place, IDS[2], made_up(IDS[2], "omniglot LR+LinNet, 1 step", "full", 0.8, small=0.31))
    listed = rows()
    shown = markdown(listed)
    folded = re.findall(r"<summary>(.*)</summary>", shown)
    assert [told.partition(":")[0] for told in folded] == ["arnold2021, Omniglot", "arnold2019, Omniglot"]
    assert "- arnold2021/linear-images, Omniglot: `omniglot LR, 1 step`, " in shown and COLLAPSED not in missing(listed)
    assert "- arnold2021/linear-images, mini-ImageNet: all\n" in shown
    (of_cnn,) = [line for line in missing(listed).splitlines() if line.startswith("- arnold2021/cnn, Omniglot: ")]
    assert "`omniglot CNN(2) MAML`" not in of_cnn and "`omniglot CNN(2) ANIL`" in of_cnn
    cells = [row for row in listed if (row.paper, row.data) == ("arnold2021", "Omniglot")]
    assert folded[0].endswith(f": 3 of {len(cells)} cells")
    lines = [line for line in columns(shown) if line[0] != "method"]
    by_method = {each[0]: dict(zip(HEAD, each, strict=True)) for each in lines}
    assert set(by_method) == {
        "CNN(2) MAML",
        "CNN(4) MAML",
        PRUNED,
        "LR+LinNet, 1 step",
        "LR+LinNet, 1 step" + COLLAPSED,
    }
    plain = by_method["CNN(2) MAML"]
    assert plain["printed, %"] == "66.8 (Table 1); 66.6 (Table 3)"
    assert plain["measured, %"] == "70.0 ± 0.0 (1.0)" and plain["run"].startswith("lite, ")
    assert by_method["CNN(4) MAML"]["printed, %"] == "97.56 ± 0.45 (Table A2); 97.56 (Table A3)"
    assert by_method[PRUNED]["measured, %"] == "42.0 ± 0.0"
    assert by_method["LR+LinNet, 1 step" + COLLAPSED]["measured, %"] == "31.0 ± 0.0"


def test_of_a_search_the_row_is_what_validation_prefers_and_diverged_seeds_are_counted(place):
    write(place, CNN, made_up(CNN, SEARCHED, "lite", [0.9, 0.6], [0.5, 0.7]), "lite")
    (lost,) = made_up(CNN, PLAIN, "lite", None)
    lost.details["test_accuracy_support_statistics_per_seed"] = [None] * 3
    write(place, CNN, [*made_up(CNN, SEARCHED, "lite", [0.9, 0.6], [0.5, 0.7]), lost], "lite")
    _, diverged, searched = columns(markdown(rows()))
    assert searched[2].startswith("60.0") and diverged[2] == "20.0 ± 0.0 (0.0), 3 diverged"
    assert searched[3] == "" and diverged[3] == "20.0 ± 0.0"


def test_a_row_is_of_the_longest_tier_that_has_it(place):
    for tier, expected in (("lite", "40.0"), ("long", "50.0"), ("full", "60.0")):
        write(place, CNN, made_up(CNN, PLAIN, tier, float(expected) / 100), tier)
        (told,) = columns(markdown(rows()))[1:]
        found = dict(zip(HEAD, told, strict=True))
        assert found["measured, %"].startswith(expected) and found["run"].startswith(tier)
        assert f"--tier {tier} " in found["command"]


def test_the_row_of_an_upper_bound_says_how_well_it_knows_what_it_was_trained_on(place):
    found = made_up(IDS[2], "omniglot upper bound", "full", [0.8, 0.7, 0.6])
    for record in found:
        record.details["test_accuracy_on_support_per_seed"] = [0.97, 0.98, 0.99]
    write(place, IDS[2], found)
    *_, told = columns(markdown(rows()))
    assert dict(zip(HEAD, told, strict=True))["run"] == "full, each task (on its support points 98.0), 3 seeds"


def test_the_command_of_a_row_is_one(place, capsys):
    write(place, CNN, made_up(CNN, PLAIN, "lite", 0.7), "lite")
    (row,) = [row for row in rows() if row.cell]
    experiment, tier, method, threads = re.fullmatch(
        r'python -m empirical run (\S+) --tier (\S+) --method "(.+)" --threads (\d+)', row.command
    ).groups()
    assert int(threads) == row.cell.record.environment["threads"]
    with pytest.raises(SystemExit):  # so far it goes, without data
        empirical_main(["run", experiment, "--tier", tier, "--method", method + " not", "--threads", threads])
    assert f"the nearest is {method!r}" in capsys.readouterr().err


def test_the_command_prints_it_and_takes_nothing_else(capsys):
    assert main(["results"]) == 0
    assert capsys.readouterr().out == markdown(rows()) + "\n"
    assert main(["results", "now"]) == 2
    assert "takes no arguments" in capsys.readouterr().err


def test_an_unreadable_record_is_a_sentence(place, capsys):
    file = place / "results" / f"{CNN}.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("no record\n")
    assert main(["results"]) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.count("\n") == 1 and "line 1 is not JSON" in said.err
