"""The static site of a run, on a toy paper with every verdict: links, markup, escaping, and how it is written."""

import re
from html.parser import HTMLParser
from itertools import combinations
from math import dist
from pathlib import Path
from urllib.parse import unquote, urldefrag
from xml.etree import ElementTree

import pytest
import sympy

from paper_checks.framework import (
    Above,
    Estimate,
    Finding,
    Formula,
    Freedom,
    Measurement,
    Near,
    NotRun,
    Paper,
    Proposition,
)
from paper_checks.framework.running import Run, run
from paper_checks.framework.site import Site, claim_pages
from paper_checks.framework.site.verdicts import VERDICTS

x, y, theta = sympy.symbols("x y theta_tau", real=True)
HOSTILE = '<script>alert("&")</script>'


def raising() -> Formula:
    raise ZeroDivisionError(HOSTILE)


def not_run() -> dict[str, Estimate]:
    raise NotRun("there is no record toy.jsonl")


def toy() -> Paper:
    """One claim for each verdict, and one that nobody should trust."""
    paper = Paper("toy", "A toy paper, with <b> & all", ["(1)", "(99)"])
    square = dict(printed=(x + y) ** 2, derived=x**2 + 2 * x * y + y**2, control=(x - y) ** 2)
    paper.definition("definition", "(0)", "let θ_τ be a task")
    paper.claim("proved", "(1)", "(x + y)² = x² + 2 x y + y²", uses=("definition",), assumptions=("x ∈ R",))(
        lambda: Formula(**square, witness=lambda x, y: (x + y) ** 2)
    )
    paper.claim("proved-up-to", "(2)", "f ∝ x²", uses=("proved",))(
        lambda: Formula(printed=2 * x**2, derived=x**2, control=x**3, freedom=Freedom(factor=True))
    )
    paper.claim("corrected", "(3)", "L_toy = (θ_τ − x)²", uses=("proved-up-to",))(
        lambda: Formula(
            printed=(theta - x) ** 2,
            derived=sympy.expand((theta - x) ** 2) / 2,
            control=(theta + x) ** 2,
            right=("½ (θ_τ − x)²", (theta - x) ** 2 / 2),
            conventions={"with the loss without ½": (theta - x) ** 2},
            single_symbol=True,
        )
    )

    def below(bound: float) -> Finding:
        return Finding(bound > 1, f"the largest value is 1, the bound {bound}")

    paper.claim("refuted", "(4)", "x² < 1 on [0, 1]", uses=("corrected",))(
        lambda: Proposition(
            below, stated={"bound": 1}, right={"bound": 2}, right_statement="x² < 2 on [0, 1]", control={"bound": 0}
        )
    )
    paper.claim("conditional", "(5)", "x² < 1")(
        lambda: Proposition(
            below, stated={"bound": 1}, weaker={"bound": 2}, assumption="x < 1", control={"bound": 0}, note="See `toy`"
        )
    )
    measured = {"level": Estimate(1.2, 0.1, "seed 0"), "gain": Estimate(0.9, 0.1)}
    for name, published in (("reproduced", 1.1), ("not-reproduced", 9.0)):
        paper.claim(name, "Table 1", f"the level is {published}", uses=("refuted",))(
            lambda published=published: Measurement(
                lambda: measured,
                bounds={"level": Near(published, reading_error=0.05), "gain": Above(0)},
                control={"level": Near(-9.0)},
                command="python -m toy run",
            )
        )
    paper.claim("not-run", "Table 2", "the level is 3")(
        lambda: Measurement(not_run, {"level": Near(3)}, {"level": Near(9)}, command="python -m toy run")
    )
    paper.claim("unknown", "(6)", HOSTILE, assumptions=(HOSTILE,), uses=("nobody",))(raising)
    paper.claim("a/b <c>", "4.2 & on", f"an id of odd characters, {HOSTILE}")(
        lambda: Formula(
            printed=[sympy.Symbol(HOSTILE), x], derived=[sympy.Symbol(HOSTILE), x], control=[x, x], note=HOSTILE
        )
    )
    return paper


@pytest.fixture(scope="module")
def outcome() -> tuple[Paper, Run]:
    paper = toy()
    return paper, run([paper])


