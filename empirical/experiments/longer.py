"""The end of a training, kept so that a longer tier goes on from there.

A tier that trains as another does, only longer, would repeat it. So the shorter one leaves its checkpoint and its looks in its folder when
it has finished, and the longer one takes them where it has nothing of its own yet and the same code, settings and machine made them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from .. import distributed
from ..progress import Progress

CHECKPOINT, LOOKS = "trained.safetensors", "looks.json"
KEPT = "kept"
"""The folder, in a method's own, that outlives its run."""


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


def take(work: Path, shorter: Path, key: str, progress: Progress | None = None) -> None:
    """Put what a shorter run has kept in its folder into this one, where this one has no checkpoint and the looks are of this key."""
    kept = shorter / KEPT
    if not (work / CHECKPOINT).exists() and kept.is_dir() and distributed.rank() == 0:
        fits = _fingerprint(kept / LOOKS) == key
        if fits:
            work.mkdir(parents=True, exist_ok=True)
            for name in (LOOKS, CHECKPOINT):  # the checkpoint says that all is there
                shutil.copy2(kept / name, work / f"{name}.part")
                os.replace(work / f"{name}.part", work / name)
        if progress:
            anew = f"begins anew: {kept} is of other code, libraries, settings or threads, or damaged"
            progress(f"goes on from {kept}" if fits else anew)
    distributed.wait()


def _fingerprint(looks: Path) -> str | None:
    try:
        return json.loads(looks.read_text())["fingerprint"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
