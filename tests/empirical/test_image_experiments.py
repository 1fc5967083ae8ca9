"""The image experiments on made images: what a record says, that a killed run goes on, and what each study measures."""

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from empirical.data import DataError, ImageSet
from empirical.experiments import (
    arnold2019_cnn,
    arnold2019_costs,
    arnold2019_omniglot_linear,
    arnold2021_cnn,
    arnold2021_linear_images,
    few_shot,
    longer,
    looks,
    running,
)
from empirical.experiments.few_shot import Network, Setting, Tier, Trained, learner_of
from empirical.experiments.layer_studies import STUDIES, after_adaptation, layer_names
from empirical.experiments.looks import accuracies
from empirical.experiments.methods import slug
from empirical.randomness import generator
from empirical.tasks.few_shot import FewShotTasks
from empirical.trainer import CheckpointError, Trainer

MODULES = (arnold2021_linear_images, arnold2021_cnn, arnold2019_omniglot_linear, arnold2019_cnn)
CLASSES, SIDE = 24, 28
NAMES = tuple(f"c{number:02}" for number in range(CLASSES))
SPLIT = {"training": NAMES[:12], "validation": NAMES[12:18], "test": NAMES[18:]}
TINY = Tier(seeds=2, test_tasks=12, looks=2, look_tasks=4, iterations=4, tasks_per_step=2)
CELL = Setting("omniglot", 3, 2, 2, 1, Network(2), ((0.1, 0.003),))


@pytest.fixture(scope="module")
def images():
    """Each class a pattern of its own with little noise, so that something can be learned."""
    drawn = np.random.default_rng(0)
    patterns = drawn.integers(0, 2, (CLASSES, 7, 7)).repeat(4, 1).repeat(4, 2) * 200
    noise = drawn.integers(0, 50, (CLASSES, 12, SIDE, SIDE))
    pixels = (patterns[:, None] + noise).astype(np.uint8).reshape(-1, SIDE, SIDE, 1)
    return ImageSet(pixels, NAMES, tuple(range(0, 12 * CLASSES + 1, 12)))


@pytest.fixture(autouse=True)
def _made(monkeypatch, images):
    """Omniglot is these images."""

    def of(name, ways, shots, queries, *, pool=None, **_):
        assert name == "omniglot"
        return FewShotTasks(images, SPLIT, ways, shots, queries, pool=pool)

    def find(name):
        if name != "omniglot":
            raise DataError(f"{name} is not there.")

    monkeypatch.setattr(FewShotTasks, "of", of)
    monkeypatch.setattr(few_shot, "find", find)


class _Bars:
    """Progress that keeps how its bars began, and its lines."""

    def __init__(self):
        self.begun, self.lines = [], []

    def __call__(self, line):
        self.lines.append(line)

    def bar(self, *how):
        self.begun.append(how)
        return lambda now, note: None


def run(settings, tier=TINY, studies=STUDIES, along=(), **options):
    return few_shot.runner("made/made", settings, {"tiny": tier}, studies, along)("tiny", **options)


@contextmanager
def killed_at(meta_iteration):
    """A run in this context ends where it has trained so far."""
    fit = Trainer.fit

    def killed(self, at):
        fit(self, at)
        if at == meta_iteration:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "fit", killed)
        yield


def trained(setting):
    setting = TINY.cut(setting)
    learner = learner_of(setting, setting.rates[0][0])
    trainer = Trainer(learner, setting.tasks(), outer_lr=0.01, tasks_per_step=2, seed=[0, 1]).fit(30)
    test = [trainer.draw(6, "test", number, [0]) for number in range(2)]
    return Trained(setting, learner, trainer, test, 0)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.ID)
def test_every_cell_can_be_built_and_lite_is_a_budget(module):
    for name, setting in module.SETTINGS.items():
        lite, full = (module.TIERS[tier].cut(setting) for tier in ("lite", "full"))
        learner = learner_of(setting, setting.rates[0][0])
        assert learner.inner.steps == setting.steps, name
        assert full.iterations == setting.iterations and full.tasks_per_step == setting.tasks_per_step
        if setting.iterations:
            spent = lite.iterations * lite.work()
            assert lite.iterations in (10, setting.iterations) or spent == pytest.approx(3e12, rel=0.15), name
        assert setting.deviations and all(
            told.startswith(("not printed: ", "printed: ")) for told in setting.deviations
        )
        json.dumps(few_shot.declaration(full, *setting.rates[0], module.TIERS["full"]))


