"""Where a claim is declared, for a reader who wants to see the code that checks it."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from . import claims
from .claims import Claim

__all__ = ["Source", "helpers_of", "source_of"]


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
    for first, last, _ in _statements("".join(lines)):
        if first <= code.co_firstlineno <= last:
            return Source(Path(code.co_filename), first, "".join(lines[first - 1 : last]))
    return None


def helpers_of(claim: Claim) -> tuple[Source, ...]:
    """The functions and classes of its module that a claim's declaration names, itself or through another of them, in their order."""
    own = source_of(claim)
    if own is None:
        return ()
    lines = own.file.read_text(encoding="utf-8").splitlines(keepends=True)
    known = {
        node.name: (first, last, node) for first, last, node in _statements("".join(lines)) if hasattr(node, "name")
    }
    found: set[str] = set()
    ahead: list[ast.AST] = [node for first, _, node in _statements("".join(lines)) if first == own.first_line]
    while ahead:
        names = {node.id for node in ast.walk(ahead.pop()) if isinstance(node, ast.Name)} & set(known) - found
        found |= names
        ahead += [known[name][2] for name in names]
    shown = sorted(known[name][:2] for name in found if known[name][0] != own.first_line)
    return tuple(Source(own.file, first, "".join(lines[first - 1 : last])) for first, last in shown)


@lru_cache
def _statements(text: str) -> list[tuple[int, int, ast.stmt]]:
    """Each statement of a module, with its first and last line."""
    return [
        (
            min(line.lineno for line in (node, *getattr(node, "decorator_list", ()))),
            node.end_lineno or node.lineno,
            node,
        )
        for node in ast.parse(text).body
    ]
