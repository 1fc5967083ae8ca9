"""How fast tasks of images are drawn: `FewShotTasks.sample` against a DataLoader over image files, as few-shot code is commonly written.

The peer opens a file for each image with Pillow, resizes and turns it, and makes a tensor of it; a batch of its DataLoader is one task.
Ours has decoded and resized the images once, which is not timed, as the writing of the peer's files is not. First, both have to draw
episodes of one form out of the same images.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from .. import records
from ..allocator import keep_freed_memory
from ..data import DATASETS, DataError, ImageSet, load, splits_of
from ..data.splits import Splits, all_classes, omniglot_vinyals
from ..meta_learners.learner import Batch
from ..randomness import generator
from ..tasks.few_shot import QUARTERS, FewShotTasks
from .measuring import interleaved

AIM = 50
"""Times the peer's episodes per second that ours has to draw."""
WAYS, QUERIES = 5, 15
SHOTS = (1, 5)
META_BATCHES = (16, 32)
"""Tasks that are drawn at once."""
LOADING = (0, 2)
"""Processes of the peer's DataLoader; the better one counts."""
THREADS, PEER_THREADS = 2, 1
"""Of torch, what is fastest for each on two cores: the peer makes a tensor of one small image at a time, and may have processes."""
DRAWINGS = 20
"""Images of a made class."""
TOLERANCE = 1e-5
"""Between the values of one image, which are of the order of 1 and float32."""


class DisagreementError(RuntimeError):
    """The two do not draw the same kind of episode; the message says in what they differ."""


@dataclass(frozen=True)
class Source:
    """Images to draw from.

    Attributes:
        name: of the data set.
        about: where the images are from, a clause.
        images: as the files have them.
        splits: classes of each split.
        side: height and width, in pixels, that episodes have.
        rotations, standardise: see FewShotTasks.
    """

    name: str
    about: str
    images: ImageSet
    splits: Splits
    side: int
    rotations: bool
    standardise: bool

    def tasks(self, shots: int) -> FewShotTasks:
        """Ours."""
        small = self.images.resized(self.side)
        return FewShotTasks(
            small, self.splits, WAYS, shots, QUERIES, rotations=self.rotations, standardise=self.standardise
        )


class ImageFiles(Dataset):
    """The peer's images: (file, quarter turns, label) to the values (C, side, side) float32 and the label.

    Args:
        files: of all images.
        side: height and width that they are resized to.
        mean, deviation: by channel, to standardise with; None leaves values in [0, 1].
    """

    def __init__(
        self,
        files: Sequence[Path],
        side: int,
        mean: tuple[float, ...] | None = None,
        deviation: tuple[float, ...] | None = None,
    ):
        self.files, self.side = files, side
        self.moments = None if mean is None else tuple(torch.tensor(m).view(-1, 1, 1) for m in (mean, deviation))

    def __getitem__(self, key: tuple[int, int, int]) -> tuple[Tensor, int]:
        file, turns, label = key
        with Image.open(self.files[file]) as opened:
            image = opened.convert(opened.mode)
        if image.size != (self.side, self.side):
            image = image.resize((self.side, self.side), Image.LANCZOS)
        if turns:
            image = image.rotate(90 * turns)
        values = torch.from_numpy(np.array(image)).view(self.side, self.side, -1).permute(2, 0, 1).contiguous()
        values = values.to(torch.float32).div(255)
        if self.moments is not None:
            values = values.sub(self.moments[0]).div(self.moments[1])
        return values, label


class EpisodeSampler(Sampler):
    """The peer's tasks, `count` in each pass: for each way a class and a quarter turn, and `each` of its images."""

    def __init__(self, classes: Sequence[range], turns: int, each: int, seed: int = 0):
        self.kinds = [(images, turn) for images in classes for turn in range(turns)]
        self.each, self.random, self.count = each, random.Random(seed), 1

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        for _ in range(self.count):
            yield [
                (image, turn, label)
                for label, (images, turn) in enumerate(self.random.sample(self.kinds, WAYS))
                for image in self.random.sample(images, self.each)
            ]


