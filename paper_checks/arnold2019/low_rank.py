"""The low-rank Cholesky factorization: Section 4.2, equation (8) and Section A.2.3."""

from __future__ import annotations

import sympy
import torch
from sympy import Matrix, eye

from analysis.kronecker import cholesky_costs, kronecker_costs, kronecker_network, relu

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER
from .setup import factors_at_identity, symbols_matrix

m, n, k = sympy.symbols("m n k", positive=True)
LOW_RANK = ((3, 1), (3, 2), (4, 3))  # sizes n×r of L


def _low_rank(size: int, rank: int) -> Matrix:
    """A rational L ∈ R^{size×rank} of full column rank, with entries of both signs."""
    return Matrix(size, rank, lambda i, j: (-1) ** (i * j) * (i + 1) ** j)


@PAPER.claim(
    "s42-cholesky-memory",
    "4.2",
    "the Cholesky decomposition might be preferable to the Kronecker one in memory-constrained applications, since r can be used to "
    "control the memory requirements",
    assumptions=("the same k = mn, biases apart",),
    uses=("eq8",),
)
def cholesky_memory() -> Proposition:
    """Whether some r ≥ `least` takes less memory whatever m and n are: the smallest, r = `least`, decides."""
    kronecker = kronecker_costs(m, n)[0].memory
    excess = sympy.expand(kronecker - (2 * m * n + (m - n) ** 2))

    def check(least: int) -> Finding:
        if excess != 0:
            raise ArithmeticError("n² + m² is not 2mn + (m − n)²")
        spare = sympy.expand(kronecker - cholesky_costs(m * n, least).memory)
        at_square = spare.subs(n, m)
        told = (
            f"kr numbers against m² + n² = 2k + (m − n)²: with r = {least}, {spare} fewer, {at_square} of them at m = n"
        )
        return Finding(at_square.is_positive is True, told)

    def numerically(least: int) -> Finding:
        for rows, columns in ((6, 6), (5, 7), (1, 9), (784, 5)):
            left, right = torch.empty(rows, rows), torch.empty(columns, columns)
            low_rank = torch.empty(rows * columns, least)
            if witness.numbers(low_rank) >= witness.numbers(left, right):
                return Finding(False, f"in torch r = {least} saves nothing for a {rows}×{columns} gradient")
        return Finding(True, f"in torch r = {least} saves memory at four sizes")

    return Proposition(
        check,
        stated={"least": 1},
        control={"least": 2},
        witness=numerically,
        note="It does where r < m/n + n/m. In the best case of the Kronecker form, m = n, only r = 1 does, and r = 2 takes as much",
    )


@PAPER.claim(
    "s42-positiveness", "4.2", "such a decomposition imposes symmetry and positiveness on A = L Lᵀ, L ∈ R^{k×r}"
)
def positiveness() -> Proposition:
    """Positiveness is read as A.2.3 has it, positive definite, and then as xᵀAx ≥ 0; `own`: the second factor is L's own transpose."""

    def check(strict: bool, own: bool) -> Finding:
        for size, rank in LOW_RANK:
            left = _low_rank(size, rank)
            square = left * (left.T if own else _low_rank(size, rank)[::-1, :].T)
            if square != square.T:
                return Finding(False, f"{square.tolist()} is not symmetric")
            if not (square.is_positive_definite if strict else square.is_positive_semidefinite):
                kernel = left.T.nullspace()[0].T.tolist()[0]
                return Finding(False, f"for L = {left.tolist()} and x = {kernel}, xᵀAx = 0")
        return Finding(True, "xᵀ L Lᵀ x = ‖Lᵀx‖² ≥ 0")

    def numerically(strict: bool, own: bool) -> Finding:
        for size, rank in LOW_RANK:
            left = witness.generic(size, rank)
            square = left @ (left if own else left.flip(0)).T
            if not torch.allclose(square, square.T):
                return Finding(False, "not symmetric")
            smallest = float(torch.linalg.eigvalsh(square)[0])
            if smallest < (1e-9 if strict else -1e-9):
                return Finding(False, f"for a random L of size {size}×{rank} the smallest eigenvalue is {smallest:.1e}")
        return Finding(True, "the eigenvalues of random cases agree")

    return Proposition(
        check,
        stated={"strict": True, "own": True},
        weaker={"strict": False, "own": True},
        assumption="positiveness means xᵀAx ≥ 0, with 0 for some x ≠ 0 where r < k",
        control={"strict": False, "own": False},
        witness=numerically,
        note="A Hessian or its inverse that is approximated so has directions that are not moved at all",
    )


