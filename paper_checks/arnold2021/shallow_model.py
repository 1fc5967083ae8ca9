"""The shallow model ŷ = c x: Section 4.3, Appendix A.1.1; and the losses (8), (9) that lack a ½."""

from __future__ import annotations

import sympy

from analysis import LinearNetwork, Maml, adaptation_update, meta_training_update
from analysis.gaussian import expectation_expr

from ..framework import Finding, Formula, Freedom, Proposition
from . import witness
from .paper import PAPER
from .setup import DEEP, HALF, SHALLOW, a, alpha, b, beta, c, expected_over_tasks, mean_square, shallow, theta

CONST_IN_C = Freedom(constant_in=(c,))
TASK_LOSS = ("½ (1−α)² (c − θ_τ)² + ½", HALF * (1 - alpha) ** 2 * (c - theta) ** 2 + HALF)
AFTER_STEP = (1 - alpha) * c + alpha * theta  # as (32) prints the adapted weight


def _conventions(derived: sympy.Expr, without_half: sympy.Expr) -> dict[str, sympy.Expr]:
    return {
        "with the ½ in the inner step only": 2 * derived,
        "with the losses (8), (9), which lack the ½": without_half,
    }


_shallow_without_half = Maml(LinearNetwork(1, half=False))


@PAPER.claim(
    "losses-without-half",
    "(8), (9)",
    "ℓ_τ(c) = E(y − c x)², ℓ_τ(ab) = E(y − a b x)² (no factor ½)",
    uses=("eq6", "eq7", "eq30"),
)
def losses_without_half() -> Formula:
    without = Maml(LinearNetwork(2, half=False))
    (c_after,) = adaptation_update(LinearNetwork(1, half=False)).values()
    rate = sympy.solve(sympy.diff(c_after, c), alpha)[0]
    at = {b: 0, a: 1 / sympy.sqrt(2 * alpha)}
    stationary = all(sympy.expand(g.subs(at)) == 0 for g in without.expr(without.gradient))
    hessian = sympy.Matrix(without.expr(without.hessian)).subs(at).applyfunc(sympy.expand)
    speed = sympy.cancel((c - c_after) / (c - theta))
    note = (
        f"Taken at their word, (8) and (9) would turn (14) into c ← c − {speed} (c − θ_τ), move the special rate α = 1 to "
        f"α = {rate}"
    )
    if stationary:
        note += f", and move the minima to (±1/√(2α), 0) and (0, ±1/√(2α)), with Hessian diag({hessian[0, 0]}, {hessian[1, 1]})"
    return Formula(
        printed=[mean_square(c), mean_square(a * b)],
        derived=[Maml(network, steps=0).expr(Maml(network, steps=0).task_loss) for network in (SHALLOW, DEEP)],
        right=("½ E(y − c x)², ½ E(y − a b x)²", [HALF * mean_square(c), HALF * mean_square(a * b)]),
        control=[mean_square(c) / 3, mean_square(a * b) / 3],
        witness=lambda a, b, c, theta: [
            witness.task_loss_after((c,), theta, 0.0),
            witness.task_loss_after((a, b), theta, 0.0),
        ],
        single_symbol=True,
        note=note + ". The paper's results need the ½ of (30)",
    )


@PAPER.claim("eq10", "(10)", "ℓ_τ(c − α∇ℓ_τ) = (1−α)² (c − θ_τ)² + const", uses=("eq6", "eq30"))
def eq10() -> Formula:
    derived = shallow.expr(shallow.task_loss)
    return Formula(
        printed=(1 - alpha) ** 2 * (c - theta) ** 2,
        derived=derived,
        right=TASK_LOSS,
        control=HALF * (1 - alpha) ** 2 * (c + theta) ** 2,
        freedom=CONST_IN_C,
        witness=lambda c, theta, alpha: witness.task_loss_after((c,), theta, alpha),
        conventions=_conventions(derived, _shallow_without_half.expr(_shallow_without_half.task_loss)),
        single_symbol=True,
    )


