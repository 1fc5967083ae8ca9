"""What a run leaves behind: JSON-lines records with a schema version, one line for each setting that ran."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

SCHEMA = 1


class RecordError(ValueError):
    """A file that is no record of this schema; the message names the file and the line."""


@dataclass(frozen=True)
class Metric:
    """A final number: the mean of `count` values, their standard deviation, and what they run over."""

    value: float
    spread: float
    spread_over: Literal["seeds", "tasks", "starts", "rounds"]
    count: int

    @classmethod
    def over(cls, values: Iterable[float], spread_over: Literal["seeds", "tasks", "starts", "rounds"]) -> Metric:
        """Mean and standard deviation (n - 1 in the denominator; 0 for a single value) of the values."""
        array = np.asarray(list(values), dtype=float)
        return cls(float(array.mean()), float(array.std(ddof=1)) if array.size > 1 else 0.0, spread_over, array.size)


@dataclass(frozen=True)
class Record:
    """One setting of one experiment, as it was run. Everything is plain JSON data (lists, not arrays).

    `learning_curve` maps names to lists of equal length; `details` holds what only this experiment has;
    `wall_time_s` is in seconds, `environment["peak_memory_bytes"]` that of the whole process up to then.
    """

    experiment: str
    setting: str
    tier: str
    configuration: dict[str, Any]
    seeds: list[int]
    initialisation: str
    parameter_count: int
    learning_curve: dict[str, list[Any]]
    final: dict[str, Metric]
    wall_time_s: float
    environment: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)


def environment(device: torch.device | str, dtype: torch.dtype) -> dict[str, Any]:
    """Where a run ran: code version, device, library versions, threads, dtype and peak memory (bytes)."""
    device = torch.device(device)
    cuda = device.type == "cuda"
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    found = {
        "code": _code_version(),
        "device": torch.cuda.get_device_name(device) if cuda else f"{device.type} ({platform.machine()})",
        "system": platform.system(),
        "libraries": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "threads": torch.get_num_threads(),
        "dtype": str(dtype).removeprefix("torch."),
        "compiled": False,
        "tf32": torch.backends.cuda.matmul.allow_tf32,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }
    if cuda:
        found["peak_device_memory_bytes"] = torch.cuda.max_memory_allocated(device)
    return found


def decisive(environment: dict[str, Any]) -> list[Any]:
    """What of an environment could change a run's numbers, as plain JSON data: device, libraries, threads and code."""
    return [
        environment["device"],
        environment["libraries"],
        environment["threads"],
        environment["code"]["source_sha256"],
    ]


def write(path: Path | str, records: Iterable[Record]) -> None:
    """Write the records, one line each, so that the file is either the old or the new one, never half of it.

    Raises ValueError for NaN and infinity, which JSON does not have.
    """
    lines = [json.dumps({"schema": SCHEMA, **asdict(record)}, allow_nan=False) + "\n" for record in records]
    write_text(Path(path), "".join(lines))


def write_text(path: Path, text: str) -> None:
    """Write a file all at once or not at all, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The temporary file stands in the same folder because os.replace is atomic only within one file system.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner may read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def replace(path: Path | str, records: Iterable[Record], order: Sequence[str]) -> None:
    """Write all records of some methods beside those of others that the file holds already, in the order of the methods given.

    What begins with a name of `order` and goes on ("LR, from 0") is of that method, and follows behind all that have its name alone, in
    that order too, whoever came first. Raises RecordError where the file holds something else.
    """
    path, records = Path(path), list(records)
    place = {method: number for number, method in enumerate(order)}

    def method(record: Record) -> str:
        return max((name for name in order if record.setting.startswith(name)), key=len, default=record.setting)

    def key(record: Record) -> tuple[int, int]:
        return place.get(record.setting, len(place)), place.get(method(record), len(place))

    again = {method(record) for record in records}
    with _alone_in(path.parent):  # of two that read before either writes, one would lose its records
        # of a method that is run again nothing stays, not even what it is no longer run with
        others = [each for each in read(path) if method(each) not in again] if path.exists() else []
        write(path, sorted([*others, *records], key=key))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for another process that puts records in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a network folder without locks
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def read(path: Path | str) -> list[Record]:
    """Read a file of records. Raises RecordError for another schema version and for what is no record."""
    records = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        place = f"{path}, line {number}"
        try:
            data = json.loads(line)
        except json.JSONDecodeError as error:
            raise RecordError(f"{place} is not JSON ({error.msg}): expected one record a line.") from None
        version = data.pop("schema", None) if isinstance(data, dict) else None
        if version != SCHEMA:
            raise RecordError(
                f"{place} has schema version {version}; this code reads {SCHEMA}: run the experiment again."
            )
        names = {f.name for f in fields(Record)}
        if set(data) != names:
            raise RecordError(f"{place} has the wrong fields: {sorted(set(data) ^ names)} are missing or unknown.")
        data["final"] = {name: Metric(**metric) for name, metric in data["final"].items()}
        records.append(Record(**data))
    return records


@cache
def _code_version() -> dict[str, Any]:
    """The git commit and whether the tree is clean, else the package version, and a digest of the source, at first call.

    Asked for once at the start of a run, so that an edit during the run is not taken for the code that ran.
    """
    package = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
    version: dict[str, Any] = {"source_sha256": digest.hexdigest(), "commit": None, "tree_clean": None}
    root = _git(package, "rev-parse", "--show-toplevel")
    # A package installed inside someone else's repository must not borrow that repository's commit.
    if root is not None and Path(root).resolve() == package.parent:
        version["commit"] = _git(package, "rev-parse", "--verify", "HEAD")
        # Records are what a run writes, not the code it runs.
        status = _git(package.parent, "status", "--porcelain", "--", ".", ":(exclude)results")
        version["tree_clean"] = None if status is None else status == ""
    if version["commit"] is None:
        try:
            version["package_version"] = metadata.version("metaproof")
        except metadata.PackageNotFoundError:
            version["package_version"] = None
    return version


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
