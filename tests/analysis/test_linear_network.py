from fractions import Fraction
from math import prod

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import LinearNetwork, Maml
from analysis import symbols as sy
from analysis.gaussian import expectation_expr

few = settings(max_examples=15)
rationals = st.fractions(-2, 2, max_denominator=6)
variances = st.fractions("1/5", 3, max_denominator=5)
W = sympy.Symbol("w", real=True)


def rational(number):
    return sympy.Rational(number.numerator, number.denominator)


def test_task_loss_is_equation_30():
    for half, kappa in ((True, sympy.Rational(1, 2)), (False, 1)):
        network = LinearNetwork(2, mu=sy.mu, tau2=sy.tau2, s2=sy.s2, v=sy.v, half=half)
        assert sympy.expand(network.task_loss_expr - kappa * (sy.s2 * (sy.theta - W) ** 2 + sy.v)) == 0
        assert network.curvature == 2 * kappa * sy.s2


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_task_gradient_is_the_derivative_of_the_task_loss(depth):
    network = LinearNetwork(depth, s2=sy.s2, v=sy.v)
    ring = network.ring()
    weights = [ring.gen(symbol) for symbol in network.weights]
    assert network.task_gradient(ring, weights) == ring.gradient(network.task_loss(ring, weights), network.weights)
    assert [str(w) for w in network.weights] == {1: ["c"], 2: ["a", "b"]}.get(
        depth, [f"w{i}" for i in range(depth, 0, -1)]
    )


def test_numbers_are_read_exactly():
    network = LinearNetwork(1, mu=0.1, tau2="2/3", s2=Fraction(1, 7), v="1e-3")
    assert (network.mu, network.tau2, network.s2, network.v) == tuple(
        sympy.Rational(*q) for q in ((1, 10), (2, 3), (1, 7), (1, 1000))
    )
    assert network == LinearNetwork(1, mu="1/10", tau2=sympy.Rational(2, 3), s2="1/7", v=0.001)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(depth=0), "depth is 0; a linear network has 1 layer or more"),
        (dict(depth=-1), "depth is -1"),
        (dict(depth=1.5), "depth is 1.5"),
        (dict(depth=2, mu="x"), "mu: 'x' is not a rational number"),
        (dict(depth=2, mu=float("nan")), "mu: 'nan' is not a rational number"),
        (dict(depth=2, tau2=-1), "tau2 is -1; this variance must be 0 or more"),
        (dict(depth=2, s2=0), "s2 is 0; this variance must be above 0"),
        (dict(depth=2, s2="-1/2"), "s2 is -1/2; this variance must be above 0"),
        (dict(depth=2, v=-1), "v is -1; this variance must be 0 or more"),
        (dict(depth=2, v=sympy.Symbol("n", negative=True)), "v is n; this variance must be 0 or more"),
    ],
)
def test_bad_networks_are_refused_in_a_sentence(options, sentence):
    with pytest.raises(ValueError) as caught:
        LinearNetwork(**options)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_symbols_of_the_model_are_taken():
    for name in ("theta", "w", "a"):
        with pytest.raises(ValueError, match=f"the symbol {name} is taken by the model"):
            LinearNetwork(2, v=sympy.Symbol(name, positive=True)).ring()


# --- adaptation on n sampled points ------------------------------------------------------------------------------------


def finite_support_by_integration(n, steps, *, c, alpha, mu, tau2, s2, v, kappa):
    """E over θ, x₁ … xₙ, ε₁ … εₙ of the population loss after K explicit gradient steps on those points."""
    theta, xs, es = sympy.Symbol("T", real=True), sympy.symbols(f"x1:{n + 1}"), sympy.symbols(f"e1:{n + 1}")
    weight = c
    for _ in range(steps):
        slope = sum(2 * kappa * (weight * x - theta * x - e) * x for x, e in zip(xs, es, strict=True)) / n
        weight = sympy.expand(weight - alpha * slope)
    loss = sympy.expand(kappa * (s2 * (weight - theta) ** 2 + v))
    mean = {theta: mu, **dict.fromkeys((*xs, *es), 0)}
    covariance = {(theta, theta): tau2, **{(x, x): s2 for x in xs}, **{(e, e): v for e in es}}
    return expectation_expr(loss, mean, covariance)


@pytest.mark.parametrize(("n", "steps"), [(1, 0), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1)])
@settings(max_examples=3)
@given(c=rationals, alpha=variances, mu=rationals, tau2=variances, s2=variances, v=variances, half=st.booleans())
def test_finite_support_is_the_expectation_over_everything(n, steps, c, alpha, mu, tau2, s2, v, half):
    network = LinearNetwork(1, mu=mu, tau2=tau2, s2=s2, v=v, half=half)
    numbers = {k: rational(q) for k, q in dict(c=c, alpha=alpha, mu=mu, tau2=tau2, s2=s2, v=v).items()}
    wanted = finite_support_by_integration(n, steps, kappa=network.kappa, **numbers)
    found = network.finite_support_loss(n, steps=steps, alpha=alpha).subs(network.weights[0], numbers["c"])
    assert found == wanted