def _shallow_maml_loss(before: sympy.Expr) -> Formula:
    derived = shallow.expr(shallow.loss)
    return Formula(
        printed=2 * (1 - alpha) ** 2 * c**2,
        derived=derived,
        right=("½ (1−α)² (c² + 1) + ½", HALF * (1 - alpha) ** 2 * (c**2 + 1) + HALF),
        control=HALF * (1 - alpha) * c**2,
        freedom=CONST_IN_C,
        witness=lambda c, alpha: witness.maml_loss_at((c,), alpha),
        conventions=_conventions(derived, _shallow_without_half.expr(_shallow_without_half.loss)),
        before=before,
        before_freedom=CONST_IN_C,
        single_symbol=True,
    )


@PAPER.claim("eq11", "(11)", "L_maml_shallow = 2 (1−α)² c² + const", uses=("eq1", "eq10"))
def eq11() -> Formula:
    return _shallow_maml_loss(before=expected_over_tasks((1 - alpha) ** 2 * (c - theta) ** 2))


@PAPER.claim("eq11-minimiser", "(11)", "L_maml_shallow is convex with the minimiser c_maml = 0", uses=("eq2", "eq11"))
def eq11_minimiser() -> Proposition:
    loss = shallow.expr(shallow.loss)

    def check(minimiser: int, except_at: tuple[int, ...]) -> Finding:
        slope, curvature = sympy.factor(loss.diff(c)), sympy.factor(loss.diff(c, 2))
        leading, factors = sympy.factor_list(curvature)
        convex = leading > 0 and all(power % 2 == 0 for _, power in factors)
        flat = [rate for rate in sympy.solve(curvature, alpha) if rate not in except_at]
        at_minimiser = sympy.expand(slope.subs(c, minimiser)) == 0
        if not convex or not at_minimiser:
            return Finding(False, f"L′ = {slope}, which is not 0 at c = {minimiser}")
        if flat:
            return Finding(False, f"L″ = {curvature} is 0 at α = {flat[0]}, where every c is a minimiser, c = 1 too")
        return Finding(True, f"L″ = {curvature} > 0 and L′({minimiser}) = 0")

    def numerically(minimiser: int, except_at: tuple[int, ...]) -> Finding:
        for rate in (0.1, 0.5, 1.0, 1.7):
            if rate in except_at:
                continue
            gaps = [
                witness.maml_loss_at((minimiser + d,), rate) - witness.maml_loss_at((minimiser,), rate)
                for d in (-1, 0.3)
            ]
            if min(gaps) < 1e-12:
                return Finding(False, f"at α = {rate} another c has no higher loss (gap {min(gaps):.1e})")
        return Finding(True, "a lower loss than elsewhere at every sampled α")

    return Proposition(
        check,
        stated={"minimiser": 0, "except_at": ()},
        weaker={"minimiser": 0, "except_at": (1,)},
        assumption="α ≠ 1",
        control={"minimiser": 1, "except_at": (1,)},
        witness=numerically,
    )


@PAPER.claim("eq12", "(12)", "∂ℓ_τ(c − α∇ℓ_τ)/∂c ∝ (1−α)² (c − θ_τ)", uses=("eq10",))
def eq12() -> Formula:
    return Formula(
        printed=(1 - alpha) ** 2 * (c - theta),
        derived=shallow.expr(shallow.task_gradient)[0],
        control=(1 - alpha) * (c - theta),
        freedom=Freedom(factor=True),
        witness=lambda c, theta, alpha: witness.task_meta_gradient((c,), theta, alpha),
        note="With (30) the factor of proportionality is 1",
    )


@PAPER.claim("eq13", "(13)", "meta-training, shallow: c ← c − β (1−α)² (c − θ_τ)", uses=("eq3", "eq12"))
def eq13() -> Formula:
    return Formula(
        printed=c - beta * (1 - alpha) ** 2 * (c - theta),
        derived=meta_training_update(SHALLOW)[c],
        control=c - beta * (1 - alpha) * (c - theta),
        witness=lambda c, theta, alpha, beta: c - beta * witness.task_meta_gradient((c,), theta, alpha)[0],
    )


