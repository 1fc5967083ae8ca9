"""Where a claim is declared, for a reader who wants to see the code that checks it."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from . import claims
from .claims import Claim

__all__ = ["Source", "source_of"]


@dataclass(frozen=True)
class Source:
    """Some lines of a file; the first is number `first_line`, counted from 1."""

    file: Path
    first_line: int
    text: str


def source_of(claim: Claim) -> Source | None:
    """The declaration that makes a claim: the statement of its module that its function stands in, with decorators and loop.

    None where there is nothing to show: a plain definition, or a function without a file.
    """
    build = claim.build
    while isinstance(build, partial):
        build = build.func
    code = getattr(inspect.unwrap(build), "__code__", None)
    if code is None or code.co_filename == claims.__file__:
        return None
    try:
        lines, _ = inspect.findsource(code)
    except OSError:
        return None
    for first, last in _statements("".join(lines)):
        if first <= code.co_firstlineno <= last:
            return Source(Path(code.co_filename), first, "".join(lines[first - 1 : last]))
    return None


@lru_cache
def _statements(text: str) -> list[tuple[int, int]]:
    """First and last line of each statement of a module."""
    return [
        (min(line.lineno for line in (node, *getattr(node, "decorator_list", ()))), node.end_lineno or node.lineno)
        for node in ast.parse(text).body
    ]