@pytest.mark.parametrize("update", few_shot.UPDATES)
def test_multiplications_counted_by_shapes_are_those_of_a_step_on_numbers(update):
    """All weights at once, with real numbers; counted are they one by one, without any."""
    network, rule = Network(2, "arnold2019"), few_shot.UPDATES[update]()
    module = network.module("omniglot", 3)
    if rule.prepare is not None:
        module, _ = rule.prepare(module)
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    parameters = rule.init(weights, generator(0, "initial", 0))
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        module(torch.ones(2, 1, 28, 28))
    with FlopCounterMode(display=False) as update_alone:
        rule.update({n: p[None, None] for n, p in parameters.items()}, {n: w[None, None] for n, w in weights.items()})
    expected = forward.get_total_flops() / 4, update_alone.get_total_flops() / 2
    assert few_shot._multiplications("omniglot", 3, network, update) == expected and expected[0] > 0


def test_a_record_says_what_was_measured_and_how():
    cells = {"search": replace(CELL, rates=((0.1, 0.003), (0.2, 0.001)), deviations=("not printed: all of it",))}
    first, second = run(cells)
    assert first.details["deviations"] == ["not printed: all of it"] and "deviations" not in first.configuration
    assert (first.setting, second.setting) == ("search, inner 0.1, outer 0.003", "search, inner 0.2, outer 0.001")
    assert first.configuration == few_shot.declaration(TINY.cut(cells["search"]), 0.1, 0.003, TINY)
    assert first.seeds == [0, 1] and first.parameter_count == first.details["model_parameters"] == 9795
    assert first.learning_curve["meta_iteration"] == [0, 2, 4] and first.learning_curve["training_accuracy"][0] is None
    assert set(first.final) == {
        "test_accuracy",
        "test_accuracy_over_tasks",
        "test_accuracy_support_statistics",
        "test_accuracy_without_adaptation",
        "test_accuracy_from_scratch",
        "validation_accuracy",
    }
    assert first.final["test_accuracy"].count == 2 and first.final["test_accuracy_over_tasks"].count == 12
    assert np.mean(first.details["test_accuracy_per_task"]) == pytest.approx(
        first.final["test_accuracy"].value, abs=1e-5
    )
    assert first.details["test_accuracy_per_seed"] != second.details["test_accuracy_per_seed"]
    alone = run({"search": replace(CELL, rates=((0.2, 0.001),))})[0]
    assert alone.details["test_accuracy_per_task"] == second.details["test_accuracy_per_task"]
    assert alone.learning_curve == second.learning_curve != first.learning_curve


def test_images_that_are_missing_are_told_before_the_first_method_is_run(monkeypatch):
    monkeypatch.setattr(few_shot, "_Run", None)
    with pytest.raises(DataError, match="cifar-fs is not there"):
        run({"first": CELL, "second": replace(CELL, dataset="cifar-fs")})


def test_it_learns_what_can_be_learned():
    tier = replace(TINY, iterations=60, test_tasks=40)
    (record,) = run({"MAML": replace(CELL, rates=((0.4, 0.01),))}, tier)
    final = {name: metric.value for name, metric in record.final.items()}
    assert final["test_accuracy"] > 0.8 > 0.6 > final["test_accuracy_without_adaptation"]
    assert final["test_accuracy"] > final["test_accuracy_from_scratch"]


BOUND = replace(
    CELL, shots=8, steps=15, rates=((1e-4, 0.0), (0.01, 0.0)), update=few_shot.ALONE, iterations=0, test_tasks=5
)
WHOLE = replace(TINY, iterations=None)


