"""Equations (5) to (7) and what Section 4.2 says of the Kronecker factorization; the scaled gradients of Section A.1.2."""

from __future__ import annotations

import sympy
import torch
from sympy import Matrix, eye, sqrt

from analysis.kronecker import (
    is_kronecker_product,
    kronecker_apply,
    kronecker_costs,
    kronecker_network,
    prove_for_every_size,
    relu,
    unfactored,
    vec,
)

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER
from .setup import GENERIC, factors_at_identity, gap, of_rank, symbols_matrix

m, n, k = sympy.symbols("m n k", positive=True)
SIGNED = Matrix([[1, -2], [-3, 4]])


@PAPER.claim(
    "eq5",
    "(5)",
    "U_ξ(g) = A g + b = vec(L · G · R) + b, A = Rᵀ ⊗ L, G ∈ R^{n×m}, R ∈ R^{m×m}, L ∈ R^{n×n}",
    uses=("eq2",),
)
def eq5() -> Formula:
    if not prove_for_every_size():
        raise ArithmeticError("the vec identity did not check in matrix algebra")
    rows, columns = 2, 3
    left, right, gradient, bias = (
        symbols_matrix(name, *size)
        for name, size in {
            "L": (rows, rows),
            "R": (columns, columns),
            "G": (rows, columns),
            "b": (rows * columns,),
        }.items()
    )

    def numerically(**at: float) -> list[float]:
        matrices = (witness.named(at, "L", 2, 2), witness.named(at, "R", 3, 3))
        g, b = witness.vec(witness.named(at, "G", 2, 3)), witness.named(at, "b", 6)[:, 0]
        return (witness.kron(*matrices) @ g + b).tolist()

    return Formula(
        printed=vec(kronecker_apply(left, right, gradient)) + bias,
        derived=unfactored(left, right) * vec(gradient) + bias,
        control=unfactored(left, right, stacking="rows") * vec(gradient) + bias,
        witness=numerically,
        note="Judged with n = 2, m = 3, all entries symbolic, and for every size in matrix algebra. vec stacks columns; where rows are "
        "stacked, as arrays in C and PyTorch are, A = L ⊗ Rᵀ (the control mixes the two)",
    )


PAPER.definition("eq6", "(6)", "U_ξ(g) = U_{W_h} ∘ … ∘ σ ∘ U_{W_1} ∘ g", "a fully connected network, W_i = R_iᵀ ⊗ L_i")


@PAPER.claim(
    "eq7",
    "(7)",
    "U_ξ(g) = vec(L_h σ(… σ(L_1 · G · R_1) …) R_h)",
    assumptions=("σ acts entry by entry",),
    uses=("eq5", "eq6"),
)
def eq7() -> Formula:
    """Three layers by (7), and as maps of the vector g by (6); σ(z) = s₁z + s₂z²."""
    first, second = sympy.symbols("s1 s2", real=True)
    gradient = symbols_matrix("G", 2, 3)

    def sigma(z):
        return first * z + second * z**2

    composed = vec(gradient)
    for number, pair in enumerate(GENERIC):
        composed = unfactored(*pair) * (composed.applyfunc(sigma) if number else composed)
    printed = kronecker_network(GENERIC, gradient, sigma)

    def numerically(s1: float, s2: float, **at: float) -> list[float]:
        g = witness.vec(witness.named(at, "G", 2, 3))
        for number, (left, right) in enumerate(GENERIC):
            hidden = s1 * g + s2 * g**2 if number else g
            g = witness.kron(witness.tensor(left), witness.tensor(right)) @ hidden
        return g.tolist()

    return Formula(
        printed=vec(printed),
        derived=composed,
        control=vec(printed.applyfunc(sigma)),
        witness=numerically,
        note="h factor pairs and h − 1 activations, as in (6). Judged with h = 3 and an arbitrary quadratic σ; any σ that acts entry by "
        "entry commutes with vec. The control has σ on the output too. No layer has a bias here, unlike (5)",
    )


