"""A run as a table for people, as JSON for programs, as JUnit for CI."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree

from .judging import Judgement
from .running import Run

__all__ = ["as_json", "as_junit", "as_table", "summary"]


def summary(judgements: Sequence[Judgement]) -> str:
    """The number of claims by verdict, in one line."""
    counts = Counter(judgement.verdict for judgement in judgements)
    return f"{len(judgements)} claim{'s' if len(judgements) != 1 else ''}: " + ", ".join(
        f"{number} {verdict}" for verdict, number in counts.most_common()
    )


def as_table(judgements: Sequence[Judgement], width: int = 160) -> str:
    """Columns id, locator, statement, verdict, reason; the last one is wrapped to `width`."""
    head = ("id", "locator", "statement", "verdict", "reason")
    cells = [(j.claim.id, j.claim.locator, j.claim.statement, j.verdict, j.reason) for j in judgements]
    wide = [max(len(row[i]) for row in [head, *cells]) for i in (0, 1, 3)]
    rest = max(50, width - sum(wide) - 8)
    statement_width = rest * 2 // 5
    widths = [wide[0], wide[1], statement_width, wide[2], rest - statement_width]
    lines = []
    for row in [head, *cells]:
        wrapped = [textwrap.wrap(cell, w) or [""] for cell, w in zip(row, widths, strict=True)]
        for i in range(max(map(len, wrapped))):
            line = "  ".join(
                (part[i] if i < len(part) else "").ljust(w) for part, w in zip(wrapped, widths, strict=True)
            )
            lines.append(line.rstrip())
        if row is head:
            lines.append("  ".join("-" * w for w in widths))
    return "\n".join(lines)


def as_json(run: Run) -> str:
    """A list of objects, one per claim."""
    return json.dumps(
        [
            {
                "id": j.claim.id,
                "paper": j.claim.paper,
                "locator": j.claim.locator,
                "statement": j.claim.statement,
                "assumptions": list(j.claim.assumptions),
                "uses": list(j.claim.uses),
                "verdict": j.verdict,
                "printed": j.printed,
                "derived": j.derived,
                "reason": j.reason,
                "cross_check": j.cross_check,
                "control": j.control,
                "counterexample": j.counterexample,
                "steps": [step.text for step in j.steps],
                "command": j.command,
                "note": j.note,
                "problems": list(j.problems),
            }
            for j in run.judgements
        ],
        indent=1,
        ensure_ascii=False,
    )


def as_junit(run: Run) -> str:
    """A test case per claim, which fails on its problems, and one for the run as a whole."""
    suite = ElementTree.Element("testsuite", name="paper_checks", tests=str(len(run.judgements) + 1))
    own = {f"{j.claim.id}: " for j in run.judgements}
    failures = 0
    for j in run.judgements:
        case = ElementTree.SubElement(
            suite, "testcase", classname=j.claim.paper, name=f"{j.claim.locator} {j.claim.id}"
        )
        ElementTree.SubElement(case, "system-out").text = f"{j.verdict}: {j.reason}"
        problems = [problem for problem in run.problems if problem.startswith(f"{j.claim.id}: ")]
        if problems:
            failures += 1
            ElementTree.SubElement(case, "failure", message=problems[0]).text = "\n".join(problems)
    case = ElementTree.SubElement(suite, "testcase", classname="paper_checks", name="the run as a whole")
    rest = [problem for problem in run.problems if not any(problem.startswith(start) for start in own)]
    if rest:
        failures += 1
        ElementTree.SubElement(case, "failure", message=rest[0]).text = "\n".join(rest)
    suite.set("failures", str(failures))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
