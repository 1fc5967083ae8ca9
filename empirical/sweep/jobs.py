"""One job of a sweep, wherever it runs: what it found, or what went wrong, as a value that travels between processes."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import torch

from .. import records
from ..data import DataError
from ..divergence import DivergenceError
from ..experiments.methods import slug
from ..experiments.running import Job, JobError
from ..progress import Progress
from ..records import Record
from ..trainer import CheckpointError

TOLD = (DivergenceError, CheckpointError, DataError, JobError, records.RecordError)
"""Errors whose message is a sentence of its own; others are told with their type."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        records: what it found; empty where it failed.
        error: one line, or None.
        already: whether the records stood in the experiment's file before.
        seconds: that it took.
    """

    records: list[Record] = field(default_factory=list)
    error: str | None = None
    already: bool = False
    seconds: float = 0.0


def do(job: Job, threads: int | None = None, progress: Progress | None = None) -> Outcome:
    """Run one job with so many threads (torch's own number by default). Whatever it raises is told, but for Ctrl-C."""
    with _ONE_AT_A_TIME:
        began = time.perf_counter()
        try:
            if threads is not None:
                torch.set_num_threads(threads)
            with _alone(job):
                recorded = records.read(job.path) if job.path.exists() else []
                found = job.run(progress, recorded)
        except Exception as error:  # a failed job must not cost the others
            return Outcome(error=told(error), seconds=time.perf_counter() - began)
        known = {id(record) for record in recorded}
        already = all(id(record) in known for record in found)
        return Outcome([] if already else found, None, already, time.perf_counter() - began)


def told(error: BaseException) -> str:
    """An error as one line."""
    line = " ".join(str(error).split())
    return line if isinstance(error, TOLD) and line else f"{type(error).__name__}: {line}"


def in_turn(jobs: Sequence[Job], threads: int | None, started: Callable[[Job], None]) -> Iterator[tuple[Job, Outcome]]:
    """Each job and what became of it, one after another in this process."""
    for job in jobs:
        started(job)
        with Progress() as progress:
            outcome = do(job, threads, progress)
        yield job, outcome


_ONE_AT_A_TIME = threading.Lock()
"""Of one process: torch's number of threads is the process's, and so is the peak memory in a record."""


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Wait for another process that still runs this job, such as a machine's whose sweep was killed: two would write one checkpoint."""
    if job.work is None:
        yield
        return
    folder = job.work / slug(job.methods[0])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        with suppress(OSError):  # a network folder without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
