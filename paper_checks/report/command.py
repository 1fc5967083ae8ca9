"""`python -m paper_checks report`: judge every claim once and write a site of what holds, what does not, and what was measured."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..framework import Claim, Paper
from ..framework.command import Parser, as_text, conclude, progress, require_writable
from ..framework.output import as_json, as_junit
from ..framework.running import Run, accepted, run, write_atomically
from ..framework.site import Site, claim_pages
from ..framework.sources import source_of
from ..recorded import UnreadableRecord, reading_from
from .figure_pages import Figure, add_figures, read_figures
from .own_derivation import add_own_derivation

if TYPE_CHECKING:
    from ..result_tables import Table

__all__ = ["main"]

HOME = Path(__file__).resolve().parents[2]
EXAMPLE = HOME / "examples" / "reptile_claims.py"
TEMPLATES = Path(__file__).parent / "templates"
NAVIGATION = (
    ("Overview", "index.html"),
    ("Errata", "errata.html"),
    ("Results", "results.html"),
    ("Figures", "figures.html"),
    ("Explorer", "explorer.html"),
    ("Your own", "own.html"),
)


def _parser(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="Judge every claim, print the verdicts, and write them as a site, with what was measured and the figures: "
        "index.html, verdicts.txt and verdicts.json.",
        epilog="Exit code 1: as without `report`; the site is written all the same. Exit code 2: bad arguments, and nothing is written.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder of the site; written all at once"
    )
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="figures to embed, as `python -m figures --all --out DIR` leaves them",
    )
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="the records (default: results here, then beside the packages)"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit report too")
    return parser


def main(collect: Callable[[], Sequence[Paper]], accepted_file: Path, argv: Sequence[str], prog: str) -> int:
    """Judge, print and write; returns the exit code.

    Args:
        collect: gives the papers; called when the arguments are known to be good, since it may import much.
        accepted_file: where the verdicts of the last accepted run stand.
        argv: arguments.
        prog: the command's name in messages.
    """
    parser = _parser(prog)
    args = parser.parse_args(argv)
    if args.results is not None and not args.results.is_dir():
        parser.error(f"--results is {str(args.results)!r}, which is no folder; give the folder that holds the records")
    try:
        Site.check(args.out)
        figures = [] if args.figures is None else read_figures(args.figures)
    except ValueError as error:
        parser.error(str(error))
    require_writable(parser, [file for file in (args.junit, args.out / "index.html") if file is not None])
    papers = collect()
    from ..result_tables import tables  # with it comes what the claims import

    with reading_from(args.results):
        try:
            measured = tables()
        except UnreadableRecord as error:
            parser.error(str(error))
        result = run(papers, None, accepted(accepted_file), progress(sum(len(paper.claims) for paper in papers)))
    site = _site(result, papers, measured, figures)
    inside = None
    if args.junit is not None and args.junit.resolve().is_relative_to(args.out.resolve()):
        inside = args.junit.resolve().relative_to(args.out.resolve()).as_posix()
        site.file(inside, as_junit(result))  # the folder is swapped as a whole
    try:
        site.write(args.out)
    except (OSError, ValueError) as error:
        parser.error(f"the site cannot be written: {error}")
    if args.junit is not None and inside is None:
        write_atomically(args.junit, as_junit(result))
    code = conclude(result)
    print(f"The report is {args.out / 'index.html'}.", file=sys.stderr)
    return code


def _site(result: Run, papers: Sequence[Paper], measured: Sequence[Table], figures: Sequence[Figure]) -> Site:
    from .explorer import add_explorer
    from .results import add_results

    site = Site("metaproof", NAVIGATION, [TEMPLATES])
    claim_pages(site, result, papers, command=_command, source=_source)
    add_results(site, papers, measured)
    add_figures(site, papers, figures)
    add_explorer(site)
    add_own_derivation(site, EXAMPLE)
    site.file("verdicts.txt", as_text(result) + "\n")
    site.file("verdicts.json", as_json(result) + "\n")
    return site


def _command(claim: Claim) -> str:
    """What judges a claim again."""
    return f"python -m paper_checks --only {shlex.quote(claim.id)}"


def _source(claim: Claim) -> str | None:
    """Where a claim is declared, as file:line, seen from the folder that holds the packages."""
    found = source_of(claim)
    if found is None or not found.file.resolve().is_relative_to(HOME):
        return None
    return f"{found.file.resolve().relative_to(HOME).as_posix()}:{found.first_line}"
