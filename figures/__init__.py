"""The figures: one module each, drawn from exact formulas (`analysis`), recorded runs (`empirical`) and published curves.

A figure's module has NAME, SUMMARY (one line), SOURCE (paper and figure, or "metaproof"), RECORD (the id of the record
that it reads, a tuple of them, or None), SIZE (inches) and three functions:

- `data()`, or `data(results)` where RECORD is not None: the numbers, in one small dataclass; no drawing.
- `panels(figure)`: the axes, or tuple of axes, that `draw` needs, on an empty matplotlib figure. Where the data decides how many there
  are, SIZE is a function of it, and this is `panels(figure, data)`.
- `draw(axes, data)`: draws on those axes and on nothing else; reads no file.

Losses are E ½(y − ŷ)² with the noise constant; a figure that shows something else says so on its axis.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = ["FIGURES", "load"]

FIGURES: dict[str, str] = {
    "arnold2019-figure1-left": "figures.arnold2019_figure1_left",
    "arnold2019-figure1-right": "figures.arnold2019_figure1_right",
    "arnold2019-figure2": "figures.arnold2019_figure2",
    "arnold2019-figure3": "figures.arnold2019_figure3",
    "arnold2019-figure-a1": "figures.arnold2019_figure_a1",
    "arnold2019-figure-a2": "figures.arnold2019_figure_a2",
    "arnold2019-figure-a3": "figures.arnold2019_figure_a3",
    "arnold2019-figure-a6": "figures.arnold2019_figure_a6",
    "arnold2021-figure1-left": "figures.arnold2021_figure1_left",
    "arnold2021-figure1-right": "figures.arnold2021_figure1_right",
    "arnold2021-figure2": "figures.arnold2021_figure2",
    "arnold2021-figure3": "figures.arnold2021_figure3",
    "arnold2021-figure4": "figures.arnold2021_figure4",
    "arnold2021-figure-b3": "figures.arnold2021_figure_b3",
    "chen2019-figure3": "figures.chen2019_figure3",
    "chen2019-figure4": "figures.chen2019_figure4",
    "chen2019-figure5": "figures.chen2019_figure5",
    "chen2019-figure6": "figures.chen2019_figure6",
    "chen2019-figure7": "figures.chen2019_figure7",
    "landscape": "figures.landscape",
    "step-size-factor": "figures.step_size_factor",
    "why-depth": "figures.why_depth",
}
"""Name on the command line → module. The modules are imported only when they are asked for."""


def load(name: str) -> ModuleType:
    """The module of a figure (see the package's docstring for what it holds). Raises KeyError for an unknown name."""
    return import_module(FIGURES[name])
