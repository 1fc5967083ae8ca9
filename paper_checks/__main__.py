"""`python -m paper_checks`: judge the papers' claims."""

import sys

from .framework.command import main


def _run() -> int:
    from . import ACCEPTED, PAPERS

    return main(PAPERS, ACCEPTED)


if __name__ == "__main__":
    sys.exit(_run())
