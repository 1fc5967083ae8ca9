"""What is measured along meta-training and after it, kept beside the checkpoint, so that a killed run measures nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import records
from ..meta_learners.maml import MAML
from ..progress import Progress
from ..trainer import CheckpointError, Trainer


def accuracies(
    learner: MAML, learned: dict[str, Tensor], test: Iterable[tuple[Tensor, ...]], steps: int | None = None
) -> np.ndarray:
    """Of each run on each test task, after adaptation: (R, T)."""
    found = [learner.evaluate(learned, batch, steps)["accuracy"].cpu().double() for batch in test]
    return torch.cat(found, dim=1).numpy()


def surviving(
    learner: MAML, trainer: Trainer, test: Iterable[tuple[Tensor, ...]], steps: int | None = None
) -> np.ndarray:
    """As `accuracies`, of what the trainer has learned; nan for a run that has diverged."""
    found = accuracies(learner, trainer.learned, test, steps)
    found[(trainer.diverged_at >= 0).cpu().numpy()] = np.nan
    return found


class Kept:
    """What a run has measured, by name, in a file of the run's own folder: a run that is killed measures nothing twice.

    Args:
        work: the folder; None keeps nothing.
        key: says what run this is.
        name: of the file.

    Raises:
        CheckpointError: the folder holds another run's numbers, or a damaged file.
    """

    def __init__(self, work: Path | None, key: str, name: str = "measured.json"):
        self._file = None if work is None else work / name
        self._key = key
        self._found: dict[str, Any] = {}
        if self._file is None or not self._file.exists():
            return
        try:
            found = json.loads(self._file.read_text())
            of_this_run = found["fingerprint"] == key
            self._found = dict(found["measured"])
        except (ValueError, TypeError, KeyError):
            raise CheckpointError(
                f"{self._file} is damaged: delete it and what stands beside it to run anew."
            ) from None
        if not of_this_run:
            raise CheckpointError(
                f"{self._file} belongs to a run with other settings or code: delete it and what stands beside it."
            )

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def once(self, name: str, measure: Callable[[], Any]) -> Any:
        """What `measure` finds, plain JSON data (nan is allowed), or what it found when it was called before."""
        if name not in self._found:
            self._found[name] = measure()
            if self._file is not None:
                text = json.dumps({"fingerprint": self._key, "measured": self._found}) + "\n"
                records.write_text(self._file, text)
        return self._found[name]


def along(
    kept: Kept,
    trainer: Trainer,
    places: Sequence[int],
    measure: Callable[[], dict[str, Any]],
    progress: Progress | None = None,
) -> dict[int, dict[str, Any]]:
    """Train to each of these meta-iterations and measure there: "accuracy", by run and None where not finite, and what else there is.

    Raises CheckpointError where the trainer's checkpoint is past a place that was not measured.
    """
    trainer.fit(0)  # from its checkpoint, if there is one
    begun, found = trainer.iteration, {}
    bar = progress.bar(trainer.description, places[-1], begun) if progress and places[-1] else None
    for at in places:
        trainer.fit(at)
        name = f"meta-iteration {at}"
        if name not in kept and trainer.iteration > at:
            raise CheckpointError(
                f"{trainer.checkpoint} has weights of meta-iteration {trainer.iteration} and there is no test of meta-iteration {at}: "
                "delete it to run anew."
            )
        found[at] = kept.once(name, measure)
        if bar and at >= begun:
            bar(at, ", ".join("diverged" if a is None else f"{a:.4f}" for a in found[at]["accuracy"]))
    return found
