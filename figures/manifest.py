"""figures.json, beside the images of a folder: what each figure shows and how it is drawn again, for a page that embeds them."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from . import FIGURES, load
from .rendering import FORMATS, write_atomically

__all__ = ["FILE", "update"]

FILE = "figures.json"


def update(folder: Path, drawn: Collection[str], undrawn: Collection[str]) -> None:
    """Write what stands in the folder after a run: its figures, and those of earlier runs whose images are still there.

    A list, in the order of FIGURES, of {name, summary, source, record (ids), command, files, missing}. Of a figure that could not be
    drawn for want of a record, `files` is empty, and `missing` are the commands that make the record.

    Raises OSError: the file cannot be written.
    """
    before = _before(folder / FILE)
    shown = ({name for name, had_files in before.items() if had_files} - {*undrawn}) | {*drawn}
    named = [name for name in FIGURES if name in {*before, *drawn, *undrawn}]
    entries = [
        _entry(name, _images(name) if name in shown else [])
        for name in named
        if name not in shown or _stands(folder, name)
    ]
    write_atomically(folder / FILE, (json.dumps(entries, indent=1, ensure_ascii=False) + "\n").encode())


def _before(path: Path) -> dict[str, bool]:
    """Of each figure that the file names, whether it had images; nothing of a file that is none of ours."""
    try:
        return {entry["name"]: bool(entry["files"]) for entry in json.loads(path.read_bytes())}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _images(name: str) -> list[str]:
    return [f"{name}.{form}" for form in FORMATS]


def _stands(folder: Path, name: str) -> bool:
    return all((folder / file).is_file() for file in _images(name))


def _entry(name: str, files: list[str]) -> dict[str, object]:
    module = load(name)
    records = [module.RECORD] if isinstance(module.RECORD, str) else list(module.RECORD or ())
    return {
        "name": name,
        "summary": module.SUMMARY,
        "source": module.SOURCE,
        "record": records,
        "command": f"python -m figures {name}",
        "files": files,
        "missing": [] if files else [f"python -m empirical run {record} --tier full" for record in records],
    }
