"""`pytest my_claims.py`: each claim of a claims file is a test, with the verdicts of `python -m paper_checks`.

Light, since every pytest of an environment loads it: sympy is imported when a claims file is, and torch by nobody here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import sys
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from .claims import Claim, Definition, Paper
from .sources import source_of

if TYPE_CHECKING:
    from .judging import Judgement

__all__ = ["ClaimItem", "ClaimsFile", "PaperItem"]

PASSING = ("proved", "proved-up-to", "conditional", "reproduced", "definition")
"""The verdicts that pass where none were accepted; `not-run` is skipped."""

IMPORT = re.compile(
    r"^\s*(from|import)\s+paper_checks\.framework\b|^\s*from\s+paper_checks\s+import\b.*\bframework\b", re.M
)
TEST = re.compile(r"^\s*(async\s+)?def\s+test|^class\s+Test", re.M)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("claims", "claims files of metaproof (paper_checks.framework)")
    group.addoption(
        "--claims-accept",
        action="store_true",
        help="make this run's verdicts the accepted ones, in NAME.verdicts.json beside each claims file NAME.py",
    )
    group.addoption("--claims-html", type=Path, metavar="DIR", help="write a site of the claims that were judged")


def pytest_configure(config: pytest.Config) -> None:
    spread = config.getoption("dist", "no") != "no"
    for option in ("accept", "html"):
        if spread and config.getoption(f"claims_{option}"):
            raise pytest.UsageError(f"--claims-{option} writes what one process has judged; give it without -n")
    config.pluginmanager.register(ClaimsRun(config), "claims-run")


class ClaimsRun:
    """One run of pytest: the claims files it met, and what was found of their claims."""

    def __init__(self, config: pytest.Config):
        self.accepting: bool = config.getoption("claims_accept")
        self.html: Path | None = config.getoption("claims_html")
        self.files: list[ClaimsFile] = []
        self.found: dict[str, dict[str, Any]] = {}
        self.told: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> Generator[None, list, list]:
        collectors = yield
        text = _text_of_claims(file_path, parent)
        if text is None:
            return collectors
        if not TEST.search(text):  # pytest would import the file a second time, to find nothing
            collectors = [each for each in collectors if not isinstance(each, pytest.Module)]
        return [*collectors, ClaimsFile.from_parent(parent, path=file_path, run=self)]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        chosen = set(session.items)
        if any(item not in chosen for file in self.files for item in file.items):
            for option, given in (("accept", self.accepting), ("html", self.html)):
                if given:
                    raise pytest.UsageError(
                        f"--claims-{option} is for a whole run; give it without -k and without naming single claims"
                    )
        if self.html is not None and self.files:
            from .site import Site

            try:
                Site.check(self.html)
            except ValueError as error:
                raise pytest.UsageError(f"--claims-html: {error}") from None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if isinstance(item, ClaimItem) and item.judgement is not None and call.when == "call":
            # plain data, which a worker of xdist can send
            report.claim_found = {
                "place": [item.parent.nodeid, item.parent.items.index(item)],
                "claim": [item.claim.id, item.claim.paper, item.claim.locator, item.claim.statement],
                "verdict": item.judgement.verdict,
                "reason": item.judgement.reason,
            }
            if report.skipped:
                path, line, _ = item.reportinfo()
                report.longrepr = (str(path), line + 1, item.judgement.reason)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if hasattr(report, "claim_found"):
            self.found[report.nodeid] = report.claim_found

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        refused = session.exitstatus in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR)
        if refused or session.config.option.collectonly or not (self.accepting or self.html):
            return
        try:
            if not self.files:
                raise ValueError("no claims file was met")
            if any(item.problems is None for file in self.files for item in file.items):
                raise ValueError("not every claim was judged")
            if self.html is not None:
                self._write_pages(session.config.rootpath)
            if self.accepting:
                self._accept()
        except (ValueError, OSError) as error:
            self.told.append(f"nothing more is written: {error}")
            if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _accept(self) -> None:
        from .running import accept

        for file in self.files:
            unsound = next((item.name for item in file.items if item.problems), None)
            if unsound is not None:
                raise ValueError(f"{unsound} has a problem, so {file.name}'s verdicts are not accepted")
        for file in self.files:
            judgements = [item.judgement for item in file.items if isinstance(item, ClaimItem)]
            accept(file.accepted_file, judgements)
            self.told.append(f"accepted {len(judgements)} verdicts in {file.accepted_file.name}")

    def _write_pages(self, root: Path) -> None:
        from .running import Run
        from .site import Site, claim_pages

        def place(claim: Claim) -> str | None:
            source = source_of(claim)
            return f"{os.path.relpath(source.file, root)}:{source.first_line}" if source else None

        items = [item for file in self.files for item in file.items]
        claims = {item.claim.id: item for item in items if isinstance(item, ClaimItem)}
        papers = list({id(paper): paper for file in self.files for paper in file.papers}.values())
        problems = [(item, problem) for item in items for problem in item.problems]
        told = [f"{item.name}: {problem}" if isinstance(item, ClaimItem) else problem for item, problem in problems]
        site = Site(
            f"Claims of {', '.join(p.key for p in papers)}", [("Claims", "index.html"), ("Errata", "errata.html")]
        )
        claim_pages(
            site,
            Run(tuple(item.judgement for item in claims.values()), tuple(told)),
            papers,
            command=lambda claim: f"pytest {shlex.quote(claims[claim.id].nodeid)}",
            source=place,
        )
        site.write(self.html)
        self.told.append(f"the claims' pages are in {self.html / 'index.html'}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.found:
            from .judging import Judgement
            from .output import as_table, summary

            judgements = [
                Judgement(Claim(*found["claim"], Definition), found["verdict"], "", "", found["reason"])
                for found in sorted(self.found.values(), key=lambda found: found["place"])
            ]
            terminalreporter.section("claims")
            width = max(120, min(shutil.get_terminal_size((160, 24)).columns, 200))
            terminalreporter.write_line(f"{as_table(judgements, width)}\n\n{summary(judgements)}")
        for line in self.told:
            terminalreporter.write_line(line)


def _text_of_claims(path: Path, parent: pytest.Collector) -> str | None:
    """The text of a file that may hold claims; None of any other, the tests of pytest's own patterns among them."""
    patterns = parent.config.getini("python_files")
    if path.suffix != ".py" or any(path.match(pattern) for pattern in patterns if pattern not in ("*.py", "*")):
        return None
    called_so, named = path.name.endswith("claims.py"), parent.session.isinitpath(path)
    if not (called_so or named):
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    is_one = IMPORT.search(text) or (called_so and named and not TEST.search(text))
    return text if is_one else None


