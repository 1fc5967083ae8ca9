"""The command `python -m empirical sweep`: experiments cut into jobs, run, continued, and their records put together."""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..experiments import EXPERIMENTS
from ..experiments.running import Job, JobError
from .jobs import in_turn
from .workers import on_workers, share_of_cores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "A job is one method of one experiment from one first seed. What it finds is put into OUT/EXPERIMENT.TIER.jsonl "
        "(OUT/EXPERIMENT.jsonl of the full tier), as `run` does. Interrupted, even by kill -9, the same command goes on: finished jobs "
        "are not run again, half-run ones continue from their checkpoints. Finished are those whose records stand under OUT and come "
        "from this code, these libraries and as many threads."
    )
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="ids from the list")
    parser.add_argument("--tier", default="smoke", help="of every experiment: smoke (the default), lite, long or full")
    parser.add_argument(
        "--method",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="only these of the experiments' methods, by name or by a pattern such as 'omniglot*' (default: all)",
    )
    parser.add_argument(
        "--seed",
        nargs="+",
        action="extend",
        type=int,
        metavar="N",
        help="the first seed, 0 or more (default: 0); the records of several go to OUT/seed-N/",
    )
    parser.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="of each job (default: the cores shared among --workers, else what the process has)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="so many processes on this machine (needs the extra `sweep`; default: one job after another in this process)",
    )
    where.add_argument(
        "--scheduler",
        type=_address,
        metavar="ADDRESS",
        help="that of a dask scheduler, tcp://HOST:PORT, whose workers (`dask worker ADDRESS --nthreads 1`) have this code and these "
        "libraries, and see OUT under the same path: a network folder (needs the extra `sweep`)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of the image data sets, under the same path on all machines (default: METAPROOF_DATA, then data)",
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder for the records (default: results)")


def positive(text: str) -> int:
    """A whole number, 1 or more, as an argument. Raises ArgumentTypeError for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no such number: give 1 or more")
    return int(text)


def _address(text: str) -> str:
    if not re.fullmatch(r"(tcp|tls)://.+:\d+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address of a scheduler: give tcp://HOST:PORT")
    return text


def jobs_of(
    experiments: Sequence[str],
    tier: str,
    methods: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    data: Path | None = None,
) -> list[Job]:
    """One job for each experiment, first seed and method, or for each experiment and first seed where it has no METHODS.

    Raises JobError for no experiments, and for what an experiment has not; a method has to be one of them all.
    """
    if not experiments:
        raise JobError(f"no experiment was given; give one or more of {', '.join(EXPERIMENTS)}")
    found = []
    for experiment in dict.fromkeys(experiments):
        for seed in dict.fromkeys(seeds):
            folder = out / f"seed-{seed}" if len(set(seeds)) > 1 else out
            whole = Job(experiment, tier, tuple(methods), seed, folder, data=data)  # refuses what is not there
            found += [replace(whole, methods=(name,)) for name in whole.methods] or [whole]
    return found


def run(options: argparse.Namespace) -> int:
    """Run what is not finished; returns the exit code: 0, 1 where jobs failed, 2 for bad input, 130 where it was stopped."""
    seeds = options.seed or [0]
    try:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise JobError(
                "torchrun starts several processes, and one leads a sweep: leave torchrun out, and give --workers"
            )
        # the workers' current folders may be others
        jobs = jobs_of(
            options.experiments,
            options.tier,
            options.method,
            seeds,
            options.out.absolute(),
            options.data and options.data.absolute(),
        )
        for job in jobs:
            job.make_folder()
        return _run(jobs, options, several_seeds=len(set(seeds)) > 1)
    except JobError as error:
        print(f"python -m empirical sweep: {str(error).rstrip('.')}.", file=sys.stderr)
        return 2


def _run(jobs: Sequence[Job], options: argparse.Namespace, several_seeds: bool) -> int:
    finished, failed = 0, {}
    printing = threading.Lock()

    def name(job: Job) -> str:
        method = f", {job.methods[0]}" if job.methods else ""
        return f"{job.experiment} {job.tier}{method}" + (f", seed {job.seed}" if several_seeds else "")

    def tell(what: str) -> None:
        with printing:  # starts are told from another thread
            print(f"[{finished}/{len(jobs)}] {what}", flush=True)

    def started(job: Job) -> None:
        tell(f"started: {name(job)}")

    threads = options.threads
    if options.workers or options.scheduler:
        if threads is None and options.workers:
            threads = share_of_cores(options.workers)
        outcomes = on_workers(jobs, threads, started, workers=options.workers, scheduler=options.scheduler)
    else:
        outcomes = in_turn(jobs, threads, started)
    try:
        for job, outcome in outcomes:
            error = outcome.error
            if error is None and not outcome.already:
                try:  # this process alone writes the experiments' files
                    job.write(outcome.records)
                except JobError as caught:
                    error = str(caught)
            elif error is None:
                job.clear()
            finished += 1
            if error is not None:
                failed[name(job)] = error
                tell(f"FAILED: {name(job)}: {error}")
            elif outcome.already:
                tell(f"was finished before: {name(job)}")
            else:
                tell(f"finished: {name(job)}, {outcome.seconds:.1f} s")
    except KeyboardInterrupt:
        print("python -m empirical sweep: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    finally:
        outcomes.close()  # ends local workers
    for path in dict.fromkeys(str(job.path) for job in jobs if name(job) not in failed):
        print(f"in {path}")
    if failed:
        print(f"python -m empirical sweep: {len(failed)} of {len(jobs)} jobs failed:", file=sys.stderr)
        for failure, error in failed.items():
            print(f"  {failure}: {error}", file=sys.stderr)
        return 1
    return 0
