"""How a verdict is computed: the exact judge first, then the numerical witness, then the negative control.

A measured statement has its declared bounds in place of the first two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .claims import Claim, Definition, Finding, Formula, Proposition, Verdict
from .measurement import Measurement, NotRun, Part
from .relations import agree, agree_numerically, components, counterexample, sample_points

__all__ = ["Judgement", "judge"]


@dataclass(frozen=True)
class Judgement:
    """What was found out about a claim.

    Attributes:
        claim: the claim.
        verdict: computed.
        printed: as printed, as text (sympy source where it is a formula; the declared bounds where it was measured).
        derived: what the derivation gives, or what was measured.
        reason: why, in a sentence or two.
        cross_check: what the numerical route found, or where the measured numbers come from.
        control: what became of the negative control.
        problems: reasons for which the run must fail; empty for a sound judgement.
    """

    claim: Claim
    verdict: Verdict
    printed: str
    derived: str
    reason: str
    cross_check: str = ""
    control: str = ""
    problems: tuple[str, ...] = field(default=())


def judge(claim: Claim) -> Judgement:
    """Judge one claim. An error inside it becomes the verdict `unknown` and a problem, so that a run goes on."""
    try:
        content = claim.build()
        if isinstance(content, Definition):
            return Judgement(claim, "definition", claim.statement, "", content.note or "nothing to prove")
        if isinstance(content, Formula):
            judged = _judge_formula(claim, content)
        elif isinstance(content, Measurement):
            judged = _judge_measurement(claim, content)
        else:
            judged = _judge_proposition(claim, content)
    except Exception as error:  # a claim is a user's code: report what it raised, and judge the others
        message = f"judging stopped with {type(error).__name__}: {error}"
        return Judgement(claim, "unknown", claim.statement, "", message, problems=(message,))
    return replace(judged, verdict="unknown") if judged.problems else judged


def _text(formula: Any) -> str:
    parts = components(formula)
    return str(parts[0]) if len(parts) == 1 else "[" + ", ".join(map(str, parts)) + "]"


def _join(*sentences: str) -> str:
    return " ".join(sentence.rstrip(".") + "." for sentence in sentences if sentence)


def _judge_formula(claim: Claim, content: Formula) -> Judgement:
    problems = []
    derived, shown = content.derived, _text(content.derived)
    if content.right is not None:
        shown, derived = content.right
        if not agree(derived, content.derived).exact:
            problems.append(f"the formula shown as right, {shown}, is not the derived one")
    found = agree(content.printed, content.derived, content.freedom)
    if found.exact:
        verdict, reason = "proved", "holds exactly as printed"
    elif found.holds:
        verdict = "proved-up-to"
        parts = []
        if found.factor != 1:
            parts.append(f"a factor: printed = {found.factor} × derived")
        if found.constant != 0:
            parts.append(f"an additive constant: printed − {found.factor} × derived = {found.constant}")
        reason = "holds up to " + " and ".join(parts)
    else:
        verdict = "corrected"
        where = counterexample(content.printed, derived, content.freedom)
        if where is None:
            raise ArithmeticError("the printed formula is not the derived one, yet no rational point separates them")
        reason = f"right is {shown}; {where}"
        holding = [
            name for name, other in content.conventions.items() if agree(content.printed, other, content.freedom).holds
        ]
        if holding:
            reason += f". It would hold {' or '.join(holding)}"
        elif content.conventions:
            reason += f". It would not hold {', nor '.join(content.conventions)} either"
        if content.single_symbol:
            reason += ". The difference hangs on a single symbol, so the copy that was transcribed may be at fault, not the paper"
    chain = ""
    if content.before is not None:
        step = agree(content.printed, content.before, content.before_freedom)
        if step.exact:
            chain = "It equals the line before it as printed"
        elif step.holds:
            parts = [f"the factor {step.factor}"] * (step.factor != 1) + [f"the constant {step.constant}"] * (
                step.constant != 0
            )
            chain = f"It follows from the line before it, up to {' and '.join(parts)}"
        else:
            chain = "It does not follow from the line before it as printed"

    if agree(content.control, content.derived, content.freedom).holds:
        problems.append(f"the negative control {_text(content.control)} passes the exact judge")
    control = "rejected by the exact judge"
    cross_check = ""
    if content.witness is not None:
        symbols = sorted(
            set().union(
                *(x.free_symbols for f in (content.printed, content.derived, content.control) for x in components(f))
            ),
            key=str,
        )
        samples = sample_points(symbols, content.freedom, content.domain)
        sound, error = agree_numerically(content.derived, content.witness, samples)
        if not sound:
            problems.append(f"the derived formula and the numerical witness differ by {error:.1e}")
        printed_holds, _ = agree_numerically(content.printed, content.witness, samples, content.freedom)
        if printed_holds != found.holds:
            problems.append(
                f"the exact judge says {found.holds} of the printed formula and the witness {printed_holds}"
            )
        control_holds, control_error = agree_numerically(content.control, content.witness, samples, content.freedom)
        if control_holds:
            problems.append(f"the negative control {_text(content.control)} passes the numerical witness")
        cross_check = f"derived = witness at {len(samples)} points, relative error {error:.0e}"
        control += f" and by the witness (error {control_error:.0e})"
    return Judgement(
        claim,
        verdict,
        _text(content.printed),
        _text(derived),
        _join(reason, chain, content.note),
        cross_check,
        control,
        tuple(problems),
    )


def _judge_proposition(claim: Claim, content: Proposition) -> Judgement:
    problems = []

    def both(parameters: Mapping[str, Any], what: str) -> Finding:
        exact = content.check(**parameters)
        if content.witness is not None:
            numerical = content.witness(**parameters)
            if numerical.holds != exact.holds:
                problems.append(
                    f"of {what} the exact check says {exact.holds} ({exact.evidence}) and the witness {numerical.holds} "
                    f"({numerical.evidence})"
                )
            numerical_evidence.append(f"{what}: {numerical.evidence}")
        return exact

    numerical_evidence: list[str] = []
    stated = both(content.stated, "the statement")
    derived = stated.evidence
    if stated.holds:
        verdict, reason = "proved", f"holds as stated: {stated.evidence}"
    else:
        weaker = both(content.weaker, "the weaker statement") if content.weaker is not None else None
        if weaker is not None and weaker.holds:
            verdict = "conditional"
            reason = f"holds if {content.assumption} ({weaker.evidence}); without that it fails: {stated.evidence}"
            derived = f"holds if {content.assumption}"
        else:
            verdict, reason = "refuted", f"false: {stated.evidence}"
            if content.right is None:
                problems.append("refuted, but no true version is given to show that the check can succeed")
            else:
                right = both(content.right, "the right statement")
                derived = content.right_statement
                reason += f". Right is: {content.right_statement} ({right.evidence})"
                if not right.holds:
                    problems.append(f"the version given as right fails too: {right.evidence}")
    control = both(content.control, "the control")
    if control.holds:
        problems.append(f"the negative control {dict(content.control)} passes: {control.evidence}")
    return Judgement(
        claim,
        verdict,
        claim.statement,
        derived,
        _join(reason, content.note),
        "; ".join(numerical_evidence),
        f"fails: {control.evidence}",
        tuple(problems),
    )


def _judge_measurement(claim: Claim, content: Measurement) -> Judgement:
    printed = "; ".join(f"{name}: {bound}" for name, bound in content.bounds.items())
    try:
        parts = content.parts()
    except NotRun as missing:
        command = "" if content.command in str(missing) else f"The command is `{content.command}`"
        reason = _join(f"not run: {missing}", command, content.note)
        return Judgement(claim, "not-run", printed, "", reason, control="not run")
    outside = [part for part in parts if not part.admitted]
    inside = [part for part in parts if part.admitted]
    changed = content.changed
    # a bound that has rejected a number has shown that it can
    controls = [] if outside else [Part(p.name, p.estimate, changed[p.name]) for p in parts if p.name in changed]
    headline = (
        f"{len(outside)} of {len(parts)} outside the declared bounds" if outside else "within the declared bounds"
    )
    return Judgement(
        claim,
        "not-reproduced" if outside else "reproduced",
        printed,
        "; ".join(f"{part.name}: {part.estimate}" for part in parts),
        _join(headline, "; ".join(map(str, outside + inside)), content.note),
        "; ".join(f"{part.name}: {part.estimate.evidence}" for part in parts if part.estimate.evidence),
        "not needed: the bounds themselves reject"
        if outside
        else "rejected: " + "; ".join(f"{part.name} {part.bound}" for part in controls if not part.admitted),
        tuple(f"the negative control passes: {part}" for part in controls if part.admitted),
    )
