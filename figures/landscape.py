"""The deep model's MAML landscape below, at and above its one critical learning rate, with every stationary point.

A figure of metaproof's own; it answers "at least 5 stationary points" (arnold2021, Appendix A) by showing them all, with
their exact kinds. The axes are √α a and √α b, in which the minima stand still. Colour: L − ½ on a logarithmic scale,
where L is E ½(y − ŷ)² with the noise constant ½ included, its value at the minima.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import sympy
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from analysis import critical_learning_rate, stationary_points

from .deep_loss import FLOOR, deep_loss, square_grid
from .style import KINDS

NAME = "landscape"
SUMMARY = "every stationary point of the deep model's MAML loss below, at and above the critical learning rate"
SOURCE = "metaproof (arnold2021, Section 4.4 and Appendix A)"
RECORD = None
SIZE = (7.2, 3.45)

HALF_WIDTH = 1.35  # in √α a
SCALE = (1e-3, 10.0)  # of L − ½


@dataclass(frozen=True)
class Panel:
    """One learning rate.

    Attributes:
        title: the learning rate, in words.
        alpha: the learning rate as a float.
        points: kind → (n, 2), the stationary points (√α a, √α b).
        loss: L_maml on the grid of `Data`, (n, n).
    """

    title: str
    alpha: float
    points: dict[str, np.ndarray]
    loss: np.ndarray


@dataclass(frozen=True)
class Data:
    """The grid (√α a, √α b), two (n, n) arrays that all panels share, and the panels."""

    x: np.ndarray
    y: np.ndarray
    panels: tuple[Panel, ...]


def data() -> Data:
    """Find the stationary points and evaluate the loss for the three learning rates."""
    critical = critical_learning_rate()
    rates = [
        ("α = 1/10 < α*", sympy.Rational(1, 10)),
        (f"α = α* ≈ {float(critical):.4f}", critical),
        ("α = 1/2 > α*", sympy.Rational(1, 2)),
    ]
    x, y = square_grid(HALF_WIDTH, 301)
    shown = []
    for title, rate in rates:
        landscape, scale = stationary_points(rate), sqrt(rate)
        points = {
            kind: scale * np.array([point.floats for point in landscape.points if point.kind == kind])
            for kind in KINDS
            if kind in landscape.counts
        }
        shown.append(Panel(title, float(rate), points, deep_loss(x / scale, y / scale, float(rate))))
    return Data(x, y, tuple(shown))


def panels(figure: Figure) -> tuple[Axes, ...]:
    """Three panels and their colour bar."""
    width, height, bottom = 0.262, 0.262 * SIZE[0] / SIZE[1], 0.3
    planes = [figure.add_axes((left, bottom, width, height)) for left in (0.075, 0.355, 0.635)]
    return *planes, figure.add_axes((0.911, bottom, 0.014, height))


def draw(axes: Sequence[Axes], data: Data) -> None:
    """Draw one panel for each learning rate, with a legend of its counts below; the colour bar on the last axes."""
    *planes, bar = axes
    for number, (plane, panel) in enumerate(zip(planes, data.panels, strict=True)):
        height = np.clip(panel.loss - FLOOR, *SCALE)
        mesh = plane.pcolormesh(
            data.x, data.y, height, norm=LogNorm(*SCALE), cmap="Blues_r", shading="gouraud", rasterized=True
        )
        for kind, points in panel.points.items():
            look = KINDS[kind]
            plane.scatter(
                *points.T,
                marker=look.marker,
                s=look.area,
                c=look.colour,
                edgecolors="black",
                lw=0.9,
                zorder=3,
                label=f"{len(points)} {look.plural if len(points) > 1 else kind}",
                gid=kind,
            )
        total = sum(map(len, panel.points.values()))
        plane.set_title(f"{panel.title}\n{total} points")
        plane.set(xlabel="√α a", aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        if number == 0:
            plane.set_ylabel("√α b")
            plane.yaxis.labelpad = -3
        else:
            plane.tick_params(labelleft=False)
        plane.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=2, columnspacing=0.5, handletextpad=0, borderpad=0
        )
    bar.figure.colorbar(mesh, cax=bar, extend="both")
    bar.set_title("L − ½", loc="left")
