"""Symbols and small derivations that several claims of chen2019 share: the toy of Appendix B, and two modules for Appendix C.

Where a formula sums over tasks or observations it is judged for T = 3 tasks (two modules: T = 2) and N symbolic, or N = 2
where single observations appear; the witness takes T = 3, N = 2, K = 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import sympy
from sympy.polys.matrices import DomainMatrix

from analysis import HierarchicalNormal, ModularMap

__all__ = [
    "HALF",
    "MEANS",
    "TASKS",
    "THETA",
    "TOY",
    "VALIDATION",
    "WHOLE",
    "K",
    "N",
    "S",
    "T",
    "TwoModules",
    "grand_mean",
    "lowest_terms",
    "phi",
    "phi_true",
    "s",
    "true2",
    "solved_two_modules",
    "two_modules",
    "x",
    "y",
]

HALF = sympy.Rational(1, 2)
N, K = sympy.symbols("N K", positive=True)  # training and validation points per task
T = sympy.Symbol("T", positive=True)  # tasks
S = sympy.Symbol("S", positive=True)  # the spread of the task means
s = sympy.Symbol("sigma2", positive=True)
true2 = sympy.Symbol("sigma_true2", positive=True)
phi, phi_true = sympy.symbols("phi phi_true", real=True)

TASKS = 3
THETA = sympy.symbols("theta1:4", real=True)
MEANS = sympy.symbols("xbar1:4", real=True)
VALIDATION = sympy.symbols("ybar1:4", real=True)
x = [sympy.symbols(f"x{t}_1:3", real=True) for t in (1, 2, 3)]  # N = 2 observations of each task
y = [sympy.symbols(f"y{t}_1:3", real=True) for t in (1, 2, 3)]  # K = 2
grand_mean = sum(MEANS) / TASKS
TOY = HierarchicalNormal(MEANS, N)

WHOLE = {"N": (2, 2), "K": (2, 2), "T": (3, 3)}  # numbers of points and tasks, where the witness needs whole ones


def lowest_terms(entries: Iterable[sympy.Expr]) -> list[sympy.Expr]:
    """Rational functions in one normal form, so that equal ones are seen to be equal at once."""
    entries = [sympy.sympify(entry) for entry in entries]
    symbols = sorted(set().union(*(entry.free_symbols for entry in entries)), key=str)
    field = sympy.QQ.frac_field(*symbols)
    fractions = [field.from_sympy(entry) for entry in entries]
    # the denominator's leading coefficient is made 1
    return [f.numer.quo_ground(f.denom.LC).as_expr() / f.denom.quo_ground(f.denom.LC).as_expr() for f in fractions]


@dataclass(frozen=True)
class TwoModules:
    """M = 2 modules of one dimension and T = 2 tasks: symbols for ℓ_MAP with a quadratic log-likelihood.

    Attributes:
        phi: φ, 2×1.
        theta: θ_t, 2×1 each.
        curvatures: H_t, 2×2 symmetric each.
        slopes: ∂log p(D_t^val | θ̂_t)/∂θ_t, 2×1 each.
        precision: σ_m⁻².
        prior_precision: δ_m⁻².
        system: the second derivatives, as `analysis` has them.
        log_density: ℓ_MAP up to a constant and to terms linear in Θ, which its second derivatives do not contain.
    """

    phi: sympy.Matrix
    theta: tuple[sympy.Matrix, ...]
    curvatures: tuple[sympy.Matrix, ...]
    slopes: tuple[sympy.Matrix, ...]
    precision: tuple[sympy.Symbol, ...]
    prior_precision: tuple[sympy.Symbol, ...]
    system: ModularMap
    log_density: sympy.Expr

    @property
    def variables(self) -> list[sympy.Symbol]:
        """Θ = (φ, θ_1, θ_2)."""
        return [*self.phi, *self.theta[0], *self.theta[1]]


def _vector(name: str) -> sympy.Matrix:
    return sympy.Matrix([sympy.Symbol(f"{name}_{m}", real=True) for m in (1, 2)])


@cache
def two_modules() -> TwoModules:
    """The symbols, and ℓ_MAP as the sum of its three quadratic parts."""
    center = _vector("phi")
    theta = tuple(_vector(f"theta{t}") for t in (1, 2))
    curvatures = tuple(
        sympy.Matrix(2, 2, lambda i, j, t=t: sympy.Symbol(f"H{t}_{min(i, j) + 1}{max(i, j) + 1}", real=True))
        for t in (1, 2)
    )
    precision = sympy.symbols("p_1 p_2", positive=True)
    prior = sympy.symbols("d_1 d_2", positive=True)
    log_density = -sum(d * f**2 for d, f in zip(prior, center, strict=True)) / 2
    for task, h in zip(theta, curvatures, strict=True):
        log_density -= (task.T * h * task)[0] / 2
        log_density += sum(
            sympy.log(p) / 2 - p * (a - f) ** 2 / 2 for p, a, f in zip(precision, task, center, strict=True)
        )
    system = ModularMap(curvatures, [1 / p for p in precision], prior2=[1 / d for d in prior])
    slopes = tuple(_vector(f"g{t}") for t in (1, 2))
    return TwoModules(center, theta, curvatures, slopes, precision, prior, system, log_density)


NUMBERS = {  # of an example of the same size: likelihoods N(θ_t; center, H_t⁻¹), validation points at the targets
    "curvatures": (((3, 1), (1, 2)), ((1, -1), (-1, 4))),
    "centers": ((1, -2), (3, 1)),
    "targets": ((0, 1), (2, 2)),
    "prior_precision": (HALF, 2),
}


@cache
def solved_two_modules() -> tuple[tuple[sympy.Symbol, ...], sympy.Matrix, ModularMap]:
    """The same with the numbers above: the precisions p, Θ̂(p) from the stationarity of ℓ_MAP, and the system at them."""
    model = two_modules()
    p = model.precision
    curvatures = [sympy.Matrix(h) for h in NUMBERS["curvatures"]]
    values = dict(zip(model.prior_precision, NUMBERS["prior_precision"], strict=True))
    for h, number in zip(model.curvatures, curvatures, strict=True):
        values.update(zip(h, number, strict=True))
    log_density = model.log_density.subs(values)
    for task, h, center in zip(model.theta, curvatures, NUMBERS["centers"], strict=True):
        log_density += (task.T * h * sympy.Matrix(center))[0]
    gradient = sympy.Matrix([log_density.diff(v) for v in model.variables])
    matrix, right = gradient.jacobian(model.variables), -gradient.subs(dict.fromkeys(model.variables, 0))
    field = [DomainMatrix.from_Matrix(m).to_field() for m in (matrix, right)]
    left, right = field[0].unify(field[1])
    system = ModularMap(curvatures, [1 / v for v in p], prior2=[1 / sympy.S(d) for d in NUMBERS["prior_precision"]])
    return p, left.lu_solve(right).to_Matrix(), system
