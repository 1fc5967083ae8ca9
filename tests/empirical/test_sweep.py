"""Sweeps: the records that `run` leaves, whatever was killed, failed or run elsewhere on the way."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from empirical import DivergenceError, Trainer, records
from empirical.__main__ import main
from empirical.experiments import EXPERIMENTS, arnold2021_figure1_right, arnold2021_figure2, logistic
from empirical.experiments.running import Job
from empirical.sweep import jobs
from empirical.sweep.command import jobs_of

ROOT = Path(__file__).resolve().parents[2]
PLANE = "arnold2021/figure1-right"
METHODS = ["2 layers, sampled, 10 points", "1 layer, sampled, 10 points", "1 layer, sign, 10 points, adam"]
"""Two of the three leave several records each."""


def sweep(out, *arguments, experiments=(PLANE,)):
    return main(["sweep", *experiments, "--out", str(out), *arguments])


def found(out, experiment=PLANE, tier="smoke"):
    """What was measured, by setting and in the file's order: all of the records but the time that it took, and the memory."""
    return [
        (r.setting, r.tier, r.seeds, r.configuration, r.learning_curve, r.final, r.details)
        for r in records.read(out / f"{experiment}.{tier}.jsonl")
    ]


@pytest.fixture
def ran(monkeypatch):
    """The methods that are really run, as they begin."""
    names, run = [], logistic._Run.run

    def counted(self):
        names.append(self.name)
        return run(self)

    monkeypatch.setattr(logistic._Run, "run", counted)
    return names


