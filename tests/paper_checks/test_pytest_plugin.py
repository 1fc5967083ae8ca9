"""Claims files in anyone's pytest: what is collected, what passes and what fails, and what is left alone."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from paper_checks.framework.running import accepted
from paper_checks.framework.site.shell import MANIFEST

pytest_plugins = ["pytester"]

HEAD = """
    import sympy
    from paper_checks.framework import *

    x, y = sympy.symbols("x y", real=True)
    PAPER = Paper("mine", "My paper")
    RIGHT = x**2 + 2 * x * y + y**2


    def square(printed, control=(x - y) ** 2, **more):
        return lambda: Formula(printed=printed, derived=RIGHT, control=control, **more)


    def at_most(bound):
        return Finding(bound >= 1, f"the largest value is 1, the bound {bound}")


    def measured(bound, value=1.0):
        def measure():
            if value is None:
                raise NotRun("there is no record")
            return {"loss": Estimate(value, 0.0)}

        return lambda: Measurement(measure, {"loss": bound}, {"loss": Above(99)}, "make record")
"""
EVERY_VERDICT = """
    PAPER.claim("proved", "(1)", "(x + y)² = x² + 2xy + y²")(square((x + y) ** 2))
    PAPER.claim("proved-up-to", "(2)", "∝")(square(3 * RIGHT, freedom=Freedom(factor=True)))
    PAPER.claim("conditional", "(3)", "x ≤ ½")(
        lambda: Proposition(at_most, {"bound": 0.5}, {"bound": 0}, weaker={"bound": 2}, assumption="x ≤ 2")
    )
    PAPER.claim("reproduced", "T1", "about 1")(measured(Near(1.0)))
    PAPER.definition("definition", "(4)", "a name")
    PAPER.claim("corrected", "(5)", "(x + y)² = x² + y²")(square(x**2 + y**2))
    PAPER.claim("refuted", "(6)", "x ≤ ½")(
        lambda: Proposition(at_most, {"bound": 0.5}, {"bound": 0}, right={"bound": 1}, right_statement="x ≤ 1")
    )
    PAPER.claim("not-reproduced", "T2", "about 2")(measured(Near(2.0)))
    PAPER.claim("unknown", "(7)", "a control that passes")(square(RIGHT, control=(x + y) ** 2))
    PAPER.claim("not-run", "T3", "not run")(measured(Near(1.0), None))
"""
GOOD = 'PAPER.claim("good", "(1)", "(x + y)² = x² + 2xy + y²")(square((x + y) ** 2))'
WRONG = 'PAPER.claim("wrong", "(2)", "(x + y)² = x² + y²")(square(x**2 + y**2))'
# an ordinary pytest run prints what of the heavy libraries was imported
HEAVY = """
    import sys

    def pytest_sessionfinish():
        print("imported:", sorted({"sympy", "torch", "numpy"} & set(sys.modules)), file=sys.__stderr__)
"""


def claims(*declarations: str) -> str:
    """A claims file's text."""
    return "\n".join([HEAD, *(f"    {line.strip()}" if "\n" not in line else line for line in declarations)])


@pytest.fixture
def run(pytester):
    """Runs pytest inside this process, where sympy and igraph are loaded already (igraph can be only once)."""
    return lambda *arguments: pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


@pytest.fixture
def run_apart(pytester):
    """Runs pytest in a process of its own, as a user would."""
    return lambda *arguments: pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    return result.parseoutcomes()


# --- what passes and what fails ---


