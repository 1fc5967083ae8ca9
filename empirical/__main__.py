"""The command `python -m empirical`: list the experiments, run one, leave its record."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import torch

from . import records
from .experiments import EXPERIMENTS
from .training import DivergenceError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One sentence, without argparse's usage text in front of it.
        self.exit(2, f"{self.prog}: {message.rstrip('.')}.\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, or 1 where a run diverged. Bad input exits with 2."""
    parser = _Parser(prog="python -m empirical", description="Run the recorded experiments.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | run")
    commands.add_parser("list", help="the experiments and their tiers")
    run = commands.add_parser("run", help="run one experiment and write its record")
    run.add_argument("experiment", help="an id from the list, for example arnold2021/figure1-left")
    run.add_argument("--tier", default="smoke", help="smoke (seconds; the default) or full (what the figures use)")
    run.add_argument("--out", type=Path, default=Path("results"), help="folder for the record (default: results)")
    run.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="default: cpu")
    run.add_argument("--seed", type=int, default=0, help="the first seed, 0 or more (default: 0)")
    options = parser.parse_args(arguments)
    if options.command == "list":
        for name, module in EXPERIMENTS.items():
            print(f"{name:28}{', '.join(module.TIERS):14}{module.SUMMARY}")
        return 0

    if options.experiment not in EXPERIMENTS:
        near = difflib.get_close_matches(options.experiment, EXPERIMENTS, n=1, cutoff=0)[0]
        parser.error(f"there is no experiment {options.experiment!r}; the nearest is {near!r}")
    experiment = EXPERIMENTS[options.experiment]
    if options.tier not in experiment.TIERS:
        parser.error(f"{options.experiment} has no tier {options.tier!r}; it has {' and '.join(experiment.TIERS)}")
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

    try:
        found = experiment.run(options.tier, device=options.device, seed=options.seed, progress=_progress())
    except DivergenceError as error:
        print(
            f"\npython -m empirical: {error}" if sys.stderr.isatty() else f"python -m empirical: {error}",
            file=sys.stderr,
        )
        return 1
    if sys.stderr.isatty():
        print(file=sys.stderr)  # leaves the line that the progress was rewriting
    try:
        records.write(path, found)
    except OSError as error:
        parser.error(f"the record cannot be written to {str(path)!r} ({error.strerror}); give another --out")
    for record in found:
        for name, metric in record.final.items():
            print(
                f"{record.setting:10}{name:30}{metric.value:.6g} +- {metric.spread:.2g} "
                f"(standard deviation over {metric.count} {metric.spread_over})"
            )
    if any("test_error" in record.final for record in found):
        print("test_error is E(y - yhat)^2 after adaptation: no factor 1/2, noise variance included")
    print(f"wrote {path}")
    return 0


def _progress() -> Callable[[str], None]:
    """One line that rewrites itself on a terminal, plain lines elsewhere; both on stderr."""
    if sys.stderr.isatty():
        return lambda line: print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
    return lambda line: print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
