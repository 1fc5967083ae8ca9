"""What MAML, first-order MAML and Reptile do with two minibatches of a task, on average, to first order in the inner rate α.

Nichol, Achiam, Schulman, *On First-Order Meta-Learning Algorithms* (2018), Section 5.1. `pytest reptile_claims.py` judges it.
"""

from sympy import Derivative, Function, Matrix, Subs, Symbol, symbols

from paper_checks.framework import Formula, Paper

PAPER = Paper("reptile", "On First-Order Meta-Learning Algorithms")
alpha, u, v, x, y = symbols("alpha u v x y", real=True)
start = Matrix([u, v])
L1, L2 = Function("L1")(x, y), Function("L2")(x, y)  # the minibatches' losses: any smooth functions


def gradient(loss, at):  # by Subs: where a point contains u and v, .subs in a derivative by them can go wrong
    return Matrix([Subs(loss.diff(s), (x, y), tuple(at)) for s in (x, y)])


def step(loss):
    return start - alpha * gradient(loss, start)


def expected(update):
    """The mean over which minibatch comes first, expanded in α at 0; each derivative of a loss gets a symbol, such as L1_uv."""
    mean = (update(L1, L2) + update(L2, L1)) / 2
    series = mean.subs(alpha, 0).doit() + alpha * mean.diff(alpha).subs(alpha, 0).doit()
    return series.replace(Derivative, lambda loss, *by: Symbol(f"{loss.func}_" + "".join(str(s) * n for s, n in by)))


avg_grad = expected(lambda first, second: gradient(first, start))
avg_grad_inner = expected(lambda first, second: gradient(second, start).jacobian(start) * gradient(first, start))


@PAPER.claim("maml", "5.1", "E[g_MAML] = AvgGrad − 2α AvgGradInner + O(α²)")
def maml():
    derived = expected(lambda first, second: step(first).jacobian(start).T * gradient(second, step(first)))
    return Formula(avg_grad - 2 * alpha * avg_grad_inner, derived, control=avg_grad - alpha * avg_grad_inner)


@PAPER.claim("fomaml", "5.1", "E[g_FOMAML] = AvgGrad − α AvgGradInner + O(α²)")
def fomaml():
    derived = expected(lambda first, second: gradient(second, step(first)))
    return Formula(avg_grad - alpha * avg_grad_inner, derived, control=avg_grad - 2 * alpha * avg_grad_inner)


@PAPER.claim("reptile", "5.1", "E[g_Reptile] = 2 AvgGrad − α AvgGradInner + O(α²)")
def reptile():
    derived = expected(lambda first, second: gradient(first, start) + gradient(second, step(first)))
    return Formula(2 * avg_grad - alpha * avg_grad_inner, derived, control=avg_grad - alpha * avg_grad_inner)
