"""arnold2021 as a paper under check: its key, and every locator of Sections 2 to 5 and Appendices A to C that needs a claim."""

from __future__ import annotations

from ..framework import Paper

__all__ = ["PAPER"]

LOCATORS = (
    *(f"({n})" for n in (1, 2, 3, 4, 5, 6, 7)),
    "3",
    "(8), (9)",  # the missing ½ is one claim
    *(f"({n})" for n in range(10, 21)),
    "4.3",
    "4.4",
    "4.5",
    "5.1",
    "5.2",
    "Table 1",
    "Table 2",
    *(f"({n})" for n in range(21, 27)),
    "5.3",
    "Table 3",
    "Figure 4",
    *(f"({n})" for n in range(27, 47)),
    *(f"({n})" for n in range(48, 58)),
    "script",
    "A",
    "B.1",
    "B.2",
    "B.3",
    "B.4",
    "B.5",
    "Table B.4",
    "B.6",
    "C.1",
    "C.1.1",
    "beyond",  # not in the paper: what is possible, against what was measured
)

PAPER = Paper("arnold2021", "When MAML Can Adapt Fast and How to Assist When It Cannot", LOCATORS)
