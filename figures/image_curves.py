"""Accuracies on images, from the recorded runs: what the figures of both Arnold papers' image experiments share.

A panel draws cells of one tier, that which has most of them, the full one of equals; above it stands which, and how much was run. What
it lacks is named in grey below. Of a search, the candidate is drawn that the validation tasks prefer. A spread is the standard
deviation over seeds. Where a seed leaves the finite numbers a curve goes on, thin, as the mean of the others; at the end of training such
a seed counts as a guess.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from matplotlib.transforms import blended_transform_factory

from paper_checks.framework import NotRun
from paper_checks.image_records import TIERS, Cell, read
from paper_checks.published import TITLES
from paper_checks.recorded import MissingRecord

from .style import BLACK, BLUE, PURPLE, RED

__all__ = [
    "GREEN",
    "GREY",
    "ORANGE",
    "Layout",
    "Look",
    "Panel",
    "Sheet",
    "accuracies",
    "chance",
    "collect",
    "draw_curve",
    "draw_layers",
    "draw_rows",
    "draw_spread",
    "foot",
    "head",
    "hollow",
    "level",
    "meta_iterations",
    "printed_at_the_end",
    "settings",
]

GREY, GREEN, ORANGE = "#6b6b6b", "#009e73", "#e69f00"
SMALL = 8.0
"""Points, of what is said in grey; LINE, LEGEND and HEAD: inches, of its lines, of a legend's, and of what stands around a panel."""
LINE, LEGEND, HEAD = 0.135, 0.23, 1.05
LETTER, ENTRY, NARROWEST = 0.055, 1.6, 4.6
"""Inches: a letter in grey, an entry of a legend, a figure."""
MARKERS = 6  # on a curve


@dataclass(frozen=True)
class Look:
    """How a method is drawn in all of these figures: a colour, a marker, a line."""

    colour: str
    marker: str
    line: object = "-"

    def handle(self, label: str) -> Line2D:
        """For a legend."""
        return Line2D([], [], color=self.colour, marker=self.marker, ls=self.line, ms=5, lw=1.8, label=label)


PRINTED = Line2D([], [], ls="", marker="o", ms=6, mfc="none", mec=BLACK, label="hollow: printed")
LEVEL = {"color": GREY, "lw": 1.1, "ls": (0, (5, 3))}
CHANCE = Line2D([], [], color=GREY, lw=0.9, ls=(0, (1, 2)), label="chance")
PLAIN, ADDED = Look(BLACK, "o"), Look(RED, "s")
LINEAR_META, FACTORED = Look(BLUE, "^"), Look(PURPLE, "D")


@dataclass(frozen=True)
class Panel:
    """Cells that are drawn together.

    Attributes:
        title: of the panel.
        tier: of all of its cells.
        cells: by label.
        lacking: the labels of those that this tier has not; with a word where the other one has them.
    """

    title: str
    tier: str
    cells: dict[str, Cell]
    lacking: tuple[str, ...]

    @property
    def run(self) -> str:
        """What was run: "lite: 4,200 meta-iterations of 4 tasks, 3 seeds"."""
        told = [cell.record.configuration for cell in self.cells.values()]
        trained = [each for each in told if each["iterations"]]
        seeds = _range(len(cell.record.seeds) for cell in self.cells.values())
        if not trained:
            return f"{self.tier}: no meta-training, {seeds} seeds"
        iterations = _range(each["iterations"] for each in trained)
        tasks = _range(each["tasks_per_step"] for each in trained)
        return f"{self.tier}: {iterations} meta-iterations of {tasks} tasks, {seeds} seeds"

    @property
    def chance(self) -> float:
        """The accuracy of a guess."""
        return next(iter(self.cells.values())).chance


@dataclass(frozen=True)
class Sheet:
    """The panels of a figure by data set, the data sets of which nothing was run, and whether it has curves along training."""

    panels: dict[str, Panel]
    absent: tuple[str, ...]
    along: bool

    @property
    def notes(self) -> list[str]:
        """What the figure does not show."""
        lacking: dict[tuple[str, ...], list[str]] = {}
        for panel in self.panels.values():
            if panel.lacking:
                lacking.setdefault(panel.lacking, []).append(panel.title)
        found = [f"not run: {', '.join(titles)}: {'; '.join(labels)}" for labels, titles in lacking.items()]
        if self.absent:
            found.append(f"not run: {', '.join(self.absent)}")
        shown_as = "thin from where a seed diverged, without it" if self.along else "diverged, a guess"
        for panel in self.panels.values():
            for label, cell in panel.cells.items():
                if lost := int(cell.diverged.sum()):
                    found.append(f"{shown_as}: {panel.title}: {label}, {lost} of {len(cell.diverged)} seeds")
        return found


