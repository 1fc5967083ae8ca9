"""How fast the exact MAML loss is derived, against the same derivation in plain `sympy.Poly` arithmetic."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable
from time import perf_counter

import flint
import sympy
from flint import fmpq_mpoly

from .linear_network import LinearNetwork
from .maml import Maml
from .symbols import alpha, theta, weight_symbols

__all__ = ["compare"]


def _by_sympy(depth: int, steps: int) -> sympy.Poly:
    """The MAML loss with default parameters and symbolic α, in `sympy.Poly` arithmetic from the first step to the last."""
    names = weight_symbols(depth)
    gens = (*names, alpha, theta)
    half = sympy.Rational(1, 2)

    def product(polys: list[sympy.Poly]) -> sympy.Poly:
        total = sympy.Poly(1, *gens, domain="QQ")
        for poly in polys:
            total *= poly
        return total

    weights = [sympy.Poly(name, *gens, domain="QQ") for name in names]
    rate, task = (sympy.Poly(symbol, *gens, domain="QQ") for symbol in (alpha, theta))
    for _ in range(steps):
        error = product(weights) - task
        weights = [w - rate * error * product(weights[:i] + weights[i + 1 :]) for i, w in enumerate(weights)]
    loss = (product(weights) - task) ** 2 * half + half
    moments: dict[tuple[int, ...], sympy.Rational] = {}
    for powers, c in loss.terms():
        if powers[-1] % 2 == 0:
            key = (*powers[:-1], 0)
            moments[key] = moments.get(key, 0) + c * sympy.factorial2(powers[-1] - 1)
    return sympy.Poly.from_dict(moments, *gens, domain="QQ")


def _by_flint(depth: int, steps: int) -> fmpq_mpoly:
    return Maml(LinearNetwork(depth), steps=steps).loss


def _timed(task: Callable[[], object], repeats: int) -> tuple[float, object]:
    seconds, result = [], None
    for _ in range(repeats):
        start = perf_counter()
        result = task()
        seconds.append(perf_counter() - start)
    return statistics.median(seconds), result


def compare(depth: int = 2, steps: int = 3, repeats: int = 5) -> dict[str, object]:
    """Derive the loss both ways in one run, check that they are the same polynomial, and time them.

    Returns:
        depth, steps, number of terms, median seconds of `analysis` (`repeats` runs, caches cold) and of sympy (one run), their
        ratio, and the versions behind them.

    Raises:
        ArithmeticError: the two polynomials differ.
    """
    _by_flint(1, 1)  # imports and python-flint's own start-up are not what is measured
    ours, loss = _timed(lambda: _by_flint(depth, steps), repeats)
    peer, poly = _timed(lambda: _by_sympy(depth, steps), 1)
    terms = {tuple(map(int, powers)): sympy.Rational(int(c.p), int(c.q)) for powers, c in loss.to_dict().items()}
    if {(*p[: depth + 1], 0): c for p, c in terms.items()} != dict(poly.terms()):
        raise ArithmeticError(f"python-flint and sympy derive different losses at depth {depth}, {steps} steps")
    return {
        "depth": depth,
        "steps": steps,
        "terms": len(terms),
        "analysis_seconds": ours,
        "sympy_seconds": peer,
        "ratio": peer / ours,
        "environment": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "sympy": sympy.__version__,
            "python_flint": flint.__version__,
        },
    }
