"""What can be asked of a folder of HTML pages without a browser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Page(HTMLParser):
    """One page's ids, links and tags."""

    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    images_without_text: int = 0

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        self.images_without_text += tag == "img" and "alt" not in found


def pages(folder: Path) -> dict[Path, Page]:
    """Every page of the folder, read."""
    read = {}
    for file in sorted(folder.rglob("*.html")):
        read[file] = Page()
        read[file].feed(file.read_text(encoding="utf-8"))
    return read


def broken_links(folder: Path) -> list[str]:
    """The links, sources and anchors that lead nowhere in the folder, as "page: link"."""
    read = pages(folder)
    broken = []
    for file, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_relative_to(folder.resolve()) or not target.is_file():
                broken.append(f"{file.relative_to(folder)}: {link}")
            elif parts.fragment and target in read and unquote(parts.fragment) not in read[target].ids:
                broken.append(f"{file.relative_to(folder)}: {link}")
    return broken