@pytest.mark.parametrize("network", [Network(), Network(2)], ids=["linear", "CNN"])
def test_training_on_each_task_alone_is_a_setting_without_meta_iterations(network):
    slow, quick = run({"bound": replace(BOUND, network=network)}, WHOLE)
    assert quick.learning_curve["training_accuracy"] == [None] and quick.details["seconds_per_meta_step"] is None
    assert quick.final["test_accuracy"].value > 0.9 and quick.final["test_accuracy_over_tasks"].count == 5
    assert quick.final["validation_accuracy"].value > 0.9 > quick.final["test_accuracy_without_adaptation"].value
    assert quick.learning_curve["test_accuracy"] == [quick.details["test_accuracy_per_seed"]]
    assert "test_accuracy_from_scratch" not in quick.final
    assert quick.final["test_accuracy_on_support"].value == 1 > slow.final["test_accuracy_on_support"].value
    assert ("test_accuracy_support_statistics" in quick.final) == (network.layers > 0)
    assert "test_accuracy_on_support" not in run({"MAML": CELL})[0].final
    # a tier's most meta-iterations are, where there are none, its most steps
    (begun,) = run({"bound": replace(BOUND, network=network, rates=((0.01, 0.0),))}, replace(TINY, iterations=1))
    assert begun.configuration["steps"] == 1 and begun.final["test_accuracy_on_support"].value < 1