@PAPER.claim(
    "s42-order-of-costs",
    "4.2",
    "where m = n = √k: O(k) memory and O(k√k) time, against O(k²) and O(k²) in the non-factored case",
    uses=("eq5",),
)
def order_of_costs() -> Proposition:
    factored, plain = (
        (c.memory.subs({m: sqrt(k), n: sqrt(k)}), c.multiplications.subs({m: sqrt(k), n: sqrt(k)}))
        for c in kronecker_costs(m, n)
    )
    names = ("memory", "time", "memory, non-factored", "time, non-factored")

    def check(orders: tuple[sympy.Expr, ...]) -> Finding:
        found = dict(zip(names, (*factored, *plain), strict=True))
        for (name, cost), order in zip(found.items(), orders, strict=True):
            if sympy.limit(cost / order, k, sympy.oo) == sympy.oo:
                return Finding(False, f"{name}: {cost} is not O({order})")
        return Finding(True, ", ".join(f"{name} {cost}" for name, cost in found.items()))

    def numerically(orders: tuple[sympy.Expr, ...]) -> Finding:
        def ratios(side: int) -> list[float]:
            left, right, gradient = (witness.generic(side, side, seed) for seed in range(3))
            whole, column = witness.kron(left, right), witness.vec(gradient)[:, None]
            counts = (
                witness.numbers(left, right),
                witness.multiplications(witness.klin, left, right, gradient),
                witness.numbers(whole),
                witness.multiplications(torch.matmul, whole, column),
            )
            return [count / float(order.subs(k, side**2)) for count, order in zip(counts, orders, strict=True)]

        growth = [after / before for before, after in zip(ratios(8), ratios(32), strict=True)]
        return Finding(
            max(growth) < 1.01,
            f"counted in torch, cost / order grows by {[round(g, 3) for g in growth]} from k = 8² to 32²",
        )

    return Proposition(
        check,
        stated={"orders": (k, k * sqrt(k), k**2, k**2)},
        control={"orders": (sqrt(k), k * sqrt(k), k**2, k**2)},
        witness=numerically,
        note="For any m, n: n² + m² numbers and mn(m + n) multiplications, against (mn)² and (mn)²; a bias adds k to each",
    )