@PAPER.claim(
    "a23-definite",
    "A.2.3",
    "a rank r symmetric positive definite matrix A ∈ R^{n×n} is expressed as A = L Lᵀ, L ∈ R^{n×r}",
    assumptions=("r < n: low rank",),
    uses=("s42-positiveness",),
)
def definite() -> Proposition:
    def check(definite: bool, surplus: int) -> Finding:
        for size, rank in LOW_RANK:
            generic = symbols_matrix("L", size, rank)
            if size < 4 and sympy.expand((generic * generic.T).det()) != 0:
                raise ArithmeticError("det L Lᵀ is not 0 for r < n")
            square = _low_rank(size, rank) * _low_rank(size, rank).T
            told = f"n = {size}, r = {rank}: rank {square.rank()}, det {square.det()}"
            if square.rank() != rank + surplus or (definite and not square.is_positive_definite):
                return Finding(False, told)
            if not square.is_positive_semidefinite:
                raise ArithmeticError("L Lᵀ is not positive semi-definite")
        return Finding(True, told)

    def numerically(definite: bool, surplus: int) -> Finding:
        for size, rank in LOW_RANK:
            left = witness.generic(size, rank)
            found = int(torch.linalg.matrix_rank(left @ left.T))
            smallest = float(torch.linalg.eigvalsh(left @ left.T)[0])
            if found != rank + surplus or (definite and smallest < 1e-9):
                return Finding(
                    False, f"for a random {size}×{rank} L the rank is {found}, the smallest eigenvalue {smallest:.0e}"
                )
        return Finding(True, "ranks and eigenvalues of random cases agree")

    return Proposition(
        check,
        stated={"definite": True, "surplus": 0},
        right={"definite": False, "surplus": 0},
        right_statement="A = L Lᵀ is symmetric positive semi-definite, of rank r if L has full column rank",
        control={"definite": False, "surplus": 1},
        witness=numerically,
        note="A positive definite matrix has rank n",
    )


@PAPER.claim(
    "a23-sizes",
    "A.2.3",
    "we can write the linear transformation of Section 4 with L ∈ R^{n×r}, b ∈ R^{n×1}, g ∈ R^{n×1} the vectorization of a weight's "
    "gradient",
    uses=("eq5",),
)
def sizes() -> Proposition:
    """Section 4 has G ∈ R^{n×m}, so that g has mn entries."""
    shapes = ((2, 3), (3, 1), (4, 4))  # (n, m)

    def check(rows: sympy.Expr) -> Finding:
        for size in shapes:
            at = dict(zip((n, m), size, strict=True))
            left, gradient = sympy.ones(int(rows.subs(at)), 2), symbols_matrix("G", *size)
            if left.T.cols != len(gradient):
                return Finding(
                    False, f"for G of size {size[0]}×{size[1]}, Lᵀ is 2×{left.rows} and g has {len(gradient)} entries"
                )
        return Finding(True, f"Lᵀ g is defined with L ∈ R^{{{rows}×r}}")

    def numerically(rows: sympy.Expr) -> Finding:
        for size in shapes:
            left = witness.generic(int(rows.subs(dict(zip((n, m), size, strict=True)))), 2)
            try:
                left.T @ witness.vec(witness.generic(*size))
            except RuntimeError as error:
                return Finding(False, f"torch: {error}")
        return Finding(True, "torch multiplies them")

    return Proposition(
        check,
        stated={"rows": n},
        weaker={"rows": m * n},
        assumption="n is Section 4's k = mn here, as in its own L ∈ R^{k×r}",
        control={"rows": m},
        witness=numerically,
    )


