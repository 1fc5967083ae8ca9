"""A run: judge the claims of some papers, and hold the outcome against what was accepted last."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .claims import Claim, Paper
from .judging import Judgement, judge

__all__ = [
    "Run",
    "UnknownName",
    "accept",
    "accepted",
    "changed",
    "declaration_problems",
    "gaps",
    "run",
    "select",
    "write_atomically",
]


class UnknownName(ValueError):
    """A paper, claim or locator that does not exist; the message names the nearest."""


def _nearest(given: str, known: Iterable[str], what: str) -> UnknownName:
    known = list(dict.fromkeys(known))
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.0)
    return UnknownName(
        f"there is no {what} {given!r}; the nearest is {near[0]!r}" if near else f"there is no {what} at all"
    )


def select(papers: Sequence[Paper], paper: str | None = None, only: Sequence[str] = ()) -> list[Claim]:
    """The claims of one paper or of all, or just those with the given ids (the paper's key may be left out) or locators.

    Raises:
        UnknownName: no such paper, id or locator.
    """
    if paper is not None and paper not in (known.key for known in papers):
        raise _nearest(paper, (known.key for known in papers), "paper")
    claims = [claim for known in papers if paper in (None, known.key) for claim in known.claims]
    if not only:
        return claims
    names = {claim.id: (claim.id, claim.id.removeprefix(f"{claim.paper}."), claim.locator) for claim in claims}
    for wanted in only:
        if not any(wanted in known for known in names.values()):
            raise _nearest(wanted, [name for known in names.values() for name in known], "claim")
    return [claim for claim in claims if set(names[claim.id]) & set(only)]


@dataclass(frozen=True)
class Run:
    """The judgements, and everything for which the run fails."""

    judgements: tuple[Judgement, ...]
    problems: tuple[str, ...]


def declaration_problems(papers: Sequence[Paper], claims: Sequence[Claim], resolve: Sequence[Paper] = ()) -> list[str]:
    """Ids that more than one claim of the papers has, and what `claims` use without its being there, `resolve` included."""
    ids = [claim.id for paper in papers for claim in paper.claims]
    resolvable = {*ids, *(claim.id for paper in resolve for claim in paper.claims)}
    problems = [f"{id} is the id of more than one claim" for id in sorted({id for id in ids if ids.count(id) > 1})]
    return problems + [
        f"{claim.id} uses {used}, and there is no such claim"
        for claim in claims
        for used in claim.uses
        if used not in resolvable
    ]


def gaps(papers: Sequence[Paper], expected: Mapping[str, str] | None = None) -> list[str]:
    """The papers' locators that no claim has, and accepted verdicts without a claim."""
    problems = []
    for paper in papers:
        located = {claim.locator for claim in paper.claims}
        problems += [f"{paper.key} {locator} has no claim" for locator in paper.locators if locator not in located]
    ids = {claim.id for paper in papers for claim in paper.claims}
    gone = [id for id in expected or {} if id not in ids]
    return problems + [f"{id} has an accepted verdict, and there is no such claim" for id in gone]


def changed(judgement: Judgement, expected: Mapping[str, str]) -> str | None:
    """How a verdict differs from the accepted one, if it does."""
    was = expected.get(judgement.claim.id, "not there")
    return None if was == judgement.verdict else f"the verdict is {judgement.verdict}, and the accepted one is {was}"


def run(
    papers: Sequence[Paper],
    claims: Sequence[Claim] | None = None,
    expected: dict[str, str] | None = None,
    progress: Callable[[Claim], None] | None = None,
    resolve: Sequence[Paper] = (),
) -> Run:
    """Judge claims and collect what is wrong: a claim's own problems, gaps in the papers, changed verdicts.

    Args:
        papers: the papers that are run.
        claims: those to judge; all by default. Locators are checked for completeness only then.
        expected: the accepted verdicts by claim id, or None to accept any.
        progress: called with each claim before it is judged.
        resolve: further papers whose claims a `uses` may name.
    """
    whole = claims is None
    claims = [claim for paper in papers for claim in paper.claims] if claims is None else list(claims)
    problems = declaration_problems(papers, claims, resolve)
    if whole:
        problems += gaps(papers, expected)
    judgements = []
    for claim in claims:
        if progress is not None:
            progress(claim)
        judgement = judge(claim)
        judgements.append(judgement)
        change = None if expected is None else changed(judgement, expected)
        problems += [f"{claim.id}: {problem}" for problem in (*judgement.problems, change) if problem]
    return Run(tuple(judgements), tuple(problems))


def accepted(path: Path) -> dict[str, str]:
    """The verdicts of the last accepted run, by claim id; empty if there was none."""
    return {id: entry["verdict"] for id, entry in json.loads(path.read_text()).items()} if path.exists() else {}


def accept(path: Path, judgements: Sequence[Judgement]) -> None:
    """Write the verdicts of a run as the accepted ones, all at once or not at all."""
    entries = {j.claim.id: {"locator": j.claim.locator, "verdict": j.verdict} for j in judgements}
    write_atomically(path, json.dumps(entries, indent=1, ensure_ascii=False) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)