@PAPER.claim("s42-best-case", "4.2", "the best case scenario is m = n = √k", uses=("s42-order-of-costs",))
def best_case() -> Proposition:
    """Of all m, n with mn = k, for memory and for time."""
    factored, _ = kronecker_costs(m, k / m)

    def check(at: sympy.Expr) -> Finding:
        # squares, so never negative: m and n differ in them alone
        excess = ((m - k / m) ** 2, k * (sqrt(m) - sqrt(k / m)) ** 2)
        if any(
            sympy.expand(cost - least - extra) != 0
            for cost, least, extra in zip(
                (factored.memory, factored.multiplications), (2 * k, 2 * k * sqrt(k)), excess, strict=True
            )
        ):
            raise ArithmeticError("the costs are not their least values plus a square")
        memory, time = (sympy.expand(cost.subs(m, at)) for cost in (factored.memory, factored.multiplications))
        told = f"m = {at}, n = {sympy.simplify(k / at)}: memory {memory}, multiplications {time}"
        least = all(sympy.simplify(extra.subs(m, at)) == 0 for extra in excess)
        return Finding(least, told + ("" if least else f", more than {2 * k} and {2 * k * sqrt(k)}"))

    def numerically(at: sympy.Expr) -> Finding:
        size = 144
        costs = {}
        for side in (d for d in range(1, size + 1) if size % d == 0):
            left, right = witness.generic(size // side, size // side), witness.generic(side, side)
            gradient = witness.generic(size // side, side)
            costs[side] = (
                witness.numbers(left, right),
                witness.multiplications(witness.klin, left, right, gradient),
            )
        best = [min(costs, key=lambda side: costs[side][i]) for i in (0, 1)]
        return Finding(best == [int(at.subs(k, size))] * 2, f"of all m that divide {size}, {best} cost least")

    return Proposition(
        check,
        stated={"at": sqrt(k)},
        control={"at": k},
        witness=numerically,
        note=f"n² + m² = 2k + (m − n)². At the other end, n = 1, the memory is {sympy.expand(factored.memory.subs(m, k))}: R alone is a "
        "full k×k matrix, and nothing is saved",
    )


@PAPER.claim(
    "s42-efficient", "4.2", "the linear update can be efficiently computed as vec(L · G · R) + b", uses=("eq5",)
)
def efficient() -> Proposition:
    """Efficiently: with fewer multiplications and fewer numbers than A g."""
    factored, plain = kronecker_costs(m, n)
    savings = (plain.multiplications - factored.multiplications, plain.memory - factored.memory)
    papers_own = {m: 100, n: 1}

    def check(least: tuple[int, int]) -> Finding:
        """For all m ≥ least[0], n ≥ least[1]: in m − least[0], n − least[1] no coefficient is negative, and the constant is positive."""
        p, q = sympy.symbols("p q", nonnegative=True)
        shifted = [sympy.Poly(sympy.expand(s.subs({m: least[0] + p, n: least[1] + q})), p, q) for s in savings]
        if all(min(s.coeffs()) >= 0 and s.eval({p: 0, q: 0}) > 0 for s in shifted):
            return Finding(
                True, f"A g takes {savings[0].factor()} multiplications and {savings[1].factor()} numbers more"
            )
        at = papers_own if least[1] == 1 else {m: least[0], n: least[1]}
        costs = [(c.multiplications.subs(at), c.memory.subs(at)) for c in (factored, plain)]
        if all(f < u for f, u in zip(*costs, strict=True)):
            raise ArithmeticError("no saving was proved, and none was disproved")
        return Finding(
            False,
            f"m = {at[m]}, n = {at[n]}{' (the synthetic experiment)' if at is papers_own else ''} takes {costs[0][0]} multiplications and "
            f"{costs[0][1]} numbers, and A g {costs[1][0]} and {costs[1][1]}",
        )

    def numerically(least: tuple[int, int]) -> Finding:
        sizes = [(least[0] + i, least[1] + j) for i in range(4) for j in range(4)] + [(100, 1)] * (least[1] == 1)
        for columns, rows in sizes:
            left, right, gradient = (witness.generic(*s) for s in ((rows, rows), (columns, columns), (rows, columns)))
            whole = witness.kron(left, right)
            time = witness.multiplications(witness.klin, left, right, gradient)
            if time >= witness.multiplications(torch.matmul, whole, witness.vec(gradient)[:, None]) or witness.numbers(
                left, right
            ) >= witness.numbers(whole):
                return Finding(False, f"no saving in torch at m = {columns}, n = {rows}")
        return Finding(True, f"a saving in torch at {len(sizes)} sizes")

    return Proposition(
        check,
        stated={"least": (1, 1)},
        weaker={"least": (3, 2)},
        assumption="m, n ≥ 2, and not both are 2",
        control={"least": (2, 2)},
        witness=numerically,
        note="Proved for m ≥ 3, n ≥ 2; the other way round by symmetry. At m = n = 2 both forms take 16 multiplications. With n = 1 L is a "
        "number that R could hold: KLin on R^100 is a full matrix",
    )


@PAPER.claim(
    "s42-full-rank", "4.2", "Rᵀ ⊗ L is full-rank whenever L, R are full-rank", assumptions=("L and R are square",)
)
def full_rank() -> Proposition:
    size = (3, 2)  # of R and L

    def check(ranks: tuple[int, int]) -> Finding:
        if not prove_for_every_size():  # (Rᵀ ⊗ L)⁻¹ = R⁻ᵀ ⊗ L⁻¹
            raise ArithmeticError("the inverse of a Kronecker product did not check in matrix algebra")
        right, left = (of_rank(rank, side) for rank, side in zip(ranks, size, strict=True))
        rank = unfactored(left, right).rank()
        if rank != right.rank() * left.rank():
            raise ArithmeticError("the rank of the product is not the product of the ranks")
        return Finding(
            rank == size[0] * size[1],
            f"rank R = {right.rank()}, rank L = {left.rank()}: rank {rank} of {size[0] * size[1]}",
        )

    def numerically(ranks: tuple[int, int]) -> Finding:
        right, left = (
            witness.generic(side, rank, 1) @ witness.generic(rank, side, 2)
            for rank, side in zip(ranks, size, strict=True)
        )
        rank = int(torch.linalg.matrix_rank(witness.kron(left, right)))
        return Finding(rank == size[0] * size[1], f"numerical rank {rank}")

    return Proposition(
        check,
        stated={"ranks": (3, 2)},
        control={"ranks": (3, 1)},
        witness=numerically,
        note="For every size: (Rᵀ ⊗ L)⁻¹ = R⁻ᵀ ⊗ L⁻¹. And only then, for rank(Rᵀ ⊗ L) = rank R · rank L",
    )


@PAPER.claim("s42-identity", "4.2", "the identity matrix lies in the span of Kronecker-factored matrices")
def identity_is_factored() -> Proposition:
    """Whether it is one itself; the linear span of Kronecker products is every matrix, and says nothing."""
    sizes = ((2, 2), (3, 2), (2, 3))

    def targets(diagonal: str) -> dict[tuple[int, int], Matrix]:
        return {
            size: eye(size[0] * size[1]) if diagonal == "ones" else sympy.diag(*range(1, size[0] * size[1] + 1))
            for size in sizes
        }

    def check(diagonal: str) -> Finding:
        for size, target in targets(diagonal).items():
            if not is_kronecker_product(target, *size):
                return Finding(False, f"diag{tuple(target.diagonal())} is no Kronecker product with m, n = {size}")
        if any(unfactored(eye(rows), eye(columns)) != eye(rows * columns) for columns, rows in sizes):
            raise ArithmeticError("I ⊗ I is not the identity")
        return Finding(True, "I_m ⊗ I_n = I_mn, so that it is one itself")

    def numerically(diagonal: str) -> Finding:
        second = max(float(witness.rearranged(witness.tensor(t), *s)[1]) for s, t in targets(diagonal).items())
        return Finding(second < 1e-12, f"second singular value of the rearranged matrix: {second:.3f}")

    return Proposition(check, stated={"diagonal": "ones"}, control={"diagonal": "1, 2, 3, …"}, witness=numerically)


@PAPER.claim(
    "s42-gradient-descent",
    "4.2",
    "this allows meta-optimizers to recover the gradient descent update by letting R, L be the identity",
    assumptions=("b = 0",),
    uses=("eq5", "eq7", "s42-identity"),
)
def recovers_gradient_descent() -> Proposition:
    """KLin has one layer; KFC has two or more, with ReLU between them (Section A.1)."""

    def check(layers: tuple[int, ...]) -> Finding:
        gradient = symbols_matrix("G", 2, 2)
        for count in layers:
            out = kronecker_network(factors_at_identity(count, 2, 2), gradient, relu)
            same, there, _ = gap(out, gradient, dict(zip(gradient, SIGNED, strict=True)))
            if not same:
                return Finding(
                    False,
                    f"with {count} layers and ReLU U(G) = ReLU(G): G = {SIGNED.tolist()} becomes {there.tolist()}",
                )
        return Finding(True, "U(G) = G")

    def numerically(layers: tuple[int, ...]) -> Finding:
        gradient = witness.generic(3, 4)
        for count in layers:
            out = witness.kfc([(torch.eye(3).to(gradient), torch.eye(4).to(gradient))] * count, gradient, torch.relu)
            if not torch.allclose(out, gradient):
                return Finding(
                    False, f"with {count} layers a random gradient is changed by {(out - gradient).norm():.3f}"
                )
        return Finding(True, "a random gradient comes out as it went in")

    return Proposition(
        check,
        stated={"layers": (1, 2, 5)},
        weaker={"layers": (1,)},
        assumption="the meta-optimizer is linear (KLin)",
        control={"layers": (2,)},
        witness=numerically,
        note="At the identity a KFC with ReLU leaves alone every parameter whose gradient is negative. Nor does it recover gradient "
        "descent with other factors: square layers without biases send some G ≠ 0 to 0. By (3) the step of KLin has rate 1",
    )


@PAPER.claim(
    "a12-unit-norm",
    "A.1.2",
    "we separate processing of the magnitude and direction (scaled to unit norm before KFC, rescaled by that norm times a learnable "
    "factor), and found this architecture to help",
    assumptions=("the factor is 1, as at its start",),
    uses=("eq7",),
)
def unit_norm() -> Proposition:
    """What can help must change U: whether ‖G‖ U(G/‖G‖) is another function of G than U(G), with a bias in the first layer or none."""
    factors = [(pair[0], pair[1][:2, :2]) for pair in GENERIC]
    gradients = (Matrix([[1, -3], [-1, 5]]), Matrix([[-1, 1], [7, 7]]))  # of norm 6 and 10

    def check(changes: bool, bias: int) -> Finding:
        def network(gradient: Matrix) -> Matrix:
            hidden = kronecker_network(factors[:1], gradient) + bias * sympy.ones(2, 2)
            return kronecker_network(factors[1:], hidden.applyfunc(relu), relu)

        if bias == 0 and network(gradients[0]) != kronecker_network(factors, gradients[0], relu):
            raise ArithmeticError("the network without a bias is not (7)")
        c = sympy.Symbol("c", positive=True)
        homogeneous = all(network(c * g) == (c * network(g)).expand() for g in gradients)
        pairs = [(g.norm() * network(g / g.norm()), network(g)) for g in gradients]
        same = all(one == other for one, other in pairs)
        if same != homogeneous:
            raise ArithmeticError("the examples and the homogeneity of U disagree")
        told = f"at G = {gradients[0].tolist()}, of norm 6, they are {pairs[0][0].tolist()} and {pairs[0][1].tolist()}"
        if same:
            told = "U(cG) = c U(G) for c > 0, so that ‖G‖ U(G/‖G‖) = U(G)"
        return Finding(same != changes, told)

    def numerically(changes: bool, bias: int) -> Finding:
        gradient = witness.generic(2, 2, 5)
        pairs = [(witness.tensor(left), witness.tensor(right)) for left, right in factors]

        def network(g: torch.Tensor) -> torch.Tensor:
            return witness.kfc(pairs[1:], torch.relu(witness.kfc(pairs[:1], g) + bias), torch.relu)

        apart = (gradient.norm() * network(gradient / gradient.norm()) - network(gradient)).norm()
        return Finding((apart > 1e-9).item() == changes, f"for a random gradient they differ by {apart:.1e}")

    return Proposition(
        check,
        stated={"changes": True, "bias": 0},
        weaker={"changes": True, "bias": 1},
        assumption="the layers have biases (or σ is not positively homogeneous); A.1 has ReLU and no biases",
        control={"changes": False, "bias": 1},
        witness=numerically,
        note="As described, only the learnable factor s is new: ‖G‖ s U(G/‖G‖) = s U(G). That it was found to help can come from training "
        "s, from rounding, or from derivatives that pass the norm by",
    )
