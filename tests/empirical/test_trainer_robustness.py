"""The trainer in trouble: killed, interrupted, out of memory, diverging, given what cannot be; and chunks of a step."""

import gc
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from engine_cases import CASES, F64, distance, make_model, shaken
from torch import nn

from empirical import ANIL, MAML, CheckpointError, DivergenceError, Reptile, Trainer, compilation, kfc
from empirical.progress import Progress
from empirical.trainer import LOOK_EVERY

ROOT = Path(__file__).resolve().parents[2]


class Tasks:
    """Random tasks of a case, kept as they were drawn."""

    def __init__(self, case="linear"):
        self.case, self.drawn = CASES[case], []

    def __repr__(self):
        return "random tasks"

    def sample(self, count, generator, split, dtype):
        parts = self.case.batch(count, seed=int(torch.randint(2**31, (), generator=generator)))
        self.drawn.append((split, count, parts[0].sum().item()))
        return tuple(p[0].to(dtype) if p.is_floating_point() else p[0] for p in parts)


def trainer(case="linear", learner=None, **options):
    learner = learner or MAML(make_model(case), CASES[case].loss, inner_lr=CASES[case].rate)
    options = {"outer_lr": 0.01, "tasks_per_step": 4, "dtype": F64} | options
    return Trainer(learner, Tasks(case), **options)


def same(a, b):
    """Whether two trainers are bit for bit the same."""
    states = [(name, i) for name, state in a.states.items() for i in range(len(state))]
    return (
        all(torch.equal(v, b.learned[n]) for n, v in a.learned.items())
        and all(torch.equal(a.states[n][i], b.states[n][i]) for n, i in states)
        and all(torch.equal(a.curve(n), b.curve(n)) for n in a.history)
        and a.history.keys() == b.history.keys()
        and a.iteration == b.iteration
    )


# One step


@pytest.mark.parametrize("case", ["LinNet", "CNN, max", "Residual"])
@pytest.mark.parametrize("outer", ["adam", "sgd", "momentum"])
def test_chunks_take_the_same_step(case, outer):
    def stepped(**options):
        learner = MAML(make_model(case), CASES[case].loss, update=kfc(), inner_lr=CASES[case].rate)
        made = trainer(
            case, learner, seed=[0, 1], outer=outer, tasks_per_step=5, learned=shaken(learner.init(2)), **options
        )
        return made, [made.step(CASES[case].batch(5, 2, seed=k)) for k in range(2)]

    whole, expected = stepped()
    for chunk in (1, 2, 5, 7):
        parts, measured = stepped(chunk=chunk)
        assert distance(parts.learned, whole.learned) < (
            1e-12 if outer != "adam" else 1e-9
        )  # Adam divides by tiny numbers
        assert all(torch.allclose(m[n], e[n], rtol=1e-12) for m, e in zip(measured, expected, strict=True) for n in e)


def test_chunks_of_reptile_take_the_same_step():
    stepped = []
    for chunk in (None, 2):
        made = trainer(learner=Reptile(make_model("linear"), inner_lr=0.3), outer="sgd", tasks_per_step=5, chunk=chunk)
        measured = made.step(CASES["linear"].batch(5))
        stepped.append(made.learned | measured)
    assert all(torch.allclose(v, stepped[1][n], rtol=1e-12) for n, v in stepped[0].items())


@pytest.mark.parametrize("outer", ["adam", "sgd", "momentum"])
def test_the_outer_step_is_torchs(outer):
    made = trainer("LinNet", outer=outer, outer_lr=0.03, tasks_per_step=2)
    parameters = [nn.Parameter(v.clone()) for v in made.learned.values()]
    optimizer = {
        "adam": lambda p: torch.optim.Adam(p, 0.03),
        "sgd": lambda p: torch.optim.SGD(p, 0.03),
        "momentum": lambda p: torch.optim.SGD(p, 0.03, momentum=0.9),
    }[outer](parameters)
    for k in range(3):
        batch = CASES["LinNet"].batch(seed=k)
        found, _ = made.learner.gradients(dict(zip(made.learned, (p.detach() for p in parameters), strict=True)), batch)
        for p, g in zip(parameters, found.values(), strict=True):
            p.grad = g
        optimizer.step()
        made.step(batch)
    for v, p in zip(made.learned.values(), parameters, strict=True):
        assert torch.allclose(v, p, rtol=1e-10, atol=1e-12)


