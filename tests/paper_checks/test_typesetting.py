"""Formulas as MathML and LaTeX, and a claim's text as inline HTML."""

import re
from xml.etree import ElementTree

import pytest
import sympy

from paper_checks.framework.typesetting import TOO_LONG, latex, mathml, plain, prose, source, statement

a, b, alpha = sympy.symbols("a b alpha", real=True)
NAMESPACE = 'xmlns="http://www.w3.org/1998/Math/MathML"'


def inside(formula: object) -> str:
    """What stands between <math> and </math>, which must be well formed."""
    text = str(mathml(formula))
    ElementTree.fromstring(text)
    return re.fullmatch(rf'<math {NAMESPACE} display="block">(.*)</math>', text)[1]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (a**2, "<msup><mi>a</mi><mn>2</mn></msup>"),
        (sympy.Symbol("theta_tau"), "<msub><mi>θ</mi><mi>τ</mi></msub>"),
        (sympy.Symbol("phi_1") ** 2, "<msup><msub><mi>φ</mi><mn>1</mn></msub><mn>2</mn></msup>"),
        (sympy.Symbol("h_12^k"), "<msubsup><mi>h</mi><mn>12</mn><mi>k</mi></msubsup>"),
        (sympy.Symbol("g1_2"), "<msub><mi>g</mi><mi>1,2</mi></msub>"),
        (sympy.Symbol("xbar_t"), "<msub><mover><mi>x</mi><mo>¯</mo></mover><mi>t</mi></msub>"),
        (sympy.Symbol("thetahat"), "<mover><mi>θ</mi><mo>^</mo></mover>"),
        (1 / sympy.sqrt(alpha), "<mfrac><mn>1</mn><msqrt><mi>α</mi></msqrt></mfrac>"),
        (sympy.pi, "<mi>π</mi>"),
        (b - a, "<mrow><mi>b</mi><mo>−</mo><mi>a</mi></mrow>"),
        (-a, "<mrow><mo>−</mo><mi>a</mi></mrow>"),
    ],
    ids=str,
)
def test_small_formulas(formula, expected):
    assert inside(formula) == expected


@pytest.mark.parametrize(
    "formula",
    [
        sympy.Function("f")(a).diff(a),
        sympy.Derivative(sympy.Function("f")(a, b), a, (b, 2)),
        sympy.Matrix([[a, 1], [b, sympy.exp(-a)]]),
        sympy.Integral(sympy.Function("f")(a), (a, 0, sympy.oo)),
        sympy.Sum(a**b, (b, 1, 9)),
        sympy.Max(a, b) + abs(a) + sympy.log(b),
        sympy.Eq(a, b) & (a < 1),
        sympy.MatrixSymbol("X", 2, 2) * sympy.Identity(2),
        sympy.I + sympy.E,
    ],
    ids=str,
)
def test_other_formulas_are_well_formed_without_entities(formula):
    assert inside(formula)
    assert "&" not in re.sub("&(lt|gt|amp);", "", inside(formula))


def test_cases_stand_behind_a_brace():
    text = inside(sympy.Piecewise((a, a > 0), (-a, True)))
    assert text.startswith("<mrow><mo>{</mo><mtable><mtr><mtd><mi>a</mi></mtd><mtd><mtext>if\N{NO-BREAK SPACE}</mtext>")
    assert "<mtext>otherwise</mtext>" in text


def test_components_stand_in_a_line_or_below_one_another():
    assert inside((a, b)).startswith("<mrow><mo>(</mo><mi>a</mi><mo>,</mo>")
    assert inside([(a + b) ** n for n in range(2, 20)]).count("<mtr>") == 18


def test_a_name_is_never_markup():
    name = '<script>alert("&")</script>'
    assert "<script>" not in inside(sympy.Symbol(name))
    assert "<script>" not in inside(sympy.Function(name)(a))
    assert name in ElementTree.fromstring(str(mathml(sympy.Symbol(name)))).itertext()


def test_of_a_long_formula_the_first_terms_are_shown():
    long = sympy.expand((a + b + alpha + 1) ** 16)
    text = str(mathml(long))
    assert len(text) < 20_000
    shown, total = map(int, re.search(r"the first (\d+) of (\d+) terms", text).groups())
    assert (total, 20 < shown < 200) == (len(long.args), True)
    assert text.count("<mo>⋯</mo>") == 1
    assert len(str(long)) > TOO_LONG
    assert source(long) == f"# {len(str(long)):,} characters: too long for a page"
    assert latex(long).startswith("% ")
    assert "the first 1 of 2 components" in mathml([a, long])
    product = sympy.Mul(*(sympy.Symbol(f"x{n}") + n for n in range(1, 400)))
    assert "<math" not in mathml(product) and "too long to typeset" in mathml(product)


