"""How a verdict is computed: the exact judge first, then the numerical witness, then the negative control.

A measured statement has its declared bounds in place of the first two.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import sympy

from .claims import Claim, Definition, Finding, Formula, Freedom, Proposition, Verdict
from .measurement import Bound, Measurement, NotRun, Part
from .relations import Agreement, agree, agree_numerically, components, counterexample, sample_points

__all__ = ["Judgement", "Step", "judge"]

Formulas = Mapping[str, tuple[sympy.Expr, ...]]


@dataclass(frozen=True)
class Step:
    """One step of how a verdict came about.

    Attributes:
        text: a sentence.
        formulas: what it speaks of, by name, component by component.
    """

    text: str
    formulas: Formulas = field(default_factory=dict)


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
        steps: how the verdict came about, in order; of a measurement where its numbers come from.
        formulas: of a formula what is printed, derived, the control's and, where it is given, the right one's.
        counterexample: what shows that the statement is not right as printed, where it is not.
        parts: of a measurement that was run, its numbers beside their bounds.
        bounds: of a measurement, run or not.
        command: what makes a measurement's record.
        note: the claim's own note.
    """

    claim: Claim
    verdict: Verdict
    printed: str
    derived: str
    reason: str
    cross_check: str = ""
    control: str = ""
    problems: tuple[str, ...] = field(default=())
    steps: tuple[Step, ...] = ()
    formulas: Formulas = field(default_factory=dict)
    counterexample: str = ""
    parts: tuple[Part, ...] = ()
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    command: str = ""
    note: str = ""


def judge(claim: Claim) -> Judgement:
    """Judge one claim. An error inside it becomes the verdict `unknown` and a problem, so that a run goes on."""
    try:
        content = claim.build()
        if isinstance(content, Definition):
            return Judgement(
                claim, "definition", claim.statement, "", content.note or "nothing to prove", note=content.note
            )
        if isinstance(content, Formula):
            judged = _judge_formula(claim, content)
        elif isinstance(content, Measurement):
            judged = _judge_measurement(claim, content)
        else:
            judged = _judge_proposition(claim, content)
    except Exception as error:  # a claim is a user's code: report what it raised, and judge the others
        message = f"judging stopped with {type(error).__name__}: {error}"
        return Judgement(claim, "unknown", claim.statement, "", message, problems=(message,))
    judged = replace(judged, note=content.note)
    return replace(judged, verdict="unknown") if judged.problems else judged


def _text(formula: Any) -> str:
    parts = components(formula)
    return str(parts[0]) if len(parts) == 1 else "[" + ", ".join(map(str, parts)) + "]"


def _join(*sentences: str) -> str:
    return " ".join(sentence.rstrip(".") + "." for sentence in sentences if sentence)


def _step(text: str, formulas: Mapping[str, Any] | None = None) -> Step:
    """A step whose text is a whole sentence."""
    return Step(
        _join(text[:1].upper() + text[1:]), {name: tuple(components(f)) for name, f in (formulas or {}).items()}
    )


def _foundation(claim: Claim) -> Step:
    """What a claim stands on."""
    rests = f"rests on {', '.join(claim.uses)}" if claim.uses else "rests on no other claim"
    return _step(f"it {rests}" + (f" and assumes: {'; '.join(claim.assumptions)}" if claim.assumptions else ""))


MULTIPLIED_OUT = 2000
"""Terms up to which a difference is multiplied out for the reader."""


def _most_terms(expr: sympy.Expr) -> int:
    """How many terms a polynomial can have at most once it is multiplied out."""
    if expr.is_Add:
        return sum(map(_most_terms, expr.args))
    if expr.is_Mul:
        return prod(map(_most_terms, expr.args))
    if expr.is_Pow and expr.exp.is_Integer:
        return _most_terms(expr.base) ** int(expr.exp)
    return 1


