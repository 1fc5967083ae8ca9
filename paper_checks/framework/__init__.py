"""The claim machinery. It knows no paper: a paper is a `Paper` with claims, and may live in anyone's own project."""

from .claims import Claim, Definition, Finding, Formula, Freedom, Paper, Proposition, Verdict

__all__ = ["Claim", "Definition", "Finding", "Formula", "Freedom", "Paper", "Proposition", "Verdict"]
