"""`python -m paper_checks report`: what it judges, writes and refuses; the pages of results, of figures and of one's own derivation."""

import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
import sympy
from made_records import CNN, IDS, PLAIN, made_up, timed, write
from PIL import Image

from paper_checks import papers, recorded
from paper_checks.framework import Formula, Near, Paper
from paper_checks.framework.judging import judge
from paper_checks.framework.site import Site
from paper_checks.published import accuracies, digitised, results, times
from paper_checks.report.command import NAVIGATION, TEMPLATES, main
from paper_checks.report.figure_pages import add_figures, read_figures
from paper_checks.report.own_derivation import add_own_derivation
from paper_checks.report.results import add_results
from paper_checks.result_tables import tables

COSTS = "Costs, A.4"

CLAIMS = {claim.id: claim for paper in papers() for claim in paper.claims}
X = sympy.Symbol("x", real=True)


class Tables(HTMLParser):
    """The rows of a page's tables, as the text of their cells, by the id of the heading above them."""

    def __init__(self, page: str):
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self.anchor, self.cell = "", None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "h3":
            self.anchor = dict(attributes).get("id", "")
        elif tag == "tr":
            self.found.setdefault(self.anchor, []).append([])
        elif tag in ("td", "th"):
            self.cell = []

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.found[self.anchor][-1].append(" ".join(" ".join(self.cell).split()))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)

    def row(self, anchor: str, *first: str) -> dict[str, str]:
        """The row that begins with these cells, by head."""
        head, *rows = self.found[anchor]
        (row,) = (row for row in rows if row[: len(first)] == list(first))
        return dict(zip(head, row, strict=True))


def page(tmp_path, name: str, add) -> str:
    site = Site("toy", NAVIGATION, [TEMPLATES])
    add(site)
    site.write(tmp_path / "site")
    return (tmp_path / "site" / name).read_text(encoding="utf-8")


def results_page(tmp_path, *judged: str) -> str:
    def add(site):
        site.judgements.update({id: judge(CLAIMS[id]) for id in judged})
        add_results(site, papers(), tables())

    return page(tmp_path, "results.html", add)


# --- results ------------------------------------------------------------------------------------------------------------


def test_every_printed_number_stands_in_a_table_and_its_claim_holds_it(place):
    found = [(table, row) for table in tables() for row in table.rows if table.title != COSTS]
    for paper in ("arnold2021", "arnold2019"):
        mine = {(table.title, row.data, row.method): row.printed for table, row in found if table.paper == paper}
        assert {(*key, number.value) for key, number in accuracies(paper).items()} == {
            (*key, number.value) for key, number in mine.items() if number
        }
    shown = {(row.data, row.method, row.reading): row.printed for table, row in found if table.paper == "chen2019"}
    assert shown["Experiment 1, linear", "MAML", "least loss"].remark == "step 77, to 0.001"
    assert shown["Experiment 2, spiral", "Reptile", "last loss"].remark == "step 980, to 0.005"
    mine = [(method, printed.value) for (_, method, _), printed in shown.items()]
    levels = [(each.method, level) for each in results("chen2019") for level in (each.minimum, each.last) if level]
    assert sorted(mine) == sorted(levels)
    bounds = {}
    for _, row in found:
        held = []
        for id, part in row.claims:
            if id in CLAIMS:
                bounds.setdefault(id, CLAIMS[id].build().bounds)
                held += [bounds[id][part]] if part in bounds[id] else []
        if row.printed and "arnold2019.t1-readings" not in dict(row.claims) and row.reading != "500 + 500":
            levels = [bound.published for bound in held if isinstance(bound, Near)]
            erratic = ("chen2019.exp2-joint-map", None) in row.claims and row.data == "Experiment 2, spiral"
            assert erratic or row.printed.value in levels, row
    assert {id for _, row in found for id, _ in row.claims} <= CLAIMS.keys()


