"""The image data: what the readers accept and refuse, digests, the cache, the splits, and the command."""

import dataclasses
import hashlib
import io
import json
import os
import pickle
import re
import sys
import tarfile
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from empirical.__main__ import main
from empirical.data import (
    DATASETS,
    DataError,
    ImageSet,
    cifar_fs,
    load,
    mini_imagenet,
    omniglot,
    pickles,
    splits,
    splits_of,
)
from empirical.data import check as checking
from empirical.data.check import check, digests_of
from empirical.data.datasets import Download

RNG = np.random.default_rng(0)

# pickles


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def loaded(value, protocol=2):
    return pickles.load(io.BytesIO(pickle.dumps(value, protocol)))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_and_arrays_come_through(protocol):
    value = {
        "array": RNG.integers(0, 255, (3, 4), np.uint8),
        "fortran": np.asfortranarray(RNG.normal(size=(2, 3))),
        "big-endian": np.arange(3, dtype=">i4"),
        "text": np.array(["a", "bcd"]),
        "truth": np.array([True, False]),
        "scalar": np.float32(0.5),
        "rest": [1, 2.5, None, True, (1,), {2, 3}, frozenset({4}), "µ", b"", b"\xff\x00"],
    }
    found = loaded(value, protocol)
    assert list(found) == list(value)
    for name in ("array", "fortran", "big-endian", "text", "truth"):
        # numpy itself turns what it reads into its own byte order
        assert np.asarray(found[name]).dtype.newbyteorder("=") == value[name].dtype.newbyteorder("=")
        assert np.array_equal(found[name], value[name])
    assert found["scalar"] == 0.5 and isinstance(found["scalar"], np.float32)
    assert found["rest"] == value["rest"]


