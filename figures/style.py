"""What the figures share: a colour-blind-safe palette (Okabe and Ito), the look of each kind of point, text sizes.

Each method of the hierarchical-normal experiments has one colour and one marker in every figure; the markers tell curves apart in grey.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BLACK", "BLUE", "DPI", "KINDS", "METHODS", "PUBLISHED", "PURPLE", "RC", "RED", "Kind", "Method"]

BLACK, BLUE, RED, PURPLE = "#000000", "#0072b2", "#d55e00", "#b0568f"

DPI = 160

RC: dict[str, object] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "mathtext.fontset": "dejavusans",
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "legend.frameon": False,
    "figure.facecolor": "white",  # stays white where the figure stands on a dark page
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.transparent": False,
    "svg.hashsalt": "metaproof",
    "svg.fonttype": "path",
}
"""Matplotlib settings while a figure is drawn and saved; also what makes its bytes the same every time."""


@dataclass(frozen=True)
class Kind:
    """How one kind of stationary point is drawn: marker, fill, area in square points, and its plural in a legend."""

    marker: str
    colour: str
    area: float
    plural: str


KINDS: dict[str, Kind] = {
    "minimum": Kind("o", "#f0e442", 46, "minima"),
    "saddle": Kind("X", "#ffffff", 50, "saddles"),
    "maximum": Kind("^", RED, 46, "maxima"),
    "degenerate": Kind("D", "#cc79a7", 40, "degenerate"),
}


@dataclass(frozen=True)
class Method:
    """How one method's curves are drawn: a colour, and a marker, of a size in points, every so many steps."""

    colour: str
    marker: str
    size: float = 5.5


METHODS: dict[str, Method] = {
    "MAML": Method(RED, "o"),
    "M-MAML": Method(BLUE, "s"),
    "FO-MAML": Method("#e69f00", "v"),
    "FO-M-MAML": Method("#56b4e9", "D"),
    "Reptile": Method(BLACK, "P", 6.5),
    "Shrinkage": Method(PURPLE, "^"),
    "M-Shrinkage": Method("#009e73", "X", 6.5),
    "M-Shrinkage joint MAP": Method("#7a7a7a", "*", 9),
}

PUBLISHED: dict[str, object] = {"ls": (0, (4, 1.5)), "lw": 0.9}
"""How a curve that was read off a paper is drawn, beside ours in the same colour."""