def test_costs_are_printed_with_their_ratios_and_measured_ones_stand_beside(place):
    def costs():
        (table,) = [table for table in tables() if table.title == COSTS]
        return {(row.data, row.method): row for row in table.rows}

    found = costs()
    assert {key: row.printed.value for key, row in found.items()} == times("arnold2019")
    assert {id for row in found.values() for id, _ in row.claims} <= CLAIMS.keys()
    assert found["Omniglot", "CNN(4) KFC"].beside == {"printed, × MAML": 10.35 / 1.09}
    assert all(row.measured is None and "no record" in row.reason for row in found.values())
    write(place, "arnold2019/costs", timed("omniglot", {"CNN(2) MAML": [2.0, 4.0, 2.0], "CNN(2) KFC": [3.0, 6.0, 3.0]}))
    row = costs()["Omniglot", "CNN(2) KFC"]
    assert row.measured.value == 3.0 and row.beside["measured, × MAML"] == 1.5
    assert row.beside["optimizer parameters"] == 5 and row.beside["model parameters"] == 7
    assert row.protocol == "10 rounds of 16 tasks" and row.command.endswith("--method omniglot")
    assert costs()["CIFAR-FS", "CNN(2) KFC"].measured is None


def test_without_records_every_row_says_not_run_and_how_to_run_it(place, tmp_path):
    shown = Tables(results_page(tmp_path, "arnold2019.ta3-mini-imagenet"))
    for data, judging in {
        "mini-ImageNet": "ta3-mini-imagenet ○ not-run",
        "Omniglot": "",
    }.items():  # which was not judged
        assert shown.row("arnold2019-table-a3", data, "CNN(4) MAML")["judged by"] == judging
    count = 0
    for head, *rows in shown.found.values():
        for row in (dict(zip(head, row, strict=True)) for row in rows):
            assert "not-run" in row.get("measured, %", row.get("measured"))
            assert row["run"].startswith("how to run it Copy python -m empirical run ") and row["time"] == ""
            count += 1
    assert count == sum(len(table.rows) for table in tables()) > 200


def test_the_numbers_are_those_of_the_records_and_follow_them(place, tmp_path):
    judged = ("arnold2021.t1-omniglot", "arnold2021.t3-omniglot")
    for level in (0.7, 0.8):
        write(place, CNN, made_up(CNN, PLAIN, "lite", level), "lite")
        shown = Tables(results_page(tmp_path, *judged))
        row = shown.row("arnold2021-table-1", "Omniglot", "CNN(2) MAML")
        assert row["printed, %"] == "66.8" and row["measured, %"] == f"{100 * level:.1f} ± 0.0 (1.0)"
        assert row["chance"] == "20.0" and row["time"] == "1.0 s"
        assert row["run"].startswith("lite, ") and f'--method "{PLAIN}"' in row["run"] and "seeds 0, 1" in row["run"]
        assert row["judged by"] == "t1-omniglot ○ not-run t3-omniglot ○ not-run"
        assert shown.row("arnold2021-table-3", "Omniglot", "CNN(2) MAML")["measured, %"] == row["measured, %"]
        other = shown.row("arnold2021-table-1", "Omniglot", "CNN(3) MAML")
        assert "not-run" in other["measured, %"] and other["judged by"] == "t1-omniglot ○ not-run"


def test_stale_records_and_diverged_seeds_are_said(place, tmp_path):
    (stale,) = made_up(CNN, PLAIN, "full", 0.7)
    stale.configuration["inner_lr"] = 123
    (lost,) = made_up(IDS[0], "LR", "full", None)
    write(place, CNN, [stale])
    write(place, IDS[0], [lost])
    shown = Tables(results_page(tmp_path))
    row = shown.row("arnold2021-table-1", "Omniglot", "CNN(2) MAML")
    assert row["measured, %"] == "○ not-run its record is of another protocol"
    row = shown.row("arnold2019-table-1", "Omniglot", "LR w/ MAML", "")
    assert row["measured, %"].startswith("20.0 ± 0.0") and row["measured, %"].endswith("diverged, counted as a guess")


# --- figures ------------------------------------------------------------------------------------------------------------


def drawn(folder, name: str, source: str, files=True) -> dict:
    if files:
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (30, 20)).save(folder / f"{name}.png")
        (folder / f"{name}.svg").write_text(f"<svg>{name}</svg>")
    return {
        "name": name,
        "summary": f"what <{name}> shows",
        "source": source,
        "record": ["a/b"],
        "command": f"python -m figures {name}",
        "files": [f"{name}.png", f"{name}.svg"] if files else [],
        "missing": [] if files else ["python -m empirical run a/b --tier full"],
    }


