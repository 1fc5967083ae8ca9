"""The papers' claims, and a computed verdict on each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .framework import Paper

__all__ = ["ACCEPTED", "papers"]

ACCEPTED = Path(__file__).with_name("verdicts.json")
"""The verdicts of the last accepted run, by claim."""


def papers() -> tuple[Paper, ...]:
    """Every paper under check; imports their claims, and with them sympy and torch, when it is called."""
    from .arnold2019 import PAPER as arnold2019
    from .arnold2021 import PAPER as arnold2021
    from .chen2019 import PAPER as chen2019

    return (arnold2021, arnold2019, chen2019)