@PAPER.claim("eq8", "(8)", "A g + b = (L Lᵀ) g + b = L (Lᵀ g) + b", uses=("eq2", "a23-sizes"))
def eq8() -> Formula:
    left, g, b = symbols_matrix("L", 3, 2), symbols_matrix("g", 3), symbols_matrix("b", 3)

    def numerically(**at: float) -> list[float]:
        low_rank, slope, bias = (witness.named(at, *size) for size in (("L", 3, 2), ("g", 3), ("b", 3)))
        return torch.einsum("ir,jr,jc->ic", low_rank, low_rank, slope).add(bias)[:, 0].tolist()

    costs = cholesky_costs(k, sympy.Symbol("r"))
    return Formula(
        printed=left * (left.T * g) + b,
        derived=(left * left.T) * g + b,
        control=left * (left.T * (g + b)),
        witness=numerically,
        note=f"Judged with n = 3, r = 2, all entries symbolic. With k for n, the right form stores {costs.memory} numbers and takes "
        f"{costs.multiplications} multiplications, against k² and k²: it is the faster one where r < k/2",
    )


@PAPER.claim(
    "a23-as-many-weights",
    "A.2.3",
    "by letting r = 1 we force the meta-optimizer to have as many weights as the model",
    uses=("eq8",),
)
def as_many_weights() -> Formula:
    """The entries of L, for a weight matrix of 7×5."""
    size = (7, 5)

    def numerically() -> float:
        gradient = witness.generic(*size)
        return witness.numbers(witness.generic(gradient.numel(), 1))

    return Formula(
        printed=size[0] * size[1],
        derived=cholesky_costs(size[0] * size[1], 1).memory,
        control=size[0] ** 2 + size[1] ** 2,
        witness=numerically,
        note="One for each weight of the model; the bias b of (8) would double them. Table A3's CFC1 has 4,185 parameters against the "
        "model's 10,602, where the filters of a layer share one meta-optimizer (A.1.2). The control is the Kronecker form's number",
    )


@PAPER.claim(
    "a23-identity",
    "A.2.3",
    "the identity matrix I_n does not lie in the span of low-rank Cholesky factorizable matrices",
    assumptions=("r < n",),
    uses=("a23-definite",),
)
def identity_is_not_low_rank() -> Proposition:
    """Whether I_n is no L Lᵀ, nor (if `span`) a sum of such matrices with coefficients; `full`: r = n."""

    def check(span: bool, full: bool) -> Finding:
        for size, rank in LOW_RANK:
            columns = [eye(size)[:, [i]] for i in range(size)]
            if span and sum((c * c.T for c in columns), sympy.zeros(size)) == eye(size):
                return Finding(False, f"with n = {size}, I_n = Σ_i e_i e_iᵀ is a sum of n matrices of rank 1")
            if eye(size).rank() <= (size if full else rank):
                return Finding(False, f"I_{size} = L Lᵀ with L = I_{size}, r = n")
        return Finding(True, "I_n has rank n, and L Lᵀ at most rank r < n")

    def numerically(span: bool, full: bool) -> Finding:
        """How far the best L, or combination of L Lᵀ, stays from the identity."""
        for size, rank in LOW_RANK:
            identity = torch.eye(size, dtype=torch.float64)
            if full:
                distance = torch.linalg.cholesky(identity) @ torch.linalg.cholesky(identity).T - identity
            elif span:
                basis = torch.stack([(x @ x.T).flatten() for x in (witness.generic(size, rank, s) for s in range(30))])
                distance = torch.linalg.lstsq(basis.T, identity.flatten()[:, None], driver="gelsd").solution
                distance = basis.T @ distance - identity.flatten()[:, None]
            else:
                vectors = torch.linalg.eigh(identity).eigenvectors[:, :rank]  # Eckart–Young
                distance = vectors @ vectors.T - identity
            if distance.norm() < 1e-9:
                return Finding(False, f"it is reached to {float(distance.norm()):.0e} at n = {size}")
        return Finding(True, f"at n = {size} the best is {float(distance.norm()):.2f} away")

    return Proposition(
        check,
        stated={"span": True, "full": False},
        weaker={"span": False, "full": False},
        assumption="the span is the set of matrices L Lᵀ, and not its linear span",
        control={"span": False, "full": True},
        witness=numerically,
    )