@PAPER.claim("eq14", "(14)", "meta-testing, shallow: c ← c − α (c − θ_τ)", uses=("eq4", "eq31"))
def eq14() -> Formula:
    return Formula(
        printed=c - alpha * (c - theta),
        derived=adaptation_update(SHALLOW)[c],
        control=c - 2 * alpha * (c - theta),
        witness=lambda c, theta, alpha: witness.adapted((c,), theta, alpha)[0].tolist(),
    )


@PAPER.claim("eq15", "(15)", "from c_maml = 0 on a task θ0: c ← c_maml − α (c_maml − θ0) = α θ0", uses=("eq14",))
def eq15() -> Formula:
    after = adaptation_update(SHALLOW)[c].subs(c, 0)
    return Formula(
        printed=[(c - alpha * (c - theta)).subs(c, 0), alpha * theta],
        derived=[after, after],
        control=[after, -alpha * theta],
        witness=lambda theta, alpha: 2 * witness.adapted((0.0,), theta, alpha)[0].tolist(),
    )


@PAPER.claim("eq15-unless", "(15)", "unless α = 1, one step from c_maml = 0 does not reach the optimum", uses=("eq15",))
def eq15_unless() -> Proposition:
    miss = sympy.factor(adaptation_update(SHALLOW)[c].subs(c, 0) - theta)

    def check(special: sympy.Rational, tasks: tuple[str, ...]) -> Finding:
        reached = [{alpha: rate} for rate in sympy.solve(miss, alpha) if rate != special]
        if "θ0 = 0" in tasks:
            reached += [{theta: task} for task in sympy.solve(miss, theta)]
        if reached:
            (symbol, value) = next(iter(reached[0].items()))
            return Finding(False, f"c − θ0 = {miss} is 0 at {'θ0' if symbol == theta else symbol} = {value}")
        return Finding(True, f"c − θ0 = {miss} is 0 nowhere else")

    def numerically(special: sympy.Rational, tasks: tuple[str, ...]) -> Finding:
        for rate in (0.25, 0.5, 1.0, 1.5):
            for task in (-1.5, 0.7, *((0.0,) if "θ0 = 0" in tasks else ())):
                if rate != float(special) and abs(float(witness.adapted((0.0,), task, rate)) - task) < 1e-12:
                    return Finding(False, f"reached at α = {rate}, θ0 = {task}")
        return Finding(True, "missed at every sampled α and θ0")

    return Proposition(
        check,
        stated={"special": sympy.Integer(1), "tasks": ("θ0 ≠ 0", "θ0 = 0")},
        weaker={"special": sympy.Integer(1), "tasks": ("θ0 ≠ 0",)},
        assumption="θ0 ≠ 0, which has probability 1",
        control={"special": HALF, "tasks": ("θ0 ≠ 0",)},
        witness=numerically,
    )


@PAPER.claim(
    "s43-rate-one",
    "4.3",
    "when α = 1 the gradient of L_maml_shallow is zero (cf. (12)), thus meta-learning cannot occur",
    uses=("eq12",),
)
def rate_one() -> Proposition:
    def check(rate: sympy.Rational) -> Finding:
        gradient = shallow.expr(shallow.gradient)[0].subs(alpha, rate)
        return Finding(gradient == 0, f"at α = {rate} the gradient is {sympy.factor(gradient)}")

    def numerically(rate: sympy.Rational) -> Finding:
        largest = max(abs(witness.maml_gradient_at((weight,), float(rate))[0]) for weight in (-2.0, 0.3, 1.0))
        return Finding(largest < 1e-12, f"largest |gradient| {largest:.1e}")

    at_one = shallow.expr(shallow.loss).subs(alpha, 1)
    return Proposition(
        check,
        stated={"rate": sympy.Integer(1)},
        control={"rate": HALF},
        witness=numerically,
        note=f"Meta-training cannot move c; nor need it, since at α = 1 the loss after adaptation is {at_one} for every c: with "
        "v = 1 that is the noise floor, so one step adapts perfectly from anywhere.",
    )


