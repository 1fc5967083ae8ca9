"""Section 4.5: what the analysis says of shallow against deep."""

from __future__ import annotations

import sympy
import torch

from analysis import meta_training_update, step_size_factor, stochastic_meta_gradient
from analysis.vector_linear import changes_direction, effective_step, preconditioner, prove_for_every_size
from empirical import effective_weight_after_step, shallow_gradient, stochastic_gradient_moments

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER
from .setup import A_MAML, DEEP, SHALLOW, a, alpha, b, beta, c, deep, theta


@PAPER.claim(
    "s45-farther",
    "4.5",
    "the farther a is away from a_maml, the bigger the step size (in magnitude) of (17)",
    uses=("eq17",),
)
def farther() -> Proposition:
    """The paper says it of the neighbourhood of the solution; in A = √α a the picture is the same at every α."""
    factor = step_size_factor(DEEP)
    at_one = {alpha: 1}
    shape = factor.expr.subs(at_one)

    def check(above: sympy.Expr, across: bool) -> Finding:
        """Among A > `above` ≥ 0, S(A) ≥ 0 grows with |A − 1|, on either side of 1 and, if `across`, from one to the other."""
        for left, right, direction in factor.intervals:
            left, right = left.subs(at_one), right.subs(at_one)
            if right > above and direction != ("decreasing" if right <= 1 else "increasing"):
                far, near = max(left, above), right
                return Finding(
                    False,
                    f"√α S is {direction} on √α a ∈ ({far}, {near}): further from 1, it falls from {shape.subs(a, near)} to "
                    f"{shape.subs(a, far)}",
                )
        if across:
            delta = sympy.Symbol("delta", positive=True)
            gap = sympy.factor(shape.subs(a, 1 + delta) - shape.subs(a, 1 - delta))
            nearer, further = (shape.subs(a, x) for x in (sympy.Rational(6, 5), sympy.Rational(3, 4)))
            if gap != 0 and nearer > further:
                return Finding(
                    False,
                    f"from one side to the other, √α a = 6/5 is nearer to 1 than 3/4, and √α S is {nearer} against {further}; however "
                    f"near, at √α a = 1 + δ it is more than at 1 − δ, by {gap}",
                )
        return Finding(True, f"S′(a) = {factor.derivative} is negative on (1/√(5α), 1/√α) and positive beyond 1/√α")

    def numerically(above: sympy.Expr, across: bool) -> Finding:
        rate = 0.1

        def size(scaled: float) -> float:
            # the update's factor: the gradient in b over (ab − θ), at b = 0 and θ = −1
            return abs(witness.task_meta_gradient((scaled * rate**-0.5, 0.0), -1.0, rate, witness.ONLY_B)[1])

        low = float(above)
        left = [low + (1 - low) * k / 40 for k in range(1, 40)]
        right = [1 + k / 40 for k in range(40)]
        groups = [sorted(left + right, key=lambda x: abs(x - 1))] if across else [left[::-1], right]
        holds = all(sizes == sorted(sizes) for sizes in ([size(x) for x in group] for group in groups))
        return Finding(holds, f"by autograd on a grid of a at α = {rate}: {holds}")

    return Proposition(
        check,
        stated={"above": 1 / sympy.sqrt(5), "across": True},
        weaker={"above": 1 / sympy.sqrt(5), "across": False},
        assumption="the two sides of a_maml = 1/√α are taken apart, and a > 1/√(5α)",
        control={"above": 1 / sympy.sqrt(6), "across": False},
        witness=numerically,
        note="Further away than the neighbourhood of which the paper speaks, S is greatest at 1/√(5α), where it is "
        f"{factor.extrema[2][1]}, and falls to 0 at a = 0, where b does not move at all",
    )


@PAPER.claim("s45-stationary", "4.5", "at (1/√α, 0) the update (17) is stationary for every task", uses=("eq17",))
def stationary() -> Formula:
    both = [sympy.simplify(g.subs({a: A_MAML, b: 0})) for g in deep.expr(deep.task_gradient)]
    return Formula(
        printed=0,
        derived=sympy.simplify(meta_training_update(DEEP, adapts=("b",))[b].subs({a: A_MAML, b: 0})),
        control=alpha * beta * theta,
        witness=lambda theta, alpha, beta: (
            -beta * witness.task_meta_gradient((alpha**-0.5, 0.0), theta, alpha, witness.ONLY_B)[1]
        ),
        note=f"It is so with both weights adapting and trained, too: one task's meta-gradient there is ({both[0]}, {both[1]})",
    )


@PAPER.claim(
    "s45-shallow-drift", "4.5", "shallow, at c = 0: a sampled task θ0 updates the solution to c ← −α θ0", uses=("eq13",)
)
def shallow_drift() -> Formula:
    training = meta_training_update(SHALLOW)[c].subs(c, 0)
    return Formula(
        printed=-alpha * theta,
        derived=sympy.factor(training),
        right=("c ← β (1−α)² θ0", beta * (1 - alpha) ** 2 * theta),
        control=-beta * (1 - alpha) ** 2 * theta,
        witness=lambda theta, alpha, beta: -beta * witness.task_meta_gradient((0.0,), theta, alpha)[0],
        conventions={"if the adaptation step (14) were meant": alpha * theta},
        note="The sign is wrong (the step goes towards θ0), and in meta-training the rate is β (1−α)², not α",
    )


