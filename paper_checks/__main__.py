"""`python -m paper_checks`: judge the papers' claims; with `report`: as a site; with `results`: what was measured on images."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from . import ACCEPTED, papers
from .siblings import shadowed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code (see `framework.command`)."""
    trouble = shadowed("analysis", "empirical")
    if trouble:
        print(f"python -m paper_checks: {trouble}", file=sys.stderr)
        return 2
    given = sys.argv[1:] if argv is None else list(argv)
    if given[:1] == ["results"]:
        if given[1:]:
            print(f"python -m paper_checks results: takes no arguments, and was given {given[1]!r}.", file=sys.stderr)
            return 2
        from .image_results import markdown, rows
        from .recorded import UnreadableRecord

        try:
            print(markdown(rows()))
        except UnreadableRecord as error:
            print(f"python -m paper_checks results: {error}", file=sys.stderr)
            return 2
        return 0
    if given[:1] == ["report"]:
        from .report.command import main as report

        return report(papers, ACCEPTED, given[1:], prog="python -m paper_checks report")
    from .framework.command import main as judge_papers

    more = (
        "`python -m paper_checks report --out DIR` writes all this as a site; `python -m paper_checks results` prints what was "
        "measured on images beside what the papers print."
    )
    return judge_papers(papers(), ACCEPTED, given, prog="python -m paper_checks", more=more)


if __name__ == "__main__":
    # torch is not loaded yet: the sizes are small, threads would wait for each other most of the time, and sums depend on their number
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.stdout.reconfigure(errors="replace")  # a terminal without Greek letters shows question marks, and no traceback
    if hasattr(signal, "SIGPIPE"):  # end quietly when the reader, `head` say, has had enough
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
