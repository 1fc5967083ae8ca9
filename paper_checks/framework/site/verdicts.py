"""What a reader sees of a verdict: a sign that needs no colour, and what it means in a few words."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["VERDICTS", "Shown"]


class Shown(NamedTuple):
    """A verdict's sign and meaning."""

    sign: str
    meaning: str


VERDICTS: dict[str, Shown] = {
    "proved": Shown("✓", "holds exactly as printed"),
    "proved-up-to": Shown("∝", "holds up to a factor or a constant that the paper itself leaves open"),
    "corrected": Shown("≠", "an equation that is off; the right one is given"),
    "refuted": Shown("✗", "a false statement, with a counterexample"),
    "conditional": Shown("⇐", "holds under an assumption that the paper does not state"),
    "reproduced": Shown("≈", "measured again, within bounds declared before the run"),
    "not-reproduced": Shown("≉", "measured again, outside the declared bounds"),
    "definition": Shown("≔", "nothing to prove: a definition or a wish"),
    "not-run": Shown("○", "to be measured; there is no record yet"),
    "unknown": Shown("?", "the two routes disagree, or judging failed"),
}
"""Every verdict, in the order in which tables and bars show them."""
