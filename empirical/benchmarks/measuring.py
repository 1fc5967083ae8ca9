"""Time engines against each other on the workloads, after checking what they compute.

Every engine is an object with the interface `peers.Peer`; the one whose speed is in question is named "metaproof".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from .. import records
from .memory import peak_of_step
from .peers import PEERS, Failed, Peer, Prepared
from .workloads import FLOORS, Workload

OURS, UNCOMPILED = "metaproof", "uncompiled"
"""This package's engine, with its steps compiled and as they are."""
TOLERANCE = 1e-10
"""The relative error in float64, of the meta-gradient and of the losses of STEPS meta-iterations, up to which an engine is right."""
STEPS = 3
PERTURBATION = 0.05


def compare(
    workloads: Iterable[Workload],
    engines: Sequence[Peer],
    rounds: int = 7,
    *,
    at_least: float = 1.0,
    seed: int = 0,
    memory: Mapping[str, str] | None = None,
    report: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, object]:
    """Check each engine in float64, then time its meta-iterations in float32, on each workload.

    Args:
        workloads: what to measure on.
        engines: the engines, ours among them where it is to be compared ("metaproof").
        rounds: how many times all engines are timed in turn.
        at_least: seconds. So long is an engine timed in each round, by repeating short meta-iterations.
        seed: of the data and the initial values.
        memory: engines by name, as "MODULE:NAME", whose peak memory in one step is measured too, each in a process of its own;
            those other than "loop" only where the workload names a chunk.
        report: called with a line on what is being done.
        clock: seconds; for tests.

    Returns: JSON data. For each workload its `floor`; the `best_peer`, which is the fastest that is right; `speedup`, by how much
    ours is faster than that; whether the floor is `met` (None where it has none, or one of the two times is missing); and for
    each engine either `missing`, a reason, or `gradient_error`, `loss_error`, `right`, `median_ms` per meta-iteration, its
    quartiles over rounds, and `ratio`, its time over ours.
    """
    found = {}
    for workload in workloads:
        report(f"{workload.name}: checking")
        rows: dict[str, dict[str, object]] = {}
        prepared: dict[str, Prepared] = {}
        oracle = _observed(PEERS["loop"], workload, seed)
        batch, initial = workload.batch(seed, torch.float32), workload.initial(seed, torch.float32)
        for engine in engines:
            try:
                reason = engine.available()
                if reason is None and not engine.supports(workload):
                    reason = f"{engine.name} cannot express {workload.name}."
                if reason is None:
                    rows[engine.name] = errors(_observed(engine, workload, seed), oracle)
                    prepared[engine.name] = engine.prepare(workload, batch, initial, torch.float32)
                    prepared[engine.name].step()  # what fails, fails here
            except Exception as error:  # the failure of one engine must not cost the others' results
                prepared.pop(engine.name, None)
                reason = _told(engine.name, error)
            if reason is not None:
                rows[engine.name] = {"missing": reason}
        report(f"{workload.name}: timing {', '.join(prepared)}")
        runs = {name: getattr(p, "timed", None) or partial(timed, p, clock=clock) for name, p in prepared.items()}
        seconds, failures = interleaved(runs, rounds, at_least)
        rows |= {name: rows[name] | summary(each) for name, each in seconds.items()}
        rows |= {name: {"missing": _told(name, error)} for name, error in failures.items()}
        for name, origin in (memory or {}).items():
            if name in seconds and (name == "loop" or workload.chunk is not None):
                try:
                    rows[name]["memory"] = peak_of_step(workload.name, origin, workload.chunk)
                except RuntimeError as error:
                    rows[name]["memory"] = {"missing": str(error)}
        found[workload.name] = judged(rows, FLOORS.get(workload.name))
    return {
        "rounds": rounds,
        "tolerance": TOLERANCE,
        "environment": records.environment("cpu", torch.float32),
        "workloads": found,
    }


def _told(name: str, error: Exception) -> str:
    kind = "" if isinstance(error, Failed) else f"{type(error).__name__}: "
    return f"{name} failed: {kind}{error}"


def _observed(engine: Peer, workload: Workload, seed: int) -> tuple[dict[str, Tensor], list[float]]:
    """The meta-gradient in float64, at values that hide nothing, and the losses of the first meta-iterations."""
    initial = workload.initial(seed, torch.float64, PERTURBATION)
    prepared = engine.prepare(workload, workload.batch(seed, torch.float64), initial, torch.float64)
    return prepared.gradient(), [prepared.step() for _ in range(STEPS)]


def errors(
    observed: tuple[dict[str, Tensor], list[float]], expected: tuple[dict[str, Tensor], list[float]]
) -> dict[str, object]:
    """How far an engine's gradient and losses are from the oracle's; a gradient with other names or shapes is wholly wrong.

    The losses show whether the whole meta-iteration, which is what is timed, follows the gradient that was checked.
    """
    (gradient, losses), (true_gradient, true_losses) = observed, expected
    gradient_error = math.inf
    if {n: g.shape for n, g in gradient.items()} == {n: g.shape for n, g in true_gradient.items()}:
        difference = sum((g - true_gradient[n]).square().sum().item() for n, g in gradient.items())
        gradient_error = math.sqrt(difference / sum(g.square().sum().item() for g in true_gradient.values()))
    differences = [abs(a - b) / abs(b) for a, b in zip(losses, true_losses, strict=True)]
    loss_error = math.nan if any(map(math.isnan, differences)) else max(differences)
    right = gradient_error <= TOLERANCE and loss_error <= TOLERANCE  # false for NaN too
    return {"gradient_error": gradient_error, "loss_error": loss_error, "right": right}


