"""Engines are checked before they are timed, and the numbers made of the times are the right ones."""

import dataclasses
import json
import math
import os

import pytest
import torch
from torch.nn import functional as F

from empirical.__main__ import main
from empirical.benchmarks import command, measuring
from empirical.benchmarks.apart import Apart
from empirical.benchmarks.memory import peak_of_step
from empirical.benchmarks.peers import PEERS, Failed
from empirical.benchmarks.workloads import FLOORS, WORKLOADS, kronecker_factors, precondition


def small(name):
    """A workload with two tasks, at most two steps, and smaller images."""
    workload = WORKLOADS[name]
    changes = {"inputs": (1, 12, 12), "support": 10, "query": 5} if len(workload.inputs) == 3 else {}
    return dataclasses.replace(workload, tasks=min(workload.tasks, 2), steps=min(workload.steps, 2), **changes)


@pytest.mark.parametrize("name", ["W1_lr", "W1_linnet", "W2", "W5", "cnn2_1", "cnn4_5", "kfo_5"])
@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer != "loop"])
def test_a_peer_computes_what_the_loop_does(peer, name):
    peer, workload = PEERS[peer], small(name)
    if reason := peer.available():
        pytest.skip(reason)
    if not peer.supports(workload):
        pytest.skip(f"{peer.name} cannot express {name}")
    found = measuring.errors(measuring._observed(peer, workload, 1), measuring._observed(PEERS["loop"], workload, 1))
    assert found["gradient_error"] < 1e-10 and found["loss_error"] < 1e-10 and found["right"]


@pytest.mark.parametrize("name", ["W1_linnet", "W5", "kfo_1"])
def test_the_loop_has_the_gradient_of_its_own_meta_loss(name):
    """By central differences: the oracle itself is held to nothing but its losses."""
    workload = small(name)
    if name == "kfo_1":  # smooth, or a difference might straddle a kink
        model = workload.model
        workload = dataclasses.replace(workload, model=lambda: model().apply(_without_kinks))
    batch, initial = workload.batch(2, torch.float64), workload.initial(2, torch.float64, 0.05)
    gradient = PEERS["loop"].prepare(workload, batch, initial, torch.float64).gradient()
    assert gradient.keys() == initial.keys()
    torch.manual_seed(3)
    direction = {n: torch.randn_like(v) / math.sqrt(v.numel()) for n, v in initial.items()}

    def loss(size):
        moved = {n: v + size * direction[n] for n, v in initial.items()}
        return PEERS["loop"].prepare(workload, batch, moved, torch.float64).step()

    expected = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert sum((gradient[n] * direction[n]).sum().item() for n in gradient) == pytest.approx(expected, rel=1e-6)


def _without_kinks(layer):
    if isinstance(layer, torch.nn.ReLU):
        layer.forward = F.softplus


@pytest.mark.parametrize("shape", [(5,), (3, 4), (6, 2, 3, 3)])
def test_a_kronecker_factored_transform_is_one_matrix(shape):
    """On the entries of a filter, or of the whole weight, L G R is the matrix L ⊗ Rᵀ."""
    torch.manual_seed(0)
    gradient = torch.randn(shape).double()
    factors = kronecker_factors({"p": gradient})
    assert torch.equal(precondition(gradient, *factors.values()), gradient)
    left, right = (torch.randn_like(f) for f in factors.values())
    matrix = torch.kron(left, right.T.contiguous())
    rows = gradient.permute(0, 2, 3, 1).reshape(shape[0], -1) if len(shape) == 4 else gradient.reshape(1, -1)
    expected = rows @ matrix.T
    if len(shape) == 4:
        expected = expected.reshape(shape[0], *shape[2:], shape[1]).permute(0, 3, 1, 2)
    torch.testing.assert_close(precondition(gradient, left, right), expected.reshape(shape))


def test_a_workload_has_one_batch_for_all():
    for name, workload in WORKLOADS.items():
        assert name == workload.name and FLOORS[name] > 1
    workload = small("cnn2_1")
    narrow, wide = (workload.batch(4, dtype) for dtype in (torch.float32, torch.float64))
    for a, b in zip(narrow, wide, strict=True):
        assert len(a) == workload.tasks and torch.equal(a, b.to(a.dtype))
    assert not torch.equal(wide[0], workload.batch(5, torch.float64)[0])
    assert wide[1][0].bincount().tolist() == [2] * 5