def test_finite_support_with_everything_symbolic():
    c = sympy.Symbol("c", real=True)
    network = LinearNetwork(1, mu=sy.mu, tau2=sy.tau2, s2=sy.s2, v=sy.v)
    wanted = finite_support_by_integration(
        2, 1, c=c, alpha=sy.alpha, mu=sy.mu, tau2=sy.tau2, s2=sy.s2, v=sy.v, kappa=sympy.Rational(1, 2)
    )
    assert sympy.expand(network.finite_support_loss(2) - wanted) == 0


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_finite_support_tends_to_the_population(steps):
    n = sympy.Symbol("n", positive=True)
    network = LinearNetwork(1, mu=sy.mu, tau2=sy.tau2, s2=sy.s2, v=sy.v)
    maml = Maml(network, steps=steps)
    found = sympy.expand(network.finite_support_loss(n, steps=steps))
    inverse = sympy.Symbol("i")
    in_inverse = sympy.Poly(sympy.expand(found.subs(n, 1 / inverse)), inverse)
    assert sympy.expand(in_inverse.eval(0) - maml.expr(maml.loss)) == 0
    assert (in_inverse.degree() > 0) == (steps > 0)  # and not before n is infinite


@pytest.mark.parametrize("steps", [1, 2])
def test_symbolic_n_is_every_n(steps):
    n = sympy.Symbol("n", integer=True, positive=True)
    network = LinearNetwork(1, mu="1/3", tau2="2", s2="3/2", v="1/5", half=False)
    symbolic = network.finite_support_loss(n, steps=steps, alpha="1/4")
    for number in (1, 3, 10):
        exact = network.finite_support_loss(number, steps=steps, alpha="1/4")
        assert sympy.expand(symbolic.subs(n, number) - exact) == 0
    assert sympy.expand(symbolic.subs(n, 3) - network.finite_support_loss(4, steps=steps, alpha="1/4")) != 0


def test_few_points_cost_more_than_the_population():
    network = LinearNetwork(1)
    c = network.weights[0]
    values = [network.finite_support_loss(n, alpha="1/3").subs(c, sympy.Rational(1, 2)) for n in (1, 2, 5, 50)]
    assert values == sorted(values, reverse=True) and len(set(values)) == 4


@pytest.mark.parametrize("points", [0, -1, 1.5, "1/2"])
def test_a_bad_number_of_points_is_refused(points):
    with pytest.raises(ValueError, match=r"the number of support points is .*; it must be a positive integer"):
        LinearNetwork(1).finite_support_loss(points)


def test_finite_support_is_for_depth_1():
    with pytest.raises(ValueError, match="offered for depth 1, and depth is 2"):
        LinearNetwork(2).finite_support_loss(3)


@few
@given(st.lists(rationals, min_size=1, max_size=4), rationals, rationals, variances, variances, variances)
def test_expected_loss_without_adaptation(weights, mu, theta, tau2, s2, v):
    network = LinearNetwork(len(weights), mu=mu, tau2=tau2, s2=s2, v=v)
    ring = network.ring()
    loss = network.task_loss(ring, [ring.gen(symbol) for symbol in network.weights])
    at = dict(zip(network.weights, weights, strict=True))
    product = prod(weights)
    assert ring.evaluate(loss, {**at, "theta": theta}) == (s2 * (theta - product) ** 2 + v) / 2
    mean = network.expectation_over_tasks(ring, loss)
    assert ring.evaluate(mean, at) == (s2 * ((mu - product) ** 2 + tau2) + v) / 2


@pytest.mark.parametrize(
    "value",
    [
        lambda s2, v, mu, alpha: LinearNetwork(1, s2=s2("x", real=True), v=v, mu=mu).task_loss_expr,
        lambda s2, v, mu, alpha: LinearNetwork(1, s2=s2("s"), v=s2("noise", real=True)).task_loss_expr,
        lambda s2, v, mu, alpha: LinearNetwork(1, mu=s2("h")).finite_support_loss(2, alpha=alpha),
        lambda s2, v, mu, alpha: LinearNetwork(1, v=s2("inverse_n")).finite_support_loss(2, alpha=alpha),
    ],
)
def test_any_name_will_do_for_a_parameter(value):
    """A parameter's name does not matter: renamed afterwards, the result is the same, or the name is refused."""
    rest = (sympy.Symbol("nu"), sympy.Symbol("mean"), sympy.Symbol("rate"))
    try:
        found = value(sympy.Symbol, *rest)
    except ValueError:
        return
    other = value(lambda name, **assumptions: sympy.Symbol(f"{name}_renamed", **assumptions), *rest)
    renamed = {
        symbol: sympy.Symbol(symbol.name.removesuffix("_renamed"), **symbol.assumptions0)
        for symbol in other.free_symbols
    }
    assert sympy.expand(found - other.subs(renamed)) == 0
