"""arnold2019 as a paper under check: its key, and every locator of its meta-optimizers, experiments and sizes that needs a claim."""

from __future__ import annotations

from ..framework import Paper

__all__ = ["PAPER"]

LOCATORS = (
    "1",
    "(1)",
    "3.2",
    "Figure 1",
    *(f"({n})" for n in range(2, 8)),
    "4",
    "4.2",
    "5.1",
    "Table 1",
    "5.2",
    "5.3",
    "Table 2",
    "A.1.1",
    "A.1.2",
    "A.2.1",
    "A.2.2",
    "A.2.3",
    "(8)",
    "Table A1",
    "Table A2",
    "Algorithm 1",
    "A.4",
    "Table A3",
    "beyond",  # not in the paper: what is possible, and which readings come near
)

PAPER = Paper("arnold2019", "Decoupling Adaptation from Modeling with Meta-Optimizers for Meta Learning", LOCATORS)
