"""The deep model ŷ = a b x: its MAML loss, line by line (Appendix A.1.2, eqs. (40) to (53), and the script)."""

from __future__ import annotations

from functools import cache

import sympy
import torch

from analysis import LinearNetwork, Maml
from analysis.gaussian import expectation_expr

from ..framework import Formula, Freedom
from . import witness
from .paper import PAPER
from .setup import HALF, a, alpha, b, deep, expected_over_tasks, mean_square, theta

error = a * b - theta
f_printed = (a - alpha * b * error) * (b - alpha * a * error)
p1 = a * b - alpha * (a**2 + b**2) * a * b + alpha**2 * a**3 * b**3
p2 = alpha * (a**2 + b**2) - 2 * alpha**2 * a**2 * b**2
p3 = alpha**2 * a * b
LINE_44 = (a * b - alpha * a**2 * error - alpha * b**2 * error + alpha**2 * a * b * error**2) ** 2
LINE_45 = (a * b - alpha * (a**2 + b**2) * error + alpha**2 * error**2) ** 2
LINE_46 = (
    a * b
    - alpha * (a**2 + b**2) * a * b
    + alpha**2 * a**3 * b**3
    + (alpha * (a**2 + b**2) - 2 * alpha**2 * a**2 * b**2) * theta
    + alpha**2 * a * b * theta**2
) ** 2


def _f() -> sympy.Expr:
    """The product of the adapted weights, derived by adapting."""
    after = deep.adapted_weights
    return deep.expr(after[0] * after[1])


def _f_squared(printed: sympy.Expr, **more: object) -> Formula:
    return Formula(
        printed=printed,
        derived=sympy.expand(_f() ** 2),
        right=("(ab − α(a²+b²)(ab−θ_τ) + α²ab(ab−θ_τ)²)²", LINE_44),
        control=sympy.expand((_f() + alpha * theta) ** 2),
        witness=lambda a, b, theta, alpha: float(witness.adapted_product((a, b), theta, alpha)) ** 2,
        **more,
    )


RIGHT_LOSS = (
    "½ (2 + p1² + p2² + 3p3² + 2p1p3 − 2p2), with (49)",
    HALF * (2 + p1**2 + p2**2 + 3 * p3**2 + 2 * p1 * p3 - 2 * p2),
)


def _loss(printed: sympy.Expr, right: tuple[str, sympy.Expr] = RIGHT_LOSS, **more: object) -> Formula:
    derived = deep.expr(deep.loss)
    return Formula(
        printed=printed,
        derived=derived,
        right=right,
        control=derived + alpha * a**2 * b**2,
        witness=lambda a, b, alpha: witness.maml_loss_at((a, b), alpha),
        **more,
    )


@cache
def _noise_free() -> dict[str, sympy.Expr]:
    maml = Maml(LinearNetwork(2, v=0))
    return {"without observation noise (v = 0)": maml.expr(maml.loss)}


def _line_40() -> sympy.Expr:
    return expected_over_tasks(HALF * mean_square(f_printed))


@PAPER.claim(
    "eq40",
    "(40)",
    "L_deep = ½ E_τ E_{x,y}[(y − (a − αb(ab−θ_τ))(b − αa(ab−θ_τ)) x)²]",
    uses=("eq1", "eq30", "eq38", "eq39"),
)
def eq40() -> Formula:
    return _loss(_line_40())


@PAPER.claim(
    "eq41", "(41)", "= ½ E_τ E_{x,y}[(y − f(a, b, θ_τ) x)²], f = (a − αb(ab−θ_τ))(b − αa(ab−θ_τ))", uses=("eq40",)
)
def eq41() -> Formula:
    return _loss(_line_40(), before=_line_40(), note="This line names f")


def _line_42() -> sympy.Expr:
    return HALF * expected_over_tasks(theta**2 - 2 * theta + f_printed**2)


@PAPER.claim("eq42", "(42)", "= ½ E_τ[θ_τ² − 2θ_τ + f²]", uses=("eq41",))
def eq42() -> Formula:
    right = HALF * expected_over_tasks(theta**2 + 1 - 2 * theta * f_printed + f_printed**2)
    return _loss(
        _line_42(),
        right=("½ E_τ[θ_τ² + 1 − 2θ_τ f + f²]", right),
        before=_line_40(),
        conventions=_noise_free(),
        note="The cross term −2θ_τ f is printed without f (the copy may have lost it), and E y² = θ_τ² + 1 without its 1",
    )


@PAPER.claim("eq43", "(43)", "= ½ + ½ E f² − ½ E[θ_τ f]", uses=("eq42",))
def eq43() -> Formula:
    square, cross = expected_over_tasks(f_printed**2), expected_over_tasks(theta * f_printed)
    return _loss(
        HALF + HALF * square - HALF * cross,
        right=("1 + ½ E f² − E[θ_τ f]", 1 + HALF * square - cross),
        before=_line_42(),
        conventions=_noise_free(),
        note="The cross term has the factor 1, as in (53) (its ½ may be the copy's), and the noise's ½ is missing",
    )


