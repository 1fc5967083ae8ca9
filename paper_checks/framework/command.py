"""The command line of a collection of papers: `python -m paper_checks`, or a user's own; and what it shares with other commands."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from .claims import Claim, Paper
from .output import as_json, as_junit, as_table, summary
from .running import Run, UnknownName, accept, accepted, run, select, write_atomically

__all__ = ["Parser", "as_text", "conclude", "main", "progress", "require_writable"]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and leaves with exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser(prog: str | None, more: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="Judge every claim of the papers: derive it exactly and witness it numerically, or hold what was measured against "
        "bounds declared before; and see its negative control fail.",
        epilog="Exit code 1: a verdict differs from the accepted one, a locator has no claim, a `uses` dangles, the two routes "
        "disagree, or a negative control passes. Exit code 2: bad arguments. " + more,
    )
    parser.add_argument("--paper", help="judge one paper's claims")
    parser.add_argument(
        "--only", action="append", default=[], metavar="ID", help="judge one claim, by id or locator; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit report too")
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="write verdicts.txt and verdicts.json to this folder too"
    )
    parser.add_argument("--accept", action="store_true", help="make this run's verdicts the accepted ones")
    return parser


def progress(total: int) -> Callable[[Claim], None] | None:
    """A line that overwrites itself, on a terminal only."""
    if not sys.stderr.isatty():
        return None
    count = 0

    def show(claim: Claim) -> None:
        nonlocal count
        count += 1
        end = "\r" if count < total else "\r\033[K"
        print(f"\033[K{count}/{total} {claim.id}", end=end, file=sys.stderr, flush=True)

    return show


def require_writable(parser: Parser, files: Iterable[Path]) -> None:
    """Make the files' folders, or leave with a sentence: before a run, so that none is lost to a bad folder."""
    for file in files:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.is_dir():
                raise IsADirectoryError(None, "it is a folder")
        except OSError as error:
            parser.error(f"{str(file)!r} cannot be written ({error.strerror}); give another place")


def as_text(result: Run, width: int = 160) -> str:
    """The table of verdicts, and how many there are of each."""
    return f"{as_table(result.judgements, width)}\n\n{summary(result.judgements)}"


def conclude(result: Run, text: str | None = None) -> int:
    """Print the problems and the text, by default the table as wide as the terminal; returns the exit code."""
    for problem in result.problems:
        print(f"problem: {problem}", file=sys.stderr)
    print(as_text(result, max(120, min(shutil.get_terminal_size((160, 24)).columns, 200))) if text is None else text)
    return 1 if result.problems else 0


def main(
    papers: Sequence[Paper],
    accepted_file: Path,
    argv: Sequence[str] | None = None,
    prog: str | None = None,
    more: str = "",
) -> int:
    """Judge, print, and return the exit code.

    Args:
        papers: the papers to choose from.
        accepted_file: where the verdicts of the last accepted run stand.
        argv: arguments, by default the process's own.
        prog: the command's name in messages, by default the name it was started by.
        more: what its help says at the end.
    """
    parser = _parser(prog, more)
    args = parser.parse_args(argv)
    try:
        claims = select(papers, args.paper, args.only)
    except UnknownName as error:
        parser.error(str(error))
    partial = args.paper is not None or bool(args.only)
    if args.accept and partial:
        parser.error("--accept makes a whole run the accepted one; give it without --paper and --only")
    outputs = [args.junit] if args.junit else []
    outputs += [args.save / "verdicts.txt", args.save / "verdicts.json"] if args.save else []
    require_writable(parser, outputs)
    if args.paper is not None and not args.only:
        # a paper as a whole: its locators count too, and other papers' ids only resolve `uses`
        chosen = [paper for paper in papers if paper.key == args.paper]
        known = {id: verdict for id, verdict in accepted(accepted_file).items() if id.startswith(f"{args.paper}.")}
        others = [paper for paper in papers if paper.key != args.paper]
        result = run(chosen, None, known, progress(len(claims)), resolve=others)
    else:
        expected = None if args.accept else accepted(accepted_file)
        result = run(papers, claims if partial else None, expected, progress(len(claims)))
    if args.junit is not None:
        write_atomically(args.junit, as_junit(result))
    if args.save is not None:
        write_atomically(args.save / "verdicts.txt", as_text(result) + "\n")
        write_atomically(args.save / "verdicts.json", as_json(result) + "\n")
    if args.accept and not result.problems:
        accept(accepted_file, result.judgements)
        print(f"accepted {len(result.judgements)} verdicts in {accepted_file.name}", file=sys.stderr)
    return conclude(result, as_json(result) if args.json else None)