def test_rates_by_name_by_run_and_along_a_cosine():
    learner = MAML(make_model("linear"), update="meta-sgd", inner_lr=0.3)
    rates = {"model.*": torch.tensor([0.1, 0.0]), "update.weight:*": 0.5}
    made = trainer(learner=learner, outer="sgd", outer_lr=rates, runs=2)
    start, batch = dict(made.learned), CASES["linear"].batch(4)
    gradients, _ = learner.gradients(start, batch)
    made.step(batch)
    steps = {"model.weight": [0.1, 0.0], "model.bias": [0.1, 0.0], "update.weight:factor": [0.5, 0.5]}
    for name, before in start.items():
        rate = torch.tensor(steps.get(name, [0.0, 0.0]), dtype=F64).float().double().view(-1, *[1] * (before.ndim - 1))
        assert torch.allclose(made.learned[name], before - rate * gradients[name], rtol=1e-6, atol=1e-9)
    falling, constant = (trainer(outer="sgd", schedule=s).fit(1) for s in ("cosine", "constant"))
    assert same(falling, constant)
    falling, constant = (trainer(outer="sgd", schedule=s) for s in ("cosine", "constant"))
    seen = []
    falling.step = lambda batch, rates: seen.append(rates["model.bias"].item()) or Trainer.step(falling, batch, rates)
    falling.fit(4)
    assert seen == pytest.approx([0.01, 0.008536, 0.005, 0.001464], rel=1e-3)


def test_runs_of_a_trainer_are_the_runs_by_themselves():
    both, alone = trainer(seed=[3, 4]).fit(5), trainer(seed=4).fit(5)
    for name, v in alone.learned.items():
        assert torch.allclose(both.learned[name][1], v[0], rtol=1e-12)
        assert not torch.allclose(both.learned[name][0], v[0])


# Resuming

SCRIPT = """
import sys, torch
sys.path.insert(0, {folder!r})
torch.set_num_threads(1)
import test_trainer_robustness as t
print("started", flush=True)
t.long_run(sys.argv[1]).fit(t.LONG)
"""
LONG = 200


def long_run(checkpoint=None, **options):
    learner = MAML(make_model("linear"), update="meta-sgd", inner_lr=0.3, steps=2)
    options = {"seed": [0, 1], "checkpoint_every": 0.0, "schedule": "cosine"} | options
    return trainer(learner=learner, checkpoint=checkpoint, **options)


