"""The page of results: every table of the papers, the printed number beside the measured one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from ..framework import Paper
from ..framework.site import Site
from ..result_tables import Measured, Printed, Row, Table

if TYPE_CHECKING:
    from empirical.records import Record

__all__ = ["add_results"]


@dataclass(frozen=True)
class Number:
    """A cell of a table: what is shown, what it sorts by, and a remark in smaller letters."""

    text: str = ""
    sort: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Line:
    """A row as the page shows it."""

    row: Row
    printed: Number
    measured: Number
    beside: tuple[Number, ...]
    time: Number
    run: str
    told: tuple[tuple[str, str], ...]
    claims: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A table as the page shows it."""

    anchor: str
    table: Table
    lines: tuple[Line, ...]

    @property
    def measured(self) -> int:
        """How many of its rows have a record."""
        return sum(line.row.measured is not None for line in self.lines)

    @property
    def has_printed(self) -> bool:
        """Whether the paper prints any of its numbers."""
        return any(line.row.printed is not None for line in self.lines)

    @property
    def has_readings(self) -> bool:
        """Whether its rows are told apart by a reading too."""
        return any(line.row.reading for line in self.lines)


def add_results(site: Site, papers: Sequence[Paper], tables: Sequence[Table]) -> None:
    """Add "results.html"; it links to the claims that the site knows."""
    titles = {paper.key: paper.title for paper in papers}
    keys = dict.fromkeys(table.paper for table in tables)
    groups = [
        (key, titles.get(key, key), [_sheet(site, table) for table in tables if table.paper == key]) for key in keys
    ]
    site.page("results.html", "results.html", title="Results", groups=groups)


def _sheet(site: Site, table: Table) -> Sheet:
    anchor = f"{table.paper}-{table.title.partition(' (Figures')[0]}".lower()
    anchor = "".join(letter if letter.isalnum() else "-" for letter in anchor).strip("-")
    return Sheet(anchor, table, tuple(_line(site, table, row) for row in table.rows))


def _line(site: Site, table: Table, row: Row) -> Line:
    known = {id: site.judgements[id] for id, _ in row.claims if id in site.judgements}
    judging = [id for id, part in row.claims if id in known and (part is None or part in known[id].bounds)]
    beside = [row.beside.get(name) for name in table.beside]
    return Line(
        row,
        _printed(row.printed, table.percent),
        _measured(row.measured, table.percent),
        tuple(Number() if each is None else Number(_text(each, table.percent), f"{each:.6g}") for each in beside),
        Number() if row.record is None else Number(_duration(row.record.wall_time_s), f"{row.record.wall_time_s:g}"),
        "" if row.record is None else f"{row.record.tier}, {row.protocol}, {_seeds(row.record)}",
        () if row.record is None else _told(row.record),
        tuple(dict.fromkeys(judging)),
    )


def _text(value: float, percent: bool, decimals: int | None = None) -> str:
    if not percent and (value == 0 or value >= 1000) and float(value).is_integer():  # a count
        return f"{value:,.0f}"
    shown, usual = (100 * value, 1) if percent else (value, 3)
    return f"{shown:.{usual if decimals is None else decimals}f}"


def _printed(printed: Printed | None, percent: bool) -> Number:
    if printed is None:
        return Number()
    text = _text(printed.value, percent, printed.decimals)
    if printed.deviation is not None:
        text += f" ± {_text(printed.deviation, percent, printed.decimals)}"
    return Number(text, f"{printed.value:.6g}", printed.remark)


def _measured(measured: Measured | None, percent: bool) -> Number:
    if measured is None:
        return Number()
    text = _text(measured.value, percent)
    for form, spread in ((" ± {}", measured.over_seeds), (" ({})", measured.over_tasks)):
        if spread is not None and isfinite(spread):
            text += form.format(_text(spread, percent))
    return Number(text, f"{measured.value:.6g}", measured.remark)


def _seeds(record: Record) -> str:
    return f"{len(record.seeds)} seed{'s' * (len(record.seeds) != 1)}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _told(record: Record) -> tuple[tuple[str, str], ...]:
    """What a reader who repeats the run wants to know."""
    where, code = record.environment, record.environment.get("code", {})
    versions = ", ".join(f"{name} {version}" for name, version in where.get("libraries", {}).items())
    threads = where.get("threads")
    device = [
        where.get("device", ""),
        f"{threads} thread{'s' * (threads != 1)}" if threads else "",
        where.get("dtype", ""),
    ]
    commit = (code.get("commit") or "")[:12] + (", with changes" if code.get("tree_clean") is False else "")
    lines = {
        "seeds": ", ".join(map(str, record.seeds)),
        "device": ", ".join(filter(None, device)) + (", compiled" if where.get("compiled") else ""),
        "versions": versions,
        "code": commit or code.get("package_version") or "",
        "source digest": code.get("source_sha256", "")[:12],
        "deviations": "; ".join(record.details.get("deviations", [])),
    }
    return tuple((name, text) for name, text in lines.items() if text)