def _difference(names: str, left: Any, right: Any, freedom: Freedom) -> dict[str, list[sympy.Expr]]:
    """Component by component, multiplied out where that is cheap; none where a factor is open, which it would hide."""
    if freedom.factor:
        return {}
    gaps = [a - b for a, b in zip(components(left), components(right), strict=True)]
    return {names: [sympy.expand(g) if g.is_polynomial() and _most_terms(g) <= MULTIPLIED_OUT else g for g in gaps]}


def _compared(content: Formula, right: Any, shown: str, found: Agreement) -> tuple[Verdict, str, list[Step], str]:
    """The verdict on a formula as printed, with the reason, the steps and the counterexample."""
    if found.exact:
        reason = "holds exactly as printed"
        return "proved", reason, [_step(f"it {reason}: printed − derived = 0")], ""
    if found.holds:
        parts, formulas = [], {}
        if found.factor != 1:
            parts.append(f"a factor: printed = {found.factor} × derived")
            formulas["factor"] = found.factor
        if found.constant != 0:
            parts.append(f"an additive constant: printed − {found.factor} × derived = {found.constant}")
            formulas["constant"] = found.constant
        reason = "holds up to " + " and ".join(parts)
        return "proved-up-to", reason, [_step(f"it {reason}", formulas)], ""
    where = counterexample(content.printed, right, content.freedom)
    if where is None:
        raise ArithmeticError("the printed formula is not the derived one, yet no rational point separates them")
    left_open = ["a positive factor"] * content.freedom.factor
    if content.freedom.constant_in:
        left_open.append(f"a term without {', '.join(map(str, content.freedom.constant_in))}")
    beyond = f" by more than {' and '.join(left_open)}" if left_open else ""
    gap = _difference("printed − derived", content.printed, content.derived, content.freedom)
    steps = [_step(f"printed and derived differ{beyond}", gap), _step(where)]
    reason = f"right is {shown}; {where}"
    saves = {name: agree(content.printed, other, content.freedom).holds for name, other in content.conventions.items()}
    for name, holds in saves.items():
        derived = {"derived under it": content.conventions[name]}
        steps.append(_step(f"it would {'hold' if holds else 'not hold'} {name}", derived))
    if any(saves.values()):
        reason += f". It would hold {' or '.join(name for name, holds in saves.items() if holds)}"
    elif saves:
        reason += f". It would not hold {', nor '.join(saves)} either"
    if content.single_symbol:
        doubt = (
            "The difference hangs on a single symbol, so the copy that was transcribed may be at fault, not the paper"
        )
        steps.append(_step(doubt))
        reason += f". {doubt}"
    return "corrected", reason, steps, where


def _against_line_before(content: Formula) -> Step:
    """How a line of a chain follows from the one before it."""
    found = agree(content.printed, content.before, content.before_freedom)
    line = {"the line before": content.before}
    if found.exact:
        return _step("it equals the line before it as printed", line)
    if found.holds:
        parts = [f"the factor {found.factor}"] * (found.factor != 1)
        parts += [f"the constant {found.constant}"] * (found.constant != 0)
        return _step(f"it follows from the line before it, up to {' and '.join(parts)}", line)
    gap = _difference("printed − the line before", content.printed, content.before, content.before_freedom)
    return _step("it does not follow from the line before it as printed", {**line, **gap})


def _judge_formula(claim: Claim, content: Formula) -> Judgement:
    problems = []
    right, shown = content.derived, _text(content.derived)
    formulas = {"printed": content.printed, "derived": content.derived, "control": content.control}
    steps = [_foundation(claim), _step("derived from the set-up", {"derived": content.derived})]
    if content.right is not None:
        shown, right = content.right
        formulas["right"] = right
        steps.append(_step(f"in the paper's notation that is {shown}", {"right": right}))
        if not agree(right, content.derived).exact:
            problems.append(f"the formula shown as right, {shown}, is not the derived one")
    found = agree(content.printed, content.derived, content.freedom)
    verdict, reason, compared, where = _compared(content, right, shown, found)
    steps += compared
    chain = ""
    if content.before is not None:
        steps.append(_against_line_before(content))
        chain = steps[-1].text

    passes = agree(content.control, content.derived, content.freedom).holds
    if passes:
        problems.append(f"the negative control {_text(content.control)} passes the exact judge")
    else:
        steps.append(_step("the negative control differs, as it must", {"control": content.control}))
    control = f"{'accepted' if passes else 'rejected'} by the exact judge"
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
        cross_check = f"derived {'=' if sound else '≠'} witness at {len(samples)} points, relative error {error:.0e}"
        also = f"and {'accepted ' if control_holds else 'rejected '}" if control_holds != passes else "and "
        control += f" {also}by the witness (error {control_error:.0e})"
    return Judgement(
        claim,
        verdict,
        _text(content.printed),
        _text(right),
        _join(reason, chain, content.note),
        cross_check,
        control,
        tuple(problems),
        tuple(steps),
        {name: tuple(components(formula)) for name, formula in formulas.items()},
        where,
    )


