"""The command `python -m empirical.benchmarks`: time the engines on this machine and print the table."""

from __future__ import annotations

import argparse
import json
import sys

from .measuring import compare, table
from .peers import PEERS
from .workloads import WORKLOADS


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code 0."""
    parser = argparse.ArgumentParser(prog="python -m empirical.benchmarks", description=__doc__.split(": ")[1])
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="repeatable; default: all")
    parser.add_argument("--engine", action="append", choices=PEERS, help="repeatable; default: all")
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    found = compare(
        [WORKLOADS[name] for name in options.workload or WORKLOADS],
        [PEERS[name] for name in options.engine or PEERS],
        options.rounds,
        report=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(json.dumps(found, indent=1) if options.json else table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