def test_a_sweep_leaves_what_run_leaves_and_runs_nothing_twice(tmp_path, ran, capsys):
    ours, theirs = tmp_path / "sweep", tmp_path / "run"
    # in another order, which must not show in the file
    assert sweep(ours, "--method", METHODS[2], METHODS[0], "--method", METHODS[1]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"[0/3] started: {PLANE} smoke, {METHODS[2]}"
    assert lines[5].startswith(f"[3/3] finished: {PLANE} smoke, {METHODS[1]}, ")
    assert main(["run", PLANE, "--out", str(theirs), *(f"--method={name}" for name in METHODS)]) == 0
    assert found(ours) == found(theirs) and len(found(ours)) == 7
    assert ran == [METHODS[2], *METHODS[:2], *METHODS]
    before = (ours / f"{PLANE}.smoke.jsonl").read_bytes()
    capsys.readouterr()
    assert sweep(ours, "--method", *METHODS) == 0
    assert capsys.readouterr().out.count("was finished before") == 3 and len(ran) == 6
    assert (ours / f"{PLANE}.smoke.jsonl").read_bytes() == before
    assert not list(ours.glob(".unfinished/*/*"))
    # another seed is another job, and takes the place of the one before
    assert sweep(ours, "--method", METHODS[0], "--seed", "5") == 0
    assert len(ran) == 7 and [r[2] for r in found(ours)].count([5, 6]) == 1


def test_several_first_seeds_have_folders_of_their_own(tmp_path, capsys):
    assert sweep(tmp_path, "--method", METHODS[0], "--seed", "3", "8", "--seed", "3") == 0
    assert [found(tmp_path / f"seed-{seed}")[0][2] for seed in (3, 8)] == [[3, 4], [8, 9]]
    assert not (tmp_path / PLANE).parent.exists()
    assert capsys.readouterr().out.splitlines()[2] == f"[1/2] started: {PLANE} smoke, {METHODS[0]}, seed 8"


def test_an_experiment_without_methods_is_one_job(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(arnold2021_figure2.TIERS["smoke"], "iterations", 20)
    name = arnold2021_figure2.ID
    assert sweep(tmp_path, experiments=[name]) == 0
    assert [record[0] for record in found(tmp_path, name)] == ["deep"]
    real = arnold2021_figure2.run
    monkeypatch.setattr(arnold2021_figure2, "run", None)
    assert sweep(tmp_path, experiments=[name]) == 0
    assert "[1/1] was finished before: arnold2021/figure2 smoke\n" in capsys.readouterr().out
    for changed in (["--seed", "1"], []):
        if not changed:  # another version of the code
            monkeypatch.setattr(records, "_code_version", lambda: {"source_sha256": "another"})
        assert sweep(tmp_path, *changed, experiments=[name]) == 1
        assert "FAILED: arnold2021/figure2 smoke: TypeError: 'NoneType'" in capsys.readouterr().out
    monkeypatch.setattr(arnold2021_figure2, "run", real)
    assert sweep(tmp_path, "--seed", "1", experiments=[name]) == 0
    assert found(tmp_path, name)[0][2] == [1, 2, 3, 4]


SHORT = logistic.Tier(450, 50, 20, 2)
KILLED = """
import sys
from empirical.__main__ import main
from empirical.experiments import arnold2021_figure1_right, logistic
arnold2021_figure1_right.TIERS["lite"] = logistic.{tier}
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_sweep_goes_on_to_the_same_records(tmp_path, monkeypatch, ran):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    arguments = ["--tier", "lite", "--method", *METHODS]
    command = [sys.executable, "-c", KILLED.format(tier=SHORT), "sweep", PLANE, "--out", str(killed), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    second = killed / ".unfinished" / f"{PLANE}.lite" / "1-layer,-sampled,-10-points" / "trained.safetensors"
    end = time.monotonic() + 120
    while not second.exists() and running.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "it was over before it could be killed"
    assert [record[0] for record in found(killed, tier="lite")] == METHODS[:1]
    iterations, iterate = [], Trainer._iterate

    def counted(self, total):
        iterations.append(self.iteration)
        return iterate(self, total)

    monkeypatch.setitem(arnold2021_figure1_right.TIERS, "lite", SHORT)
    monkeypatch.setattr(Trainer, "_iterate", counted)
    assert sweep(killed, *arguments) == 0
    assert ran == METHODS[1:]  # the first was finished
    assert iterations[0] >= 50 and iterations.count(0) == 1  # the second went on, the third began
    assert sweep(whole, *arguments) == 0
    assert found(killed, tier="lite") == found(whole, tier="lite")


def damage(out, method=0):
    """A finished method's record that cannot be read."""
    folder = out / ".unfinished" / f"{PLANE}.smoke" / METHODS[method].lower().replace(" ", "-")
    folder.mkdir(parents=True)
    (folder / "record.jsonl").write_text("{")
    return folder / "record.jsonl"


def test_a_failed_job_is_told_and_the_others_go_on(tmp_path, monkeypatch, ran, capsys):
    def diverges(*given, **options):
        raise DivergenceError("It left the finite numbers\nat step 3.")

    monkeypatch.setattr(EXPERIMENTS["arnold2021/figure2"], "run", diverges)
    monkeypatch.setattr(arnold2021_figure1_right, "METHODS", tuple(METHODS))
    file = damage(tmp_path)
    assert sweep(tmp_path, experiments=["arnold2021/figure2", PLANE]) == 1
    told = capsys.readouterr()
    assert "[1/4] FAILED: arnold2021/figure2 smoke: It left the finite numbers at step 3.\n" in told.out
    assert f"[2/4] FAILED: {PLANE} smoke, {METHODS[0]}: {file} is damaged" in told.out
    first, *failures = told.err[told.err.index("python -m") :].splitlines()
    assert first == "python -m empirical sweep: 2 of 4 jobs failed:"
    assert [line.split(":")[0].strip() for line in failures] == [
        "arnold2021/figure2 smoke",
        f"{PLANE} smoke, {METHODS[0]}",
    ]
    assert ran == METHODS[1:] and len(found(tmp_path)) == 6
    file.unlink()
    assert sweep(tmp_path) == 0
    assert ran == [*METHODS[1:], METHODS[0]] and len(found(tmp_path)) == 7


def test_a_file_of_something_else_costs_its_own_experiment_alone(tmp_path, capsys):
    (tmp_path / "arnold2021").mkdir()
    (tmp_path / f"{PLANE}.smoke.jsonl").write_text("notes\n")
    assert sweep(tmp_path, "--method", METHODS[0]) == 1
    assert "figure1-right.smoke.jsonl, line 1 is not JSON" in capsys.readouterr().out
    assert (tmp_path / f"{PLANE}.smoke.jsonl").read_text() == "notes\n"


def test_a_stopped_sweep_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stopped(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(arnold2021_figure1_right, "run", stopped)
    assert sweep(tmp_path) == 130
    assert capsys.readouterr().err == "python -m empirical sweep: stopped; the same command goes on from here\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no experiment was given; give one or more of arnold2019/synthetic, "),
        (["arnold2021/figure1_right"], "the nearest is 'arnold2021/figure1-right'"),
        ([PLANE, "arnold2021/figure2", "--tier", "lite"], "arnold2021/figure2 has no tier 'lite'; it has smoke, full"),
        (["chen2019/linear", "--method", "MAML", "Repdile"], "has no method 'Repdile'; the nearest is 'Reptile'"),
        (["arnold2021/figure2", "--method", "MAML"], "has no methods to choose from"),
        ([PLANE, "--seed", "0", "-1"], "the seed is -1"),
        ([PLANE, "--workers", "0"], "'0' is no such number: give 1 or more"),
        ([PLANE, "--scheduler", "here"], "'here' is no address of a scheduler: give tcp://HOST:PORT"),
        ([PLANE, "--scheduler", "tcp://here:1", "--workers", "2"], "not allowed with argument"),
        ([PLANE, "--out", __file__], "another --out"),
    ],
)
def test_bad_input_exits_with_2_and_one_line(arguments, words, capsys):
    try:
        code = main(["sweep", *arguments])
    except SystemExit as caught:
        code = caught.code
    captured = capsys.readouterr()
    assert code == 2 and words in captured.err and len(captured.err.splitlines()) == 1 and captured.out == ""


