"""The files that data sets come in: what is wrong with one is said in a sentence that names it."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from . import pickles

FOLDER_VARIABLE = "METAPROOF_DATA"
"""The environment variable that names the folder of the data sets."""


class DataError(ValueError):
    """A data set that is missing, damaged or not what it should be; the message names the file and says what to do."""


def data_folder(given: Path | str | None) -> Path:
    """The folder given, else that of the environment variable, else `data` in the current folder."""
    return Path(given or os.environ.get(FOLDER_VARIABLE) or "data")


def first_of(folder: Path, *names: str, what: str) -> Path:
    """The first of these files or folders that is there. Raises DataError where none is."""
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise DataError(
        f"{what} is not in {str(folder)!r}: expected {' or '.join(names)} there; give the folder that holds it, by --data or "
        f"{FOLDER_VARIABLE}, or fetch it."
    )


def refuse_web_page(path: Path) -> None:
    """Raises DataError where a file is empty, or is what a server answers in place of a file."""
    with path.open("rb") as file:
        begin = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not begin:
        raise DataError(f"{path} is empty: delete it and fetch it again.")
    if begin.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        raise DataError(f"{path} is a web page, not an archive: delete it and fetch it again.")


DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, ValueError, struct.error)
"""What reading a damaged archive raises."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what a damaged archive raises into one sentence about it."""
    try:
        yield
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(
            f"{path} cannot be read ({type(error).__name__}: {error}): it is cut short or damaged; fetch it again."
        ) from None


def decoded(content: bytes, name: str, mode: str, side: int | None = None) -> Image.Image:
    """An image from the bytes of its file.

    Args:
        content: the bytes.
        name: of the file, for errors.
        mode: Pillow's, "L" or "RGB", into which it is turned.
        side: height and width that it has to have; None takes any.

    Raises:
        DataError: no image, or one of another size.
    """
    try:
        image = Image.open(io.BytesIO(content))
        if side is not None and image.size != (side, side):  # known before the pixels are decoded
            raise DataError(
                f"{name} has {image.size[0]} × {image.size[1]} pixels: expected {side} × {side}; fetch the original again."
            )
        return image.convert(mode)
    except DataError:
        raise
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        zlib.error,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        reason = "no image format that is known" if isinstance(error, Image.UnidentifiedImageError) else error
        raise DataError(f"{name} cannot be decoded as an image ({reason}): fetch it again.") from None


def unpickled(content: bytes, name: str) -> dict[Any, Any]:
    """The table that a pickle holds, with text for its keys. Raises DataError for what is none, or is unsafe to read."""
    try:
        table = pickles.load(io.BytesIO(content))
    except ValueError as error:
        raise DataError(f"{name} was not read: {error}.") from None
    if not isinstance(table, dict):
        raise DataError(f"{name} holds a {type(table).__name__}: expected a dict; fetch it again.")
    return {text(key): value for key, value in table.items()}


def text(value: Any) -> Any:
    """Text for the bytes that Python 2 wrote; all else as it is."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def column(table: dict[Any, Any], key: str, name: str) -> Any:
    """A column of a table. Raises DataError where it is missing."""
    if key not in table:
        raise DataError(
            f"{name} has no {key!r}: expected it beside {', '.join(map(repr, table)) or 'nothing'}; fetch it again."
        )
    return table[key]


def pixels(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """An array (N, *shape) uint8. Raises DataError for another."""
    array = np.asarray(value)
    if array.dtype != np.uint8 or array.shape[1:] != shape:
        raise DataError(
            f"{name} has images of shape {array.shape} and type {array.dtype}: expected (N, {', '.join(map(str, shape))}) of uint8."
        )
    return array


def whole_numbers(values: Any, name: str) -> np.ndarray:
    """An array (n,) of whole numbers. Raises DataError for anything else."""
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(f"{name} are of shape {array.shape} and type {array.dtype}: expected a list of whole numbers.")
    return array


def names(found: set[str], expected: set[str], where: str, what: str) -> None:
    """Raises DataError for the first name that is missing or too much."""
    for name in sorted(expected - found):
        raise DataError(f"{where} has no {what} {name}: expected {len(expected)}, found {len(found)}; fetch it again.")
    for name in sorted(found - expected):
        raise DataError(f"{where} has a {what} {name} that the data set has not: move it away, or fetch it again.")


def content_digest(paths: list[Path], root: Path) -> str:
    """Sha256 over names, sizes and bytes of files, and of all files in folders."""
    found = hashlib.sha256()
    for path in paths:
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            with file.open("rb") as opened:
                inner = hashlib.file_digest(opened, "sha256").hexdigest()
            found.update(f"{file.relative_to(root).as_posix()}\0{file.stat().st_size}\0{inner}\n".encode())
    return found.hexdigest()
