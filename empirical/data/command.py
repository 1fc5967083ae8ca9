"""The command `python -m empirical data`: fetch a data set from its official place, and check that what is there is whole."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from . import sources
from .check import check
from .datasets import DATASETS, dataset
from .sources import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="check | fetch")
    for action, about in (
        ("check", "decode a data set and compare it with what it should be"),
        ("fetch", "download a data set from its official place, and check it"),
    ):
        added = actions.add_parser(action, help=about)
        there = [name for name, known in DATASETS.items() if action == "check" or known.downloads]
        rest = "".join(f"; {name} is not downloaded from here" for name in DATASETS if name not in there)
        added.add_argument("name", help=f"of {', '.join(there)}{rest}")
        added.add_argument(
            "--data",
            type=Path,
            metavar="DIR",
            help=f"the folder of the data sets (default: that of {sources.FOLDER_VARIABLE}, else data)",
        )


def run(options: argparse.Namespace) -> int:
    """Check, or fetch and check; returns the exit code: 0, or 2 where that failed, which one sentence explains."""
    try:
        if options.action == "fetch":
            _fetch(options.name, sources.data_folder(options.data))
        else:
            print(check(options.name, options.data))
    except DataError as error:
        print(f"python -m empirical data {options.action}: {error}", file=sys.stderr)
        return 2
    return 0


def _fetch(name: str, folder: Path) -> None:
    """Download into a folder beside the others, check there, and only then move the files to where they are read.

    Raises DataError where nothing can be downloaded, where files are there already, and where what came is not the data set.
    """
    known = dataset(name)
    if not known.downloads:
        raise DataError(
            f"{known.title} is not downloaded from here, for it is under {known.licence}: ask for it at image-net.org, and put the files "
            f"into {str(folder)!r}."
        )
    for download in known.downloads:
        there = [known.reader.unpacked(download.file), download.file]
        for file in there:
            if (folder / file).exists():
                raise DataError(
                    f"{folder / file} is there already, and is not overwritten: `data check {name}` says whether it is whole; move it away "
                    "to fetch it again."
                )
    try:
        import pooch
    except ImportError:
        raise DataError("Downloads need pooch, which is not installed: pip install -e '.[data]'.") from None
    print(f"{known.title}: {known.download}; {known.licence}", flush=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
            for download in known.downloads:
                print(download.address, flush=True)
                pooch.retrieve(download.address, known_hash=None, fname=download.file, path=temporary)
                _compare(Path(temporary) / download.file, download.md5)
            found = check(name, temporary)
            for download in known.downloads:
                os.replace(Path(temporary) / download.file, folder / download.file)
    except DataError:
        raise
    except (OSError, ValueError) as error:  # what pooch, requests and the file system raise
        raise DataError(f"{known.title} was not fetched ({type(error).__name__}: {error}); try again later.") from None
    print(found)


def _compare(path: Path, md5: str) -> None:
    """Raises DataError for a file with another digest; a web page is called one."""
    sources.refuse_web_page(path)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5:
        raise DataError(f"{path.name} came with the md5 {found}: expected {md5}; it was not kept, try again later.")