def made(outcome: tuple[Paper, Run]) -> Site:
    paper, judged = outcome
    site = Site("Toy report", [("Overview", "index.html"), ("Errata", "errata.html")])
    claim_pages(
        site, judged, [paper], command=lambda claim: f"python -m toy --only {claim.id}", source=lambda claim: "toy.py:1"
    )
    return site


@pytest.fixture(scope="module")
def out(outcome: tuple[Paper, Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "report"
    made(outcome).write(folder)
    return folder


class Page(HTMLParser):
    """Tags that match, ids, links and the text of a page."""

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})

    def __init__(self, source: str):
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert len(given) == len(attrs)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("href", "src") if name in given]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def pages(out: Path) -> dict[str, Page]:
    return {file.relative_to(out).as_posix(): Page(file.read_text()) for file in sorted(out.rglob("*.html"))}


def test_the_toy_has_every_verdict(outcome):
    assert {judgement.verdict for judgement in outcome[1].judgements} == set(VERDICTS)


def test_every_link_and_anchor_resolves(out):
    found = pages(out)
    assert len(found) == 3 + 11
    for path, page in found.items():
        assert len(page.ids) == len(set(page.ids)), path
        for link in page.links:
            target, anchor = urldefrag(link)
            if target.startswith("data:"):
                continue
            file = (out / path).parent / unquote(target) if target else out / path
            assert file.exists(), (path, link)
            if anchor:
                assert anchor in found[file.resolve().relative_to(out.resolve()).as_posix()].ids, (path, link)


def test_each_page_has_a_title_a_description_and_one_heading(out):
    titles = set()
    for path, page in pages(out).items():
        source = (out / path).read_text()
        assert source.startswith('<!doctype html>\n<html lang="en">')
        assert page.tags.count("h1") == 1 and page.tags.count("main") == 1, path
        titles.add(re.search("<title>(.+)</title>", source)[1])
        assert re.search('<meta name="description" content=".+">', source)
    assert len(titles) == len(pages(out))


def test_what_a_claim_says_is_never_markup(out):
    for path, page in pages(out).items():
        assert page.tags.count("script") == 1, path  # site.js
        assert "b" not in page.tags, path
    assert HOSTILE in pages(out)["claims/toy.unknown.html"].text


def test_mathml_is_well_formed(out):
    found = 0
    for file in out.rglob("*.html"):
        for formula in re.findall("<math.*?</math>", file.read_text(), flags=re.DOTALL):
            root = ElementTree.fromstring(formula)
            assert root.tag == "{http://www.w3.org/1998/Math/MathML}math" and root.attrib["display"] == "block"
            found += 1
    assert found > 20


def test_the_overview_counts_the_verdicts_and_shows_problems_first(out, outcome):
    source = (out / "index.html").read_text()
    assert source.index("This run fails") < source.index('id="verdicts"')
    for problem in ("toy (99) has no claim", "toy.unknown uses toy.nobody, and there is no such claim"):
        assert problem in pages(out)["index.html"].text
    assert '<a href="papers/toy.html#proved">2</a>' in source
    assert '<a href="papers/toy.html#refuted">1</a>' in source


def test_the_graph_links_every_claim(out):
    graph = re.search('<svg class="graph" role="group".*?</svg>', (out / "index.html").read_text(), flags=re.DOTALL)[0]
    ElementTree.fromstring(graph)
    assert len(re.findall('<a href="claims/', graph)) == 11
    assert graph.count("<path d=") == 1 + 6  # the hatching; the uses that lead somewhere


def test_a_corrected_claim_shows_both_formulas_the_point_and_the_convention(out):
    page = pages(out)["claims/toy.corrected.html"]
    assert "As printed" in page.text and "Right" in page.text
    assert "It would hold with the loss without ½" in page.text
    assert page.tags.count("math") >= 3
    assert "(theta_tau - x)**2/2" in page.text  # the source that sympy reads back
    assert r"\theta_{\tau}" in page.text
    assert "python -m toy --only toy.corrected" in page.text
    assert "single_symbol=True" in page.text and "toy.py:1" in page.text


