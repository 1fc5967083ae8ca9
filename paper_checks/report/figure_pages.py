"""The page of figures: finished images, which `python -m figures` has drawn, beside what they show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from ..framework import Paper
from ..framework.site import Site
from ..published import digitised

__all__ = ["Figure", "add_figures", "read_figures"]

MANIFEST = "figures.json"
DRAWS = "python -m figures --all --out DIR"


@dataclass(frozen=True)
class Figure:
    """A figure of the manifest; of one that was not drawn, `images` is empty, and `missing` are the commands of its records.

    Attributes:
        images: contents by ending, "png" and "svg".
        size: width and height of the PNG in pixels.
    """

    name: str
    summary: str
    source: str
    records: tuple[str, ...]
    command: str
    missing: tuple[str, ...]
    images: Mapping[str, bytes]
    size: tuple[int, int] | None

    @property
    def paper(self) -> str:
        """The paper's key, or "metaproof" of a figure that no paper has."""
        return re.split(r"[ ,]", self.source)[0]

    @property
    def original(self) -> str:
        """What the page has of the paper's own figure."""
        if self.paper == "metaproof":
            return "No paper has this figure."
        figures = re.sub(r"\(.*?\)|Table \S+", "", self.source.removeprefix(self.paper))
        numbers = re.findall(r"[AB]?\.?\d+", figures)
        if any(number in digitised(self.paper) for number in numbers):
            return "The published curves, read off the paper’s figure, are dashed in the same axes."
        return "The paper’s own figure is not digitised: ours stands alone."


def read_figures(folder: Path) -> list[Figure]:
    """The figures of a folder, with their images, as its manifest lists them.

    Raises:
        ValueError: there is no manifest, it is none of ours, or an image that it lists is missing or broken.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ValueError(f"--figures is {str(folder)!r}, which has no {MANIFEST}; draw them with `{DRAWS}`")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [_figure(folder, entry) for entry in entries]
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as a list of figures ({error}); draw them again with `{DRAWS}`"
        ) from None


def _figure(folder: Path, entry: Mapping[str, Any]) -> Figure:
    images = {file.rpartition(".")[2]: (folder / Path(file).name).read_bytes() for file in entry["files"]}
    size = None
    if images:
        try:
            with Image.open(folder / f"{entry['name']}.png") as image:
                size = image.size
        except UnidentifiedImageError:
            raise ValueError(f"{entry['name']}.png is no image") from None
    told = (entry["name"], entry["summary"], entry["source"], tuple(entry["record"]), entry["command"])
    return Figure(*told, tuple(entry["missing"]), images, size)


def add_figures(site: Site, papers: Sequence[Paper], figures: Iterable[Figure]) -> None:
    """Add "figures.html", in the order of the papers and then our own, and the images."""
    groups: dict[str, list[Figure]] = {paper.key: [] for paper in papers}
    undrawn: list[Figure] = []
    for figure in figures:
        (groups.setdefault(figure.paper, []) if figure.images else undrawn).append(figure)
        for form, content in figure.images.items():
            site.file(f"figures/{figure.name}.{form}", content)
    site.page("figures.html", "figures.html", title="Figures", groups=groups, undrawn=undrawn, draws=DRAWS)