def test_python_2_text_comes_as_bytes():
    # what Python 2 writes for {"data": array([1, 2], uint8)}
    content = (
        b"\x80\x02}q\x00U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x01\x02tbs."
    )
    found = pickles.load(io.BytesIO(content))
    assert list(found) == [b"data"] and np.array_equal(found[b"data"], [1, 2])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_a_command_is_refused_and_runs_nothing(tmp_path, protocol):
    mark = tmp_path / "mark"
    content = pickle.dumps([1, Calls(os.system, f"touch {mark}")], protocol)
    with pytest.raises(pickles.UnsafePickle, match=r"asks for posix\.system, .*nothing was run"):
        pickles.load(io.BytesIO(content))
    assert not mark.exists()
    pickle.loads(content)  # the same bytes do run where nothing stops them
    assert mark.exists()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Calls(eval, "1 + 1"), r"builtins__?\.eval|builtin.*\.eval"),
        (Calls(getattr, "a", "upper"), "getattr"),
        (Calls(np.load, "x"), "load"),
        (Calls(Path, "x"), "Path"),
        (np.array([1, "a", None], object), r"type 'O8'"),
        (np.zeros(2, [("a", "i4"), ("b", "O")]), "type 'V12'"),
        (np.array([np.datetime64("2020-01-01")]), "type 'M8'"),
        (Calls(np._core.multiarray._reconstruct, np.ndarray, (0,), "O"), "in a way that numpy does not"),
        (Calls(np._core.multiarray._reconstruct, np.ndarray, (1 << 40,), "b"), "in a way that numpy does not"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_is_not_plain_is_refused_by_name(value, named, protocol):
    with pytest.raises(pickles.UnsafePickle, match=named):
        loaded(value, protocol)


def test_no_array_of_objects_can_be_built_by_hand():
    # an honest dtype of numbers whose state claims that it holds pointers
    claims = b"\x80\x02cnumpy\ndtype\nU\x02i8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb."
    with pytest.raises(pickles.UnsafePickle, match="with the state"):
        pickles.load(io.BytesIO(claims))
    # the class itself, called with a dtype of objects
    called = b"\x80\x02cnumpy\nndarray\nK\x02\x85U\x01O\x86R."
    with pytest.raises(ValueError):
        pickles.load(io.BytesIO(called))
    # the array's state with a list in place of bytes
    listed = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x01\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89]K\x01atb."
    )
    with pytest.raises(pickles.UnsafePickle, match="array of objects"):
        pickles.load(io.BytesIO(listed))
    with pytest.raises(pickles.UnsafePickle, match="latin1"):
        pickles.load(io.BytesIO(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R."))


@pytest.mark.parametrize("content", [b"", b"<html>", pickle.dumps(np.arange(100))[:60], b"\x80\x04K\x01"])
def test_a_damaged_pickle_is_said_to_be_one(content):
    with pytest.raises(ValueError, match="cut short or damaged"):
        pickles.load(io.BytesIO(content))


# small data sets in the official layouts


def png(pixels):
    """A 1-bit PNG of pixels (H, W), 1 where there is ink."""
    file = io.BytesIO()
    Image.fromarray((1 - pixels).astype(bool)).save(file, "png")
    return file.getvalue()


@pytest.fixture
def drawings(monkeypatch):
    """By file, the PNGs of a small Omniglot."""
    characters = {
        "images_background": ("Greek/character01", "Greek/character02"),
        "images_evaluation": ("Tifinagh/character01",),
    }
    monkeypatch.setattr(omniglot, "CHARACTERS", tuple(c for found in characters.values() for c in found))
    monkeypatch.setattr(omniglot, "DRAWINGS", 3)
    monkeypatch.setattr(omniglot, "SIDE", 12)
    rng = np.random.default_rng(1)
    return {
        f"{part}/{character}/{at:04}_{drawing:02}.png": png(rng.integers(0, 2, (12, 12)))
        for part, found in characters.items()
        for at, character in enumerate(found)
        for drawing in (1, 2, 3)
    }


def zipped(folder, drawings, compression=zipfile.ZIP_STORED):
    folder.mkdir(parents=True, exist_ok=True)
    for part in omniglot.PARTS:
        with zipfile.ZipFile(folder / f"{part}.zip", "w", compression) as archive:
            for name, content in drawings.items():
                if name.startswith(part):
                    archive.writestr(name, content)
    return folder


def unpacked(folder, drawings):
    for name, content in drawings.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def cifar(monkeypatch):
    """The tables of a small CIFAR-100."""
    monkeypatch.setattr(cifar_fs, "CLASSES", ("apple", "bear", "clock"))
    monkeypatch.setattr(cifar_fs, "IMAGES", 4)
    rng = np.random.default_rng(2)
    data, labels = rng.integers(0, 256, (12, 3072), np.uint8), [number % 3 for number in range(12)]
    return {
        "train": {b"data": data[:9], b"fine_labels": labels[:9], b"filenames": [b"x.png"] * 9},
        "test": {b"data": data[9:], b"fine_labels": labels[9:], b"filenames": [b"x.png"] * 3},
        "meta": {b"fine_label_names": [b"clock", b"apple", b"bear"]},
    }


def in_folder(folder, tables):
    (folder / cifar_fs.UNPACKED).mkdir(parents=True, exist_ok=True)
    for part, table in tables.items():
        (folder / cifar_fs.UNPACKED / part).write_bytes(pickle.dumps(table, 2))
    return folder


def in_tar(folder, tables):
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / cifar_fs.ARCHIVE, "w:gz") as archive:
        for part, table in tables.items():
            content = pickle.dumps(table, 4)
            member = tarfile.TarInfo(f"{cifar_fs.UNPACKED}/{part}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return folder


@pytest.fixture
def photographs(monkeypatch):
    """By split and label, images (3, 16, 16, 3) of a small mini-ImageNet."""
    named = {"training": ("n1", "n2", "n3"), "validation": ("n4",), "test": ("n5", "n6")}
    monkeypatch.setattr(mini_imagenet, "CLASSES", named)
    monkeypatch.setattr(mini_imagenet, "IMAGES", 3)
    monkeypatch.setattr(mini_imagenet, "SIDE", 16)
    rng = np.random.default_rng(3)
    labels = {"training": ("n3", "n1", "n2"), "validation": ("n4",), "test": ("n6", "n5")}
    return {
        split: {label: rng.integers(0, 256, (3, 16, 16, 3), np.uint8) for label in found}
        for split, found in labels.items()
    }


def as_jpegs(folder, photographs):
    (folder / "images").mkdir(parents=True)
    for split, of_split in photographs.items():
        rows = ["filename,label"]
        for label, images in of_split.items():
            for number, image in enumerate(images):
                name = f"{label}{number:08}.jpg"
                Image.fromarray(image).save(folder / "images" / name, quality=95)
                rows.append(f"{name},{label}")
        (folder / f"{mini_imagenet.SHORT[split]}.csv").write_text("\n".join(rows) + "\n")
    return folder


def as_cache(folder, photographs, protocol=2, encode=str):
    folder.mkdir(parents=True, exist_ok=True)
    for split, of_split in photographs.items():
        places = {encode(label): list(range(3 * at, 3 * at + 3)) for at, label in enumerate(of_split)}
        table = {encode("image_data"): np.concatenate(list(of_split.values())), encode("class_dict"): places}
        path = folder / f"mini-imagenet-cache-{mini_imagenet.SHORT[split]}.pkl"
        path.write_bytes(pickle.dumps(table, protocol))
    return folder


def as_numbered(folder, photographs, named=False):
    folder.mkdir(parents=True, exist_ok=True)
    first = 0
    for split, of_split in photographs.items():
        labels = [first + at for at in range(len(of_split)) for _ in range(3)]
        names = {label: first + at for at, label in enumerate(of_split)} if named else {}
        table = {"data": np.concatenate(list(of_split.values())), "labels": labels, "catname2label": names}
        (folder / mini_imagenet.LAYOUTS[2][1][split]).write_bytes(pickle.dumps(table))
        first += len(of_split)
    return folder


def set_of(groups):
    return ImageSet.of({name: np.asarray(images) for name, images in groups.items()})


# the set of images


def test_digests_do_not_depend_on_order():
    groups = {name: RNG.integers(0, 256, (5, 4, 4, 1), np.uint8) for name in ("b", "a", "c")}
    one, other = set_of(groups), set_of({name: groups[name][::-1] for name in sorted(groups)})
    assert one.classes == ("a", "b", "c") and one.starts == (0, 5, 10, 15)
    assert np.array_equal(one.images, other.images)
    assert one.digest() == other.digest() and one.digest("a") == other.digest("a") and repr(one) == repr(other)
    assert sorted(one.of_class("b").tolist()) == sorted(groups["b"].tolist())
    changed = {name: images.copy() for name, images in groups.items()}
    changed["b"][2, 1, 1, 0] ^= 1
    changed = set_of(changed)
    assert (
        changed.digest("b") != one.digest("b")
        and changed.digest("a") == one.digest("a")
        and changed.digest() != one.digest()
    )
    # the same bytes as other shapes, or under other names
    assert set_of({name: images.reshape(5, 2, 8, 1) for name, images in groups.items()}).digest("a") != one.digest("a")
    assert set_of({name + "x": images for name, images in groups.items()}).digest() != one.digest()


def test_a_set_of_images_is_validated():
    images = np.zeros((4, 2, 2, 1), np.uint8)
    for wrong in (
        (images.astype(float), ("a",), (0, 4)),
        (images[0], ("a",), (0, 4)),
        (images, ("b", "a"), (0, 2, 4)),
        (images, ("a", "a"), (0, 2, 4)),
        (images, ("a", "b"), (0, 4)),
        (images, ("a", "b"), (0, 4, 4)),
        (images, ("a",), (0, 3)),
    ):
        with pytest.raises(ValueError):
            ImageSet(*wrong)
    with pytest.raises(ValueError, match="no images"):
        ImageSet.of({})


def test_resizing_is_that_of_pillow():
    images = set_of(
        {"a": RNG.integers(0, 256, (2, 12, 12, 1), np.uint8), "b": RNG.integers(0, 256, (2, 12, 12, 1), np.uint8)}
    )
    small = images.resized(5)
    assert small.images.shape == (4, 5, 5, 1) and small.classes == images.classes
    for whole, part in zip(images.images, small.images, strict=True):
        assert np.array_equal(part[..., 0], np.asarray(Image.fromarray(whole[..., 0]).resize((5, 5), Image.LANCZOS)))
    assert images.resized(12) is images


# Omniglot


def test_omniglot_from_zips_and_folders_is_the_same(tmp_path, drawings):
    one = omniglot.read(zipped(tmp_path / "zips", drawings))
    backwards = dict(reversed(drawings.items()))
    backwards["images_background/Greek/._character01.png"] = b"left by a file manager"
    others = [
        omniglot.read(zipped(tmp_path / "deflated", backwards, zipfile.ZIP_DEFLATED)),
        omniglot.read(unpacked(tmp_path / "folders", drawings)),
    ]
    assert one.images.shape == (9, 12, 12, 1) and one.classes == omniglot.CHARACTERS
    for other in others:
        assert np.array_equal(one.images, other.images) and one.digest() == other.digest()
    # ink is 255
    found = np.asarray(Image.open(io.BytesIO(drawings["images_background/Greek/character01/0000_01.png"])))
    assert any(np.array_equal(image[..., 0], np.where(found, 0, 255)) for image in one.of_class("Greek/character01"))


def without(table, *keys):
    return {key: value for key, value in table.items() if key not in keys}


DRAWING = "images_background/Greek/character01/0000_02.png"


@pytest.mark.parametrize("write", [zipped, unpacked])
def test_omniglot_names_what_is_missing_or_wrong(tmp_path, drawings, write):
    def refused(changed, match):
        folder = tmp_path / hashlib.sha256(match.encode()).hexdigest()[:8]
        with pytest.raises(DataError, match=match):
            omniglot.read(write(folder, changed))

    refused(without(drawings, DRAWING), "Greek/character01 of Omniglot in .* has no drawing 02: expected 3, found 2")
    refused(
        without(drawings, *(name for name in drawings if "Tifinagh" in name))
        | {"images_evaluation/x/character01/0000_01.png": drawings[DRAWING]},
        "has no character Tifinagh/character01: expected 3, found 3",
    )
    refused(
        drawings | {"images_background/Greek/character09/0000_01.png": drawings[DRAWING]},
        "character Greek/character09 that",
    )
    refused(
        drawings | {"images_background/Greek/character01/0009_02.png": drawings[DRAWING]},
        "drawing 02 of Greek/character01 twice",
    )
    refused(drawings | {DRAWING: png(np.zeros((12, 13), int))}, f"{DRAWING} of .* has 13 × 12 pixels: expected 12 × 12")
    refused(drawings | {DRAWING: drawings[DRAWING][:50]}, f"{DRAWING} of .* cannot be decoded")
    refused(drawings | {DRAWING: b"no image"}, f"{DRAWING} of .* cannot be decoded as an image .no image format")
    refused(drawings | {DRAWING: b""}, f"{DRAWING} of .* cannot be decoded")


HTML = b"\n<!DOCTYPE html><html><body>404: not found</body></html>"


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (
            lambda path: path.unlink(),
            r"Omniglot \(images_evaluation\) is not in .*: expected images_evaluation.zip or images_evaluation there",
        ),
        (
            lambda path: path.write_bytes(HTML),
            "images_evaluation.zip is a web page, not an archive: delete it and fetch it again",
        ),
        (lambda path: path.write_bytes(b""), "images_evaluation.zip is empty"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-30]),
            "images_evaluation.zip cannot be read .*cut short or damaged",
        ),
        (
            lambda path: path.write_bytes(b"PK\x03\x04" + bytes(400)),
            "images_evaluation.zip cannot be read .*cut short or damaged",
        ),
        (
            lambda path: path.write_bytes(path.read_bytes().replace(b"IDAT", b"IDXX", 1)),
            "images_evaluation.zip cannot be read .*Bad CRC-32.*cut short or damaged",
        ),
    ],
)
def test_omniglot_says_what_is_wrong_with_an_archive(tmp_path, drawings, spoil, match):
    folder = zipped(tmp_path, drawings)
    spoil(folder / "images_evaluation.zip")
    with pytest.raises(DataError, match=match):
        omniglot.read(folder)


