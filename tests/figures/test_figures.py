"""Every figure: its data against `analysis` and the records, and what is drawn of it on plain axes."""

from functools import cache

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis import critical_learning_rate, stationary_points
from figures import FIGURES, load
from figures.deep_loss import deep_loss
from figures.rendering import compute, image
from paper_checks.recorded import MissingRecord

# the others are drawn from made-up records in test_chen2019.py, test_synthetic.py and test_image_figures.py
MADE_UP = ("chen2019", "arnold2019", "figure1-right", "linear-images", "arnold2021/cnn")
NAMES = [name for name in FIGURES if not any(record in str(load(name).RECORD) for record in MADE_UP)]


@cache
def data_of(name: str) -> object:
    return compute(name)


def drawn(name: str) -> Figure:
    module = load(name)
    figure = Figure(figsize=module.SIZE)
    module.draw(module.panels(figure), data_of(name))
    return figure


def with_gid(axes, gid: str) -> list:
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


@pytest.mark.parametrize("name", NAMES)
def test_draws_on_plain_axes(name):
    module = load(name)
    assert name == module.NAME
    assert "\n" not in module.SUMMARY and module.SOURCE
    figure = drawn(name)
    for axes in figure.axes:
        assert axes.has_data()
    labelled = [axes for axes in figure.axes if axes.get_xlabel()]
    assert labelled and all(axes.get_title() for axes in labelled)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_every_time(name):
    module = load(name)
    for form, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        first = image(module, data_of(name), form)
        assert first.startswith(start)
        assert first == image(module, data_of(name), form)


@pytest.mark.parametrize("name", [name for name in FIGURES if load(name).RECORD and name not in NAMES])
def test_the_recorded_runs_can_be_drawn(name):
    try:
        data = compute(name)
    except MissingRecord as missing:
        pytest.skip(str(missing))
    assert image(load(name), data, "png").startswith(b"\x89PNG")


def test_landscape_marks_every_stationary_point():
    data, figure = data_of("landscape"), drawn("landscape")
    rates = ("1/10", critical_learning_rate(), "1/2")
    totals = []
    for axes, panel, rate in zip(figure.axes, data.panels, rates, strict=False):
        counts = stationary_points(rate).counts
        markers = {kind: len(offsets) for kind in counts for (offsets,) in [_offsets(axes, kind)]}
        assert markers == counts == {kind: len(points) for kind, points in panel.points.items()}
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        assert sorted(int(text.split()[0]) for text in legend) == sorted(counts.values())
        low, high = axes.get_xlim()
        for kind in counts:
            assert (np.abs(_offsets(axes, kind)[0]) < min(-low, high)).all()
        totals.append(sum(counts.values()))
    assert totals == [17, 13, 9]


def _offsets(axes, kind: str) -> list:
    return [np.asarray(collection.get_offsets()) for collection in with_gid(axes, kind)]


def test_landscape_minima_stand_still_in_scaled_weights():
    for panel in data_of("landscape").panels:
        assert np.allclose(np.abs(panel.points["minimum"]).sum(axis=1), 1)


def test_deep_loss_agrees_with_the_stationary_points():
    for rate in ("1/10", "1/2"):
        for point in stationary_points(rate).points:
            alpha = {"1/10": 0.1, "1/2": 0.5}[rate]
            assert deep_loss(*point.floats, alpha) == pytest.approx(point.loss, abs=1e-12)


def test_trajectories_end_in_the_four_minima():
    data = data_of("arnold2021-figure2")
    ends = data.trajectories[:, -1]
    distance = np.linalg.norm(ends[:, None] - data.minima[None], axis=2)
    assert distance.min(axis=1).max() < 1e-4
    assert sorted(distance.argmin(axis=1)) == [0, 1, 2, 3]
    axes = drawn("arnold2021-figure2").axes[1]
    assert len(_offsets(axes, "minimum")[0]) == 4
    coloured = [line for line in axes.lines if len(line.get_xdata()) > 1 and line.get_color() != "white"]
    assert len({line.get_color() for line in coloured}) == len(ends) == 4


