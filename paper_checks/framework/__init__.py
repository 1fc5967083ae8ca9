"""The claim machinery. It knows no paper: a paper is a `Paper` with claims, and may live in anyone's own project."""

from .claims import Claim, Definition, Finding, Formula, Freedom, Paper, Proposition, Verdict
from .measurement import Above, Below, Bound, Estimate, Measurement, Near, NotRun

__all__ = [
    "Above",
    "Below",
    "Bound",
    "Claim",
    "Definition",
    "Estimate",
    "Finding",
    "Formula",
    "Freedom",
    "Measurement",
    "Near",
    "NotRun",
    "Paper",
    "Proposition",
    "Verdict",
]
