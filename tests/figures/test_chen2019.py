"""The figures of chen2019's experiments, drawn from made-up records (see conftest.py); the real ones too where they are there."""

import json

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from figures import FIGURES, load
from figures.rendering import compute, image
from figures.style import METHODS
from paper_checks.published import curve
from paper_checks.recorded import MissingRecord, UnreadableRecord

NAMES = [name for name in FIGURES if "chen2019" in str(load(name).RECORD)]


def drawn(name: str, data: object) -> Figure:
    module = load(name)
    figure = Figure(figsize=module.SIZE)
    module.draw(module.panels(figure), data)
    return figure


def lines(axes, gid: str) -> list:
    return [line for line in axes.lines if line.get_gid() == gid]


def notes(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_gid() == "note"]


def test_there_are_four():
    assert [name.removeprefix("chen2019-figure") for name in NAMES] == ["3", "5", "6", "7"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_every_time(name, fake_results):
    module, data = load(name), compute(name, fake_results)
    assert name == module.NAME and "\n" not in module.SUMMARY and module.SOURCE
    for form, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        first = image(module, data, form)
        assert first.startswith(start)
        assert first == image(module, compute(name, fake_results), form)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_record_names_the_command(name, tmp_path):
    with pytest.raises(MissingRecord, match="python -m empirical run chen2019/linear --tier full"):
        compute(name, tmp_path)


@pytest.mark.parametrize("name", ["chen2019-figure3", "chen2019-figure6", "chen2019-figure7"])
def test_each_method_has_its_colour_and_marker_everywhere(name, fake_results):
    module, data = load(name), compute(name, fake_results)
    methods = getattr(module, "METHODS", METHODS)
    *panels, strip = drawn(name, data).axes
    for axes in panels[-2:]:
        for method in methods:
            (line,) = lines(axes, method)
            look = METHODS[method]
            assert same_color(line.get_color(), look.colour) and line.get_marker() == look.marker
    labels = [text.get_text() for text in strip.get_legend().get_texts()]
    assert [label for label in labels if label in METHODS] == list(methods)
    assert labels[-1].endswith("as published")
    assert len({(look.colour, look.marker) for look in METHODS.values()}) == len(METHODS) == 8
    assert len({look.marker for look in METHODS.values()}) == 8  # they tell curves apart in grey


@pytest.mark.parametrize(("name", "figure"), [("chen2019-figure6", "6"), ("chen2019-figure7", "7")])
def test_ours_is_the_mean_over_seeds_beside_the_published_curve(name, figure, fake_results):
    data = compute(name, fake_results)
    panels = drawn(name, data).axes
    for axes, letter, experiment in zip(panels, "ab", ("linear", "spiral"), strict=False):
        records = map(json.loads, (fake_results / "chen2019" / f"{experiment}.jsonl").read_text().splitlines())
        details = {record["setting"]: record["details"] for record in records}
        for found in data[experiment]:
            test = details[found.method]["test"]
            seeds = np.array([[np.nan if x is None else x for x in row] for row in test["loss"]])
            (ours,), (theirs,) = lines(axes, found.method), lines(axes, f"{found.method} published")
            assert ours.get_ydata() == pytest.approx(seeds.mean(axis=0), nan_ok=True)
            assert np.array(theirs.get_xydata()).T == pytest.approx(
                np.array(curve("chen2019", f"{figure}{letter}", found.method))
            )
            assert same_color(ours.get_color(), theirs.get_color()) and ours.get_linestyle() != theirs.get_linestyle()
            assert ours.get_linewidth() > theirs.get_linewidth()
        assert len(axes.collections) == len(data[experiment])  # a band each
        low, high = axes.get_ylim()
        ends = [c.loss[-1] for c in data[experiment] if np.isfinite(c.loss[-1])]
        assert low < min(ends) and max(ends) < high < 7


def test_a_curve_that_leaves_the_axis_or_ends_says_so(fake_results):
    data = compute("chen2019-figure6", fake_results)
    linear, spiral, _ = drawn("chen2019-figure6", data).axes
    assert notes(linear) == []
    (note,) = notes(spiral)
    first, *said = note.splitlines()
    assert first == "M-Shrinkage joint MAP"
    assert said[0].startswith("above the axis, 6.") and said[0].endswith("to 21.9")
    assert said[1:] == ["a run diverges at step 430", "published: above the axis, 6.3 to 21.9"]


def test_a_curve_that_ends_inside_is_marked_and_one_that_rises_is_not_followed(fake_results):
    module, data = load("chen2019-figure7"), compute("chen2019-figure7", fake_results)
    maml, modular, *rest = data["linear"]
    ended, risen = maml.loss.copy(), modular.loss.copy()
    ended[150:], risen[120:] = np.nan, 1e9
    changed = [type(maml)(maml.method, maml.step, ended, maml.error, None)]
    changed.append(type(maml)(modular.method, modular.step, risen, modular.error, None))
    axes = drawn(module.NAME, {**data, "linear": (*changed, *rest)}).axes[0]
    (cross,) = lines(axes, "diverges")
    assert cross.get_xydata()[0] == pytest.approx((149, ended[149]))
    assert notes(axes) == ["MAML\na run diverges at step 150", "M-MAML\nabove the axis from step 120, up to 1e+09"]
    assert axes.get_ylim()[1] < 7


def test_a_method_with_no_finite_loss_is_named_and_the_others_are_drawn(fake_results):
    module, data = load("chen2019-figure7"), compute("chen2019-figure7", fake_results)
    first, *rest = data["linear"]
    nothing = type(first)(first.method, first.step, np.full_like(first.loss, np.nan), first.error, None)
    axes = drawn(module.NAME, {**data, "linear": (nothing, *rest)}).axes[0]
    assert notes(axes) == ["MAML\na run diverges at step 0"]


@pytest.mark.parametrize("name", NAMES)
def test_a_record_without_a_method_says_which(name, fake_results, tmp_path):
    folder = tmp_path / "chen2019"
    folder.mkdir()
    for experiment in ("linear", "spiral"):
        text = (fake_results / "chen2019" / f"{experiment}.jsonl").read_text().splitlines(keepends=True)
        kept = [line for line in text if json.loads(line)["setting"] not in ("M-MAML", "M-Shrinkage")]
        (folder / f"{experiment}.jsonl").write_text("".join(kept))
    with pytest.raises(
        UnreadableRecord, match=r"linear\.jsonl has no test losses of M-(MAML|Shrinkage).*run chen2019/linear"
    ):
        compute(name, tmp_path)


def test_figure3_has_the_prior_at_phi_and_the_likelihood_at_the_true_parameters(fake_results):
    for experiment, picture in compute("chen2019-figure3", fake_results).pictures.items():
        phi = load("chen2019-figure3").SETTINGS[experiment].phi
        for density, at in ((picture.prior, (phi, phi)), (picture.likelihood, picture.task)):
            best = density.argmin()
            assert [float(axis.flat[best]) for axis in picture.theta] == pytest.approx(at, abs=0.2)


def test_figure3_agrees_with_the_tasks_that_were_run():
    torch = pytest.importorskip("torch")
    from empirical.tasks.hierarchical import linear_mean, spiral_mean

    theta = np.random.default_rng(0).normal(2, 4, (2, 50))
    for experiment, mean in (("linear", linear_mean), ("spiral", spiral_mean)):
        ours = load("chen2019-figure3").SETTINGS[experiment].mean(theta)
        assert ours.T == pytest.approx(mean(torch.from_numpy(theta.T)).numpy())


def test_figure5_has_eight_errors_in_each_panel_and_marks_the_least(fake_results):
    data = compute("chen2019-figure5", fake_results)
    assert list(data) == ["MAML", "M-MAML", "Shrinkage", "M-Shrinkage"]
    figure = drawn("chen2019-figure5", data)
    for axes, (method, errors) in zip(figure.axes, data.items(), strict=True):
        assert axes.get_title() == method
        assert [len(lines(axes, gid)) for gid in ("ours", "published", "least")] == [8, 8, 16]
        for dimension, line in enumerate(lines(axes, "ours")):
            assert line.get_ydata() == pytest.approx(errors.error[:, dimension])
            least = lines(axes, "least")[2 * dimension + 1]
            assert least.get_ydata() == pytest.approx([errors.error[:, dimension].min()])
        low, high = axes.get_ylim()
        assert low < errors.error.min() and errors.error.max() < high
