"""chen2019, Figure 7: test loss against adaptation steps of MAML and M-MAML, with the whole and the first-order gradient.

Band and loss: `figures.adaptation_curves`. M- stands for modular: an inner learning rate for each dimension.
"""

from __future__ import annotations

from pathlib import Path

from .adaptation_curves import RECORDS, Curve, draw_experiments, experiment_panels, read_experiments

NAME = "chen2019-figure7"
SUMMARY = "test loss against adaptation steps: MAML and M-MAML, with the whole and the first-order gradient"
SOURCE = "chen2019, Figure 7"
RECORD = RECORDS
SIZE = (7.2, 3.7)

METHODS = ("MAML", "M-MAML", "FO-MAML", "FO-M-MAML")


def data(results: Path | None = None) -> dict[str, tuple[Curve, ...]]:
    """The curves by experiment. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return read_experiments(METHODS, "7", results)


panels = experiment_panels
draw = draw_experiments
