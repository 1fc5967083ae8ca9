"""What stands on what, by hand-made cases; and that the drawing is legible."""

import re
from itertools import combinations

import pytest

from paper_checks.framework import Paper
from paper_checks.framework.dependencies import HEIGHT, Dependencies
from paper_checks.framework.judging import Judgement


def judged(**claims: tuple[str, str]) -> Dependencies:
    """Claims by name, each with its verdict and what it uses."""
    paper = Paper("toy", "A toy paper")
    made = []
    for name, (verdict, uses) in claims.items():
        claim = paper.claim(name, f"({name})", name, uses=uses.split())(lambda: None)
        made.append(Judgement(claim, verdict, "", "", ""))
    dependencies = Dependencies(made)
    dependencies.claims = paper.claims
    return dependencies


@pytest.mark.parametrize(
    ("verdict", "statement", "proof"),
    [
        ("proved", "as printed", "settled"),
        ("proved-up-to", "as printed", "settled"),
        ("reproduced", "as printed", "settled"),
        ("definition", "as printed", "settled"),
        ("corrected", "amended", "settled"),
        ("conditional", "amended", "settled"),
        ("refuted", "false", "settled"),
        ("not-reproduced", "false", "settled"),
        ("not-run", "open", "open"),
        ("unknown", "open", "open"),
    ],
)
def test_a_claim_by_itself(verdict, statement, proof):
    found = judged(it=(verdict, ""))
    assert (found.statement("toy.it"), found.proof("toy.it")) == (statement, proof)


@pytest.mark.parametrize("verdict", ["corrected", "refuted", "conditional", "not-reproduced", "not-run", "unknown"])
def test_a_proof_is_shaken_from_however_far_down(verdict):
    found = judged(base=(verdict, ""), sound=("proved", ""), middle=("proved", "base sound"), top=("refuted", "middle"))
    assert found.proof("toy.middle") == found.proof("toy.top") == "shaken"
    assert found.proof("toy.sound") == "settled"
    assert found.weak("toy.top") == ("toy.base",)
    assert found.statement("toy.middle") == "as printed"


def test_an_open_claim_is_open_whatever_it_rests_on():
    assert judged(base=("proved", ""), top=("not-run", "base")).proof("toy.top") == "open"


def test_uses_both_ways():
    found = judged(a=("proved", ""), b=("proved", "a nobody a"), c=("proved", "a b"))
    assert found.uses == {"toy.a": (), "toy.b": ("toy.a",), "toy.c": ("toy.a", "toy.b")}
    assert found.used_by == {"toy.a": ("toy.b", "toy.c"), "toy.b": ("toy.c",), "toy.c": ()}


def test_a_circle_ends():
    found = judged(a=("proved", "c"), b=("refuted", "a"), c=("proved", "b"))
    assert found.weak("toy.a") == ("toy.b",)
    assert found.weak("toy.b") == ()
    assert len(found.drawing(found.claims).nodes) == 3


def overlapping(drawing):
    return [
        (p.claim.id, q.claim.id)
        for p, q in combinations(drawing.nodes, 2)
        if p.x < q.x + q.width and q.x < p.x + p.width and p.y < q.y + q.height and q.y < p.y + p.height
    ]


def big() -> Dependencies:
    """200 claims: chains that branch, a small group apart, and many alone."""
    claims = {f"c{n}": ("proved", f"c{n // 2} c{n - 5}" if n >= 6 else "") for n in range(100)}
    claims |= {"p": ("proved", ""), "q": ("proved", "p")}
    return judged(**claims, **{f"alone{n}": ("not-run", "") for n in range(98)})


def test_a_large_paper_is_drawn_without_overlap():
    found = big()
    drawing = found.drawing(found.claims)
    assert len(drawing.nodes) == 200
    assert overlapping(drawing) == []
    assert all(0 <= n.x and n.x + n.width <= drawing.width + 0.1 for n in drawing.nodes)
    assert all(0 <= n.y and n.y + HEIGHT <= drawing.height + 0.1 for n in drawing.nodes)


def test_what_is_used_stands_left_of_what_uses_it():
    found = big()
    drawing = found.drawing(found.claims)
    at = {node.claim.id: node for node in drawing.nodes}
    assert {(edge.source, edge.target) for edge in drawing.edges} == {
        (used, id) for id, uses in found.uses.items() for used in uses
    }
    for edge in drawing.edges:
        start, end = at[edge.source], at[edge.target]
        assert start.x + start.width < end.x
        numbers = [float(number) for number in re.findall(r"[\d.]+", edge.path)]
        assert numbers[:2] == pytest.approx([start.x + start.width, start.y + HEIGHT / 2], abs=0.1)
        assert numbers[-2:] == pytest.approx([end.x, end.y + HEIGHT / 2], abs=0.1)


def test_claims_that_no_other_touches_stand_below():
    found = judged(a=("proved", ""), b=("proved", "a"), c=("proved", ""), d=("proved", ""))
    a, b, c, d = (
        node for name in "abcd" for node in found.drawing(found.claims).nodes if node.claim.locator == f"({name})"
    )
    assert max(a.y, b.y) + HEIGHT <= min(c.y, d.y)
    assert (c.y, c.x < d.x) == (d.y, True)


def test_the_same_claims_are_drawn_the_same():
    assert big().drawing(big().claims).edges == big().drawing(big().claims).edges


def test_no_claims_make_an_empty_field():
    assert judged().drawing([]).nodes == ()
