"""The gradient of ℓ_PLL by implicit differentiation: eqs. (23) to (28) (Appendix C)."""

from __future__ import annotations

from functools import cache

import sympy
import torch

from ..framework import Formula
from . import witness
from .paper import PAPER
from .setup import NUMBERS, lowest_terms, solved_two_modules, two_modules

MODEL = two_modules()
R = sympy.Rational


def matrix_of(name: str, at: dict[str, float]) -> torch.Tensor:
    """A symmetric 2×2 matrix from its entries' values by name."""
    return witness.tensor([[at[f"{name}_11"], at[f"{name}_12"]], [at[f"{name}_12"], at[f"{name}_22"]]])


def vector_of(name: str, at: dict[str, float]) -> torch.Tensor:
    """A 2-vector likewise."""
    return witness.tensor([at[f"{name}_1"], at[f"{name}_2"]])


# H_t is positive definite on these
DOMAIN = {f"H{t}_{i}": bounds for t in (1, 2) for i, bounds in (("11", (1, 3)), ("22", (1, 3)), ("12", (-0.5, 0.5)))}


@PAPER.claim(
    "eq23",
    "(23)",
    "for ∂f(x,y)/∂y = 0 at ŷ(x): ∂ŷ/∂x = −(∂²f/∂y²)⁻¹ ∂²f/∂y∂x",
    assumptions=("∂²f/∂y² is invertible at ŷ(x)",),
)
def eq23() -> Formula:
    """On f = ½(y − b(x))ᵀA(x)(y − b(x)) + c(x): near a nondegenerate stationary point every f is this, to second order in y."""
    t = sympy.Symbol("x", real=True)
    unknown = sympy.symbols("y_1 y_2", real=True)
    coefficients = sympy.Matrix(2, 3, lambda i, j: sympy.Symbol(f"b{i + 1}{j}", real=True))
    path = coefficients * sympy.Matrix([1, t, t**2])
    bend = sympy.Matrix([[3 + t**2, t], [t, 2 - t]])
    gap = sympy.Matrix(unknown) - path
    f = (gap.T * bend * gap)[0] / 2 + t**3
    at = dict(zip(unknown, path, strict=True))
    second = sympy.hessian(f, unknown).subs(at)
    mixed = sympy.Matrix([f.diff(v, t) for v in unknown]).subs(at)

    def printed(sign: int) -> list[sympy.Expr]:
        return lowest_terms(sign * second.inv() * mixed)

    @cache  # it is asked for the derived, the printed and the control's sake at the same points
    def numerically(x: float, **b: float) -> list[float]:
        rows = witness.tensor([[b.get(f"b{i}{j}", 0.3) for j in range(3)] for i in (1, 2)])  # b_i0 only shifts y

        def stationary(t: torch.Tensor) -> torch.Tensor:
            matrix = torch.stack([torch.stack([3 + t**2, t]), torch.stack([t, 2 - t])])
            center = rows @ torch.stack([t**0, t, t**2])
            return witness.extremum(lambda y: (y - center) @ matrix @ (y - center) / 2 + t**3, 2)

        # ŷ is quadratic in x, so that a central difference is exact
        high, low = stationary(witness.tensor(x + 0.5)), stationary(witness.tensor(x - 0.5))
        return (high - low).tolist()

    return Formula(
        printed=printed(-1),
        derived=[entry.diff(t) for entry in path],
        control=printed(1),
        witness=numerically,
        domain={"x": (-1, 1)},
    )


# where the example with numbers is judged, once it is differentiated: at every σ_1 and this σ_2⁻²
AT_2 = 1.5
AT = {MODEL.precision[1]: R(3, 2)}


def _solved_rows() -> tuple[list[sympy.Matrix], sympy.Matrix]:
    """θ̂_t(p) of the example with numbers, and φ̂(p)."""
    _, solution, _ = solved_two_modules()
    return [solution[2:4, :], solution[4:6, :]], solution[:2, :]


def _torch_numbers() -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """H_t, the centers of the likelihoods, the validation targets and δ⁻² of the example with numbers."""
    lists = [[witness.tensor(entry) for entry in NUMBERS[key]] for key in ("curvatures", "centers", "targets")]
    return *lists, witness.tensor([float(d) for d in NUMBERS["prior_precision"]])


