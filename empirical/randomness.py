"""Random numbers keyed by what they are for, so that a resumed or reordered run draws the same ones."""

from __future__ import annotations

import numpy as np
import torch

STREAMS = ("training", "validation", "test", "search", "initial", "pool")
"""What random numbers are drawn for; the streams of one seed are independent of each other."""


def generator(seed: int, stream: str, step: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one seed, one stream and one step. Raises ValueError for a negative number or an unknown stream."""
    if stream not in STREAMS or seed < 0 or step < 0:
        raise ValueError(
            f"Got seed {seed}, stream {stream!r}, step {step}: expected numbers from 0 up and a stream of {', '.join(STREAMS)}."
        )
    key = np.random.SeedSequence([seed, STREAMS.index(stream), step]).generate_state(2, np.uint32)
    return torch.Generator(device).manual_seed(int(key[0]) << 32 | int(key[1]))
