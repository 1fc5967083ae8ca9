"""The outer loop: runs beside each other, divergence, and a resume that changes nothing."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from empirical import records
from empirical.__main__ import main
from empirical.divergence import DivergenceError
from empirical.experiments import EXPERIMENTS, chen2019
from empirical.meta_learners import MAML, Reptile, Shrinkage
from empirical.modules import one_module
from empirical.randomness import STREAMS, generator
from empirical.tasks.hierarchical import HierarchicalModel, HierarchicalTasks
from empirical.trainer import CheckpointError, Trainer

ROOT = Path(__file__).resolve().parents[2]
TASKS = HierarchicalTasks("linear", (1.0,) * 3, (2.0,) * 3, (2.0, 1.0, 1.5, 1.0), 3)
RATES = {"phi": 0.05, "log_variance": 0.05}
ITERATIONS = 40


def learner(steps=8, inner_lr=0.1, kind=Shrinkage):
    return kind(HierarchicalModel(TASKS), TASKS.loss, modules=one_module(3), steps=steps, inner_lr=inner_lr)


def trainer(made=None, **options):
    settings = {"outer_lr": RATES, "tasks_per_step": 4, "schedule": "cosine", "dtype": torch.float64} | options
    return Trainer(made or learner(), TASKS, **settings)


def test_it_learns_phi_and_sigma():
    made = Shrinkage(TASKS.losses, modules=one_module(3), steps=60, inner_lr=0.1)
    start = made.start(torch.zeros(1, 3))
    trained = trainer(made, learned=start, tasks_per_step=16).fit(400)
    assert (trained.learned["phi"] - 1).abs().max() < 0.3
    assert 1.4 < float((trained.learned["log_variance"] / 2).exp()) < 2.8
    curve = trained.curve("loss")
    assert curve.shape == (400, 1) and curve[-50:].mean() < curve[:20].mean()
    found, before = trained.evaluate("test", 200), trainer(made, learned=start).evaluate("test", 200)
    assert found.values["loss"].shape == (1, 200) and found.mean("loss") < before.mean("loss")


def test_runs_beside_each_other_are_the_runs_by_themselves():
    both, alone = trainer(seed=[3, 4]).fit(ITERATIONS), trainer(seed=4).fit(ITERATIONS)
    assert torch.allclose(both.learned["phi"][1], alone.learned["phi"][0], rtol=1e-12)
    assert not torch.allclose(both.learned["phi"][0], both.learned["phi"][1])


def test_each_run_has_the_rates_that_it_is_given():
    rates = {"phi": torch.tensor([0.05, 0.1]), "log_variance": torch.tensor([0.05, 0.0])}
    both = trainer(runs=2, outer_lr=rates).fit(ITERATIONS)
    for run in range(2):
        alone = trainer(outer_lr={name: rate[run] for name, rate in rates.items()}).fit(ITERATIONS)
        for name, value in both.learned.items():
            assert torch.allclose(value[run], alone.learned[name][0], rtol=1e-12)


def test_the_rates_fall_along_half_a_cosine():
    tasks = HierarchicalTasks("identity", (1.0,), (1.0,), (1.0,), 1)
    # every meta-gradient is 1
    steady = Reptile(HierarchicalModel(tasks), lambda output, target: output.sum(), inner_lr=1.0)
    made = Trainer(steady, tasks, outer="sgd", outer_lr=1.0, schedule="cosine").fit(4)
    cosines = [(1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]
    assert float(made.learned["model.phi"]) == pytest.approx(-sum(cosines))


def test_learned_numbers_start_where_they_are_told_to():
    start = {"phi": torch.tensor([[1.0, 2.0, 3.0]]), "log_variance": torch.tensor([[0.5]])}
    made = trainer(learned=start)
    assert torch.equal(made.learned["phi"], start["phi"].double())
    made.fit(1)
    assert start["phi"].tolist() == [[1.0, 2.0, 3.0]]  # the caller's tensor stays
    with pytest.raises(ValueError, match="2 runs, and learned numbers of shapes"):
        trainer(learned=start, runs=2)


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

    def made(of=None, **options):
        keep = {"checkpoint": file, "fingerprint": "a", "checkpoint_every": 0.0, "seed": [0, 1]}
        return trainer(of, **keep | options)

    file = tmp_path / "run.safetensors"
    whole = trainer(seed=[0, 1]).fit(ITERATIONS)
    with pytest.raises(Stop):
        made(learner(kind=Interrupted)).fit(ITERATIONS)
    resumed = made().fit(ITERATIONS)
    for name in whole.learned:
        assert torch.equal(whole.learned[name], resumed.learned[name])
    assert torch.equal(whole.curve("loss"), resumed.curve("loss"))
    others = [{"fingerprint": "b"}, {"seed": [0, 2]}, {"outer_lr": RATES | {"phi": 0.06}}, {"tasks_per_step": 5}]
    others += [{"schedule": "constant"}, {"of": learner(9)}, {"of": learner(inner_lr=0.2)}]
    for changed in others:
        with pytest.raises(CheckpointError, match=r"other settings, code, .*: delete it to start anew"):
            made(**changed).fit(ITERATIONS)
    with pytest.raises(CheckpointError, match="other settings"):  # the rates would have fallen otherwise
        made().fit(ITERATIONS + 1)
    file.write_text("no checkpoint")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        made().fit(ITERATIONS)


def test_a_distribution_of_ones_own_can_be_resumed(tmp_path):
    class Own:  # its repr says where it lies in memory
        sample = staticmethod(TASKS.sample)

    def made():
        return Trainer(learner(), Own(), outer_lr=RATES, dtype=torch.float64, checkpoint=tmp_path / "run")

    keep = made().fit(3)  # still alive, so that the next one lies elsewhere
    assert torch.equal(made().fit(5).learned["phi"][0], made().fit(5).learned["phi"][0]) and keep.iteration == 3


def test_a_diverging_run_stops_and_the_others_go_on():
    steep = learner(200, torch.tensor([0.1, 50.0]))
    with pytest.raises(
        DivergenceError, match=r"meta-iteration 0, seed 0: The inner loop .*is not finite from step \d+ on, in task"
    ):
        trainer(steep, runs=2).fit(5)
    trained = trainer(steep, runs=2, tolerate_divergence=True).fit(5)
    alone = trainer(learner(200)).fit(5)
    assert trained.diverged_at.tolist() == [-1, 0]
    assert torch.equal(trained.learned["phi"][1], torch.zeros(3, dtype=torch.float64))
    curve = trained.curve("loss")
    assert torch.isnan(curve[:, 1]).all() and torch.isfinite(curve[:, 0]).all()
    assert torch.allclose(trained.learned["phi"][0], alone.learned["phi"][0], rtol=1e-12)


def test_the_seed_named_is_that_of_the_run_that_diverged():
    steep = learner(200, torch.tensor([0.1, 50.0]))
    with pytest.raises(DivergenceError, match=r"seed 22: The inner loop .* of run 1"):
        trainer(steep, seed=[11, 22]).fit(5)


def test_a_meta_gradient_that_is_not_finite_is_named():
    class Broken(MAML):
        calls = 0

        def gradients(self, *arguments):
            found, measured = super().gradients(*arguments)
            self.calls += 1
            bad = torch.tensor([1.0, torch.nan if self.calls > 2 else 1.0])[:, None]
            return found | {"model.phi": found["model.phi"] * bad}, measured

    broken = Broken(HierarchicalModel(TASKS), TASKS.loss, steps=2)
    with pytest.raises(
        DivergenceError, match="meta-iteration 2, seed 8: a meta-gradient of run 1 is not finite, with outer"
    ):
        trainer(broken, seed=[7, 8], outer_lr=0.1).fit(5)


def test_what_has_no_outer_rate_stays_and_what_is_unknown_is_refused():
    made = trainer(outer_lr={"phi": 0.05})
    before = made.learned["log_variance"].clone()
    assert torch.equal(made.fit(5).learned["log_variance"], before)
    for wrong, message in (
        ({"outer_lr": {"sigma": 0.05}}, "outer rate for 'sigma'; what is learned is phi, log_variance"),
        ({"outer_lr": {"phi": -1.0}}, "outer rate of phi is -1"),
        ({"outer_lr": torch.ones(3)}, r"outer rate of \* is \[1.0, 1.0, 1.0\]: expected a number, 0 or more, or 1"),
        ({"seed": [0, 1, 2], "runs": 2}, "3 seeds for 2 runs"),
        ({"tasks_per_step": 0}, "tasks_per_step is 0: expected a number of tasks, 1 or more"),
        ({"outer": "rmsprop"}, "'sgd' or 'momentum' or 'adam'"),
        ({"schedule": "linear"}, "'constant' or 'cosine'"),
    ):
        with pytest.raises(ValueError, match=message):
            trainer(**wrong)
    solved = Shrinkage(TASKS.losses, modules=one_module(3), steps=1, inner_lr=0.1, gradient="cg")
    with pytest.raises(ValueError, match=r"conjugate gradient .*: leave compile out"):
        trainer(solved, learned=solved.start(torch.zeros(1, 3)), compile=True)
    with pytest.raises(ValueError, match="-1 meta-iterations: expected 0 or more"):
        made.fit(-1)


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


def ask(*arguments):
    return main(["run", *arguments])


def comparable(path):
    """A record without what the clock and the machine put in."""
    found = records.read(path)
    return [
        {name: value for name, value in vars(record).items() if name not in ("wall_time_s", "environment")}
        for record in found
    ]


@pytest.mark.parametrize("experiment", ["chen2019/linear", "chen2019/spiral"])
def test_every_method_leaves_a_record(experiment, tmp_path):
    assert ask(experiment, "--out", str(tmp_path)) == 0
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
    assert ask(*arguments, "--out", str(tmp_path / "whole")) == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "empirical", "run", *arguments, "--out", str(tmp_path / "killed")],
        cwd=ROOT,
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
    assert ask(*arguments, "--out", str(tmp_path / "killed")) == 0
    assert comparable(record) == comparable(tmp_path / "whole" / "chen2019" / "spiral.smoke.jsonl")


def test_one_method_replaces_its_own_line_and_keeps_the_others(tmp_path, capsys):
    def refused(*more):
        with pytest.raises(SystemExit, match="2"):
            ask(*linear, *more)
        return capsys.readouterr().err

    linear = ("chen2019/linear", "--out", str(tmp_path))
    assert ask(*linear, "--method", "Shrinkage") == 0
    assert ask(*linear, "--method", "Reptile", "--seed", "1") == 0
    file = tmp_path / "chen2019" / "linear.smoke.jsonl"
    assert [(record.setting, record.seeds[0]) for record in records.read(file)] == [("Reptile", 1), ("Shrinkage", 0)]
    left = tmp_path / ".unfinished" / "chen2019" / "linear.smoke"
    for name in ("m-shrinkage", "reptile"):  # as killed runs leave them, the second one damaged
        (left / name).mkdir(parents=True)
        (left / name / "search-10.json").write_text("{")
    assert "search-10.json is damaged: delete it" in refused("--method", "Reptile")
    assert ask(*linear, "--method", "Reptile", "--fresh") == 0
    assert (left / "m-shrinkage" / "search-10.json").exists() and not (left / "reptile").exists()
    assert "the nearest is 'Shrinkage'" in refused("--method", "Shrinkge")
    file.write_text("something else\n")
    told = refused("--method", "Reptile")
    assert "is not JSON" in told and "Move that file away" in told
    assert file.read_text() == "something else\n"


def test_a_curve_that_blows_up_is_recorded_as_far_as_it_goes(tmp_path):
    """sigma is so small that the inner loop of the test blows up by itself."""
    module = EXPERIMENTS["chen2019/linear"]
    tier = chen2019.Tier(1, 1, 5, 1, 5, 200, horizons=(200,))
    run = chen2019._Run(module.PROTOCOL, "full", tier, "M-Shrinkage joint MAP", "cpu", 0, None, None)
    configuration = {"steps": 200, "inner_rate": 0.3, "phi_rate": 0.1, "other_rate": 0.1, "sigma": 1.0}
    trained = run._train(configuration)
    trained.learned = {
        "phi": torch.zeros(1, 8).double(),
        "log_variance": torch.full((1, 8), 2 * torch.log(torch.tensor(0.05))).double(),
    }
    record = run._evaluate(configuration, trained, [], [], 0.0)
    records.write(tmp_path / "record.jsonl", [record])
    assert 0 < record.details["last_finite_step"] < 200
    assert record.details["test"]["loss"][0][-1] is None


@pytest.mark.parametrize("name", ["MAML", "M-MAML", "Reptile"])
def test_a_record_says_at_which_inner_rates_its_test_adapted(name):
    module = EXPERIMENTS["chen2019/linear"]
    tier = chen2019.Tier(2, 15, 5, 2, 5, 1, horizons=(3,))
    (record,) = chen2019.runner(module.PROTOCOL, {"short": tier})("short", methods=[name])
    learned, chosen = record.details["learned"], record.configuration["chosen"]["inner_rate"]
    rates = torch.tensor(learned["inner_lr"], dtype=torch.float64)
    assert rates.shape == (2, 8 if name == "M-MAML" else 1)
    assert bool((rates == chosen).all()) == (name == "Reptile")
    test = module.PROTOCOL.tasks.episodes(5, [0], "test")
    phi = torch.tensor(learned["phi"], dtype=torch.float64)[:, None].requires_grad_()
    loss = module.PROTOCOL.tasks.losses(phi.expand(2, 5, 8), test.support)
    for task in range(5):
        (slope,) = torch.autograd.grad(loss[:, task].sum(), phi, retain_graph=True)
        end = phi - rates[:, None] * slope
        query = tuple(part[:, task : task + 1] for part in test.query)
        found = module.PROTOCOL.tasks.losses(end, query)[:, 0].detach() / 4
        record_of_task = record.details["per_task"]["last"][task]
        assert float(found.mean()) == pytest.approx(record_of_task, rel=1e-5)
