"""The page "Bring your own derivation": how a paper of anyone's is checked, shown on a claims file that is judged for it."""

from __future__ import annotations

import runpy
from pathlib import Path

from ..framework import Paper
from ..framework.output import as_junit
from ..framework.running import run
from ..framework.site import Site

__all__ = ["add_own_derivation"]


def add_own_derivation(site: Site, example: Path) -> None:
    """Add "own.html", with the source of a claims file and the verdicts that a run of it gives now.

    An installed package does not bring the example along: the page then goes without.
    """
    source = result = None
    if example.is_file():
        source = example.read_text(encoding="utf-8")
        papers = [value for value in runpy.run_path(str(example)).values() if isinstance(value, Paper)]
        result = run(papers)
    site.page(
        "own.html",
        "own.html",
        title="Bring your own derivation",
        example=example.name,
        lines=len(source.splitlines()) if source else 0,
        source=source,
        result=result,
        junit=as_junit(result) if result else "",
    )
