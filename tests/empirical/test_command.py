import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from empirical import records
from empirical.__main__ import main
from empirical.data import DataError
from empirical.experiments import EXPERIMENTS

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "empirical", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_smoke_run_through_the_command_leaves_a_record(tmp_path):
    full = tmp_path / "arnold2021" / "figure1-left.jsonl"
    full.parent.mkdir()
    full.write_text("the full tier's record\n")
    done = command("run", "arnold2021/figure1-left", "--tier", "smoke", "--out", str(tmp_path), "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert "\r" not in done.stderr  # plain lines where there is no terminal
    assert "no factor 1/2" in done.stdout
    assert full.read_text() == "the full tier's record\n"
    shallow, deep, three, *others = records.read(tmp_path / "arnold2021" / "figure1-left.smoke.jsonl")
    assert (shallow.setting, deep.setting, three.parameter_count) == ("shallow", "deep", 3)
    starts = [record for record in others if "from" in record.setting]
    assert [np.abs(record.details["initial_weights"]).max() > 3 for record in starts] == [False, True]
    assert [r.configuration["support"] for r in others if r not in starts] == [10] * 3 + [100] * 3
    assert deep.seeds == [5, 6, 7] and deep.tier == "smoke" and deep.parameter_count == 2
    assert deep.configuration["inner_lr"] == 0.1
    assert deep.final["test_error"].spread_over == "seeds" and deep.final["test_error"].count == 3
    curve = deep.learning_curve
    assert len(curve["test_error"]) == 3
    assert all(len(line) == len(curve["meta_iteration"]) for line in curve["test_error"])
    assert deep.final["test_error"].value < shallow.final["test_error"].value


def test_figure2_smoke_walks_towards_four_different_minima():
    (record,) = EXPERIMENTS["arnold2021/figure2"].run("smoke")
    assert len({tuple(m) for m in record.details["nearest_minimum"]}) == 4
    trajectory = record.details["trajectory"]
    assert len(trajectory["weights"]) == 4
    for line, initial, end in zip(
        trajectory["weights"], record.details["initial_weights"], record.details["final_weights"], strict=True
    ):
        assert line[0] == initial and line[-1] == end and len(line) == len(trajectory["meta_iteration"])
    assert max(record.details["distance"]) < 0.3


def test_list_names_every_experiment(capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == len(EXPERIMENTS) and all(name in printed for name in EXPERIMENTS)
    assert main(["list", "arnold2019/cnn"]) == 0
    assert capsys.readouterr().out.splitlines() == list(EXPERIMENTS["arnold2019/cnn"].METHODS)
    assert main(["list", "arnold2021/figure2"]) == 0
    assert "no methods" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["list", "arnold2021/cn"])
    assert "the nearest is 'arnold2021/cnn'" in capsys.readouterr().err


def test_bad_input_through_the_command_is_one_sentence():
    done = command("run", "arnold2021/figure1_left")
    assert done.returncode == 2
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "the nearest is 'arnold2021/figure1-left'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required"),
        (["run"], "required"),
        (["walk"], "invalid choice"),
        (["run", "arnold2021/figure2", "--tier", "huge"], "it has smoke, full"),
        (["run", "arnold2021/figure2", "--device", "tpu"], "invalid choice"),
        (["run", "arnold2021/figure2", "--seed", "-1"], "the seed is -1"),
        (["run", "arnold2021/figure2", "--seed", "one"], "invalid int"),
        (["run", "arnold2021/figure2", "--out", __file__], "another --out"),
        (["run", "arnold2021/figure2", "--threads", "0"], "'0' is no such number: give 1 or more"),
    ],
)
def test_bad_input_exits_with_2_and_one_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    captured = capsys.readouterr()
    assert caught.value.code == 2
    assert words in captured.err and len(captured.err.splitlines()) == 1 and captured.out == ""


def test_cuda_that_is_not_there_is_named(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as caught:
        main(["run", "arnold2021/figure2", "--device", "cuda"])
    assert caught.value.code == 2
    assert "no CUDA device" in capsys.readouterr().err


def test_the_package_stands_alone():
    code = "import sys, empirical, empirical.__main__; print({'sympy', 'analysis'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    # torch may itself load sympy, so only our own source can be asked about that
    assert done.returncode == 0 and "analysis" not in done.stdout
    for file in (ROOT / "empirical").rglob("*.py"):
        assert "sympy" not in file.read_text(encoding="utf-8")


def test_a_run_takes_as_many_threads_as_it_is_told(tmp_path, monkeypatch):
    seen = []

    def stopped(*arguments, **options):
        seen.append(torch.get_num_threads())
        raise KeyboardInterrupt

    monkeypatch.setattr(EXPERIMENTS["arnold2021/figure2"], "run", stopped)
    before = torch.get_num_threads()
    try:
        for threads in ([], ["--threads", str(before + 1)]):
            main(["run", "arnold2021/figure2", "--out", str(tmp_path), *threads])
    finally:
        torch.set_num_threads(before)
    assert seen == [before, before + 1]


def test_a_stopped_run_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(EXPERIMENTS["chen2019/linear"], "run", stopped)
    assert main(["run", "chen2019/linear", "--out", str(tmp_path)]) == 130
    assert "without --fresh, goes on from here" in capsys.readouterr().err
    monkeypatch.setattr(EXPERIMENTS["arnold2021/figure2"], "run", stopped)
    assert main(["run", "arnold2021/figure2", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "python -m empirical: stopped\n"
    with pytest.raises(SystemExit):
        main(["run", "arnold2021/figure2", "--out", str(tmp_path), "--method", "MAML"])
    assert "has no methods to choose from" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_images_that_are_not_there_are_one_sentence(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("METAPROOF_DATA", str(tmp_path / "elsewhere"))
    arguments = [command, "arnold2021/cnn", "--method", "omniglot CNN(2) MAML", "--out", str(tmp_path / "out")]
    code = main([*arguments, "--data", str(tmp_path / "here")])
    told = capsys.readouterr()
    assert code == (2 if command == "run" else 1)
    assert f"Omniglot (images_background) is not in {str(tmp_path / 'here')!r}" in told.err + told.out
    assert "Traceback" not in told.err and not list((tmp_path / "out").rglob("*.jsonl"))


def test_a_pattern_of_run_stands_for_methods_and_without_any_all_images_are_needed(tmp_path, monkeypatch, capsys):
    asked = []

    def run(tier, *, methods, **options):
        asked.extend(methods)
        raise DataError("The images are gone.")

    monkeypatch.setattr(EXPERIMENTS["arnold2021/cnn"], "run", run)
    assert main(["run", "arnold2021/cnn", "--method", "cifar-fs CNN(3)*", "--out", str(tmp_path)]) == 2
    assert asked == ["cifar-fs CNN(3) MAML", "cifar-fs CNN(3) MAML w/ LinNet", "cifar-fs CNN(3) MAML w/ meta-KFO"]
    assert capsys.readouterr().err == "python -m empirical: The images are gone.\n"
    assert main(["run", "arnold2021/cnn", "--out", str(tmp_path)]) == 2
    assert "gone. --method 'cifar-fs*' would run those of one data set alone." in capsys.readouterr().err