# CIFAR-FS


def test_cifar_from_the_archive_and_the_folder_is_the_same(tmp_path, cifar):
    one, other = cifar_fs.read(in_tar(tmp_path / "tar", cifar)), cifar_fs.read(in_folder(tmp_path / "folder", cifar))
    assert one.images.shape == (12, 32, 32, 3) and one.classes == ("apple", "bear", "clock")
    assert np.array_equal(one.images, other.images)
    # label 1 is "apple"; a row has all of red first
    row = cifar["train"][b"data"][1]
    assert any(np.array_equal(image.transpose(2, 0, 1).ravel(), row) for image in one.of_class("apple"))
    # which of the two parts an image is in says nothing
    moved = {
        "train": {b"data": cifar["test"][b"data"], b"fine_labels": cifar["test"][b"fine_labels"]},
        "test": {b"data": cifar["train"][b"data"], b"fine_labels": cifar["train"][b"fine_labels"]},
        "meta": cifar["meta"],
    }
    assert cifar_fs.read(in_tar(tmp_path / "moved", moved)).digest() == one.digest()


@pytest.mark.parametrize("write", [in_tar, in_folder])
def test_cifar_names_what_is_missing_or_wrong(tmp_path, cifar, write):
    def refused(part, table, match):
        folder = tmp_path / hashlib.sha256(match.encode()).hexdigest()[:8]
        with pytest.raises(DataError, match=match):
            cifar_fs.read(write(folder, cifar | {part: table}))

    train = cifar["train"]
    refused("meta", {b"fine_label_names": [b"clock", b"apple"]}, "meta.* has no class bear: expected 3, found 2")
    refused(
        "meta", {b"fine_label_names": [b"clock", b"apple", b"bear", b"cup"]}, "a class cup that the data set has not"
    )
    refused("meta", {}, "meta.* has no 'fine_label_names': expected it beside nothing")
    refused("meta", [1], "meta.* holds a list: expected a dict")
    refused(
        "train", without(train, b"fine_labels"), "train.* has no 'fine_labels': expected it beside 'data', 'filenames'"
    )
    refused(
        "train", train | {b"data": train[b"data"][:, :-1]}, r"train.* has images of shape \(9, 3071\) and type uint8"
    )
    refused("train", train | {b"data": train[b"data"].astype(np.int32)}, "and type int32")
    refused("train", train | {b"data": train[b"data"][:8]}, "train.* has 8 images and 9 labels")
    refused("train", train | {b"fine_labels": [3] * 9}, "labels from 0 to 2")
    refused(
        "train",
        train | {b"fine_labels": [0.5] * 9},
        "the labels of .*train.* are of shape .*expected a list of whole numbers",
    )
    refused("train", train | {b"fine_labels": [0] * 9}, "has 10 images of the class clock: expected 4")
    refused("train", {b"data": Calls(eval, "1")}, "train.* was not read: the pickle asks for .*eval")