def test_record_of_figure1_agrees_with_the_exact_levels():
    data = data_of("arnold2021-figure1-left")
    assert data.level[None] == pytest.approx({"shallow": 1.81, "deep": 1.0})
    assert data.level[10] == pytest.approx({"shallow": 1.813, "deep": 16 / 13})
    # the error of one task is 1 + 0.81 θ², and θ² has standard deviation √2
    assert data.standard_error[None] == pytest.approx(0.81 * np.sqrt(2 / data.test_tasks), rel=0.1)
    for n, error in data.error.items():
        shallow = error["shallow"][:, -1]
        assert abs(shallow.mean() - data.level[n]["shallow"]) < 3 * data.standard_error[n]
        assert shallow.std() < data.standard_error[n]  # all seeds share the test tasks
        assert all((each >= 1 - 1e-9).all() for each in error.values())
    for model in ("deep", "three layers"):
        deep = data.error[None][model][:, -1]
        assert 1 - 1e-9 <= deep.min() and deep.max() < 1.001
    panels = drawn("arnold2021-figure1-left").axes
    assert [len([line for line in panel.lines if line.get_label() in data.error[None]]) for panel in panels] == [3, 3]


def test_step_size_factor_has_the_regions_of_the_exact_derivative():
    data = data_of("step-size-factor")
    extrema = {kind: (x, y) for x, y, kind in data.extrema}
    assert extrema["maximum"] == pytest.approx((1 / np.sqrt(5), 16 / (25 * np.sqrt(5))))
    assert extrema["minimum"] == pytest.approx((data.solution, 0)) == (1, 0)
    assert [trend for *_, trend in data.intervals] == ["increasing", "decreasing", "increasing"]
    for start, end, trend in data.intervals:
        inside = data.y[(data.x > start) & (data.x < end)]
        assert (np.diff(inside) > 0).all() == (trend == "increasing")
    (axes,) = drawn("step-size-factor").axes
    assert [len(with_gid(axes, gid)) for gid in ("shrinks", "grows")] == [1, 2]
    # the one region against the paper's sentence ends at 1/√5
    (region,) = with_gid(axes, "shrinks")
    assert region.get_x() + region.get_width() == pytest.approx(1 / np.sqrt(5))


def test_why_depth_has_the_exact_levels_and_meets_at_the_critical_rate():
    data = data_of("why-depth")
    assert data.best["shallow"] == pytest.approx(0.5 + 0.5 * (1 - data.alpha) ** 2)
    assert data.best["deep"] == pytest.approx(np.full(len(data.alpha), 0.5))
    critical, v = data.critical
    assert critical == pytest.approx(0.2674605800)
    (low, high), (upper,) = data.branches[:2], data.branches[2:]
    assert [low[0], high[0], upper[0]] == ["saddle", "maximum", "saddle"]
    for _, rates, positions in (low, high):
        assert (rates[-1], positions[-1]) == pytest.approx((critical, v))
        assert (np.diff(rates) > 0).all()
    assert (low[2][:-1] < high[2][:-1]).all()
    assert upper[1].max() > critical
    assert (np.diff(upper[1]) > 0).all() and (np.diff(upper[2]) < 0).all()


def test_joint_map_has_its_stationary_points_where_the_slope_changes_sign():
    without, with_points = data_of("chen2019-figure4")
    assert without.stationary == () and (np.diff(without.value) < 0).all()
    # ½ (S − 2/N ∓ √(S (S − 4/N))) with S = 5/N: chen2019, Prop. 3
    left, right = ((3 - 5**0.5) / 2, "minimum"), ((3 + 5**0.5) / 2, "maximum")
    assert [(at, kind) for at, _, kind in with_points.stationary] == [
        (pytest.approx(at), kind) for at, kind in (left, right)
    ]
    rises = (with_points.variance > left[0]) & (with_points.variance < right[0])
    assert ((with_points.slope > 0) == rises).all()
    for profile in (without, with_points):
        assert profile.marginal == pytest.approx(profile.spread - 1)
        fit = profile.spread / (profile.variance + 1)  # eq. (6) at its maximum over θ and φ, per task, in units of 1/N
        assert profile.value == pytest.approx(-(np.log(profile.variance) + fit) / 2)
        assert np.gradient(profile.value, profile.variance)[5:-5] == pytest.approx(
            profile.slope[5:-5], rel=0.02, abs=0.002
        )
    figure = drawn("chen2019-figure4")
    markers = [[len(with_gid(axes, kind)) for kind in ("minimum", "maximum")] for axes in figure.axes]
    assert markers == [[0, 0], [1, 1], [0, 0], [1, 1]]
