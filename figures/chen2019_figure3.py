"""chen2019, Figure 3: the two experiments. Above: prior and likelihood of two parameters. Below: all methods' learning curves.

Above, with the experiments' first two dimensions and both kinds of observation: the prior N(φ, σ²), and the likelihood of θ given
four observations of one task whose mean is what its true θ predicts; contours at 1, 2 and 3 standard deviations (log density
½, 2 and 4½ below its maximum). Below: loss and band as in `figures.adaptation_curves`; band and published curve of Reptile
alone, which no other figure shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .adaptation_curves import EXPERIMENTS, RECORDS, Curve, draw_curves, draw_legend, read_experiments
from .style import BLACK, BLUE, METHODS, RED

NAME = "chen2019-figure3"
SUMMARY = "prior and likelihood in two dimensions, and all methods' test loss against adaptation steps"
SOURCE = "chen2019, Figure 3"
RECORD = RECORDS
SIZE = (7.2, 6.4)

OBSERVATIONS = 4
LEVELS = (0.5, 2.0, 4.5)  # below the greatest log density
OMEGA = np.pi / 5
STAR = "#f0e442"
GRID = 301


def _linear(theta: np.ndarray) -> np.ndarray:
    """The mean of the observations: both parameters, and their sum over √2. (2, …) to (3, …)."""
    return np.concatenate([theta, theta.sum(axis=0, keepdims=True) / np.sqrt(2)])


def _spiral(theta: np.ndarray) -> np.ndarray:
    """chen2019, (31): θ turned by ω times its own length. (2, …) to (2, …)."""
    angle = OMEGA * np.hypot(*theta)
    x, y = theta
    return np.stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y])


@dataclass(frozen=True)
class Setting:
    """An experiment in its first two dimensions: φ and σ of both, ξ of each observation, one task's true θ, the range."""

    mean: Callable[[np.ndarray], np.ndarray]
    phi: float
    sigma: float
    xi: tuple[float, ...]
    task: tuple[float, float]
    half_width: float


SETTINGS = {
    "linear": Setting(_linear, 1, 8, (8, 8, 1), (8, -5), 26),
    "spiral": Setting(_spiral, 2, 4, (10, 10), (6, 3), 15),
}


@dataclass(frozen=True)
class Panel:
    """Minus the log densities above their least value, on a grid of (θ₁, θ₂), each (n, n), and the task's true θ."""

    theta: tuple[np.ndarray, np.ndarray]
    prior: np.ndarray
    likelihood: np.ndarray
    task: tuple[float, float]


@dataclass(frozen=True)
class Data:
    """By experiment: the picture in two dimensions, and the curves."""

    pictures: dict[str, Panel]
    curves: dict[str, tuple[Curve, ...]]


def data(results: Path | None = None) -> Data:
    """Evaluate the densities, read the curves. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    curves = read_experiments(tuple(METHODS), "3", results)
    return Data({name: _picture(setting) for name, setting in SETTINGS.items()}, curves)


def _picture(setting: Setting) -> Panel:
    line = setting.phi + np.linspace(-setting.half_width, setting.half_width, GRID)
    theta = np.stack(np.meshgrid(line, line))
    prior = ((theta - setting.phi) ** 2).sum(axis=0) / (2 * setting.sigma**2)
    xi = np.array(setting.xi)[:, None, None]
    seen = setting.mean(np.array(setting.task)[:, None, None])
    likelihood = OBSERVATIONS * (((setting.mean(theta) - seen) / xi) ** 2).sum(axis=0) / 2
    return Panel(tuple(theta), prior, likelihood, setting.task)


def panels(figure: Figure) -> tuple[Axes, ...]:
    """A column for each experiment, the square picture above the curves; below them a strip for the legend."""
    figure.set_layout_engine("constrained", hspace=0.04, wspace=0.04)
    grid = figure.add_gridspec(3, 2, height_ratios=(1, 1, 0.24))
    square = [figure.add_subplot(grid[row, column]) for row in range(2) for column in range(2)]
    return *square, figure.add_subplot(grid[2, :])


def draw(axes: Sequence[Axes], data: Data) -> None:
    """Draw the contours on the first two axes, the curves on the next two, the legend on the last."""
    for column, experiment in enumerate(data.pictures):
        picture, learning = axes[column], axes[column + 2]
        panel = data.pictures[experiment]
        for density, colour, style in ((panel.prior, BLUE, "dashed"), (panel.likelihood, RED, "solid")):
            picture.contour(*panel.theta, density, LEVELS, colors=colour, linestyles=style, linewidths=(1.6, 1.1, 0.8))
        picture.plot(*panel.task, "*", ms=11, mfc=STAR, mec=BLACK, zorder=4, gid="task")
        picture.set(xlabel="θ₁", ylabel="θ₂", aspect="equal", title=EXPERIMENTS[experiment])
        draw_curves(learning, experiment, data.curves[experiment], bands=("Reptile",))
    handles = [
        Line2D([], [], color=BLUE, ls="dashed", label="prior"),
        Line2D([], [], color=RED, label="likelihood"),
        Line2D([], [], ls="", marker="*", ms=10, mfc=STAR, mec=BLACK, label="true θ"),
    ]
    draw_legend(axes[-1], data.curves["linear"], columns=4, before=handles, published="Reptile as published")
