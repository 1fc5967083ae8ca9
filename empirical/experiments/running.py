"""What `run` and `sweep` share: methods of an experiment are run where a killed run left them, and what they found is put in its place."""

from __future__ import annotations

import difflib
import fnmatch
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch

from .. import records
from ..data.sources import FOLDER_VARIABLE
from ..progress import Progress
from ..records import Record
from . import EXPERIMENTS
from .longer import GOES_ON_FROM, KEPT, kept_by
from .methods import slug


class JobError(ValueError):
    """What was asked for is not there, or cannot be written; the message says what to do."""


@dataclass(frozen=True)
class Job:
    """Methods of one experiment at one tier, from one first seed.

    Attributes:
        experiment: a key of EXPERIMENTS.
        tier: one of its tiers.
        methods: some of its METHODS, by name or by a pattern such as "omniglot*"; none stands for all.
        seed: the first one.
        out: the folder of the records.
        device: "cpu" or "cuda".
        data: the folder of the image data sets, where not the one that `empirical.data` looks in.

    Raises:
        JobError: an experiment, a tier or a method that there is not; a seed out of range; no such device here.
    """

    experiment: str
    tier: str
    methods: tuple[str, ...] = ()
    seed: int = 0
    out: Path = Path("results")
    device: str = "cpu"
    data: Path | None = None

    def __post_init__(self) -> None:
        if self.experiment not in EXPERIMENTS:
            near = _nearest(self.experiment, EXPERIMENTS)
            raise JobError(f"there is no experiment {self.experiment!r}; the nearest is {near!r}")
        if self.tier not in self.module.TIERS:
            raise JobError(f"{self.experiment} has no tier {self.tier!r}; it has {', '.join(self.module.TIERS)}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise JobError(
                "--device cuda was asked for, and torch finds no CUDA device here; leave it out to run on the CPU"
            )
        if not 0 <= self.seed < 2**32:
            raise JobError(f"the seed is {self.seed}; expected a number from 0 to 2^32 - 1")
        known = methods_of(self.experiment)
        # a pattern stands for several, in the experiment's order; a pattern of none stays as it is, and is refused
        named = [name for given in self.methods for name in fnmatch.filter(known, given) or [given]]
        for name in named:
            if not known:
                raise JobError(f"{self.experiment} has no methods to choose from; leave --method out")
            if name not in known:
                raise JobError(
                    f"{self.experiment} has no method {name!r}; the nearest is {_nearest(name, known)!r}, and all are "
                    f"{', '.join(known)}"
                )
        object.__setattr__(self, "methods", tuple(dict.fromkeys(named or known)))

    @property
    def module(self) -> ModuleType:
        """The experiment's own."""
        return EXPERIMENTS[self.experiment]

    @property
    def path(self) -> Path:
        """The file of the experiment's records."""
        # Only the full tier may fill the place that figures read.
        suffix = ".jsonl" if self.tier == "full" else f".{self.tier}.jsonl"
        return self.out / f"{self.experiment}{suffix}"

    @property
    def work(self) -> Path | None:
        """The folder that a killed run goes on from; None for an experiment without METHODS, which starts anew."""
        return self.out / ".unfinished" / f"{self.experiment}.{self.tier}" if self.methods else None

    def make_folder(self) -> None:
        """Before the run, so that no finished run is lost to a bad folder. Raises JobError where that fails."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobError(
                f"the record cannot be written under {str(self.out)!r} ({error.strerror}); give another --out"
            ) from None

    def run(self, progress: Progress | None = None, recorded: Sequence[Record] = ()) -> list[Record]:
        """Run the methods, but for what stands finished in `work` or among `recorded`, and return their records.

        Raises what the experiment raises: DivergenceError, CheckpointError, DataError.
        """
        if self.data is not None:
            os.environ[FOLDER_VARIABLE] = str(self.data)  # of the process that runs it, which may be another machine's
        given = {"methods": self.methods, "work": self.work, "recorded": recorded} if self.methods else {}
        if not self.methods and (found := self._among(recorded)):
            return found
        return self.module.run(self.tier, device=self.device, seed=self.seed, progress=progress, **given)

    def _among(self, recorded: Sequence[Record]) -> list[Record]:
        """Those that a run of an experiment without METHODS would leave here: all of its file, or none."""
        if not recorded or any(record.tier != self.tier or record.seeds[0] != self.seed for record in recorded):
            return []
        here = records.decisive(records.environment(self.device, torch.float64))
        return list(recorded) if all(records.decisive(record.environment) == here for record in recorded) else []

    def write(self, found: Sequence[Record]) -> None:
        """Put records in the experiment's file, those of methods beside the others', and clear what was left to go on from.

        Raises JobError where the file holds something else, or cannot be written.
        """
        try:
            if self.methods:
                records.replace(self.path, found, methods_of(self.experiment))
                self.clear()
            else:
                records.write(self.path, found)
        except records.RecordError as error:
            raise JobError(f"{error} Move that file away; the new records are kept in {str(self.work)!r}") from None
        except OSError as error:
            raise JobError(
                f"the record cannot be written to {str(self.path)!r} ({error.strerror}); give another --out"
            ) from None

    def clear(self) -> None:
        """Delete what these methods have left in the folder of unfinished runs, but for what a longer tier goes on from."""
        if self.work is None:
            return
        for folder in (self.work / slug(name) for name in self.methods):
            for left in folder.glob("*"):
                if not left.is_dir():
                    left.unlink(missing_ok=True)
                elif left.name != KEPT:
                    shutil.rmtree(left, ignore_errors=True)
            _remove_if_empty(folder)
        _remove_if_empty(self.work)

    def start_anew(self) -> None:
        """Delete what is left to go on from: a killed run's, and what a shorter tier has kept for this one."""
        self.clear()
        shorter = GOES_ON_FROM.get(self.tier)
        if self.work is not None and shorter is not None:
            for name in self.methods:
                shutil.rmtree(kept_by(shorter, self.work / slug(name)), ignore_errors=True)


def methods_of(experiment: str) -> tuple[str, ...]:
    """The METHODS of an experiment, none where it has none."""
    return tuple(getattr(EXPERIMENTS[experiment], "METHODS", ()))


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not empty, or not there
        folder.rmdir()


def _nearest(name: str, known: Sequence[str]) -> str:
    return difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