def _said(value: Any) -> str:
    """A parameter in words that are the same in every run."""
    if isinstance(value, Mapping):
        value = [f"{_said(key)}: {_said(item)}" for key, item in value.items()]
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_said, value))})"
    return getattr(value, "__name__", str(value))


def _judge_proposition(claim: Claim, content: Proposition) -> Judgement:
    problems = []
    steps = [_foundation(claim)]

    def both(parameters: Mapping[str, Any], what: str, namely: str = "") -> Finding:
        exact = content.check(**parameters)
        given = "; ".join(f"{name} = {_said(value)}" for name, value in parameters.items())
        given = textwrap.shorten(given, 160, placeholder=" …")
        steps.append(_step(f"{what}{namely} {'holds' if exact.holds else 'fails'} ({given}): {exact.evidence}"))
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
        weaker = None
        if content.weaker is not None:
            weaker = both(content.weaker, "the weaker statement", f", if {content.assumption},")
        if weaker is not None and weaker.holds:
            verdict = "conditional"
            reason = f"holds if {content.assumption} ({weaker.evidence}); without that it fails: {stated.evidence}"
            derived = f"holds if {content.assumption}"
        else:
            verdict, reason = "refuted", f"false: {stated.evidence}"
            if content.right is None:
                problems.append("refuted, but no true version is given to show that the check can succeed")
            else:
                right = both(content.right, "the right statement", f", {content.right_statement},")
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
        f"{'passes' if control.holds else 'fails'}: {control.evidence}",
        tuple(problems),
        tuple(steps),
        counterexample="" if stated.holds else stated.evidence,
    )


def _judge_measurement(claim: Claim, content: Measurement) -> Judgement:
    printed = "; ".join(f"{name}: {bound}" for name, bound in content.bounds.items())
    try:
        parts = content.parts()
    except NotRun as missing:
        command = "" if content.command in str(missing) else f"The command is `{content.command}`"
        reason = _join(f"not run: {missing}", command, content.note)
        judged = Judgement(claim, "not-run", printed, "", reason, control="not run")
        return replace(judged, bounds=content.bounds, command=content.command)
    outside = [part for part in parts if not part.admitted]
    inside = [part for part in parts if part.admitted]
    changed = content.changed
    # a bound that has rejected a number has shown that it can
    controls = [] if outside else [Part(p.name, p.estimate, changed[p.name]) for p in parts if p.name in changed]
    headline = (
        f"{len(outside)} of {len(parts)} outside the declared bounds" if outside else "within the declared bounds"
    )
    sources = [f"{part.name}: {part.estimate.evidence}" for part in parts if part.estimate.evidence]
    return Judgement(
        claim,
        "not-reproduced" if outside else "reproduced",
        printed,
        "; ".join(f"{part.name}: {part.estimate}" for part in parts),
        _join(headline, "; ".join(map(str, outside + inside)), content.note),
        "; ".join(sources),
        "not needed: the bounds themselves reject"
        if outside
        else "rejected: " + "; ".join(f"{part.name} {part.bound}" for part in controls if not part.admitted),
        tuple(f"the negative control passes: {part}" for part in controls if part.admitted),
        tuple(map(Step, sources)),
        parts=tuple(parts),
        bounds=content.bounds,
        command=content.command,
    )