class ClaimsFile(pytest.File):
    """A file of claims; its items are those of every `Paper` in its namespace."""

    def __init__(self, run: ClaimsRun, **keywords: Any):
        super().__init__(**keywords)
        self.run = run
        self.papers: list[Paper] = []
        self.items: list[ClaimItem | PaperItem] = []
        self.accepted_file = self.path.with_suffix(".verdicts.json")
        self.expected: dict[str, str] | None = None

    def collect(self) -> list[ClaimItem | PaperItem]:
        module = self._load()
        self.papers = list({id(x): x for x in vars(module).values() if isinstance(x, Paper)}.values())
        if not self.papers:
            if self.session.isinitpath(self.path):
                raise self.CollectError(
                    f"{self.name} defines no Paper; a claims file needs one (paper_checks.framework)"
                )
            return []
        if self.accepted_file.exists() and not self.run.accepting:
            self.expected = self._read_accepted()
        # of a paper that several files declare claims of, each has its own
        taken = {item.claim for file in self.run.files for item in file.items if isinstance(item, ClaimItem)}
        for paper in self.papers:
            own = [claim for claim in paper.claims if claim not in taken]
            self.items += [ClaimItem.from_parent(self, name=claim.id, claim=claim) for claim in own]
            self.items.append(PaperItem.from_parent(self, name=paper.key, paper=paper))
        self.run.files.append(self)
        return self.items

    def _load(self) -> ModuleType:
        # a name of its own for each place, since two folders may each have a claims.py
        name = f"{self.path.stem}_{hashlib.sha256(str(self.path).encode()).hexdigest()[:12]}"
        spec = importlib.util.spec_from_file_location(name, self.path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            with importable(self.path.parent):
                spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise self.CollectError(f"{self.name} cannot be imported:\n{_own_traceback(error, self.path)}") from None
        return module

    def _read_accepted(self) -> dict[str, str]:
        from .running import accepted

        try:
            return accepted(self.accepted_file)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self.CollectError(
                f"{self.accepted_file.name} is no file of accepted verdicts ({error}); --claims-accept writes it again"
            ) from None


class _Item(pytest.Item):
    """Something to judge; `problems` is None until it has been."""

    parent: ClaimsFile
    problems: list[str] | None = None

    def repr_failure(self, excinfo: pytest.ExceptionInfo, style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, Fault) else super().repr_failure(excinfo, style)


class Fault(Exception):
    """What is wrong, in words; shown without a traceback."""


class ClaimItem(_Item):
    """One claim."""

    def __init__(self, claim: Claim, **keywords: Any):
        super().__init__(**keywords)
        self.claim = claim
        self.judgement: Judgement | None = None

    def runtest(self) -> None:
        from .judging import judge
        from .running import changed

        with importable(self.path.parent):
            found = judge(self.claim)
        self.judgement, self.problems = found, list(found.problems)
        self.user_properties += [("verdict", found.verdict), ("reason", found.reason)]
        if self.parent.expected is not None:
            change = changed(found, self.parent.expected)
            self.problems += [change] if change else []
        elif not (self.parent.run.accepting or self.problems or found.verdict in (*PASSING, "not-run")):
            self.problems = [
                f"{found.verdict} fails as long as no verdicts are accepted; if it is what you expect, --claims-accept writes it to "
                f"{self.parent.accepted_file.name}"
            ]
        if self.problems:
            told = [("verdict", found.verdict), ("statement", self.claim.statement), ("reason", found.reason)]
            told += [("problem", problem) for problem in self.problems]
            raise Fault("\n".join(f"{name:<11}{text}" for name, text in told))
        if found.verdict == "not-run":
            pytest.skip(found.reason)

    def reportinfo(self) -> tuple[Path, int, str]:
        source = source_of(self.claim)
        file, line = (source.file, source.first_line - 1) if source else (self.path, 0)
        return file, line, f"{self.claim.id} {self.claim.locator}"


class PaperItem(_Item):
    """What concerns a paper as a whole: its locators, what its claims use, and accepted verdicts whose claim is gone."""

    def __init__(self, paper: Paper, **keywords: Any):
        super().__init__(**keywords)
        self.paper = paper

    def runtest(self) -> None:
        from .running import declaration_problems, gaps

        file, keys = self.parent, [paper.key for paper in self.parent.papers]
        everywhere = [paper for each in file.run.files for paper in each.papers]
        # verdicts of a paper that is no more are the first one's to miss
        owner = {id: id.partition(".")[0] for id in file.expected or {}}
        own = {
            id: file.expected[id] for id, key in owner.items() if (key if key in keys else keys[0]) == self.paper.key
        }
        self.problems = declaration_problems(file.papers, self.paper.claims, everywhere) + gaps([self.paper], own)
        if self.problems:
            raise Fault("\n".join(self.problems))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.name} as a whole"


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """A claims file may import what lies beside it, while it is loaded and while it is judged."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _own_traceback(error: Exception, file: Path) -> str:
    """The traceback from the file on, without the import machinery and this plugin."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename != str(file):
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame)).rstrip()
