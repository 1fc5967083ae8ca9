"""Formulas as MathML and LaTeX, and a claim's text as inline HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from xml.dom.minidom import Element, Text

import sympy
from markupsafe import Markup, escape
from sympy.printing.conventions import split_super_sub
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.pretty.pretty_symbology import greek_unicode

__all__ = ["latex", "mathml", "plain", "prose", "source", "statement"]

Formula = sympy.Basic | Iterable[sympy.Basic]
Notation = Mapping[str, sympy.Expr]
"""What symbols stand for, by name, where a paper writes a formula for them: {"sigma2": sigma**2}."""

LONG = 1500
"""Characters of sympy source beyond which only the first terms are typeset."""
TOO_LONG = 12_000
"""Characters beyond which a source is not shown either; a page is for reading."""
ACCENTS = {"bar": "¯", "hat": "^", "tilde": "~"}
WIDE = 90
"""Characters up to which components stand in a line rather than one below the other."""


def _components(formula: Formula, notation: Notation | None = None) -> tuple[sympy.Basic, ...]:
    parts = (formula,) if isinstance(formula, sympy.Basic) else tuple(formula)
    if not notation:
        return parts
    return tuple(p.xreplace({s: notation[s.name] for s in p.free_symbols if s.name in notation}) for p in parts)


@lru_cache(maxsize=1024)
def _text(formula: sympy.Basic) -> str:
    return str(formula)


# --- formulas ---


class _Printer(MathMLPresentationPrinter):
    """sympy's printer, with text that is escaped, accents, cases, and a sum that starts with a term without a minus."""

    def __init__(self) -> None:
        super().__init__()

        def text(data: str) -> Text:
            # sympy writes HTML's entities and leaves names as they are; XML knows no entities, and a name may hold "<"
            node = Text()
            node.data = html.unescape(data).translate({ord("-"): "−", ord("ⅆ"): "d", ord("ⅇ"): "e"})
            node.ownerDocument = self.dom
            return node

        self.dom.createTextNode = text

    def doprint(self, expr: sympy.Basic) -> str:
        return self._print(expr).toxml()

    def element(self, tag: str, *children: Element | str) -> Element:
        made = self.dom.createElement(tag)
        for child in children:
            made.appendChild(self.dom.createTextNode(child) if isinstance(child, str) else child)
        return made

    def _as_ordered_terms(self, expr: sympy.Expr, order: str | None = None) -> list[sympy.Expr]:
        terms = super()._as_ordered_terms(expr, order)
        first = next((i for i, term in enumerate(terms) if not term.could_extract_minus_sign()), 0)
        return [terms[first], *terms[:first], *terms[first + 1 :]]

    def _print_Symbol(self, symbol: sympy.Symbol, style: str = "plain") -> Element:
        name, above, below = split_super_sub(symbol.name)
        accent = next((a for a in ACCENTS if name.endswith(a) and len(name) > len(a)), "")
        made = self.element("mi", _letter(name.removesuffix(accent)))
        if style == "bold":
            made.setAttribute("mathvariant", "bold")
        if accent:
            made = self.element("mover", made, self.element("mo", ACCENTS[accent]))
        scripts = [
            self.element("mn" if text.isdigit() else "mi", text)
            for text in (",".join(map(_letter, below)), ",".join(map(_letter, above)))
            if text
        ]
        tag = {(True, True): "msubsup", (True, False): "msub", (False, True): "msup"}.get((bool(below), bool(above)))
        return self.element(tag, made, *scripts) if tag else made

    def _print_Piecewise(self, expr: sympy.Piecewise) -> Element:
        rows = []
        for value, condition in expr.args:
            when = [self.element("mtext", "otherwise")]
            if condition != sympy.true:
                when = [self.element("mtext", "if\N{NO-BREAK SPACE}"), self._print(condition)]
            rows.append(
                self.element("mtr", self.element("mtd", self._print(value)), self.element("mtd", *when)),
            )
        return self.element("mrow", self.element("mo", "{"), self.element("mtable", *rows))


def _letter(name: str) -> str:
    return greek_unicode.get(name, name)