def test_each_verdict_passes_fails_or_is_skipped_and_is_told(pytester, run_apart):
    file = pytester.makepyfile(my_claims=claims(EVERY_VERDICT))
    pytester.makeconftest(HEAVY)
    result = run_apart("my_claims.py", "-v", "-rs", "--junitxml=junit.xml")
    told = {line.split()[0]: line.split()[1] for line in result.outlines if line.startswith("my_claims.py::")}
    passing = ("proved", "proved-up-to", "conditional", "reproduced", "definition")
    failing = ("corrected", "refuted", "not-reproduced", "unknown")
    assert told == {
        **{f"my_claims.py::mine.{verdict}": "PASSED" for verdict in passing},
        **{f"my_claims.py::mine.{verdict}": "FAILED" for verdict in failing},
        "my_claims.py::mine.not-run": "SKIPPED",
        "my_claims.py::mine": "PASSED",
    }
    assert result.ret == 1
    # readable, and without a line of this project's code
    result.stdout.fnmatch_lines(
        [
            "*_ mine.corrected (5) _*",
            "verdict    corrected",
            "statement  (x + y)² = x² + y²",
            "reason     right is x[*][*]2 + *; at x = 1/2, y = 2 the printed formula gives 17/4, the right one 25/4.",
            "problem    corrected fails as long as no verdicts are accepted; *--claims-accept*my_claims.verdicts.json",
            "problem    the negative control (x + y)[*][*]2 passes the exact judge",
        ]
    )
    result.stdout.no_fnmatch_line("*Error*")
    result.stdout.no_fnmatch_line("*pytest_plugin*")
    line = file.read_text().splitlines().index("def measured(bound, value=1.0):") + 1
    result.stdout.fnmatch_lines([f"SKIPPED [[]1[]] my_claims.py:{line}: not run: there is no record*"])
    # the framework's own table
    result.stdout.fnmatch_lines(
        ["*= claims =*", "id *locator *statement *verdict *reason", "mine.proved *(1) *proved *"]
    )
    result.stdout.fnmatch_lines(["10 claims: 1 proved, 1 proved-up-to, *"])
    cases = {case.get("name"): case for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")}
    found = {name: {p.get("name"): p.get("value") for p in case.iter("property")} for name, case in cases.items()}
    assert {name: each["verdict"] for name, each in found.items() if each} == {
        f"mine.{verdict}": verdict for verdict in (*passing, *failing, "not-run")
    }
    assert found["mine.proved"]["reason"] == "holds exactly as printed."
    assert "there is no record" in cases["mine.not-run"].find("skipped").get("message")
    # claims without a numerical witness need no torch
    result.stderr.fnmatch_lines(["imported: ['numpy', 'sympy']"])


def test_a_paper_as_a_whole_is_an_item_of_its_own(pytester, run):
    pytester.makepyfile(
        my_claims=claims(
            'PAPER.locators = ("(1)", "(9)")',
            'PAPER.claim("good", "(1)", "good", uses=["lost"])(square(RIGHT))',
        )
    )
    result = run("my_claims.py")
    assert outcomes(result) == {"passed": 1, "failed": 1}
    result.stdout.fnmatch_lines(["*_ mine as a whole _*", "mine.good uses mine.lost, and there is no such claim"])
    result.stdout.fnmatch_lines(["mine (9) has no claim"])


# --- accepted verdicts ---


def test_accepted_verdicts_pass_and_a_change_fails(pytester, run):
    file = pytester.makepyfile(my_claims=claims(GOOD, WRONG))
    result = run("my_claims.py", "--claims-accept")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["accepted 2 verdicts in my_claims.verdicts.json"])
    beside = file.with_name("my_claims.verdicts.json")
    assert accepted(beside) == {"mine.good": "proved", "mine.wrong": "corrected"}
    assert json.loads(beside.read_text())["mine.good"] == {"locator": "(1)", "verdict": "proved"}
    assert outcomes(run("my_claims.py")) == {"passed": 3}

    beside.write_text(beside.read_text().replace("mine.good", "mine.gone").replace('"corrected"', '"refuted"'))
    result = run("my_claims.py")
    assert outcomes(result) == {"failed": 3}
    result.stdout.fnmatch_lines(["problem    the verdict is proved, and the accepted one is not there"])
    result.stdout.fnmatch_lines(["problem    the verdict is corrected, and the accepted one is refuted"])
    result.stdout.fnmatch_lines(["mine.gone has an accepted verdict, and there is no such claim"])

    beside.write_text(beside.read_text().replace("mine.gone", "lost.gone"))  # of a paper that is no more
    run("my_claims.py").stdout.fnmatch_lines(["lost.gone has an accepted verdict, and there is no such claim"])

    beside.write_text("[1]")
    result = run("my_claims.py")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["my_claims.verdicts.json is no file of accepted verdicts (*"])
    assert run("my_claims.py", "--claims-accept").ret == 0 and len(accepted(beside)) == 2


