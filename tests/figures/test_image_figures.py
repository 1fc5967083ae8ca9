"""The figures of the image experiments, from made-up records: what is drawn, what is named as missing, and that no panel mixes tiers."""

import json
from itertools import combinations, pairwise

import matplotlib
import numpy as np
import pytest
from made_records import IDS, made_up, write

from empirical.experiments import EXPERIMENTS
from figures import FIGURES, load
from figures.__main__ import main
from figures.rendering import compute, drawn, image
from figures.style import RC
from paper_checks.published import accuracy
from paper_checks.recorded import MissingRecord, UnreadableRecord

NAMES = [name for name in FIGURES if load(name).RECORD in IDS]
LINEAR, CNN = "arnold2021/linear-images", "arnold2021/cnn"
SEARCHED = "omniglot CNN(3) MAML"
LEVELS = {"omniglot": 0.9, "cifar-fs": 0.7, "mini-imagenet": 0.5}


def records(experiment: str, tier: str, *prefixes: str) -> list:
    return [
        record
        for name in EXPERIMENTS[experiment].SETTINGS
        if name.startswith(prefixes or "")
        for record in made_up(experiment, name, tier, LEVELS.get(name.split()[0], 0.6))
    ]


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    """A folder of records of all cells, of the lite tier."""
    place = tmp_path_factory.mktemp("lite")
    for experiment in IDS:
        write(place, experiment, records(experiment, "lite"), "lite")
    return place / "results"


@pytest.fixture
def place(tmp_path):
    return tmp_path


def figure_of(name: str, results):
    return drawn(load(name), compute(name, results))


def texts(figure, gid: str) -> list[str]:
    """With the lines joined; none that is empty."""
    found = [text for axes in figure.axes for text in axes.texts if text.get_gid() == gid]
    return [" ".join(text.get_text().split()) for text in found if text.get_text()]


def line(axes, gid: str):
    (found,) = (each for each in axes.lines if each.get_gid() == gid)
    return found


def test_there_are_nine():
    assert len(NAMES) == 9


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_every_time_and_the_tier_is_told(name, lite):
    module, data = load(name), compute(name, lite)
    assert name == module.NAME and "\n" not in module.SUMMARY and module.SOURCE
    assert image(module, data, "png").startswith(b"\x89PNG")
    first = image(module, data, "svg")
    assert first.startswith(b"<?xml") and first == image(module, compute(name, lite), "svg")
    figure = drawn(module, data)
    told = texts(figure, "run")
    assert len(told) == len(data.panels) and all(
        run.startswith("lite: ") and "of 4 tasks, 3 seeds" in run for run in told
    )
    assert texts(figure, "not run") == []
    *shown, _ = figure.axes
    assert all(axes.get_xlabel() and axes.get_title(loc="left") for axes in shown) and shown[0].get_ylabel()


@pytest.mark.parametrize("name", NAMES)
def test_what_was_run_stands_over_its_own_panel_alone(name):
    """Of the records that are there."""
    with matplotlib.rc_context(RC):
        figure = figure_of(name, None)
        figure.draw_without_rendering()
        told = [text for axes in figure.axes for text in axes.texts if text.get_gid() == "run" and text.get_text()]
        places = [text.get_window_extent() for text in told]
    assert told and not any(one.overlaps(other) for one, other in combinations(places, 2))
    assert all(place.x1 <= figure.bbox.x1 for place in places)


@pytest.mark.parametrize("name", NAMES)
def test_without_any_record_the_command_is_named(name, place):
    with pytest.raises(MissingRecord, match=f"python -m empirical run {load(name).RECORD} --tier full"):
        compute(name, place)


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_record_is_told(name, place):
    path = place / f"{load(name).RECORD}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("nothing\n")
    with pytest.raises(UnreadableRecord, match="line 1"):
        compute(name, place)


