"""The claim machinery on toy papers: every verdict can be reached, and everything that must fail a run does."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sympy

from paper_checks.framework import Definition, Finding, Formula, Freedom, Paper, Proposition
from paper_checks.framework.command import main
from paper_checks.framework.judging import Judgement, Step, judge
from paper_checks.framework.output import as_json, as_junit, as_table, summary
from paper_checks.framework.relations import agree
from paper_checks.framework.running import UnknownName, accept, accepted, run, select
from paper_checks.framework.sources import helpers_of, source_of

x, y = sympy.symbols("x y", real=True)
SQUARE = Formula(
    printed=(x + y) ** 2,
    derived=x**2 + 2 * x * y + y**2,
    control=(x - y) ** 2,
    witness=lambda x, y: (x + y) ** 2,
)


def below(bound: float) -> Finding:
    """Is x² < bound on [0, 1]?"""
    return Finding(bound > 1, f"the largest value is 1, the bound {bound}")


BOUND = Proposition(below, stated={"bound": 2}, control={"bound": 0.5}, witness=below)


def paper_with(**contents: object) -> Paper:
    paper = Paper("toy", "A toy paper", [f"({name})" for name in contents])
    for name, content in contents.items():
        paper.claim(name, f"({name})", f"statement {name}")(lambda content=content: content)
    return paper


def verdict(content: object) -> str:
    (claim,) = paper_with(it=content).claims
    return judge(claim).verdict


def problems_of(content: object) -> tuple[str, ...]:
    (claim,) = paper_with(it=content).claims
    return judge(claim).problems


# --- every verdict ---


def test_a_right_formula_is_proved():
    assert verdict(SQUARE) == "proved"
    assert problems_of(SQUARE) == ()


def test_a_wrong_formula_is_corrected_with_a_point_that_shows_it():
    (claim,) = paper_with(it=replace(SQUARE, printed=x**2 + y**2)).claims
    found = judge(claim)
    assert found.verdict == "corrected"
    assert "at x = 1/2, y = 2 the printed formula gives 17/4, the right one 25/4" in found.reason
    assert sympy.sympify(found.derived, {"x": x, "y": y}) == x**2 + 2 * x * y + y**2


@pytest.mark.parametrize(
    ("printed", "freedom", "expected"),
    [
        (3 * (x + y) ** 2, Freedom(), "corrected"),
        (3 * (x + y) ** 2, Freedom(factor=True), "proved-up-to"),
        (-3 * (x + y) ** 2, Freedom(factor=True), "corrected"),  # the factor must be positive
        (x * (x + y) ** 2, Freedom(factor=True), "corrected"),  # and a number
        ((x + y) ** 2 + y, Freedom(constant_in=(x,)), "proved-up-to"),
        ((x + y) ** 2 + y, Freedom(constant_in=(y,)), "corrected"),
        (2 * (x + y) ** 2 + 7, Freedom(factor=True, constant_in=(x, y)), "proved-up-to"),
        (2 * (x + y) ** 2 + 7, Freedom(constant_in=(x, y)), "corrected"),
        ((x + y) ** 2, Freedom(factor=True, constant_in=(x, y)), "proved"),
    ],
)
def test_freedom_is_what_the_paper_leaves_open_and_no_more(printed, freedom, expected):
    content = replace(SQUARE, printed=printed, freedom=freedom)
    assert verdict(content) == expected


def test_components_are_judged_together():
    content = Formula(printed=[2 * x, 2 * y], derived=[x, y], control=[x, 3 * y], freedom=Freedom(factor=True))
    assert verdict(content) == "proved-up-to"
    assert verdict(replace(content, printed=[2 * x, 3 * y])) == "corrected"
    assert "3 components and the derived one 2" in problems_of(replace(content, printed=[x, y, x]))[0]


def test_the_convention_that_saves_a_formula_is_named():
    content = replace(SQUARE, printed=x**2 + y**2, conventions={"if xy = 0": x**2 + y**2, "if y = 0": x**2})
    (claim,) = paper_with(it=content).claims
    assert "It would hold if xy = 0." in judge(claim).reason
    (claim,) = paper_with(it=replace(content, printed=x**3)).claims
    assert "It would not hold if xy = 0, nor if y = 0 either" in judge(claim).reason


def test_a_line_of_a_chain_is_judged_against_the_line_before():
    chain = replace(SQUARE, before=x**2 + y**2)
    (claim,) = paper_with(it=chain).claims
    found = judge(claim)
    assert found.verdict == "proved"
    assert "does not follow from the line before" in found.reason
    (claim,) = paper_with(it=replace(chain, before=(y + x) ** 2)).claims
    assert "equals the line before" in judge(claim).reason


def test_a_misprint_of_a_single_symbol_says_that_the_copy_may_be_at_fault():
    wrong = replace(SQUARE, printed=x**2 + y**2, single_symbol=True)
    (claim,) = paper_with(it=wrong).claims
    assert "the copy that was transcribed may be at fault" in judge(claim).reason
    (claim,) = paper_with(it=replace(wrong, printed=SQUARE.printed)).claims
    assert "copy" not in judge(claim).reason


def test_a_small_component_is_compared_at_its_own_size():
    pair = Formula(printed=[x, y], derived=[x, y], control=[2 * x, y], witness=lambda x, y: [x, y * 1.001])
    assert problems_of(replace(pair, domain={"x": (1e12, 2e12), "y": (1, 2)}))


def test_the_formula_shown_as_right_must_be_the_derived_one():
    good = replace(SQUARE, printed=x**2, right=("(x + y)²", (x + y) ** 2))
    assert problems_of(good) == ()
    assert "is not the derived one" in problems_of(replace(good, right=("(x − y)²", (x - y) ** 2)))[0]


def test_propositions_are_proved_conditional_or_refuted():
    assert verdict(BOUND) == "proved"
    conditional = replace(BOUND, stated={"bound": 1}, weaker={"bound": 3}, assumption="the bound is 3")
    assert verdict(conditional) == "conditional"
    refuted = replace(BOUND, stated={"bound": 1}, right={"bound": 3}, right_statement="x² < 3")
    assert verdict(refuted) == "refuted"
    assert "no true version is given" in problems_of(replace(BOUND, stated={"bound": 1}))[0]
    assert "fails too" in problems_of(replace(refuted, right={"bound": 0}))[0]


def test_a_definition_has_nothing_to_prove():
    assert verdict(Definition("a name")) == "definition"


def test_an_error_inside_a_claim_is_reported_and_the_run_goes_on():
    paper = paper_with(good=SQUARE)

    @paper.claim("bad", "(bad)", "raises")
    def bad():
        raise RuntimeError("no luck")

    result = run([paper])
    assert [j.verdict for j in result.judgements] == ["proved", "unknown"]
    assert any("RuntimeError: no luck" in problem for problem in result.problems)


# --- what a judgement carries for a reader ---


def steps_of(content: object, **declared: object) -> list[str]:
    paper = Paper("toy", "A toy paper")
    judged = judge(paper.claim("it", "(1)", "it", **declared)(lambda: content))
    return [step.text for step in judged.steps]


def judged(content: object) -> Judgement:
    return judge(paper_with(it=content).claims[0])


def test_the_steps_say_what_a_formula_stands_on_and_what_was_compared():
    assert steps_of(SQUARE, uses=["base", "other.eq1"], assumptions=["x is real", "y too"]) == [
        "It rests on toy.base, other.eq1 and assumes: x is real; y too.",
        "Derived from the set-up.",
        "It holds exactly as printed: printed − derived = 0.",
        "The negative control differs, as it must.",
    ]
    assert steps_of(SQUARE)[0] == "It rests on no other claim."
    assert judged(SQUARE).counterexample == ""
    derived, _, control = judged(SQUARE).steps[1:]
    assert derived.formulas == {"derived": (SQUARE.derived,)} and control.formulas == {"control": (SQUARE.control,)}


def test_a_judgement_carries_the_formulas_component_by_component():
    pair = Formula(printed=[x, [y]], derived=[x, y], control=sympy.Matrix([y, x]), right=("(x, y)", [x, y]))
    assert judged(pair).formulas == {"printed": (x, y), "derived": (x, y), "control": (y, x), "right": (x, y)}
    assert "right" not in judged(SQUARE).formulas
    assert [s.formulas for s in judged(pair).steps if s.text == "In the paper's notation that is (x, y)."] == [
        {"right": (x, y)}
    ]


def test_the_steps_of_a_wrong_formula_show_the_difference_and_the_point():
    found = judged(replace(SQUARE, printed=x**2 + y**2, single_symbol=True))
    differ, point, doubt = found.steps[2:5]
    assert differ.text == "Printed and derived differ." and differ.formulas == {"printed − derived": (-2 * x * y,)}
    assert found.counterexample == "at x = 1/2, y = 2 the printed formula gives 17/4, the right one 25/4"
    assert point.text == "At x = 1/2, y = 2 the printed formula gives 17/4, the right one 25/4."
    assert "the copy that was transcribed" in doubt.text


def test_controls_and_witnesses_are_told_as_they_came_out():
    assert judged(SQUARE).control.startswith("rejected by the exact judge and by the witness (error")
    assert judged(SQUARE).cross_check.startswith("derived = witness at")
    passes = judged(replace(SQUARE, control=SQUARE.printed))
    assert passes.control.startswith("accepted by the exact judge and by the witness (error")
    off = judged(replace(SQUARE, witness=lambda x, y: (x - y) ** 2))
    assert off.cross_check.startswith("derived ≠ witness at")
    assert off.control.startswith("rejected by the exact judge and accepted by the witness")
    assert judged(BOUND).control.startswith("fails: ")
    assert judged(replace(BOUND, control={"bound": 3})).control.startswith("passes: ")


def test_a_difference_is_multiplied_out_only_where_that_is_cheap():
    def gap(power):
        printed, derived = (x + y + 1) ** power, (x + y + 2) ** power
        (shown,) = judged(Formula(printed=printed, derived=derived, control=x)).steps[2].formulas["printed − derived"]
        return shown, printed - derived

    shown, short = gap(2)
    assert shown == sympy.expand(short) != short
    shown, short = gap(90)  # 4,186 terms
    assert shown == short


@pytest.mark.parametrize(
    ("freedom", "said", "shown"),
    [
        (Freedom(factor=True), "Printed and derived differ by more than a positive factor.", {}),
        (
            Freedom(constant_in=(x,)),
            "Printed and derived differ by more than a term without x.",
            {"printed − derived": (x**3 - x**2 - 2 * x * y - y**2,)},
        ),
        (
            Freedom(factor=True, constant_in=(x, y)),
            "Printed and derived differ by more than a positive factor and a term without x, y.",
            {},
        ),
    ],
)
def test_the_steps_say_what_the_freedom_does_not_cover(freedom, said, shown):
    step = judged(replace(SQUARE, printed=x**3, freedom=freedom)).steps[2]
    assert (step.text, step.formulas) == (said, shown)


def test_the_steps_show_the_factor_and_the_constant():
    found = judged(
        replace(SQUARE, printed=2 * SQUARE.printed + y, freedom=Freedom(factor=True, constant_in=(x,)))
    ).steps[2]
    assert found.text.startswith("It holds up to a factor: printed = 2 × derived and an additive constant")
    assert found.formulas == {"factor": (2,), "constant": (y,)}


def test_the_steps_tell_every_convention_that_was_tried():
    conventions = {"if xy = 0": x**2 + y**2, "if y = 0": x**2}
    tried = judged(replace(SQUARE, printed=x**2 + y**2, conventions=conventions)).steps[4:6]
    assert [step.text for step in tried] == ["It would hold if xy = 0.", "It would not hold if y = 0."]
    assert [step.formulas for step in tried] == [
        {"derived under it": (x**2 + y**2,)},
        {"derived under it": (x**2,)},
    ]


def test_the_steps_hold_a_line_against_the_one_before():
    def step(**changes: object) -> Step:
        (found,) = (step for step in judged(replace(SQUARE, **changes)).steps if "line before" in step.text)
        return found

    assert step(before=(y + x) ** 2).formulas == {"the line before": ((y + x) ** 2,)}
    off = step(before=x**2 + y**2)
    assert "does not follow" in off.text and off.formulas["printed − the line before"] == (2 * x * y,)
    loose = step(before=2 * (x + y) ** 2, before_freedom=Freedom(factor=True))
    assert loose.text == "It follows from the line before it, up to the factor 1/2."


def test_the_steps_of_a_proposition_give_each_version_with_its_parameters():
    assert steps_of(BOUND)[1:] == [
        "The statement holds (bound = 2): the largest value is 1, the bound 2.",
        "The control fails (bound = 0.5): the largest value is 1, the bound 0.5.",
    ]
    conditional = replace(BOUND, stated={"bound": 1}, weaker={"bound": 3}, assumption="the bound is 3")
    assert judged(conditional).steps[2].text.startswith("The weaker statement, if the bound is 3, holds (bound = 3): ")
    assert judged(conditional).counterexample == "the largest value is 1, the bound 1"
    refuted = judged(replace(BOUND, stated={"bound": 1}, right={"bound": 3}, right_statement="x² < 3"))
    assert refuted.steps[2].text.startswith("The right statement, x² < 3, holds (bound = 3): ")
    assert refuted.counterexample == "the largest value is 1, the bound 1" and judged(BOUND).counterexample == ""


def test_parameters_read_the_same_in_every_run():
    def check(**parameters: object) -> Finding:
        return Finding(parameters["right"], "so it is")

    given = {"at": {"x": [x, (1, "one")]}, "by": check, "right": True}
    told = steps_of(Proposition(check, stated=given, control={"right": False}))[1]
    assert told == "The statement holds (at = (x: (x, (1, one))); by = check; right = True): so it is."
    many = {"right": True, "of": tuple(range(1000))}
    told = steps_of(Proposition(check, stated=many, control={"right": False}))[1]
    assert told.endswith(" …): so it is.") and len(told) < 200


def test_a_definition_has_a_note_and_no_steps():
    found = judged(Definition("a name"))
    assert (found.note, found.steps, found.formulas) == ("a name", (), {})
    assert judged(replace(SQUARE, note="as one learns at school")).note == "as one learns at school"


def test_json_tells_the_steps():
    wrong = replace(SQUARE, printed=x**2 + y**2, note="a slip")
    (entry,) = json.loads(as_json(run([paper_with(it=wrong)])))
    assert entry["steps"] == [step.text for step in judged(wrong).steps] and len(entry["steps"]) == 5
    assert entry["counterexample"].startswith("at x = 1/2") and entry["note"] == "a slip" and entry["command"] == ""


# declared at the module's level, as a paper's claims are
SHOWN = Paper("shown", "A paper whose source is shown")


@SHOWN.claim("decorated", "(1)", "a function")
def decorated() -> Formula:
    return SQUARE


for _n in (1, 2):
    SHOWN.claim(f"looped-{_n}", "(2)", "a lambda in a loop")(lambda n=_n: SQUARE)

SHOWN.claim("partial", "(3)", "a function with an argument")(partial(verdict, SQUARE))
SHOWN.claim("nowhere", "(4)", "no file")(eval("lambda: SQUARE"))
SHOWN.definition("defined", "(5)", "a definition")


def test_the_source_of_a_claim_is_its_whole_declaration():
    sources = {claim.id.removeprefix("shown."): source_of(claim) for claim in SHOWN.claims}
    own = Path(__file__).read_text().splitlines()
    for source in filter(None, sources.values()):
        assert source.file == Path(__file__)
        shown = source.text.splitlines()
        assert own[source.first_line - 1 :][: len(shown)] == shown
    assert sources["decorated"].text.startswith('@SHOWN.claim("decorated"')
    assert sources["decorated"].text.endswith("return SQUARE\n")
    assert sources["looped-1"] == sources["looped-2"] and sources["looped-1"].text.startswith("for _n in (1, 2):")
    assert sources["partial"].text.startswith("def verdict(")
    assert sources["nowhere"] is None and sources["defined"] is None


def test_the_helpers_of_a_claim_are_what_its_declaration_calls_in_its_module():
    helpers = {claim.id.removeprefix("shown."): helpers_of(claim) for claim in SHOWN.claims}
    names = {id: [source.text.split("(")[0].split(":")[0] for source in found] for id, found in helpers.items()}
    assert names["partial"] == ["def paper_with"]  # `verdict` is the declaration itself
    assert names["decorated"] == names["nowhere"] == names["defined"] == []
    (helper,) = helpers["partial"]
    assert Path(__file__).read_text().splitlines()[helper.first_line - 1] == helper.text.splitlines()[0]


# --- what must fail a run ---


@pytest.mark.parametrize(
    "content",
    [
        replace(SQUARE, control=(y + x) ** 2),
        replace(SQUARE, control=2 * (x + y) ** 2, freedom=Freedom(factor=True)),
        replace(SQUARE, control=(y + x) ** 2, witness=None),
        replace(BOUND, control={"bound": 5}),
    ],
)
def test_a_negative_control_that_passes_fails_the_run(content):
    result = run([paper_with(it=content)])
    assert result.judgements[0].verdict == "unknown"
    assert any("negative control" in problem and "passes" in problem for problem in result.problems)


def test_a_control_that_only_the_witness_cannot_tell_apart_fails_the_run():
    # exactly another formula, and the same one in float64
    content = replace(SQUARE, control=SQUARE.printed + sympy.Rational(1, 10**14) * x)
    assert any("passes the numerical witness" in problem for problem in problems_of(content))


@pytest.mark.parametrize(
    "content",
    [
        replace(SQUARE, witness=lambda x, y: (x + y) ** 2 + 1e-3),
        # printed and control are judged up to a factor, but what is derived must be the witness's number
        replace(SQUARE, witness=lambda x, y: 2 * (x + y) ** 2, freedom=Freedom(factor=True)),
        replace(BOUND, witness=lambda bound: Finding(not below(bound).holds, "contrary")),
    ],
)
def test_two_routes_that_disagree_fail_the_run(content):
    result = run([paper_with(it=content)])
    assert result.judgements[0].verdict == "unknown"
    assert result.problems


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_number_that_is_not_finite_is_no_rejection():
    nowhere = replace(SQUARE, control=sympy.log(x - 10))  # not a number at any sampled x
    assert "not finite at a sampled point" in problems_of(nowhere)[0]


def test_a_locator_without_a_claim_fails_the_run():
    paper = Paper("toy", "A toy paper", ["(1)", "(2)"])
    paper.definition("one", "(1)", "a definition")
    assert run([paper]).problems == ("toy (2) has no claim",)


def test_a_dangling_use_fails_the_run_and_another_papers_claim_resolves_it():
    paper = Paper("toy", "A toy paper")
    paper.claim("one", "(1)", "rests on another paper", uses=["other.base"])(lambda: SQUARE)
    assert run([paper]).problems == ("toy.one uses other.base, and there is no such claim",)
    other = Paper("other", "Another")
    other.definition("base", "(1)", "base")
    assert run([paper], resolve=[other]).problems == ()


def test_a_changed_verdict_fails_the_run():
    paper = paper_with(it=SQUARE)
    assert run([paper], expected={"toy.it": "proved"}).problems == ()
    assert "the accepted one is corrected" in run([paper], expected={"toy.it": "corrected"}).problems[0]
    assert "not there" in run([paper], expected={}).problems[0]
    assert "there is no such claim" in run([paper], expected={"toy.it": "proved", "toy.gone": "proved"}).problems[0]


def test_an_id_is_unique():
    paper = paper_with(it=SQUARE)
    with pytest.raises(ValueError, match="unique and permanent"):
        paper.definition("it", "(1)", "again")
    twice = run([paper, paper_with(it=SQUARE)])
    assert "toy.it is the id of more than one claim" in twice.problems


# --- selection, output, command line ---


def test_selection_by_id_short_id_and_locator_names_the_nearest():
    paper = paper_with(first=SQUARE, second=BOUND)
    assert [c.id for c in select([paper], only=["toy.first"])] == ["toy.first"]
    assert [c.id for c in select([paper], only=["second"])] == ["toy.second"]
    assert [c.id for c in select([paper], only=["(first)"])] == ["toy.first"]
    with pytest.raises(UnknownName, match=r"no claim 'toy\.frist'; the nearest is 'toy\.first'"):
        select([paper], only=["toy.frist"])
    with pytest.raises(UnknownName, match="no paper 'tog'; the nearest is 'toy'"):
        select([paper], paper="tog")


def test_json_has_the_promised_keys_and_junit_counts_failures():
    result = run([paper_with(good=SQUARE, bad=replace(SQUARE, control=SQUARE.printed))], expected={})
    entries = json.loads(as_json(result))
    assert {"id", "paper", "locator", "verdict", "printed", "derived", "reason"} <= set(entries[0])
    suite = ElementTree.fromstring(as_junit(result))
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert int(suite.get("failures")) == len(failed) == 2
    assert int(suite.get("tests")) == len(suite) == 3
    table = as_table(result.judgements)
    assert "toy.good" in table and max(map(len, table.splitlines())) <= 160
    assert summary(result.judgements) == "2 claims: 1 proved, 1 unknown"


def test_the_command_accepts_compares_and_exits(tmp_path, capsys):
    file = tmp_path / "verdicts.json"
    paper = paper_with(it=SQUARE, other=BOUND)
    assert main([paper], file, []) == 1  # nothing is accepted yet
    assert main([paper], file, ["--accept"]) == 0
    assert accepted(file) == {"toy.it": "proved", "toy.other": "proved"}
    assert main([paper], file, ["--paper", "toy", "--save", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "verdicts.txt").read_text().rstrip().endswith("2 claims: 2 proved")
    assert main([paper], file, ["--only", "it", "--junit", str(tmp_path / "junit.xml")]) == 0
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("failures") == "0"
    changed = paper_with(it=replace(SQUARE, printed=x**2), other=BOUND)
    assert main([changed], file, []) == 1
    assert "toy.it: the verdict is corrected, and the accepted one is proved" in capsys.readouterr().err
    (tmp_path / "file").touch()
    blocked = str(tmp_path / "file" / "below")
    refused = (
        ["--paper", "toi"],
        ["--only", "ti"],
        ["--accept", "--only", "it"],
        ["--junit", str(tmp_path)],
        ["--save", blocked],
    )
    for arguments in refused:
        with pytest.raises(SystemExit) as stopped:
            main([paper], file, arguments)
        assert stopped.value.code == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_run_with_problems_is_not_accepted(tmp_path):
    file = tmp_path / "verdicts.json"
    accept(file, run([paper_with(it=SQUARE)]).judgements)
    before = file.read_text()
    assert main([paper_with(it=replace(SQUARE, control=SQUARE.printed))], file, ["--accept"]) == 1
    assert file.read_text() == before
    assert list(tmp_path.iterdir()) == [file]


def test_equality_is_not_fooled_by_one_point():
    # equal at the first point that is probed, different elsewhere
    first = {x: sympy.Rational(1, 2), y: sympy.Integer(2)}
    bump = (x - first[x]) * (y - first[y])
    assert not agree(x + bump, x).holds
    assert agree(sympy.sqrt(x**2 + 1) ** 2, x**2 + 1).exact
