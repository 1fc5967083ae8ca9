"""The command `python -m empirical`: list the experiments, run one, leave its record."""

from __future__ import annotations

import argparse
import difflib
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import torch

from . import distributed, records
from .benchmarks import command as benchmarks
from .data import command as data
from .divergence import DivergenceError
from .experiments import EXPERIMENTS
from .experiments.methods import slug
from .progress import Progress
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
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | run | bench | data")
    commands.add_parser("list", help="the experiments and their tiers")
    run = commands.add_parser("run", help="run one experiment and write its record")
    run.add_argument("experiment", help="an id from the list, for example arnold2021/figure1-left")
    run.add_argument(
        "--tier",
        default="smoke",
        help="smoke (seconds; the default), lite where there is one, or full (what the figures use)",
    )
    run.add_argument(
        "--method", action="append", metavar="NAME", help="one of the experiment's methods (repeatable; default: all)"
    )
    run.add_argument(
        "--fresh", action="store_true", help="start anew instead of going on with what a killed run has left"
    )
    run.add_argument("--out", type=Path, default=Path("results"), help="folder for the record (default: results)")
    run.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="default: cpu")
    run.add_argument("--seed", type=int, default=0, help="the first seed, 0 or more (default: 0)")
    bench = commands.add_parser("bench", help="time this engine against the installed peers, after checking gradients")
    benchmarks.add_arguments(bench)
    data.add_arguments(commands.add_parser("data", help="fetch the image data sets, and check them"))
    options = parser.parse_args(arguments)
    if options.command == "bench":
        return benchmarks.run(options)
    if options.command == "data":
        return data.run(options)
    if options.command == "list":
        for name, module in EXPERIMENTS.items():
            print(f"{name:28}{', '.join(module.TIERS):20}{module.SUMMARY}")
        return 0
    try:
        return _run(parser, options)
    finally:
        distributed.finish()


def _run(parser: _Parser, options: argparse.Namespace) -> int:
    if options.experiment not in EXPERIMENTS:
        near = difflib.get_close_matches(options.experiment, EXPERIMENTS, n=1, cutoff=0)[0]
        parser.error(f"there is no experiment {options.experiment!r}; the nearest is {near!r}")
    experiment = EXPERIMENTS[options.experiment]
    if options.tier not in experiment.TIERS:
        parser.error(f"{options.experiment} has no tier {options.tier!r}; it has {', '.join(experiment.TIERS)}")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda was asked for, and torch finds no CUDA device here; leave it out to run on the CPU")
    if not 0 <= options.seed < 2**32:
        parser.error(f"the seed is {options.seed}; expected a number from 0 to 2^32 - 1")
    # Only the full tier may fill the place that figures read.
    suffix = ".jsonl" if options.tier == "full" else f".{options.tier}.jsonl"
    path = options.out / f"{options.experiment}{suffix}"
    try:  # before the run, so that no finished run is lost to a bad folder
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"the record cannot be written under {str(options.out)!r} ({error.strerror}); give another --out")

    options_of_experiment = {}
    work = None
    methods = getattr(experiment, "METHODS", ())
    for name in options.method or ():
        if not methods:
            parser.error(f"{options.experiment} has no methods to choose from; leave --method out")
        if name not in methods:
            near = difflib.get_close_matches(name, methods, n=1, cutoff=0)[0]
            parser.error(
                f"{options.experiment} has no method {name!r}; the nearest is {near!r}, and all are {', '.join(methods)}"
            )
    if methods:
        work = options.out / ".unfinished" / f"{options.experiment}.{options.tier}"
        chosen = list(dict.fromkeys(options.method or methods))
        if options.fresh:
            _clear(work, chosen)
        options_of_experiment = {"methods": chosen, "work": work}
    distributed.start(options.device)  # with torchrun, each process takes a share of every meta-batch
    try:
        with Progress(silent=distributed.rank() > 0) as progress:
            found = experiment.run(
                options.tier, device=options.device, seed=options.seed, progress=progress, **options_of_experiment
            )
    except DivergenceError as error:
        print(f"python -m empirical: {error}", file=sys.stderr)
        return 1
    except CheckpointError as error:
        parser.error(f"{error} (--fresh does it for the whole experiment)")
    except KeyboardInterrupt:
        print(
            "python -m empirical: stopped" + ("; the same command, without --fresh, goes on from here" if work else ""),
            file=sys.stderr,
        )
        return 130
    distributed.wait()
    if distributed.rank() > 0:  # all have the same numbers, and one writes them down
        return 0
    try:
        if methods:
            records.replace(path, found, methods)
            _clear(work, chosen)
        else:
            records.write(path, found)
    except records.RecordError as error:
        parser.error(f"{error} Move that file away; the new records are kept in {str(work)!r}")
    except OSError as error:
        parser.error(f"the record cannot be written to {str(path)!r} ({error.strerror}); give another --out")
    width = max(len(record.setting) for record in found)
    for record in found:
        for name, metric in record.final.items():
            print(
                f"{record.setting:{width}}  {name:28}{metric.value:.6g} +- {metric.spread:.2g} "
                f"(standard deviation over {metric.count} {metric.spread_over})"
            )
    if any("test_error" in record.final for record in found):
        print("test_error is E(y - yhat)^2 after adaptation: no factor 1/2, noise variance included")
    print(f"wrote {path}")
    return 0


def _clear(work: Path, methods: list[str]) -> None:
    """Delete what these methods have left in the folder of unfinished runs; other methods' runs stay."""
    for name in methods:
        shutil.rmtree(work / slug(name), ignore_errors=True)
    if work.is_dir() and not any(work.iterdir()):
        work.rmdir()


if __name__ == "__main__":
    sys.exit(main())
