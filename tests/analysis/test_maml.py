from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import LinearNetwork, Maml
from analysis import symbols as sy

few = settings(max_examples=15)
numbers = st.fractions(-2, 2, max_denominator=5)
variances = st.fractions("1/4", 3, max_denominator=4)
rates = st.fractions("1/20", 1, max_denominator=20)
SYMBOLIC = dict(mu=sy.mu, tau2=sy.tau2, s2=sy.s2, v=sy.v)
A, B = sy.weight_symbols(2)


@st.composite
def cases(draw, depths=(1, 2, 3)):
    """(weights, everything else) with all numbers rational; small enough to be quick at every depth."""
    depth = draw(st.sampled_from(depths))
    steps = draw(st.integers(0, {1: 3, 2: 2}.get(depth, 1)))
    weights = draw(st.lists(numbers, min_size=depth, max_size=depth))
    names = dict(alpha=rates, mu=numbers, tau2=variances, s2=variances, v=variances, half=st.booleans())
    return weights, {"steps": steps, **{name: draw(strategy) for name, strategy in names.items()}}


@st.composite
def masked_cases(draw):
    """The same, with weights that do not adapt and a preconditioner."""
    weights, options = draw(cases())
    size = len(weights)
    options["adapts"] = tuple(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    options["matrix"] = draw(
        st.none() | st.lists(st.lists(numbers, min_size=size, max_size=size), min_size=size, max_size=size)
    )
    return weights, options


def network_of(depth, setting):
    return LinearNetwork(depth, mu=setting.mu, tau2=setting.tau2, s2=setting.s2, v=setting.v, half=setting.half)


def maml_of(depth, setting):
    network = network_of(depth, setting)
    adapts = setting.adapts and tuple(str(w) for w, on in zip(network.weights, setting.adapts, strict=True) if on)
    return Maml(network, steps=setting.steps, alpha=setting.alpha, adapts=adapts, preconditioner=setting.matrix)


def loss(weights, setting):
    maml = maml_of(len(weights), setting)
    return maml.at(maml.loss, weights)


# --- against the recursion in Fractions --------------------------------------------------------------------------------


@few
@given(case=masked_cases(), theta=numbers)
def test_adaptation_to_one_task(by_hand, case, theta):
    weights, options = case
    setting = by_hand.Setting(**options)
    maml = maml_of(len(weights), setting)
    # weights that are numbers, θ a number: the inner loop as one would run it
    assert maml.at(maml.adapted_weights, weights, {"theta": theta}) == setting.adapted(weights, theta)
    assert maml.at(maml.task_loss, weights, {sy.theta: theta}) == setting.task_loss(weights, theta)


@few
@given(case=masked_cases())
def test_loss_gradient_and_hessian(by_hand, case):
    weights, options = case
    setting = by_hand.Setting(**options)
    maml = maml_of(len(weights), setting)
    assert maml.at(maml.loss, weights) == setting.loss(weights)
    assert maml.at(maml.gradient, weights) == setting.gradient(weights)
    hessian = maml.at(maml.hessian, weights)
    assert hessian == setting.hessian(weights)
    assert hessian == [list(row) for row in zip(*hessian, strict=True)]


@few
@given(case=masked_cases())
def test_first_order_field_and_its_jacobian(by_hand, case):
    weights, options = case
    setting = by_hand.Setting(**options)
    maml = maml_of(len(weights), setting)
    assert maml.at(maml.first_order_gradient, weights) == setting.first_order_gradient(weights)
    assert maml.at(maml.first_order_jacobian, weights) == setting.first_order_jacobian(weights)


@few
@given(case=cases(depths=(2,)), theta=numbers)
def test_one_tasks_meta_gradient(by_hand, case, theta):
    weights, options = case
    setting = by_hand.Setting(**options)
    maml = maml_of(2, setting)
    at_theta = [
        sum((c * theta**k for k, c in enumerate(g.coefficients)), Fraction(0)) for g in setting.task_gradients(weights)
    ]
    assert maml.at(maml.task_gradient, weights, {"theta": theta}) == at_theta


def test_expectation_over_tasks_by_an_exact_finite_sum():
    """Three-point Gauss–Hermite with θ = μ + τ·{−√3, 0, √3}: rational for τ² = 3, exact to degree 5 (here ≤ 4)."""
    maml = Maml(LinearNetwork(2, mu="1/2", tau2=3, s2="2/3", v="1/5"), alpha="1/4", adapts=("b",))
    point = [Fraction(3, 4), Fraction(-2, 3)]
    nodes = ((-3, Fraction(1, 6)), (0, Fraction(2, 3)), (3, Fraction(1, 6)))
    total = sum(w * maml.at(maml.task_loss, point, {"theta": Fraction(1, 2) + z}) for z, w in nodes)
    assert maml.at(maml.loss, point) == total


def test_first_order_differs_from_second_order():
    maml = Maml(LinearNetwork(2))
    assert maml.gradient != maml.first_order_gradient
    assert Maml(LinearNetwork(2), steps=0).gradient == Maml(LinearNetwork(2), steps=0).first_order_gradient
    jacobian = Maml(LinearNetwork(2, mu=1), alpha="1/4").first_order_jacobian
    assert jacobian[0][1] != jacobian[1][0]  # the field is no gradient


# --- laws, as identities between polynomials in every symbol -----------------------------------------------------------


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_layers_can_be_exchanged_and_signs_flipped(steps):
    maml = Maml(LinearNetwork(2, **SYMBOLIC), steps=steps)
    ring, found = maml.ring, maml.loss
    assert ring.substitute(found, {A: B, B: A}) == found
    assert ring.substitute(found, {A: -A, B: -B}) == found
    flipped = ring.substitute(found, {B: -B})
    assert flipped == ring.substitute(found, {sy.mu: -sy.mu}) != found
    assert ring.substitute(flipped, {sy.mu: 0}) == ring.substitute(found, {sy.mu: 0})


def test_derivatives_are_sympys():
    maml = Maml(LinearNetwork(2, **SYMBOLIC))
    expr = maml.expr(maml.loss)
    gradient, hessian = maml.expr(maml.gradient), maml.expr(maml.hessian)
    assert gradient == [sympy.expand(expr.diff(w)) for w in (A, B)]
    assert hessian == [[sympy.expand(g.diff(w)) for w in (A, B)] for g in gradient]
    assert hessian[0][1] == hessian[1][0]


@pytest.mark.parametrize(("depth", "first", "second"), [(1, 1, 2), (2, 1, 1), (2, 2, 1), (3, 1, 1)])
def test_steps_compose(depth, first, second):
    network = LinearNetwork(depth, s2="3/2", half=False)
    alpha = "1/7" if depth == 3 else sy.alpha
    early, late, all_of_them = (Maml(network, steps=k, alpha=alpha) for k in (first, second, first + second))
    ring = all_of_them.ring
    after_first = dict(zip(network.weights, early.adapted_weights, strict=True))
    composed = [ring.substitute(w, after_first) for w in late.adapted_weights]
    assert composed == all_of_them.adapted_weights != late.adapted_weights


def test_the_deep_loss_with_default_numbers():
    """arnold2021, eq. (53), from p₁, p₂, p₃."""
    a, b, alpha = A, B, sy.alpha
    p1 = a * b * (1 - alpha * (a**2 + b**2) + alpha**2 * a**2 * b**2)
    p2 = alpha * (a**2 + b**2) - 2 * alpha**2 * a**2 * b**2
    p3 = alpha**2 * a * b
    wanted = (1 + p1**2 + p2**2 + 3 * p3**2 + 2 * p1 * p3 - 2 * p2) / 2 + sympy.Rational(1, 2)
    maml = Maml(LinearNetwork(2))
    assert sympy.expand(maml.expr(maml.loss) - wanted) == 0


# --- laws, at rational points ------------------------------------------------------------------------------------------


@few
@given(case=cases(), order=st.randoms(use_true_random=False))
def test_any_order_of_layers(by_hand, case, order):
    weights, options = case
    setting = by_hand.Setting(**options)
    shuffled = order.sample(weights, len(weights))
    assert loss(shuffled, setting) == loss(weights, setting)


@few
@given(case=cases(depths=(2, 3)))
def test_signs(by_hand, case):
    weights, options = case
    setting = by_hand.Setting(**options)
    two = [-weights[0], -weights[1], *weights[2:]]
    one = [-weights[0], *weights[1:]]
    assert loss(two, setting) == loss(weights, setting)
    assert loss(one, replace(setting, mu=-setting.mu)) == loss(weights, setting)
    centred = replace(setting, mu=Fraction(0))
    assert loss(one, centred) == loss(weights, centred)


@few
@given(case=cases(), k=st.fractions("1/3", 3, max_denominator=3))
def test_scaling_the_covariate(by_hand, case, k):
    """x → kx: the same as the rate k²α, with all of the loss but the noise times k²."""
    weights, options = case
    setting = by_hand.Setting(**options)
    wide = replace(setting, s2=k**2 * setting.s2)
    fast = replace(setting, alpha=k**2 * setting.alpha)
    floor = setting.kappa * setting.v
    assert loss(weights, wide) - floor == k**2 * (loss(weights, fast) - floor)
    assert loss(weights, replace(wide, v=k**2 * setting.v)) == k**2 * loss(weights, fast)


@few
@given(case=cases(), c=st.fractions("1/2", 2, max_denominator=3))
def test_scaling_the_tasks(by_hand, case, c):
    """θ → c^L θ with every weight times c: the rate is c^(2L−2) times smaller, and all errors c^(2L) times larger."""
    weights, options = case
    depth, setting = len(weights), by_hand.Setting(**options)
    square = c ** (2 * depth)
    scaled = replace(
        setting,
        mu=c**depth * setting.mu,
        tau2=square * setting.tau2,
        v=square * setting.v,
        alpha=setting.alpha * c**2 / square,
    )
    assert loss([c * w for w in weights], scaled) == square * loss(weights, setting)


@few
@given(case=cases())
def test_without_the_half_rate_and_loss_double(by_hand, case):
    weights, options = case
    setting = replace(by_hand.Setting(**options), half=True)
    doubled = replace(setting, alpha=2 * setting.alpha)
    assert loss(weights, replace(setting, half=False)) == 2 * loss(weights, doubled)


@few
@given(case=cases())
def test_no_step_is_the_plain_loss(by_hand, case):
    weights, options = case
    setting = replace(by_hand.Setting(**options), steps=0)
    product = sympy.prod(weights)
    plain = setting.kappa * (setting.s2 * ((setting.mu - product) ** 2 + setting.tau2) + setting.v)
    assert loss(weights, setting) == plain
    nobody = Maml(network_of(len(weights), setting), steps=2, alpha=setting.alpha, adapts=())
    assert nobody.at(nobody.loss, weights) == plain


@few
@given(case=cases())
def test_a_single_task_needs_no_expectation(by_hand, case):
    weights, options = case
    setting = replace(by_hand.Setting(**options), tau2=Fraction(0))
    assert loss(weights, setting) == setting.task_loss(weights, setting.mu)


@few
@given(case=cases(), factor=numbers)
def test_preconditioners(by_hand, case, factor):
    weights, options = case
    setting, size = by_hand.Setting(**options), len(weights)

    def diagonal(entries):
        return [[entry if i == j else 0 for j in range(size)] for i, entry in enumerate(entries)]

    assert loss(weights, replace(setting, matrix=diagonal([1] * size))) == loss(weights, setting)
    scaled = replace(setting, alpha=factor * setting.alpha)
    assert loss(weights, replace(setting, matrix=diagonal([factor] * size))) == loss(weights, scaled)
    mask = tuple(i % 2 == 0 for i in range(size))
    masked = replace(setting, matrix=diagonal(list(map(int, mask))))
    assert loss(weights, masked) == loss(weights, replace(setting, adapts=mask))


def test_numpy_s_numbers_are_read_like_any_other():
    weights = np.array([0.5, -0.75])
    plain = Maml(LinearNetwork(2, s2=1.5), alpha=0.1, preconditioner=[["1", "0.1"], [0, 1]])
    found = Maml(
        LinearNetwork(2, s2=np.float64(1.5)), alpha=np.float64(0.1), preconditioner=np.array([[1, 0.1], [0, 1]])
    )
    assert found.loss_at(weights) == plain.loss_at(["1/2", "-3/4"])


def test_a_preconditioner_off_the_diagonal_counts_and_is_not_its_transpose():
    network = LinearNetwork(2)
    plain, upper, lower = (
        Maml(network, preconditioner=matrix).loss for matrix in (None, [[1, "1/2"], [0, 1]], [[1, 0], ["1/2", 1]])
    )
    assert plain != upper != lower != plain


def test_weights_that_do_not_adapt_stay():
    maml = Maml(LinearNetwork(3), adapts=("w2",))
    ring = maml.ring
    assert [maml.adapted_weights[i] == ring.gen(w) for i, w in enumerate(maml.network.weights)] == [True, False, True]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(steps=-1), "steps is -1; the number of inner steps is 0 or more"),
        (dict(steps=1.5), "steps is 1.5"),
        (dict(alpha="x"), "alpha: 'x' is not a rational number"),
        (dict(adapts=("c",)), "this network's weights are a, b"),
        (dict(preconditioner=[[1]]), "for 2 weights it is 2×2"),
        (dict(preconditioner=[[1, 0, 0], [0, 1, 0]]), "for 2 weights it is 2×2"),
        (dict(preconditioner=[[1, 0], [1]]), "for 2 weights it is 2×2"),
        (dict(preconditioner=[[1, "x"], [0, 1]]), "preconditioner: 'x' is not a rational number"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(options, sentence):
    with pytest.raises(ValueError) as caught:
        Maml(LinearNetwork(2), **options)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_at_wants_all_weights_and_all_symbols():
    maml = Maml(LinearNetwork(2))
    for ask in (lambda *point: maml.at(maml.loss, *point), maml.loss_at):
        with pytest.raises(ValueError, match="1 weight was given and depth 2 has 2: a, b"):
            ask([1])
        with pytest.raises(ValueError, match="3 weights were given and depth 2 has 2: a, b"):
            ask([1, 2, 3])
        with pytest.raises(ValueError, match="no value was given for alpha"):
            ask([1, 2])
        assert ask([1, 2], {"alpha": 0}) == ask(["1", 2.0], {sy.alpha: 0}) == 3


@few
@given(case=masked_cases())
def test_the_loss_at_a_point_without_its_polynomial(by_hand, case):
    weights, options = case
    setting = by_hand.Setting(**options)
    maml = maml_of(len(weights), setting)
    assert maml.loss_at(weights) == setting.loss(weights) == maml.at(maml.loss, weights)


def test_many_steps_at_a_point(by_hand):
    weights = [Fraction(7, 10), Fraction(-3, 10)]
    setting = by_hand.Setting(alpha=Fraction(1, 4), steps=4)
    assert maml_of(2, setting).loss_at(weights) == setting.loss(weights)
