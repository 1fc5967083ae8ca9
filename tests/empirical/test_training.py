"""The outer loop: runs beside each other, divergence, and a resume that changes nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from empirical import records
from empirical.divergence import DivergenceError
from empirical.experiments import EXPERIMENTS
from empirical.meta_learners import MAML, Shrinkage
from empirical.modules import one_module
from empirical.randomness import STREAMS, generator
from empirical.tasks.hierarchical import HierarchicalTasks
from empirical.training import CheckpointError, Outer, train

ROOT = Path(__file__).resolve().parents[2]
TASKS = HierarchicalTasks("linear", (1.0,) * 3, (2.0,) * 3, (2.0, 1.0, 1.5, 1.0), 3)
OUTER = Outer({"phi": 0.05, "log_variance": 0.05}, 40, 4)


def learner(rate=0.1):
    return Shrinkage(TASKS.losses, one_module(3), 8, rate)


def start(runs=2):
    return learner().init(torch.zeros(runs, 3, dtype=torch.float64), 1.0)


def test_it_learns_phi_and_sigma():
    outer = Outer({"phi": 0.05, "log_variance": 0.05}, 400, 16)
    trained = train(Shrinkage(TASKS.losses, one_module(3), 60, 0.1), TASKS, start(1), outer, seeds=[0])
    assert (trained.learned["phi"] - 1).abs().max() < 0.3
    assert 1.4 < float((trained.learned["log_variance"] / 2).exp()) < 2.8
    assert trained.query_loss[-50:].mean() < trained.query_loss[:20].mean()


def test_runs_beside_each_other_are_the_runs_by_themselves():
    both = train(learner(), TASKS, start(), OUTER, seeds=[3, 4])
    alone = train(learner(), TASKS, start(1), OUTER, seeds=[4])
    assert torch.allclose(both.learned["phi"][1], alone.learned["phi"][0], rtol=1e-12)
    assert not torch.allclose(both.learned["phi"][0], both.learned["phi"][1])


def test_a_resumed_run_is_bit_identical(tmp_path):
    class Stop(Exception):
        pass

    class Interrupted(Shrinkage):
        calls = 0

        def gradients(self, *arguments):
            self.calls += 1
            if self.calls == 18:
                raise Stop
            return super().gradients(*arguments)

    whole = train(learner(), TASKS, start(), OUTER, seeds=[0, 1])
    file = tmp_path / "run.safetensors"
    keep = {"checkpoint": file, "fingerprint": "a", "checkpoint_every": 0.0}
    with pytest.raises(Stop):
        train(Interrupted(TASKS.losses, one_module(3), 8, 0.1), TASKS, start(), OUTER, seeds=[0, 1], **keep)
    resumed = train(learner(), TASKS, start(), OUTER, seeds=[0, 1], **keep)
    for name in whole.learned:
        assert torch.equal(whole.learned[name], resumed.learned[name])
    assert torch.equal(whole.query_loss, resumed.query_loss)
    with pytest.raises(CheckpointError, match="other settings or code: delete it"):
        train(learner(), TASKS, start(), OUTER, seeds=[0, 1], checkpoint=file, fingerprint="b")
    other = Outer({"phi": 0.06, "log_variance": 0.05}, 40, 4)
    for changed in ((OUTER, [0, 2]), (other, [0, 1])):
        with pytest.raises(CheckpointError, match="other settings"):
            train(learner(), TASKS, start(), changed[0], seeds=changed[1], checkpoint=file, fingerprint="a")
    file.write_text("no checkpoint")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        train(learner(), TASKS, start(), OUTER, seeds=[0, 1], **keep)


def test_a_diverging_run_stops_and_the_others_go_on():
    rates = torch.tensor([0.1, 50.0])
    alone = train(learner(), TASKS, start(1), OUTER, seeds=[0])
    steep = Shrinkage(TASKS.losses, one_module(3), 400, rates)
    with pytest.raises(
        DivergenceError, match=r"meta-iteration 0, seed 0: The inner loop is not finite from step \d+ on, in task"
    ):
        train(steep, TASKS, start(), OUTER, seeds=[0])
    trained = train(steep, TASKS, start(), OUTER, seeds=[0], tolerate_divergence=True)
    assert trained.diverged_at == [None, 0]
    assert torch.equal(trained.learned["phi"][1], start()["phi"][1])
    assert torch.isnan(trained.query_loss[:, 1]).all() and torch.isfinite(trained.query_loss[:, 0]).all()
    assert not torch.equal(trained.learned["phi"][0], alone.learned["phi"][0])  # K differs: the same start, another run


def test_the_seed_named_is_that_of_the_run_that_diverged():
    steep = Shrinkage(TASKS.losses, one_module(3), 400, torch.tensor([0.1, 50.0]))
    with pytest.raises(DivergenceError, match=r"seed 22: The inner loop .* of run 1"):
        train(steep, TASKS, start(), OUTER, seeds=[11, 22])


def test_a_meta_gradient_that_is_not_finite_is_named():
    class Broken(MAML):
        def gradients(self, *arguments):
            found, loss = super().gradients(*arguments)
            return found | {"phi": found["phi"] * torch.nan}, loss

    broken = Broken(TASKS.losses, one_module(3), 2)
    with pytest.raises(DivergenceError, match="a meta-gradient of run 0 is not finite; take smaller outer"):
        train(broken, TASKS, broken.init(torch.zeros(1, 3).double(), 0.1), Outer({"phi": 0.1}, 3, 2), seeds=[7])


def test_what_has_no_outer_rate_stays_and_what_is_unknown_is_refused():
    trained = train(learner(), TASKS, start(), Outer({"phi": 0.05}, 5, 4), seeds=[0])
    assert torch.equal(trained.learned["log_variance"], start()["log_variance"])
    with pytest.raises(ValueError, match="outer rate for sigma, and what is learned is phi, log_variance"):
        train(learner(), TASKS, start(), Outer({"sigma": 0.05}, 5, 4), seeds=[0])
    with pytest.raises(ValueError, match="3 seeds for 2 runs"):
        train(learner(), TASKS, start(), OUTER, seeds=[0, 1, 2])
    with pytest.raises(ValueError, match="1 or more"):
        Outer({}, 5, 0)
    with pytest.raises(ValueError, match="outer rate of phi is -1"):
        Outer({"phi": -1.0}, 5, 1)
    with pytest.raises(ValueError, match="'sgd' or 'adam'"):
        Outer({}, 5, 1, "rmsprop")


def test_random_numbers_are_keyed_by_seed_stream_and_step():
    draws = {
        (seed, stream, step): torch.randn(4, generator=generator(seed, stream, step)).tolist()
        for seed in (0, 1)
        for stream in STREAMS
        for step in (0, 1)
    }
    assert len({tuple(d) for d in draws.values()}) == len(draws)
    assert torch.randn(4, generator=generator(1, "test", 1)).tolist() == draws[1, "test", 1]
    with pytest.raises(ValueError, match="expected numbers from 0 up"):
        generator(0, "tests")


# through the command


def command(*arguments):
    return [sys.executable, "-m", "empirical", "run", *arguments]


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def comparable(path):
    """A record without what the clock and the machine put in."""
    found = records.read(path)
    return [
        {name: value for name, value in vars(record).items() if name not in ("wall_time_s", "environment")}
        for record in found
    ]


@pytest.mark.parametrize("experiment", ["chen2019/linear", "chen2019/spiral"])
def test_every_method_leaves_a_record(experiment, tmp_path):
    subprocess.run(
        [*command(experiment, "--out", str(tmp_path))], check=True, capture_output=True, cwd=ROOT, env=ENVIRONMENT
    )
    found = records.read(tmp_path / f"{experiment}.smoke.jsonl")
    module = EXPERIMENTS[experiment]
    assert [record.setting for record in found] == list(module.METHODS)
    tier = module.TIERS["smoke"]
    for record in found:
        test = record.details["test"]
        assert len(test["step"]) == len(test["standard_error"]) == tier.horizon + 1
        assert [len(row) for row in test["loss"]] == [tier.horizon + 1] * tier.seeds
        assert len(record.details["per_task"]["last"]) == tier.test_tasks
        assert len(record.details["search"]) == tier.candidates
        best = min((c for c in record.details["search"] if not c["diverged"]), key=lambda c: c["validation_loss"])
        assert record.configuration["chosen"] == best["configuration"]
    starts = {tuple(record.details["test"]["loss"][0][:1]) for record in found}
    assert len(starts) > 1  # each method learned its own phi
    assert not (tmp_path / ".unfinished" / f"{experiment}.smoke").exists()


def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path):
    arguments = ["chen2019/spiral", "--tier", "smoke", "--method", "M-MAML", "--method", "M-Shrinkage"]
    subprocess.run(
        [*command(*arguments, "--out", str(tmp_path / "whole"))],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    process = subprocess.Popen(
        command(*arguments, "--out", str(tmp_path / "killed")),
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    left = tmp_path / "killed" / ".unfinished" / "chen2019" / "spiral.smoke"
    for _ in range(600):
        if list(left.glob("*/search-*.json")) or process.poll() is not None:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    record = tmp_path / "killed" / "chen2019" / "spiral.smoke.jsonl"
    assert not record.exists() and list(left.glob("*/search-*.json"))
    subprocess.run(
        [*command(*arguments, "--out", str(tmp_path / "killed"))],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    assert comparable(record) == comparable(tmp_path / "whole" / "chen2019" / "spiral.smoke.jsonl")


def test_one_method_replaces_its_own_line_and_keeps_the_others(tmp_path):
    def ask(*more):
        return subprocess.run(
            command("chen2019/linear", "--out", str(tmp_path), *more),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=ENVIRONMENT,
        )

    assert ask("--method", "Shrinkage").returncode == 0
    assert ask("--method", "Reptile", "--seed", "1").returncode == 0
    file = tmp_path / "chen2019" / "linear.smoke.jsonl"
    assert [(record.setting, record.seeds[0]) for record in records.read(file)] == [("Reptile", 1), ("Shrinkage", 0)]
    left = tmp_path / ".unfinished" / "chen2019" / "linear.smoke"
    for name in ("m-shrinkage", "reptile"):  # as killed runs leave them, the second one damaged
        (left / name).mkdir(parents=True)
        (left / name / "search-10.json").write_text("{")
    damaged = ask("--method", "Reptile")
    assert damaged.returncode == 2 and "search-10.json is damaged: delete it" in damaged.stderr
    assert ask("--method", "Reptile", "--fresh").returncode == 0
    assert (left / "m-shrinkage" / "search-10.json").exists() and not (left / "reptile").exists()
    wrong = ask("--method", "Shrinkge")
    assert wrong.returncode == 2 and "the nearest is 'Shrinkage'" in wrong.stderr and "Traceback" not in wrong.stderr
    file.write_text("something else\n")
    refused = ask("--method", "Reptile")
    assert refused.returncode == 2 and "is not JSON" in refused.stderr and "Move that file away" in refused.stderr
    assert file.read_text() == "something else\n"


def test_a_curve_that_blows_up_is_recorded_as_far_as_it_goes(tmp_path):
    """sigma is so small that the inner loop of the test blows up by itself."""
    from empirical.experiments import chen2019
    from empirical.training import Trained

    module = EXPERIMENTS["chen2019/linear"]
    tier = chen2019.Tier(1, 1, 5, 1, 5, 200, horizons=(200,))
    run = chen2019._Run(module.PROTOCOL, "full", tier, "M-Shrinkage joint MAP", "cpu", 0, None, None)
    configuration = {"steps": 200, "inner_rate": 0.3, "phi_rate": 0.1, "other_rate": 0.1, "sigma": 1.0}
    learned = {
        "phi": torch.zeros(1, 8).double(),
        "log_variance": torch.full((1, 8), 2 * torch.log(torch.tensor(0.05))).double(),
    }
    trained = Trained(learned, [None], torch.ones(1, 1))
    record = run._evaluate(configuration, trained, [0], [], [], 0.0, "")
    records.write(tmp_path / "record.jsonl", [record])
    assert 0 < record.details["last_finite_step"] < 200
    assert record.details["test"]["loss"][0][-1] is None
