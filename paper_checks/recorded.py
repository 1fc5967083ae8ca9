"""Where the recorded runs stand, and what to do when one is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from empirical.records import Record

__all__ = ["MissingRecord", "UnreadableRecord", "find", "read", "reading_from"]

_CHOSEN: ContextVar[Path | None] = ContextVar("folder of records", default=None)


class MissingRecord(FileNotFoundError):
    """There is no record of a run that a figure draws; the message names the command that makes it."""


class UnreadableRecord(ValueError):
    """A file that should be the record of a run and is not; the message names the file."""


@contextmanager
def reading_from(results: Path | None) -> Iterator[None]:
    """Within it, whoever names no folder of records reads those of this one; None leaves it as it was."""
    token = _CHOSEN.set(_CHOSEN.get() if results is None else results)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def find(record: str, results: Path | None = None, tier: str = "full") -> Path:
    """The file of a record such as "arnold2021/figure1-left".

    Args:
        record: the experiment's id, as `python -m empirical list` prints it.
        results: the folder of records; by default that of `reading_from`, else `results` in the current folder, then beside the packages.
        tier: the tier that was run; those but the full one have files of their own.

    Raises:
        MissingRecord: the file is in none of them.
    """
    results = _CHOSEN.get() if results is None else results
    here, home = Path("results"), Path(__file__).resolve().parent.parent / "results"
    folders = [here, home] if results is None else [results]
    file = f"{record}.jsonl" if tier == "full" else f"{record}.{tier}.jsonl"
    for folder in folders:
        path = folder / file
        if path.is_file():
            return path
    command = f"python -m empirical run {record} --tier {tier}" + ("" if results is None else f" --out {results}")
    # a reason that stands in a report is the same on every machine
    looked = "'results', here or beside the packages" if results is None else repr(str(results))
    raise MissingRecord(f"there is no record {file} in {looked}: make it with `{command}`.")


def read(record: str, results: Path | None = None, tier: str = "full") -> dict[str, Record]:
    """The records of an experiment by setting (such as "shallow" and "deep"); the arguments are those of `find`.

    Raises:
        MissingRecord: there is no such file.
        UnreadableRecord: the file is no record of the schema that `empirical` reads.
    """
    path = find(record, results, tier)
    try:
        status = os.stat(path)
        return _parsed(path.resolve(), (status.st_ino, status.st_mtime_ns, status.st_size))
    except OSError as error:
        raise UnreadableRecord(f"{path} cannot be read as a record: {error}") from None


@lru_cache(maxsize=64)
def _parsed(path: Path, version: tuple[int, int, int]) -> dict[str, Record]:
    """A file, parsed once for as long as it stays the same: many claims read it, each by itself."""
    # here because torch takes seconds to import, and most figures read no record
    from empirical import records

    try:
        return {found.setting: found for found in records.read(path)}
    except records.RecordError as error:
        raise UnreadableRecord(str(error)) from None
    except UnicodeDecodeError as error:
        raise UnreadableRecord(f"{path} cannot be read as a record: {error}") from None
