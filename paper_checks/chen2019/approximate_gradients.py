"""Approximations of the implicit gradient: eqs. (29), (30) and what is unnumbered (Appendix C)."""

from __future__ import annotations

from functools import cache

import sympy
import torch

from analysis import HierarchicalNormal, ModularMap, predictive_gradient, predictive_stationary_points, unroll
from analysis.implicit_gradient import unrolled_gradient

from ..framework import Finding, Formula, Proposition
from . import witness
from .implicit_differentiation import DOMAIN, MODEL, matrix_of, vector_of
from .paper import PAPER
from .setup import NUMBERS, N, lowest_terms, phi, s

SIGMA = [1 / p for p in MODEL.precision]
R = sympy.Rational


# H_1 stays symbolic, and H_2 has numbers
SECOND = dict(zip(MODEL.curvatures[1], [entry for row in NUMBERS["curvatures"][1] for entry in row], strict=True))


def _with_phi_fixed(at: dict[str, float]) -> list[float]:
    """The gradient of ℓ_PLL in log σ² by autograd through θ̂_t(σ) alone, φ held fixed; g_t is given, and so is θ̂_t."""
    at = at | {v.name: float(value) for v, value in SECOND.items()}
    center, precision = vector_of("phi", at), witness.tensor([at["p_1"], at["p_2"]])
    total = torch.zeros(2, dtype=torch.float64)
    for t in (1, 2):
        h = matrix_of(f"H{t}", at)
        theta = vector_of(f"theta{t}", at)
        pull = precision * (theta - center)  # the likelihood's slope at θ̂_t, whose own curvature is H_t

        def adapted(u: torch.Tensor, h: torch.Tensor = h, theta: torch.Tensor = theta, pull: torch.Tensor = pull):
            def density(z: torch.Tensor) -> torch.Tensor:
                likelihood = pull @ (z - theta) - (z - theta) @ h @ (z - theta) / 2
                return likelihood - (torch.exp(-u) * (z - center) ** 2).sum() / 2

            return witness.extremum(density, 2)

        total += witness.jacobian(adapted, -precision.log()).T @ vector_of(f"g{t}", at)
    return total.tolist()


UNBALANCED, HELD_OUT = HierarchicalNormal([3, -1, "1/2"], (1, 2, 5)), (2, 0, 1)


@PAPER.claim(
    "block-gradient",
    "C",
    "(28) gives ∂ℓ_PLL/∂log σ_m² ≈ σ_m⁻² Σ_t ∂log p(D_t^val|θ̂_t)/∂θ_t ((H_t+Σ⁻¹)⁻¹)_{·,m} (θ_{m,t}−φ_m)",
    uses=("eq24", "eq25", "eq28"),
)
def block_gradient() -> Formula:
    spread = sympy.diag(*MODEL.precision)

    def printed() -> list[sympy.Expr]:
        entries = []
        for m in range(2):
            total = sympy.S.Zero
            for h, g, theta in zip(MODEL.curvatures, MODEL.slopes, MODEL.theta, strict=True):
                total += (g.T * (h + spread).inv()[:, m])[0] * (theta[m] - MODEL.phi[m])
            entries.append((MODEL.precision[m] * total).subs(SECOND))
        return lowest_terms(entries)

    zeros = {
        name: float(predictive_stationary_points(UNBALANCED, HELD_OUT, 2, method)[0])
        for name, method in (("exact", "exact"), ("block-diagonal", "block-diagonal"), ("(4)", "h-free"))
    }
    curvatures = [h.subs(SECOND) for h in MODEL.curvatures]
    system = ModularMap(curvatures, SIGMA, prior2=[1 / d for d in MODEL.prior_precision])
    derived = system.gradient(MODEL.phi, MODEL.theta, MODEL.slopes, "block-diagonal")
    return Formula(
        printed=printed(),
        derived=lowest_terms(derived),
        control=[printed()[0], 0],
        witness=cache(lambda **at: _with_phi_fixed(at)),
        domain=DOMAIN,
        note="It is the exact gradient with φ held fixed. In the toy it is exact with equal N_t and a flat prior, where φ̂ does not depend "
        "on σ; with N_t = (1, 2, 5), x̄ = (3, −1, ½), ȳ = (2, 0, 1) the zeros in σ² are "
        + ", ".join(f"{name} {value:.4f}" for name, value in zeros.items()),
    )


