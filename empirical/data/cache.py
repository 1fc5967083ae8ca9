"""Decoded once, kept by content: the key is a digest of the files' bytes and of how they are decoded, so that no stale array is used."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import __version__ as pillow

from .. import records
from .image_set import ImageSet

CACHE_VARIABLE = "METAPROOF_CACHE"
"""The environment variable that names the cache's folder."""
DECODING = 1
"""To be counted up by whatever changes what the readers make of the same files."""


def cache_folder(given: Path | str | None) -> Path:
    """The folder given, else that of the environment variable, else `metaproof` in the user's folder for caches."""
    if given or os.environ.get(CACHE_VARIABLE):
        return Path(given or os.environ[CACHE_VARIABLE])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metaproof"


def key(content: str, side: int | None) -> str:
    """From the digest of the sources and the side that images are resized to; another Pillow may decode differently."""
    return hashlib.sha256(json.dumps([content, side, DECODING, pillow]).encode()).hexdigest()


def cached(folder: Path, name: str, key: str, make: Callable[[], ImageSet]) -> ImageSet:
    """What stands under the key, its images mapped from the file and read-only; made, and written, where nothing whole does.

    Where the folder cannot be written it warns, and returns what was made. What `make` raises passes, and nothing is written.
    """
    array, table = folder / f"{name}-{key[:24]}.npy", folder / f"{name}-{key[:24]}.json"
    found = _opened(array, table, key)
    if found is not None:
        return found
    made = make()
    try:
        _write(made, array, table, key)
    except OSError as error:
        warnings.warn(
            f"Decoded images cannot be kept in {str(folder)!r} ({error.strerror}), and are decoded anew every time: give another "
            f"folder by {CACHE_VARIABLE}.",
            stacklevel=2,
        )
        return made
    return _opened(array, table, key) or made


def _opened(array: Path, table: Path, key: str) -> ImageSet | None:
    """None for what is not there, or is damaged: every byte is compared with its digest."""
    try:
        told = json.loads(table.read_text(encoding="utf-8"))
        if told["key"] != key or told["sha256"] != _digest(array):
            return None
        images = np.load(array, mmap_mode="r", allow_pickle=False)
        return ImageSet(images, tuple(told["classes"]), tuple(told["starts"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(made: ImageSet, array: Path, table: Path, key: str) -> None:
    array.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=array.parent, prefix=f".{array.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, made.images, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        told = {"key": key, "sha256": _digest(Path(temporary)), "classes": made.classes, "starts": made.starts}
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner may read
        os.replace(temporary, array)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    records.write_text(table, json.dumps(told))  # last, for it vouches for the array


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