@PAPER.claim(
    "s45-stability",
    "4.5",
    "hence the MAML solution is more stable under SGD in deep than in shallow",
    assumptions=("SGD draws tasks, and each task's loss is the population's",),
    uses=("s45-stationary", "s45-shallow-drift"),
)
def stability() -> Proposition:
    def trace(network, at: tuple, query: object = None) -> sympy.Expr:
        return sympy.factor(stochastic_meta_gradient(network, at, query=query)[1].trace())

    solutions = {"shallow": (SHALLOW, (0,)), "deep": (DEEP, (A_MAML, 0))}

    def check(calmer: str, other: str, except_at: tuple[int, ...]) -> Finding:
        traces = {name: trace(*solutions[name]) for name in (calmer, other)}
        gap = sympy.factor(traces[other] - traces[calmer])
        ties = [rate for rate in sympy.solve(gap, alpha) if rate not in except_at]
        told = ", ".join(f"{name} {value}" for name, value in traces.items())
        if not (gap.is_nonnegative or sympy.sqrt(gap).is_real) or gap == 0:
            return Finding(False, f"trace of the covariance of one task's meta-gradient: {told}")
        if ties:
            return Finding(False, f"at α = {ties[0]} both solutions are equally calm (trace: {told})")
        return Finding(True, f"trace of the covariance of one task's meta-gradient: {told}")

    def numerically(calmer: str, other: str, except_at: tuple[int, ...]) -> Finding:
        for rate in (0.1, 0.6, 1.0, 1.6):
            if rate in except_at:
                continue
            start = {"shallow": (0.0,), "deep": (rate**-0.5, 0.0)}
            noise = {
                name: float(stochastic_gradient_moments(start[name], witness.TASKS, lr=rate, steps=1).cov.trace())
                for name in (calmer, other)
            }
            if noise[calmer] >= noise[other] - 1e-12:
                return Finding(False, f"at α = {rate} the traces are {noise}")
        return Finding(True, "so at every sampled α")

    n = sympy.Symbol("n", positive=True)
    sampled = {name: trace(*solutions[name], query=n) for name in solutions}
    examples = "; ".join(
        f"at α = {rate}, n = 1: shallow {sampled['shallow'].subs({alpha: rate, n: 1})}, deep {sampled['deep'].subs({alpha: rate, n: 1})}"
        for rate in (sympy.Rational(1, 10), sympy.Rational(9, 10))
    )
    return Proposition(
        check,
        stated={"calmer": "deep", "other": "shallow", "except_at": ()},
        weaker={"calmer": "deep", "other": "shallow", "except_at": (1,)},
        assumption="α ≠ 1",
        control={"calmer": "shallow", "other": "deep", "except_at": (1,)},
        witness=numerically,
        note=f"If the outer loss is sampled too, on n points, the traces are shallow {sampled['shallow']} and deep {sampled['deep']}: then "
        f"deep is not always the calmer one ({examples})",
    )


@PAPER.claim(
    "s45-directions",
    "4.5",
    "ŷ = C x against ŷ = aᵀB x: the added parameters change the direction of the gradient, not only its scale",
    uses=("eq4",),
)
def directions() -> Proposition:
    """Exact rational cases; the formula behind them is proved for symbolic entries, and for every size."""
    half = sympy.Rational(1, 2)
    generic = (sympy.Matrix([1, half]), sympy.Matrix([[1, 2], [0, 1]]), sympy.Matrix([1, -1]))
    cases = {
        "generic": (*generic, ("a", "B")),
        "BᵀB ∝ I": (generic[0], sympy.Matrix([[3, -4], [4, 3]]), generic[2], ("a", "B")),
        "only B adapts": (*generic, ("B",)),
    }

    def check(cases: dict[str, tuple]) -> Finding:
        if any(entry != 0 for entry in effective_step(2, 2).residual) or not prove_for_every_size():
            raise ArithmeticError("the formula for the one-step change of Bᵀa did not check")
        along = {
            name: f"Pg = {(preconditioner(upper, lower, adapts) * gradient).T.tolist()[0]} for g = {gradient.T.tolist()[0]}"
            for name, (upper, lower, gradient, adapts) in cases.items()
            if not changes_direction(upper, lower, gradient, adapts)
        }
        if along:
            return Finding(
                False, "only the scale changes where " + " and where ".join(f"{n} ({e})" for n, e in along.items())
            )
        return Finding(True, "w ← w − αPg + α²(wᵀg)g with P = ‖a‖² I + BᵀB, and Pg is no multiple of g")

    def numerically(cases: dict[str, tuple]) -> Finding:
        along = []
        for name, (upper, lower, gradient, adapts) in cases.items():
            size = lower.cols
            a_, b_, g_ = (torch.tensor(m.tolist(), dtype=torch.float64) for m in (upper, lower, gradient))
            # data whose shallow gradient at w = Bᵀa is g: x = √d·e_i, and y = x·(w − g)
            x = torch.eye(size, dtype=torch.float64) * size**0.5
            w = b_.T @ a_[:, 0]
            y = x @ (w - g_[:, 0])
            slope = shallow_gradient(w, x, y)
            if not torch.allclose(slope, g_[:, 0]):
                raise ArithmeticError("the data do not have the wanted gradient")
            change = effective_weight_after_step(a_[:, 0], b_, x, y, 0.1, adapts=adapts) - w
            sine = torch.linalg.matrix_norm(torch.outer(change, slope) - torch.outer(slope, change))
            if sine < 1e-12 * change.norm() * slope.norm():
                along.append(name)
        if along:
            return Finding(False, f"one autograd step moves Bᵀa along −g where {' and where '.join(along)}")
        return Finding(True, "one autograd step moves Bᵀa off the line of g")

    return Proposition(
        check,
        stated={"cases": cases},
        weaker={"cases": {"generic": cases["generic"]}},
        assumption="a adapts and the gradient g is no eigenvector of BᵀB",
        control={"cases": {"BᵀB ∝ I": cases["BᵀB ∝ I"]}},
        witness=numerically,
        note="To first order in α the added layer multiplies the gradient by P = ‖a‖² I (B adapting) + BᵀB (a adapting)",
    )