@pytest.mark.parametrize(
    ("name", "column"), [("arnold2021-figure3", 0), ("arnold2019-figure1-right", 0), ("arnold2019-figure-a6", 1)]
)
def test_curves_are_what_the_records_hold(name, column, lite):
    module, figure = load(name), figure_of(name, lite)
    lines = map(json.loads, (lite / f"{module.RECORD}.lite.jsonl").read_text().splitlines())
    found = {record["setting"]: record["learning_curve"] for record in lines}
    for label in module.LOOKS:
        curve = found.get(label) or found[f"omniglot {label}"]
        shown = line(figure.axes[column], label)
        assert shown.get_xdata() == pytest.approx(curve["meta_iteration"])
        assert shown.get_ydata() == pytest.approx(np.mean(curve["test_accuracy"], axis=1))


def test_training_accuracy_stands_between_the_looks(lite):
    figure = figure_of("arnold2019-figure-a6", lite)
    (record,) = (r for r in records("arnold2019/cnn", "lite") if r.setting == "omniglot CNN(2) KFC")
    curve, shown = record.learning_curve, line(figure.axes[0], "CNN(2) KFC")
    assert shown.get_ydata() == pytest.approx(np.mean(curve["training_accuracy"][1:], axis=1))
    at = curve["meta_iteration"]
    assert shown.get_xdata() == pytest.approx([(a + b) / 2 for a, b in pairwise(at)])


def test_the_band_is_the_standard_deviation_and_the_bound_a_level(lite):
    figure = figure_of("arnold2021-figure3", lite)
    (record, *_) = records(LINEAR, "lite", "omniglot LR, 1 step")
    values = np.array(record.learning_curve["test_accuracy"])
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx((values.mean(1) + values.std(1, ddof=1)).max())
    (bound,) = {line(figure.axes[0], "level").get_ydata()[0]}
    assert bound == pytest.approx(LEVELS["omniglot"], abs=1e-3)
    assert line(figure.axes[0], "chance").get_ydata()[0] == pytest.approx(0.2)


@pytest.mark.parametrize(("name", "table"), [("arnold2021-figure4", "Table 1"), ("arnold2019-figure3", "Table A2")])
def test_accuracies_by_layers_stand_beside_the_printed_ones(name, table, lite):
    module, figure = load(name), figure_of(name, lite)
    for axes, level in zip(figure.axes, LEVELS.values(), strict=False):
        if not axes.get_xlabel():
            continue
        for method in module.METHODS:
            shown = line(axes, method)
            assert np.round(shown.get_xdata()) == pytest.approx(module.LAYERS)
            assert shown.get_ydata() == pytest.approx([level] * len(module.LAYERS), abs=1e-3)
    paper, title = name.split("-")[0], figure.axes[0].get_title(loc="left")
    hollow = {
        round(each.get_xdata()[0]): each.get_ydata()[0]
        for each in figure.axes[0].lines
        if each.get_gid() == "MAML printed"
    }
    assert hollow[2] == accuracy(paper, table, title, "CNN(2) MAML").value
    assert set(hollow) == set(module.LAYERS) - ({1} if table == "Table 1" else set())


def test_of_a_search_validation_chooses(place):
    write(place, CNN, made_up(CNN, SEARCHED, "lite", [0.9, 0.6], [0.5, 0.7]), "lite")
    shown = line(figure_of("arnold2021-figure4", place / "results").axes[0], "MAML")
    assert list(np.round(shown.get_xdata())) == [3] and shown.get_ydata() == pytest.approx([0.6])