def test_cifar_says_what_is_wrong_with_an_archive(tmp_path, cifar):
    with pytest.raises(
        DataError, match=r"CIFAR-100 is not in .*: expected cifar-100-python.tar.gz or cifar-100-python there"
    ):
        cifar_fs.read(tmp_path)
    folder = in_tar(tmp_path, cifar)
    path = folder / cifar_fs.ARCHIVE
    whole = path.read_bytes()
    for content, match in (
        (HTML, "is a web page, not an archive"),
        (whole[: len(whole) // 2], "cannot be read .*cut short or damaged"),
        (whole[:1000] + bytes(50) + whole[1050:], "cannot be read .*cut short or damaged"),
        (b"PK\x03\x04" + bytes(90), "cannot be read .*cut short or damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"{cifar_fs.ARCHIVE} {match}"):
            cifar_fs.read(folder)
    path.unlink()
    in_tar(tmp_path, without(cifar, "meta"))
    with pytest.raises(DataError, match="has no file cifar-100-python/meta"):
        cifar_fs.read(folder)
    path.unlink()
    in_folder(tmp_path, without(cifar, "test"))
    with pytest.raises(DataError, match="has no file 'test'"):
        cifar_fs.read(folder)


# mini-ImageNet


def test_mini_imagenet_in_its_layouts(tmp_path, photographs):
    named = ("test/n5", "test/n6", "training/n1", "training/n2", "training/n3", "validation/n4")
    one = mini_imagenet.read(as_cache(tmp_path / "cache", photographs))
    for protocol in (0, 4, 5):
        assert (
            mini_imagenet.read(as_cache(tmp_path / f"cache{protocol}", photographs, protocol)).digest() == one.digest()
        )
    python2 = as_cache(tmp_path / "python2", photographs, 2, lambda name: name.encode())
    assert mini_imagenet.read(python2).digest() == one.digest()
    assert one.classes == named and one.images.shape == (18, 16, 16, 3)
    assert sorted(one.of_class("training/n1").tolist()) == sorted(photographs["training"]["n1"].tolist())
    assert splits_of("mini-imagenet", one) == {
        "training": named[2:5],
        "validation": named[5:],
        "test": named[:2],
    }
    numbered = mini_imagenet.read(as_numbered(tmp_path / "numbered", photographs))
    assert numbered.classes[:3] == ("test/class004", "test/class005", "training/class000")
    assert numbered.digest("training/class001") == one.digest("training/n1")
    named_too = mini_imagenet.read(as_numbered(tmp_path / "named", photographs, named=True))
    assert named_too.digest() == one.digest() and named_too.classes == named
    jpegs = mini_imagenet.read(as_jpegs(tmp_path / "jpegs", photographs))
    assert jpegs.classes == named
    compressed = np.asarray(Image.open(tmp_path / "jpegs" / "images" / "n500000001.jpg"))
    assert any(np.array_equal(image, compressed) for image in jpegs.of_class("test/n5"))


def test_mini_imagenet_resizes_what_is_larger(tmp_path, photographs):
    folder = as_jpegs(tmp_path, photographs)
    path = folder / "images" / "n400000000.jpg"
    Image.fromarray(RNG.integers(0, 256, (30, 40), np.uint8)).save(path)  # grey, as some of ImageNet are
    expected = np.asarray(Image.open(path).convert("RGB").resize((16, 16), Image.LANCZOS))
    assert any(np.array_equal(image, expected) for image in mini_imagenet.read(folder).of_class("validation/n4"))


def test_mini_imagenet_names_what_is_missing_or_wrong(tmp_path, photographs):
    with pytest.raises(
        DataError, match=r"mini-ImageNet is not in .*: expected one of these sets of files there: train.csv"
    ):
        mini_imagenet.read(tmp_path)
    folder = as_jpegs(tmp_path / "jpegs", photographs)

    def refused(path, content, match):
        before = path.read_bytes()
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        with pytest.raises(DataError, match=match):
            mini_imagenet.read(folder)
        path.write_bytes(before)

    image, table = folder / "images" / "n100000002.jpg", folder / "train.csv"
    rows = table.read_text()
    refused(image, None, "n100000002.jpg is missing, and train.csv names it")
    refused(image, image.read_bytes()[:400], "n100000002.jpg cannot be decoded as an image")
    refused(image, HTML, "n100000002.jpg cannot be decoded as an image")
    refused(folder / "val.csv", None, "val.csv is missing, and train.csv is there")
    refused(table, HTML, "train.csv is a web page")
    refused(table, b"a,b\n1,2\n", "train.csv is no table with the columns filename and label")
    refused(table, b"\xff\xfe\x00", "train.csv is no table with the columns")
    refused(table, rows.replace("n100000002.jpg", "../n1.jpg").encode(), "expected a file's name and its label")
    refused(
        table, rows.replace("n100000002.jpg,n1\n", "").encode(), "train.csv has 2 images of the class n1: expected 3"
    )
    refused(table, rows.replace(",n1\n", ",n2\n").encode(), "train.csv has no class n1: expected 3, found 2")
    refused(table, rows.replace(",n", ",class").encode(), "train.csv has no class n1")  # no numbers: names of others
    refused(
        folder / "val.csv",
        (folder / "val.csv").read_text().replace(",n4", ",n1").encode(),
        "val.csv has no class n4",
    )

    folder = as_cache(tmp_path / "cache", photographs)
    path = folder / "mini-imagenet-cache-val.pkl"
    images = photographs["validation"]["n4"]
    for value, match in (
        ({"image_data": images}, "has no 'class_dict'"),
        ({"image_data": images[:, :8], "class_dict": {}}, r"has images of shape \(3, 8, 16, 3\)"),
        ({"image_data": images, "class_dict": [1]}, "class_dict of .* is a list"),
        ({"image_data": images, "class_dict": {"n4": [0, 1, 3]}}, "has 3 images, and n4 asks for another"),
        ({"image_data": images, "class_dict": {"n4": ["a"]}}, "the indices of n4 .*expected a list of whole numbers"),
        ({"image_data": Calls(os.system, "true")}, "was not read: the pickle asks for posix.system"),
    ):
        refused(path, pickle.dumps(value), match)
    refused(path, path.read_bytes()[:300], "was not read: the pickle is cut short or damaged")

    folder = as_numbered(tmp_path / "numbered", photographs)
    refused(
        folder / "miniImageNet_category_split_val.pickle",
        pickle.dumps({"data": images, "labels": [1, 1]}),
        "has 3 images and 2 labels",
    )
    for names, match in (
        ({}, "has 2 classes: expected 1"),
        ({"n4": 1}, "has 2 classes: expected 1"),  # one of them has no name
        ({"n4": 1, "n5": 2, "n6": 3}, "has a class n5 that the data set has not"),
        ({"n8": 1, "n9": 2}, "has no class n4"),
        ({"n4": "1", "n5": "2"}, "the labels of the names in .*expected a list of whole numbers"),
        ([1], "catname2label of .* is a list"),
    ):
        refused(
            folder / "miniImageNet_category_split_val.pickle",
            pickle.dumps({"data": images, "labels": [1, 1, 2], "catname2label": names}),
            match,
        )


# the cache


@pytest.fixture
def reads(monkeypatch):
    """Grows by one whenever Omniglot is decoded."""
    found = []
    read = omniglot.read
    monkeypatch.setattr(omniglot, "read", lambda folder: found.append(folder) or read(folder))
    return found


def test_what_is_decoded_is_kept(tmp_path, drawings, reads):
    folder, cache = zipped(tmp_path / "data", drawings), tmp_path / "cache"
    first = load("omniglot", folder, cache, side=6)
    again = load("omniglot", folder, cache, side=6)
    assert len(reads) == 1
    assert isinstance(again.images, np.memmap) and not again.images.flags.writeable
    assert np.array_equal(first.images, again.images) and (first.classes, first.starts) == (again.classes, again.starts)
    assert first.digest() == load("omniglot", folder, False, side=6).digest()
    assert len(reads) == 2
    load("omniglot", folder, cache, side=7)  # another size is another entry
    assert len(reads) == 3 and len(list(cache.iterdir())) == 4
    drawings[DRAWING] = png(np.ones((12, 12), int))  # and so are other sources
    assert load("omniglot", zipped(folder, drawings), cache, side=6).digest() != first.digest()
    assert len(reads) == 4 and len(list(cache.iterdir())) == 6
    assert not [file for file in cache.iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-3],
        lambda whole: b"",
        lambda whole: whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:],
        lambda whole: None,
    ],
    ids=["short", "empty", "a bit", "gone"],
)
def test_a_damaged_entry_of_the_cache_is_made_anew(tmp_path, drawings, reads, suffix, damage):
    folder, cache = zipped(tmp_path / "data", drawings), tmp_path / "cache"
    expected = load("omniglot", folder, cache, side=6).digest()
    (file,) = cache.glob(f"*{suffix}")
    content = damage(file.read_bytes())
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert load("omniglot", folder, cache, side=6).digest() == expected
    assert load("omniglot", folder, cache, side=6).digest() == expected
    assert len(reads) == 2


def test_nothing_is_kept_where_reading_failed(tmp_path, drawings):
    folder, cache = zipped(tmp_path / "data", without(drawings, DRAWING)), tmp_path / "cache"
    with pytest.raises(DataError, match="has no drawing 02"):
        load("omniglot", folder, cache)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, drawings):
    folder = zipped(tmp_path / "data", drawings)
    (tmp_path / "file").write_text("no folder")
    with pytest.warns(UserWarning, match="cannot be kept in .*file.*METAPROOF_CACHE"):
        found = load("omniglot", folder, tmp_path / "file", side=6)
    assert len(found.images) == 9