def test_only_a_whole_and_sound_run_is_accepted(pytester, run):
    file = pytester.makepyfile(my_claims=claims(GOOD, EVERY_VERDICT))
    beside = file.with_name("my_claims.verdicts.json")
    for partial in (["my_claims.py", "-k", "good"], ["my_claims.py::mine.good"]):
        result = run("--claims-accept", *partial)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: --claims-accept is for a whole run; give it without -k and *"])
    result = run("--claims-accept", "my_claims.py")
    assert outcomes(result)["failed"] == 1  # the control that passes
    result.stdout.fnmatch_lines(
        ["nothing more is written: mine.unknown has a problem, so my_claims.py's verdicts are not accepted"]
    )
    result = run("--claims-accept", "-x", "my_claims.py")
    result.stdout.fnmatch_lines(["nothing more is written: not every claim was judged"])
    assert run("--claims-accept", "--collect-only", "my_claims.py").ret == 0
    assert not beside.exists()


# --- the site ---


def test_the_claims_pages_are_written_for_a_whole_run(pytester, run):
    pytester.makepyfile(my_claims=claims(GOOD, WRONG))
    result = run("my_claims.py", "--claims-html=out")
    assert outcomes(result) == {"passed": 2, "failed": 1}
    result.stdout.fnmatch_lines(["the claims' pages are in out*index.html"])
    page = Path("out/claims/mine.wrong.html").read_text()
    line = Path("my_claims.py").read_text().splitlines().index("def square(printed, control=(x - y) ** 2, **more):") + 1
    assert "pytest my_claims.py::mine.wrong" in page and f">my_claims.py:{line}<" in page and "17/4" in page
    assert "mine.wrong: corrected fails as long as" in Path("out/index.html").read_text()
    Path("out/errata.html").unlink()
    assert run("my_claims.py", "--claims-html=out").ret == 1 and Path("out/errata.html").exists()  # over its own pages
    assert "errata.html" in Path("out", MANIFEST).read_text()


