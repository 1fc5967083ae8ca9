"""The deep model ŷ = a b x: stationary points and Hessians (Section 4.4; Appendix A, eqs. (54) to (57))."""

from __future__ import annotations

from dataclasses import replace

import sympy
import torch

from analysis import theorem

from ..framework import Finding, Formula, Freedom, Proposition
from . import witness
from .paper import PAPER
from .setup import A_MAML, DEEP, HALF, a, alpha, b, deep

SCRIPT = Freedom(factor=True)  # the paper's script drops the ½ of L_deep, and (54) to (57) come from it
SCRIPT_NOTE = "The factor is the ½ that the paper's script drops"
ORIGIN = [(sympy.S.Zero, sympy.S.Zero)]
ON_A_AXIS = [(sign * A_MAML, sympy.S.Zero) for sign in (1, -1)]
ON_B_AXIS = [(sympy.S.Zero, sign * A_MAML) for sign in (1, -1)]


def _diag(first: sympy.Expr, second: sympy.Expr) -> list[sympy.Expr]:
    return [first, sympy.S.Zero, sympy.S.Zero, second]


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