@PAPER.claim("eq31", "(31)", "∇ℓ_τ = E[(c x − y) x] = c − θ_τ", uses=("eq30",))
def eq31() -> Formula:
    x, noise = sympy.symbols("x noise", real=True)
    mean = expectation_expr((c * x - (theta * x + noise)) * x, {x: 0, noise: 0}, {(x, x): 1, (noise, noise): 1})
    unadapted = Maml(SHALLOW, steps=0)
    (gradient,) = unadapted.expr(unadapted.task_gradient)
    return Formula(
        printed=[mean, c - theta],
        derived=[gradient, gradient],
        control=[mean, c + theta],
        witness=lambda c, theta: 2 * witness.task_gradient((c,), theta),
    )


@PAPER.claim("eq32", "(32)", "ℓ_τ(c − α∇ℓ_τ) = E(y − [(1−α)c + αθ_τ] x)²", uses=("eq30", "eq31"))
def eq32() -> Formula:
    derived = shallow.expr(shallow.task_loss)
    return Formula(
        printed=mean_square(AFTER_STEP),
        derived=derived,
        right=("½ E(y − [(1−α)c + αθ_τ] x)²", HALF * mean_square(AFTER_STEP)),
        control=HALF * mean_square((1 - alpha) * c - alpha * theta),
        witness=lambda c, theta, alpha: witness.task_loss_after((c,), theta, alpha),
        conventions=_conventions(derived, _shallow_without_half.expr(_shallow_without_half.task_loss)),
        single_symbol=True,
    )


@PAPER.claim("eq33", "(33)", "= [(1−α)c + αθ_τ]² − 2[(1−α)c + αθ_τ] θ_τ", uses=("eq32",))
def eq33() -> Formula:
    derived = shallow.expr(shallow.task_loss)
    return Formula(
        printed=AFTER_STEP**2 - 2 * AFTER_STEP * theta,
        derived=derived,
        right=(
            "½ ([(1−α)c + αθ_τ]² − 2[(1−α)c + αθ_τ] θ_τ + θ_τ² + 1)",
            HALF * (AFTER_STEP**2 - 2 * AFTER_STEP * theta + theta**2 + 1),
        ),
        control=HALF * (AFTER_STEP**2 + 2 * AFTER_STEP * theta),
        witness=lambda c, theta, alpha: witness.task_loss_after((c,), theta, alpha),
        conventions=_conventions(derived, _shallow_without_half.expr(_shallow_without_half.task_loss)),
        before=mean_square(AFTER_STEP),
        note="Between (32) and (33) the terms E y² = θ_τ² + 1 are dropped without a word",
    )


@PAPER.claim("eq34", "(34)", "= (1−α)² (c − θ_τ)² + const", uses=("eq33",))
def eq34() -> Formula:
    derived = shallow.expr(shallow.task_loss)
    return Formula(
        printed=(1 - alpha) ** 2 * (c - theta) ** 2,
        derived=derived,
        right=TASK_LOSS,
        control=HALF * (1 - alpha) ** 2 * (c - 2 * theta) ** 2,
        freedom=CONST_IN_C,
        witness=lambda c, theta, alpha: witness.task_loss_after((c,), theta, alpha),
        conventions=_conventions(derived, _shallow_without_half.expr(_shallow_without_half.task_loss)),
        before=AFTER_STEP**2 - 2 * AFTER_STEP * theta,
        before_freedom=CONST_IN_C,
        single_symbol=True,
    )


@PAPER.claim("eq35", "(35)", "L_maml_shallow = 2 (1−α)² c² + const", uses=("eq1", "eq34"))
def eq35() -> Formula:
    return _shallow_maml_loss(before=expected_over_tasks((1 - alpha) ** 2 * (c - theta) ** 2))
