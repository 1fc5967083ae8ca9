"""What a run has measured at its meta-iterations, kept beside its checkpoint, so that a killed run measures nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

from .. import records
from ..trainer import CheckpointError, Trainer


class Looks:
    """Numbers by meta-iteration, each a list by run, with None for what is not finite.

    Args:
        work: the run's own folder; None keeps nothing.
        key: says what run this is.

    Raises:
        CheckpointError: the folder holds another run's numbers, or a damaged file.
    """

    def __init__(self, work: Path | None, key: str):
        self._file = None if work is None else work / "tested.json"
        self._key = key
        self._found: dict[str, list[float | None]] = {}
        if self._file is None or not self._file.exists():
            return
        try:
            found = json.loads(self._file.read_text())
            of_this_run = found["fingerprint"] == key
            self._found = dict(found["accuracy"])
        except (ValueError, TypeError, KeyError):
            raise CheckpointError(
                f"{self._file} is damaged: delete it and what stands beside it to run anew."
            ) from None
        if not of_this_run:
            raise CheckpointError(
                f"{self._file} belongs to a run with other settings or code: delete it and what stands beside it."
            )

    def missing(self, at: int, trainer: Trainer) -> bool:
        """Whether this meta-iteration has still to be looked at. Raises CheckpointError where the trainer is past it."""
        if str(at) in self._found:
            return False
        if trainer.iteration > at:
            raise CheckpointError(
                f"{trainer.checkpoint} has weights of meta-iteration {trainer.iteration} and there is no test of meta-iteration {at}: "
                "delete it to run anew."
            )
        return True

    def keep(self, at: int, values: list[float | None]) -> None:
        """Write down what was measured, all at once or not at all."""
        self._found[str(at)] = values
        if self._file is not None:
            text = json.dumps({"fingerprint": self._key, "accuracy": self._found}) + "\n"
            records.write_text(self._file, text)

    def __getitem__(self, at: int) -> list[float | None]:
        return self._found[str(at)]
