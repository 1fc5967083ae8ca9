"""The command `python -m figures`: list the figures, or draw some of them as PNG and SVG."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from . import FIGURES, load


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and leaves with exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message.rstrip('.')}.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m figures",
        description="Draw the figures from exact formulas and recorded runs, each as PNG and SVG. "
        "Losses are E ½(y − ŷ)² with the noise constant unless an axis says otherwise.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a figure from --list")
    parser.add_argument("--all", action="store_true", help="draw every figure that has a record")
    parser.add_argument("--list", action="store_true", help="the figures, and what each one shows")
    parser.add_argument("--out", type=Path, default=Path("build/figures"), metavar="DIR", help="default: build/figures")
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="the records (default: results here, then beside the packages)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 1 where a record is unreadable, or missing of a figure that is named. Bad input exits with 2."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not (options.names or options.all or options.list):
        parser.error(f"name a figure, or give --all; the figures are {', '.join(FIGURES)}")
    for name in options.names:
        if name not in FIGURES:
            near = difflib.get_close_matches(name, FIGURES, n=1, cutoff=0)[0]
            parser.error(f"there is no figure {name!r}; the nearest is {near!r}")
    # the check itself lives in a sibling
    home, spec = Path(__file__).resolve().parent.parent, find_spec("paper_checks")
    if spec is None or Path(spec.origin or "").resolve() != home / "paper_checks" / "__init__.py":
        parser.error(
            f"'paper_checks' would not be imported from {str(home)!r} but from {spec and spec.origin!r}; run the command from "
            "another folder, or take that one off PYTHONPATH"
        )
    from paper_checks.siblings import shadowed

    trouble = shadowed("analysis", "empirical")
    if trouble:
        parser.error(trouble)
    if options.list:
        for name in FIGURES:
            module = load(name)
            print(f"{name:26}{module.SUMMARY}  [{module.SOURCE}]")
        return 0
    if options.results is not None and not options.results.is_dir():
        parser.error(
            f"--results is {str(options.results)!r}, which is no folder; give the folder that holds the records"
        )
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"figures cannot be written to {str(options.out)!r} ({error.strerror}); give another --out")
    names = list(FIGURES) if options.all else list(dict.fromkeys(options.names))
    return _draw(names, options.names, options.out, options.results, parser)


def _draw(
    names: Sequence[str], asked: Sequence[str], out: Path, results: Path | None, parser: argparse.ArgumentParser
) -> int:
    """Draw what can be drawn; a figure whose record is missing does not keep the others from being drawn.

    Of the figures that were not asked for by name, those without a record are skipped. What stands in the folder then, a manifest says.
    """
    # only now is it known that these are the right packages
    from paper_checks.recorded import MissingRecord, UnreadableRecord

    from . import manifest
    from .rendering import save

    failed, drawn, undrawn = False, [], []
    for name in names:
        try:
            for path in save(name, out, results):
                print(path)
            drawn.append(name)
        except (MissingRecord, UnreadableRecord) as error:
            skipped = isinstance(error, MissingRecord) and name not in asked
            failed |= not skipped
            undrawn.append(name)
            print(f"python -m figures: {'skipped ' * skipped}{name}: {error}", file=sys.stderr)
        except OSError as error:
            parser.error(f"{name} cannot be written to {str(out)!r} ({error.strerror}); give another --out")
    try:
        manifest.update(out, drawn, undrawn)
    except OSError as error:
        parser.error(f"{manifest.FILE} cannot be written to {str(out)!r} ({error.strerror}); give another --out")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
