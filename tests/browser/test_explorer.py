"""The landscape explorer in a browser: its numbers against the exact ones, and what a reader can do with it."""

import json
import re
from collections import Counter
from fractions import Fraction

import pytest

from analysis import LinearNetwork, Maml, critical_learning_rate, stationary_points
from analysis.symbols import alpha
from figures.style import KINDS

RATES = ["1/20", "1/10", "1/4", "267/1000", "27/100", "1/2", "1", "2"]
POINTS = [("1/10", "7/10", "-3/10"), ("1/3", "-5/4", "2"), ("1", "0", "1/7"), ("2", "1/5", "1/5")]
CRITICAL = "The critical rate α*"


@pytest.fixture
def explorer(visit):
    return visit("explorer.html")


def shown(page):
    """The points of the table: (kind, curve, a, b, loss, lower eigenvalue, upper eigenvalue)."""
    rows = page.eval_on_selector_all(
        "#table tr", "rows => rows.map(row => [...row.cells].map(cell => cell.dataset.sort ?? cell.textContent.trim()))"
    )
    return [(kind, curve.replace("−", "-"), *map(float, numbers)) for kind, curve, *numbers in rows]


def settle(page):
    """Wait until what was changed is drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def at(page, rate):
    page.get_by_role("spinbutton", name="α", exact=True).fill(str(rate))
    settle(page)


def agree(page, rate):
    """Does every exact stationary point have its own row, with the same numbers, and no row is left?"""
    rows = shown(page)
    for point in stationary_points(rate).points:
        exact = [*point.floats, point.loss, *point.eigenvalues]
        fits = [
            row
            for row in rows
            if row[:2] == (point.kind, point.curve) and row[2:] == pytest.approx(exact, rel=1e-9, abs=1e-9)
        ]
        assert len(fits) == 1, (point, rows)
        rows.remove(fits[0])
    assert rows == []


def test_every_point_is_the_exact_one(explorer):
    for rate in RATES:
        at(explorer, float(Fraction(rate)))
        agree(explorer, rate)
    explorer.get_by_role("button", name=CRITICAL).click()
    settle(explorer)
    agree(explorer, critical_learning_rate())


def test_loss_gradient_and_hessian_are_the_exact_ones(explorer):
    maml = Maml(LinearNetwork(2))
    for rate, *weights in POINTS:
        where, numbers = {alpha: Fraction(rate)}, [float(Fraction(text)) for text in (*weights, rate)]
        for name, part in (
            ("loss", [maml.loss]),
            ("gradient", maml.gradient),
            ("hessian", [entry for row in maml.hessian for entry in row]),
        ):
            found = explorer.evaluate(f"at => [landscape.{name}(...at)].flat(2)", numbers)
            exact = [float(value) for value in maml.at(part, weights, where)]
            assert found == pytest.approx(exact, rel=1e-12, abs=1e-12)


def test_the_counts_fall_from_17_to_13_to_9_and_the_page_says_so(explorer):
    told = explorer.locator("#side")
    assert told.get_attribute("role") == "status"  # read out when it changes
    for move, number in (
        (lambda: at(explorer, 0.25), 17),
        (lambda: explorer.get_by_role("button", name=CRITICAL).click(), 13),
        (lambda: at(explorer, 0.3), 9),
    ):
        move()
        settle(explorer)
        assert f"there are {number} stationary points" in told.inner_text()
        legend = explorer.locator("#kinds li:visible").all_inner_texts()
        counts = [int(text.split()[0]) for text in legend]
        assert sum(counts) == number == len(shown(explorer)) and 0 not in counts
        drawn = explorer.eval_on_selector_all("#plane use", "marks => marks.map(mark => mark.dataset.kind)")
        assert Counter(drawn) == Counter(kind for kind, *_ in shown(explorer))
    assert told.inner_text().startswith("α has crossed α*.")


def test_the_counts_are_those_of_the_theorem(explorer):
    counts = json.loads(explorer.locator("#exact").inner_text())["counts"]
    for rate, side in ((0.2674605, "below"), (0.26746057995535316, "at"), (0.2674606, "above")):
        at(explorer, rate)
        assert Counter(kind for kind, *_ in shown(explorer)) == counts[side]


def test_a_rate_within_the_stated_tolerance_is_taken_for_the_critical_one(explorer):
    critical = explorer.evaluate("landscape.critical")
    numbers = [explorer.evaluate("rate => landscape.stationaryPoints(rate).length", critical * (1 + d)) for d in
               (-2e-9, -0.9e-9, 0.9e-9, 2e-9)]  # fmt: skip
    assert numbers == [17, 13, 13, 9]


def test_the_slider_changes_the_picture(explorer):
    slider, plane = explorer.get_by_role("slider", name="Inner rate α"), explorer.locator("#plane")
    pictures, numbers = [], []
    for position in ("300", "800"):
        slider.fill(position)
        settle(explorer)
        pictures.append(plane.locator("canvas").evaluate("canvas => canvas.toDataURL()"))
        numbers.append(len(shown(explorer)))
    assert pictures[0] != pictures[1]
    assert numbers == [17, 9]
    before = explorer.get_by_role("spinbutton", name="α", exact=True).input_value()
    slider.press("ArrowRight")
    assert float(explorer.get_by_role("spinbutton", name="α", exact=True).input_value()) > float(before)


def test_a_click_draws_a_path_to_a_minimum(explorer):
    before = explorer.locator(".path.line").get_attribute("d")
    explorer.locator("#plane").click(position={"x": 330, "y": 200})
    settle(explorer)
    assert "a minimum" in explorer.locator("#deep-outcome").inner_text()
    path = explorer.locator(".path.line").get_attribute("d")
    assert path != before
    ends = [float(x) for x in re.findall(r"-?[\d.]+", path)[-2:]]
    minima = explorer.eval_on_selector_all(
        "#plane use[data-kind=minimum]", "marks => marks.map(mark => [mark.x.baseVal.value, mark.y.baseVal.value])"
    )
    assert any(ends == pytest.approx(place, abs=0.2) for place in minima)


def test_the_keyboard_alone_does_the_same(explorer):
    for _ in range(20):
        explorer.keyboard.press("Tab")
        if explorer.evaluate("document.activeElement.id") == "plane":
            break
    assert explorer.locator("#plane .cross").first.is_visible()
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowLeft"):
        explorer.keyboard.press(key)
    place = re.findall(r"−?[\d.]+", explorer.locator("#place").inner_text())[:2]
    explorer.keyboard.press("Enter")
    settle(explorer)
    start = [explorer.locator(f"#start-{name}").input_value() for name in "ab"]
    assert [float(x) for x in start] == pytest.approx([float(x.replace("−", "-")) for x in place], abs=5e-4)
    assert start != ["0.6", "0.3"]
    assert "a minimum" in explorer.locator("#deep-outcome").inner_text()


def test_one_step_is_the_exact_gradient_step(explorer):
    maml, shallow = Maml(LinearNetwork(2)), Maml(LinearNetwork(1))
    a, b, rate, eta = (Fraction(text) for text in ("3/5", "-3/10", "1/4", "1/8"))
    slope = maml.at(maml.gradient, (a, b), {alpha: rate})
    places = explorer.evaluate("at => landscape.descend(...at).places", list(map(float, (a, b, rate, eta))))
    assert places[1] == pytest.approx([float(a - eta * slope[0]), float(b - eta * slope[1])], rel=1e-14)
    slope = shallow.at(shallow.gradient, (a * b,), {alpha: rate})
    places = explorer.evaluate("at => landscape.descendShallow(...at).places", list(map(float, (a * b, rate, eta))))
    assert places[1] == pytest.approx([float(a * b - eta * slope[0])], rel=1e-14)


def test_the_loss_never_rises_with_a_small_step(explorer):
    state, rises = explorer.evaluate(
        """() => {
            const { state, losses } = landscape.descend(1.5, -0.2, 0.3, 0.02);
            return [state, losses.filter((loss, k) => k > 0 && loss > losses[k - 1] + 1e-14).length];
        }"""
    )
    assert (state, rises) == ("rests", 0)


def test_shallow_stands_beside_deep(explorer):
    at(explorer, 0.2)
    deep, shallow, adapted = explorer.locator("#outcome p").all_inner_texts()
    assert deep.endswith("L = 0.5000.")
    assert shallow.endswith(f"L = {0.5 * 0.8**2 + 0.5:.4f}.")
    assert "from ab = 0.0000 to 1.0000" in adapted
    assert "from c = 0.0000 to 0.2000" in adapted
    at(explorer, 1)
    assert "does not move" in explorer.locator("#shallow-outcome").inner_text()


def test_a_step_size_that_is_too_large_is_told(explorer):
    explorer.get_by_role("spinbutton", name="η", exact=True).fill("2")
    explorer.get_by_role("spinbutton", name="a", exact=True).fill("4")
    explorer.get_by_role("spinbutton", name="b", exact=True).fill("4")
    explorer.get_by_role("button", name="Descend").click()
    settle(explorer)
    assert "leaves every bound" in explorer.locator("#deep-outcome").inner_text()
    assert explorer.locator("#plane .end").count() == 0
    at(explorer, 2)
    explorer.get_by_role("spinbutton", name="η", exact=True).fill("0.1")
    explorer.get_by_role("spinbutton", name="a", exact=True).fill("0.6")
    explorer.get_by_role("spinbutton", name="b", exact=True).fill("0.3")
    explorer.get_by_role("button", name="Descend").click()
    settle(explorer)
    assert "does not settle" in explorer.locator("#deep-outcome").inner_text()


def test_a_wrong_number_is_told_and_changes_nothing(explorer):
    rows = shown(explorer)
    for wrong in ("-1", "3", ""):
        at(explorer, wrong)
        assert explorer.get_by_role("alert").inner_text() == "α must be a number from 0.05 to 2."
        assert shown(explorer) == rows
    at(explorer, 0.2)
    assert not explorer.get_by_role("alert").is_visible()


def test_markers_look_as_in_the_figures(explorer):
    for kind, look in KINDS.items():
        fill = explorer.locator(f"#mark-{kind}").evaluate("mark => getComputedStyle(mark).fill")
        assert "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", fill)) == look.colour


@pytest.mark.parametrize(("motion", "name"), [("reduce", "none"), ("no-preference", "draw")])
def test_the_path_draws_itself_only_where_motion_is_welcome(visit, motion, name):
    page = visit("explorer.html", reduced_motion=motion)
    page.locator("#plane").click(position={"x": 330, "y": 200})
    settle(page)
    assert page.locator(".path.line").evaluate("path => getComputedStyle(path).animationName") == name


def test_the_picture_is_as_sharp_as_the_screen(visit):
    widths = [
        visit("explorer.html", device_scale_factor=factor).locator("#plane canvas").evaluate("canvas => canvas.width")
        for factor in (1, 2)
    ]
    assert widths[1] == 2 * widths[0]


def test_it_prints_the_picture_that_is_there(explorer):
    at(explorer, 0.5)
    explorer.emulate_media(media="print")
    assert not explorer.get_by_role("button", name="Descend").is_visible()
    assert explorer.locator("#plane canvas").is_visible()
    assert len(shown(explorer)) == explorer.locator("#plane use").count() == 9


def test_without_a_script_it_says_what_there_would_be(visit):
    page = visit("explorer.html", java_script_enabled=False)
    assert not page.locator("#explorer").is_visible()
    told = page.locator("noscript").inner_text()
    assert re.findall(r"(\d+) stationary points (\w+)", told) == [("17", "below"), ("13", "at"), ("9", "above")]