def test_folders_come_from_the_environment(tmp_path, drawings, monkeypatch):
    monkeypatch.setenv("METAPROOF_DATA", str(zipped(tmp_path / "data", drawings)))
    monkeypatch.setenv("METAPROOF_CACHE", str(tmp_path / "cache"))
    assert len(load("omniglot").images) == 9 and len(list((tmp_path / "cache").iterdir())) == 2
    monkeypatch.delenv("METAPROOF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    load("omniglot")
    assert len(list((tmp_path / "caches" / "metaproof").iterdir())) == 2
    monkeypatch.delenv("METAPROOF_DATA")
    monkeypatch.chdir(tmp_path)
    assert len(load("omniglot", cache=False).images) == 9
    monkeypatch.chdir(tmp_path / "cache")
    with pytest.raises(DataError, match=r"is not in 'data': .*by --data or METAPROOF_DATA"):
        load("omniglot")


def test_load_refuses_an_unknown_name_and_size(tmp_path):
    with pytest.raises(
        DataError, match="no data set 'omniglott'; the nearest is 'omniglot', and all are omniglot, cifar-fs"
    ):
        load("omniglott", tmp_path)
    with pytest.raises(DataError, match="The side is 0 pixels"):
        load("omniglot", tmp_path, side=0)
    with pytest.raises(DataError, match="has no splits 'ravi': expected 'vinyals' or 'arnold2019'"):
        splits_of("omniglot", set_of({"a": np.zeros((1, 2, 2, 1), np.uint8)}), "ravi")


# splits


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        (splits.cifar_fs(), (64, 16, 20)),
        (splits.mini_imagenet(), (64, 16, 20)),
        (splits.omniglot_vinyals(), (1028, 172, 423)),
        (splits.omniglot_arnold2019(), (1100, 100, 423)),
    ],
)
def test_splits_are_disjoint_and_complete(found, counts):
    assert tuple(len(found[split]) for split in splits.SPLITS) == counts
    names = splits.all_classes(found)
    assert len(set(names)) == sum(counts) == (100 if counts[0] == 64 else 1623)
    assert all(list(found[split]) == sorted(found[split]) for split in splits.SPLITS)


