"""The command `python -m empirical`: list the experiments, run one, leave its record."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

import torch

from . import distributed
from .benchmarks import command as benchmarks
from .data import DataError
from .data import command as data
from .divergence import DivergenceError
from .experiments import EXPERIMENTS, running
from .progress import Progress
from .sweep import command as sweep
from .trainer import CheckpointError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One sentence, without argparse's usage text in front of it.
        self.exit(2, f"{self.prog}: {message.rstrip('.')}.\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, or 1 where a run diverged. Bad input exits with 2."""
    parser = _Parser(
        prog="python -m empirical", description="Run the recorded experiments, measure the engine, fetch data."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | run | sweep | bench | data")
    listed = commands.add_parser("list", help="the experiments and their tiers, or the methods of one")
    listed.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="one of them, whose methods are listed")
    run = commands.add_parser("run", help="run one experiment and write its record")
    run.add_argument("experiment", help="an id from the list, for example arnold2021/figure1-left")
    run.add_argument(
        "--tier",
        default="smoke",
        help="smoke (seconds; the default), lite or long where there is one, or full (what the figures use); long goes on from where the "
        "same code has ended lite",
    )
    run.add_argument(
        "--method",
        action="append",
        metavar="NAME",
        help="of the experiment's methods, by name or by a pattern such as 'omniglot*' (repeatable; default: all)",
    )
    run.add_argument(
        "--fresh",
        action="store_true",
        help="start anew instead of going on with what a killed run or a shorter tier has left, which is deleted",
    )
    run.add_argument("--out", type=Path, default=Path("results"), help="folder for the record (default: results)")
    run.add_argument(
        "--threads",
        type=sweep.positive,
        metavar="N",
        help="of the CPU (default: what the process has); a record is made again to the same numbers with its own",
    )
    run.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="default: cpu")
    run.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of the image data sets (default: METAPROOF_DATA, then data)"
    )
    run.add_argument("--seed", type=int, default=0, help="the first seed, 0 or more (default: 0)")
    sweep.add_arguments(
        commands.add_parser("sweep", help="run the methods of experiments as jobs, on several processors")
    )
    bench = commands.add_parser("bench", help="time this engine against the installed peers, after checking gradients")
    benchmarks.add_arguments(bench)
    data.add_arguments(commands.add_parser("data", help="fetch the image data sets, and check them"))
    options = parser.parse_args(arguments)
    if options.command == "bench":
        return benchmarks.run(options)
    if options.command == "data":
        return data.run(options)
    if options.command == "sweep":
        return sweep.run(options)
    if options.command == "list":
        return _list(parser, options.experiment)
    try:
        return _run(parser, options)
    finally:
        distributed.finish()


def _list(parser: _Parser, experiment: str | None) -> int:
    if experiment is None:
        for name, module in EXPERIMENTS.items():
            print(f"{name:28}{', '.join(module.TIERS):25}{module.SUMMARY}")
        return 0
    try:
        methods = running.Job(experiment, "smoke").methods
    except running.JobError as error:
        parser.error(str(error))
    print("\n".join(methods) or f"{experiment} has no methods to choose from.")
    return 0


def _run(parser: _Parser, options: argparse.Namespace) -> int:
    try:
        job = running.Job(
            options.experiment,
            options.tier,
            tuple(options.method or ()),
            options.seed,
            options.out,
            options.device,
            options.data,
        )
        job.make_folder()
    except running.JobError as error:
        parser.error(str(error))
    if options.fresh:
        job.start_anew()
    if options.threads:
        torch.set_num_threads(options.threads)
    distributed.start(options.device)  # with torchrun, each process takes a share of every meta-batch
    try:
        with Progress(silent=distributed.rank() > 0) as progress:
            found = job.run(progress)
    except DivergenceError as error:
        print(f"python -m empirical: {error}", file=sys.stderr)
        return 1
    except DataError as error:
        others = (
            " --method 'cifar-fs*' would run those of one data set alone." if job.methods and not options.method else ""
        )
        print(f"python -m empirical: {error}{others}", file=sys.stderr)
        return 2
    except CheckpointError as error:
        parser.error(f"{error} (--fresh does it for the whole experiment)")
    except KeyboardInterrupt:
        print(
            "python -m empirical: stopped"
            + ("; the same command, without --fresh, goes on from here" if job.methods else ""),
            file=sys.stderr,
        )
        return 130
    distributed.wait()
    if distributed.rank() > 0:  # all have the same numbers, and one writes them down
        return 0
    try:
        job.write(found)
    except running.JobError as error:
        parser.error(str(error))
    width = max(len(record.setting) for record in found)
    wide = max((len(name) for record in found for name in record.final), default=0)
    for record in found:
        for name, metric in record.final.items():
            print(
                f"{record.setting:{width}}  {name:{wide}}  {metric.value:.6g} +- {metric.spread:.2g} "
                f"(standard deviation over {metric.count} {metric.spread_over})"
            )
    if any("test_error" in record.final for record in found):
        print("test_error is E(y - yhat)^2 after adaptation: no factor 1/2, noise variance included")
    print(f"wrote {job.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
