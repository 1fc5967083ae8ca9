"""The synthetic classification experiments: short runs of the real ones, their records, divergence, and an exact resume."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from empirical import records
from empirical.__main__ import main
from empirical.experiments import EXPERIMENTS, arnold2019_synthetic, arnold2021_figure1_right, logistic, methods
from empirical.trainer import CheckpointError

ROOT = Path(__file__).resolve().parents[2]
SHORT = logistic.Tier(12, 6, 6, 2)


def run(settings, tier=SHORT, **options):
    return logistic.runner("short", settings, {"short": tier})("short", **options)


def small(**changes) -> logistic.Setting:
    return replace(arnold2021_figure1_right.MODELS[1], **{"starts": ("default",)} | changes)


@pytest.mark.parametrize(
    ("experiment", "methods"),
    [
        ("arnold2019/synthetic", ["LR", "LinNet one set of points", "KLin 500 + 500", "KFC same points"]),
        ("arnold2019/figure-a1", ["depth 1 width 2", "depth 4 width 256"]),
        ("arnold2021/figure1-right", ["1 layer, sampled, 10 points", "3 layers, sign, 10 points, width 64"]),
    ],
)
def test_smoke_runs_leave_a_record_for_each_start_and_rate(experiment, methods):
    module = EXPERIMENTS[experiment]
    found = module.run("smoke", methods=methods)
    names = [name + addition for name in methods for _, _, addition in module.SETTINGS[name].variants()]
    assert [record.setting for record in found] == names
    for record in found:
        assert record.tier == "smoke" and record.seeds in ([0], [0, 1]) and not record.environment["compiled"]
        curve = record.learning_curve
        assert curve["meta_iteration"] == [0, 10, 20] and len(curve["training_accuracy"]) == 3
        assert all(0 <= a <= 1 for row in curve["test_accuracy"] for a in row if a is not None)
        assert bool(record.final) == (None in record.details["diverged_at"])


def test_what_is_declared_is_what_the_papers_print():
    settings = arnold2019_synthetic.SETTINGS
    printed = {"LR": (0.5, 0.01), "LinNet": (1.9, 1.9), "KLin": (3.33, 3.33), "KFC": (3.9, 3.9)}
    assert {n: (settings[n].inner_lr, settings[n].outer_lr) for n in printed} == printed
    assert settings["LinNet"].hidden == (64, 64, 64)
    assert all(s.outer == "sgd" and s.tasks_per_step == 1 for s in settings.values())
    assert arnold2019_synthetic.TIERS["full"].iterations == 30_000
    found = arnold2019_synthetic.run("smoke", methods=["KLin one set of points", "KFC one set of points"])
    counts = {record.setting.split()[0]: record.parameter_count - 100 for record in found}
    assert counts == {"KLin": 10_001, "KFC": 20_002}  # of the meta-optimizers: arnold2019, A.1.1
    plane = arnold2021_figure1_right.MODELS
    assert [plane[layers].outer_lr for layers in (1, 2, 3, 4)] == [0.01, 0.1, 0.1, 0.1]
    assert [plane[layers].hidden for layers in (1, 2, 3, 4)] == [(), (2,), (2, 2), (2, 2, 2)]


def test_starts_and_rates_trained_together_are_what_they_are_alone():
    together = small(starts=("default", "zero", "normal"), scales=(1.0, 0.1))
    found = {record.setting: record for record in run({"LR": together})}
    assert len(found) == 6
    for start in together.starts:
        for scale in together.scales:
            (alone,) = run({"LR": small(starts=(start,), scales=(scale,))})
            same = found[alone.setting]
            assert alone.configuration == same.configuration
            measured, expected = (np.array(r.learning_curve["test_accuracy"], dtype=float) for r in (same, alone))
            assert measured == pytest.approx(expected, abs=1e-3)  # a point near the boundary may change sides
    assert found["LR, from 0"].details["weight_norm_at_start"] == [0, 0]
    assert len(set(found["LR, from N(0, 1)"].details["weight_norm_at_start"])) == 2  # a start of its own for every seed


def test_a_run_that_diverges_stops_and_the_others_go_on():
    setting = small(inner_lr=500.0, hidden=(8, 8, 8), scales=(100.0, 1e-9))
    diverged, fine = run({"deep": setting}, replace(SHORT, iterations=120, evaluate_every=60))
    assert None not in diverged.details["diverged_at"] and diverged.final == {}
    assert diverged.learning_curve["test_accuracy"][-1] == [None, None]
    assert diverged.learning_curve["test_accuracy"][0] != [None, None]
    assert fine.details["diverged_at"] == [None, None] and fine.final["test_accuracy"].count == 2
    assert diverged.details["weight_norm_at_end"] == [None, None] and None not in fine.details["weight_norm_at_end"]


def test_learning_is_seen_on_the_test_tasks():
    (record,) = run({"LR": small(starts=("normal",))}, logistic.Tier(400, 200, 40, 2))
    accuracy = np.array(record.learning_curve["test_accuracy"])
    assert (accuracy[-1] > accuracy[0] + 0.05).all()
    assert max(record.details["weight_norm_at_end"]) < min(record.details["weight_norm_at_start"])
    final = record.final
    assert final["test_accuracy"].value == pytest.approx(accuracy[-1].mean(), abs=1e-5)
    assert final["test_accuracy_over_tasks"].count == 40
    assert final["test_accuracy_over_tasks"].value == pytest.approx(final["test_accuracy"].value)
    assert abs(final["test_accuracy_without_adaptation"].value - 0.5) < 0.1


LITE = logistic.Tier(450, 50, 20, 2)
KILLED = f"""
import sys
from empirical.__main__ import main
from empirical.experiments import arnold2021_figure1_right, logistic
arnold2021_figure1_right.TIERS["lite"] = logistic.{LITE}
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setitem(arnold2021_figure1_right.TIERS, "lite", LITE)
    asked = ["run", "arnold2021/figure1-right", "--tier", "lite", "--method", "1 layer, sampled, 100 points", "--out"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    work = killed / ".unfinished" / "arnold2021" / "figure1-right.lite"
    command = [sys.executable, "-c", KILLED, *asked, str(killed)]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not list(work.glob("*/trained.safetensors")) and running.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "it was over before it could be killed"
    for folder in (killed, whole):
        assert main([*asked, str(folder)]) == 0
    ours, theirs = (records.read(folder / "arnold2021" / "figure1-right.lite.jsonl") for folder in (killed, whole))
    for one, other in zip(ours, theirs, strict=True):
        assert (one.learning_curve, one.final) == (other.learning_curve, other.final)
        assert one.details["weight_norm_at_end"] == other.details["weight_norm_at_end"]
    assert not work.exists()


def test_what_is_finished_is_not_run_again_and_what_is_damaged_is_said(tmp_path, monkeypatch):
    settings = {"LR": small()}
    first = run(settings, work=tmp_path)
    folder = tmp_path / "lr"
    with monkeypatch.context() as patch:
        patch.setattr(logistic, "Trainer", None)
        assert run(settings, work=tmp_path) == first
    (folder / "record.jsonl").write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        run(settings, work=tmp_path)
    (folder / "record.jsonl").unlink()
    (folder / "measured.json").unlink()
    with pytest.raises(CheckpointError, match="no test of meta-iteration 0: delete it"):
        run(settings, work=tmp_path)
    (folder / "measured.json").write_text('{"fingerprint": "another", "measured": {}}')
    with pytest.raises(CheckpointError, match="other settings"):
        run(settings, work=tmp_path)
    with pytest.raises(ValueError, match="no method 'KLon'"):
        run(settings, methods=["KLon"])


def test_runs_of_one_seed_see_tasks_drawn_once(monkeypatch):
    calls = []
    sample = logistic.LogisticTasks.sample

    def counted(self, count, generator, split, dtype):
        calls.append(split)
        return sample(self, count, generator, split, dtype)

    monkeypatch.setattr(logistic.LogisticTasks, "sample", counted)
    torch.manual_seed(0)
    run({"LR": small(starts=("default", "zero", "normal"))})
    assert calls.count("training") == SHORT.iterations * SHORT.seeds


def test_an_empty_record_is_not_taken_for_a_finished_method(tmp_path):
    (tmp_path / "some-method").mkdir()
    (tmp_path / "some-method" / "record.jsonl").write_text("")
    run = methods.runner(["Some method"], lambda *given: SimpleNamespace(key="k", run=lambda: []))
    with pytest.raises(CheckpointError, match=r"record\.jsonl is empty: delete it to run Some method anew"):
        run("smoke", work=tmp_path)
    with pytest.raises(ValueError, match="There is no method 'other'; the methods are Some method"):
        run("smoke", methods=["other"])
