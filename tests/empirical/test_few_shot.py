"""Few-shot tasks: every pixel here says which class and which image it is of, so that what was drawn can be read off."""

import copy
import math
from itertools import combinations

import numpy as np
import pytest
import torch

from empirical.data import DATASETS, ImageSet
from empirical.data.splits import SPLITS
from empirical.meta_learners import MAML
from empirical.models import cnn
from empirical.randomness import generator
from empirical.tasks.few_shot import FewShotTasks
from empirical.trainer import CheckpointError, Trainer

CLASSES, IMAGES = 14, 9
NAMES = tuple(f"c{number:02}" for number in range(CLASSES))
SPLIT = {"training": NAMES[:7], "validation": NAMES[7:10], "test": NAMES[10:]}


def coded(channels=1, sizes=(IMAGES,) * CLASSES):
    """Images of 3 × 3: the corner says the class, the centre the image, and a mark right of the corner how it is turned."""
    starts = np.cumsum((0, *sizes))
    images = np.zeros((starts[-1], 3, 3, channels), np.uint8)
    for number in range(CLASSES):
        of_class = images[starts[number] : starts[number + 1]]
        of_class[:, 0, 0] = number + 1
        of_class[:, 1, 1] = np.arange(sizes[number])[:, None]
        of_class[:, 0, 1] = 255
    return ImageSet(images, NAMES, tuple(int(start) for start in starts))


def tasks(**changed):
    return FewShotTasks(**{"images": coded(), "splits": SPLIT, "ways": 3, "shots": 2, "queries": 4} | changed)


def drawn(made, count=50, split="training", step=0, dtype=torch.float64, seed=5):
    return made.sample(count, generator(seed, split, step), split, dtype)


def read(x):
    """Class, image and quarter turns, each of the shape of x (..., C, 3, 3) without its last three axes."""
    pixels = (x[..., 0, :, :] * 255).round().long()
    corners = torch.stack([pixels[..., 0, 0], pixels[..., 2, 0], pixels[..., 2, 2], pixels[..., 0, 2]], -1)
    edges = torch.stack([pixels[..., 0, 1], pixels[..., 1, 0], pixels[..., 2, 1], pixels[..., 1, 2]], -1)
    turns = edges.argmax(-1)  # counter-clockwise, as rot90 turns
    assert torch.equal(corners.argmax(-1), turns) and ((corners > 0).sum(-1) == 1).all()
    return corners.amax(-1) - 1, pixels[..., 1, 1], turns


@pytest.mark.parametrize("rotations", [False, True])
@pytest.mark.parametrize("split", SPLITS)
def test_tasks_are_laid_out_by_class_without_repetition(rotations, split):
    support_x, support_y, query_x, query_y = drawn(tasks(rotations=rotations), 200, split)
    assert support_x.shape == (200, 6, 1, 3, 3) and support_y.shape == (200, 6)
    assert query_x.shape == (200, 12, 1, 3, 3) and query_y.shape == (200, 12)
    assert support_y.dtype == query_y.dtype == torch.int64 and support_x.dtype == query_x.dtype == torch.float64
    assert (support_y == torch.tensor([0, 0, 1, 1, 2, 2])).all()
    assert (query_y == torch.tensor([0] * 4 + [1] * 4 + [2] * 4)).all()
    x = torch.cat([support_x.unflatten(1, (3, 2)), query_x.unflatten(1, (3, 4))], 2)
    label, image, turns = read(x)
    kind = 4 * label + turns
    assert (kind == kind[..., :1]).all()  # one class, turned one way, for each label, in support and query
    if not rotations:
        assert not turns.any()
    for task in range(200):
        assert len(set(kind[task, :, 0].tolist())) == 3
        for way in range(3):
            assert len(set(image[task, way].tolist())) == 6
    allowed = {NAMES.index(name) for name in SPLIT[split]}
    assert set(label.unique().tolist()) == allowed
    if rotations:
        assert set(kind.unique().tolist()) == {4 * number + turn for number in allowed for turn in range(4)}


