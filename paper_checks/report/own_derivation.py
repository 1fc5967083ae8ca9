"""The page "Bring your own derivation": how a paper of anyone's is checked, shown on a claims file that is judged for it."""

from __future__ import annotations

import inspect
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
    source, papers, about, result = "", [], "", None
    if example.is_file():
        source, names = example.read_text(encoding="utf-8"), runpy.run_path(str(example))
        papers = [value for value in names.values() if isinstance(value, Paper)]
        about = inspect.cleandoc(names["__doc__"] or "").partition("\n")[0]
        result = run(papers)
    site.page(
        "own.html",
        "own.html",
        title="Bring your own derivation",
        example=example.name,
        papers=papers,
        about=about,
        source=source,
        result=result,
        junit=as_junit(result) if result else "",
    )
