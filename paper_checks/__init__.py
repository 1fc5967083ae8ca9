"""The papers' claims, and a computed verdict on each."""

from .arnold2021 import PAPER as ARNOLD2021

__all__ = ["ACCEPTED", "PAPERS"]

from pathlib import Path

PAPERS = (ARNOLD2021,)
ACCEPTED = Path(__file__).with_name("verdicts.json")  # the verdicts of the last accepted run
