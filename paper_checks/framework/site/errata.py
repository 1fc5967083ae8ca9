"""What an author would have to change: statements that are not right as printed, and what is right instead."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from ..claims import Paper, Verdict
from ..judging import Judgement
from ..typesetting import plain

__all__ = ["Entry", "as_mail", "entries"]

WRONG: tuple[Verdict, ...] = ("corrected", "refuted")
AMENDED: tuple[Verdict, ...] = ("conditional",)


@dataclass(frozen=True)
class Entry:
    """A statement that is not right as printed.

    Attributes:
        judgement: what was found.
        right: what is right, in the paper's notation.
        evidence: what shows that the statement does not hold as printed.
        remarks: what else an author would want to know.
    """

    judgement: Judgement
    right: str
    evidence: str
    remarks: str


def entries(judgements: Sequence[Judgement], verdicts: Sequence[Verdict]) -> list[Entry]:
    """Those with one of the verdicts, in the paper's order."""
    return [_entry(judgement) for judgement in judgements if judgement.verdict in verdicts]


def _entry(judgement: Judgement) -> Entry:
    # a reason says what is right, then the counterexample, then the remarks, of which the note is the last; of a false
    # statement what is right comes after the counterexample
    said, _, rest = judgement.reason.partition(judgement.counterexample or judgement.reason)
    rest = rest.lstrip(".; ")
    if judgement.verdict == "corrected":
        return Entry(judgement, said.removeprefix("right is ").removesuffix("; "), judgement.counterexample, rest)
    right = judgement.derived
    if judgement.verdict == "refuted":
        note = judgement.note.rstrip(".")
        right = rest.removeprefix("Right is: ").rstrip(".").removesuffix(note).rstrip(". ")
    return Entry(judgement, right, judgement.counterexample, judgement.note)


def as_mail(paper: Paper, wrong: Sequence[Entry], amended: Sequence[Entry]) -> str:
    """The same as plain text, to be sent to the paper's authors."""

    def lines(text: str, indent: str = "    ") -> str:
        return textwrap.fill(text, 78, initial_indent=indent, subsequent_indent=indent, break_long_words=False)

    def sentence(text: str) -> str:
        return text[:1].upper() + text[1:].rstrip(".") + "."

    def block(entry: Entry) -> str:
        claim = entry.judgement.claim
        right = f"Right is: {entry.right}"
        if entry.judgement.verdict == "conditional":
            right = sentence(entry.judgement.derived)
        said = [right, f"As printed it fails: {entry.evidence.rstrip('.')}."]
        said += [sentence(entry.remarks)] if entry.remarks else []
        head = lines(f"{claim.locator}  {claim.statement}  [{claim.id}]", "")
        return "\n".join([head, *(lines(plain(text, paper.notation)) for text in said)])

    parts = [lines(f"Errata of {paper.title}", "")]
    parts += [lines("Each was derived exactly; in brackets stands the name of its check.", "")]
    if wrong:
        parts += ["Not right as printed", *map(block, wrong)]
    if amended:
        parts += ["Right only under an assumption that is not stated", *map(block, amended)]
    return "\n\n".join(parts) + "\n"
