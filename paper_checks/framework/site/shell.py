"""A static site: pages from templates and other files, written all at once."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined

from .. import typesetting
from ..judging import Judgement
from .verdicts import VERDICTS

__all__ = ["Site", "address", "paper_address", "slug"]

HERE = Path(__file__).parent
MANIFEST = "site.json"
"""Lists the site's files; what it does not list is somebody else's, and is never overwritten."""


def slug(name: str) -> str:
    """A name in letters that mean the same in a file name, in a link and as an anchor."""
    return re.sub(r"[^A-Za-z0-9._-]", lambda found: f"~{ord(found[0]):x}", name)


def address(claim_id: str) -> str:
    """The path of a claim's page."""
    return f"claims/{slug(claim_id)}.html"


def paper_address(key: str) -> str:
    """The path of a paper's page."""
    return f"papers/{slug(key)}.html"


class Site:
    """Pages and files by path, kept until they are written together.

    Args:
        title: the site's name, at the top of each page.
        navigation: (label, path) pairs, at the top of each page.
        templates: folders of Jinja templates. They come before the site's own, which can also be had as "site/NAME": an
            "overview.html" that extends "site/overview.html" adds to it.

    Attributes:
        context: what every template sees beside its own context.
        judgements: by claim id; what a template's `link` knows.
    """

    def __init__(self, title: str, navigation: Sequence[tuple[str, str]], templates: Sequence[Path] = ()):
        self.context: dict[str, Any] = {"site_title": title, "navigation": tuple(navigation), "description": ""}
        self.judgements: dict[str, Judgement] = {}
        self._files: dict[str, Callable[[], bytes]] = {}
        own = FileSystemLoader(HERE / "templates")
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(list(templates)), own, PrefixLoader({"site": own})]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            mathml=typesetting.mathml,
            latex=typesetting.latex,
            sympy=typesetting.source,
            statement=typesetting.statement,
            prose=typesetting.prose,
            sentence=_sentence,
        )
        self._environment.globals.update(
            verdicts=VERDICTS, judgements=self.judgements, address=address, paper_address=paper_address, slug=slug
        )
        for name in ("style.css", "site.js"):
            self.file(name, (HERE / name).read_bytes())

    def page(self, path: str, template: str, *, title: str, **context: Any) -> None:
        """Add a page, rendered when the site is written, so that it may link to claims that are added later.

        Args:
            path: where it stands, e.g. "papers/toy.html".
            template: a template that extends "page.html".
            title: its title.
            context: what the template needs; `description` is for search engines.

        Raises:
            ValueError: the path is taken, or leads out of the site.
        """
        given = {"here": path, "root": "../" * path.count("/"), "title": title, **context}
        self._add(path, lambda: self._render(template, given))

    def file(self, path: str, content: bytes | str) -> None:
        """Add any other file.

        Raises:
            ValueError: as `page`.
        """
        self._add(path, lambda: content.encode() if isinstance(content, str) else content)

    @staticmethod
    def check(out: Path) -> None:
        """Whether a site could be written there, asked before the work.

        Raises:
            ValueError: `out` is a file, or holds files that are no part of such a site.
        """
        for folder in (out.resolve(), *_beside(out.resolve())):
            _refuse_foreign(folder)

    def write(self, out: Path) -> None:
        """Write the site: built beside `out`, then put in its place, so that a reader never meets half of it.

        Raises:
            ValueError: as `check`.
        """
        self.check(out)
        out = out.resolve()
        part, old = _beside(out)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
        names = sorted([*self._files, MANIFEST])
        part.mkdir(parents=True)
        (part / MANIFEST).write_text(json.dumps({"files": names}, indent=1) + "\n", encoding="utf-8")
        for path, content in self._files.items():
            file = part / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content())
        if out.exists():
            out.rename(old)
        part.rename(out)
        shutil.rmtree(old, ignore_errors=True)

    def _add(self, path: str, content: Callable[[], bytes]) -> None:
        if not path or path.startswith("/") or ".." in PurePosixPath(path).parts:
            raise ValueError(f"{path!r} leads out of the site; give a path inside it, such as 'papers/toy.html'")
        if path in self._files or path == MANIFEST:
            raise ValueError(f"the site has a file {path!r} already; give each its own path")
        self._files[path] = content

    def _render(self, template: str, context: Mapping[str, Any]) -> bytes:
        return self._environment.get_template(template).render({**self.context, **context}).encode()


def _sentence(text: str) -> str:
    """With a full stop, and a capital where it starts with a word and not with a variable."""
    begun = text[:1].upper() + text[1:] if re.match("[a-z]{2,}[ ,:]", text) else text
    return begun.rstrip(".") + "."


def _beside(out: Path) -> tuple[Path, Path]:
    """Where the new site is built, and where the old one waits until the new one stands."""
    return out.with_name(f"{out.name}.part"), out.with_name(f"{out.name}.old.part")


def _refuse_foreign(out: Path) -> None:
    if not out.exists():
        return
    advice = "give an empty folder, a new one, or one that holds such a site"
    if not out.is_dir():
        raise ValueError(f"{str(out)!r} is a file, and the site needs a folder; {advice}")
    manifest = out / MANIFEST
    try:
        ours = set(json.loads(manifest.read_text(encoding="utf-8"))["files"]) if manifest.exists() else set()
    except (ValueError, KeyError, TypeError):
        ours = set()
    found = sorted(file.relative_to(out).as_posix() for file in out.rglob("*") if not file.is_dir())
    foreign = [file for file in found if file not in ours]
    if foreign:
        raise ValueError(f"{str(out)!r} holds {foreign[0]!r}, which is no part of such a site; {advice}")
