"""The landscape explorer: a page on which a reader walks through the deep model's one-step MAML loss.

The page needs no server: it carries the exact polynomials, with rational coefficients, and its script evaluates and
differentiates these. Everything here comes from `analysis`; the script adds the floating-point numbers.
"""

from __future__ import annotations

from pathlib import Path

import sympy
from flint import fmpq_mpoly

from analysis import LinearNetwork, Maml, critical_learning_rate, theorem
from analysis.landscape_theorem import PLURAL
from analysis.polynomial import Ring
from analysis.symbols import alpha, theta

from ..framework.site import Site

__all__ = ["add_explorer", "exact_data"]

HERE = Path(__file__).parent
RATES = (0.05, 2)  # of the slider; α* and 1 lie well inside

_U = sympy.Symbol("u", positive=True)


def exact_data() -> dict[str, object]:
    """What the page computes from, as JSON: each polynomial is a list of [coefficient, exponents].

    Returns:
        "loss": L(a, b) with powers of a, b, α; "shallow": L(c), of c, α; "adapted" and "shallow_adapted": the effective
        weight after one inner step, of the weights, α, θ; "diagonals": where a = b and a = −b are stationary beside the
        origin, of u = a² and α; "floor": the least loss; "critical": α* as the nearest float; "counts": the number of
        stationary points by kind below, at and above α*, as proved.
    """
    deep, shallow = Maml(LinearNetwork(2)), Maml(LinearNetwork(1))
    (a, b), (c,) = deep.network.weights, shallow.network.weights
    upper, lower = deep.adapted_weights
    return {
        "loss": _terms(deep.ring, deep.loss, a, b, alpha),
        "shallow": _terms(shallow.ring, shallow.loss, c, alpha),
        "adapted": _terms(deep.ring, upper * lower, a, b, alpha, theta),
        "shallow_adapted": _terms(shallow.ring, *shallow.adapted_weights, c, alpha, theta),
        "diagonals": {
            curve: [[coefficient, [(i - 1) // 2, k]] for coefficient, (i, k) in _terms(deep.ring, slope, a, alpha)]
            for curve, slope in _slopes(deep).items()
        },
        "floor": str(deep.network.kappa * deep.network.v),
        "critical": float(critical_learning_rate()),
        "counts": theorem().counts,
    }


def add_explorer(site: Site) -> None:
    """Add the page "explorer.html" and its script and style; the site must know the templates of this package.

    Raises:
        CertificateError: the theorem behind the page did not check.
    """
    deep, shallow = Maml(LinearNetwork(2)), Maml(LinearNetwork(1))
    loss, a = deep.expr(deep.loss), deep.network.weights[0]
    critical = critical_learning_rate()
    for name in ("explorer.js", "explorer.css"):
        site.file(name, (HERE / name).read_bytes())
    site.page(
        "explorer.html",
        "explorer.html",
        title="Landscape explorer",
        description="The deep model's one-step MAML loss over its two weights, at any learning rate, with every stationary point.",
        exact=exact_data(),
        theorem=theorem(),
        plural=PLURAL,
        rates=RATES,
        critical_digits=str(sympy.N(critical, 12)),
        critical_polynomial=sympy.minimal_polynomial(critical, alpha),
        loss=loss,
        loss_by_rate=[alpha**k * sympy.factor(loss.coeff(alpha, k)) for k in range(sympy.degree(loss, alpha) + 1)],
        shallow_loss=sympy.factor(shallow.expr(shallow.loss) - shallow.network.kappa) + shallow.network.kappa,
        diagonal=sympy.expand(deep.expr(_slopes(deep)["a = b"]) / a).subs(a, sympy.sqrt(_U)),
    )


def _slopes(deep: Maml) -> dict[str, fmpq_mpoly]:
    """∂L/∂a on each diagonal, odd in a; there |∂L/∂b| is the same, so that its roots are the stationary points."""
    a, b = deep.network.weights
    return {
        curve: deep.ring.substitute(deep.gradient[0], {b: sign * a}) for curve, sign in (("a = b", 1), ("a = -b", -1))
    }


def _terms(ring: Ring, polynomial: fmpq_mpoly, *symbols: sympy.Symbol) -> list[list]:
    """[coefficient, exponents of these symbols] for each term, the highest first."""
    where = [ring.names.index(symbol.name) for symbol in symbols]
    return [
        [str(coefficient), [int(powers[i]) for i in where]]
        for powers, coefficient in sorted(polynomial.to_dict().items(), reverse=True)
    ]