@PAPER.claim(
    "plugging",
    "C",
    "the approximate gradient follows by plugging (28) into (25), and further into (4)",
    uses=("block-gradient",),
)
def plugging() -> Proposition:
    """Whether a formula with ∂θ̂_t/∂σ_m⁻² put in gives the approximate gradient; in the toy, one task."""
    theta, slope, h = sympy.symbols("theta g h", real=True)
    response = sympy.Symbol("dtheta", real=True)  # ∂θ̂_t/∂σ⁻²
    into = {"(4)": (theta - phi) * slope, "(24)": slope * response * (-1 / s), "(3)": response * slope}
    system = ModularMap([sympy.Matrix([[h]])], [s])
    block = system.response([phi], [[theta]], "block-diagonal")[0][0]
    wanted = system.gradient([phi], [[theta]], [[slope]], "block-diagonal")[0]

    def check(target: str) -> Finding:
        gap = sympy.cancel(into[target].subs(response, block) - wanted)
        if gap == 0:
            return Finding(True, f"{target} with ∂θ̂_t/∂σ⁻² = {block} is {wanted}")
        missing = "" if into[target].has(response) else ", in which there is no ∂θ̂_t/∂σ⁻² to replace"
        return Finding(False, f"{target} is {into[target]}{missing}; the approximate gradient is {wanted}")

    def numerically(target: str) -> Finding:
        at = {"theta": 0.7, "phi": -0.4, "g": 1.3, "h": 2.0, "sigma2": 0.6}

        def adapted(precision: torch.Tensor) -> torch.Tensor:
            pull = (at["theta"] - at["phi"]) / at["sigma2"]

            def density(z: torch.Tensor) -> torch.Tensor:
                gap = z[0] - at["theta"]
                return pull * gap - at["h"] * gap**2 / 2 - precision * (z[0] - at["phi"]) ** 2 / 2

            return witness.extremum(density, 1)[0]

        p = witness.tensor(1 / at["sigma2"])
        moved = float(torch.func.grad(adapted)(p))
        right = float(torch.func.grad(lambda u: at["g"] * adapted(torch.exp(-u)))(-p.log()))
        values = {
            "(4)": (at["theta"] - at["phi"]) * at["g"],
            "(24)": at["g"] * moved * -float(p),
            "(3)": at["g"] * moved,
        }
        return Finding(abs(values[target] - right) < 1e-12, f"{values[target]:.6f} against {right:.6f} by autograd")

    return Proposition(
        check,
        stated={"target": "(4)"},
        right={"target": "(24)"},
        right_statement="plug (28) into (25), and further into (24); (4) is what comes of it, by (29) and (30)",
        control={"target": "(3)"},
        witness=numerically,
        note="A slip of reference, which hangs on one number, so the copy that was transcribed may be at fault",
    )


@PAPER.claim(
    "unrolled",
    "beyond",
    "explicit differentiation through K inner steps, φ held fixed as MAML holds it, tends to the block-diagonal gradient as K → ∞",
    assumptions=("gradient ascent on ℓ_MAP from θ_t = φ̂ with a rate below 2/(N_t + σ⁻²)", "the toy of Appendix B"),
    uses=("block-gradient",),
)
def unrolled() -> Proposition:
    """Implicit differentiation is what the paper has in place of this; the two do not agree on φ̂'s own movement."""
    mean, q, steps = sympy.Symbol("xbar", real=True), sympy.Symbol("q", positive=True), sympy.Symbol("K", positive=True)
    rate, at = R(1, 7), R(9, 10)

    def check(target: str) -> Finding:
        symbolic = unroll(mean, phi, N, s, (1 - q) / (N + 1 / s), steps)
        if sympy.simplify(symbolic.q - q) != 0:
            raise ArithmeticError("the contraction is not 1 − η(N + σ⁻²)")
        error = sympy.simplify(symbolic.relative_error.subs(symbolic.q, q))
        if sympy.simplify((symbolic.slope - symbolic.limit * (1 + symbolic.relative_error)).subs(steps, 3)) != 0:
            raise ArithmeticError("the error term is not that of the slope")
        if any(sympy.limit(error.subs(q, value), steps, sympy.oo) != 0 for value in (R(1, 9), R(1, 2), R(9, 10))):
            raise ArithmeticError("the error term does not vanish with K")
        wanted = predictive_gradient(UNBALANCED, HELD_OUT, 2, at, target)
        gaps = [abs(unrolled_gradient(UNBALANCED, HELD_OUT, 2, at, rate, k) - wanted) for k in (20, 40, 80)]
        small = gaps[2] < R(1, 10**10)
        return Finding(
            bool(small and gaps[2] < gaps[1] < gaps[0]),
            f"dθ^K/dlog σ² is its limit times 1 + {error} with q = 1 − η(N_t + σ⁻²); at N_t = (1, 2, 5), σ² = {at}, η = {rate} the "
            f"gradient is off the {target} one by {', '.join(f'{float(g):.1e}' for g in gaps)} for K = 20, 40, 80",
        )

    def numerically(target: str) -> Finding:
        data, held_out = witness.observations((3.0, -1.0, 0.5), (1, 2, 5)), witness.observations(HELD_OUT)
        u = witness.tensor(float(at)).log()
        center = witness.map_point(torch.exp(u), data)[0].detach()

        def through_steps(u: torch.Tensor) -> torch.Tensor:
            theta = center.repeat(3)
            for _ in range(100):
                slope = torch.func.grad(lambda t: witness.log_joint(t, center, torch.exp(u), data))(theta)
                theta = theta + float(rate) * slope
            return witness.validation_log_likelihood(theta, held_out)

        def through_solution(u: torch.Tensor) -> torch.Tensor:
            if target == "exact":
                theta = witness.map_point(torch.exp(u), data)[1:]
            else:
                theta = witness.extremum(lambda t: witness.log_joint(t, center, torch.exp(u), data), 3)
            return witness.validation_log_likelihood(theta, held_out)

        values = [float(torch.func.grad(f)(u)) for f in (through_steps, through_solution)]
        return Finding(
            abs(values[0] - values[1]) < 1e-8, f"autograd through 100 steps {values[0]:.8f}, through θ̂ {values[1]:.8f}"
        )

    return Proposition(check, stated={"target": "block-diagonal"}, control={"target": "exact"}, witness=numerically)