@PAPER.claim(
    "a23-hypergradient",
    "A.2.3",
    "for the Kronecker product we initialize the factors to the identity, thus recovering hypergradient descent in the first meta-training "
    "batch",
    assumptions=("hypergradient descent: θ ← θ − s g, and the rate s moves by α⟨∇ℓ(θ_t), ∇ℓ(θ_{t−1})⟩", "s: L_h = s I"),
    uses=("s42-gradient-descent", "eq4"),
)
def hypergradient() -> Proposition:
    """Along L_h = s I, at s = 1: U = s∇ℓ(θ_1), and −∂ℓ(θ_2)/∂s = ⟨∇ℓ(θ_2), ∇ℓ(θ_1)⟩; on an arbitrary diagonal quadratic loss."""
    weight, target, curvature = (symbols_matrix(name, 2, 2) for name in ("w", "t", "h"))
    s = sympy.Symbol("s", real=True)
    point = dict(zip([*weight, *target, *curvature], [1, -2, -1, 3, 0, 1, 2, 1, 1, 2, 1, 3], strict=True))

    def loss(at: Matrix) -> sympy.Expr:
        return sum(c * (a - t) ** 2 / 2 for c, a, t in zip(curvature, at, target, strict=True))

    def slope(at: Matrix) -> Matrix:
        return curvature.multiply_elementwise(at - target)

    def check(layers: tuple[int, ...]) -> Finding:
        for count in layers:
            first = slope(weight)
            factors = factors_at_identity(count, 2, 2)
            factors[-1] = (s * eye(2), eye(2))
            moved = weight - kronecker_network(factors, first, relu)
            change = -loss(moved).diff(s).subs(s, 1)
            wanted = sum(slope(weight - first).multiply_elementwise(first))
            if sympy.expand(change - wanted) != 0:
                values = [value.subs(point) for value in (change, wanted)]
                return Finding(
                    False,
                    f"with {count} layers and ReLU, at gradient {first.subs(point).tolist()} the rate moves by {values[0]} α, and "
                    f"hypergradient descent's by {values[1]} α",
                )
        return Finding(True, "U(G) = s G, and s moves by α⟨∇ℓ(θ_t), ∇ℓ(θ_{t−1})⟩")

    def numerically(layers: tuple[int, ...]) -> Finding:
        start, goal = witness.generic(3, 2, 1), witness.generic(3, 2, 2)

        def value(at: torch.Tensor) -> torch.Tensor:
            return torch.cosh(at - goal).sum()

        for count in layers:

            def update(rate: torch.Tensor, g: torch.Tensor, count: int = count) -> torch.Tensor:
                pairs = [(torch.eye(3).to(g), torch.eye(2).to(g))] * count
                pairs[-1] = (rate * pairs[-1][0], pairs[-1][1])
                return witness.kfc(pairs, g, torch.relu)

            rate = witness.tensor(1.0).requires_grad_()
            thetas = witness.algorithm(value, update, start.clone().requires_grad_(), rate, 0.1, 1)
            (change,) = torch.autograd.grad(-value(thetas[1]), rate)
            wanted = (torch.sinh(start - torch.sinh(start - goal) - goal) * torch.sinh(start - goal)).sum()
            if not torch.isclose(change, wanted):
                return Finding(False, f"by autograd, {count} layers: {float(change):.4f} against {float(wanted):.4f}")
        return Finding(True, "by autograd through the inner loop too")

    return Proposition(
        check,
        stated={"layers": (1, 2)},
        weaker={"layers": (1,)},
        assumption="the meta-optimizer is linear (KLin)",
        control={"layers": (2,)},
        witness=numerically,
        note="In all their entries L and R move by matrices of which that rate is one direction (−∂ℓ(θ_2)/∂L = ∇ℓ(θ_2) ∇ℓ(θ_1)ᵀ)",
    )