def test_figures_are_embedded_with_their_size_and_what_there_is_of_the_original(tmp_path):
    folder = tmp_path / "figures"
    entries = [
        drawn(folder, "one", "chen2019, Figure 7"),
        drawn(folder, "two", "chen2019, Figure 4 (Appendix B, Prop. 3)"),
        drawn(folder, "own", "metaproof (arnold2021, Section 4.4)"),
        drawn(folder, "none", "arnold2019, Figure A.2", files=False),
    ]
    (folder / "figures.json").write_text(json.dumps(entries))
    text = page(tmp_path, "figures.html", lambda site: add_figures(site, papers(), read_figures(folder)))
    for name in ("one", "two", "own"):
        (figure,) = (part for part in text.split("<figure")[1:] if f'id="{name}"' in part)
        figure = figure.partition("</figure>")[0]
        assert f'<img src="figures/{name}.png" width="30" height="20" loading="lazy"' in figure
        assert f"what &lt;{name}&gt; shows" in figure and f"python -m figures {name}" in figure
        assert ("dashed in the same axes" in figure) == (name == "one")
        assert ("not digitised" in figure) == (name == "two")
        assert ("No paper has this figure" in figure) == (name == "own")
        for form in ("png", "svg"):
            copied = tmp_path / "site" / "figures" / f"{name}.{form}"
            assert copied.read_bytes() == (folder / copied.name).read_bytes()
    undrawn = text.partition('id="not-drawn"')[2]
    assert "what &lt;none&gt; shows" in undrawn and "not-run" in undrawn
    assert "python -m empirical run a/b --tier full\npython -m figures none" in undrawn
    assert set(digitised("chen2019")) == {"3", "5", "6", "7"} and digitised("arnold2021") == ()


def test_without_figures_the_page_says_how_to_draw_them(tmp_path):
    text = page(tmp_path, "figures.html", lambda site: add_figures(site, (), []))
    assert "python -m figures --all --out DIR" in text and "<img" not in text


# --- one's own derivation -----------------------------------------------------------------------------------------------

OWN = """import sympy
from paper_checks.framework import Formula, Paper

PAPER = Paper("mine", "Mine")
x = sympy.Symbol("x", real=True)


@PAPER.claim("square", "(1)", "(x + 1)² = x² + 2x + 1")
def square():
    return Formula(printed=PRINTED, derived=(x + 1) ** 2, control=x**2 + 2)
"""


@pytest.mark.parametrize(("printed", "verdict"), [("x**2 + 2*x + 1", "proved"), ("x**2 + x + 1", "corrected")])
def test_the_verdicts_of_the_example_are_those_of_a_run(tmp_path, printed, verdict):
    example = tmp_path / "mine_claims.py"
    example.write_text(OWN.replace("PRINTED", printed))
    text = page(tmp_path, "own.html", lambda site: add_own_derivation(site, example))
    ((_, row),) = Tables(text).found.values()
    assert row[0] == "mine.square" and row[2].endswith(f" {verdict}")
    assert "printed=" + printed in text and f"&lt;system-out&gt;{verdict}" in text


def test_without_the_example_the_page_says_where_it_is(tmp_path):
    text = page(tmp_path, "own.html", lambda site: add_own_derivation(site, tmp_path / "reptile_claims.py"))
    assert "examples/reptile_claims.py" in text and "<table" not in text


# --- the command --------------------------------------------------------------------------------------------------------


def toy(printed=X**2 + 2 * X + 1) -> Paper:
    paper = Paper("toy", "A toy")
    paper.claim("square", "(1)", "(x + 1)² = x² + 2x + 1")(lambda: Formula(printed, (X + 1) ** 2, X**2 + 2))
    return paper