def mathml(formula: Formula, notation: Notation | None = None) -> Markup:
    """Presentation MathML of an expression, or of several as a list; of long ones the first terms, and how many there are."""
    parts = _components(formula, notation)
    printer = _Printer()
    shown, left_out, room = [], "", LONG
    for number, part in enumerate(parts, 1):
        length = len(_text(part))
        if length > room:
            if number > 1:
                left_out = f"the first {number - 1} of {len(parts)} components"
            else:
                terms, left_out = _first_terms(printer, part)
                shown += terms
            break
        shown.append(printer.doprint(part))
        room -= length
    if len(parts) == 1:
        body = "".join(shown)
    elif sum(len(_text(part)) for part in parts) <= WIDE:
        comma = '<mo>,</mo><mspace width="0.5em"/>'
        body = f"<mrow><mo>(</mo>{comma.join(shown)}<mo>)</mo></mrow>"
    else:
        rows = "".join(f"<mtr><mtd>{row}</mtd></mtr>" for row in shown)
        body = f"<mrow><mo>(</mo><mtable>{rows}</mtable><mo>)</mo></mrow>"
    math = f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{body}</math>' if shown else ""
    return Markup(math + (f'<span class="muted">{left_out}</span>' if left_out else ""))


def _first_terms(printer: _Printer, expr: sympy.Basic) -> tuple[list[str], str]:
    """The first terms of a long sum, and what is left out."""
    terms = printer._as_ordered_terms(expr) if expr.is_Add else []
    kept, room = "", LONG
    for number, term in enumerate(terms):
        room -= len(str(term))
        if room < 0:
            if not number:
                break
            return [f"<mrow>{kept}<mo>+</mo><mo>⋯</mo></mrow>"], f"the first {number} of {len(terms):,} terms"
        negative = bool(kept) and term.could_extract_minus_sign()
        kept += f"<mo>{'−' if negative else '+'}</mo>" if kept else ""
        kept += printer.doprint(-term if negative else term)
    return [], f"too long to typeset: {len(_text(expr)):,} characters as sympy source"


def source(formula: Formula) -> str:
    """The source of an expression, or of a list of several, that sympy reads back; what is too long is only described."""
    parts = _components(formula)
    text = _text(parts[0]) if len(parts) == 1 else "[" + ", ".join(map(_text, parts)) + "]"
    return text if len(text) <= TOO_LONG else f"# {len(text):,} characters: too long for a page"


def latex(formula: Formula, notation: Notation | None = None) -> str:
    """LaTeX source of an expression, or of several as a list; what is too long is only described."""
    parts = _components(formula, notation)
    if (length := sum(len(_text(part)) for part in parts)) > TOO_LONG:
        return f"% {length:,} characters as sympy source: too long for a page"
    texts = list(map(sympy.latex, parts))
    return texts[0] if len(parts) == 1 else r"\left( " + ", ".join(texts) + r" \right)"


# --- text ---

GREEK = "α-ωϑϕϵ"
MARKS = "\u0300-\u036f′"
LETTER = f"A-Za-zÀ-ÖØ-öø-ɏΑ-Ω{GREEK}ℓ"
SUPERSCRIPTS = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
WORD = re.compile(f"[{LETTER}][{LETTER}0-9{MARKS}]*")
SCRIPT = re.compile(rf"[_^](?:\{{((?:[^{{}}]|\{{[^{{}}]*\}})*)\}}|([{LETTER}0-9][{LETTER}0-9{MARKS}]*))")
NAMED = {"argmax", "argmin", "inf", "lim", "log", "max", "min", "sup", "det", "Diag", "diag"}
BEFORE = set("=+−×·←∝<>≥≤≠∈(√/∂±|‖[½,∏Σ")
AFTER = set("=+−×·←∝<>≥≤≠∈)²³/^_|‖],") | SUPERSCRIPTS
CITED = re.compile(
    r"(?:Appendix|Appendices|Section|Sections|Table|Figure|Fig\.|Algorithm|Prop\.|Proposition|Experiment) $"
)
SHORT_WORDS = set("am an as at be by do go he if in is it me my no of oh ok on or so to up us we al et vs".split())


def statement(text: str) -> Markup:
    """A claim's statement as inline HTML: sub- and superscripts, and variables in italics where it is safe to say so."""
    letters = {
        word[0]
        for found in WORD.finditer(text)
        if len(word := re.sub(f"[{MARKS}]", "", found[0])) == 1 and _is_variable(text, found)
    }
    return Markup(_inline(text, letters))


