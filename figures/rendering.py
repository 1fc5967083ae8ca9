"""From a figure's name to its image files, whose bytes are the same every time."""

from __future__ import annotations

import os
import tempfile
from io import BytesIO
from pathlib import Path
from types import ModuleType

import matplotlib
from matplotlib.figure import Figure

from . import load
from .style import DPI, RC

__all__ = ["FORMATS", "compute", "drawn", "image", "save", "write_atomically"]

# matplotlib's own version and the date would change the bytes
FORMATS: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def compute(name: str, results: Path | None = None) -> object:
    """A figure's data, from its record where it has one (`results` is then the folder of records).

    Raises:
        KeyError: there is no figure of this name.
        paper_checks.recorded.MissingRecord: its record is not there.
    """
    module = load(name)
    return module.data() if module.RECORD is None else module.data(results)


def drawn(module: ModuleType, data: object) -> Figure:
    """The figure, drawn on panels of its own."""
    if callable(module.SIZE):
        figure = Figure(figsize=module.SIZE(data))
        module.draw(module.panels(figure, data), data)
    else:
        figure = Figure(figsize=module.SIZE)
        module.draw(module.panels(figure), data)
    return figure


def image(module: ModuleType, data: object, form: str) -> bytes:
    """The figure as the bytes of a "png" or "svg" file."""
    with matplotlib.rc_context(RC):
        buffer, figure = BytesIO(), drawn(module, data)
        if callable(module.SIZE):
            _settle(figure)
        figure.savefig(buffer, format=form, dpi=DPI, metadata=FORMATS[form])
    return buffer.getvalue()


def _settle(figure: Figure) -> None:
    """Lay the panels out now, at places of four digits: the solver's last digits are not the same every time."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position([round(size, 4) for size in axes.get_position(original=True).bounds])


def save(name: str, folder: Path, results: Path | None = None) -> list[Path]:
    """Write NAME.png and NAME.svg into an existing folder; each file is the old one or the new one, never half of it.

    Raises:
        KeyError, paper_checks.recorded.MissingRecord: as `compute`.
        OSError: a file cannot be written.
    """
    module, data = load(name), compute(name, results)
    images = {folder / f"{name}.{form}": image(module, data, form) for form in FORMATS}
    for path, content in images.items():
        write_atomically(path, content)
    return list(images)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file into an existing folder so that it is the old one or the new one, never half of it. Raises OSError."""
    # in the same folder because os.replace is atomic only within one file system
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner may read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