def _range(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return " to ".join(f"{number:,}" for number in dict.fromkeys((found[0], found[-1])))


def settings(datasets: Iterable[str], labels: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What `collect` wants: of each data set, the settings by label; `labels` has them without the data set's name."""
    return {dataset: {label: f"{dataset} {name}" for label, name in labels.items()} for dataset in datasets}


def collect(
    experiment: str, wanted: Mapping[str, Mapping[str, str]], results: Path | None = None, along: bool = False
) -> Sheet:
    """Read the panels of a figure, of curves `along` training or of its end: of each data set, the settings by label.

    Raises:
        paper_checks.recorded.MissingRecord: none of them has been run as it is declared now.
        paper_checks.recorded.UnreadableRecord: a file is no record.
    """
    panels, absent, reasons = {}, [], []
    for dataset, names in wanted.items():
        found: dict[str, dict[str, Cell]] = {tier: {} for tier in TIERS}
        for label, name in names.items():
            for tier in TIERS:
                try:
                    found[tier][label] = read(experiment, name, tier, results)
                except NotRun as reason:
                    reasons.append(str(reason))
        tier = max(TIERS, key=lambda each: len(found[each]))
        if not found[tier]:
            absent.append(TITLES[dataset])
            continue
        lacking = []
        for label in names:
            if label not in found[tier]:
                others = [each for each in TIERS if label in found[each]]
                lacking.append(f"{label} ({' and '.join(others)} only)" if others else label)
        panels[dataset] = Panel(TITLES[dataset], tier, found[tier], tuple(lacking))
    if not panels:
        raise MissingRecord(_missing(experiment, reasons, results))
    return Sheet(panels, tuple(absent), along)


def _missing(experiment: str, reasons: Sequence[str], results: Path | None) -> str:
    """The sentence of a figure that has nothing to draw: what is stale, if anything is, and the command."""
    reason = next((each for each in reasons if "stale" in each), reasons[0]).rstrip(".")
    command = f"python -m empirical run {experiment} --tier full" + ("" if results is None else f" --out {results}")
    made = "" if command in reason else f": make it with `{command}`"
    return f"{reason}{made}, or in less time with `--tier lite`."


# --- the sheet: panels in rows, below them one strip for the legend and for what is not shown ----------------------------


def _notes(sheet: Sheet, width: float) -> list[str]:
    return [line for note in sheet.notes for line in textwrap.wrap(note, int((width - 0.3) / (1.15 * LETTER)))]


def _entries(width: float) -> int:
    return max(1, int((width - 0.1) / ENTRY))


def _strip(sheet: Sheet, width: float, entries: int) -> float:
    """Its height."""
    return LEGEND * ceil((entries + 1) / _entries(width)) + LINE * len(_notes(sheet, width)) + 0.05


@dataclass(frozen=True)
class Layout:
    """Where the panels of a figure stand: side by side, one for each data set; or a row for each data set.

    Attributes:
        panel: width and height of a panel with what stands around it, in inches.
        entries: of the legend, without that of chance.
        columns: of a row; None where the data sets stand side by side.
    """

    panel: tuple[float, float]
    entries: int
    columns: int | None = None

    def shape(self, sheet: Sheet) -> tuple[int, int]:
        """Rows and columns."""
        return (1, len(sheet.panels)) if self.columns is None else (len(sheet.panels), self.columns)

    def size(self, sheet: Sheet) -> tuple[float, float]:
        """Width and height of the figure in inches."""
        rows, columns = self.shape(sheet)
        width = max(NARROWEST, columns * self.panel[0])
        return width, rows * self.panel[1] + _strip(sheet, width, self.entries)

    def panels(self, figure: Figure, sheet: Sheet) -> tuple[Axes, ...]:
        """The panels, row by row, with one scale of accuracy; the last axes are the strip."""
        (rows, columns), (width, height) = self.shape(sheet), figure.get_size_inches()
        figure.set_layout_engine("constrained", hspace=0.03, wspace=0.05)
        strip = _strip(sheet, width, self.entries)
        inner = (height - strip) / rows - HEAD
        places = figure.add_gridspec(rows + 1, columns, height_ratios=[*[inner] * rows, strip])
        found: list[Axes] = []
        for row in range(rows):
            for column in range(columns):
                found.append(figure.add_subplot(places[row, column], sharey=found[0] if found else None))
        for number, axes in enumerate(found):
            axes.set_ylim(0, 1.02)
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            if number % columns:
                axes.tick_params(labelleft=False)
        return *found, figure.add_subplot(places[rows, :])


def head(axes: Axes, title: str, run: str = "", wide: float = 2.6) -> None:
    """A title, and in grey below it what was run; `wide`: inches of the panel."""
    count = ceil(len(run) / (wide / LETTER))
    lines = textwrap.wrap(run, ceil(len(run) / count) + 10, break_on_hyphens=False) if run else []
    axes.set_title(title, loc="left", pad=6 + 10 * max(1, len(lines)))
    told = axes.annotate("\n".join(lines), (0, 1), (0, 5), "axes fraction", "offset points", size=SMALL, color=GREY)
    told.set(gid="run", in_layout=False)  # the title makes room for it, and it may stand over the next panel


def foot(strip: Axes, sheet: Sheet, handles: Sequence[object]) -> None:
    """The legend, and in grey below it what is not shown."""
    width = strip.figure.get_size_inches()[0]
    strip.axis("off")
    shown = [*handles, CHANCE]
    columns = min(_entries(width), len(shown))
    strip.legend(handles=shown, loc="upper center", ncols=columns, borderaxespad=0, columnspacing=1.4, handlelength=2.8)
    lines = _notes(sheet, width)
    if lines:
        middle = blended_transform_factory(strip.figure.transFigure, strip.transAxes)
        place = {"transform": middle, "ha": "center", "va": "bottom", "linespacing": 1.15, "in_layout": False}
        strip.text(0.5, 0, "\n".join(lines), size=SMALL, color=GREY, gid="not run", **place)


# --- what stands in a panel ---------------------------------------------------------------------------------------------


def draw_spread(
    axes: Axes, at: np.ndarray, values: np.ndarray, look: Look, name: str, every: int | None = 1, **own: object
) -> None:
    """Mean and standard deviation over seeds of values (n, seeds); a marker every so many points, by default on each."""
    mean, spread = values.mean(1), values.std(1, ddof=1) if values.shape[1] > 1 else np.zeros(len(values))
    axes.fill_between(at, mean - spread, mean + spread, color=look.colour, alpha=0.15, lw=0)
    line = {"color": look.colour, "marker": look.marker, "ls": look.line, "ms": 4.5, "lw": 1.8} | own
    axes.plot(at, mean, markevery=every, gid=name, **line)


def draw_curve(axes: Axes, cell: Cell, look: Look, name: str, what: str = "test_accuracy") -> None:
    """An accuracy along meta-training.

    That of training tasks is a mean over the meta-iterations between two looks at the test tasks; it stands in their middle.
    """
    curve = cell.record.learning_curve
    at, rows = np.array(curve["meta_iteration"], dtype=float), curve[what]
    if rows[0] is None:
        at, rows = (at[1:] + at[:-1]) / 2, rows[1:]
    draw_rows(axes, at, np.array(rows, dtype=float), look, name)


def draw_rows(axes: Axes, at: np.ndarray, values: np.ndarray, look: Look, name: str) -> None:
    """Accuracies (looks, seeds) along meta-training, with a few markers; nan from where a seed has diverged."""
    draw_spread(axes, at, values, look, name, every=max(1, len(at) // MARKERS))
    finite = np.isfinite(values)
    first, last = finite.all(1).sum() - 1, finite.any(1).sum()
    if 0 <= first < last - 1:
        others = [row[left].mean() for row, left in zip(values[first:last], finite[first:last], strict=True)]
        axes.plot(at[first:last], others, color=look.colour, ls=look.line, lw=0.8, gid=f"{name}, without the diverged")


def meta_iterations(axes: Axes, panel: Panel) -> None:
    """The axis of meta-iterations."""
    last = max(cell.record.configuration["iterations"] for cell in panel.cells.values()) or 1
    axes.set_xlim(-0.02 * last, 1.02 * last)  # whole marks at both ends
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("meta-iteration")


def accuracies(axes: Axes, what: str = "test accuracy after adaptation") -> None:
    """Name the axis of accuracies."""
    axes.set_ylabel(what)


def level(axes: Axes, height: float) -> None:
    """A dashed level; its meaning stands in the legend (LEVEL)."""
    axes.axhline(height, **LEVEL, zorder=3, gid="level")


def chance(axes: Axes, panel: Panel) -> None:
    """The level of a guess, as in the legend (CHANCE)."""
    axes.axhline(panel.chance, color=GREY, lw=0.9, ls=(0, (1, 2)), zorder=1, gid="chance")


def printed_at_the_end(axes: Axes, value: float, look: Look, name: str) -> None:
    """A printed accuracy, hollow on the right edge of the panel."""
    hollow(axes, 1.0, value, look, name, transform=axes.get_yaxis_transform())


def hollow(axes: Axes, x: float, y: float, look: Look, name: str, **where: object) -> None:
    """A printed accuracy."""
    axes.plot(
        x,
        y,
        look.marker,
        ms=8,
        mfc="none",
        mec=look.colour,
        mew=1.3,
        clip_on=False,
        zorder=5,
        gid=f"{name} printed",
        **where,
    )


def draw_layers(
    axes: Axes, cells: Mapping[int, Cell], printed: Mapping[int, float], look: Look, name: str, shift: float
) -> None:
    """Accuracy against the number of layers, with the printed values; `shift`: to the right, so that two methods stand side by side."""
    if cells:
        values = np.array([cell.by_seed() for cell in cells.values()])
        spread = values.std(1, ddof=1) if values.shape[1] > 1 else None
        line = axes.errorbar(
            np.array(list(cells)) + shift,
            values.mean(1),
            spread,
            color=look.colour,
            marker=look.marker,
            ms=5,
            lw=1.6,
            ls=look.line,
            capsize=3,
            elinewidth=1.2,
        )
        line.lines[0].set_gid(name)
    for layers, value in printed.items():
        hollow(axes, layers + shift, value, look, name)