def test_writes_the_site_the_verdicts_and_junit(place, tmp_path, capsys):
    write(place / "there", CNN, made_up(CNN, PLAIN, "lite", 0.7), "lite")
    accepted = tmp_path / "accepted.json"
    accepted.write_text(json.dumps({"toy.square": {"locator": "(1)", "verdict": "proved"}}))
    out, there = tmp_path / "out", str(place / "there" / "results")

    def report(paper: Paper, *more: str) -> int:
        return main(lambda: [paper], accepted, ["--out", str(out), "--results", there, *more], "report")

    assert report(toy(), "--junit", str(out / "claims.xml")) == 0
    said = capsys.readouterr()
    assert said.out.endswith("1 claim: 1 proved\n") and f"{out / 'index.html'}" in said.err
    assert (out / "verdicts.txt").read_text().endswith("1 claim: 1 proved\n")
    assert [each["verdict"] for each in json.loads((out / "verdicts.json").read_text())] == ["proved"]
    assert ElementTree.parse(out / "claims.xml").getroot().get("failures") == "0"
    for _, path in NAVIGATION:
        assert (out / path).is_file(), path
    shown = Tables((out / "results.html").read_text())
    assert shown.row("arnold2021-table-1", "Omniglot", "CNN(2) MAML")["measured, %"] == "70.0 ± 0.0 (1.0)"
    # a problem fails the run, and the site is there all the same
    assert report(toy(X**2 + 1), "--junit", str(tmp_path / "claims.xml")) == 1
    said = capsys.readouterr()
    assert "problem: toy.square: the verdict is corrected, and the accepted one is proved" in said.err
    assert "corrected" in (out / "claims" / "toy.square.html").read_text() and not (out / "claims.xml").exists()
    assert ElementTree.parse(tmp_path / "claims.xml").getroot().get("failures") == "1"


def test_refuses_bad_input_in_one_sentence_and_writes_nothing(place, tmp_path, capsys):
    def refusal(*arguments: str) -> str:
        with pytest.raises(SystemExit) as stopped:
            main(lambda: [toy()], tmp_path / "accepted.json", arguments, "report")
        said = capsys.readouterr().err
        assert stopped.value.code == 2 and said.startswith("report: ") and said.count("\n") == 1
        assert not list(tmp_path.rglob("index.html"))
        return said

    file, foreign, figures = tmp_path / "file", tmp_path / "foreign", tmp_path / "figures"
    file.write_text("")
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("")
    out = ("--out", str(tmp_path / "out"))
    assert "--out" in refusal()
    assert "is a file" in refusal("--out", str(file))
    assert "'thesis.tex'" in refusal("--out", str(foreign))
    assert "--results" in refusal(*out, "--results", str(file))
    assert "has no figures.json" in refusal(*out, "--figures", str(foreign))
    entry = drawn(figures, "one", "chen2019, Figure 7")
    for content in ("{half", "[1]", json.dumps([entry | {"files": ["two.png"]}]), json.dumps([{"name": "one"}])):
        (figures / "figures.json").write_text(content)
        assert "draw them again" in refusal(*out, "--figures", str(figures))
    (figures / "figures.json").write_text(json.dumps([entry]))
    (figures / "one.png").write_text("no image")
    assert "one.png is no image" in refusal(*out, "--figures", str(figures))
    assert "it is a folder" in refusal(*out, "--junit", str(foreign))
    record = tmp_path / "results" / f"{CNN}.jsonl"
    record.parent.mkdir(parents=True)
    record.write_text("no record\n")
    assert "line 1 is not JSON" in refusal(*out, "--results", str(tmp_path / "results"))


def test_a_folder_of_records_can_be_named_for_a_whole_run(place, tmp_path):
    for folder, level in (("one", 0.7), ("two", 0.8)):
        write(tmp_path / folder, CNN, made_up(CNN, PLAIN, "full", level))
    with pytest.raises(recorded.MissingRecord):
        recorded.read(CNN)
    with recorded.reading_from(tmp_path / "one" / "results"):
        one = recorded.read(CNN)[PLAIN]
        assert recorded.read(CNN)[PLAIN] is one  # parsed once
        with recorded.reading_from(None):
            assert recorded.read(CNN)[PLAIN] is one
        two = recorded.read(CNN, tmp_path / "two" / "results")[PLAIN]
        assert two.final != one.final or two.details != one.details
        write(tmp_path / "one", CNN, made_up(CNN, PLAIN, "full", 0.8))
        assert recorded.read(CNN)[PLAIN].details == two.details  # another file, another record
    with pytest.raises(recorded.MissingRecord):
        recorded.read(CNN)