@PAPER.claim(
    "eq24",
    "(24)",
    "∂ℓ_PLL/∂log σ_m² = ( Σ_t ∂log p(D_t^val|θ̂_t)/∂θ̂_t · ∂θ̂_t(σ⁻²)/∂σ_m⁻² ) · ∂σ_m⁻²/∂log σ_m²",
)
def eq24() -> Formula:
    """M = 2, T = 2 with rational H_t, N(y_t; θ_t, I) as validation likelihood; differentiated with symbolic σ_m⁻²."""
    p, _, _ = solved_two_modules()
    rows, _ = _solved_rows()
    targets = [sympy.Matrix(target) for target in NUMBERS["targets"]]
    log_sigma2 = sympy.symbols("_u1 _u2", real=True)
    in_log = dict(zip(p, (sympy.exp(-u) for u in log_sigma2), strict=True))
    back = dict(zip(log_sigma2, (-sympy.log(v) for v in p), strict=True))
    value = sum(-((row - target).T * (row - target))[0] / 2 for row, target in zip(rows, targets, strict=True))
    derived = lowest_terms(value.subs(in_log).diff(u).subs(back).subs(AT) for u in log_sigma2)

    def printed(inner: int) -> list[sympy.Expr]:
        entries = []
        for m, v in enumerate(p):
            pairs = zip(rows, targets, strict=True)
            total = sum(((target - row).T * row.diff(v))[0] for row, target in pairs)
            entries.append((total * in_log[v].diff(log_sigma2[m]).subs(back) * inner).subs(AT))
        return lowest_terms(entries)

    @cache
    def numerically(p_1: float, p_2: float = AT_2) -> list[float]:
        curvatures, centers, targets_, prior = _torch_numbers()

        def predictive(u: torch.Tensor) -> torch.Tensor:
            solution = witness.modular_map(torch.exp(-u), curvatures, centers, prior).reshape(3, 2)
            return -sum(((row - y) ** 2).sum() / 2 for row, y in zip(solution[1:], targets_, strict=True))

        return torch.func.grad(predictive)(-witness.tensor([p_1, p_2]).log()).tolist()

    return Formula(
        printed=printed(1),
        derived=derived,
        control=[printed(1)[0], printed(-1)[1]],
        witness=numerically,
        note="The last factor is −σ_m⁻²; the derivative of log p is a whole row, over all modules",
    )


@PAPER.claim(
    "eq25", "(25)", "∂θ̂_t/∂σ⁻² = −(∂²ℓ_MAP/∂Θ²)⁻¹_{t,·} ∂²ℓ_MAP/∂Θ∂σ⁻² (t's block row)", uses=("eq23", "eq26", "eq27")
)
def eq25() -> Formula:
    """M = 2, T = 2 with rational H_t: against differentiating the solution Θ̂(σ⁻²) itself."""
    p, _, system = solved_two_modules()
    rows, center = _solved_rows()

    def response(method: str) -> list[sympy.Expr]:
        return lowest_terms(entry.subs(AT) for part in system.response(center, rows, method) for entry in part)

    if response("exact") != response("schur"):
        raise ArithmeticError("the whole arrow-shaped matrix and its Schur complement give different responses")

    @cache
    def numerically(p_1: float, p_2: float = AT_2) -> list[float]:
        curvatures, centers, _, prior = _torch_numbers()

        def solution(precision: torch.Tensor) -> torch.Tensor:
            return witness.modular_map(precision, curvatures, centers, prior)[2:]

        return witness.jacobian(solution, witness.tensor([p_1, p_2])).flatten().tolist()

    return Formula(
        printed=response("exact"),
        derived=lowest_terms(row[i].diff(v).subs(AT) for row in rows for i in range(2) for v in p),
        control=[*response("exact")[:-1], response("block-diagonal")[-1]],
        witness=numerically,
        note="The control leaves out what φ̂ moves in one entry, as (28) does in all",
    )


def _log_density(at: dict[str, float]) -> tuple:
    """ℓ_MAP of the symbols' values as a function of (Θ, σ⁻²), and the point."""
    curvatures = [matrix_of(f"H{t}", at) for t in (1, 2)]
    prior = vector_of("d", at)
    zero = [torch.zeros(2, dtype=torch.float64)] * 2
    return lambda z, p: witness.modular_log_density(z, p, curvatures, zero, prior)


def _flat(matrix: sympy.Matrix) -> list[sympy.Expr]:
    return [sympy.expand(entry) for entry in matrix]


ALL_SYMBOLS = {v.name: 0.5 for v in (*MODEL.variables, *MODEL.prior_precision)} | {
    entry.name: (2.0 if entry.name[-1] == entry.name[-2] else 0.3) for h in MODEL.curvatures for entry in h
}


