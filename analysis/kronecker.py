"""Factored meta-optimizers: identities, costs and parameter counts (arnold2019, Sections 4 and A; arnold2021, 5.3 and C.1).

A meta-optimizer U maps the gradient G ∈ R^{n×m} of a weight matrix to its update. vec stacks columns, and k = mn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import sympy
from sympy import Expr, Matrix
from sympy.matrices.expressions.kronecker import KroneckerProduct, combine_kronecker

__all__ = [
    "Costs",
    "blind_direction",
    "cholesky_costs",
    "cnn_weights",
    "factored_parameters",
    "is_kronecker_product",
    "kronecker_apply",
    "kronecker_costs",
    "kronecker_network",
    "meta_optimizer_parameters",
    "meta_optimizer_steps",
    "prove_for_every_size",
    "relu",
    "t_net_step",
    "unfactored",
    "vec",
    "weight_matrix",
]

Stacking = Literal["columns", "rows"]
Factors = tuple[Matrix, Matrix]  # (L, R)


def vec(matrix: Matrix, stacking: Stacking = "columns") -> Matrix:
    """The entries of an n×m matrix in one nm×1 column: column under column, or row after row."""
    return Matrix(list(matrix.T if stacking == "columns" else matrix))


def unfactored(left: Matrix, right: Matrix, stacking: Stacking = "columns") -> Matrix:
    """The nm×nm matrix A with A vec(G) = vec(L G R): Rᵀ ⊗ L (arnold2019, (5)); L ⊗ Rᵀ where rows are stacked.

    Args:
        left: L, n×n.
        right: R, m×m.
        stacking: the convention of `vec`.
    """
    outer, inner = (right.T, left) if stacking == "columns" else (left, right.T)
    return Matrix(sympy.kronecker_product(outer, inner))


def kronecker_apply(left: Matrix, right: Matrix, gradient: Matrix) -> Matrix:
    """L G R, n×m: the factored form of (Rᵀ ⊗ L) vec(G) (arnold2019, (5), without the bias).

    Args:
        left: L, n×n.
        right: R, m×m.
        gradient: G, n×m.

    Raises:
        ValueError: the sizes do not fit, as with G ∈ R^{m×n} (arnold2021, C.1).
    """
    rows, columns = gradient.shape
    if left.shape != (rows, rows) or right.shape != (columns, columns):
        given = ", ".join(
            f"{name} is {'×'.join(map(str, m.shape))}" for name, m in zip("LGR", (left, gradient, right), strict=True)
        )
        raise ValueError(f"{given}; L must be n×n and R m×m for a gradient of size n×m")
    return left * gradient * right


def relu(value: Expr) -> Expr:
    """The larger of 0 and a real value."""
    return sympy.Max(0, value)


def kronecker_network(
    factors: Sequence[Factors], gradient: Matrix, activation: Callable[[Expr], Expr] | None = None
) -> Matrix:
    """L_h σ(… σ(L_1 G R_1) …) R_h, n×m (arnold2019, (7)): KFC, or KLin where there is one pair of factors.

    Args:
        factors: (L_1, R_1), …, (L_h, R_h).
        gradient: G, n×m.
        activation: σ, applied entry by entry between the layers, h − 1 times; None for the identity.
    """
    out = gradient
    for number, (left, right) in enumerate(factors):
        if number and activation is not None:
            out = out.applyfunc(activation)
        out = kronecker_apply(left, right, out)
    return out


def prove_for_every_size() -> bool:
    """Whether (Rᵀ ⊗ L) vec(G) = vec(L G R), and (Rᵀ ⊗ L)⁻¹ = R⁻ᵀ ⊗ L⁻¹, in matrix algebra with m and n left open.

    Every G is a sum of products uvᵀ, both sides are linear in G, and vec(uvᵀ) = v ⊗ u: so that vec(L uvᵀ R) = Rᵀv ⊗ Lu.
    """
    m, n = sympy.symbols("m n", positive=True, integer=True)
    right, left = sympy.MatrixSymbol("R", m, m), sympy.MatrixSymbol("L", n, n)
    u, v = sympy.MatrixSymbol("u", n, 1), sympy.MatrixSymbol("v", m, 1)
    product = KroneckerProduct(right.T, left)
    applied = combine_kronecker(product * KroneckerProduct(v, u))
    undone = combine_kronecker(product * KroneckerProduct(right.T.I, left.I))
    return applied == KroneckerProduct(right.T * v, left * u) and undone == KroneckerProduct(
        sympy.Identity(m), sympy.Identity(n)
    )


def is_kronecker_product(matrix: Matrix, m: int, n: int) -> bool:
    """Whether an mn×mn matrix is P ⊗ Q for some P ∈ R^{m×m}, Q ∈ R^{n×n}; with symbols in it, whatever their values.

    It is one if and only if the m²×n² matrix whose rows are its n×n blocks has a rank of at most 1 (Van Loan, Pitsianos 1993).

    Raises:
        ValueError: the matrix is not mn×mn.
    """
    if matrix.shape != (m * n, m * n):
        raise ValueError(f"the matrix is {matrix.rows}×{matrix.cols}, and m = {m}, n = {n} ask for {m * n}×{m * n}")
    blocks = [vec(matrix[i * n : (i + 1) * n, j * n : (j + 1) * n]).T for i in range(m) for j in range(m)]
    return Matrix.vstack(*blocks).rank() <= 1


def blind_direction(left: Matrix, right: Matrix) -> Matrix:
    """A gradient G ≠ 0, n×m, with no entry of L G R positive: every later layer of a ReLU network without biases sees 0.

    There is one whatever the square factors are: −L⁻¹ J R⁻¹, J all ones, if both are regular, and else one with L G R = 0.
    Hence a network with such a first layer represents no invertible matrix, the identity included.

    Args:
        left: L, n×n.
        right: R, m×m.
    """
    n, m = left.rows, right.rows
    if kernel := left.nullspace():
        return kernel[0] * sympy.ones(1, m)
    if kernel := right.T.nullspace():
        return sympy.ones(n, 1) * kernel[0].T
    return -(left.inv() * sympy.ones(n, m) * right.inv())


@dataclass(frozen=True)
class Costs:
    """What one layer of a meta-optimizer costs, without its bias.

    Attributes:
        memory: numbers stored.
        multiplications: multiplications of one application.
    """

    memory: Expr
    multiplications: Expr


def kronecker_costs(m: Expr | int, n: Expr | int) -> tuple[Costs, Costs]:
    """The costs of vec(L G R) and of A vec(G), A = Rᵀ ⊗ L, as functions of m and n (arnold2019, Section 4.2).

    L G takes n·n·m multiplications and (L G) R another n·m·m; L (G R) takes as many.
    """
    m, n = sympy.sympify(m), sympy.sympify(n)
    return Costs(m**2 + n**2, n * n * m + n * m * m), Costs((m * n) ** 2, (m * n) ** 2)


def cholesky_costs(k: Expr | int, r: Expr | int) -> Costs:
    """The costs of L (Lᵀ g) with L ∈ R^{k×r} (arnold2019, (8), where k is written n)."""
    k, r = sympy.sympify(k), sympy.sympify(r)
    return Costs(k * r, 2 * k * r)


def factored_parameters(m: Expr | int, n: Expr | int, layers: int = 1, bias: bool = False) -> Expr:
    """Parameters of a Kronecker-factored meta-optimizer: `layers` pairs (L, R), each with a bias of size mn if `bias`.

    One pair is KLin; KFC with h hidden layers has h + 1 pairs, as its 20,002 parameters for h = 1 show (arnold2019, A.1.1).
    """
    return layers * (kronecker_costs(m, n)[0].memory + (sympy.sympify(m) * n if bias else 0))


Shape = tuple[int, ...]


def cnn_weights(layers: int, hidden: int, classes: int, channels: int, places: int = 1) -> list[tuple[str, Shape]]:
    """The weights of a CNN by kind and shape: blocks of 3 × 3 convolution and batch norm, and a linear layer on `places` places.

    Source: Finn et al. 2017; arnold2019, A.1.2.
    """
    vectors = [("convolution bias", (hidden,)), ("norm scale", (hidden,)), ("norm bias", (hidden,))]
    found: list[tuple[str, Shape]] = []
    for block in range(layers):
        found += [("convolution", (hidden, hidden if block else channels, 3, 3)), *vectors]
    return [*found, ("linear", (classes, hidden * places)), ("linear bias", (classes,))]


def weight_matrix(shape: Shape) -> tuple[int, int]:
    """(m, n) of the gradient that a meta-optimizer is given.

    An N × C × H × W convolution has m = C, n = HW, shared by its N filters; a matrix of o × i has m = i, n = o; and a vector of
    d entries has m = d, n = 1. Source: arnold2019, A.1.1 and A.1.2, which says nothing of vectors.
    """
    if len(shape) == 4:
        return shape[1], shape[2] * shape[3]
    return (shape[1], shape[0]) if len(shape) == 2 else (shape[0], 1)


def meta_optimizer_parameters(
    shapes: Iterable[Shape], of_matrix: Callable[[int, int], Expr], factor: Literal["none", "one", "entry"] = "none"
) -> int:
    """Parameters of one meta-optimizer for each weight.

    Args:
        shapes: the weights'.
        of_matrix: the parameters of the meta-optimizer of an n × m gradient, of (m, n).
        factor: what more each has to scale its result (arnold2019, A.1.2): nothing, one number, or one for each of its mn entries.
    """
    more: dict[str, Callable[[int, int], int]] = {
        "none": lambda m, n: 0,
        "one": lambda m, n: 1,
        "entry": lambda m, n: m * n,
    }
    sizes = [weight_matrix(shape) for shape in shapes]
    return int(sum(of_matrix(m, n) + more[factor](m, n) for m, n in sizes))


def meta_optimizer_steps(
    loss: Callable[[Expr], Expr],
    update: Callable[[Expr, Expr], Expr],
    theta: Expr,
    xi: Expr,
    rate: Expr,
    steps: int,
    scheme: Literal["equations", "algorithm"],
) -> list[Expr]:
    """θ_1, …, θ_{T+1} of a scalar model whose scalar meta-optimizer adapts along with it, by exact differentiation.

    Args:
        loss: ℓ(θ).
        update: U(ξ, g).
        theta: θ_1, the initial parameter; a symbol.
        xi: ξ_1, the initial parameter of the meta-optimizer.
        rate: α, of the ξ-updates.
        steps: T.
        scheme: "equations": θ_{t+1} = θ_t − U_{ξ_t}(∇ℓ(θ_t)), then ξ_{t+1} = ξ_t − α∇_{ξ_t} ℓ(θ_{t+1}), which is (3), (4) of
            arnold2019; "algorithm": ξ_{t+1} = ξ_t − α∇_{ξ_t} ℓ(θ_t), then θ_{t+1} = θ_t − U_{ξ_{t+1}}(∇ℓ(θ_t)), which is
            Algorithm 1 of both papers.
    """
    weight, free = sympy.Dummy("theta", real=True), sympy.Dummy("xi", real=True)
    slope = loss(weight).diff(weight)

    def stepped(at: Expr, by: Expr) -> Expr:
        return at - update(by, slope.subs(weight, at))

    def adapted(at: Expr, as_function: Expr) -> Expr:
        return at - rate * loss(as_function).diff(free).subs(free, at)

    thetas = [theta]
    current = theta  # θ_t as a function of ξ_t (`free`): θ_1 does not contain it
    for _ in range(steps):
        if scheme == "algorithm":
            xi = adapted(xi, current)
        current = stepped(thetas[-1], free)
        thetas.append(current.subs(free, xi))
        if scheme == "equations":
            xi = adapted(xi, current)
    return thetas


def t_net_step(
    shared: Matrix, weight: Matrix, loss: Callable[[Matrix], Expr], rate: Expr
) -> tuple[Matrix, Matrix, Matrix]:
    """One inner step of a T-Net, W ← W − α∇_W ℓ(T W), by differentiation in every entry of W (arnold2021, (25)).

    Args:
        shared: T, p×q, which does not adapt.
        weight: W, q×d, of symbols.
        loss: ℓ of the effective weight V = T W, p×d.
        rate: α.

    Returns:
        T W after the step; V = T W before it; and G = ∇ℓ(V), so that the first is V − α T Tᵀ G.
    """
    effective = shared * weight
    entries = Matrix(*effective.shape, lambda i, j: sympy.Dummy(f"V{i}{j}", real=True))
    value = loss(entries)
    gradient = entries.applyfunc(value.diff).subs(dict(zip(entries, effective, strict=True)))
    after = weight - rate * weight.applyfunc(loss(effective).diff)
    return shared * after, effective, gradient
