"""The command `python -m empirical bench`: this engine and its peers on the workloads, and what memory they take."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path

from . import shrinkage_memory
from .apart import Apart
from .engine import ENGINES
from .measuring import compare, table
from .peers import PEERS
from .workloads import WORKLOADS

MEMORY = {"loop": "empirical.benchmarks.peers.loop:Loop", "metaproof": "empirical.benchmarks.engine:ENGINE"}
"""Whose memory is measured, and where a fresh process finds it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    engines = ENGINES | PEERS
    parser.add_argument(
        "--workload", action="append", choices=WORKLOADS, metavar="NAME", help=f"repeatable; of {', '.join(WORKLOADS)}"
    )
    parser.add_argument(
        "--engine", action="append", choices=engines, metavar="NAME", help=f"repeatable; of {', '.join(engines)}"
    )
    parser.add_argument("--rounds", type=_rounds, default=7, help="how often every engine is timed (default: 7)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--shrinkage",
        action="store_true",
        help="instead, the memory of Shrinkage's meta-gradient against its inner steps",
    )
    what.add_argument("--read", type=Path, metavar="FILE", help="measure nothing, and print what --json has left there")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print the table as Markdown")


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds: give 1 or more")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Measure and print; returns the exit code."""
    if options.shrinkage:
        found = shrinkage_memory.compare()
        print(json.dumps(found, indent=1) if options.json else shrinkage_memory.table(found))
        return 0
    if options.read:
        try:
            print(table(json.loads(options.read.read_text()), options.markdown))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            print(
                f"python -m empirical bench: {options.read} is not what `bench --json` prints ({type(error).__name__}: {error}).",
                file=sys.stderr,
            )
            return 2
        return 0
    engines = ENGINES | PEERS
    with ExitStack() as processes:
        found = compare(
            [WORKLOADS[name] for name in options.workload or WORKLOADS],
            [processes.enter_context(Apart(engines[name])) for name in options.engine or engines],
            options.rounds,
            memory=MEMORY,
            report=lambda line: print(line, file=sys.stderr, flush=True),
        )
    print(json.dumps(found, indent=1) if options.json else table(found, options.markdown))
    return 0