def test_a_measured_claim_shows_published_and_measured_numbers(out):
    page = pages(out)["claims/toy.not-reproduced.html"]
    assert "9 1.20 ± 0.10 9 within 3 standard errors of the difference + 0.05 ✗ not within seed 0" in page.text
    assert "python -m toy run" in page.text
    missing = pages(out)["claims/toy.not-run.html"]
    assert "there is no record toy.jsonl" in missing.text and "python -m toy run" in missing.text


def test_a_claim_names_what_it_uses_and_what_uses_it(out):
    page = pages(out)["claims/toy.refuted.html"]
    assert "It uses toy.corrected" in page.text and "It is used by toy.reproduced" in page.text
    shaken = pages(out)["claims/toy.reproduced.html"].text
    assert "these do not stand as printed toy.corrected ≠ corrected" in shaken
    assert "toy.proved " not in shaken.partition("these do not stand")[2].partition("Do it again")[0]


def test_the_errata_hold_what_an_author_needs(out):
    source = (out / "errata.html").read_text()
    page = Page(source)
    order = [source.index(f'<h4 id="toy.{name}"') for name in ("corrected", "refuted", "conditional")]
    assert order == sorted(order)
    assert not any(f'<h4 id="toy.{name}"' in source for name in ("proved", "proved-up-to", "not-reproduced", "unknown"))
    mail = re.search("<code>(.*?)</code>", source, flags=re.DOTALL)[1]
    assert (
        "(3)  L_toy = (θ_τ − x)²  [toy.corrected]\n    Right is: ½ (θ_τ − x)²\n    As printed it fails: at θ_τ = 1/2,"
        in mail
    )
    assert "It would hold with the loss without ½" in " ".join(mail.split())
    assert "may be at fault" in " ".join(mail.split())
    assert "Right is: x² &lt; 2 on [0, 1]" in mail
    assert "Holds if x &lt; 1" in mail
    assert "It holds if x < 1" in page.text


def test_a_finding_without_evidence_is_an_erratum_too(tmp_path):
    paper = Paper("toy", "A toy paper", ["(1)"])
    claim = paper.claim("silent", "(1)", "x² < 1 on [0, 1]")
    claim(lambda: Proposition(lambda bound: Finding(bound > 1, ""), {"bound": 1}, {"bound": 1}, right={"bound": 2}))
    site = Site("Toy", [("Overview", "index.html")])
    claim_pages(site, run([paper]), [paper], command=lambda claim: "pytest", source=lambda claim: None)
    site.write(tmp_path / "site")
    assert "toy.silent" in (tmp_path / "site" / "errata.html").read_text()


def test_the_same_run_gives_the_same_bytes(out, outcome, tmp_path):
    made(outcome).write(tmp_path / "again")
    for file in out.rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "again" / file.relative_to(out)).read_bytes()


def test_a_paper_may_come_in_parts_and_have_an_odd_key(tmp_path):
    parts = [Paper("odd/key", "The paper"), Paper("odd/key", "Its appendix"), Paper("other", "Another")]
    for number, part in enumerate(parts):
        part.definition(f"d{number}", f"({number})", "let there be x")
    site = Site("Parts", [])
    claim_pages(site, run(parts), parts, command=lambda claim: "again", source=lambda claim: None)
    site.write(tmp_path / "out")
    assert "(0)" in (text := pages(tmp_path / "out")["papers/odd~2fkey.html"].text) and "(1)" in text
    assert pages(tmp_path / "out")["index.html"].text.count("The paper") == 1
    assert "Its appendix" not in pages(tmp_path / "out")["index.html"].text


# --- the shell ---


def small(content: str = "one") -> Site:
    site = Site("Small", [("Text", "text.txt")])
    site.file("text.txt", content)
    return site