class Peer:
    """The peer's meta-batches.

    Args:
        dataset: its images.
        classes: the numbers of each class's images.
        turns: quarter turns that make classes of their own, 1 for none.
        shots: images of a class to adapt on.
        processes: of the DataLoader; 0 loads in this one.
    """

    def __init__(self, dataset: Dataset, classes: Sequence[range], turns: int, shots: int, processes: int):
        self.shots = shots
        self.sampler = EpisodeSampler(classes, turns, shots + QUERIES)
        self.loader = DataLoader(
            dataset, batch_sampler=self.sampler, num_workers=processes, persistent_workers=processes > 0
        )

    def draw(self, count: int, times: int = 1) -> Iterator[Batch]:
        """So many meta-batches of `count` tasks, the form of each that of `FewShotTasks.sample`."""
        self.sampler.count = count * times  # nothing is loaded ahead for the next call
        tasks = []
        for x, y in self.loader:
            parts = [part.unflatten(0, (WAYS, -1)) for part in (x, y)]
            tasks.append(
                [part[:, of].flatten(0, 1) for of in (slice(self.shots), slice(self.shots, None)) for part in parts]
            )
            if len(tasks) == count:
                yield tuple(torch.stack(part) for part in zip(*tasks, strict=True))
                tasks = []


def compare(
    folder: Path | str | None = None,
    rounds: int = 7,
    *,
    sources: Sequence[Source] | None = None,
    shots: Sequence[int] = SHOTS,
    meta_batches: Sequence[int] = META_BATCHES,
    dataset: type[ImageFiles] = ImageFiles,
    at_least: float = 0.25,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, object]:
    """Check that both draw the same kind of episode, then time them in turns.

    Args:
        folder: of the data sets, see `empirical.data.load`.
        rounds: how many times each is timed.
        sources: what to draw from; Omniglot, or made images of its sizes, and CIFAR-FS where it is there by default.
        shots: images of a class to adapt on, each of which is measured.
        meta_batches: numbers of tasks drawn at once, each of which is measured.
        dataset: how the peer reads an image; for tests.
        at_least: seconds that each is timed for in a round.
        report: called with a line on what is being done.

    Returns: JSON data: for each source `about` and `missing` (why its own images are not there, or None); `rows` with
    `episodes_per_second`, the medians of ours and of the peer by its number of processes, `ratio` of ours to the better peer, and
    whether the aim is `met`.

    Raises:
        DisagreementError: the two do not draw the same kind of episode.
    """
    missing = {}
    if sources is None:
        report("reading images")
        sources, missing = found_sources(folder)
    keep_freed_memory()  # as a Trainer does; it is the peer's gain too
    before = torch.get_num_threads()
    torch.set_num_threads(PEER_THREADS)
    try:
        rows = _rows(sources, rounds, shots, meta_batches, dataset, at_least, report)
        environment = records.environment("cpu", torch.float32)
    finally:
        torch.set_num_threads(before)
    return {
        "aim": AIM,
        "rounds": rounds,
        "queries": QUERIES,
        "threads": {"metaproof": THREADS, "files": PEER_THREADS},
        "sources": {
            source.name: {"about": source.about, "side": source.side, "rotations": source.rotations}
            for source in sources
        },
        "missing": missing,
        "rows": rows,
        "environment": environment,
    }


def _rows(
    sources: Sequence[Source],
    rounds: int,
    shots: Sequence[int],
    meta_batches: Sequence[int],
    dataset: type[ImageFiles],
    at_least: float,
    report: Callable[[str], None],
) -> list[dict[str, object]]:
    rows = []
    for source in sources:
        with tempfile.TemporaryDirectory() as written:
            report(f"{source.name}: writing the files")
            files, classes = write_files(source, Path(written))
            for number in shots:
                tasks = source.tasks(number)
                moments = (tasks.mean, tasks.deviation) if source.standardise else ()
                read = dataset(files, source.side, *moments)
                peers = {
                    processes: Peer(read, classes, QUARTERS if source.rotations else 1, number, processes)
                    for processes in LOADING
                }
                report(f"{source.name}, {WAYS}-way {number}-shot: checking")
                known = _known(tasks, source)
                for peer in peers.values():
                    check(tasks, peer, read, known)
                for count in meta_batches:
                    report(f"{source.name}, {WAYS}-way {number}-shot, {count} tasks: timing")
                    rows.append(_measured(source.name, tasks, peers, count, rounds, at_least))
    return rows