def test_what_is_trained_alone_sees_its_task_alone_and_starts_where_the_seed_says():
    # so few steps that the support points are not learned by heart
    (record,) = run({"bound": replace(BOUND, rates=((2e-3, 0.0),), steps=3)}, WHOLE)
    tasks = BOUND.tasks().sample(5, generator(0, "test", 0), "test", torch.float32)
    for seed in (0, 1):
        found, on_support = [], []
        for task in range(5):
            x, y, query_x, query_y = (part[task] for part in tasks)
            torch.manual_seed(generator(seed, "initial", few_shot.TRAINED).initial_seed())
            network = BOUND.module()
            optimizer = torch.optim.Adam(network.parameters(), 2e-3)
            for _ in range(3):
                loss = torch.nn.functional.cross_entropy(network(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            found.append((network(query_x).argmax(1) == query_y).double().mean().item())
            on_support.append((network(x).argmax(1) == y).double().mean().item())
        assert record.details["test_accuracy_per_seed"][seed] == pytest.approx(np.mean(found), abs=1e-6)
        assert record.details["test_accuracy_on_support_per_seed"][seed] == pytest.approx(np.mean(on_support), abs=1e-6)
    assert record.details["test_accuracy_on_support_per_seed"] != record.details["test_accuracy_per_seed"]


def test_a_killed_bound_goes_on_with_the_task_where_it_was(tmp_path, monkeypatch):
    (whole, _) = run({"bound": BOUND}, WHOLE)
    calls, plain = [], few_shot.trained_alone

    def killed(*given):
        calls.append(given)
        if len(calls) == 7:  # of the second test task
            raise KeyboardInterrupt
        return plain(*given)

    monkeypatch.setattr(few_shot, "trained_alone", killed)
    with pytest.raises(KeyboardInterrupt):
        run({"bound": BOUND}, WHOLE, work=tmp_path)
    (again, _) = run({"bound": BOUND}, WHOLE, work=tmp_path)
    assert len(calls) == 7 + 4
    assert again.final == whole.final and again.details == whole.details


def test_a_killed_run_goes_on_to_the_same_record(tmp_path):
    cells = {"MAML": CELL}
    whole = run(cells)[0]
    with killed_at(4):
        run(cells, work=tmp_path)
    looked = json.loads((tmp_path / "maml" / "looks.json").read_text())["measured"]
    assert list(looked) == ["meta-iteration 0", "meta-iteration 2"]
    bars = _Bars()
    again = run(cells, work=tmp_path, progress=bars)[0]
    assert bars.begun == [("MAML", 4, 4)]  # the time left is told from what is done now
    assert bars.lines == ["MAML: on 12 test tasks"]
    assert again.learning_curve == whole.learning_curve
    assert again.details["test_accuracy_per_task"] == whole.details["test_accuracy_per_task"]
    with pytest.raises(CheckpointError, match=r"another run|other settings"):
        (tmp_path / "maml" / "record.jsonl").unlink()
        run({"MAML": replace(CELL, rates=((0.3, 0.003),))}, work=tmp_path)


NETWORK = "omniglot LR+LinNet, 1 step"


@pytest.fixture
def tiers(monkeypatch):
    """A lite and a long tier of a few meta-iterations, whose looks do not fall together."""
    monkeypatch.setitem(few_shot.TIERS, "lite", TINY)
    monkeypatch.setitem(few_shot.TIERS, "long", replace(TINY, iterations=10, looks=3))


def job(out, tier, **options):
    """What a run of a job leaves, and the lines and bars that it showed; its experiment has a study along training."""
    bars, made = _Bars(), running.Job("arnold2021/linear-images", tier, (NETWORK,), out=out, **options)
    (record,) = found = made.run(bars)
    made.write(found)
    return record, bars


def test_a_longer_tier_goes_on_from_where_the_shorter_one_ended_to_the_same_record(tmp_path, tiers):
    whole, bars = job(tmp_path / "whole", "long")
    assert bars.begun == [(NETWORK, 10, 0)]
    assert whole.learning_curve["meta_iteration"] == [0, 2, 4, 7, 10]  # the shorter one's looks, and then its own
    shorter, _ = job(tmp_path, "lite")
    left = {path.name for path in (tmp_path / ".unfinished").rglob("*") if path.is_file()}
    assert left == {"trained.safetensors", "looks.json"}

    record, bars = job(tmp_path, "long")
    assert bars.begun == [(NETWORK, 10, 4)] and bars.lines[0].startswith("goes on from ")
    assert record.learning_curve == whole.learning_curve and record.final == whole.final
    times = {"seconds_per_meta_step": None}
    assert record.details | times == whole.details | times
    assert record.learning_curve["test_accuracy"][:3] == shorter.learning_curve["test_accuracy"]

    # what is finished is run anew, not from its own end
    assert job(tmp_path, "lite")[1].begun == [(NETWORK, 4, 0)]
    # another seed has other tasks
    _, bars = job(tmp_path, "long", seed=7)
    assert bars.begun == [(NETWORK, 10, 0)] and bars.lines[0].startswith("begins anew: ")


@pytest.mark.parametrize("name", ["looks.json", "trained.safetensors"])
def test_what_is_kept_and_damaged_is_trained_anew(tmp_path, tiers, name):
    job(tmp_path, "lite")
    (damaged,) = (tmp_path / ".unfinished").rglob(name)
    damaged.write_bytes(damaged.read_bytes()[:100])
    bars = job(tmp_path, "long")[1]
    assert bars.begun == [(NETWORK, 10, 0)] and bars.lines[0].startswith("begins anew: ")
    damaged.unlink()
    assert job(tmp_path, "long")[1].begun == [(NETWORK, 10, 0)]


def test_a_shorter_run_that_was_not_compiled_is_trained_anew(tmp_path, tiers, monkeypatch):
    job(tmp_path, "lite")
    monkeypatch.setattr(Setting, "worth_compiling", lambda self: self.iterations > 4)
    monkeypatch.setattr("empirical.compilation.unavailable", lambda device: "made so")
    assert job(tmp_path, "long")[1].begun == [(NETWORK, 10, 0)]


def test_to_start_anew_leaves_nothing_of_a_shorter_run(tmp_path, tiers):
    job(tmp_path, "lite")
    running.Job("arnold2021/linear-images", "lite", (NETWORK,), out=tmp_path).start_anew()
    assert list((tmp_path / ".unfinished").rglob("looks.json"))  # its own end is another tier's
    running.Job("arnold2021/linear-images", "long", (NETWORK,), out=tmp_path).start_anew()
    assert job(tmp_path, "long")[1].begun == [(NETWORK, 10, 0)]


def test_a_run_that_is_killed_while_it_keeps_its_end_keeps_it_afterwards(tmp_path, tiers, monkeypatch):
    def killed(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(longer.shutil, "copy2", killed)
        job(tmp_path, "lite")
    assert list((tmp_path / ".unfinished").rglob("kept.part"))
    job(tmp_path, "lite")
    assert not list((tmp_path / ".unfinished").rglob("kept.part"))
    assert job(tmp_path, "long")[1].begun == [(NETWORK, 10, 4)]


def test_a_longer_run_that_is_killed_goes_on_from_its_own_checkpoint(tmp_path, tiers):
    whole, _ = job(tmp_path / "whole", "long")
    job(tmp_path, "lite")
    with killed_at(7):
        job(tmp_path, "long")
    record, bars = job(tmp_path, "long")
    assert bars.begun == [(NETWORK, 10, 7)] and record.final == whole.final
    assert record.learning_curve == whole.learning_curve


def test_a_run_that_is_killed_in_a_study_tests_and_studies_nothing_twice(tmp_path, monkeypatch):
    calls = []

    def study(name: str, ends: bool = False):
        def made(trained):
            calls.append(name)
            if ends and calls.count(name) == 1:
                raise KeyboardInterrupt
            return {"by layer": {"C1": accuracies(trained.learner, trained.trainer.learned, trained.test).mean(1)}}

        return made

    cells, studies = (
        {"MAML": replace(CELL, studies=("first", "second"))},
        {"first": study("first"), "second": study("second")},
    )
    whole = run(cells, studies=studies)[0]
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        run(cells, studies=studies | {"second": study("second", ends=True)}, work=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(few_shot, "surviving", None)
        again = run(cells, studies=studies, work=tmp_path)[0]
    assert calls == ["first", "second", "second"]
    assert again.final == whole.final and again.details["studies"] == whole.details["studies"]


def test_anil_adapts_the_linear_layers_alone():
    for network in (Network(2), Network(2, linnet=(64, 64))):
        learner = learner_of(replace(CELL, learner="ANIL", network=network), 0.1)
        assert {name.split(".")[0] for name in learner.inner.adapts} == {"head"}
        assert len(learner.inner.adapts) == (6 if network.linnet else 2)


def test_layers_are_frozen_one_at_a_time():
    made = trained(CELL)
    found = STUDIES["freezing"](made)
    assert list(found["freezing only this"]) == ["C1", "C2", "FC"] == list(layer_names(made))
    all_but_fc = learner_of(made.setting, made.setting.rates[0][0], adapts=["block*"])
    assert (found["freezing only this"]["FC"] == accuracies(all_but_fc, made.trainer.learned, made.test).mean(1)).all()
    assert not np.array_equal(found["adapting only this"]["FC"], found["freezing only this"]["FC"])


def test_scaling_by_one_and_no_noise_change_nothing():
    made = trained(CELL)
    plain = accuracies(made.learner, made.trainer.learned, made.test).mean(1)
    found = STUDIES["scaling"](made)
    for layer in layer_names(made):
        assert (found["before adaptation"][layer]["1"] == plain).all()
        assert (found["after adaptation"][layer]["1"] == plain).all()
    # batch norm takes a factor after adaptation away, but for its epsilon; a factor of 0 takes everything away
    assert (abs(found["after adaptation"]["C2"]["32"] - plain) < 0.05).all()
    assert found["after adaptation"]["FC"]["0"] == pytest.approx(1 / 3, abs=1e-6)
    noise = STUDIES["noise"](made)
    last = learner_of(made.setting, made.setting.rates[0][0], adapts=["block1.*", "head.*"])
    assert (noise["0"] == accuracies(last, made.trainer.learned, made.test).mean(1)).all()
    assert not np.array_equal(noise["0"], noise["2"])


def test_pruning_after_adaptation():
    made = trained(CELL)
    found = STUDIES["pruning"](made)
    plain = after_adaptation(made, made.test)(lambda weights: weights)
    assert (plain == accuracies(made.learner, made.trainer.learned, made.test).mean(1)).all()
    assert (found["0"]["accuracy"] == plain).all() and found["0"]["share left"] > 0.99
    shares = [each["share left"] for each in found.values()]
    assert shares == sorted(shares, reverse=True) and shares[-1] < 0.2


def test_a_collapsed_network_starts_where_the_network_is():
    made = trained(replace(CELL, network=Network(linnet=(16, 8))))
    found = STUDIES["collapsing"](made)
    before = accuracies(made.learner, made.trainer.learned, made.test, 0).mean(1)
    after = accuracies(made.learner, made.trainer.learned, made.test).mean(1)
    assert found["collapsed, not adapted"] == pytest.approx(before)
    assert not np.array_equal(found["collapsed, then adapted"], after)


def test_a_study_along_training_is_made_of_what_is_trained_so_far_and_by_no_killed_run_twice(tmp_path):
    cells = {"MAML": replace(CELL, network=Network(linnet=(16, 8)), studies=("collapsing",), rates=((0.1, 0.01),))}
    tier = replace(TINY, look_tasks=TINY.test_tasks)
    (record,) = run(cells, tier, along=("collapsing",))
    found = record.details["studies_along_training"]["collapsing"]
    by_rate = "collapsed, then adapted, by factor of the rate"
    # the last look is at the tasks of the study at the end
    for what in ("collapsed, then adapted", "collapsed, not adapted"):
        assert found[what][-1] == record.details["studies"]["collapsing"][what]
        assert len(found[what]) == len(record.learning_curve["meta_iteration"])
    assert found[by_rate]["1"] == found["collapsed, then adapted"] != found[by_rate]["30"]
    (begun,) = run({"MAML": replace(cells["MAML"], iterations=2)}, replace(tier, looks=1), along=("collapsing",))
    assert begun.details["studies"]["collapsing"][by_rate]["30"] == found[by_rate]["30"][1] != found[by_rate]["30"][0]

    with killed_at(4):
        run(cells, tier, along=("collapsing",), work=tmp_path)
    (again,) = run(cells, tier, along=("collapsing",), work=tmp_path)
    assert again.details["studies_along_training"] == record.details["studies_along_training"]
    assert run(cells, tier)[0].details["studies_along_training"] == {}


def test_a_study_along_training_has_no_accuracy_where_a_run_has_diverged():
    cell = replace(CELL, network=Network(linnet=(16, 8)), studies=("collapsing",), rates=((0.1, 0.01), (0.1, 1e30)))
    fine, lost = run({"search": cell}, along=("collapsing",))
    rows = [each.details["studies_along_training"]["collapsing"]["collapsed, then adapted"] for each in (fine, lost)]
    assert None not in rows[0][-1] and rows[1][0] == rows[0][0] and rows[1][-1] == [None, None]


def test_what_diverges_while_it_is_timed_had_not_diverged_when_it_was_measured(monkeypatch):
    step = Trainer.step

    def diverging(self, *given):
        measured = step(self, *given)
        if self.iteration > 4:  # of TINY: what follows is timed
            self.diverged_at = self.diverged_at.clamp(min=self.iteration)
        return measured

    monkeypatch.setattr(Trainer, "step", diverging)
    (record,) = run({"MAML": CELL})
    assert record.details["diverged_at"] == [None, None] and record.final["test_accuracy"].count == 2


def test_images_that_are_missing_are_told_before_anything_is_timed(monkeypatch):
    def find(name):
        if name != "omniglot":
            raise DataError(f"{name} is not there.")

    monkeypatch.setattr(arnold2019_costs, "find", find)
    monkeypatch.setattr(arnold2019_costs._Run, "run", None)
    with pytest.raises(DataError, match="cifar-fs is not there"):
        arnold2019_costs.run("smoke")


def test_meta_steps_of_all_methods_are_timed_in_turn(monkeypatch):
    order, step = [], Trainer.step

    def spied(self, batch):
        order.append(sum(value.numel() for value in self.learned.values()))
        return step(self, batch)

    monkeypatch.setattr(Trainer, "step", spied)
    few = {name: replace(setting, ways=3) for name, setting in arnold2019_cnn.SETTINGS.items()}
    monkeypatch.setattr(arnold2019_cnn, "SETTINGS", few)
    monkeypatch.setattr(arnold2019_costs, "find", lambda name: None)
    found = arnold2019_costs.run("smoke", methods=["omniglot"])
    cells = len(arnold2019_costs.CELLS)
    assert [record.setting for record in found] == [f"omniglot CNN({x}) {m}" for x, m in arnold2019_costs.CELLS]
    rounds = [order[at : at + cells] for at in range(0, len(order), cells)]
    assert (
        len(rounds) == 1 + 2 and len(set(rounds[0])) == cells and rounds[0] == rounds[1] == rounds[2]
    )  # one is not timed
    for record, (layers, method) in zip(found, arnold2019_costs.CELLS, strict=True):
        assert record.configuration == arnold2019_costs.declaration(record.setting, arnold2019_costs.TIERS["smoke"])
        assert record.final["seconds_per_meta_step"].count == len(record.learning_curve["seconds"]) == 2
        assert record.parameter_count == few[record.setting].parameters()
        assert record.details["model_parameters"] == few[f"omniglot CNN({layers}) MAML"].parameters()
        assert (record.details["optimizer_parameters"] == 0) == (method == "MAML")
    assert len({record.details["fingerprint"] for record in found}) == 1


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.ID)
def test_every_cell_has_one_folder_of_its_own(module):
    names = [slug(name) for name in module.METHODS]
    assert len(set(names)) == len(names) and not any("/" in name for name in names)


def test_each_number_is_of_the_tasks_networks_and_statistics_that_it_says(monkeypatch):
    calls, plain = [], accuracies

    def spied(learner, learned, test, steps=None):
        test = list(test)
        calls.append((learner.inner.model.batch_norm, learned["model.head.weight"].clone(), test[0][0], steps))
        return plain(learner, learned, test, steps)

    drawn, sample = set(), FewShotTasks.sample

    def sampled(self, count, generator, split, dtype):
        if split == "training":
            drawn.add(generator.initial_seed())
        return sample(self, count, generator, split, dtype)

    for room in (few_shot, looks):
        monkeypatch.setattr(room, "accuracies", spied)
    monkeypatch.setattr(FewShotTasks, "sample", sampled)
    cell = replace(CELL, rates=((0.1, 0.003), (0.2, 0.001)), pool=3)
    first, second = run({"search": cell})
    assert len(drawn) == 4 * 2  # meta-iterations and seeds; the rates of a seed see the same
    *along, test, unadapted, validation, scratch, support = calls
    fresh = replace(cell, pool=None).tasks()
    expected = {s: fresh.sample(12, generator(0, s, 0), s, test[2].dtype)[0][None] for s in ("test", "validation")}
    assert all((look[2] == fresh.sample(4, generator(0, "test", 0), "test", test[2].dtype)[0]).all() for look in along)
    for call in (test, unadapted, scratch, support):
        assert (call[2] == expected["test"]).all()
    assert (validation[2] == expected["validation"]).all()
    assert [call[0] for call in calls] == ["transductive"] * 7 + ["support"] and unadapted[3] == 0
    start = along[0][1]
    assert (start[0] == start[1]).all() and (start[2] == start[3]).all() and (start[0] != start[2]).any()
    assert (scratch[1] != start).any() and (scratch[1] != test[1]).any()
    for record in (first, second):
        assert record.learning_curve["test_accuracy"][0] != [None, None]


def test_a_run_that_diverged_has_no_accuracy_and_the_others_keep_theirs():
    fine, lost = run({"search": replace(CELL, rates=((0.1, 0.003), (0.1, 1e30)))})
    assert lost.details["diverged_at"] != [None, None] and lost.final == {}
    assert lost.details["test_accuracy_per_seed"] == [None, None] and lost.details["test_accuracy_per_task"] is None
    assert fine.details["diverged_at"] == [None, None] and fine.final["test_accuracy"].count == 2


@pytest.mark.parametrize(
    ("name", "tier", "worth"),
    [
        ("omniglot CNN(2) MAML", "smoke", False),  # too few meta-iterations
        ("omniglot CNN(2) MAML", "lite", True),
        ("omniglot CNN(2) KFC", "lite", False),  # about as many, of a meta-step with ten times the tensors
        ("cifar-fs CNN(2) KFC", "lite", True),
        ("omniglot CNN(4) KFC", "full", True),
    ],
)
def test_compiling_is_worth_it_where_its_code_is_used_often_enough(name, tier, worth):
    module = arnold2019_cnn
    setting = module.TIERS[tier].cut(module.SETTINGS[name])
    assert setting.worth_compiling() is worth
    assert not replace(setting, compile=False).worth_compiling()