def test_a_pattern_stands_for_the_methods_that_it_matches(tmp_path):
    made = jobs_of(["arnold2021/cnn"], "lite", ["cifar-fs CNN(3)*", "omniglot CNN(2) ANIL"], [0], tmp_path)
    assert [job.methods[0] for job in made] == [
        "cifar-fs CNN(3) MAML",
        "cifar-fs CNN(3) MAML w/ LinNet",
        "cifar-fs CNN(3) MAML w/ meta-KFO",
        "omniglot CNN(2) ANIL",
    ]


def test_one_process_leads_a_sweep(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert sweep(tmp_path) == 2
    assert "leave torchrun out, and give --workers" in capsys.readouterr().err


def test_workers_without_the_extra_are_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert sweep(tmp_path, "--workers", "2") == 2
    assert "not installed: pip install -e '.[sweep]'." in capsys.readouterr().err


def test_two_workers_leave_what_one_process_leaves(tmp_path, capsys):
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install -e '.[sweep]'")
    file = damage(tmp_path / "two", 2)
    options = ["--method", *METHODS, "--workers", "2", "--threads", "1"]
    assert sweep(tmp_path / "two", *options) == 1
    told = capsys.readouterr()
    assert told.out.count("started: ") == 3 and told.out.count("finished: ") == 2
    assert f"FAILED: {PLANE} smoke, {METHODS[2]}: {file} is damaged" in told.out
    assert "points: 20 of 20" not in told.err and "Traceback" not in told.err  # no bars of jobs elsewhere
    assert sweep(tmp_path / "one", "--method", *METHODS[:2], "--threads", "1") == 0
    assert found(tmp_path / "two") == found(tmp_path / "one") and len(found(tmp_path / "two")) == 4


def test_a_job_that_another_process_still_runs_is_waited_for(tmp_path, ran):
    job = Job(PLANE, "smoke", (METHODS[0],), 0, tmp_path)
    folder = job.work / METHODS[0].replace(" ", "-")
    folder.mkdir(parents=True)
    outcomes = []
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: outcomes.append(jobs.do(job)))
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive() and ran == []
    waiting.join(60)
    assert outcomes[0].error is None and ran == [METHODS[0]]


def test_records_stand_in_one_order_whoever_came_first(tmp_path):
    out = [tmp_path / "all", tmp_path / "turned"]
    names = ["1 layer, sampled, 10 points", "1 layer, sampled, 10 points, adam"]  # the one name begins with the other
    assert sweep(out[0], "--method", *names) == sweep(out[1], "--method", *reversed(names)) == 0
    orders = [[record[0] for record in found(folder)] for folder in out]
    assert (
        orders[0]
        == orders[1]
        == [
            *names,
            *(name + start for name in names for start in (", from 0", ", from N(0, 1)")),
        ]
    )