def test_the_studies_are_drawn_as_they_stand(lite):
    (record,) = (r for r in records("arnold2019/cnn", "lite") if r.setting == "omniglot CNN(4) MAML")
    studies = record.details["studies"]
    frozen, alone, noisy, *_ = figure_of("arnold2019-figure2", lite).axes
    for axes, study in ((frozen, "freezing only this"), (alone, "adapting only this")):
        heights = [bar.get_height() for bar in axes.patches]
        assert heights == pytest.approx([np.mean(each) for each in studies["freezing"][study].values()])
    assert line(noisy, "noise").get_ydata() == pytest.approx([np.mean(each) for each in studies["noise"].values()])
    scaled = figure_of("arnold2019-figure-a2", lite).axes
    for when, by_layer in studies["scaling"].items():
        for axes, (layer, by_factor) in zip(scaled, by_layer.items(), strict=False):
            assert line(axes, f"{layer} {when}").get_ydata() == pytest.approx([np.mean(v) for v in by_factor.values()])
    pruned = figure_of("arnold2019-figure-a3", lite).axes[0]
    for what, of in (("accuracy", "accuracy"), ("share left", "share left")):
        assert line(pruned, what).get_ydata() == pytest.approx([np.mean(v[of]) for v in studies["pruning"].values()])
    (printed,) = line(pruned, "accuracy printed").get_xydata()
    assert printed == pytest.approx((0.3, 0.7006))


def test_a_collapsed_network_is_drawn_at_its_rate_and_at_that_which_is_best_at_each_look(lite):
    *_, second = figure_of("arnold2021-figure-b3", lite).axes[:2]  # Omniglot, 5 steps
    (record,) = records(LINEAR, "lite", "omniglot LR+LinNet, 5 steps")
    found = record.details["studies_along_training"]["collapsing"]
    own = np.mean(found["collapsed, then adapted"], axis=1)
    by_rate = np.mean(list(found["collapsed, then adapted, by factor of the rate"].values()), axis=2)
    assert line(second, "collapsed").get_ydata() == pytest.approx(own)
    best = line(second, "collapsed, best of five rates").get_ydata()
    assert best == pytest.approx(by_rate.max(0)) and len(set(by_rate.argmax(0))) > 2
    assert line(second, "LR+LinNet").get_ydata()[-1] == pytest.approx(LEVELS["omniglot"], abs=1e-3)


def test_a_network_that_was_collapsed_at_the_end_alone_is_named(place):
    found = records(LINEAR, "lite", "omniglot LR")
    del found[1].details["studies_along_training"]
    write(place, LINEAR, found, "lite")
    first, second, _ = (figure := figure_of("arnold2021-figure-b3", place / "results")).axes
    assert texts(figure, "not run")[0].startswith("not run: Omniglot: LR+LinNet, 1 step, collapsed not run:")
    assert "collapsed" not in [each.get_gid() for each in first.lines] and line(second, "collapsed")


def test_what_is_missing_is_named(place):
    write(place, LINEAR, records(LINEAR, "lite", "omniglot LR, ", "omniglot LR+LinNet, 1 step"), "lite")
    figure = figure_of("arnold2021-figure3", place / "results")
    assert len(figure.axes) == 2  # one panel, and the strip
    (told,) = texts(figure, "not run")
    assert told == "not run: Omniglot: LR+LinNet, 5 steps; upper bound not run: CIFAR-FS, mini-ImageNet"


def test_a_panel_is_of_one_tier(place):
    write(place, LINEAR, records(LINEAR, "full", "omniglot LR, 1 step"))
    write(place, LINEAR, records(LINEAR, "lite", "omniglot LR, 5 steps", "omniglot LR+LinNet"), "lite")
    figure = figure_of("arnold2021-figure3", place / "results")
    assert [run.split(":")[0] for run in texts(figure, "run")] == ["lite"]
    assert "LR, 1 step (full only)" in texts(figure, "not run")[0]
    assert "LR, 1 step" not in [each.get_gid() for each in figure.axes[0].lines]
    # of as many cells, the full one
    write(place, LINEAR, records(LINEAR, "lite", "omniglot LR, 5 steps"), "lite")
    figure = figure_of("arnold2021-figure3", place / "results")
    assert texts(figure, "run") == ["full: 20,000 meta-iterations of 16 tasks, 3 seeds"]
    assert "LR, 5 steps (lite only)" in texts(figure, "not run")[0]
    write(place, LINEAR, records(LINEAR, "long", "omniglot LR, 5 steps"), "long")
    figure = figure_of("arnold2021-figure3", place / "results")
    assert "LR, 5 steps (long and lite only)" in texts(figure, "not run")[0]


