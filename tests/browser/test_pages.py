"""Every page of the site: links that lead somewhere, silence in the console, phones, dark mode, and the small scripts."""

import re

import pytest
from pages import broken_links, pages


def paths(site):
    return [page.relative_to(site).as_posix() for page in pages(site)]


def background(page):
    return page.evaluate("getComputedStyle(document.documentElement).backgroundColor")


def luminance(colour):
    """Relative luminance of rgb(…), as the contrast rules of WCAG define it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_link_leads_somewhere(site):
    assert broken_links(site) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"><a href="#here">x</a><a href="#gone">x</a><a href="b.html">x</a><a href="../a.html">x</a>'
        '<a href="https://example.org/">x</a><img src="c.png">'
    )
    assert broken_links(tmp_path) == ["a.html: #gone", "a.html: b.html", "a.html: ../a.html", "a.html: c.png"]


def test_every_page_has_one_heading_distinct_ids_and_text_for_its_images(site):
    for file, page in pages(site).items():
        assert page.tags.count("h1") == 1, file
        assert len(page.ids) == len(set(page.ids)), file
        assert page.images_without_text == 0, file


def test_what_goes_wrong_on_a_page_is_seen(watched, tmp_path):
    page_file = tmp_path / "wrong.html"
    page_file.write_text(
        "<!doctype html><link rel=icon href='data:,'><script>console.error('a'); throw Error('b')</script>"
        "<img src='http://127.0.0.1:9/c.png'><script src='gone.js'></script>"
    )
    with watched() as (page, wrong):
        page.goto(page_file.as_uri(), wait_until="load")
        text = "\n".join(wrong)
    for part in ("console: a", "error: b", "leaves: http://127.0.0.1:9/c.png", f"failed: {tmp_path.as_uri()}/gone.js"):
        assert part in text


def test_leaving_a_page_that_still_loads_is_nothing_wrong(watched, tmp_path):
    (tmp_path / "slow.html").write_text("<!doctype html><link rel=icon href='data:,'><img src='slow.png'>")
    given_up = []
    with watched() as (page, wrong):
        page.route("**/slow.png", lambda route: None)  # never answered
        page.on("requestfailed", lambda request: given_up.append(request.url))
        page.goto((tmp_path / "slow.html").as_uri(), wait_until="commit")
        page.wait_for_function("document.images.length == 1")
        page.goto("data:text/html,left")
    assert given_up == [f"{tmp_path.as_uri()}/slow.png"]
    assert wrong == []


LOAD_IMAGES = """Promise.all([...document.images].map(image => {
    image.loading = "eager";  // a lazy one would be left before it is loaded
    return image.decode();  // fails on what is no image
}))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_silent_and_fits_a_phone(visit, site, scheme):
    page = visit("index.html", width=360, color_scheme=scheme)
    wide = {}
    for path in paths(site):
        page.goto((site / path).as_uri())
        page.evaluate(LOAD_IMAGES)
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
    assert {path: width for path, width in wide.items() if width > 360} == {}


def test_dark_mode_is_dark_and_both_can_be_read(visit):
    paper = {}
    for scheme in ("light", "dark"):
        page = visit("explorer.html", color_scheme=scheme)
        paper[scheme] = luminance(background(page))
        ink = luminance(page.evaluate("getComputedStyle(document.body).color"))
        lighter, darker = max(ink, paper[scheme]), min(ink, paper[scheme])
        assert (lighter + 0.05) / (darker + 0.05) > 7
    assert paper["dark"] < 0.05 < 0.5 < paper["light"]


def test_the_first_tab_offers_to_skip_to_the_content(visit):
    page = visit("explorer.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("path", ["explorer.html", "results.html"])
def test_tables_sort_by_their_head(visit, path):
    page = visit(path)
    sorted_by_number = 0
    for table in page.locator("table.sortable").all()[:3]:
        for column, head in enumerate(table.locator("thead th").all()):
            for direction in ("ascending", "descending"):
                head.get_by_role("button").press("Enter")
                assert head.get_attribute("aria-sort") == direction
                assert table.locator("th[aria-sort]").count() == 1
                keys = table.locator("tbody tr").evaluate_all(
                    "(rows, column) => rows.map(row => row.cells[column].dataset.sort)", column
                )
                if None in keys:  # sorted by its words
                    continue
                filled = [key for key in keys if key != ""]
                assert keys == filled + [""] * (len(keys) - len(filled))  # what is not there stays last
                if filled and all(re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", key) for key in filled):
                    numbers = [float(key) for key in filled]
                    assert numbers == sorted(numbers, reverse=direction == "descending")
                    sorted_by_number += len(set(numbers)) > 2
    assert sorted_by_number > 0


def test_claims_are_filtered_by_verdict(visit):
    page = visit("papers/toy.html")
    rows = page.locator("tr[data-verdict]:visible")
    assert rows.count() == 6
    page.get_by_role("navigation", name="Claims by verdict").get_by_role("link", name="refuted").click()
    assert [row.get_attribute("data-verdict") for row in rows.all()] == ["refuted"]


@pytest.mark.parametrize("path", ["explorer.html", "own.html", "errata.html", "claims/toy.cube.html"])
def test_buttons_copy_the_source(visit, path):
    page = visit(path, permissions=["clipboard-read", "clipboard-write"])
    buttons = page.locator("button.copy")
    assert buttons.count() > 0
    for button in buttons.all()[:3]:
        for details in button.locator("xpath=ancestor::details[not(@open)]").all():
            details.locator("> summary").click()
        button.click()
        page.wait_for_function("button => button.textContent === 'Copied'", arg=button.element_handle())
        source = button.locator("xpath=..").locator("pre").text_content()
        assert source and page.evaluate("navigator.clipboard.readText()") == source
