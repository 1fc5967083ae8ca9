"""The memory that one meta-iteration takes, in a process of its own, since a process's peak memory never falls by itself."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import importlib
import json
import subprocess
import sys
from pathlib import Path

import torch

from .shrinkage_memory import peak_mib
from .workloads import WORKLOADS


def peak_of_step(workload: str, engine: str, chunk: int | None = None) -> dict[str, float]:
    """Peak memory of one meta-iteration in float32, in MiB above what the process held before it.

    Args:
        workload: a name in WORKLOADS.
        engine: where a fresh process finds the engine, "MODULE:NAME"; NAME is an engine, or a class that makes one.
        chunk: replaces the workload's chunk where given.

    Returns: `step_mib`, and `held_mib`, what preparing and a first meta-iteration have left behind.

    Raises:
        RuntimeError: the process failed.
    """
    command = [sys.executable, "-m", "empirical.benchmarks.memory", workload, engine, json.dumps(chunk)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Measuring {engine} on {workload} failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure(name: str, origin: str, chunk: int | None) -> dict[str, float]:
    module, _, attribute = origin.partition(":")
    engine = getattr(importlib.import_module(module), attribute)
    engine = engine() if isinstance(engine, type) else engine
    workload = WORKLOADS[name]
    if chunk is not None:
        workload = dataclasses.replace(workload, chunk=chunk)
    dtype = torch.float32
    before = _settled()
    prepared = engine.prepare(workload, workload.batch(0, dtype), workload.initial(0, dtype), dtype)
    prepared.step()  # loads, and compiles, what is needed on first use
    held = _settled()
    prepared.step()
    return {"step_mib": peak_mib() - held, "held_mib": held - before}


def _settled() -> float:
    """Give free memory back to the system and forget the peak so far, where the system can; returns the peak in MiB."""
    gc.collect()
    if sys.platform == "linux":
        try:
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
        except (AttributeError, OSError):
            pass  # the first meta-iteration's peak then stays the process's, and the second shows only what goes beyond
    return peak_mib()


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))