def test_pages_that_would_be_wrong_are_not_written(pytester, run):
    pytester.makepyfile(my_claims=claims(GOOD))
    pytester.mkdir("full").joinpath("file").touch()
    result = run("my_claims.py", "--claims-html=full")
    assert result.ret == pytest.ExitCode.USAGE_ERROR and "passed" not in outcomes(result)
    result.stderr.fnmatch_lines(["ERROR: --claims-html: *full* holds 'file', which is no part of such a site; *"])
    result = run("my_claims.py", "--claims-html=out", "-k", "good")
    result.stderr.fnmatch_lines(["ERROR: --claims-html is for a whole run; *"])
    result.stdout.no_fnmatch_line("nothing more is written*")
    Path("my_claims.py").unlink()
    result = run("--claims-html=out")
    result.stdout.fnmatch_lines(["nothing more is written: no claims file was met"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR and not Path("out").exists()


# --- the example ---

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_example_is_proved_and_a_changed_coefficient_is_found(pytester, run):
    for file in EXAMPLES.iterdir():
        if file.is_file():
            pytester.path.joinpath(file.name).write_text(file.read_text())
    result = run("reptile_claims.py")
    assert outcomes(result) == {"passed": 4}
    result.stdout.fnmatch_lines(["3 claims: 3 proved"])
    example = pytester.path / "reptile_claims.py"
    example.write_text(example.read_text().replace("Formula(avg_grad - 2 * alpha", "Formula(avg_grad - 3 * alpha"))
    result = run("reptile_claims.py")
    assert outcomes(result) == {"passed": 3, "failed": 1}
    result.stdout.fnmatch_lines(
        ["*_ reptile.maml 5.1 _*", "problem    the verdict is corrected, and the accepted one is proved"]
    )


def test_the_example_agrees_with_steps_in_floats():
    """A route that shares no code: SGD on two quadratic losses, whose expansion ends at α (of MAML at α²)."""
    claims = runpy.run_path(str(EXAMPLES / "reptile_claims.py"))["PAPER"].claims
    drawn, rate = np.random.default_rng(0), 1e-4
    slope = dict(zip(("L1", "L2"), drawn.normal(size=(2, 2)), strict=True))
    half = dict(zip(("L1", "L2"), drawn.normal(size=(2, 2, 2)), strict=True))
    curvature = {loss: h + h.T for loss, h in half.items()}
    values = {"alpha": rate}
    for loss in slope:
        values |= {f"{loss}_{s}": slope[loss][i] for i, s in enumerate("uv")}
        values |= {f"{loss}_{p}": curvature[loss][i, j] for p, i, j in (("uu", 0, 0), ("uv", 0, 1), ("vv", 1, 1))}

    def gradient(loss, point):
        return slope[loss] + curvature[loss] @ point

    def update(name, a, b):
        after = -rate * gradient(a, np.zeros(2))
        last = gradient(b, after)
        return {
            "maml": (np.eye(2) - rate * curvature[a]) @ last,
            "fomaml": last,
            "reptile": gradient(a, np.zeros(2)) + last,
        }[name]

    for claim in claims:
        name = claim.id.removeprefix("reptile.")
        expected = (update(name, "L1", "L2") + update(name, "L2", "L1")) / 2
        content = claim.build()
        for formula, right in ((content.printed, True), (content.control, False)):
            found = [float(part.subs({s: values[s.name] for s in part.free_symbols})) for part in formula]
            assert (np.abs(found - expected).max() < 1e-6) == right, claim.id


# --- what a claims file is ---


def test_a_folders_claims_files_are_found_and_everything_else_is_left_alone(pytester, run):
    pytester.makepyfile(
        my_claims=claims(GOOD),
        insurance_claims="raise RuntimeError('not ours, and imported')",
        helpers_claims="from paper_checks.framework import Formula",
        derivation=claims(WRONG),
        # ordinary tests of claims
        test_claims=claims(WRONG, "def test_it(): assert len(PAPER.claims) == 1"),
    )
    result = run("-v")
    assert outcomes(result) == {"passed": 3}
    result.stdout.fnmatch_lines_random(
        ["my_claims.py::mine.good PASSED*", "my_claims.py::mine PASSED*", "test_claims.py::test_it PASSED*"]
    )


def test_a_file_that_is_named_is_one_if_it_imports_the_framework(pytester, run):
    pytester.makepyfile(
        derivation=claims(GOOD),
        ordinary="def test_ordinary(): pass",
        insurance_claims="def test_insurance(): pass",
        tested_claims=claims(GOOD, "def test_in_a_claims_file(): assert PAPER.claims"),
        empty_claims="",
    )
    result = run("derivation.py", "ordinary.py", "insurance_claims.py", "tested_claims.py", "-v")
    assert outcomes(result) == {"passed": 7}
    result.stdout.fnmatch_lines(["derivation.py::mine.good PASSED*", "*::test_in_a_claims_file PASSED*"])
    result = run("empty_claims.py")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["empty_claims.py defines no Paper; a claims file needs one (paper_checks.framework)"])


def test_where_every_file_is_a_test_file_claims_files_are_claims_files_too(pytester, run):
    pytester.makeini("[pytest]\npython_files = *.py")
    pytester.makepyfile(my_claims=claims(GOOD), ordinary="def test_ordinary(): pass")
    assert outcomes(run()) == {"passed": 3}


def test_an_error_in_a_claims_file_is_shown_from_there_on(pytester, run):
    pytester.makepyfile(my_claims=claims("square(1 / 0)"))
    result = run("my_claims.py")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["my_claims.py cannot be imported:", "*my_claims.py*", "*1 / 0*", "ZeroDivisionError: *"]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin*")
    result.stdout.no_fnmatch_line("*importlib*")


def test_two_papers_and_two_files_of_one_name(pytester, run):
    for folder, use in (("first", "second.good"), ("second", "first.good")):
        pytester.mkdir(folder).joinpath("my_claims.py").write_text(
            f"from {folder}_help import printed\n"
            "from paper_checks.framework import Formula, Paper\n"
            f"A, B = Paper('{folder}', 'One'), Paper('{folder}b', 'Another')\n"
            "def build():\n"
            "    import sys\n"
            "    assert sys.modules[__name__].A is A\n"
            f"    from {folder}_late import control\n"
            "    return Formula(printed=printed, derived=printed, control=control)\n"
            f"A.claim('good', '(1)', 'x', uses=['{use}'])(build)\n"
            "B.claim('good', '(1)', 'x')(build)\n"
        )
        Path(folder, f"{folder}_help.py").write_text("import sympy; printed = sympy.Symbol('x')")
        Path(folder, f"{folder}_late.py").write_text("import sympy; control = sympy.Symbol('y')")
    result = run("first/my_claims.py", "second/my_claims.py")
    assert outcomes(result) == {"passed": 8}
    result.stdout.fnmatch_lines(["4 claims: 4 proved"])


def test_files_that_share_a_paper_have_their_own_claims(pytester, run):
    pytester.makepyfile(shared="from paper_checks.framework import Paper; PAPER = Paper('mine', 'One', ['1', '2'])")
    for number in (1, 2):
        Path(f"part{number}_claims.py").write_text(
            "from paper_checks.framework import Paper\nfrom shared import PAPER\n"
            f"PAPER.definition('{number}', '{number}', 'a name')\n"
        )
    result = run("--claims-accept", "-v")
    assert outcomes(result) == {"passed": 4}
    assert [line.split()[0] for line in result.outlines if "PASSED" in line] == [
        f"part{number}_claims.py::mine{tail}" for number in (1, 2) for tail in (f".{number}", "")
    ]
    assert [list(accepted(Path(f"part{number}_claims.verdicts.json"))) for number in (1, 2)] == [["mine.1"], ["mine.2"]]
    assert outcomes(run()) == {"passed": 4}


# --- how pytest is asked ---


def test_selection_collection_and_workers(pytester, run, run_apart):
    pytester.makepyfile(my_claims=claims(GOOD, WRONG))
    result = run("my_claims.py", "-k", "good")
    assert outcomes(result) == {"passed": 1, "deselected": 2}
    result.stdout.fnmatch_lines(["1 claim: 1 proved"])

    result = run("my_claims.py", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["my_claims.py::mine.good", "my_claims.py::mine.wrong", "my_claims.py::mine"])
    result.stdout.no_fnmatch_line("*claims: *")

    result = run_apart("my_claims.py", "-n", "2", "--junitxml=junit.xml")
    assert outcomes(result) == {"passed": 2, "failed": 1}
    result.stdout.fnmatch_lines(["mine.good *proved *", "mine.wrong *corrected *", "2 claims: 1 proved, 1 corrected"])
    properties = ElementTree.parse(pytester.path / "junit.xml").iter("property")
    assert sorted(p.get("value") for p in properties if p.get("name") == "verdict") == ["corrected", "proved"]
    for option in ("--claims-accept", "--claims-html=out"):
        result = run("my_claims.py", "-n", "2", option)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(
            [f"*ERROR: {option.partition('=')[0]} writes what one process has judged; *without -n*"]
        )


# --- light, and no burden on others ---


def test_the_plugin_is_light_until_a_claims_file_is_met(pytester, run_apart):
    code = (
        "import sys, paper_checks.framework.pytest_plugin; "
        "print(sorted({'sympy', 'torch', 'numpy', 'analysis', 'empirical'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    pytester.makeconftest(HEAVY)
    pytester.makepyfile("def test_ordinary(): pass")
    result = run_apart()
    assert outcomes(result) == {"passed": 1}
    result.stderr.fnmatch_lines(["imported: []"])
    result.stdout.no_fnmatch_line("*= claims =*")


def test_this_projects_own_modules_are_no_claims_files():
    package = Path(sys.modules["paper_checks"].__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", str(package)],
        capture_output=True,
        text=True,
        cwd=package.parent,
    )
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout
