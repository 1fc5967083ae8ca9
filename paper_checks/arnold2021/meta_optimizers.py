"""Section 5.3, equations (21) to (26), and Appendix C: meta-optimizers. What arnold2019 printed before is judged there."""

from __future__ import annotations

from collections.abc import Callable

import sympy
import torch
from sympy import Matrix, eye

from analysis.kronecker import (
    blind_direction,
    is_kronecker_product,
    kronecker_apply,
    kronecker_network,
    meta_optimizer_steps,
    relu,
    t_net_step,
    unfactored,
    vec,
)
from analysis.symbols import alpha, theta

from ..arnold2019 import comparisons, inner_loop, kronecker, low_rank, witness
from ..arnold2019.setup import GENERIC, REGULAR_AND_SINGULAR, symbols_matrix
from ..framework import Finding, Formula, Proposition
from .paper import PAPER

PAPER.definition("eq21", "(21)", "U_ξ(g) = A g + b", "a linear meta-optimizer, ξ = (A, b)")
PAPER.definition("eq22", "(22)", "L_mo(θ) = E_τ[ℓ_τ(θ − α U_ξ(∇ℓ_τ(θ)))]")
PAPER.definition(
    "eq23",
    "(23)",
    "θ ← θ − β ∂L_mo/∂θ, ξ ← ξ − β ∂L_mo/∂ξ",
    "ξ is learned across tasks and does not adapt within one; in Algorithm 1 of C.1.1 it does",
)
PAPER.definition("eq24", "(24)", "Meta-Curvature: U_ξ(∇ℓ(θ)) = M ∇ℓ(θ)")


@PAPER.claim("eq24-identity", "(24)", "when M is identity, this becomes MAML", uses=("eq22", "eq24", "eq27"))
def eq24_identity() -> Formula:
    """θ after one step of (22) on ½ Σ (θ_i − t_i)² h_i, M = I₂ ⊗ I₂, against (27)."""
    weight, target, curvature = (symbols_matrix(name, 2, 2) for name in ("w", "t", "h"))
    gradient = curvature.multiply_elementwise(weight - target)

    def numerically(alpha: float, **at: float) -> list[float]:
        w, t, h = (witness.named(at, name, 2, 2) for name in ("w", "t", "h"))
        return witness.vec(witness.gradient_steps(lambda v: ((v - t) ** 2 * h).sum() / 2, w, alpha).detach()).tolist()

    return Formula(
        printed=vec(weight - alpha * kronecker_apply(eye(2), eye(2), gradient)),
        derived=vec(weight - alpha * gradient),
        control=vec(weight - alpha * kronecker_apply(2 * eye(2), eye(2), gradient)),
        witness=numerically,
    )


@PAPER.claim(
    "eq24-diagonal",
    "(24)",
    "M is a matrix (block-diagonal, tensor factorized); when M is diagonal, this becomes Meta-SGD",
    uses=("eq24",),
)
def eq24_diagonal() -> Proposition:
    """Meta-SGD has a rate of its own for each parameter: whether every diagonal matrix is such an M."""
    sizes = ((2, 2), (2, 3))
    return Proposition(
        comparisons.diagonals,
        stated={"sizes": sizes, "factored": True},
        weaker={"sizes": sizes, "factored": False},
        assumption="M is not factored",
        control={"sizes": ((3, 2),), "factored": True},
        witness=comparisons.diagonals_by_svd,
    )


@PAPER.claim(
    "eq25",
    "(25)",
    "T-Nets: ℓ_τ(A(θ) − α∇ℓ_τ(A(θ)))",
    assumptions=("A(θ) = T W; T is shared by the tasks and W task-specific, so that the inner step moves W",),
    uses=("eq27",),
)
def eq25() -> Formula:
    """The effective weight T W after the step, for T 2×2, W 2×1 and ℓ(V) = ½ Σ h_i (V_i − t_i)²."""
    shared, weight, target, curvature = (
        symbols_matrix(name, *size) for name, size in (("T", (2, 2)), ("w", (2, 1)), ("t", (2, 1)), ("h", (2, 1)))
    )

    def loss(at: Matrix) -> sympy.Expr:
        return sum(h * (v - t) ** 2 / 2 for h, v, t in zip(curvature, at, target, strict=True))

    after, before, gradient = t_net_step(shared, weight, loss, alpha)

    def stepped(preconditioner: Matrix) -> Matrix:
        return before - alpha * preconditioner * gradient

    def numerically(alpha: float, **at: float) -> list[float]:
        t_, w, goal, h = (
            witness.named(at, name, *size)
            for name, size in (("T", (2, 2)), ("w", (2, 1)), ("t", (2, 1)), ("h", (2, 1)))
        )
        moved = witness.gradient_steps(lambda v: (h * (t_ @ v - goal) ** 2).sum() / 2, w, alpha)
        return (t_ @ moved).detach()[:, 0].tolist()

    return Formula(
        printed=stepped(eye(2)),
        derived=after,
        right=("T W − α T Tᵀ ∇ℓ_τ(T W)", stepped(shared * shared.T)),
        control=stepped(shared.T),
        witness=numerically,
        conventions={"if T Tᵀ = I": stepped(eye(2))},
        note="As printed, the step would be MAML's own on the weight T W. A T-Net is Meta-Curvature with M = I ⊗ T Tᵀ, which is symmetric "
        "and positive semi-definite",
    )


def _is_plain(between: str) -> Finding:
    """Whether T σ(W x), with ReLU or nothing between T and W, is V x for one matrix V of W's size."""
    shared, weight = GENERIC[0][0], Matrix([[1, -1, 2], [0, 3, -1]])
    if between == "ReLU":
        point = Matrix([1, -2, 1])
        there, back = ((shared * (weight * x).applyfunc(relu)).T.tolist()[0] for x in (point, -point))
        odd = there == [-entry for entry in back]
        return Finding(odd, f"T ReLU(W x) is {there} at x = {list(point)} and {back} at −x: no V x")
    x = symbols_matrix("x", 3)
    same = all(sympy.expand(entry) == 0 for entry in shared * (weight * x) - (shared * weight) * x)
    return Finding(same, f"T (W x) = (T W) x, and T W is {weight.rows}×{weight.cols} like W")


def _is_plain_numerically(between: str) -> Finding:
    shared, weight = witness.generic(3, 3, 1), witness.generic(3, 5, 2)
    points = witness.generic(5, 40, 3)
    hidden = weight @ points
    values = shared @ (torch.relu(hidden) if between == "ReLU" else hidden)
    fitted = torch.linalg.lstsq(points.T, values.T).solution.T
    rest = float((fitted @ points - values).norm())
    return Finding(rest < 1e-9, f"the best matrix misses 40 random points by {rest:.1e}")


@PAPER.claim(
    "s53-absorbed",
    "5.3",
    "since A is linear, it can be absorbed into the original model after adaptation",
    assumptions=("T is square",),
    uses=("eq25",),
)
def absorbed() -> Proposition:
    return Proposition(
        _is_plain,
        stated={"between": "nothing"},
        control={"between": "ReLU"},
        witness=_is_plain_numerically,
        note="Biases of an affine A are absorbed in the same way",
    )


@PAPER.claim(
    "s53-capacity",
    "5.3",
    "'inline' transformations (such as T-Nets and WarpGrad) de facto increase the model capacity by injecting more parameters",
    assumptions=("capacity: the set of functions that the model can be", "WarpGrad has ReLU beside its added layers"),
    uses=("s53-absorbed",),
)
def capacity() -> Proposition:
    def each_is_new(is_plain: Callable[[str], Finding]) -> Callable[..., Finding]:
        def decide(kinds: tuple[str, ...]) -> Finding:
            findings = [is_plain(kind) for kind in kinds]
            plain = [finding for finding in findings if finding.holds]
            return Finding(not plain, (plain or findings)[0].evidence)

        return decide

    return Proposition(
        each_is_new(_is_plain),
        stated={"kinds": ("nothing", "ReLU")},
        weaker={"kinds": ("ReLU",)},
        assumption="the added layers are not linear, as in WarpGrad and unlike T-Nets",
        control={"kinds": ("nothing",)},
        witness=each_is_new(_is_plain_numerically),
        note="A T-Net has more parameters and the same functions: the paper says itself that T is absorbed",
    )


PAPER.definition("eq26", "(26)", "meta-KFO: U_ξ(∇ℓ(θ)) = f(∇ℓ(θ); φ)", "f is a network of Kronecker products (C.1)")


@PAPER.claim(
    "eq26-generalizes",
    "(26)",
    "f is a non-linear function; this approach generalizes Meta-Curvature (24)",
    assumptions=(
        "M is regular, as the identity is",
        "f is the KFC of arnold2019: ReLU, square factors, no biases",
    ),
    uses=("eq24", "eq26"),
)
def generalizes() -> Proposition:
    """Whether f can be M g for a regular M; with ReLU some g ≠ 0 goes to 0, whatever the factors are."""

    def check(activation: str, factored: bool) -> Finding:
        if not factored:
            target = sympy.diag(1, 2, 3, 4)
            layers = "a product of factored layers is factored"
            return Finding(
                is_kronecker_product(target, 2, 2), f"diag(1, 2, 3, 4) is no Kronecker product, and {layers}"
            )
        if activation == "identity":
            left, right = GENERIC[0]
            gradient = symbols_matrix("G", left.rows, right.rows)
            apart = unfactored(left, right) * vec(gradient) - vec(kronecker_network([(left, right)], gradient))
            return Finding(apart.expand().is_zero_matrix, "with σ(z) = z, f(g) = M g for M = Rᵀ ⊗ L")
        # a regular first layer with symbolic entries, and one of each kind in numbers
        left, right = symbols_matrix("L", 2, 2), symbols_matrix("R", 2, 2)
        seen = (left * blind_direction(left, right) * right).applyfunc(sympy.cancel)
        if seen != -sympy.ones(2, 2):
            raise ArithmeticError("L G R is not −1 everywhere")
        for first in REGULAR_AND_SINGULAR:
            gradient = blind_direction(*first)
            out = kronecker_network([first, *GENERIC[1:]], gradient, relu)
            if gradient.is_zero_matrix or not out.is_zero_matrix:
                raise ArithmeticError("a first layer without a gradient that it sends to 0")
        left, right = GENERIC[0]
        return Finding(
            False,
            f"with ReLU f(g) = 0 where G = −L⁻¹ J R⁻¹, J all ones (for L = {left.tolist()}, R = {right.tolist()} at "
            f"G = {blind_direction(left, right).tolist()}), or on the kernel of a singular L or R, and M g is not 0 there",
        )

    def numerically(activation: str, factored: bool) -> Finding:
        if not factored:
            distance = float(witness.rearranged(torch.diag(torch.arange(1.0, 5.0)), 2, 2)[1:].norm())
            return Finding(distance < 1e-9, f"diag(1, 2, 3, 4) is {distance:.2f} from any Kronecker product")
        if activation == "identity":
            pair, gradient = (witness.generic(2, 2, 1), witness.generic(3, 3, 2)), witness.generic(2, 3, 3)
            apart = witness.vec(witness.kfc([pair], gradient)) - witness.kron(*pair) @ witness.vec(gradient)
            return Finding(float(apart.norm()) < 1e-12, "in torch f(g) = M g")
        outputs = []
        for seed in range(5):
            factors = [(witness.generic(4, 4, 9 * seed + i), witness.generic(3, 3, 9 * seed + 3 + i)) for i in range(3)]
            outputs.append(float(witness.kfc(factors, witness.blind_gradient(*factors[0]), torch.relu).norm()))
        return Finding(max(outputs) > 1e-12, "five random networks of three layers send a gradient to 0")

    return Proposition(
        check,
        stated={"activation": "ReLU", "factored": True},
        weaker={"activation": "identity", "factored": True},
        assumption="f may be linear too, or its layers wider",
        control={"activation": "identity", "factored": False},
        witness=numerically,
        note="So no parameters of a KFC with ReLU make it MAML, either. The control is a linear f against an M that is not factored",
    )


@PAPER.claim(
    "c1-shape", "C.1", "for each weight W ∈ R^{m×n}: W = Rᵀ ⊗ L, where R ∈ R^{m×m} and L ∈ R^{n×n}", uses=("eq21",)
)
def shape() -> Proposition:
    m, n = sympy.symbols("m n", positive=True, integer=True)
    sizes = [{m: 2, n: 3}, {m: 3, n: 1}, {m: 4, n: 4}]

    def compared(said: tuple[sympy.Expr, sympy.Expr], product: Callable[[int, int], tuple[int, int]]) -> Finding:
        for at in sizes:
            found, printed = tuple(product(at[m], at[n])), tuple(int(side.subs(at)) for side in said)
            if found != printed:
                where = f"m = {at[m]}, n = {at[n]}"
                return Finding(False, f"{where}: Rᵀ ⊗ L is {found[0]}×{found[1]}, and not {printed[0]}×{printed[1]}")
        return Finding(True, "so at three sizes")

    def check(said: tuple[sympy.Expr, sympy.Expr]) -> Finding:
        return compared(said, lambda m, n: unfactored(sympy.ones(n, n), sympy.ones(m, m)).shape)

    def numerically(said: tuple[sympy.Expr, sympy.Expr]) -> Finding:
        return compared(said, lambda m, n: witness.kron(torch.eye(n), torch.eye(m)).shape)

    return Proposition(
        check,
        stated={"said": (m, n)},
        right={"said": (m * n, m * n)},
        right_statement="W ∈ R^{mn×mn}: W multiplies the gradient of a weight matrix, written as a vector of mn entries",
        control={"said": (m**2, n**2)},
        witness=numerically,
        note=f"If the model's weight is meant, of which G ∈ R^{{m×n}} is the gradient: {_fits()}. In arnold2019, (5), G is n×m",
    )


def _fits() -> str:
    """What Rᵀ ⊗ L with R m×m, L n×n does to a gradient of size m×n, by computation for m = 2, n = 3."""
    gradient, right, left = symbols_matrix("G", 2, 3), symbols_matrix("R", 2, 2), symbols_matrix("L", 3, 3)
    try:
        kronecker_apply(left, right, gradient)
    except ValueError:
        pass
    else:
        raise ArithmeticError("L G R is defined for G of size m×n")
    rows_stacked = unfactored(left, right) * vec(gradient, "rows")
    if any(sympy.expand(e) != 0 for e in rows_stacked - vec(right.T * gradient * left.T, "rows")):
        raise ArithmeticError("Rᵀ ⊗ L on stacked rows is not Rᵀ G Lᵀ")
    return "L G R is not defined, and Rᵀ ⊗ L maps its stacked rows to those of Rᵀ G Lᵀ"


# printed again, word for word
for name, locator, claim in (
    ("c1-positiveness", "C.1", low_rank.positiveness),
    ("c1-full-rank", "C.1", kronecker.full_rank),
    ("c1-identity", "C.1", kronecker.identity_is_factored),
    ("c1-gradient-descent", "C.1", kronecker.recovers_gradient_descent),
    ("c11-last-step", "C.1.1", inner_loop.last_step),
):
    PAPER.claim(name, locator, claim.statement, assumptions=claim.assumptions)(claim.build)


@PAPER.claim(
    "c11-rate",
    "C.1.1",
    "Algorithm 1: θ_{t+1} = θ_t − U_{ξ_{t+1}}(∇_{θ_t} ℓ_τ(θ_t))",
    assumptions=("one step, as in (22)",),
    uses=("eq22",),
)
def rate() -> Formula:
    """The adapted loss of one step of Algorithm 1 against the one in (22), on ℓ(θ) = ½hθ² + kθ with U_ξ(g) = ξg."""
    xi, h, k = inner_loop.xi, inner_loop.h, inner_loop.k

    def by_22(speed: sympy.Expr) -> sympy.Expr:
        return inner_loop.task_loss(theta - speed * inner_loop.scaled(xi, h * theta + k))

    last = meta_optimizer_steps(inner_loop.task_loss, inner_loop.scaled, theta, xi, alpha, 1, "algorithm")[-1]

    def numerically(**at: float) -> float:
        def task(v: torch.Tensor) -> torch.Tensor:
            return at["h"] * v**2 / 2 + at["k"] * v

        return task(witness.gradient_steps(task, witness.tensor(at["theta"]), at["alpha"] * at["xi"])).item()

    return Formula(
        printed=inner_loop.task_loss(last),
        derived=by_22(alpha),
        right=("θ_{t+1} = θ_t − α U_{ξ_{t+1}}(∇_{θ_t} ℓ_τ(θ_t))", by_22(alpha)),
        control=by_22(-alpha),
        witness=numerically,
        conventions={"if α = 1": by_22(sympy.S.One)},
        note="In Algorithm 1 α multiplies the ξ-updates alone, and the first of them is 0. With several steps the two differ in more: in "
        "(22), (23) ξ is fixed within a task",
    )
