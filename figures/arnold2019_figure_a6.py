"""arnold2019, Figures A.6 to A.8: CNNs along meta-training, on training tasks and on test tasks; a row for each data set.

SCNN, the small one of the paper, is CNN(2), CNN is CNN(4). Hollow, on the right edge: Table A3 of MAML and KFC, Table 2 of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from paper_checks.published import TITLES, accuracy

from .image_curves import (
    FACTORED,
    GREEN,
    LINEAR_META,
    ORANGE,
    PLAIN,
    PRINTED,
    Layout,
    Look,
    Sheet,
    accuracies,
    chance,
    collect,
    draw_curve,
    foot,
    head,
    meta_iterations,
    printed_at_the_end,
    settings,
)

NAME = "arnold2019-figure-a6"
SUMMARY = "CNNs along meta-training, on training and on test tasks, a row for each data set"
SOURCE = "arnold2019, Figures A.6, A.7 and A.8"
RECORD = "arnold2019/cnn"

LOOKS = {
    "CNN(4) MAML": Look(GREEN, "s", (0, (4, 2))),
    "CNN(2) MAML": PLAIN,
    "CNN(2) MSGD": Look(ORANGE, "v"),
    "CNN(2) MC": LINEAR_META,
    "CNN(2) KFC": FACTORED,
}
TABLES = {"CNN(2) MSGD": "Table 2", "CNN(2) MC": "Table 2"}
SIDES = {"training_accuracy": "training tasks", "test_accuracy": "test tasks"}
LAYOUT = Layout((3.7, 2.8), len(LOOKS) + 1, columns=len(SIDES))
SIZE, panels = LAYOUT.size, LAYOUT.panels


def data(results: Path | None = None) -> Sheet:
    """Read the cells. Raises `paper_checks.recorded.MissingRecord` and `UnreadableRecord`."""
    return collect(RECORD, settings(TITLES, {label: label for label in LOOKS}), results, along=True)


def draw(axes: Sequence[Axes], data: Sheet) -> None:
    """Draw each data set on its row."""
    *shown, strip = axes
    for row, panel in enumerate(data.panels.values()):
        for column, (what, tasks) in enumerate(SIDES.items()):
            axis = shown[len(SIDES) * row + column]
            for label, look in LOOKS.items():
                if label in panel.cells:
                    draw_curve(axis, panel.cells[label], look, label, what)
                if what == "test_accuracy":
                    printed = accuracy("arnold2019", TABLES.get(label, "Table A3"), panel.title, label)
                    printed_at_the_end(axis, printed.value, look, label)
            chance(axis, panel)
            meta_iterations(axis, panel)
            head(axis, f"{panel.title}, {tasks}", "" if column else panel.run, LAYOUT.panel[0])
        accuracies(shown[len(SIDES) * row], "accuracy after adaptation")
    foot(strip, data, [*(look.handle(label) for label, look in LOOKS.items()), PRINTED])
