"""chen2019, Figure 5: the error of each parameter against adaptation steps in Experiment 1, |θ̂_m − θ_m| over test tasks.

The true modules are θ₁ to θ₄ (σ = 8) and θ₅ to θ₈ (σ = 2). Ours is the mean over test tasks and training seeds. A dot marks
where a parameter's error is least, filled for ours and hollow for the published curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_checks.published import curve
from paper_checks.recorded import UnreadableRecord

from .adaptation_curves import read_details
from .style import BLACK, BLUE, PUBLISHED, RED

NAME = "chen2019-figure5"
SUMMARY = (
    "error of each parameter against adaptation steps: which methods overfit some of them while others still learn"
)
SOURCE = "chen2019, Figure 5"
RECORD = "chen2019/linear"
SIZE = (7.2, 5.6)

METHODS = ("MAML", "M-MAML", "Shrinkage", "M-Shrinkage")
MODULES = {"θ₁ to θ₄ (σ = 8)": ([0, 1, 2, 3], BLUE), "θ₅ to θ₈ (σ = 2)": ([4, 5, 6, 7], RED)}
HIGHEST = 20.0  # that the logarithmic axis may show; what diverges leaves it
TICKS = (0.5, 0.7, 1, 1.2, 1.5, 2, 3, 4, 6, 10, 15)


@dataclass(frozen=True)
class Errors:
    """One method.

    Attributes:
        step: (K + 1,).
        error: (K + 1, M), mean |θ̂_m − θ_m|.
        published: M pairs of steps and values.
    """

    step: np.ndarray
    error: np.ndarray
    published: tuple[tuple[np.ndarray, np.ndarray], ...]


def data(results: Path | None = None) -> dict[str, Errors]:
    """The errors by method. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    found = {}
    for method, details in read_details(RECORD, METHODS, results).items():
        if details.get("error_per_dimension") is None:
            raise UnreadableRecord(
                f"the record {RECORD} has no error_per_dimension of {method}: run the experiment again."
            )
        error = np.array(details["error_per_dimension"], dtype=float)
        published = (curve("chen2019", "5", f"{method} dim{m}") for m in range(1, error.shape[1] + 1))
        found[method] = Errors(
            np.array(details["test"]["step"]), error, tuple(tuple(map(np.array, each)) for each in published)
        )
    return found


def panels(figure: Figure) -> tuple[Axes, ...]:
    """Two by two, one for each method."""
    figure.set_layout_engine("constrained", hspace=0.04, wspace=0.03)
    return tuple(figure.subplots(2, 2, sharex=True, sharey=True).ravel())


def draw(axes: Sequence[Axes], data: dict[str, Errors]) -> None:
    """Draw each method's eight errors, ours and published, with the place of the least one."""
    for panel, (method, errors) in zip(axes, data.items(), strict=True):
        for dimensions, colour in MODULES.values():
            for m in dimensions:
                panel.plot(*errors.published[m], color=colour, **PUBLISHED, gid="published")
                _least(panel, *errors.published[m], colour, "white")
                panel.plot(errors.step, errors.error[:, m], color=colour, lw=1.4, gid="ours")
                _least(panel, errors.step, errors.error[:, m], colour, colour)
        panel.set_title(method)
        panel.set_yscale("log")
        panel.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        panel.minorticks_off()
    for panel in axes[2:]:
        panel.set_xlabel("adaptation steps")
    for panel in axes[::2]:
        panel.set_ylabel("mean |θ̂ₘ − θₘ|")
    last = max(errors.step[-1] for errors in data.values())
    first = next(iter(data.values()))
    at = np.searchsorted(first.step, 0.45 * last)
    for name, (dimensions, colour) in MODULES.items():
        values = [first.published[m][1][first.published[m][0] >= first.step[at]] for m in dimensions]
        highest = np.nanmax(np.concatenate([*values, first.error[at:, dimensions].ravel()]))
        axes[0].text(first.step[at], 1.05 * highest, name, color=colour, va="bottom")
    lines = [Line2D([], [], color=BLACK, lw=1.4, label="ours")]
    lines.append(Line2D([], [], color=BLACK, **PUBLISHED, label="as published"))
    dots = {"least error, ours": BLACK, "least error, published": "white"}
    lines += [Line2D([], [], ls="", marker="o", ms=4.5, mfc=f, mec=BLACK, label=name) for name, f in dots.items()]
    axes[1].legend(handles=lines, loc="upper right", borderaxespad=0.1)
    shown = np.concatenate(
        [np.append(e.error, [y for _, values in e.published for y in values]) for e in data.values()]
    )
    axes[0].set(xlim=(-0.01 * last, 1.01 * last), ylim=(0.93 * np.nanmin(shown), min(1.08 * np.nanmax(shown), HIGHEST)))


def _least(panel: Axes, step: np.ndarray, error: np.ndarray, colour: str, fill: str) -> None:
    if np.isfinite(error).any():
        k = np.nanargmin(error)
        panel.plot(step[k], error[k], "o", ms=4.5, mfc=fill, mec=colour, mew=1, zorder=4, gid="least")
