"""Calls side by side, each with its share of the CPU's threads.

The tensors of a few tasks are too small for two threads to share each operation well: they would wait for each other several hundred
times in a meta-step. A thread that takes whole tasks waits for nobody, and what it works on stays in its own cache. Compiled
code runs without Python's lock, so that threads are enough for this.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch


class SideBySide:
    """Calls of one function, some of them at a time.

    Args:
        most: how many at a time, as far as torch has threads.

    Attributes:
        at_once: how many at a time.
        threads: what each takes of torch's threads, or None where one call at a time takes them all.
    """

    def __init__(self, most: int):
        total = torch.get_num_threads()
        self.at_once = min(most, total)
        self.threads = total // self.at_once if self.at_once > 1 else None

    def map(self, function: Callable[[Any], Any], arguments: Iterable[Any]) -> Iterator[Any]:
        """The results, in the arguments' order, whichever call ends first."""
        if self.threads is None:
            return map(function, arguments)
        return _pool(self.at_once, self.threads).map(function, arguments)


@cache
def _pool(workers: int, threads: int) -> ThreadPoolExecutor:
    """Workers that have been started; every trainer of a process shares them."""
    total, started = torch.get_num_threads(), threading.Barrier(workers + 1)

    def start() -> None:
        torch.get_num_threads()  # a thread takes over the number of all at its first use, and may have its own after that
        torch.set_num_threads(threads)
        started.wait()

    pool = ThreadPoolExecutor(workers, "side-by-side", start)
    for _ in range(workers):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(total)  # a worker sets its own number, and that of threads still to come
    return pool