def test_the_splits_of_arnold2019_are_those_declared():
    vinyals, arnold = splits.omniglot_vinyals(), splits.omniglot_arnold2019()
    assert arnold["test"] == vinyals["test"]

    def key(name):
        return hashlib.sha256(name.encode()).hexdigest()

    assert max(map(key, arnold["validation"])) < min(map(key, arnold["training"]))


# check and command


@pytest.fixture
def small(monkeypatch):
    """DATASETS with the counts of the small Omniglot, and no digests."""
    monkeypatch.setitem(
        DATASETS, "omniglot", dataclasses.replace(DATASETS["omniglot"], classes=3, images=9, shape=(12, 12, 1))
    )
    monkeypatch.setattr(checking, "digests", lambda name: {})


def test_check_compares_counts_and_pixels(tmp_path, drawings, small, monkeypatch, capsys):
    folder = zipped(tmp_path, drawings)
    found = check("omniglot", folder)
    assert str(found).startswith(
        "Omniglot: 9 images of 12 × 12 × 1 in 3 classes; no digests of pixels are known (sha256 "
    )
    known = json.loads(digests_of(omniglot.read(folder), "this test"))
    assert known["computed_from"] == "this test"
    monkeypatch.setattr(checking, "digests", lambda name: known["classes"])
    assert main(["data", "check", "omniglot", "--data", str(folder)]) == 0
    assert "the pixels of all 3 are the expected ones" in capsys.readouterr().out
    drawings["images_evaluation/Tifinagh/character01/0000_01.png"] = png(np.ones((12, 12), int))
    assert main(["data", "check", "omniglot", "--data", str(zipped(folder, drawings))]) == 2
    said = capsys.readouterr().err
    assert "the pixels of the class Tifinagh/character01 are not the expected ones" in said and said.count("\n") == 1
    monkeypatch.setitem(DATASETS, "omniglot", dataclasses.replace(DATASETS["omniglot"], images=10))
    with pytest.raises(DataError, match=r"has 3 classes, 9 images and shape \(12, 12, 1\): expected 3, 10"):
        check("omniglot", folder)