def _is_variable(text: str, found: re.Match[str]) -> bool:
    """Whether a letter that stands alone is a variable, and no article, list item or part of a word with a hyphen."""
    letter = found[0][0]
    before, after = text[: found.start()], text[found.end() :]
    if re.search(rf"[.'’_]$|[{LETTER}0-9]-$", before):
        return False
    if re.match(rf"\.[{LETTER}0-9]|-[{LETTER}]|['’]", after) or CITED.search(before) or letter == "E":
        return False
    scripted = bool(SCRIPT.match(after)) or after[:1] in SUPERSCRIPTS
    if before[-1:].isdigit() and not scripted:
        return False
    if letter in "aAI":
        near, next_ = before.rstrip()[-1:], after.lstrip()[:1]
        greek = bool(re.match(f"[{GREEK}]", near))
        return bool(scripted or near in BEFORE - {","} or greek or next_ in AFTER - {","} or after.startswith("("))
    return True


def _inline(text: str, letters: set[str]) -> str:
    out, at = [], 0
    while at < len(text):
        found = WORD.match(text, at)
        if found is None:
            out.append(str(escape(text[at])))
            at += 1
            scripted = text[at - 1] in ")]|‖∏Σ∑∇∂"
        else:
            made = _word(text, found, letters)
            out.append(str(escape(found[0])) if made is None else made)
            at = found.end()
            scripted = made is not None or found[0] in NAMED or len(found[0]) == 1
        while scripted and (script := SCRIPT.match(text, at)):
            tag = "sub" if script[0][0] == "_" else "sup"
            out.append(f"<{tag}>{_inline(script[1] if script[1] is not None else script[2], letters)}</{tag}>")
            at = script.end()
            out.append(" " if tag == "sub" and text[at : at + 1] == "_" else "")
    return "".join(out)


def _word(text: str, found: re.Match[str], letters: set[str]) -> str | None:
    """A run of letters and digits as variables; None if it is a word."""
    word = found[0]
    plain = re.sub(f"[{MARKS}]", "", word)
    joined = (
        len(plain) == 2
        and set(plain) <= letters
        and plain not in SHORT_WORDS
        and not text[found.end() :].startswith("-")
    )
    alone = len(plain) == 1 and _is_variable(text, found) and not re.match("[Α-Ω]", plain)
    indexed = re.fullmatch(rf"[a-z][{MARKS}]*[0-9]{{1,2}}", word)
    if not (alone or joined or indexed or re.search(f"[{GREEK}]", word)):
        return None
    return re.sub(
        rf"([{LETTER}][{MARKS}]*)([0-9]*)",
        lambda part: f'<i class="var">{part[1]}</i>' + (f"<sub>{part[2]}</sub>" if part[2] else ""),
        word,
    )


GREEK_NAME = re.compile(
    rf"(?<![{LETTER}0-9])({'|'.join(sorted(n for n in greek_unicode if n.isalpha()))})(?![{LETTER}])"
)


def prose(text: str, notation: Notation | None = None) -> Markup:
    """A sentence of a judgement as inline HTML: code between backticks, and sympy source in it as a statement's formulas."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick of its own
        pieces = [text]
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else statement(_as_printed(piece, notation or {}))
        for number, piece in enumerate(pieces)
    )


def plain(text: str, notation: Notation | None = None) -> str:
    """A sentence of a judgement as plain text, with the paper's letters for sympy's names."""
    return _letters(text, notation or {}).replace("**", "^")


def _letters(text: str, notation: Notation) -> str:
    for name, formula in notation.items():
        text = re.sub(rf"(?<!\w){name}(?!\w)(\*\*)?", lambda found, f=formula: f"({f})**" if found[1] else str(f), text)
    return GREEK_NAME.sub(lambda found: greek_unicode[found[1]], text).replace("sqrt(", "√(")


def _as_printed(text: str, notation: Notation) -> str:
    text = _letters(text, notation)
    text = re.sub(r"(?<= )- |(?<![^\s(\[,=])-(?=[\d√α-ω])", lambda minus: minus[0].replace("-", "−"), text)
    text = re.sub(r"\*\*(\d+|\(-?\d+(?:/\d+)?\))", lambda power: f"^{{{power[1].strip('()')}}}", text)
    text = re.sub(rf"(?<=\d)\*(?=[{LETTER}(√])", "", text)
    return re.sub(r"(?<=[^\W_]|[)}])\*(?=[^\W_]|[(√])", "\N{THIN SPACE}", text)
