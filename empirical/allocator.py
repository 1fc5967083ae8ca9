"""Freed memory kept for the next step, on Linux."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


@cache
def keep_freed_memory() -> bool:
    """Ask the C library not to give large blocks back to the system after every use; whether it took that.

    By default a tensor of some megabytes is mapped from the system and unmapped again each time, and every page of it faults once
    for each use: a meta-step of images takes up to twice as long. The process then holds what it needed at most.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all(
        [mallopt(M_MMAP_THRESHOLD, 1 << 30), mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1), mallopt(M_TOP_PAD, 1 << 26)]
    )