def test_after_kill_9_it_goes_on_to_the_same_bits(tmp_path):
    file, script = tmp_path / "run.safetensors", tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(Path(__file__).parent)))
    command = [sys.executable, str(script), str(file)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "started\n"
        until = time.monotonic() + 60
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(random.Random().uniform(0, 0.1))  # of some 0.4 that the whole run takes
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
    resumed = long_run(file)
    resumed.fit(LONG)
    assert resumed.tasks.drawn[0] != long_run().fit(1).tasks.drawn[0]  # it did not begin anew
    assert same(resumed, long_run().fit(LONG))
    again = long_run(file).fit(LONG)
    assert same(again, resumed) and not again.tasks.drawn


def test_a_checkpoint_is_replaced_all_at_once(tmp_path, monkeypatch):
    file = tmp_path / "folder" / "run.safetensors"
    made = trainer(checkpoint=file).fit(2)
    before = file.read_bytes()

    write = Path.write_bytes

    def fail(self, data):
        write(self, data[: len(data) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        made.fit(3)
    monkeypatch.undo()
    assert file.read_bytes() == before and same(trainer(checkpoint=file).fit(4), trainer().fit(4))
    assert list(file.parent.iterdir()) == [file]
    done = trainer(checkpoint=file).fit(4)
    assert not done.tasks.drawn and done.iteration == 4


OTHERS = {
    "seed": {"seed": 1},
    "outer rate": {"outer_lr": 0.02},
    "outer": {"outer": "sgd"},
    "tasks": {"tasks_per_step": 5},
    "dtype": {"dtype": torch.float32},
    "compilation": {"compile": True},
    "caller": {"fingerprint": "other"},
    "inner rate": {"learner": lambda: MAML(make_model("linear"), inner_lr=0.2)},
    "order": {"learner": lambda: MAML(make_model("linear"), inner_lr=0.3, first_order=True)},
    "learner": {"learner": lambda: Reptile(make_model("linear"), inner_lr=0.3)},
    "steps": {"learner": lambda: MAML(make_model("linear"), inner_lr=0.3, steps=2)},
    "rule": {"learner": lambda: MAML(make_model("linear"), inner_lr=0.3, update="klin")},
    "model": {"learner": lambda: ANIL(make_model("Residual"), inner_lr=0.3)},
}


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "run.safetensors"
    trainer(checkpoint=file).fit(3)
    assert same(trainer(checkpoint=file).fit(5), trainer().fit(5))  # a constant rate may run longer
    for name, options in OTHERS.items():
        options = {k: v() if callable(v) else v for k, v in options.items()}
        with pytest.raises(CheckpointError, match=r"belongs to a run with other settings, .*: delete it to start anew"):
            trainer(checkpoint=file, **options).fit(6)
        assert file.exists(), name
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    with pytest.raises(CheckpointError, match="threads"):
        trainer(checkpoint=file).fit(6)
    monkeypatch.undo()
    file.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        trainer(checkpoint=file).fit(6)
    cosine = tmp_path / "cosine.safetensors"
    trainer(checkpoint=cosine, schedule="cosine").fit(3)
    with pytest.raises(CheckpointError, match="other settings"):  # another length would have had other rates
        trainer(checkpoint=cosine, schedule="cosine").fit(5)


def test_interrupted_it_leaves_a_checkpoint_to_go_on_from(tmp_path):
    file = tmp_path / "run.safetensors"
    made = trainer(checkpoint=file, checkpoint_every=1e9)
    step = made.step

    def interrupted(batch, rates):
        if made.iteration == 7:
            raise KeyboardInterrupt
        return step(batch, rates)

    made.step = interrupted
    with pytest.raises(KeyboardInterrupt):
        made.fit(12)
    resumed = trainer(checkpoint=file).fit(12)
    assert len(resumed.tasks.drawn) == 5 and same(resumed, trainer().fit(12))


# Divergence


def broken(case, at, task):
    """Tasks of which one, at one meta-iteration, has an enormous support input."""
    tasks = Tasks(case)
    sample, calls = tasks.sample, []

    def odd(count, generator, split, dtype):
        parts = sample(count, generator, split, dtype)
        key = generator.initial_seed()
        if key not in calls:
            calls.append(key)
        if calls.index(key) == at:
            parts[0][task] *= 1e200
        return parts

    tasks.sample = odd
    return tasks


def test_a_diverging_inner_loop_is_named():
    learner = MAML(make_model("LinNet"), "mse", inner_lr=0.01, steps=3)
    made = Trainer(learner, broken("LinNet", 2, 3), tasks_per_step=4, seed=5, description="my run")
    message = (
        r"my run, meta-iteration 2, seed 5: The inner loop of MAML is not finite from step 1 on, in task 3 of run 0, with inner "
        r"learning rate 0.01: take a smaller inner learning rate"
    )
    with pytest.raises(DivergenceError, match=message) as caught:
        made.fit(10)
    assert caught.value.run == 0 and made.diverged_at.tolist() == [2]
    assert all(torch.isfinite(v).all() for v in made.learned.values())


def test_a_huge_inner_rate_is_named():
    learner = MAML(make_model("LinNet"), "mse", inner_lr=1e6, steps=20)
    with pytest.raises(
        DivergenceError, match=r"meta-iteration 0, seed 3: .* not finite from step \d+ on, in task \d .*rate 1e\+06"
    ):
        trainer("LinNet", learner, seed=3).fit(10)


def test_a_huge_outer_rate_is_named():
    made = trainer("LinNet", outer="sgd", outer_lr=1e200, seed=[3, 4])
    with pytest.raises(
        DivergenceError, match=r"meta-iteration \d+, seed 3: .*(outer learning rates \{'model.0.weight': 1e\+200|inner)"
    ):
        made.fit(10)


def test_one_run_may_diverge_and_the_others_go_on():
    rates = torch.tensor([0.01, 1e200, 0.02], dtype=F64)
    made = trainer("LinNet", outer="sgd", outer_lr=rates, runs=3, tolerate_divergence=True).fit(150)
    assert made.iteration == 150 and [a >= 0 for a in made.diverged_at.tolist()] == [False, True, False]
    curve, at = made.curve("loss"), int(made.diverged_at[1])
    assert (
        torch.isfinite(curve[:, [0, 2]]).all()
        and torch.isnan(curve[at:, 1]).all()
        and torch.isfinite(curve[:at, 1]).all()
    )
    assert all(torch.isfinite(v).all() for v in made.learned.values())
    alone = trainer("LinNet", outer="sgd", outer_lr=0.02).fit(150)
    assert all(torch.allclose(v[0], made.learned[n][2], rtol=1e-9) for n, v in alone.learned.items())
    with pytest.raises(DivergenceError):
        trainer("LinNet", outer="sgd", outer_lr=rates, runs=3).fit(150)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 1099511627776 bytes."
        ),
    ],
)
def test_out_of_memory_names_what_lowers_it(error, tmp_path):
    file = tmp_path / "run.safetensors"
    made = trainer(checkpoint=file, chunk=2, checkpoint_every=1e9)
    step = made.step
    made.step = lambda batch, rates: step(batch, rates) if made.iteration < 3 else (_ for _ in ()).throw(error)
    message = r"meta-step of 4 tasks; lower chunk \(now 2\), or give the learner checkpoint=True, or take fewer tasks_per_step"
    with pytest.raises(MemoryError, match=message):
        made.fit(5)
    assert same(trainer(checkpoint=file, chunk=2).fit(5), trainer(chunk=2).fit(5))
    made = trainer()
    made.step = lambda batch, rates: (_ for _ in ()).throw(RuntimeError("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        made.fit(1)


# What is shown and measured


def test_the_progress_line(monkeypatch, capfd):
    monkeypatch.setattr("empirical.progress.PLAIN_EVERY", 0.0)
    with Progress() as progress:
        trainer(progress=progress, description="my run").fit(150)
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1].startswith("my run: 150 of 150, 0 s left, loss ")
    assert all(
        part in line
        for line in lines
        for part in ("my run: ", " of 150, ", " s left, loss ", ", accuracy ", " tasks/s")
    )


def test_no_time_left_is_told_where_nothing_is_done_yet(monkeypatch, capfd):
    monkeypatch.setattr("empirical.progress.PLAIN_EVERY", 0.0)
    with Progress() as progress:
        show = progress.bar("my run", 10, 4)
        show(4, "a note")
        show(5, "")
    first, second = capfd.readouterr().err.splitlines()
    assert first == "my run: 4 of 10, a note" and second.startswith("my run: 5 of 10, ") and " s left" in second


def test_a_trainer_that_has_nothing_to_do_writes_no_checkpoint(tmp_path):
    file = tmp_path / "checkpoint"
    trainer(checkpoint=file).fit(0)
    assert not file.exists()
    trainer(checkpoint=file).fit(1)
    assert file.exists()


def test_evaluation_draws_the_same_tasks_and_reports_the_spread():
    made = trainer(seed=[0, 1], chunk=4).fit(3)
    made.tasks.drawn.clear()
    first = made.evaluate(tasks=10)
    assert [d[:2] for d in made.tasks.drawn] == [("test", 4), ("test", 4), ("test", 2)]
    assert len({d[2] for d in made.tasks.drawn}) == 3
    again, other = made.evaluate(tasks=10), made.evaluate(tasks=10, seed=1)
    assert (first.values["loss"] == again.values["loss"]).all() and (first.values["loss"] != other.values["loss"]).any()
    assert (first.values["loss"] != made.evaluate("validation", tasks=10).values["loss"]).any()
    assert first.values["loss"].shape == (2, 10) and first.mean("loss") == first.values["loss"].mean()
    assert (first.values["loss"] != made.evaluate(tasks=10, steps=3).values["loss"]).any()
    loss = first.values["loss"]
    expected = f"loss {loss.mean():.4f} +- {loss.std(axis=1, ddof=1).mean():.4f} (standard deviation over 10 tasks)"
    expected += f" +- {loss.mean(axis=1).std(ddof=1):.4f} (over 2 runs)"
    assert str(first).startswith(expected) and "accuracy" in str(first)


def test_training_learns_and_repeats():
    class Lines:
        def sample(self, count, generator, split, dtype):
            slopes = 2 + 0.1 * torch.randn(count, 1, 1, generator=generator, dtype=dtype)
            x = torch.randn(2, count, 5, 1, generator=generator, dtype=dtype)
            return x[0], slopes * x[0], x[1], slopes * x[1]

    def run():
        torch.manual_seed(0)
        return Trainer(MAML(nn.Linear(1, 1), "mse", inner_lr=0.05), Lines(), outer_lr=0.05, tasks_per_step=8).fit(200)

    one, other = run(), run()
    assert one.curve("loss")[-20:].mean() < 0.02 < one.curve("loss")[:5].mean()
    assert torch.equal(one.curve("loss"), other.curve("loss"))
    assert one.evaluate(tasks=20).mean("loss") < 0.05


# What cannot be


BAD_LEARNERS = [
    (lambda: MAML(nn.Linear(2, 2), update="adam"), "The update rule is 'adam': expected 'sgd', 'learned-rates'"),
    (
        lambda: MAML(nn.Linear(2, 2), "hinge"),
        "The loss is 'hinge': expected 'cross_entropy', 'bce', 'mse', or a function",
    ),
    (lambda: MAML(nn.Linear(2, 2), batch_norm="train"), "batch_norm is 'train': expected 'transductive'"),
    (
        lambda: MAML(nn.Linear(2, 2), adapts="head.*"),
        r"adapts has 'head.\*', which matches no parameter; they are weight, bias",
    ),
    (lambda: MAML(nn.Linear(2, 2), adapts=[]), "No parameter adapts: widen adapts"),
    (lambda: MAML(nn.Linear(2, 2), steps=-1), "The number of inner steps is -1: expected a whole number, 0 or more"),
    (lambda: MAML(nn.Linear(2, 2), steps=1.5), "The number of inner steps is 1.5"),
    (lambda: MAML(nn.Linear(2, 2), steps=True), "The number of inner steps is True"),
    (lambda: MAML(nn.Linear(2, 2), inner_lr=0), "inner_lr is 0.0: expected a positive number"),
    (lambda: MAML(nn.Linear(2, 2), inner_lr=float("nan")), "inner_lr is nan"),
    (
        lambda: MAML(nn.Linear(2, 2), inner_lr=torch.tensor([0.1, -1.0])),
        "inner_lr is .*: expected a positive number, or one for each",
    ),
    (lambda: MAML(nn.ReLU()), "The model ReLU has no parameters: there is nothing to adapt"),
    (lambda: ANIL(nn.ReLU()), "The model ReLU has no parameters: there is nothing to adapt"),
    (lambda: MAML(nn.Linear(2, 2)).init(0), "There are 0 runs: expected 1 or more"),
]
BAD_TRAINERS = [
    ({"outer": "lbfgs"}, "outer is 'lbfgs': expected 'sgd' or 'momentum' or 'adam'"),
    ({"schedule": "step"}, "schedule is 'step': expected 'constant' or 'cosine'"),
    ({"tasks_per_step": 0}, "tasks_per_step is 0: expected a number of tasks, 1 or more"),
    ({"chunk": -1}, "chunk is -1: expected a number of tasks, 1 or more"),
    ({"chunk": 0}, "chunk is 0: expected a number of tasks, 1 or more"),
    ({"outer_lr": -1.0}, "The outer rate of .* is -1.0: expected a number, 0 or more"),
    ({"outer_lr": float("nan")}, "The outer rate of .* is nan"),
    ({"outer_lr": torch.tensor([0.1, 0.2, 0.3])}, "expected a number, 0 or more, or 1 of them"),
    (
        {"outer_lr": {"head.*": 0.1}},
        r"There is an outer rate for 'head.\*'; what is learned is model.weight, model.bias",
    ),
    ({"seed": [0, 1], "runs": 3}, "Got 2 seeds for 3 runs: give one for all, or one for each"),
    (
        {"learned": {"model.weight": torch.zeros(2, 3, 4), "model.bias": torch.zeros(1, 3)}},
        "There are 1 runs, and learned numbers of",
    ),
]


@pytest.mark.parametrize(("make", "message"), BAD_LEARNERS)
def test_learners_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("options", "message"), BAD_TRAINERS)
def test_trainers_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        trainer(**options)


