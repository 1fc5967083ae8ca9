"""What the landscape explorer carries: the exact polynomials, held against the engine, and the page around them."""

import json
from fractions import Fraction
from math import prod

import pytest
import sympy

from analysis import LinearNetwork, Maml, critical_learning_rate, stationary_points
from analysis.symbols import alpha, theta
from paper_checks.framework.site import Site
from paper_checks.report.explorer import HERE, add_explorer, exact_data

RATE, TASK = Fraction(3, 7), Fraction(-5, 2)
WEIGHTS = {"": [Fraction(2, 3), Fraction(-5, 4)], "shallow_": [Fraction(-5, 6)]}


@pytest.fixture(scope="module")
def data():
    return json.loads(json.dumps(exact_data()))  # as the page reads it


def value(terms, *at):
    """A list of [coefficient, exponents], at rational numbers."""
    return sum(
        Fraction(coefficient) * prod(x**power for x, power in zip(at, powers, strict=True))
        for coefficient, powers in terms
    )


@pytest.mark.parametrize("prefix", WEIGHTS)
def test_losses_and_adapted_weights_are_the_engine_s(data, prefix):
    weights = WEIGHTS[prefix]
    maml = Maml(LinearNetwork(len(weights)))
    assert value(data["shallow" if prefix else "loss"], *weights, RATE) == maml.loss_at(weights, {alpha: RATE})
    after = maml.at(maml.adapted_weights, weights, {alpha: RATE, theta: TASK})
    assert value(data[f"{prefix}adapted"], *weights, RATE, TASK) == prod(after)


@pytest.mark.parametrize("rate", [Fraction(1, 10), Fraction(1, 2)])
def test_the_diagonals_carry_their_stationary_points(data, rate):
    u = sympy.Symbol("u")
    points = [point for point in stationary_points(rate).points if point.curve in data["diagonals"]]
    for curve, terms in data["diagonals"].items():
        polynomial = sympy.Poly(value(terms, u, sympy.Rational(rate)), u)
        found = sorted({point.floats[0] ** 2 for point in points if point.curve == curve})
        roots = sorted(float(root) for root in polynomial.nroots(n=30) if root.is_real and root > 0)
        assert found == pytest.approx(roots, rel=1e-12)


def test_the_critical_rate_is_the_nearest_float(data):
    assert data["critical"] == float(sympy.N(critical_learning_rate(), 40))


def test_the_page_is_the_same_every_time_and_shows_where_the_rate_comes_from(tmp_path):
    for name in ("one", "two"):
        site = Site("Toy", [], [HERE / "templates"])
        add_explorer(site)
        site.write(tmp_path / name)
    first, second = ((tmp_path / name / "explorer.html").read_bytes() for name in ("one", "two"))
    assert first == second
    text = first.decode()
    minimal = sympy.Poly(sympy.minimal_polynomial(critical_learning_rate(), alpha), alpha)
    assert minimal.degree() == 16
    assert all(str(abs(coefficient)) in text for coefficient in minimal.coeffs())
