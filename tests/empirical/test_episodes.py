"""The benchmark of drawing tasks: both sides draw the same kind of episode, a wrong peer is caught, and the table says by how much."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from empirical.__main__ import main
from empirical.benchmarks import episodes
from empirical.benchmarks.episodes import DisagreementError, ImageFiles, Peer, Source
from empirical.data import ImageSet
from empirical.randomness import generator

NAMES = tuple(f"c{number:02}" for number in range(21))
SPLITS = {"training": NAMES[:11], "validation": NAMES[11:16], "test": NAMES[16:]}
STROKES = Source("strokes", "made", episodes.made_images(NAMES, 40), SPLITS, 28, rotations=True, standardise=False)


def colours():
    images = np.random.default_rng(0).integers(0, 256, (21 * 20, 8, 8, 3)).astype(np.uint8)
    made = ImageSet(images, NAMES, tuple(range(0, 21 * 20 + 1, 20)))
    return Source("colours", "made", made, SPLITS, 8, rotations=False, standardise=True)


def both(source, folder, dataset=ImageFiles, shots=1):
    """Our tasks, the peer, its images and what the check reads off ours."""
    files, classes = episodes.write_files(source, folder)
    tasks = source.tasks(shots)
    read = dataset(files, source.side, *((tasks.mean, tasks.deviation) if source.standardise else ()))
    peer = Peer(read, classes, 4 if source.rotations else 1, shots, 0)
    return tasks, peer, read, episodes._known(tasks, source)


@pytest.mark.parametrize(("source", "shape"), [(STROKES, (1, 28, 28)), (colours(), (3, 8, 8))])
@pytest.mark.parametrize("shots", [1, 5])
def test_both_draw_the_same_kind_of_episode(source, shape, shots, tmp_path):
    tasks, peer, *rest = both(source, tmp_path, shots=shots)
    episodes.check(tasks, peer, *rest, count=6)
    drawn = list(peer.draw(3, 2))
    assert len(drawn) == 2 and not torch.equal(drawn[0][0], drawn[1][0])
    ours = tasks.sample(3, generator(0, "training"), "training", torch.float32)
    for a, b in zip(drawn[0], ours, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
    assert drawn[0][0].shape == (3, 5 * shots, *shape) and drawn[0][2].shape == (3, 75, *shape)
    if source.rotations:
        turns = {rest[1][episodes._pixels(x, tasks)][1] for x in torch.cat([d[2].flatten(0, 1) for d in drawn])}
        assert turns == {0, 1, 2, 3}


class Blurred(ImageFiles):
    def __getitem__(self, key):
        image = Image.open(self.files[key[0]]).resize((self.side, self.side), Image.BILINEAR).rotate(90 * key[1])
        return torch.from_numpy(np.array(image)).view(1, self.side, self.side).float().div(255), key[2]


class Inverted(ImageFiles):
    def __getitem__(self, key):
        return 1 - super().__getitem__(key)[0], key[2]


class TurnedTheOtherWay(ImageFiles):
    def __getitem__(self, key):
        return super().__getitem__((key[0], -key[1] % 4, key[2]))


class Wide(ImageFiles):
    def __getitem__(self, key):
        return super().__getitem__(key)[0].double(), key[2]


class Mislabelled(ImageFiles):
    def __getitem__(self, key):
        return super().__getitem__(key)[0], 4 - key[2]


class Shifted(ImageFiles):
    def __getitem__(self, key):
        return super().__getitem__(key)[0] + 1e-4, key[2]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Blurred, "is off by"),
        (Inverted, "is off by"),
        (TurnedTheOtherWay, "is off by"),
        (Shifted, "An image of ours is off by 0.0001 from what the peer makes of its file"),
        (Wide, "torch.float32 here and .* torch.float64 of the peer"),
        (Mislabelled, "The support labels are .* here and .* of the peer"),
    ],
)
def test_a_wrong_peer_is_caught(wrong, words, tmp_path):
    with pytest.raises(DisagreementError, match=words):
        episodes.check(*both(STROKES, tmp_path, wrong))


def test_a_peer_that_mixes_classes_is_caught(tmp_path):
    tasks, peer, read, known = both(STROKES, tmp_path)
    mixed = [number for images, _ in peer.sampler.kinds[::4] for number in images]
    peer.sampler.kinds = [(mixed, 0)] * 5
    with pytest.raises(DisagreementError, match="A task of the peer's has not 5 classes, one for each label"):
        episodes.check(tasks, peer, read, known)
    peer.sampler.kinds = [(range(20), 0)] * 5  # one class five times
    with pytest.raises(DisagreementError, match="A task of the peer's has not 5 classes"):
        episodes.check(tasks, peer, read, known)
    peer.sampler.kinds = [(range(40), 0)] * 2 + [(range(20 * number, 20 * number + 20), 0) for number in (2, 3, 4)]
    with pytest.raises(
        DisagreementError, match="A task of the peer's has not 5 classes"
    ):  # five, but two under one label
        episodes.check(tasks, peer, read, known)
    with pytest.raises(DisagreementError, match="An image of ours is none of the data set's"):
        episodes.check(tasks, peer, read, {})


def test_what_is_measured_is_printed(tmp_path):
    found = json.loads(
        json.dumps(episodes.compare(rounds=2, sources=[STROKES], shots=[1], meta_batches=[2], at_least=0.01))
    )
    (row,) = found["rows"]
    speeds = row["episodes_per_second"]
    assert set(speeds) == {"metaproof", "0", "2"} and min(speeds.values()) > 0
    assert row["ratio"] == pytest.approx(speeds["metaproof"] / max(speeds["0"], speeds["2"]))
    assert row["met"] == (row["ratio"] >= 50) and found["threads"] == {"metaproof": 2, "files": 1}
    found["rows"] = [
        row | {"ratio": ratio, "met": ratio >= 50, "episodes_per_second": {"metaproof": 1234.0, "0": 10.0, "2": 12.4}}
        for ratio in (99.52, 49.96)
    ]
    *_, about, head, fine, poor = episodes.table(found).splitlines()
    assert about == "strokes: made, 28 × 28, rotated"
    assert head.split() == ["shots", "tasks", "metaproof", "files,", "0", "files,", "2", "ratio", "aim", "met"]
    assert fine.split() == ["strokes", "1", "2", "1,234", "10", "12", "99.5", "50", "yes"] and poor.endswith("NO")


def test_without_the_data_made_images_stand_in_and_this_is_said(tmp_path, monkeypatch, capsys):
    asked = []

    def made(classes, side):
        asked.append((len(classes), side))
        return episodes.ImageSet(
            np.zeros((len(classes) * 20, 2, 2, 1), np.uint8), classes, tuple(range(0, len(classes) * 20 + 1, 20))
        )

    monkeypatch.setattr(episodes, "made_images", made)
    sources, missing = episodes.found_sources(tmp_path)
    assert asked == [(1623, 105)] and [source.name for source in sources] == ["omniglot"]
    assert sources[0].about == "made images, random strokes of the sizes of Omniglot"
    assert len(sources[0].images.images) == 32460 and sources[0].rotations
    assert missing["omniglot"].startswith(
        "Omniglot's own images are not measured: Omniglot (images_background) is not in"
    )
    assert missing["cifar-fs"].startswith("cifar-fs is not measured: CIFAR-100 is not in")
    small = replace(STROKES, about=sources[0].about)
    monkeypatch.setattr(episodes, "found_sources", lambda folder: ([small], missing if folder == tmp_path else {}))
    compare = episodes.compare
    monkeypatch.setattr(
        episodes,
        "compare",
        lambda *given, **options: compare(*given, **options, shots=[1], meta_batches=[1], at_least=0.01),
    )
    assert main(["bench", "--episodes", "--rounds", "1", "--data", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert (
        "strokes: made images, random strokes of the sizes of Omniglot" in printed.out
        and missing["omniglot"] in printed.out
    )
    assert "checking" in printed.err
    kept = tmp_path / "kept" / "episodes.json"
    assert main(["bench", "--episodes", "--rounds", "1", "--data", str(tmp_path), "--json", "--out", str(kept)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["missing"] == missing and json.loads(kept.read_text()) == shown

    def disagrees(*given, **options):
        raise DisagreementError("They differ.")

    monkeypatch.setattr(episodes, "compare", disagrees)
    assert main(["bench", "--episodes"]) == 1
    assert capsys.readouterr().err == "python -m empirical bench: They differ.\n"


def test_made_images_are_strokes_that_tell_classes_apart():
    images = STROKES.images
    assert images.images.shape == (21 * 20, 40, 40, 1) and images.classes == NAMES
    ink = (images.images > 0).mean((1, 2, 3))
    assert 0.01 < ink.min() and ink.max() < 0.5
    flat = images.images.reshape(21, 20, -1) / 255
    within, across = flat.std(1).mean(), flat.mean(1).std(0).mean()
    assert within > 0.05 and across > 0.03  # drawings differ, and so do classes
    assert images.digest() == episodes.made_images(NAMES, 40).digest()