def timed(engine: Prepared, repetitions: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds for each of so many meta-iterations."""
    began = clock()
    for _ in range(repetitions):
        engine.step()
    return (clock() - began) / repetitions


def interleaved(
    engines: Mapping[str, Callable[[int], float]], rounds: int, at_least: float
) -> tuple[dict[str, list[float]], dict[str, Exception]]:
    """Seconds per meta-iteration, one number for each engine and round; and what the engines that failed have raised.

    An engine is a function from a number of meta-iterations to the seconds for each. The engines take turns of `at_least` so many
    seconds, so that what else the machine does falls on all alike; another one begins each round.
    """
    failures: dict[str, Exception] = {}

    def run(name: str, repetitions: int) -> float:
        if name in failures:
            return math.nan
        try:
            return engines[name](repetitions)
        except Exception as error:
            failures[name] = error
            return math.nan

    for name in engines:
        run(name, 1)  # warm up
    estimates = {name: max(run(name, 1), 1e-6) for name in engines}
    for name in engines:
        if estimates[name] < at_least:  # the first estimate of a short time is a poor one
            estimates[name] = max(run(name, math.ceil(at_least / estimates[name])), 1e-6)
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for turn in range(rounds):
        names = [name for name in engines if name not in failures]
        first = turn % len(names) if names else 0
        for name in names[first:] + names[:first]:
            if estimates[name] < at_least:
                run(name, 1)  # untimed: the caches still hold what the engine before has used
            seconds[name].append(run(name, math.ceil(at_least / estimates[name])))
    return {name: each for name, each in seconds.items() if name not in failures}, failures


def summary(seconds: list[float]) -> dict[str, float]:
    """Median and quartiles in milliseconds."""
    quartiles = torch.tensor(seconds, dtype=torch.float64).quantile(torch.tensor([0.25, 0.5, 0.75]).double()) * 1e3
    return dict(zip(("lower_quartile_ms", "median_ms", "upper_quartile_ms"), quartiles.tolist(), strict=True))


def judged(rows: dict[str, dict[str, object]], floor: float | None) -> dict[str, object]:
    """The engines' rows with each one's time over ours, the best peer, and whether ours is as much faster as it has to be."""
    ours = rows.get(OURS, {}).get("median_ms")
    if ours is not None:
        rows = {n: row | ({"ratio": row["median_ms"] / ours} if "median_ms" in row else {}) for n, row in rows.items()}
    right = [name for name, row in rows.items() if name not in (OURS, UNCOMPILED) and row.get("right")]
    best = min(right, key=lambda name: rows[name]["median_ms"], default=None)
    speedup = rows[best].get("ratio") if best else None
    met = None
    if floor is not None and speedup is not None:
        met = bool(rows[OURS]["right"]) and speedup >= floor  # a fast wrong answer meets nothing
    return {"floor": floor, "best_peer": best, "speedup": speedup, "met": met, "engines": rows}


def table(found: dict[str, object], markdown: bool = False) -> str:
    """What `compare` found, for reading: median milliseconds per meta-iteration, with "!" where the engine is wrong.

    As Markdown it is the table alone; else reasons follow for what is missing or wrong.
    """
    workloads = found["workloads"]
    names = list(dict.fromkeys(name for result in workloads.values() for name in result["engines"]))
    lines = [["", *names, "best peer", "speedup", "floor", "met"]]
    reasons = {}
    for workload, result in workloads.items():
        cells = [workload]
        for name in names:
            row = result["engines"].get(name, {})
            if "median_ms" in row:
                cells.append(_milliseconds(row["median_ms"]) + ("" if row["right"] else "!"))
                if not row["right"]:
                    told = f"its meta-gradient is off by {row['gradient_error']:.1g}, its losses by {row['loss_error']:.1g}"
                    reasons[f"! {name} is wrong on {workload}: {told}"] = None
            else:
                cells.append("-")
                reasons |= {row["missing"]: None} if "missing" in row else {}
        speedup, floor, met = result["speedup"], result["floor"], result["met"]
        cells += [result["best_peer"] or "-", "-" if speedup is None else f"{speedup:.2f}"]
        cells += ["-" if floor is None else f"{floor:g}", {None: "-", True: "yes", False: "NO"}[met]]
        lines.append(cells)
    if markdown:
        lines.insert(1, ["---", *["---:"] * (len(lines[0]) - 1)])
        return "\n".join(f"| {' | '.join(row)} |" for row in lines)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        [
            "Milliseconds per meta-iteration, float32 (medians)",
            *("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in lines),
            *reasons,
        ]
    )


def _milliseconds(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
