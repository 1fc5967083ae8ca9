"""What stands on what: the graph of `uses`, how well each claim is founded, and where to draw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Literal

import igraph

from .claims import Claim, Verdict
from .judging import Judgement

__all__ = ["PROOFS", "STATEMENTS", "Dependencies", "Drawing", "Edge", "Node", "Proof", "Statement"]

Statement = Literal["as printed", "amended", "false", "open"]
Proof = Literal["settled", "shaken", "open"]

STATEMENTS: dict[Statement, str] = {
    "as printed": "stands as printed",
    "amended": "stands once amended",
    "false": "does not stand",
    "open": "not judged yet",
}
PROOFS: dict[Proof, str] = {
    "settled": "settled, and so is all that it rests on",
    "shaken": "settled, but it rests on something amended, false or open",
    "open": "open",
}
STANDING: dict[Verdict, Statement] = {
    "proved": "as printed",
    "proved-up-to": "as printed",
    "corrected": "amended",
    "refuted": "false",
    "conditional": "amended",
    "reproduced": "as printed",
    "not-reproduced": "false",
    "definition": "as printed",
    "unknown": "open",
    "not-run": "open",
}


class Dependencies:
    """Who uses whom among judged claims. A `uses` that leads to none of them is left out.

    Attributes:
        uses: by claim id, what it rests on directly.
        used_by: by claim id, what rests on it directly.
    """

    def __init__(self, judgements: Sequence[Judgement]):
        self._judgements = {judgement.claim.id: judgement for judgement in judgements}
        self.uses = {
            id: tuple(used for used in dict.fromkeys(judgement.claim.uses) if used in self._judgements)
            for id, judgement in self._judgements.items()
        }
        users: dict[str, list[str]] = {id: [] for id in self._judgements}
        for id, used in self.uses.items():
            for other in used:
                users[other].append(id)
        self.used_by = {id: tuple(others) for id, others in users.items()}

    def statement(self, id: str) -> Statement:
        """How the statement stands."""
        return STANDING[self._judgements[id].verdict]

    def weak(self, id: str) -> tuple[str, ...]:
        """What a claim rests on, however far down, that does not stand as printed."""
        return tuple(other for other in self._founded[id] if self.statement(other) != "as printed")

    def proof(self, id: str) -> Proof:
        """Whether the claim itself is settled, and all that it rests on."""
        if self.statement(id) == "open":
            return "open"
        return "shaken" if self.weak(id) else "settled"

    def drawing(self, claims: Sequence[Claim]) -> Drawing:
        """Where to draw some claims: layers from left to right, and those that no other touches in rows below."""
        return _draw(claims, self)

    @cached_property
    def _founded(self) -> dict[str, tuple[str, ...]]:
        """All that each claim rests on, in the order of the run; a circle is walked once."""
        order = {id: number for number, id in enumerate(self._judgements)}
        found = {}
        for id in self._judgements:
            seen: set[str] = set()
            ahead = list(self.uses[id])
            while ahead:
                if (other := ahead.pop()) not in seen:
                    seen.add(other)
                    ahead += self.uses[other]
            found[id] = tuple(sorted(seen - {id}, key=order.__getitem__))
        return found


# --- drawing ---

HEIGHT, ROW, LETTER, PADDING = 22, 28, 7.2, 18
GAP = 34
"""Between two layers."""
WIDTH = 960
"""Of the rows of small groups and of claims that no other touches; a graph with many layers is wider."""


@dataclass(frozen=True)
class Node:
    """A claim's box, by its upper left corner."""

    claim: Claim
    x: float
    y: float
    width: float
    height: float = HEIGHT


@dataclass(frozen=True)
class Edge:
    """From a claim that is used to one that uses it; `path` is SVG."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """Boxes and lines in a field of this size."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float


