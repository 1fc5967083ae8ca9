"""The command `python -m empirical bench`: this engine and its peers on the workloads, and what memory they take."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from .. import records
from . import episodes, shrinkage_memory
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
    what.add_argument(
        "--episodes",
        action="store_true",
        help="instead, how fast tasks of images are drawn, against a DataLoader over image files",
    )
    what.add_argument("--read", type=Path, metavar="FILE", help="measure nothing, and print what --json has left there")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="with --episodes, the folder of the data sets, as for `data`"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the JSON there too; with workloads after each of them, and a run that was interrupted goes on from it",
    )
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
        return _tell(shrinkage_memory.compare(), shrinkage_memory.table, options)
    if options.episodes:
        try:
            found = episodes.compare(
                options.data, options.rounds, report=lambda line: print(line, file=sys.stderr, flush=True)
            )
        except episodes.DisagreementError as error:
            print(f"python -m empirical bench: {error}", file=sys.stderr)
            return 1
        return _tell(found, episodes.table, options)
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
    wanted, names = options.workload or list(WORKLOADS), options.engine or list(engines)
    try:
        found = _begun(options.out, options.rounds, names)
    except ValueError as error:
        print(f"python -m empirical bench: {error}", file=sys.stderr)
        return 2
    with ExitStack() as processes:
        running = [processes.enter_context(Apart(engines[name])) for name in names]
        for name in wanted:
            if name in found.get("workloads", {}):
                continue
            one = compare(
                [WORKLOADS[name]],
                running,
                options.rounds,
                memory=MEMORY,
                report=lambda line: print(line, file=sys.stderr, flush=True),
            )
            found = one | {"workloads": found.get("workloads", {}) | one["workloads"]}
            if options.out:
                records.write_text(options.out, json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1) if options.json else table(found, options.markdown))
    return 0


def _tell(found: dict[str, Any], as_table: Callable[[dict[str, Any]], str], options: argparse.Namespace) -> int:
    text = json.dumps(found, indent=1)
    if options.out:
        records.write_text(options.out, text + "\n")
    print(text if options.json else as_table(found))
    return 0


def _begun(path: Path | None, rounds: int, engines: list[str]) -> dict[str, Any]:
    """What an earlier run has left in the file, if it can be gone on with; raises ValueError where it cannot."""
    if path is None or not path.exists():
        return {}
    try:
        found = json.loads(path.read_text())
        before = found["rounds"], _place(found["environment"])
        measured = [set(workload["engines"]) for workload in found["workloads"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path} is not what --out writes: delete it, or give another file.") from None
    now = rounds, _place(records.environment("cpu", torch.float32))
    if before != now or any(each != set(engines) for each in measured):
        raise ValueError(
            f"{path} was measured with other code, engines or rounds, or in another environment: delete it, or give another file."
        )
    return found


def _place(environment: dict[str, Any]) -> dict[str, Any]:
    """What has to be the same for times to stand in one table: not memory, nor a tree that FILE itself may have made unclean."""
    code = {key: value for key, value in environment["code"].items() if key != "tree_clean"}
    return {key: value for key, value in environment.items() if key != "peak_memory_bytes"} | {"code": code}