@pytest.mark.parametrize(("name", "classes"), [("omniglot", 1623), ("cifar-fs", 100), ("mini-imagenet", 0)])
def test_digests_come_with_the_package(name, classes):
    found = checking.digests(name)
    assert len(found) == classes and all(len(digest) == 64 for digest in found.values())
    if found:
        assert tuple(sorted(found)) == {"omniglot": omniglot.CHARACTERS, "cifar-fs": cifar_fs.CLASSES}[name]


@pytest.fixture
def server(tmp_path, drawings, small, monkeypatch):
    """Files that a stand-in for pooch downloads, by name; their digests are the expected ones."""
    files = {path.name: path.read_bytes() for path in zipped(tmp_path / "server", drawings).iterdir()}

    def retrieve(address, known_hash, fname, path):
        if fname not in files:
            raise OSError("404 Client Error: Not Found")
        (Path(path) / fname).write_bytes(files[fname])

    monkeypatch.setitem(sys.modules, "pooch", types.SimpleNamespace(retrieve=retrieve))
    downloads = tuple(
        Download(f"https://example.org/{part}.zip", hashlib.md5(files[f"{part}.zip"]).hexdigest())
        for part in omniglot.PARTS
    )
    monkeypatch.setitem(DATASETS, "omniglot", dataclasses.replace(DATASETS["omniglot"], downloads=downloads))
    return files