@PAPER.claim("eq44", "(44)", "f² = (ab − αa²(ab−θ_τ) − αb²(ab−θ_τ) + α²ab(ab−θ_τ)²)²", uses=("eq41",))
def eq44() -> Formula:
    return _f_squared(LINE_44)


@PAPER.claim("eq45", "(45)", "= (ab − α(a²+b²)(ab−θ_τ) + α²(ab−θ_τ)²)²", uses=("eq44",))
def eq45() -> Formula:
    return _f_squared(LINE_45, before=LINE_44, single_symbol=True, note="The last term has lost its factor ab")


@PAPER.claim(
    "eq46",
    "(46)",
    "= (ab − α(a²+b²)ab + α²a³b³ + (α(a²+b²) − 2α²a²b²)θ_τ + α²ab θ_τ²)²",
    uses=("eq44",),
)
def eq46() -> Formula:
    return _f_squared(LINE_46, before=LINE_45, note="It is f² all the same: (45) lost a factor ab that is back here")


@PAPER.claim("eq48", "(48)", "= (p1 + p2 θ_τ + p3 θ_τ²)²", uses=("eq46", "eq49"))
def eq48() -> Formula:
    return _f_squared((p1 + p2 * theta + p3 * theta**2) ** 2, before=LINE_46)


@PAPER.claim(
    "eq49",
    "(49)",
    "p1 = ab − α(a²+b²)ab + α²a³b³, p2 = α(a²+b²) − 2α²a²b², p3 = α²ab",
    uses=("eq46",),
)
def eq49() -> Formula:
    in_theta = sympy.Poly(_f(), theta)

    def fitted(a: float, b: float, alpha: float) -> list[float]:
        low, middle, high = witness.adapted_product((a, b), torch.tensor([-1.0, 0.0, 1.0]), alpha).tolist()
        return [middle, (high - low) / 2, (high + low) / 2 - middle]

    return Formula(
        printed=[p1, p2, p3],
        derived=[in_theta.coeff_monomial(theta**k) for k in range(3)],
        control=[p1, alpha * (a**2 + b**2) - alpha**2 * a**2 * b**2, p3],
        witness=fitted,
        note="The coefficients of 1, θ_τ, θ_τ² in f",
    )


@PAPER.claim("eq50", "(50)", "E f² = p1² + p2² + 3p3² + 2 p1 p3", uses=("eq48", "eq51"))
def eq50() -> Formula:
    return Formula(
        printed=p1**2 + p2**2 + 3 * p3**2 + 2 * p1 * p3,
        derived=expected_over_tasks(_f() ** 2),
        control=p1**2 + p2**2 + p3**2 + 2 * p1 * p3,
        witness=lambda a, b, alpha: witness.expected_over_tasks(
            lambda theta: witness.adapted_product((a, b), theta, alpha) ** 2, 4
        ),
    )


@PAPER.claim("eq51", "(51)", "E θ_τ² = 1, E θ_τ³ = 0, E θ_τ⁴ = 3")
def eq51() -> Formula:
    return Formula(
        printed=[1, 0, 3],
        derived=[expectation_expr(theta**k, {theta: 0}, {(theta, theta): 1}) for k in (2, 3, 4)],
        control=[1, 0, 2],
        witness=lambda: [witness.expected_over_tasks(lambda theta, k=k: theta**k, k) for k in (2, 3, 4)],
    )


@PAPER.claim("eq52", "(52)", "E[θ_τ f] = p2", uses=("eq48", "eq51"))
def eq52() -> Formula:
    return Formula(
        printed=p2,
        derived=expected_over_tasks(theta * _f()),
        control=p2 + p3,
        witness=lambda a, b, alpha: witness.expected_over_tasks(
            lambda theta: theta * witness.adapted_product((a, b), theta, alpha), 3
        ),
    )


@PAPER.claim("eq53", "(53)", "L_deep = ½ (1 + p1² + p2² + 3p3² + 2p1p3 − 2p2)", uses=("eq43", "eq50", "eq52"))
def eq53() -> Formula:
    return _loss(
        HALF * (1 + p1**2 + p2**2 + 3 * p3**2 + 2 * p1 * p3 - 2 * p2),
        before=HALF + HALF * (p1**2 + p2**2 + 3 * p3**2 + 2 * p1 * p3) - HALF * p2,
        conventions=_noise_free(),
        note="It lacks the noise's ½, an additive constant that the paper does not say it drops",
    )


@PAPER.claim(
    "script",
    "script",
    "L = p1² + p2² + 3p3² + 2p1p3 − 2p2, p1 = ab(1 − α(a²+b²) + α²a²b²)",
    assumptions=("the constant and the ½ of L_deep are dropped",),
    uses=("eq49", "eq53"),
)
def script() -> Formula:
    pp1 = a * b * (1 - alpha * (a**2 + b**2) + alpha**2 * a**2 * b**2)
    return _loss(
        pp1**2 + p2**2 + 3 * p3**2 + 2 * pp1 * p3 - 2 * p2,
        freedom=Freedom(factor=True, constant_in=(a, b)),
    )
