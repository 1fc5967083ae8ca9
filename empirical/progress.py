"""Progress on stderr: bars with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

PLAIN_EVERY = 10.0
"""Seconds between two plain lines of one bar."""


class Progress:
    """Where a run is, unless `silent`. Use as a context; `progress(line)` says it in a line, `progress.bar(...)` starts a bar."""

    def __init__(self, silent: bool = False) -> None:
        self.console = Console(stderr=True, quiet=silent)
        self._rich: RichProgress | None = None
        if self.console.is_terminal and not silent:
            columns = [TextColumn("{task.description}"), BarColumn(30), TaskProgressColumn(), MofNCompleteColumn()]
            columns += [TimeRemainingColumn(), TextColumn("{task.fields[note]}")]
            self._rich = RichProgress(*columns, console=self.console, transient=True)

    def __enter__(self) -> Progress:
        if self._rich:
            self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._rich:
            self._rich.stop()

    def __call__(self, line: str) -> None:
        """Show a line: in place of the one before on a terminal, below it elsewhere."""
        if self._rich:
            self._clear()
            self._rich.add_task(line, total=None, note="")
        else:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _clear(self) -> None:
        for known in self._rich.task_ids:
            self._rich.remove_task(known)

    def bar(self, description: str, total: int, done: int = 0) -> Callable[[int, str], None]:
        """Start a bar; call the result with what is done and a note."""
        if self._rich:
            self._clear()
            task = self._rich.add_task(description, total=total, completed=done, note="")
            return lambda now, note: self._rich.update(task, completed=now, note=note)
        began = printed = time.monotonic()

        def show(now: int, note: str) -> None:
            nonlocal printed
            moment = time.monotonic()
            if moment - printed >= PLAIN_EVERY or now == total:
                printed = moment
                left = f", {(moment - began) / (now - done) * (total - now):.0f} s left" if now > done else ""
                self(f"{description}: {now} of {total}{left}" + (f", {note}" if note else ""))

        return show
