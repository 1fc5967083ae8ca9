"""chen2019, Figure 6: test loss against adaptation steps of Shrinkage with one module and with one per dimension.

The third curve learns σ by joint MAP instead of the predictive likelihood. Loss and band: `figures.adaptation_curves`.
"""

from __future__ import annotations

from pathlib import Path

from .adaptation_curves import RECORDS, Curve, draw_experiments, experiment_panels, read_experiments

NAME = "chen2019-figure6"
SUMMARY = "test loss against adaptation steps: Shrinkage, M-Shrinkage, and σ learned by joint MAP"
SOURCE = "chen2019, Figure 6"
RECORD = RECORDS
SIZE = (7.2, 3.7)

METHODS = ("Shrinkage", "M-Shrinkage", "M-Shrinkage joint MAP")


def data(results: Path | None = None) -> dict[str, tuple[Curve, ...]]:
    """The curves by experiment. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return read_experiments(METHODS, "6", results)


panels = experiment_panels
draw = draw_experiments