def test_fetch_says_terms_first_checks_and_overwrites_nothing(tmp_path, server, capsys):
    folder = tmp_path / "data"
    fetch = ["data", "fetch", "omniglot", "--data", str(folder)]
    assert main(fetch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Omniglot: 16 MB; MIT licence (Brenden Lake, 2015)"
    assert lines[1] == "https://example.org/images_background.zip" and "9 images" in lines[-1]
    assert sorted(path.name for path in folder.iterdir()) == ["images_background.zip", "images_evaluation.zip"]
    assert main(fetch) == 2
    assert "images_background.zip is there already, and is not overwritten" in capsys.readouterr().err
    for path in folder.iterdir():
        path.unlink()
    (folder / "images_evaluation").mkdir()
    assert main(fetch) == 2
    assert "images_evaluation is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (HTML, "images_evaluation.zip is a web page"),
        (b"PK\x03\x04", "images_evaluation.zip came with the md5 .*: expected .*not kept"),
        (None, r"Omniglot was not fetched \(OSError: 404 Client Error: Not Found\); try again later"),
    ],
)
def test_a_failed_fetch_leaves_nothing(tmp_path, server, capsys, content, match):
    server["images_evaluation.zip"] = content
    if content is None:
        del server["images_evaluation.zip"]
    folder = tmp_path / "data"
    assert main(["data", "fetch", "omniglot", "--data", str(folder)]) == 2
    said = capsys.readouterr().err
    assert re.search(match, said) and said.startswith("python -m empirical data fetch: ") and said.count("\n") == 1
    assert not list(folder.iterdir())


def test_fetch_needs_an_address_and_pooch(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert main(["data", "fetch", "cifar-fs", "--data", str(tmp_path)]) == 2
    assert "Downloads need pooch, which is not installed: pip install -e '.[data]'." in capsys.readouterr().err
    assert main(["data", "fetch", "mini-imagenet", "--data", str(tmp_path)]) == 2
    assert "mini-ImageNet is not downloaded from here" in capsys.readouterr().err
    assert main(["data", "check", "mini-image", "--data", str(tmp_path)]) == 2
    assert "no data set 'mini-image'; the nearest is 'mini-imagenet'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# the real data


@pytest.mark.parametrize("name", DATASETS)
def test_the_real_data_is_whole(name, real_data):
    folder = real_data(name)
    found = check(name, folder)
    assert found.compared == (0 if name == "mini-imagenet" else found.classes)
    images = load(name, folder, False)
    assert images.images.shape[1] == DATASETS[name].side
    for which in DATASETS[name].splits:
        assert set(splits.all_classes(splits_of(name, images, which))) == set(images.classes)