def _draw(claims: Sequence[Claim], dependencies: Dependencies) -> Drawing:
    number = {claim.id: i for i, claim in enumerate(claims)}
    pairs = [(number[used], i) for id, i in number.items() for used in dependencies.uses[id] if used in number]
    graph = igraph.Graph(n=len(claims), edges=pairs, directed=True)
    parts = sorted(map(sorted, graph.connected_components("weak")), key=lambda part: (-len(part), part))
    nodes: list[Node] = []
    edges: list[Edge] = []
    x = y = shelf = width = 0.0
    for part in parts:
        if len(part) == 1:
            break
        drawn = _layers([claims[i] for i in part], graph.induced_subgraph(part))
        if x and x + drawn.width > WIDTH:
            x, y, shelf = 0.0, y + shelf, 0.0
        nodes += [Node(n.claim, n.x + x, n.y + y, n.width) for n in drawn.nodes]
        edges += [Edge(e.source, e.target, _path([(px + x, py + y) for px, py in e.points])) for e in drawn.lines]
        x, shelf = x + drawn.width + GAP, max(shelf, drawn.height + ROW)
        width = max(width, x - GAP)
    y += shelf
    alone = [claims[part[0]] for part in parts if len(part) == 1]
    if alone:
        box = max(map(_width, alone))
        columns = max(1, int(WIDTH // (box + 8)))
        nodes += [Node(c, i % columns * (box + 8), y + i // columns * ROW, box) for i, c in enumerate(alone)]
        width = max(width, min(columns, len(alone)) * (box + 8) - 8)
        y += -(-len(alone) // columns) * ROW
    return Drawing(tuple(nodes), tuple(edges), round(width, 1), round(max(y - ROW + HEIGHT, 0), 1))


@dataclass(frozen=True)
class _Line:
    source: str
    target: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class _Part:
    nodes: list[Node]
    lines: list[_Line]
    width: float
    height: float


def _layers(claims: Sequence[Claim], graph: igraph.Graph) -> _Part:
    """Sugiyama's layout turned on its side: boxes of different widths stand well in columns."""
    layout = graph.layout_sugiyama(maxiter=200)
    bends = [[tuple(point) for point in route] for route in layout.edge_routing]
    # rows that hold nothing are closed
    levels = sorted({round(across, 3) for across, _ in [*map(tuple, layout.coords), *(p for b in bends for p in b)]})
    steps = [0.0, *(min(after - before, 1.0) * ROW for before, after in pairwise(levels))]
    row = dict(zip(levels, accumulate(steps), strict=True))
    layer = [round(depth) for _, depth in layout.coords]
    widths = [max(_width(c) for c, at in zip(claims, layer, strict=True) if at == n) for n in range(max(layer) + 1)]
    left = [0.0, *accumulate(wide + GAP for wide in widths)]

    def place(across: float, depth: float) -> tuple[float, float]:
        return left[round(depth)], row[round(across, 3)]

    nodes = []
    for claim, (across, depth) in zip(claims, layout.coords, strict=True):
        x, y = place(across, depth)
        nodes.append(Node(claim, x, y, _width(claim)))
    lines = []
    for edge, bent in zip(graph.es, bends, strict=True):
        start, end = nodes[edge.source], nodes[edge.target]
        points = [(start.x + start.width, start.y + HEIGHT / 2)]
        for across, depth in bent:
            x, y = place(across, depth)
            points += [(x, y + HEIGHT / 2), (x + widths[round(depth)], y + HEIGHT / 2)]
        points.append((end.x, end.y + HEIGHT / 2))
        lines.append(_Line(start.claim.id, end.claim.id, points))
    return _Part(nodes, lines, left[-1] - GAP, max(row.values()) + HEIGHT)


def _width(claim: Claim) -> float:
    return round(len(claim.locator) * LETTER + PADDING + 12, 1)


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line that leaves and enters each pair of points level."""
    (x, y), *rest = points
    path = f"M{x:g} {y:g}"
    for i, (to_x, to_y) in enumerate(rest):
        if i % 2:  # across a column
            path += f"H{to_x:g}"
        else:
            middle = round((x + to_x) / 2, 1)
            path += f"C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}"
        x, y = to_x, to_y
    return path
