"""How much memory the gradient of log sigma^2 takes: Shrinkage's (4) against differentiating through every inner step.

Each measurement is a process of its own, since a process's peak memory never falls.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn

from .. import records
from ..meta_learners import Shrinkage
from ..modules import per_tensor
from ..objective import flatten, of_module

STEPS = {"h_free": (10, 100, 1000), "unrolled": (10, 100)}
"""The lengths of the inner loop that are measured; at 1000 steps the unrolled loop would take gigabytes."""
TASKS = 32


def compare(steps: dict[str, tuple[int, ...]] = STEPS) -> dict[str, object]:
    """Peak memory in MiB above what the process held before, and seconds, of one meta-gradient by each way.

    Returns: for "h_free" and "unrolled" one measurement for each number of steps, and `growth`, the longest loop's memory over
    the shortest one's. Raises RuntimeError where a measurement fails, or the two ways differ in the loss at the same length.
    """
    found: dict[str, object] = {"model": "perceptron 16-128-128-4", "tasks": TASKS, "observations": 20}
    rows = {way: [{"steps": count} | _measured(way, count) for count in counts] for way, counts in steps.items()}
    ours, theirs = rows["h_free"][0], rows["unrolled"][0]
    if (
        ours["steps"] == theirs["steps"]
        and abs(ours["query_loss"] - theirs["query_loss"]) > 1e-9 * theirs["query_loss"]
    ):
        raise RuntimeError(f"The two gradients were taken at different losses: {ours} against {theirs}.")
    growth = {way: measured[-1]["peak_mib"] / measured[0]["peak_mib"] for way, measured in rows.items()}
    return found | rows | {"growth": growth, "environment": records.environment("cpu", torch.float64)}


def _measured(gradient: str, steps: int) -> dict[str, float]:
    command = [sys.executable, "-m", "empirical.benchmarks.shrinkage_memory", gradient, str(steps)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Measuring {gradient} with {steps} steps failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout)


def peak_mib() -> float:
    """The most memory that this process has held. Not ru_maxrss on Linux: a process takes that over from its parent."""
    status = Path("/proc/self/status")
    if status.exists():
        return float(re.search(r"VmHWM:\s*(\d+) kB", status.read_text()).group(1)) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measure(gradient: str, steps: int) -> dict[str, float]:
    """One meta-gradient of Shrinkage on a small network, in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(), nn.Linear(128, 4)).double()
    objective = of_module(model, lambda out, y: (out - y).square().sum() / 2)
    learner = Shrinkage(objective, per_tensor(model), steps, 1e-3, gradient=gradient)
    learned = learner.init(flatten(model)[None], 1.0)
    data = [(torch.randn(1, TASKS, 20, 16).double(), torch.randn(1, TASKS, 20, 4).double()) for _ in range(2)]
    # one short loop each way, so that what torch loads on first use is not counted
    first = [tuple(part[:, :1] for part in pair) for pair in data]
    Shrinkage(objective, per_tensor(model), 1, 1e-3, gradient=gradient).gradients(learned, *first)
    before, began = peak_mib(), time.perf_counter()
    _, loss = learner.gradients(learned, *data)
    seconds = time.perf_counter() - began
    return {"peak_mib": peak_mib() - before, "seconds": seconds, "query_loss": float(loss)}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
