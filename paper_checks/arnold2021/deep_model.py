"""The deep model ŷ = a b x: Section 4.4, Appendix A.1.2."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy
import torch

from analysis import LinearNetwork, Maml, adaptation_update, meta_training_update, theorem
from analysis.gaussian import expectation_expr

from ..framework import Finding, Formula, Freedom, Proposition
from . import witness
from .paper import PAPER
from .setup import A_MAML, DEEP, HALF, a, alpha, b, beta, deep, expected_over_tasks, mean_square, theta

SCRIPT = Freedom(
    factor=True
)  # the paper's script drops the constant and the ½ of L_deep, and (54) to (57) come from it
SCRIPT_NOTE = "The factor is the ½ that the paper's script drops"

error = a * b - theta
f_printed = (a - alpha * b * error) * (b - alpha * a * error)
p1 = a * b - alpha * (a**2 + b**2) * a * b + alpha**2 * a**3 * b**3
p2 = alpha * (a**2 + b**2) - 2 * alpha**2 * a**2 * b**2
p3 = alpha**2 * a * b


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


# --- Section 4.4 ---------------------------------------------------------------------------------------------------


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


def _hessian_at(point: dict[sympy.Symbol, sympy.Expr]) -> list[sympy.Expr]:
    return [sympy.expand(entry.subs(point)) for row in deep.expr(deep.hessian) for entry in row]


def _hessian(
    points: list[tuple[sympy.Expr, sympy.Expr]], printed: list[sympy.Expr], control: list[sympy.Expr]
) -> Formula:
    """The Hessian at several points, row by row, one after another."""
    functions = [sympy.lambdify(alpha, point) for point in points]
    return Formula(
        printed=printed * len(points),
        derived=[entry for point in points for entry in _hessian_at(dict(zip((a, b), point, strict=True)))],
        control=control * len(points),
        freedom=SCRIPT,
        witness=lambda alpha: [
            x for function in functions for x in witness.maml_hessian_at(tuple(map(float, function(alpha))), alpha)
        ],
        note=SCRIPT_NOTE,
    )


ORIGIN = [(sympy.S.Zero, sympy.S.Zero)]
ON_A_AXIS = [(sign * A_MAML, sympy.S.Zero) for sign in (1, -1)]
ON_B_AXIS = [(sympy.S.Zero, sign * A_MAML) for sign in (1, -1)]


def _diag(first: sympy.Expr, second: sympy.Expr) -> list[sympy.Expr]:
    return [first, sympy.S.Zero, sympy.S.Zero, second]


def _not_stationary(points: list[tuple]) -> Finding | None:
    """What shows that the points are not all stationary at every α > 0, if they are not."""
    for point in points:
        gradient = [sympy.simplify(g.subs(dict(zip((a, b), point, strict=True)))) for g in deep.expr(deep.gradient)]
        if any(g != 0 for g in gradient):
            return Finding(False, f"the gradient at {point} is {gradient}")
    return None


def _kind_claim(points: list[tuple], kind: str, control: list[tuple], at_floor: bool) -> Proposition:
    """The points are stationary, of this kind by their Hessian, and (not) minimisers of L_maml, at every α > 0."""
    floor = HALF * DEEP.v

    def check(points: list[tuple]) -> Finding:
        moving = _not_stationary(points)
        if moving:
            return moving
        for point in points:
            at = dict(zip((a, b), point, strict=True))
            hessian = sympy.Matrix(2, 2, _hessian_at(at))
            eigenvalues = list(hessian.eigenvals())
            wrong = [e for e in eigenvalues if not (e.is_positive if kind == "minimum" else e.is_negative)]
            if wrong:
                return Finding(False, f"the Hessian at {point} has the eigenvalue {wrong[0]}")
            loss = sympy.simplify(deep.expr(deep.loss).subs(at))
            if (loss == floor) != at_floor:
                return Finding(False, f"the loss at {point} is {loss}, and its least possible value {floor}")
        return Finding(True, f"Hessian eigenvalues {', '.join(map(str, eigenvalues))}, loss {loss}, floor {floor}")

    def numerically(points: list[tuple]) -> Finding:
        for rate in (0.1, 0.5, 1.3):
            for point in points:
                at = tuple(float(sympy.sympify(x).subs(alpha, rate)) for x in point)
                gradient = max(map(abs, witness.maml_gradient_at(at, rate)))
                eigenvalues = torch.linalg.eigvalsh(torch.tensor(witness.maml_hessian_at(at, rate)).reshape(2, 2))
                definite = bool((eigenvalues > 0).all() if kind == "minimum" else (eigenvalues < 0).all())
                reached = abs(witness.maml_loss_at(at, rate) - float(floor)) < 1e-12
                if gradient > 1e-9 or not definite or reached != at_floor:
                    return Finding(
                        False, f"at α = {rate}, {at}: |gradient| {gradient:.1e}, eigenvalues {eigenvalues.tolist()}"
                    )
        return Finding(True, "gradient 0, definite Hessian and the loss as stated at α = 0.1, 0.5, 1.3")

    return Proposition(check, stated={"points": points}, control={"points": control}, witness=numerically)


@PAPER.claim(
    "s44-origin-hessian", "4.4", "deep: the origin (0,0) is stationary with Hessian −4αI", uses=("eq1", "eq55")
)
def s44_origin_hessian() -> Formula:
    return _hessian(ORIGIN, _diag(-4 * alpha, -4 * alpha), _diag(-4 * alpha, 4 * alpha))


@PAPER.claim(
    "s44-origin",
    "4.4",
    "deep: the origin is hence a local maximum and no MAML solution",
    uses=("eq2", "s44-origin-hessian"),
)
def s44_origin() -> Proposition:
    return _kind_claim(ORIGIN, "maximum", ON_A_AXIS, at_floor=False)


@PAPER.claim("s44-hessian-a", "4.4", "deep: the Hessian at (±1/√α, 0) is diag(8α, 6α³)", uses=("eq1", "eq56"))
def s44_hessian_a() -> Formula:
    return _hessian(ON_A_AXIS, _diag(8 * alpha, 6 * alpha**3), _diag(8 * alpha, 6 * alpha**2))


@PAPER.claim("s44-hessian-b", "4.4", "deep: the Hessian at (0, ±1/√α) is diag(8α, 6α³)", uses=("eq1", "eq57"))
def s44_hessian_b() -> Formula:
    return replace(
        _hessian(ON_B_AXIS, _diag(8 * alpha, 6 * alpha**3), _diag(6 * alpha**2, 8 * alpha)),
        right=(
            "diag(3α³, 4α), which is diag(6α³, 8α) in the script's normalisation",
            _diag(3 * alpha**3, 4 * alpha) * 2,
        ),
        note="Section 4.4 prints one Hessian for all four points; here its diagonal is the other way round, and (57) has it so",
    )


@PAPER.claim(
    "s44-minima",
    "4.4",
    "deep: (±1/√α, 0) and (0, ±1/√α) are local minima, hence MAML solutions",
    uses=("eq2", "s44-hessian-a", "s44-hessian-b"),
)
def s44_minima() -> Proposition:
    return replace(
        _kind_claim(ON_A_AXIS + ON_B_AXIS, "minimum", ORIGIN, at_floor=True),
        note="A local minimum need not be a MAML solution; these are, because the loss there is the noise floor. They are the only "
        "global minima (`python -m analysis theorem`)",
    )


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


# --- Appendix A.1.2 ------------------------------------------------------------------------------------------------


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


LINE_44 = (a * b - alpha * a**2 * error - alpha * b**2 * error + alpha**2 * a * b * error**2) ** 2
LINE_45 = (a * b - alpha * (a**2 + b**2) * error + alpha**2 * error**2) ** 2
LINE_46 = (
    a * b
    - alpha * (a**2 + b**2) * a * b
    + alpha**2 * a**3 * b**3
    + (alpha * (a**2 + b**2) - 2 * alpha**2 * a**2 * b**2) * theta
    + alpha**2 * a * b * theta**2
) ** 2


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


@PAPER.claim("eq54", "(54)", "at b = 0: ∂L_deep/∂a = 4αa(αa² − 1), ∂L_deep/∂b = 0", uses=("script",))
def eq54() -> Formula:
    return Formula(
        printed=[4 * alpha * a * (alpha * a**2 - 1), 0],
        derived=[sympy.expand(g.subs(b, 0)) for g in deep.expr(deep.gradient)],
        control=[4 * alpha * a * (alpha * a**2 + 1), 0],
        freedom=SCRIPT,
        witness=lambda a, alpha: witness.maml_gradient_at((a, 0.0), alpha),
        note=SCRIPT_NOTE,
    )


@PAPER.claim(
    "at-least-five",
    "A",
    "there are at least 5 stationary points: the origin, (±1/√α, 0) and (0, ±1/√α)",
    uses=("eq54",),
)
def at_least_five() -> Proposition:
    def check(points: list[tuple]) -> Finding:
        moving = _not_stationary(points)
        if moving:
            return moving
        return Finding(len(set(points)) >= 5, f"{len(set(points))} distinct points with gradient 0 for every α > 0")

    def numerically(points: list[tuple]) -> Finding:
        largest = max(
            abs(g)
            for rate in (0.1, 0.5, 1.3)
            for point in points
            for g in witness.maml_gradient_at(tuple(float(sympy.sympify(x).subs(alpha, rate)) for x in point), rate)
        )
        return Finding(largest < 1e-9 and len(set(points)) >= 5, f"largest |gradient| {largest:.1e}")

    proved = theorem()
    total = {side: sum(kinds.values()) for side, kinds in proved.counts.items()}
    five = ORIGIN + ON_A_AXIS + ON_B_AXIS
    return Proposition(
        check,
        stated={"points": five},
        control={"points": [*five[:-1], (sympy.S.Zero, 1 / alpha)]},
        witness=numerically,
        note=f"Exactly, there are {total['below']} for α < α*, {total['at']} for α = α* and {total['above']} for α > α*, with "
        f"α* = √β* ≈ {float(proved.critical_beta) ** 0.5:.8f}: the others lie on the diagonals a = ±b "
        "(`python -m analysis theorem` prints the proof)",
    )


@PAPER.claim("eq55", "(55)", "Hessian at the origin: [[−4α, 0], [0, −4α]]", uses=("script",))
def eq55() -> Formula:
    return _hessian(ORIGIN, _diag(-4 * alpha, -4 * alpha), _diag(-4 * alpha, 4 * alpha))


@PAPER.claim("eq56", "(56)", "Hessian at (±1/√α, 0): [[8α, 0], [0, 6α³]]", uses=("script",))
def eq56() -> Formula:
    return _hessian(ON_A_AXIS, _diag(8 * alpha, 6 * alpha**3), _diag(8 * alpha, 6 * alpha**2))


@PAPER.claim("eq57", "(57)", "Hessian at (0, ±1/√α): [[6α³, 0], [0, 8α]]", uses=("script",))
def eq57() -> Formula:
    return _hessian(ON_B_AXIS, _diag(6 * alpha**3, 8 * alpha), _diag(8 * alpha, 6 * alpha**3))
