"""Accuracy against the number of convolutional layers: what arnold2021's Figure 4 and arnold2019's Figure 3 share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes

from paper_checks.published import accuracies as published

from .image_curves import PRINTED, Look, Sheet, accuracies, chance, draw_layers, foot, head

__all__ = ["draw_methods", "labels"]

APART = 0.06
"""Of two methods, in layers."""


def labels(layers: Iterable[int], methods: Iterable[str]) -> dict[str, str]:
    """The cells, as `image_curves.settings` wants them."""
    return {f"CNN({n}) {method}": f"CNN({n}) {method}" for n in layers for method in methods}


def draw_methods(
    axes: Sequence[Axes],
    sheet: Sheet,
    paper: str,
    layers: Sequence[int],
    methods: Mapping[str, Look],
    tables: Mapping[str, str],
) -> None:
    """Draw each data set on its axes; hollow, what the methods' tables print."""
    *shown, strip = axes
    for axis, panel in zip(shown, sheet.panels.values(), strict=True):
        for place, (method, look) in enumerate(methods.items()):
            names = {n: f"CNN({n}) {method}" for n in layers}
            cells = {n: panel.cells[name] for n, name in names.items() if name in panel.cells}
            keys = {n: (tables[method], panel.title, name) for n, name in names.items()}
            printed = {n: published(paper)[key].value for n, key in keys.items() if key in published(paper)}
            draw_layers(axis, cells, printed, look, method, APART * (2 * place - len(methods) + 1))
        chance(axis, panel)
        axis.set(xlim=(layers[0] - 0.4, layers[-1] + 0.4), xlabel="convolutional layers", xticks=layers)
        head(axis, panel.title, panel.run)
    accuracies(shown[0])
    foot(strip, sheet, [*(look.handle(method) for method, look in methods.items()), PRINTED])
