"""A report on a small paper, with this repository's records, and the Chromium that visits it; skipped where there is none."""

import shutil
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from figures.__main__ import main as draw
from paper_checks.report.command import main as write_report

sys.path.insert(0, str(Path(__file__).parent))
from toy_paper import PAPER

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """The folder of a written report: every kind of page, with one figure, on a paper of a few claims."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "report"
    with FileLock(f"{folder}.lock"):  # parallel workers share what the first of them builds
        if not (folder / "site").exists():
            draw(["landscape", "--out", str(folder / "figures")])
            (folder / "accepted.json").write_text("{}")
            options = ["--out", str(folder / "site"), "--figures", str(folder / "figures")]
            write_report(lambda: [PAPER], folder / "accepted.json", options, "report")
    return folder / "site"


@pytest.fixture(scope="module")  # an event loop runs while a browser is open, so it is closed before other tests
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the path")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=executable, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture
def watched(browser):
    """A context manager of a page and the list of what goes wrong on it, as long as it is open."""

    @contextmanager
    def open_page(**options):
        wrong = []
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        context.set_default_timeout(120_000)  # milliseconds; a busy machine is no failure
        context.on("console", lambda message: wrong.append(f"console: {message.text}"))
        context.on("weberror", lambda error: wrong.append(f"error: {error.error}"))
        context.on(
            "requestfailed",  # what the browser gives up because the page is left is no failure of the page
            lambda request: request.failure == "net::ERR_ABORTED" or wrong.append(f"failed: {request.url}"),
        )
        context.on(
            "request",
            lambda request: request.url.startswith(("file:", "data:")) or wrong.append(f"leaves: {request.url}"),
        )
        yield context.new_page(), wrong
        context.close()

    return open_page


@pytest.fixture
def visit(watched, site):
    """A function that opens a page of the site; whatever goes wrong on it fails the test."""
    found = []
    with ExitStack() as contexts:

        def go(path, *, width=1200, **options):
            page, wrong = contexts.enter_context(watched(viewport={"width": width, "height": 900}, **options))
            found.append(wrong)
            page.goto((site / path).as_uri())
            return page

        yield go
    assert [text for wrong in found for text in wrong] == []