def test_batches_that_cannot_be():
    learner = MAML(make_model("linear"))
    learned, batch = learner.init(2), CASES["linear"].batch(3, 2)
    for wrong, message in (
        (batch[:3], "A batch of tasks has 3 parts: expected support_x, support_y, query_x, query_y"),
        (
            [b[0] for b in batch],
            r"The batch has shapes \(3, 4, 4\).*: expected each to begin with \(2, tasks, points\), or with \(1,",
        ),
        ((batch[0], batch[1], batch[2][:, :2], batch[3]), "The batch has shapes"),
        (CASES["linear"].batch(3, 3), "expected each to begin with"),
    ):
        for call in (learner.gradients, learner.evaluate):
            with pytest.raises(ValueError, match=message):
                call(learned, wrong)


def test_a_compiled_trainer_without_a_compiler_trains(monkeypatch, capfd):
    monkeypatch.setattr(compilation, "unavailable", lambda device="cpu": "it is Sunday")
    assert same(trainer(compile=True, chunk=2).fit(3), trainer(chunk=2).fit(3))
    assert set(capfd.readouterr().err.splitlines()) == {
        "metaproof: not compiled, for it is Sunday; everything works, more slowly."
    }


@pytest.mark.parametrize(("reason", "at_once"), [(None, 2), ("it is Sunday", 1)])
def test_only_compiled_parts_run_side_by_side(monkeypatch, reason, at_once):
    """Layers that run as they are swap their weights in one module: two threads would meet there."""
    before = torch.get_num_threads()
    monkeypatch.setattr(compilation, "unavailable", lambda device="cpu": reason)
    torch.set_num_threads(2)
    try:
        assert trainer(compile=True, chunk=2)._calls.at_once == at_once
        assert trainer(chunk=2)._calls.at_once == trainer(compile=True)._calls.at_once == 1
    finally:
        torch.set_num_threads(before)


