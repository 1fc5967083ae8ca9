"""Convolutions whose results are added, taken together in a traced graph.

A meta-gradient adds convolutions of one form in pairs: for Φ(x, w, g) = ⟨g, conv(x, w)⟩ the derivative of each of its gradients has
two terms. Two gradients with respect to the inputs are one of output channels side by side; two convolutions are one of input
channels side by side; and two gradients with respect to the weights are one of twice the points. A large one takes less time than
two small ones.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, Node

aten = torch.ops.aten


def merge_convolutions(graph: Graph) -> int:
    """Take together what is added in this graph, which `make_fx` has traced; returns how many convolutions that saves.

    What comes in is Python functions of tensors, which inductor traces in its turn.
    """
    graph.eliminate_dead_code()  # what nobody uses is no user
    saved = 0
    for root in list(graph.nodes):
        if not _is_sum(root) or _inner(root):
            continue
        alike: dict[Any, list[Node]] = {}
        for number, term in enumerate(_terms(root)):
            alike.setdefault(_form(term) or number, []).append(term)
        if len(alike) == sum(map(len, alike.values())):
            continue
        with graph.inserting_before(root):
            total = None
            for form, terms in alike.items():
                value = terms[0] if len(terms) == 1 else _merged(graph, form, terms)
                total = value if total is None else graph.call_function(aten.add.Tensor, (total, value))
                saved += len(terms) - 1
        total.meta = dict(root.meta)
        root.replace_all_uses_with(total)
    graph.eliminate_dead_code()
    return saved


def _is_sum(node: Any) -> bool:
    """Whether it is a + b of tensors of one shape and type."""
    if not isinstance(node, Node) or node.target is not aten.add.Tensor or node.kwargs:
        return False
    values = [part.meta.get("val") if isinstance(part, Node) else None for part in (node, *node.args)]
    return all(isinstance(v, Tensor) for v in values) and len({(v.shape, v.dtype) for v in values}) == 1


def _inner(node: Node) -> bool:
    """Whether it is a part of a larger sum, and of nothing else."""
    return len(node.users) == 1 and _is_sum(next(iter(node.users)))


def _terms(node: Node) -> Iterator[Node]:
    """What a sum, and the sums inside it, add."""
    for part in node.args:
        if _is_sum(part) and len(part.users) == 1:
            yield from _terms(part)
        else:
            yield part


def _source(term: Node) -> tuple[Node, list[Node]]:
    """What a term is a view of, and the views, from the inside."""
    views: list[Node] = []
    while term.target in (aten.permute.default, aten.view.default, operator.getitem) and len(term.users) == 1:
        views.insert(0, term)
        term = term.args[0]
    return term, views


def _form(term: Node) -> Any:
    """Terms of one form can be taken together; None for what is no convolution."""
    source, views = _source(term)
    if len(source.users) != 1 or source.target not in (aten.convolution.default, aten.convolution_backward.default):
        return None
    backward = source.target is aten.convolution_backward.default
    transposed = source.args[7 if backward else 6]
    # of convolutions of images alone: a bias would be lost, and weights of other forms are laid out in another way
    other = views[0].args[1] not in (0, 1) if backward else source.args[2] is not None
    if other or transposed or source.args[0].meta["val"].ndim != 4:
        return None
    shapes = tuple(tuple(part.meta["val"].shape) for part in source.args if isinstance(part, Node))
    how = str([part for part in source.args if not isinstance(part, Node)])
    return source.target, shapes, how, str([(view.target, view.args[1:]) for view in views])


def _merged(graph: Graph, form: Any, terms: list[Node]) -> Node:
    """Σ terms, all of this form, as one convolution."""
    sources = [_source(term)[0] for term in terms]
    given = [[source.args[i] for source in sources] for i in range(3)]
    rest = sources[0].args[3:]
    if form[0] is aten.convolution.default:
        value = graph.call_function(_convolutions, (*given[:2], *rest))
        views = _source(terms[0])[1]
    else:
        choice, *views = _source(terms[0])[1]
        function = _weight_gradients if choice.args[1] == 1 else _input_gradients
        value = graph.call_function(function, (*given, *rest[1:]))
    for view in views:
        value = graph.call_function(view.target, (value, *view.args[1:]))
    return value


def _side_by_side(parts: list[Tensor], groups: int) -> Tensor:
    """Channels of each group side by side: (n, G · C, H, W) to (n, G · 2 C, H, W), channels last."""
    parts = [part.permute(0, 2, 3, 1).unflatten(-1, (groups, -1)) for part in parts]
    return torch.cat(parts, -1).flatten(3).permute(0, 3, 1, 2)


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _convolutions(x: list[Tensor], weights: list[Tensor], *how: Any) -> Tensor:
    """Σ conv(x, w)."""
    return aten.convolution(_side_by_side(x, how[-1]), _last(torch.cat(weights, 1)), None, *how)


def _input_gradients(g: list[Tensor], like: list[Tensor], weights: list[Tensor], *how: Any) -> Tensor:
    """The sum of the gradients with respect to the inputs."""
    groups = how[-2]  # the last one says which gradients are wanted
    stacked = torch.cat([weight.unflatten(0, (groups, -1)) for weight in weights], 1).flatten(0, 1)
    return aten.convolution_backward(_side_by_side(g, groups), like[0], _last(stacked), None, *how)[0]


def _weight_gradients(g: list[Tensor], x: list[Tensor], like: list[Tensor], *how: Any) -> Tensor:
    """The sum of the gradients with respect to the weights."""
    return aten.convolution_backward(_last(torch.cat(g)), _last(torch.cat(x)), like[0], None, *how)[1]