def test_a_turned_class_is_another_one_in_the_same_task():
    made = tasks(rotations=True, splits=SPLIT | {"training": NAMES[:1], "validation": NAMES[1:10]}, ways=4)
    label, _, turns = read(drawn(made)[0].unflatten(1, (4, 2))[:, :, 0])
    assert not label.any()
    assert (turns.sort(1).values == torch.arange(4)).all()


def test_a_class_of_few_images_is_drawn_within_its_own():
    sizes = (6, 9, 7, 9, 8, 9, 6, *(9,) * 7)
    made = tasks(images=coded(sizes=sizes))
    support_x, _, query_x, _ = drawn(made, 400)
    label, image, _ = read(torch.cat([support_x.unflatten(1, (3, 2)), query_x.unflatten(1, (3, 4))], 2))
    assert (label == label[..., :1]).all()
    seen = {number: set(image[label == number].tolist()) for number in range(7)}
    assert seen == {number: set(range(sizes[number])) for number in range(7)}


def test_the_same_generator_draws_the_same_tasks():
    made = tasks()
    for one, other in zip(drawn(made), drawn(tasks()), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(drawn(made)[0], drawn(made, step=1)[0])
    # exactly the same images in another type of numbers
    assert torch.equal(drawn(made, dtype=torch.float32)[0], drawn(made)[0].float())


def test_values_are_scaled():
    x = drawn(tasks())[0]
    assert x.min() == 0 and x.max() == 1


def test_standardised_values_have_the_moments_of_the_training_classes():
    names = tuple(f"c{number:02}" for number in range(21))
    images = np.random.default_rng(0).integers(0, 256, (21 * 5, 3, 3, 2)).astype(np.uint8)
    images[7 * 5 :] //= 2  # the other splits are darker, and do not count
    images[..., 1] //= 4
    settings = {
        "images": ImageSet(images, names, tuple(range(0, 21 * 5 + 1, 5))),
        "splits": {"training": names[:7], "validation": names[7:14], "test": names[14:]},
        "ways": 7,
        "queries": 3,
    }
    made = tasks(**settings, standardise=True)
    training = images[: 7 * 5] / 255
    assert np.allclose(made.mean, training.mean((0, 1, 2))) and np.allclose(made.deviation, training.std((0, 1, 2)))
    support_x, _, query_x, _ = drawn(made, 1)  # all images of all classes
    x = torch.cat([support_x, query_x], 1)[0]
    assert x.mean((0, 2, 3)).abs().max() < 1e-12 and (x.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-12
    mean, deviation = (torch.tensor(part, dtype=torch.float64).view(-1, 1, 1) for part in (made.mean, made.deviation))
    assert torch.allclose(support_x, (drawn(tasks(**settings), 1)[0] - mean) / deviation)


# uniformity


def chi_square(counts, kinds):
    """How far counts of `kinds` equally likely things are from even, in standard deviations of the chi-square distribution."""
    counts = np.array([*counts, *[0] * (kinds - len(counts))])
    even = counts.sum() / kinds
    return (((counts - even) ** 2 / even).sum() - (kinds - 1)) / math.sqrt(2 * (kinds - 1))


def tally(rows):
    return np.unique(np.asarray(rows), axis=0, return_counts=True)[1]


def test_classes_and_images_are_uniform():
    x = torch.cat(drawn(tasks(), 3000)[0::2], 1)
    label, image, _ = read(x)
    classes = label[:, (0, 2, 4)]
    assert abs(chi_square(tally(classes[:, 0]), 7)) < 5
    assert abs(chi_square(tally(classes.sort(1).values), len(list(combinations(range(7), 3))))) < 5
    assert abs(chi_square(tally(classes), 7 * 6 * 5)) < 5
    first = torch.stack([label[:, 0], image[:, 0]], 1)
    assert abs(chi_square(tally(first), 7 * IMAGES)) < 5
    pairs = image[:, :2]
    assert abs(chi_square(tally(pairs), IMAGES * (IMAGES - 1))) < 5
    # what the test would see of a biased draw: one class or image a little more often
    biased = classes[:, 0].clone()
    biased[:150] = 3
    assert chi_square(tally(biased), 7) > 5
    repeated = pairs.clone()
    repeated[:150] = repeated[0]
    assert chi_square(tally(repeated), IMAGES * (IMAGES - 1)) > 5


def test_turns_are_uniform():
    label, _, turns = read(drawn(tasks(rotations=True), 2000)[0][:, 0])
    assert abs(chi_square(tally(torch.stack([label, turns], 1)), 28)) < 5


# the pool


def seen(made, count, split="training", step=0):
    """The tasks drawn, each as the bytes of its images."""
    support, _, query, _ = drawn(made, count, split, step, torch.float32)
    return [s.numpy().tobytes() + q.numpy().tobytes() for s, q in zip(support, query, strict=True)]


def test_a_pool_repeats_its_tasks():
    pooled = tasks(pool=10)
    first = seen(pooled, 300)
    assert len(set(first)) == 10
    assert set(seen(pooled, 300, step=1)) == set(first) == set(seen(tasks(pool=10), 300, step=2))
    assert set(seen(tasks(pool=4), 100)) < set(first)  # a smaller pool is the beginning of a larger
    assert set(seen(tasks(pool=10, pool_seed=1), 300)).isdisjoint(first)
    assert set(seen(pooled, 100, "test")).isdisjoint(first)
    assert len(set(seen(tasks(), 300))) > 290
    counts = np.unique(first, return_counts=True)[1]
    assert abs(chi_square(counts, 10)) < 5


def test_the_pools_of_two_splits_are_drawn_apart():
    made = tasks(splits={"training": NAMES[:5], "validation": NAMES[5:9], "test": NAMES[9:]}, pool=5)
    (training, image, _), (test, other, _) = (read(drawn(made, 200, split)[0]) for split in ("training", "test"))
    kinds = [set(map(tuple, torch.cat(pair, 1).tolist())) for pair in ((training, image), (test - 9, other))]
    assert len(kinds[0]) == len(kinds[1]) == 5 and kinds[0].isdisjoint(kinds[1])


def test_tasks_of_a_pool_are_drawn_like_all_others():
    label, image, turns = read(torch.cat(drawn(tasks(pool=300, rotations=True), 2000)[0::2], 1))
    assert len((4 * label + turns).unique()) == 28
    for task in range(0, 2000, 50):
        kinds = list(zip(label[task].tolist(), turns[task].tolist(), image[task].tolist(), strict=True))
        assert len(set(kinds)) == 18 and len({kind[:2] for kind in kinds}) == 3


# what says which tasks these are


def test_the_representation_says_what_determines_the_numbers():
    made = tasks(pool=3)
    told = repr(made)
    assert " at 0x" not in told and told == repr(tasks(pool=3)) and made.images.digest() in told
    drawn(made)  # what is kept for a device is no part of it
    assert repr(made) == told
    assert repr(copy.deepcopy(made)) == told
    images = coded().images.copy()
    images[0, 2, 2, 0] = 1
    others = [
        tasks(images=ImageSet(images, NAMES, made.images.starts), pool=3),
        tasks(splits=SPLIT | {"training": NAMES[:6], "test": (NAMES[6], *NAMES[10:])}, pool=3),
        tasks(splits=SPLIT | {"validation": NAMES[10:13], "test": (*NAMES[7:10], NAMES[13])}, pool=3),
        tasks(),
        tasks(pool=4),
        tasks(pool=3, pool_seed=1),
        tasks(pool=3, ways=2),
        tasks(pool=3, shots=3),
        tasks(pool=3, queries=3),
        tasks(pool=3, rotations=True),
        tasks(pool=3, standardise=True),
    ]
    assert len({told, *map(repr, others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"ways": 0}, "ways is 0: expected a whole number, 1 or more"),
        ({"shots": 1.5}, "shots is 1.5: expected a whole number"),
        ({"queries": True}, "queries is True: expected a whole number"),
        ({"pool": 0}, "pool is 0: expected a whole number, 1 or more"),
        ({"pool_seed": -1}, "pool_seed is -1: expected a whole number, 0 or more"),
        ({"ways": 4}, "The validation split has 3 classes: expected as many as ways, 4, or more"),
        ({"queries": 8}, "The class c00 has 9 images: expected 2 shots and 8 queries, or fewer of them"),
        ({"splits": {"training": NAMES}}, "The splits are training: expected training, validation, test"),
        (
            {"splits": SPLIT | {"test": ("c99", *NAMES[11:])}},
            "The test split has the class c99, which the images have not",
        ),
        ({"splits": SPLIT | {"test": NAMES[9:]}}, "The class c09 is in the validation split and in the test split"),
        ({"splits": SPLIT | {"test": (NAMES[10],) * 3}}, "The class c10 is in the test split and in the test split"),
    ],
)
def test_refuses_what_is_no_distribution(changed, match):
    with pytest.raises(ValueError, match=match):
        tasks(**changed)


def test_refuses_images_that_cannot_be_turned_or_standardised():
    wide = ImageSet(np.zeros((CLASSES * IMAGES, 3, 4, 1), np.uint8), NAMES, coded().starts)
    with pytest.raises(ValueError, match="cannot be rotated: expected square ones"):
        tasks(images=wide, rotations=True)
    with pytest.raises(ValueError, match="A channel has one value in all training images"):
        tasks(images=wide, standardise=True)
    with pytest.raises(ValueError, match="no split 'tests': expected training, validation, test"):
        tasks().sample(1, generator(0, "test"), "tests", torch.float32)


def test_a_trainer_learns_from_them_and_tells_them_apart(tmp_path):
    def trainer(made):
        torch.manual_seed(0)
        learner = MAML(cnn(1, hidden=4, classes=3, pooling="none"), "cross_entropy", inner_lr=0.1)
        return Trainer(learner, made, tasks_per_step=4, checkpoint=tmp_path / "checkpoint")

    trained = trainer(tasks(rotations=True)).fit(3)
    assert torch.isfinite(trained.curve("loss")).all()
    assert trained.evaluate("test", 8).values["accuracy"].shape == (1, 8)
    resumed = trainer(tasks(rotations=True)).fit(3)
    assert torch.equal(resumed.curve("loss"), trained.curve("loss"))
    with pytest.raises(CheckpointError):
        trainer(tasks(rotations=True, pool=5)).fit(3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_tasks_are_drawn_on_the_device_of_the_generator():
    made = tasks(rotations=True, pool=10)
    on_device = made.sample(200, generator(5, "training", 0, "cuda"), "training", torch.float32)
    assert all(part.device.type == "cuda" for part in on_device)
    parts = zip(on_device[0].cpu(), on_device[2].cpu(), strict=True)
    assert {s.numpy().tobytes() + q.numpy().tobytes() for s, q in parts} == set(seen(made, 200))


# the real data


@pytest.mark.parametrize("name", DATASETS)
def test_tasks_of_the_real_data(name, tmp_path, real_data):
    folder = real_data(name)
    made = FewShotTasks.of(name, 5, 1, 15, folder=folder, cache=tmp_path, pool=20)
    for split in SPLITS:
        support_x, support_y, query_x, query_y = drawn(made, 4, split, dtype=torch.float32)
        side, channels = DATASETS[name].side, DATASETS[name].shape[-1]
        assert support_x.shape == (4, 5, channels, side, side) and query_x.shape == (4, 75, channels, side, side)
        assert support_y.shape == (4, 5) and query_y.shape == (4, 75)
    if name == "omniglot":
        assert support_x.min() == 0 and 0.02 < support_x.mean() < 0.2  # ink on paper
    else:
        assert abs(query_x.mean()) < 1 and 0.3 < query_x.std() < 3