def test_a_meta_batch_of_another_size_is_refused():
    with pytest.raises(ValueError, match="The meta-batch has 3 tasks, and this trainer takes 4: give as many"):
        trainer().step(CASES["linear"].batch(3))


def test_logs_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install -e '.[tensorboard]'.")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained = trainer(log_dir=tmp_path / "logs").fit(LOOK_EVERY + 1)
    logs = EventAccumulator(str(tmp_path / "logs")).Reload()
    (event,) = logs.Scalars("training/loss")
    assert event.step == LOOK_EVERY
    assert event.value == pytest.approx(trained.curve("loss")[LOOK_EVERY - 1].mean().item())


def test_without_tensorboard_a_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match="log_dir needs TensorBoard: install the extra 'tensorboard', or leave it out"):
        trainer(log_dir=tmp_path / "logs").fit(1)


def test_no_tensor_is_kept_for_each_iteration():
    made = trainer()

    def tensors():
        gc.collect()
        return sum(type(each) is torch.Tensor for each in gc.get_objects())

    made.fit(5)
    before = tensors()
    made.fit(45)
    assert (
        tensors() < before + 20
    )  # one from every iteration, a few bytes each, would cut up the free memory of the large ones


def test_the_curve_grows_past_its_room():
    made = trainer().fit(3)
    first = made.curve("loss")
    made.fit(600)
    assert made.curve("loss").shape == (600, 1) and torch.equal(made.curve("loss")[:3], first)
