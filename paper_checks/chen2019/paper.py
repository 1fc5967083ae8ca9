"""chen2019 as a paper under check: its key, and every locator that needs a claim."""

from __future__ import annotations

import sympy

from ..framework import Paper

__all__ = ["PAPER"]

LOCATORS = (
    *(f"({n})" for n in (1, 2, 3)),
    "3",  # what Section 3 says without a number
    "(4)",
    "Algorithm 1",
    "(5)",
    "(6)",
    "Prop. 1",
    "Prop. 2",
    *(f"({n})" for n in (7, 8, 9)),
    "Prop. 3",
    "Cor. 1",
    *(f"({n})" for n in range(10, 19)),
    "B",  # what Appendix B says without a number
    "Prop. 4",
    *(f"({n})" for n in range(19, 31)),
    "C",
    "D",
    "(31)",
    "4",  # what Section 4 says of the results
    "Fig. 3",
    "Fig. 5",
    "Fig. 6",
    "Fig. 7",
    "beyond",  # not in the paper: what it leaves open, answered here
)

# the claims' formulas have variances as symbols of their own
NOTATION = {f"{name}2": sympy.Symbol(name, positive=True) ** 2 for name in ("sigma", "sigma_true")}

PAPER = Paper("chen2019", "Modular Meta-Learning with Shrinkage", LOCATORS, NOTATION)