def test_a_run_that_diverged_is_told_and_counts_as_a_guess(place):
    write(place, CNN, made_up(CNN, "omniglot CNN(2) MAML", "lite", None), "lite")
    figure = figure_of("arnold2021-figure4", place / "results")
    assert line(figure.axes[0], "MAML").get_ydata() == pytest.approx([0.2])
    assert "diverged, a guess: Omniglot: CNN(2) MAML, 3 of 3 seeds" in texts(figure, "not run")[0]
    write(place, LINEAR, made_up(LINEAR, "omniglot LR, 1 step", "lite", None), "lite")
    shown = line(figure_of("arnold2021-figure3", place / "results").axes[0], "LR, 1 step")
    assert np.isnan(shown.get_ydata()[1:]).all()


def test_where_one_seed_diverges_the_curve_goes_on_thin_without_it(place):
    (record,) = made_up(LINEAR, "omniglot LR+LinNet, 5 steps", "lite", 0.8)
    collapsed = record.details["studies_along_training"]["collapsing"]
    by_rate = collapsed["collapsed, then adapted, by factor of the rate"]
    # the rate of the network is one of the rates
    for rows in (record.learning_curve["test_accuracy"], *by_rate.values()):
        for row in rows[3:]:
            row[0] = None
    record.details["diverged_at"][0] = 7
    write(place, LINEAR, [record], "lite")
    figure = figure_of("arnold2021-figure-b3", place / "results")
    rates = np.array(list(by_rate.values()), dtype=float)
    expected = {
        "LR+LinNet": np.array(record.learning_curve["test_accuracy"], dtype=float),
        "collapsed": np.array(by_rate["1"], dtype=float),
        "collapsed, best of five rates": rates[rates[:, :, 1].argmax(0), np.arange(rates.shape[1])],
    }
    for name, rows in expected.items():
        whole, thin = line(figure.axes[1], name), line(figure.axes[1], f"{name}, without the diverged")
        assert np.isfinite(whole.get_ydata()).tolist() == [True] * 3 + [False] * 6
        assert thin.get_xdata()[0] == whole.get_xdata()[2] and thin.get_ydata()[0] == whole.get_ydata()[2]
        assert thin.get_ydata()[1:] == pytest.approx(rows[3:, 1:].mean(1))
        assert thin.get_linewidth() < whole.get_linewidth()
    assert "thin from where a seed diverged, without it: Omniglot: LR+LinNet, 5 steps, 1 of 3 seeds" in " ".join(
        texts(figure, "not run")
    )


def test_a_stale_record_is_not_drawn(place):
    (record,) = made_up(CNN, "omniglot CNN(2) MAML", "full", 0.9)
    record.configuration["queries"] = 15
    write(place, CNN, [record])
    with pytest.raises(MissingRecord, match=r"stale.*queries.*python -m empirical run arnold2021/cnn --tier full"):
        compute("arnold2021-figure4", place / "results")


def test_all_skips_what_has_no_record_and_a_name_does_not(capsys, place, monkeypatch):
    monkeypatch.setattr("figures.__main__.FIGURES", {n: FIGURES[n] for n in ("arnold2021-figure4", "step-size-factor")})
    arguments = ["--out", str(place / "out"), "--results", str(place)]
    assert main(["--all", *arguments]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("python -m figures: skipped arnold2021-figure4: there is no record")
    assert "step-size-factor.png" in said.out
    assert main(["--all", "arnold2021-figure4", *arguments]) == 1
