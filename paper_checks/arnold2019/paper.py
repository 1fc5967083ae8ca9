"""arnold2019 as a paper under check: its key, and every locator of its meta-optimizers, experiments and sizes that needs a claim."""

from __future__ import annotations

from ..framework import Paper

__all__ = ["PAPER"]

LOCATORS = (
    "(1)",
    "3.2",
    "Figure 1",  # left: the synthetic tasks
    *(f"({n})" for n in range(2, 8)),
    "4.2",
    "5.1",
    "Table 1",  # its line "Synthetic"
    "5.3",
    "A.1.1",
    "A.1.2",
    "A.2.1",
    "A.2.3",
    "(8)",
    "Algorithm 1",
    "Table A3",  # its parameters
    "beyond",  # not in the paper: what is possible, and which readings come near
)

PAPER = Paper("arnold2019", "Decoupling Adaptation from Modeling with Meta-Optimizers for Meta Learning", LOCATORS)
