"""What a claim is: a paper's statement, transcribed as printed, beside the means to judge it.

A claim is declared once. It says what the paper prints, how to derive the same thing, how to witness it by an independent
numerical route, and a slightly changed statement that must fail. The verdict is none of its fields: `judging` computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .measurement import Measurement

if TYPE_CHECKING:  # kept light: a file of claims is read before sympy is needed
    import sympy

__all__ = ["Claim", "Content", "Definition", "Finding", "Formula", "Freedom", "Paper", "Proposition", "Verdict"]

Verdict = Literal[
    "proved",  # exactly as printed
    "proved-up-to",  # a positive factor or an additive constant that the paper itself leaves open
    "corrected",  # an equation that is off; the right one is given
    "refuted",  # a false statement, with a counterexample
    "conditional",  # holds under an assumption that the paper does not state
    "reproduced",  # measured, within a bound declared before
    "not-reproduced",
    "definition",  # nothing to prove
    "unknown",  # the routes disagree, or the judge failed
    "not-run",
]


@dataclass(frozen=True)
class Freedom:
    """What "=" leaves open where the paper says so.

    Args:
        factor: printed and derived may differ by a positive rational factor (∝).
        constant_in: they may differ by a term that does not contain these symbols ("+ const").
    """

    factor: bool = False
    constant_in: tuple[sympy.Symbol, ...] = ()


@dataclass(frozen=True)
class Formula:
    """A printed formula and its derivation, as sympy expressions (or lists of them, component by component).

    Args:
        printed: the right-hand side as the paper prints it.
        derived: the same quantity, derived from the set-up.
        control: `printed` or `derived` slightly changed; both routes must reject it.
        freedom: what the paper leaves open.
        right: the derived formula as a person would write it: as text in the paper's notation, and as an expression, which
            must equal `derived`.
        witness: the quantity by an independent numerical route: a function of the symbols' names, returning a float or a
            flat sequence of floats.
        domain: where to sample a symbol for the witness, as (low, high); −2 … 2 for real symbols and ⅒ … 9/10 for
            positive ones by default.
        conventions: other conventions by name, each with what the derivation gives under it; those under which the printed
            formula would hold are named in the verdict.
        before: the line before this one in a chain of equations, as printed, if there is one.
        before_freedom: what is left open between that line and this one.
        single_symbol: whether a misprint here would hang on a single symbol, so that the transcribed copy may be at fault.
        note: what a reader should know beside the verdict.
    """

    printed: Any
    derived: Any
    control: Any
    freedom: Freedom = Freedom()
    right: tuple[str, Any] | None = None
    witness: Callable[..., Any] | None = None
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    conventions: Mapping[str, Any] = field(default_factory=dict)
    before: Any = None
    before_freedom: Freedom = Freedom()
    single_symbol: bool = False
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check of a statement.

    Args:
        holds: whether the statement holds.
        evidence: what was computed, in a few words; where the statement fails, the counterexample.
    """

    holds: bool
    evidence: str


@dataclass(frozen=True)
class Proposition:
    """A statement that is true or false, with a parameter that can make it weaker, stronger or wrong.

    Args:
        check: decides the statement exactly for given parameters.
        stated: the parameters of the statement as printed.
        control: parameters that make the statement false; both routes must see that.
        witness: the same decision by an independent numerical route.
        weaker: parameters of a version under an assumption that the paper does not state, tried if `stated` fails.
        assumption: that assumption in words.
        right: parameters of a true version, given where the printed statement is false and no assumption saves it.
        right_statement: that version in words.
        note: what a reader should know beside the verdict.
    """

    check: Callable[..., Finding]
    stated: Mapping[str, Any]
    control: Mapping[str, Any]
    witness: Callable[..., Finding] | None = None
    weaker: Mapping[str, Any] | None = None
    assumption: str = ""
    right: Mapping[str, Any] | None = None
    right_statement: str = ""
    note: str = ""


@dataclass(frozen=True)
class Definition:
    """A definition or a wish: there is nothing to prove, and no control to fail."""

    note: str = ""


Content = Formula | Proposition | Measurement | Definition
"""What a claim can hold."""


@dataclass(frozen=True)
class Claim:
    """One numbered statement of a paper.

    Args:
        id: permanent and unique, e.g. "arnold2021.eq11".
        paper: the paper's key.
        locator: where it stands, e.g. "(11)"; several claims may share one.
        statement: as printed, in one line of text.
        build: makes the content; called when the claim is judged.
        assumptions: what the paper assumes.
        uses: ids of the claims it rests on.
    """

    id: str
    paper: str
    locator: str
    statement: str
    build: Callable[[], Content]
    assumptions: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


class Paper:
    """A paper's claims in its own order, and the locators that must each have one.

    Args:
        key: short name, e.g. "arnold2021".
        title: the paper's title.
        locators: the list that a run holds the claims against.
        notation: how symbols are typeset that stand for a formula, by name: {"sigma2": sigma**2}.
    """

    def __init__(
        self, key: str, title: str, locators: Sequence[str] = (), notation: Mapping[str, sympy.Expr] | None = None
    ):
        self.key, self.title, self.locators = key, title, tuple(locators)
        self.notation = dict(notation or {})
        self.claims: list[Claim] = []

    def claim(
        self, id: str, locator: str, statement: str, *, assumptions: Sequence[str] = (), uses: Sequence[str] = ()
    ) -> Callable[[Callable[[], Content]], Claim]:
        """Declare a claim; decorates the function that builds its content. `id` and `uses` go without the paper's key.

        Raises:
            ValueError: the id is taken.
        """

        def full(name: str) -> str:
            return name if "." in name else f"{self.key}.{name}"

        def declare(build: Callable[[], Content]) -> Claim:
            if any(known.id == full(id) for known in self.claims):
                raise ValueError(f"two claims of {self.key} have the id {full(id)}; an id is unique and permanent")
            claim = Claim(full(id), self.key, locator, statement, build, tuple(assumptions), tuple(map(full, uses)))
            self.claims.append(claim)
            return claim

        return declare

    def definition(self, id: str, locator: str, statement: str, note: str = "") -> Claim:
        """Declare a definition or a wish."""
        return self.claim(id, locator, statement)(lambda: Definition(note))