def test_a_site_is_replaced_as_a_whole(tmp_path):
    first = small()
    first.file("gone/old.txt", "old")
    first.write(tmp_path / "out")
    small("two").write(tmp_path / "out")
    assert (tmp_path / "out/text.txt").read_text() == "two"
    assert not (tmp_path / "out/gone").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_page_that_fails_leaves_the_old_site(tmp_path):
    small().write(tmp_path / "out")
    broken = small("two")
    broken.page("broken.html", "claim.html", title="needs a claim")
    with pytest.raises(Exception, match="undefined"):
        broken.write(tmp_path / "out")
    assert (tmp_path / "out/text.txt").read_text() == "one"
    small("three").write(tmp_path / "out")  # what the failed one left does not matter
    assert (tmp_path / "out/text.txt").read_text() == "three"
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("folder", ["out", "out.part"])
def test_a_foreign_folder_is_refused(tmp_path, folder):
    (tmp_path / folder / "papers").mkdir(parents=True)
    (tmp_path / folder / "papers/thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"'papers/thesis\.tex', which is no part of such a site"):
        Site.check(tmp_path / "out")
    with pytest.raises(ValueError, match=r"thesis\.tex"):
        small().write(tmp_path / "out")
    assert (tmp_path / folder / "papers/thesis.tex").read_text() == "years of work"


def test_a_file_that_joined_a_site_is_not_lost(tmp_path):
    small().write(tmp_path / "out")
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"notes\.txt"):
        small().write(tmp_path / "out")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ValueError, match="is a file"):
        small().write(tmp_path / "out")


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    small().write(tmp_path / "out")
    assert (tmp_path / "out/text.txt").exists()


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x.html", "a/../../x.html"])
def test_a_path_stays_inside(path):
    with pytest.raises(ValueError, match="leads out of the site"):
        small().file(path, "")


@pytest.mark.parametrize("path", ["text.txt", "style.css", "site.json"])
def test_a_path_is_taken_once(path):
    with pytest.raises(ValueError, match="already"):
        small().file(path, "")


def test_a_users_template_adds_to_the_overview(outcome, tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/overview.html").write_text(
        '{% extends "site/overview.html" %}{% block more %}<p>More of it.</p>{% endblock %}'
    )
    paper, judged = outcome
    site = Site("Toy", [], [tmp_path / "templates"])
    claim_pages(
        site, judged, [paper], command=lambda claim: f"python -m toy --only {claim.id}", source=lambda claim: None
    )
    site.write(tmp_path / "out")
    assert "More of it." in Page((tmp_path / "out/index.html").read_text()).text


# --- colours ---

STYLE = (Path(__file__).parents[2] / "paper_checks/framework/site/style.css").read_text()


def schemes() -> list[dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, flags=re.DOTALL)[:2]
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]


def linear(colour: str) -> list[float]:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour: str) -> float:
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(scheme):
    for name in ("ink", "muted", "accent", *VERDICTS):
        for ground in ("paper", "panel"):
            assert contrast(scheme[name], scheme[ground]) >= 4.5, (name, ground)


# what red and green become to the colour-blind (Machado, Oliveira, Fernandes 2009, severity 1)
VISION = {
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}


def lightness_and_hue(rgb: list[float]) -> tuple[float, float, float]:
    """Linear sRGB as CIE L*a*b*, in which distances are differences that one sees."""
    weights = ((0.4339, 0.3762, 0.1899), (0.2126, 0.7152, 0.0722), (0.0178, 0.1095, 0.8728))
    relative = [sum(w * min(max(c, 0), 1) for w, c in zip(row, rgb, strict=True)) for row in weights]
    fx, fy, fz = (r ** (1 / 3) if r > 0.008856 else 7.787 * r + 16 / 116 for r in relative)
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_the_colour_blind_tell_verdicts_apart(scheme, vision):
    seen = {
        name: lightness_and_hue(
            [sum(w * c for w, c in zip(row, linear(scheme[name]), strict=True)) for row in VISION[vision]]
        )
        for name in VERDICTS
    }
    for one, other in combinations(VERDICTS, 2):
        assert dist(seen[one], seen[other]) > 12, (one, other)  # ten times what one can just see


def test_every_verdict_has_a_colour_and_a_filter():
    for name in VERDICTS:
        assert all(name in scheme for scheme in schemes())
        assert f".{name} {{ --colour: var(--{name}); }}" in STYLE
        assert f'main:has(#{name}:target) tr[data-verdict]:not([data-verdict="{name}"])' in STYLE
