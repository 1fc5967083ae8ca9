"""A small paper whose pages show one of everything: a definition, formulas right and wrong, a statement, a measurement."""

import sympy

from paper_checks.framework import Above, Estimate, Finding, Formula, Measurement, Near, NotRun, Paper, Proposition

PAPER = Paper("toy", "A toy paper", [f"({number})" for number in range(1, 7)])
x, y = sympy.symbols("x y", real=True)


PAPER.definition("task", "(1)", "let θ_τ be a task")


@PAPER.claim("square", "(2)", "(x + y)² = x² + 2xy + y²", uses=("task",))
def _square() -> Formula:
    return Formula(printed=(x + y) ** 2, derived=x**2 + 2 * x * y + y**2, control=(x - y) ** 2)


@PAPER.claim("cube", "(3)", "(x + y)³ = x³ + y³", uses=("square",))
def _cube() -> Formula:
    return Formula(printed=x**3 + y**3, derived=sympy.expand((x + y) ** 3), control=x**3 - y**3)


@PAPER.claim("bound", "(4)", "x² < 1 on [0, 1]", uses=("square", "cube"))
def _bound() -> Proposition:
    def below(bound: float) -> Finding:
        return Finding(bound > 1, f"the largest value is 1, the bound {bound}")

    return Proposition(
        below, stated={"bound": 1}, right={"bound": 2}, right_statement="x² < 2 on [0, 1]", control={"bound": 0}
    )


@PAPER.claim("level", "(5)", "the level is 1.1")
def _level() -> Measurement:
    return Measurement(
        lambda: {"level": Estimate(1.2, 0.1, "seed 0")},
        bounds={"level": Near(1.1, reading_error=0.05)},
        control={"level": Near(11, reading_error=0.05)},
        command="measure",
    )


@PAPER.claim("gain", "(6)", "the gain is above 0")
def _gain() -> Measurement:
    def missing() -> dict[str, Estimate]:
        raise NotRun("there is no record")

    return Measurement(missing, bounds={"gain": Above(0)}, control={"gain": Above(1)}, command="measure")