def test_source_is_read_back():
    formula = (1 - alpha) ** 2 * (a - b) / 2 + sympy.sqrt(alpha)
    names = {symbol.name: symbol for symbol in (a, b, alpha)}
    assert sympy.sympify(source(formula), locals=names) == formula
    assert sympy.sympify(source([formula, a]), locals=names) == [formula, a]
    assert latex((a, alpha)) == r"\left( a, \alpha \right)"


def i(letter: str) -> str:
    return f'<i class="var">{letter}</i>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("θ_τ", f"{i('θ')}<sub>{i('τ')}</sub>"),
        ("x_{t,n}", f"{i('x')}<sub>{i('t')},{i('n')}</sub>"),
        ("L_{ξ_t}", f"{i('L')}<sub>{i('ξ')}<sub>{i('t')}</sub></sub>"),
        ("σ_True²", f"{i('σ')}<sub>True</sub>²"),
        ("D_t^val", f"{i('D')}<sub>{i('t')}</sub><sup>val</sup>"),
        ("c_maml", f"{i('c')}<sub>maml</sub>"),
        ("argmin_θ", f"argmin<sub>{i('θ')}</sub>"),
        ("E_τ[x]", f"E<sub>{i('τ')}</sub>[{i('x')}]"),
        ("p1² + θ0", f"{i('p')}<sub>1</sub>² + {i('θ')}<sub>0</sub>"),
        ("4αa", f"4{i('α')}{i('a')}"),
        ("a b, ab = 1", f"a {i('b')}, ab = 1"),
        ("(ab − x) a² b²", f"({i('a')}{i('b')} − {i('x')}) {i('a')}² {i('b')}²"),
        ("θ̂ of θ", f"{i('θ̂')} of {i('θ')}"),
    ],
)
def test_statements(text, expected):
    assert statement(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a claim as a whole, by I and others",
        "Appendix A, Section B.1, Table A2, Figures 4b and 4d",
        "M-MAML, i.e. the paper's own; T-Nets",
        "no snake_case_name, no MAML_K, no C.1.1",
        "is it so? at most as if",
        "E of it",
    ],
)
def test_words_stay_words(text):
    assert statement(text) == text.replace("'", "&#39;")


def test_text_is_escaped():
    assert statement("x < y & <script>") == f"{i('x')} &lt; {i('y')} &amp; &lt;script&gt;"
    assert prose("`<b>` <b>") == f"<code>&lt;b&gt;</code> &lt;{i('b')}&gt;"
    assert statement("x_{<b>}") == f"{i('x')}<sub>&lt;{i('b')}&gt;</sub>"


def test_a_papers_notation():
    s, sigma = sympy.Symbol("sigma2", positive=True), sympy.Symbol("sigma", positive=True)
    notation = {"sigma2": sigma**2}
    assert mathml(s**2 + sympy.sqrt(s), notation) == mathml(sigma**4 + sigma)
    assert latex([s, a], notation) == r"\left( \sigma^{2}, a \right)"
    assert plain("at sigma2 = sqrt(theta_tau), sigma2**2", notation) == "at σ^2 = √(θ_τ), (σ^2)^2"
    assert prose("at sigma2 = 1, sigma2**2, not sigma22", notation) == prose(
        "at sigma**2 = 1, (sigma**2)**2, not sigma22"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3*alpha**3", f"3{i('α')}<sup>3</sup>"),
        ("at alpha = 1/2", f"at {i('α')} = 1/2"),
        ("16*sqrt(5)", "16√(5)"),
        ("a**2*alpha - 1", f"{i('a')}<sup>2</sup>\N{THIN SPACE}{i('α')} − 1"),
        ("gives -1/6", "gives −1/6"),
        ("run `python -m x --only a_b`", "run <code>python -m x --only a_b</code>"),
        ("a lone ` stays", "a lone ` stays"),
        ("meta-learning, alphabet", "meta-learning, alphabet"),
    ],
)
def test_prose(text, expected):
    assert prose(text) == expected
