"""What experiments of several methods share: each method is run and resumed by itself, and leaves records by its name."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from .. import records
from ..progress import Progress
from ..records import Record
from ..trainer import CheckpointError


class Run(Protocol):
    """One method of an experiment, at one tier.

    Attributes:
        key: says what run this is (see `fingerprint`); its records carry it in their details.
    """

    key: str

    def run(self) -> list[Record]:
        """Do it all."""


def runner(
    names: Collection[str], prepared: Callable[[str, str, str, int, Progress | None, Path | None], Run]
) -> Callable[..., list[Record]]:
    """The `run` of an experiment's module.

    Args:
        names: of the methods.
        prepared: from tier, method, device, seed, progress and the method's own folder to its run.
    """

    def run(
        tier: str,
        *,
        device: str = "cpu",
        seed: int = 0,
        progress: Progress | None = None,
        methods: Sequence[str] | None = None,
        work: Path | None = None,
        recorded: Sequence[Record] = (),
    ) -> list[Record]:
        """Run the methods (all by default) and return their records; not what is finished under `work` or among those `recorded`.

        Raises ValueError for an unknown method, CheckpointError where `work` holds another run.
        """
        unknown = [name for name in methods or () if name not in names]
        if unknown:
            raise ValueError(f"There is no method {unknown[0]!r}; the methods are {', '.join(names)}.")
        found = []
        for name in methods or names:
            folder = None if work is None else work / slug(name)
            prepared_run = prepared(tier, name, device, seed, progress, folder)
            # a method's records are written down all at once: one of them stands for all
            known = [record for record in recorded if record.details.get("fingerprint") == prepared_run.key]
            found += known or _finished(prepared_run, name, folder)
        return found

    return run


def slug(name: str) -> str:
    """The name of a method's folder under `work`."""
    return name.lower().replace(" ", "-").replace("/", "")


def _finished(run: Run, name: str, folder: Path | None) -> list[Record]:
    """The records of a method, from its folder where they stand there already."""
    done = None if folder is None else folder / "record.jsonl"
    if done is not None and done.exists():
        try:
            found = records.read(done)
        except (records.RecordError, ValueError) as error:
            raise CheckpointError(f"{done} is damaged ({error}): delete it to run {name} anew.") from None
        if not found:
            raise CheckpointError(f"{done} is empty: delete it to run {name} anew.")
        if all(record.details.get("fingerprint") == run.key for record in found):
            return found
    found = run.run()
    if done is not None:
        records.write(done, found)
    return found


def fingerprint(device: str, dtype: torch.dtype, *parts: Any) -> str:
    """A digest of these parts, plain JSON data, and of the code, libraries, device and threads: all that could change a run's numbers."""
    told = [*parts, *records.decisive(records.environment(device, dtype))]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def rounded(values: Any) -> list[float | None]:
    """Six significant digits, and None for what JSON has not; from a tensor, an array or a list."""
    listed = values.tolist() if hasattr(values, "tolist") else values
    return [float(f"{v:.6g}") if math.isfinite(v) else None for v in listed]


def blocks(curve: Tensor, at: list[int]) -> list[np.ndarray]:
    """Means (R,) over the meta-iterations between each two of `at`; nan from where a run has diverged."""
    values = curve.numpy()
    return [
        values[first:last].mean(0) if len(values) >= last else np.full(values.shape[1], np.nan)
        for first, last in pairwise(at)
    ]
