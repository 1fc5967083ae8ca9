"""The deep model ŷ = a b x: its gradients and update laws (Section 4.4, eqs. (16) to (20), (36) to (39))."""

from __future__ import annotations

import sympy

from analysis import Maml, adaptation_update, meta_training_update

from ..framework import Formula, Freedom
from . import witness
from .paper import PAPER
from .setup import A_MAML, DEEP, a, alpha, b, beta, theta

error = a * b - theta


@PAPER.claim("eq16", "(16)", "∂ℓ_τ(a(b − α∇_b ℓ_τ))/∂b ∝ a (1 − αa²)² (ab − θ_τ), a held fixed", uses=("eq7", "eq30"))
def eq16() -> Formula:
    maml = Maml(DEEP, adapts=("b",))
    return Formula(
        printed=a * (1 - alpha * a**2) ** 2 * error,
        derived=maml.expr(maml.task_gradient)[1],
        control=a * (1 - alpha * a**2) * error,
        freedom=Freedom(factor=True),
        witness=lambda a, b, theta, alpha: witness.task_meta_gradient((a, b), theta, alpha, witness.ONLY_B)[1],
        note="With (30) the factor of proportionality is 1",
    )


@PAPER.claim(
    "eq17",
    "(17)",
    "meta-training, deep: b ← b − β a (1 − αa²)² (ab − θ_τ)",
    assumptions=("a is held fixed",),
    uses=("eq3", "eq16"),
)
def eq17() -> Formula:
    return Formula(
        printed=b - beta * a * (1 - alpha * a**2) ** 2 * error,
        derived=meta_training_update(DEEP, adapts=("b",))[b],
        control=b - beta * (1 - alpha * a**2) ** 2 * error,
        witness=lambda a, b, theta, alpha, beta: (
            b - beta * witness.task_meta_gradient((a, b), theta, alpha, witness.ONLY_B)[1]
        ),
    )


def _adaptation(weight: sympy.Symbol, printed: sympy.Expr, control: sympy.Expr) -> Formula:
    position = (a, b).index(weight)
    return Formula(
        printed=printed,
        derived=adaptation_update(DEEP)[weight],
        control=control,
        witness=lambda a, b, theta, alpha: float(witness.adapted((a, b), theta, alpha)[0, position]),
    )


@PAPER.claim("eq18", "(18)", "meta-testing, deep: b ← b − α a (ab − θ_τ)", uses=("eq4", "eq37"))
def eq18() -> Formula:
    return _adaptation(b, b - alpha * a * error, b - alpha * b * error)


@PAPER.claim("eq19", "(19)", "meta-testing, deep: a ← a − α b (ab − θ_τ)", uses=("eq4", "eq36"))
def eq19() -> Formula:
    return _adaptation(a, a - alpha * b * error, a - alpha * a * error)


@PAPER.claim(
    "eq20",
    "(20)",
    "at a_maml = 1/√α, a fixed: b_new ← b_maml − α a_maml (a_maml b_maml − θ0) = √α θ0, so a·b_new = θ0 in one step",
    assumptions=("a is held fixed",),
    uses=("eq18",),
)
def eq20() -> Formula:
    after = adaptation_update(DEEP, adapts=("b",))[b].subs({a: A_MAML, b: 0})
    middle = (b - alpha * a * (a * b - theta)).subs({a: A_MAML, b: 0})

    def adapted(theta: float, alpha: float) -> list[float]:
        start = (alpha**-0.5, 0.0)
        b_new = float(witness.adapted(start, theta, alpha, witness.ONLY_B)[0, 1])
        return [b_new, b_new, float(witness.adapted_product(start, theta, alpha, witness.ONLY_B))]

    return Formula(
        printed=[middle, sympy.sqrt(alpha) * theta, theta],
        derived=[after, after, A_MAML * after],
        control=[middle, alpha * theta, theta],
        witness=adapted,
    )


@PAPER.claim(
    "s44-any-b",
    "4.4",
    "this one-step optimum depends neither on α nor on b: it holds from any b_random",
    assumptions=("a is held fixed at 1/√α",),
    uses=("eq20",),
)
def s44_any_b() -> Formula:
    after = adaptation_update(DEEP, adapts=("b",))[b].subs(a, A_MAML)
    both = adaptation_update(DEEP)
    miss = sympy.simplify(sympy.expand((both[a] * both[b] - theta).subs(a, A_MAML)))
    return Formula(
        printed=[sympy.sqrt(alpha) * theta, theta],
        derived=[sympy.expand(after), sympy.expand(A_MAML * after)],
        control=[sympy.sqrt(alpha) * theta + b, theta],
        witness=lambda b, theta, alpha: [
            float(witness.adapted((alpha**-0.5, b), theta, alpha, witness.ONLY_B)[0, 1]),
            float(witness.adapted_product((alpha**-0.5, b), theta, alpha, witness.ONLY_B)),
        ],
        domain={"b": (-2, 2)},
        note=f"The assumption matters: if a adapts too, by (19), then ab − θ0 after the step is {miss}, which is 0 for b = 0 and "
        "for b = √α θ0, not for any b",
    )


def _plain_gradient(position: int, printed: sympy.Expr, control: sympy.Expr) -> Formula:
    maml = Maml(DEEP, steps=0)
    return Formula(
        printed=printed,
        derived=maml.expr(maml.task_gradient)[position],
        control=control,
        witness=lambda a, b, theta: witness.task_gradient((a, b), theta)[position],
    )


@PAPER.claim("eq36", "(36)", "∂ℓ_τ/∂a = a b² − b θ_τ", uses=("eq30",))
def eq36() -> Formula:
    return _plain_gradient(0, a * b**2 - b * theta, a * b**2 + b * theta)


@PAPER.claim("eq37", "(37)", "∂ℓ_τ/∂b = a² b − a θ_τ", uses=("eq30",))
def eq37() -> Formula:
    return _plain_gradient(1, a**2 * b - a * theta, a**2 * b - b * theta)


@PAPER.claim("eq38", "(38)", "a ← a − α b (ab − θ_τ)", uses=("eq27", "eq36"))
def eq38() -> Formula:
    return _adaptation(a, a - alpha * b * error, a - alpha * a * error)


@PAPER.claim("eq39", "(39)", "b ← b − α a (ab − θ_τ)", uses=("eq27", "eq37"))
def eq39() -> Formula:
    return _adaptation(b, b - alpha * a * error, b - alpha * b * error)
