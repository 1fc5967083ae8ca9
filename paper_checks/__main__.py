"""`python -m paper_checks`: judge the papers' claims."""

from __future__ import annotations

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
    from .framework.command import main as judge_papers

    return judge_papers(papers(), ACCEPTED, argv, prog="python -m paper_checks")


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # a terminal without Greek letters shows question marks, and no traceback
    if hasattr(signal, "SIGPIPE"):  # end quietly when the reader, `head` say, has had enough
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
