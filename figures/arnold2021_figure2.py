"""arnold2021, Figure 2: the deep model's MAML loss at α = 0.1, and four meta-training runs that end in its four minima.

The loss L is E ½(y − ŷ)² with the noise constant ½ included, which is its value at the minima. Both panels show its
height above them, L − ½, on one logarithmic scale, so that the valleys show: left as a (shaded) surface, right as colour
with the recorded trajectories of (a, b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LightSource, LogNorm
from matplotlib.figure import Figure

from analysis import stationary_points
from paper_checks import recorded

from .deep_loss import FLOOR, deep_loss, square_grid
from .style import BLUE, KINDS, PURPLE, RED

NAME = "arnold2021-figure2"
SUMMARY = "the deep model's MAML loss with its valleys, and four meta-training runs into its four minima"
SOURCE = "arnold2021, Figure 2"
RECORD = "arnold2021/figure2"
SIZE = (7.2, 3.35)

HALF_WIDTH = 3.8
# of L − ½, whose logarithm is −∞ at the minima: what is lower is drawn at the lower end
SCALE = (1e-2, 10.0)
COLOURS = "viridis"
RUNS = ("black", RED, BLUE, PURPLE)
TICKS = (-3, 0, 3)


@dataclass(frozen=True)
class Data:
    """What the figure shows.

    Attributes:
        a, b, loss: the grid and L_maml on it, each (n, n).
        minima: (4, 2), exact minima (a, b).
        trajectories: (runs, J, 2), recorded weights (a, b) from start to end.
        alpha: inner learning rate.
    """

    a: np.ndarray
    b: np.ndarray
    loss: np.ndarray
    minima: np.ndarray
    trajectories: np.ndarray
    alpha: str


def data(results: Path | None = None) -> Data:
    """Read the record, evaluate the exact loss, find the exact minima. Raises `paper_checks.recorded.MissingRecord`."""
    record = recorded.read(RECORD, results)["deep"]
    alpha = str(record.configuration["inner_lr"])
    a, b = square_grid(HALF_WIDTH, 161)
    minima = [point.floats for point in stationary_points(alpha).points if point.kind == "minimum"]
    runs = np.array(record.details["trajectory"]["weights"])
    return Data(a, b, deep_loss(a, b, float(alpha)), np.array(minima), runs, alpha)


def panels(figure: Figure) -> tuple[Axes, Axes, Axes]:
    """Surface, plane, and the plane's colour bar."""
    width, height, bottom = 0.345, 0.345 * SIZE[0] / SIZE[1], 0.135
    surface = figure.add_axes((0.0, 0.03, 0.49, bottom + height - 0.03), projection="3d")
    plane = figure.add_axes((0.55, bottom, width, height))
    bar = figure.add_axes((0.908, bottom, 0.016, height))
    return surface, plane, bar


def draw(axes: Sequence[Axes], data: Data) -> None:
    """Draw the surface on the first (3-D) axes, the trajectories on the second, the colour bar on the third."""
    surface, plane, bar = axes
    height = np.clip(data.loss - FLOOR, *SCALE)
    norm = LogNorm(*SCALE)
    colours, light = colormaps[COLOURS], LightSource(azdeg=300, altdeg=50)

    surface.plot_surface(
        data.a,
        data.b,
        np.log10(height),
        facecolors=light.shade_rgb(colours(norm(height))[..., :3], np.log10(height), vert_exag=8, blend_mode="soft"),
        rstride=1,
        cstride=1,
        lw=0,
        antialiased=False,
        shade=False,
        rasterized=True,
    )
    surface.view_init(elev=42, azim=-62)
    surface.set_box_aspect((1, 1, 0.62), zoom=0.99)
    powers = range(round(np.log10(SCALE[0])), round(np.log10(SCALE[1])) + 1)
    surface.set_zticks(list(powers), [f"$10^{{{power}}}$" for power in powers])
    surface.set(xlabel="a", ylabel="b", xticks=TICKS, yticks=TICKS, title=f"MAML loss L of ŷ = abx, α = {data.alpha}")
    surface.tick_params(pad=-1)
    surface.tick_params(axis="z", pad=2)
    surface.xaxis.labelpad = surface.yaxis.labelpad = -4

    mesh = plane.pcolormesh(data.a, data.b, height, norm=norm, cmap=colours, shading="gouraud", rasterized=True)
    for run, colour in zip(data.trajectories, RUNS, strict=False):
        plane.plot(*run.T, color="white", lw=2.6, zorder=3)
        plane.plot(*run.T, color=colour, lw=1.4, zorder=4)
        plane.plot(*run[0], "o", mfc="white", mec="black", ms=5.5, zorder=6)
    fill = KINDS["minimum"].colour
    plane.scatter(*data.minima.T, marker="*", s=130, c=fill, edgecolors="black", lw=0.8, zorder=5, gid="minimum")
    plane.set(xlabel="a", ylabel="b", xticks=TICKS, yticks=TICKS, aspect="equal")
    plane.set_title("4 runs (○ start) and 4 minima (★)")
    plane.yaxis.labelpad = -4
    plane.figure.colorbar(mesh, cax=bar, extend="both")
    bar.set_title("L − ½", loc="left")
