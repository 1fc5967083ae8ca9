"""The figures of the synthetic classification experiments, drawn from made-up records, and from the real ones where they are there."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from empirical.experiments import EXPERIMENTS
from empirical.experiments.logistic import declaration
from empirical.records import Record, write
from figures import load
from figures.rendering import compute, image
from paper_checks.recorded import MissingRecord, UnreadableRecord

NAMES = ["arnold2019-figure1-left", "arnold2019-figure-a1", "arnold2021-figure1-right"]


def fake_records(experiment: str) -> list[Record]:
    """Records of the promised shape: curves that rise, and at the whole printed rate one that ends."""
    module, scatter = EXPERIMENTS[experiment], np.random.default_rng(0)
    tier = module.TIERS["full"]
    at = np.array(tier.evaluated())
    found = []
    for name, setting in module.SETTINGS.items():
        seeds = setting.seeds or tier.seeds
        for start, scale, addition in setting.variants():
            diverges = setting.outer_lr * scale > 1
            rise = 0.5 + 0.15 * (1 - np.exp(-at / 300))[:, None] + 0.01 * scatter.normal(size=(len(at), seeds))
            rows = [[None if diverges and i else float(a) for a in row] for i, row in enumerate(rise)]
            details = {"diverged_at": [50 if diverges else None] * seeds}
            curve = {"meta_iteration": at.tolist(), "test_accuracy": rows}
            declared = declaration(setting, start, scale, tier)
            found.append(Record(experiment, name + addition, "full", declared, [0], "", 1, curve, {}, 1.0, {}, details))
    return found


@pytest.fixture(scope="module")
def fake(tmp_path_factory) -> Path:
    """A folder of made-up records."""
    folder = tmp_path_factory.mktemp("results")
    for name in NAMES:
        experiment = load(name).RECORD
        write(folder / f"{experiment}.jsonl", fake_records(experiment))
    return folder


def drawn(name: str, data: object) -> Figure:
    module = load(name)
    figure = Figure(figsize=module.SIZE)
    module.draw(module.panels(figure), data)
    return figure


def lines(axes, gid: str) -> list:
    return [line for line in axes.lines if line.get_gid() == gid]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_every_time(name, fake):
    module, data = load(name), compute(name, fake)
    assert name == module.NAME and "\n" not in module.SUMMARY and module.SOURCE
    for form, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        first = image(module, data, form)
        assert first.startswith(start) and first == image(module, compute(name, fake), form)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_record_names_the_command(name, tmp_path):
    record = load(name).RECORD
    with pytest.raises(MissingRecord, match=f"python -m empirical run {record} --tier full"):
        compute(name, tmp_path)
    write(tmp_path / f"{record}.jsonl", fake_records(record)[:1])
    with pytest.raises(UnreadableRecord, match="run the experiment again"):
        compute(name, tmp_path)


def test_curves_are_means_over_seeds_and_levels_are_exact(fake):
    data = compute("arnold2019-figure1-left", fake)
    curves, ends = drawn("arnold2019-figure1-left", data).axes
    path = fake / "arnold2019" / "synthetic.jsonl"
    found = {record["setting"]: record for record in map(json.loads, path.read_text().splitlines())}
    for setting in ("LR", "LR, from N(0, 1)", "KLin, outer rate × 0.1"):
        (line,) = lines(curves, setting)
        rows = np.array(found[setting]["learning_curve"]["test_accuracy"], dtype=float)
        assert line.get_ydata() == pytest.approx(rows.mean(1))
    assert data.exact[""] == pytest.approx(0.88073, abs=1e-5)
    assert data.exact[" same points"] == pytest.approx(0.92131, abs=1e-5)
    assert data.diverged == {"LinNet": 50, "KLin": 50, "KFC": 50}
    assert data.printed == {"LR": 0.5138, "LinNet": 0.9577, "KLin": 0.99, "KFC": 0.9898}
    for model in data.printed:
        (dots,) = lines(ends, f"{model} one set of points")
        assert len(dots.get_ydata()) == 1


def test_figure_a1_has_every_depth_and_width(fake):
    data = compute("arnold2019-figure-a1", fake)
    axes = drawn("arnold2019-figure-a1", data).axes
    assert len(axes) == 4
    for depth, panel in enumerate(axes, start=1):
        shown = [line for line in panel.lines if line.get_gid()]
        assert [line.get_gid() for line in shown] == [
            f"depth {depth} width {2**k}, outer rate × 0.1" for k in range(1, 9)
        ]
        assert len({line.get_color() for line in shown}) == 8
        runs = 8 * EXPERIMENTS["arnold2019/figure-a1"].TIERS["full"].seeds
        assert data.diverged[depth] == (0, runs, runs)


def test_figure1_right_has_both_kinds_of_labels(fake):
    data = compute("arnold2021-figure1-right", fake)
    assert data.best == pytest.approx({"sampled": np.log(2), "sign": 1})
    assert data.exact == pytest.approx({"sampled": 0.64447, "sign": 0.90343}, abs=1e-5)
    for labels, panel in zip(("sampled", "sign"), drawn("arnold2021-figure1-right", data).axes, strict=True):
        shown = [line.get_gid() for line in panel.lines if line.get_gid()]
        assert len(shown) == 6 and all(f", {labels}, 10 points" in name for name in shown)
        notes = " ".join(text.get_text() for text in panel.texts)
        assert f"{data.exact[labels]:.4f}" in notes and "the best classifier" in notes
