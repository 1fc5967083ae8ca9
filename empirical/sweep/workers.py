"""The jobs of a sweep on processes of this machine or of several, by dask.distributed: where one dies, another gets its job."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from ..experiments.running import Job, JobError
from .jobs import Outcome, do, told

CONNECTING = 20
"""Seconds to wait for a scheduler."""


def share_of_cores(workers: int) -> int:
    """Threads for each of so many workers on this machine, 1 or more."""
    return max(1, (os.cpu_count() or 1) // workers)


def on_workers(
    jobs: Sequence[Job],
    threads: int | None,
    started: Callable[[Job], None],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Iterator[tuple[Job, Outcome]]:
    """Each job and what became of it, as they finish.

    Args:
        jobs: in the order in which they are begun.
        threads: of each job; None leaves those that the worker has.
        started: called when a worker begins a job, from another thread; once more where the job begins anew elsewhere.
        workers: local processes, ended with this one; or
        scheduler: the address of one whose workers are there.

    Raises:
        JobError: dask.distributed is not installed; the scheduler does not answer.
    """
    try:
        import distributed
    except ImportError:
        raise JobError(
            "--workers and --scheduler need dask.distributed, which is not installed: pip install -e '.[sweep]'"
        ) from None
    # it tells of every worker that comes or goes, and this process tells what matters of that
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if workers is not None:
            cluster = distributed.LocalCluster(
                n_workers=min(workers, len(jobs)),
                threads_per_worker=1,
                processes=True,
                memory_limit=0,  # a job's memory cannot be spilled: to end it at some share of the machine's helps nobody
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
            scheduler = stack.enter_context(cluster).scheduler_address
        try:
            client = stack.enter_context(distributed.Client(scheduler, timeout=CONNECTING, set_as_default=False))
        except (OSError, ValueError) as error:
            raise JobError(
                f"there is no scheduler at {scheduler!r} ({told(error)}); start one with `dask scheduler`, and give the address "
                "that it prints"
            ) from None
        topic = f"empirical-sweep-{uuid.uuid4()}"
        client.subscribe_topic(topic, lambda event: started(jobs[event[1]]))
        futures = {
            client.submit(_do, number, job, threads, topic, key=f"{topic}-{number}", pure=False): job
            for number, job in enumerate(jobs)
        }
        for future in distributed.as_completed(futures, loop=client.loop):
            error = future.exception() if future.status != "cancelled" else None
            if error is not None:
                outcome = Outcome(error=f"its workers died or could not run it ({told(error)})")
            elif future.status == "cancelled":
                outcome = Outcome(error="the scheduler lost it; the same command runs it again")
            else:
                outcome = future.result()
            yield futures[future], outcome


def _do(number: int, job: Job, threads: int | None, topic: str) -> Outcome:
    from distributed import get_worker

    get_worker().log_event(topic, number)
    return do(job, threads)
