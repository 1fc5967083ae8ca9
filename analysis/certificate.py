"""A proof as a list of steps, each of which was checked by computation when it was made."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CertificateError", "Step", "checked"]


class CertificateError(ArithmeticError):
    """A step of a proof did not check; nothing that rests on it is returned."""


@dataclass(frozen=True)
class Step:
    """One checked step of a proof: what it says, and what the computation found."""

    statement: str
    evidence: str


def checked(holds: bool, statement: str, evidence: object) -> Step:
    """The step, if it holds.

    Raises:
        CertificateError: it does not.
    """
    if not holds:
        raise CertificateError(f"not so: {statement} (computed: {evidence})")
    return Step(statement, str(evidence))
