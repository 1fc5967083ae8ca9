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
from torch import Tensor, nn

from .. import records
from ..meta_learners import Shrinkage
from ..modules import per_tensor

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


def table(found: dict[str, object]) -> str:
    """What `compare` found, for reading."""
    lines = [
        f"One meta-gradient of Shrinkage, {found['model']}, {found['tasks']} tasks; memory above what the process held before"
    ]
    for way in ("h_free", "unrolled"):
        for row in found[way]:
            lines.append(f"{way:10}K = {row['steps']:<6}{row['peak_mib']:8.1f} MiB{row['seconds']:9.2f} s")
    for way, growth in found["growth"].items():
        first, *_, last = (row["steps"] for row in found[way])
        lines.append(f"{way}: {growth:.2f} times the memory for {last // first} times the steps")
    return "\n".join(lines)


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

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().sum() / 2

    def learner(steps: int) -> Shrinkage:
        return Shrinkage(model, loss, modules=per_tensor(model), steps=steps, inner_lr=1e-3, gradient=gradient)

    learned = learner(steps).init(1)
    batch = tuple(torch.randn(1, TASKS, 20, width).double() for width in (16, 4, 16, 4))
    # one short loop each way, so that what torch loads on first use is not counted
    learner(1).gradients(learned, tuple(part[:, :1] for part in batch))
    before, began = peak_mib(), time.perf_counter()
    _, measured = learner(steps).gradients(learned, batch)
    seconds = time.perf_counter() - began
    return {"peak_mib": peak_mib() - before, "seconds": seconds, "query_loss": float(measured["loss"])}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
