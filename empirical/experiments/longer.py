"""The end of a training, kept so that a longer tier goes on from there.

A tier that trains as another does, only longer, would repeat it. So the shorter one leaves its checkpoint and its looks in its folder when
it has finished, and the longer one takes them where it has nothing of its own yet and the same code, settings and machine made them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open

from .. import distributed
from ..progress import Progress

GOES_ON_FROM = {"long": "lite"}
"""Of a tier that trains as another does, only longer, that other."""
CHECKPOINT, LOOKS = "trained.safetensors", "looks.json"
KEPT = "kept"
"""The folder, in a method's own, that outlives its run."""


def kept_by(tier: str, work: Path) -> Path:
    """What a tier has kept of the method whose folder at another tier this is: they stand side by side as EXPERIMENT.TIER/METHOD."""
    return work.parent.with_suffix(f".{tier}") / work.name / KEPT


def keep(work: Path) -> None:
    """Keep what was trained in this folder, in place of what was kept before."""
    if distributed.rank() > 0:
        return
    kept, part = work / KEPT, work / f"{KEPT}.part"
    for old in (part, kept):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir()
    for name in (CHECKPOINT, LOOKS):
        shutil.copy2(work / name, part)
    os.replace(part, kept)


def take(work: Path, kept: Path, key: str, progress: Progress | None = None) -> None:
    """Put what was kept into this folder, where this one has no checkpoint, and the looks are of this key."""
    if not (work / CHECKPOINT).exists() and kept.is_dir() and distributed.rank() == 0:
        fits = _fingerprint(kept) == key
        if fits:
            work.mkdir(parents=True, exist_ok=True)
            for name in (LOOKS, CHECKPOINT):  # the checkpoint says that all is there
                shutil.copy2(kept / name, work / f"{name}.part")
                os.replace(work / f"{name}.part", work / name)
        if progress:
            anew = f"begins anew: {kept} is damaged, or of another seed, other code, libraries, threads or compilation"
            progress(f"goes on from {kept}" if fits else anew)
    distributed.wait()


def _fingerprint(kept: Path) -> str | None:
    """That of the looks; None where they or the checkpoint cannot be read."""
    try:
        with safe_open(kept / CHECKPOINT, "pt"):
            return json.loads((kept / LOOKS).read_text())["fingerprint"]
    except (OSError, ValueError, TypeError, KeyError, SafetensorError):
        return None