class Fake:
    """The loop, with a gradient, a step, and a time of its own."""

    def __init__(self, name, clock, seconds, scale=1.0, reason=None, fails=False):
        self.name, self.clock, self.seconds, self.scale, self.reason = name, clock, list(seconds), scale, reason
        self.fails = fails
        self.calls = 0

    def available(self):
        return self.reason

    def supports(self, workload):
        return True

    def prepare(self, workload, batch, parameters, dtype):
        if self.fails:
            raise ValueError("no such layer")
        self.loop = PEERS["loop"].prepare(workload, batch, parameters, dtype)
        return self

    def gradient(self):
        return {name: self.scale * g for name, g in self.loop.gradient().items()}

    def step(self):
        self.clock.now += self.seconds[self.calls % len(self.seconds)]
        self.calls += 1
        return self.loop.step()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_times_ratios_and_floors():
    clock = Clock()
    engines = [
        Fake("metaproof", clock, [0.01]),
        Fake("slow", clock, [0.04]),
        Fake("quick", clock, [0.016]),
        Fake("cheat", clock, [0.001], scale=1 + 1e-8),
        Fake("absent", clock, [1.0], reason="absent is not installed."),
        Fake("broken", clock, [1.0], fails=True),
    ]
    found = measuring.compare([WORKLOADS["W1_lr"]], engines, rounds=5, at_least=0.05, clock=clock)
    result = json.loads(json.dumps(found))["workloads"]["W1_lr"]
    rows = result["engines"]
    assert rows["slow"]["median_ms"] == pytest.approx(40) and rows["slow"]["ratio"] == pytest.approx(4)
    assert rows["quick"]["lower_quartile_ms"] == pytest.approx(rows["quick"]["upper_quartile_ms"])
    # the fastest peer is wrong, and does not count
    assert not rows["cheat"]["right"] and rows["cheat"]["gradient_error"] == pytest.approx(1e-8, rel=1e-6)
    assert result["best_peer"] == "quick" and result["speedup"] == pytest.approx(1.6)
    assert result["floor"] == 1.5 and result["met"] is True
    assert rows["absent"] == {"missing": "absent is not installed."}
    assert rows["broken"] == {"missing": "broken failed: ValueError: no such layer"}
    printed = measuring.table(found)
    assert "cheat is wrong on W1_lr" in printed and "absent is not installed." in printed and "1.60" in printed
    head, _, row = measuring.table(found, markdown=True).splitlines()
    assert head == "|  | metaproof | slow | quick | cheat | absent | broken | best peer | speedup | floor | met |"
    assert row == "| W1_lr | 10 | 40 | 16 | 1! | - | - | quick | 1.60 | 1.5 | yes |"


def test_a_wrong_engine_of_ours_meets_no_floor():
    rows = {"metaproof": {"right": False, "median_ms": 1.0}, "loop": {"right": True, "median_ms": 9.0}}
    assert measuring.judged(rows, 2.0)["met"] is False
    rows["metaproof"]["right"] = True
    assert measuring.judged(rows, 2.0)["met"] is True
    assert measuring.judged(rows, 10.0)["met"] is False
    assert measuring.judged({"loop": rows["loop"]}, 2.0)["met"] is None


def test_short_steps_are_repeated_and_medians_are_over_rounds():
    clock = Clock()
    # warming up and two estimates take 1 + 1 + 10 steps, each round one untimed and ten timed ones
    times = [0.002] * 12 + [9.0] + [0.002] * 10 + [9.0] + [0.004] * 10 + [9.0] + [0.1] * 10
    engine = Fake("one", clock, times)
    engine.prepare(WORKLOADS["W1_lr"], *_given("W1_lr"), torch.float32)
    found, failures = measuring.interleaved({"one": lambda n: measuring.timed(engine, n, clock)}, 3, 0.02)
    seconds = found["one"]
    assert not failures
    assert engine.calls == len(times) and seconds == pytest.approx([0.002, 0.004, 0.1])
    assert measuring.summary(seconds) == pytest.approx(
        {"lower_quartile_ms": 3.0, "median_ms": 4.0, "upper_quartile_ms": 52.0}
    )


def _given(name):
    return WORKLOADS[name].batch(0, torch.float32), WORKLOADS[name].initial(0, torch.float32)


def test_a_step_that_does_not_follow_the_gradient_is_noticed():
    true = ({"w": torch.ones(2)}, [3.0, 2.0, 1.0])
    assert measuring.errors(true, true)["right"]
    assert not measuring.errors((true[0], [3.0, 2.0, 1.1]), true)["right"]
    assert not measuring.errors((true[0], [3.0, 2.0, math.nan]), true)["right"]
    assert not measuring.errors(({"v": torch.ones(2)}, true[1]), true)["right"]
    assert not measuring.errors(({"w": torch.full((2,), math.nan)}, true[1]), true)["right"]


class Broken:
    """Raises, or ends its process."""

    name = "broken"

    def available(self):
        return "broken is not installed."

    def supports(self, workload):
        raise KeyError(workload.name)

    def prepare(self, *_):
        os._exit(3)


def test_an_engine_in_a_process_of_its_own_is_the_engine():
    workload = WORKLOADS["W1_lr"]
    given = workload.batch(0, torch.float64), workload.initial(0, torch.float64)
    here = PEERS["loop"].prepare(workload, *given, torch.float64)
    with Apart(PEERS["loop"]) as engine:
        assert engine.available() is None and engine.supports(workload)
        there = engine.prepare(workload, *given, torch.float64)
        gradient = there.gradient()
        assert all(torch.equal(gradient[n], g) for n, g in here.gradient().items())
        assert [there.step(), there.step()] == [here.step(), here.step()]
        assert 0 < there.timed(3) < 1
    assert not engine.process.is_alive()


