"""Section 5.3: Meta-SGD and Meta-Curvature as special cases."""

from __future__ import annotations

import sympy
import torch
from sympy import Matrix

from analysis.kronecker import is_kronecker_product, kronecker_apply, unfactored, vec

from ..framework import Finding, Proposition
from . import witness
from .paper import PAPER
from .setup import symbols_matrix

__all__ = ["diagonals", "diagonals_by_svd"]


@PAPER.claim(
    "s53-meta-curvature",
    "5.3",
    "Meta-Curvature corresponds to KLin without adapting the optimizer",
    assumptions=(
        "Meta-Curvature (Park, Oliva 2019) multiplies the gradient by one matrix on each of its axes",
        "of a convolution these are output channels, input channels, and height × width; KLin acts on the last two (A.1.2)",
        "b = 0",
    ),
    uses=("eq5",),
)
def meta_curvature() -> Proposition:
    def check(weights: tuple[str, ...]) -> Finding:
        """Whether every Meta-Curvature with symbolic factors is a KLin."""
        for weight in weights:
            if weight == "matrix":
                out, inner, gradient = (symbols_matrix(x, *s) for x, s in (("O", (2, 2)), ("I", (3, 3)), ("G", (2, 3))))
                curved = vec(out * gradient * inner.T)
                if any(sympy.expand(entry) != 0 for entry in curved - vec(kronecker_apply(out, inner.T, gradient))):
                    return Finding(False, "on a matrix M_o G M_iᵀ is not L G R with L = M_o, R = M_iᵀ")
                continue
            out, inner, window = (symbols_matrix(x, 2, 2) for x in "OIF")
            whole = Matrix(sympy.kronecker_product(out, inner, window))
            # of KLin, which treats every filter alike and alone
            across = whole[:4, 4:]
            if across != sympy.zeros(4):
                return Finding(
                    False,
                    f"on a convolution Meta-Curvature mixes the output channels, here by {out[0, 1]} M_i ⊗ M_f, and KLin, shared by the "
                    "filters, treats each alone",
                )
        return Finding(True, "M_o G M_iᵀ = L G R with L = M_o, R = M_iᵀ")

    def numerically(weights: tuple[str, ...]) -> Finding:
        """KLin's matrices are fitted to the update itself; what is left over shows whether it is one."""
        for weight in weights:
            shape = (2, 3) if weight == "matrix" else (2, 2, 3)
            factors = [witness.generic(size, size, seed) for seed, size in enumerate(shape)]
            axes = "abc"[: len(shape)]
            terms = ",".join(f"{x.upper()}{x}" for x in axes)

            def curved(
                g: torch.Tensor, spec: str = f"{terms},{axes}->{axes.upper()}", by: list = factors
            ) -> torch.Tensor:
                return torch.einsum(spec, *by, g)

            jacobian = torch.func.jacrev(curved)(torch.zeros(shape, dtype=torch.float64))
            if weight == "matrix":
                rest = witness.rearranged(jacobian.reshape(6, 6), 2, 3)[1]  # a Kronecker product in either stacking
            else:
                rest = jacobian[0, :, :, 1].abs().max()  # the first filter's update by the second filter's gradient
            if rest > 1e-9:
                return Finding(False, f"on a {weight} by autograd, what no KLin can do is {float(rest):.2f}")
        return Finding(True, "by autograd the update of a matrix is a Kronecker product")

    return Proposition(
        check,
        stated={"weights": ("matrix", "convolution")},
        weaker={"weights": ("matrix",)},
        assumption="the weight is a matrix; on a convolution KLin has no factor for the output channels",
        control={"weights": ("convolution",)},
        witness=numerically,
        note="With one inner step KLin itself is no more than that: its first ξ-update does nothing (Algorithm 1)",
    )


def diagonals(sizes: tuple[tuple[int, int], ...], factored: bool) -> Finding:
    """Whether every diagonal matrix is in the family: Kronecker products of the given sizes (m, n), or all matrices."""
    for columns, rows in sizes:
        free = symbols_matrix("d", rows, columns)
        diagonal = sympy.diag(*vec(free))
        if factored and not is_kronecker_product(diagonal, columns, rows):
            example = sympy.diag(*range(1, rows * columns + 1))
            if is_kronecker_product(example, columns, rows):
                raise ArithmeticError("the example is a Kronecker product")
            ours = unfactored(sympy.diag(*free[:, 0]), sympy.diag(*free[0, :]))
            if not is_kronecker_product(ours, columns, rows):
                raise ArithmeticError("a Kronecker product was not recognised")
            return Finding(
                False,
                f"for G of size {rows}×{columns}, diag{tuple(example.diagonal())} is no Kronecker product; those that are have rates "
                f"l_i r_j, {rows + columns - 1} free numbers of {rows * columns}",
            )
    return Finding(True, "every diagonal matrix is in the family")


def diagonals_by_svd(sizes: tuple[tuple[int, int], ...], factored: bool) -> Finding:
    """The same for random diagonals, by the distance to the nearest member of the family."""
    for columns, rows in sizes:
        rates = witness.generic(rows, columns)
        singular = witness.rearranged(torch.diag(witness.vec(rates)), columns, rows)[1:]
        distance = float(singular.norm()) if factored else 0.0
        if distance > 1e-9:
            return Finding(
                False, f"random rates for G of size {rows}×{columns} are {distance:.2f} from any Kronecker product"
            )
    return Finding(True, "random rates are reached")


@PAPER.claim(
    "s53-meta-sgd",
    "5.3",
    "both can be seen as ablations of our methods; Meta-SGD approximates Meta-Curvature with a diagonal matrix",
    assumptions=("so that Meta-SGD's matrices are some of Meta-Curvature's, and of KLin's",),
    uses=("s53-meta-curvature",),
)
def meta_sgd() -> Proposition:
    return Proposition(
        diagonals,
        stated={"sizes": ((4, 1), (2, 2), (3, 2)), "factored": True},
        weaker={"sizes": ((4, 1), (1, 5)), "factored": True},
        assumption="the weight is a vector, m = 1 or n = 1",
        control={"sizes": ((3, 2),), "factored": True},
        witness=diagonals_by_svd,
        note="Meta-Curvature with diagonal factors is a strict part of Meta-SGD; Meta-SGD has mn rates, and is in neither of the others",
    )