@PAPER.claim(
    "eq26",
    "(26)",
    "∂²ℓ_MAP/∂Θ² is arrow-shaped: first block −Δ⁻¹ − TΣ⁻¹, blocks (φ,θ_t) Σ⁻¹, blocks (θ_t,θ_t) −H_t − Σ⁻¹, zero elsewhere",
)
def eq26() -> Formula:
    """M = 2, T = 2, all entries symbolic."""
    spread, prior = sympy.diag(*MODEL.precision), sympy.diag(*MODEL.prior_precision)
    h1, h2 = MODEL.curvatures

    def printed(tasks: int) -> sympy.Matrix:
        return sympy.Matrix(
            sympy.BlockMatrix(
                [
                    [-prior - tasks * spread, spread, spread],
                    [spread, -h1 - spread, sympy.zeros(2)],
                    [spread, sympy.zeros(2), -h2 - spread],
                ]
            )
        )

    derived = sympy.hessian(MODEL.log_density, MODEL.variables)
    if _flat(derived) != _flat(MODEL.system.hessian):
        raise ArithmeticError("the Hessian that the responses are solved with is not that of ℓ_MAP")

    def numerically(**at: float) -> list[float]:
        density, p = _log_density(at), witness.tensor([at["p_1"], at["p_2"]])
        return torch.func.hessian(lambda z: density(z, p))(torch.ones(6, dtype=torch.float64)).flatten().tolist()

    return Formula(
        printed=_flat(printed(2)),
        derived=_flat(derived),
        control=_flat(printed(1)),
        witness=numerically,
        domain=DOMAIN,
    )


@PAPER.claim("eq27", "(27)", "∂²ℓ_MAP/∂Θ∂σ⁻² = [Diag_m(Σ_t(θ_{m,t}−φ_m)), Diag_m(φ_m−θ_{m,1}), …]ᵀ")
def eq27() -> Formula:
    def printed(sign: int) -> list[sympy.Expr]:
        first = sum((theta - MODEL.phi for theta in MODEL.theta), sympy.zeros(2, 1))
        blocks = [first, *(sign * (MODEL.phi - theta) for theta in MODEL.theta)]
        return _flat(sympy.Matrix.vstack(*(sympy.diag(*block) for block in blocks)))

    derived = sympy.Matrix(6, 2, lambda i, m: MODEL.log_density.diff(MODEL.variables[i], MODEL.precision[m]))
    if _flat(derived) != _flat(MODEL.system.mixed(MODEL.phi, MODEL.theta)):
        raise ArithmeticError("the mixed derivatives that the responses are solved with are not those of ℓ_MAP")

    def numerically(**at: float) -> list[float]:
        density = _log_density(ALL_SYMBOLS | at)
        z = torch.cat([vector_of(name, at) for name in ("phi", "theta1", "theta2")])
        slope = torch.func.grad(density)
        return witness.jacobian(lambda p: slope(z, p), witness.tensor([0.4, 1.7])).flatten().tolist()

    return Formula(printed=printed(1), derived=_flat(derived), control=printed(-1), witness=numerically)


@PAPER.claim(
    "eq28", "(28)", "block-diagonal approximation: ∂²ℓ_MAP/∂Θ² ≈ −Diag(Δ⁻¹+TΣ⁻¹, H_1+Σ⁻¹, …, H_T+Σ⁻¹)", uses=("eq26",)
)
def eq28() -> Formula:
    """That the right-hand side is the block-diagonal part of (26); what it is worth is "block-gradient"."""
    spread, prior = sympy.diag(*MODEL.precision), sympy.diag(*MODEL.prior_precision)

    def printed(tasks: int) -> list[sympy.Expr]:
        return _flat(-sympy.diag(prior + tasks * spread, *(h + spread for h in MODEL.curvatures)))

    def numerically(**at: float) -> list[float]:
        density, p = _log_density(at), witness.tensor([at["p_1"], at["p_2"]])
        whole = torch.func.hessian(lambda z: density(z, p))(torch.ones(6, dtype=torch.float64))
        mask = torch.block_diag(*[torch.ones(2, 2, dtype=torch.float64)] * 3)
        return (whole * mask).flatten().tolist()

    return Formula(
        printed=printed(2),
        derived=_flat(MODEL.system.approximate_hessian("block-diagonal")),
        control=printed(1),
        witness=numerically,
        domain=DOMAIN,
    )