def test_what_goes_wrong_in_a_process_of_its_own_is_told():
    workload = WORKLOADS["W1_lr"]
    with Apart(Broken()) as engine:
        assert engine.available() == "broken is not installed."
        with pytest.raises(Failed, match="KeyError: 'W1_lr'"):
            engine.supports(workload)
        with pytest.raises(Failed, match="its process ended with exit code 3"):
            engine.prepare(workload, (), {}, torch.float32)


def test_what_was_measured_before_is_read_again(tmp_path, capsys):
    rows = {"metaproof": {"right": True, "median_ms": 1.0}, "loop": {"right": True, "median_ms": 9.0}}
    found, file = {"workloads": {"W5": measuring.judged(rows, 5.0)}}, tmp_path / "bench.json"
    file.write_text(json.dumps(found))
    assert main(["bench", "--read", str(file), "--markdown"]) == 0
    assert capsys.readouterr().out == measuring.table(found, markdown=True) + "\n"
    for text in ("{", "[]", "{}"):
        file.write_text(text)
        assert main(["bench", "--read", str(file)]) == 2
        assert "bench.json is not what `bench --json` prints" in capsys.readouterr().err


def test_an_interrupted_benchmark_goes_on_where_it_was(tmp_path, capsys, monkeypatch):
    compare, asked, file = measuring.compare, [], tmp_path / "bench.json"

    def once(workloads, *arguments, **options):
        asked.extend(workload.name for workload in workloads)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return compare(workloads, *arguments, **options | {"memory": None, "at_least": 0.0})

    monkeypatch.setattr(command, "compare", once)
    bench = ["bench", "--engine", "loop", "--rounds", "1", "--out", str(file)]
    both = [*bench, "--workload", "W1_lr", "--workload", "W1_linnet"]
    with pytest.raises(KeyboardInterrupt):
        main(both)
    first = json.loads(file.read_text())
    assert list(first["workloads"]) == ["W1_lr"]
    capsys.readouterr()
    assert main([*both, "--json"]) == 0 and asked == ["W1_lr", "W1_linnet", "W1_linnet"]
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert list(found["workloads"]) == ["W1_lr", "W1_linnet"]
    assert found["workloads"]["W1_lr"] == first["workloads"]["W1_lr"]
    code = found["environment"]["code"] | {"source_sha256": "another"}
    others = {
        "measured with other": [
            found | {"rounds": 2},
            found | {"environment": found["environment"] | {"threads": 99}},
            found | {"environment": found["environment"] | {"code": code}},
            found | {"workloads": {"W5": {"engines": {"other": {}}}}},
        ],
        "is not what --out writes": [[], {}, found | {"workloads": 1}],
    }
    for message, contents in others.items():
        for content in contents:
            file.write_text(json.dumps(content))
            assert main(both) == 2
            told = capsys.readouterr().err
            assert message in told and "delete it, or give another file" in told
            assert json.loads(file.read_text()) == content and len(asked) == 3


class Dies:
    """The loop, whose process ends at its Nth meta-iteration on the first workload."""

    def __init__(self, name, at):
        self.name, self.at, self.steps = name, at, 0
        self.workload = None

    def available(self):
        return None

    def supports(self, workload):
        return True

    def prepare(self, workload, *given):
        self.workload, self.loop = workload.name, PEERS["loop"].prepare(workload, *given)
        return self

    def gradient(self):
        return self.loop.gradient()

    def step(self):
        self.steps += 1
        if self.steps >= self.at and self.workload == "W1_lr":
            os._exit(9)
        return self.loop.step()


def test_an_engine_whose_process_ends_costs_the_others_nothing():
    with Apart(Dies("early", 1)) as early, Apart(Dies("late", 6)) as late:
        engines, workloads = [PEERS["loop"], early, late], [WORKLOADS["W1_lr"], WORKLOADS["W1_linnet"]]
        found = measuring.compare(workloads, engines, 2, at_least=0.01)
    first, second = found["workloads"].values()
    assert first["best_peer"] == "loop" and first["engines"]["loop"]["median_ms"] > 0
    for name in ("early", "late"):
        assert first["engines"][name] == {"missing": f"{name} failed: its process ended with exit code 9"}
        assert second["engines"][name]["right"] and second["engines"][name]["median_ms"] > 0  # in a new process


@pytest.mark.parametrize("rounds", ["0", "-1", "x"])
def test_rounds_that_cannot_be(rounds, capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--rounds", rounds])
    assert "is no number of rounds: give 1 or more" in capsys.readouterr().err


def test_memory_is_measured_in_a_process_of_its_own():
    found = peak_of_step("W2", "empirical.benchmarks.peers.loop:Loop")
    assert found["step_mib"] > 1 and found["held_mib"] > 1
    with pytest.raises(RuntimeError, match="failed"):
        peak_of_step("W2", "empirical.benchmarks.peers.loop:Missing")