def table(found: dict[str, object]) -> str:
    """What `compare` found, for reading."""
    lines = [
        f"Episodes per second, {WAYS}-way with {found['queries']} queries a class, medians of {found['rounds']} rounds: "
        "FewShotTasks.sample against a DataLoader",
        "over image files (Pillow, one task a batch), loading in this process or in 2 others",
    ]
    for name, source in found["sources"].items():
        turned = ", rotated" if source["rotations"] else ""
        lines.append(f"{name}: {source['about']}, {source['side']} × {source['side']}{turned}")
    lines += found["missing"].values()
    cells = [["", "shots", "tasks", "metaproof", *(f"files, {n}" for n in LOADING), "ratio", "aim", "met"]]
    for row in found["rows"]:
        speeds = row["episodes_per_second"]
        cells.append(
            [
                row["source"],
                str(row["shots"]),
                str(row["tasks"]),
                *(f"{speeds[name]:,.0f}" for name in ("metaproof", *map(str, LOADING))),
                f"{row['ratio']:.1f}",
                str(found["aim"]),
                "yes" if row["met"] else "NO",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines += ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
    return "\n".join(lines)


# the images


def found_sources(folder: Path | str | None) -> tuple[list[Source], dict[str, str]]:
    """Omniglot, or made images of its sizes, and CIFAR-FS where it is there; and by name, why their own images are not there."""
    sources, missing = [], {}
    for name in ("omniglot", "cifar-fs"):
        title = DATASETS[name].title
        drawn = name == "omniglot"
        try:
            # not cached, for the files have other sizes than what is learned from
            images = load(name, folder, cache=False, side=DATASETS[name].shape[0])
            splits, about = splits_of(name, images), f"the images of {title}"
        except DataError as error:
            if not drawn:
                missing[name] = f"{name} is not measured: {str(error).rstrip('.')}."
                continue
            missing[name] = f"Omniglot's own images are not measured: {str(error).rstrip('.')}."
            splits = omniglot_vinyals()
            images = made_images(all_classes(splits), DATASETS[name].shape[0])
            about = f"made images, random strokes of the sizes of {title}"
        sources.append(Source(name, about, images, splits, DATASETS[name].side, rotations=drawn, standardise=not drawn))
    return sources, missing


def made_images(classes: Sequence[str], side: int, drawings: int = DRAWINGS) -> ImageSet:
    """Classes of strokes: a class is a random line of a few corners, a drawing of it has them moved a little; (N, side, side, 1)."""
    drawn = np.random.default_rng(0)
    images = np.empty((len(classes) * drawings, side, side, 1), np.uint8)
    for number in range(len(classes)):
        corners = drawn.uniform(0.1, 0.9, (6, 2)) * side
        for drawing in range(drawings):
            moved = corners + drawn.normal(0, 0.03, corners.shape) * side
            image = Image.new("L", (side, side))
            ImageDraw.Draw(image).line([tuple(corner) for corner in moved], fill=255, width=max(1, side // 35))
            images[number * drawings + drawing] = np.asarray(image)[..., None]
    return ImageSet(images, tuple(sorted(classes)), tuple(range(0, len(images) + 1, drawings)))


def write_files(source: Source, folder: Path) -> tuple[list[Path], list[range]]:
    """A PNG file of every image of the training classes; the files, and the numbers of each class's."""
    files: list[Path] = []
    classes = []
    for number, name in enumerate(source.splits["training"]):
        images = source.images.of_class(name)
        classes.append(range(len(files), len(files) + len(images)))
        (folder / str(number)).mkdir()
        for at, image in enumerate(images):
            file = folder / str(number) / f"{at}.png"
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file)
            files.append(file)
    return files, classes


# the check

Known = dict[bytes, tuple[int, int, int]]
"""From the pixels of an image to its class, its quarter turns and its file."""


def _known(tasks: FewShotTasks, source: Source) -> Known:
    """All images of the training classes as ours has them."""
    found: Known = {}
    file = 0
    for number, name in enumerate(source.splits["training"]):
        for image in tasks.images.of_class(name):
            for turns in range(QUARTERS if source.rotations else 1):
                found.setdefault(np.ascontiguousarray(np.rot90(image, turns)).tobytes(), (number, turns, file))
            file += 1
    return found


def check(tasks: FewShotTasks, peer: Peer, dataset: Dataset, known: Known, count: int = 2) -> None:
    """Draw `count` tasks by each. Raises DisagreementError where form, type, labels or the values of an image differ."""
    ours = tasks.sample(count, generator(0, "training"), "training", torch.float32)
    (theirs,) = peer.draw(count)
    for name, a, b in zip(
        ("support images", "support labels", "query images", "query labels"), ours, theirs, strict=True
    ):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise DisagreementError(
                f"The {name} are {tuple(a.shape)} {a.dtype} here and {tuple(b.shape)} {b.dtype} of the peer: expected the same."
            )
        if not a.is_floating_point() and not torch.equal(a, b):
            raise DisagreementError(
                f"The {name} are {a.tolist()} here and {b.tolist()} of the peer: expected the same."
            )
    for who, batch in (("ours", ours), ("the peer's", theirs)):
        for task in range(count):
            kinds: dict[int, set[tuple[int, int]]] = {}
            for x, y in ((batch[0][task], batch[1][task]), (batch[2][task], batch[3][task])):
                for image, label in zip(x, y.tolist(), strict=True):
                    at = known.get(_pixels(image, tasks))
                    if at is None:
                        raise DisagreementError(
                            f"An image of {who} is none of the data set's: it was read or resized in another way."
                        )
                    kinds.setdefault(label, set()).add(at[:2])
                    value = dataset[at[2], at[1], label][0]
                    if not torch.allclose(value, image, rtol=0, atol=TOLERANCE):
                        off = (value - image).abs().max().item()
                        raise DisagreementError(
                            f"An image of {who} is off by {off:.2g} from what the peer makes of its file."
                        )
            if sorted(map(len, kinds.values())) != [1] * WAYS or len(set.union(*kinds.values())) != WAYS:
                raise DisagreementError(f"A task of {who} has not {WAYS} classes, one for each label: it has {kinds}.")


def _pixels(image: Tensor, tasks: FewShotTasks) -> bytes:
    """Values (C, H, W) as the bytes of an image (H, W, C) uint8."""
    if tasks.standardise:
        mean, deviation = (torch.tensor(m).view(-1, 1, 1) for m in (tasks.mean, tasks.deviation))
        image = image * deviation + mean
    return (image * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy().tobytes()


# the times


def _measured(
    name: str, tasks: FewShotTasks, peers: dict[int, Peer], count: int, rounds: int, at_least: float
) -> dict[str, object]:
    def ours(times: int) -> float:
        torch.set_num_threads(THREADS)
        began = time.perf_counter()
        for step in range(times):  # as a Trainer draws
            tasks.sample(count, generator(0, "training", step), "training", torch.float32)
        seconds = (time.perf_counter() - began) / times
        torch.set_num_threads(PEER_THREADS)
        return seconds

    def theirs(peer: Peer) -> Callable[[int], float]:
        def run(times: int) -> float:
            began = time.perf_counter()
            drawn = sum(1 for _ in peer.draw(count, times))
            return (time.perf_counter() - began) / drawn

        return run

    engines = {"metaproof": ours} | {str(processes): theirs(peer) for processes, peer in peers.items()}
    seconds, failures = interleaved(engines, rounds, at_least)
    for failure in failures.values():
        raise failure
    speeds = {engine: count / median(each) for engine, each in seconds.items()}
    ratio = speeds["metaproof"] / max(speeds[str(processes)] for processes in peers)
    return {
        "source": name,
        "ways": tasks.ways,
        "shots": tasks.shots,
        "tasks": count,
        "episodes_per_second": speeds,
        "ratio": ratio,
        "met": ratio >= AIM,
    }