def _three_dimensions() -> tuple[ModularMap, list[sympy.Matrix], list[sympy.Symbol]]:
    """One task, modules of two and one dimensions: H 3×3, and φ, θ, g."""
    h = sympy.Matrix(3, 3, lambda i, j: sympy.Symbol(f"h_{min(i, j) + 1}{max(i, j) + 1}", real=True))
    vectors = [
        sympy.Matrix([sympy.Symbol(f"{name}_{i}", real=True) for i in (1, 2, 3)]) for name in ("phi", "theta", "g")
    ]
    return ModularMap([h], SIGMA, (2, 1)), [h, *vectors], list(MODEL.precision)


def _three_witness(at: dict[str, float], share: float = 1.0) -> list[float]:
    center, theta, g = (witness.tensor([at[f"{name}_{i}"] for i in (1, 2, 3)]) for name in ("phi", "theta", "g"))
    bend = share * witness.tensor([at.get(f"h_{i}{i}", 1.0) for i in (1, 2, 3)])
    precision = witness.tensor([at["p_1"], at["p_2"]])
    module = torch.tensor([0, 0, 1])
    pull = precision[module] * (theta - center)

    def adapted(u: torch.Tensor) -> torch.Tensor:
        def density(z: torch.Tensor) -> torch.Tensor:
            gap = z - theta
            return (pull * gap - bend * gap**2 / 2 - torch.exp(-u)[module] * (z - center) ** 2 / 2).sum()

        return witness.extremum(density, 3)

    return (witness.jacobian(adapted, -precision.log()).T @ g).tolist()


CURVED = {f"h_{i}{i}": (0.5, 3) for i in (1, 2, 3)}
NO_MODULE_DATA = "D_{m,t} is printed, and no observation belongs to a module; read as D_t, as (4) has it"


@PAPER.claim(
    "eq29",
    "(29)",
    "≈ σ_m⁻² Σ_t ∂log p(D_{m,t}^val|θ̂_t)/∂θ_{m,t} ( diag((H_t)_{m,m} + σ_m⁻² I)⁻¹ (θ_{m,t}−φ_m) )",
    uses=("block-gradient",),
)
def eq29() -> Formula:
    """Modules of two and one dimensions, one task; each task adds such a term."""
    system, (h, center, theta, g), p = _three_dimensions()

    def printed(shrink: int) -> list[sympy.Expr]:
        entries = []
        for m, block in enumerate(((0, 1), (2,))):
            terms = (g[i] * (theta[i] - center[i]) / (h[i, i] + shrink * p[m]) for i in block)
            entries.append(p[m] * sum(terms))
        return lowest_terms(entries)

    return Formula(
        printed=printed(1),
        derived=lowest_terms(system.gradient(center, [theta], [g], "diagonal")),
        control=printed(2),
        witness=cache(lambda **at: _three_witness(at)),
        domain=CURVED,
        note=f"{NO_MODULE_DATA}. With M = D = 1 it is the block-diagonal gradient itself",
    )


@PAPER.claim(
    "eq30",
    "(30)",
    "if σ_m⁻² ≫ −∂² log p(D_t^train|θ_t)/∂(θ_{m,t}^{(d)})² for all d, m, t: ≈ Σ_t (θ_{m,t}−φ_m)ᵀ ∂log p(D_{m,t}^val|θ̂_t)/∂θ_{m,t}",
    uses=("eq29",),
)
def eq30() -> Formula:
    """≈ is the limit in which H_t vanishes beside σ_m⁻²."""
    _, (h, center, theta, g), _ = _three_dimensions()
    share = sympy.Symbol("_share", positive=True)
    scaled = ModularMap([share * h], SIGMA, (2, 1))
    gradient = scaled.gradient(center, [theta], [g], "diagonal")
    pairs = [g[i] * (theta[i] - center[i]) for i in range(3)]
    printed = [pairs[0] + pairs[1], pairs[2]]
    example = HierarchicalNormal([1, -1], 4)
    ratio = predictive_gradient(example, (1, 0), 1, s, "h-free") / predictive_gradient(
        example, (1, 0), 1, s, "diagonal"
    )
    return Formula(
        printed=printed,
        derived=[sympy.expand(sympy.cancel(entry).subs(share, 0)) for entry in gradient],
        control=[entry / 2 for entry in printed],
        witness=lambda **at: _three_witness({"p_1": 0.7, "p_2": 1.9, **at}, share=1e-16),
        note=f"{NO_MODULE_DATA}. In the toy it is (29) times 1 + Nσ², {sympy.cancel(ratio)} for N = 4, so that the condition is Nσ² ≪ 1",
    )
