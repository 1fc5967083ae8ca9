from collections import Counter
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from flint import fmpq_poly
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sympy import Rational, cbrt, sqrt

from analysis import (
    CertificateError,
    LinearNetwork,
    Maml,
    critical_learning_rate,
    landscape,
    landscape_theorem,
    normal_form,
    stationary_points,
    theorem,
)
from analysis import symbols as sy
from analysis.gaussian import expectation
from analysis.real_algebraic import RealAlgebraic

DEEP = LinearNetwork(2)
BELOW = {"maximum": 5, "minimum": 4, "saddle": 8}
AT = {"maximum": 1, "minimum": 4, "degenerate": 4, "saddle": 4}
ABOVE = {"maximum": 1, "minimum": 4, "saddle": 4}
PLANE = {"mu": st.fractions(-2, 2, max_denominator=4), "alpha": st.fractions("1/20", 1, max_denominator=20)}
PLANE |= {name: st.fractions("1/4", 3, max_denominator=4) for name in ("tau2", "s2", "v")}
# no shrinking: the numbers are small as they are, and a wrong landscape takes long to draw
few = settings(max_examples=30, phases=[Phase.explicit, Phase.generate])


def polynomial(maml, poly):
    """An exact polynomial in (a, b) as a numpy function of two arrays."""
    terms = {tuple(map(int, p))[:2]: int(c.p) / int(c.q) for p, c in poly.to_dict().items()}
    matrix = np.zeros((1 + max((i for i, _ in terms), default=0), 1 + max((j for _, j in terms), default=0)))
    for place, c in terms.items():
        matrix[place] = c
    return lambda a, b: np.polynomial.polynomial.polyval2d(a, b, matrix)


def gradient_and_hessian(network, alpha):
    maml = Maml(network, alpha=alpha)
    gradient = [polynomial(maml, g) for g in maml.gradient]
    hessian = [[polynomial(maml, h) for h in row] for row in maml.hessian]
    return gradient, hessian, polynomial(maml, maml.loss)


def kind_of(eigenvalues):
    low, high = eigenvalues
    return "minimum" if low > 0 else "maximum" if high < 0 else "saddle"


def check_points(found, alpha):
    """Gradient 0, and loss, eigenvalues and kind as the exact loss has them there."""
    gradient, hessian, loss = gradient_and_hessian(found.network, alpha)
    rho = float(found.network.curvature) * float(alpha)
    for point in found.points:
        a, b = point.floats
        scale = max(1, max(abs(h(a, b)) for row in hessian for h in row))
        assert max(abs(g(a, b)) for g in gradient) < 1e-9 * scale / rho
        assert loss(a, b) == pytest.approx(point.loss, rel=1e-9)
        eigenvalues = np.linalg.eigvalsh([[h(a, b) for h in row] for row in hessian])
        np.testing.assert_allclose(point.eigenvalues, eigenvalues, atol=1e-9 * scale, rtol=1e-9)
        assert tuple(map(float, point.coordinates)) == pytest.approx((a, b), rel=1e-12, abs=1e-12)
        assert point.kind == kind_of(point.eigenvalues)
    best = min(point.loss for point in found.points)
    for point in found.points:
        assert point.is_global == (point.loss == pytest.approx(best, rel=1e-12))
        assert not point.is_global or point.kind == "minimum"
    assert found.counts == dict(Counter(point.kind for point in found.points))


def newton(network, alpha, reach=2.6, starts=50, rounds=60):
    """Stationary points found by Newton's method from a grid of starts, knowing nothing but gradient and Hessian."""
    gradient, hessian, _ = gradient_and_hessian(network, alpha)
    scale = (float(network.curvature) * float(alpha)) ** -0.5
    rng = np.random.default_rng(1)
    axis = np.linspace(-reach, reach, starts)
    a, b = (scale * (part.ravel() + rng.normal(scale=1e-3, size=starts**2)) for part in np.meshgrid(axis, axis))
    with np.errstate(all="ignore"):
        for _ in range(rounds):
            ga, gb = (g(a, b) for g in gradient)
            (aa, ab), (_, bb) = ((h(a, b) for h in row) for row in hessian)
            determinant = aa * bb - ab**2
            da, db = (bb * ga - ab * gb) / determinant, (aa * gb - ab * ga) / determinant
            shorten = np.minimum(1, 0.3 * scale / np.hypot(da, db))
            a, b = a - shorten * da, b - shorten * db
        settled = np.isfinite(a) & np.isfinite(b) & (np.hypot(da, db) < 1e-10 * scale)
    return np.stack([a[settled], b[settled]], axis=1)


def far_from_all(found, listed, tolerance):
    listed = np.array([point.floats for point in listed])
    nearest = np.linalg.norm(found[:, None] - listed[None], axis=2).min(axis=1)
    return found[nearest > tolerance]


# --- the theorem -------------------------------------------------------------------------------------------------------


def test_the_theorem_and_its_numbers():
    proved = theorem()
    assert proved.counts == {"below": BELOW, "at": AT, "above": ABOVE}
    assert [sum(kinds.values()) for kinds in proved.counts.values()] == [17, 13, 9]
    assert len(proved.steps) >= 12 and all(step.statement and step.evidence for step in proved.steps)
    for words in ("17 (", "13 (", "9 (", "exactly four minima"):
        assert words in proved.statement
    assert float(critical_learning_rate()) == pytest.approx(0.2674605799, rel=1e-9)


def test_beta_star_is_where_two_diagonal_roots_collide():
    """An independent count: N on the diagonal from the textbook moments of N(V, β), its critical points by numpy."""
    from numpy.polynomial import Polynomial

    def positive_roots(beta):
        v = Polynomial([0, 1])
        m2, m3, m4 = v**2 + beta, v**3 + 3 * beta * v, v**4 + 6 * beta * v**2 + 3 * beta**2
        roots = ((1 - 2 * v) ** 2 * m2 + 2 * v * (1 - 2 * v) * m3 + v**2 * m4).deriv().roots()
        return sorted(r.real for r in roots if abs(r.imag) < 1e-9 and r.real > 0)

    star = float(theorem().critical_beta)
    assert [len(positive_roots(star * factor)) for factor in (0.1, 1 - 1e-6, 1 + 1e-6, 10)] == [3, 3, 1, 1]
    low, high = positive_roots(star * (1 - 1e-6))[:2]
    assert high - low < 0.01
    assert star == pytest.approx(float(critical_learning_rate()) ** 2, rel=1e-14)


def test_the_normal_form_is_an_expected_square():
    """N = E[E²(1 − Q + U E)²] by Gauss–Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    rng = np.random.default_rng(3)
    expr = normal_form.RING.expr(normal_form.normal_form())
    for q, u, m, beta in rng.uniform(0.1, 2, size=(5, 4)):
        e = u - m + beta**0.5 * nodes
        wanted = (weights / weights.sum()) @ (e**2 * (1 - q + u * e) ** 2)
        at = dict(zip(sympy.symbols("Q U M beta", real=True), (q, u, m, beta), strict=True))
        assert float(expr.subs(at)) == pytest.approx(wanted, rel=1e-11)


def twice_the_variance(order):
    """A false moment: that of N(U − M, 2β)."""
    e = sympy.Symbol("E", real=True)
    ring = normal_form.RING
    return expectation(ring, ring.gen(e) ** order, {e: normal_form.U - normal_form.M}, {(e, e): 2 * normal_form.BETA})


def test_a_false_moment_breaks_the_proof(monkeypatch):
    assert normal_form.moment(2) != twice_the_variance(2)
    monkeypatch.setattr(landscape_theorem, "moment", twice_the_variance)
    with pytest.raises(CertificateError, match="not so: N_Q = "):
        landscape_theorem.theorem.__wrapped__()
    monkeypatch.setattr(landscape, "moment", twice_the_variance)
    for mu in (0, 1):
        with pytest.raises(CertificateError, match="not so: "):
            stationary_points("1/10", LinearNetwork(2, mu=mu))


def test_a_false_normal_form_breaks_the_proof(monkeypatch):
    theorem()  # what is cached is cached true
    true = normal_form.normal_form()
    monkeypatch.setattr(normal_form, "normal_form", lambda: true + normal_form.RING.gen("U"))
    with pytest.raises(CertificateError, match="not so: L = "):
        normal_form.reduction.__wrapped__()
    with pytest.raises(CertificateError, match="not so: "):
        landscape_theorem.theorem.__wrapped__()


@pytest.mark.parametrize("name", ["Q", "U", "trace", "determinant"])
def test_a_false_derivative_breaks_the_proof(monkeypatch, name):
    theorem()
    true = normal_form._derivatives()
    false = {**true, name: true[name] + normal_form.RING.gen("Q")}
    monkeypatch.setattr(normal_form, "_derivatives", lambda: false)
    with pytest.raises(CertificateError, match="not so: "):
        normal_form.reduction.__wrapped__()


@pytest.mark.parametrize("alpha", ["1/10", "1/2"])
@pytest.mark.parametrize("lost", [0, -1])
def test_a_lost_root_is_noticed(monkeypatch, alpha, lost):
    true = landscape.real_roots

    def forgetful(polynomial):
        roots = true(polynomial)
        del roots[lost]
        return roots

    monkeypatch.setattr(landscape, "real_roots", forgetful)
    with pytest.raises(CertificateError, match="not so: "):
        stationary_points(alpha)


def test_a_root_too_many_is_noticed(monkeypatch):
    """Of the discriminant first, then of the diagonal polynomial at the samples."""
    true, calls, spoil = landscape_theorem.real_roots, [], []

    def inventive(polynomial):
        calls.append(polynomial)
        roots = true(polynomial)
        return [*roots, roots[-1]] if len(calls) == spoil[-1] else roots

    monkeypatch.setattr(landscape_theorem, "real_roots", inventive)
    for call, sentence in ((1, "discriminant"), (2, "below β"), (3, "above β")):
        calls.clear()
        spoil.append(call)
        with pytest.raises(CertificateError, match=f"not so: .*{sentence}"):
            landscape_theorem.theorem.__wrapped__()


def test_a_lost_candidate_is_noticed_at_irrational_rates(monkeypatch):
    true = landscape_theorem._roots_at
    monkeypatch.setattr(landscape_theorem, "_roots_at", lambda p, beta: true(p, beta)[1:])
    for alpha in (cbrt(2) / 5, sqrt(2) - 1, critical_learning_rate()):
        with pytest.raises(CertificateError):
            stationary_points(alpha)


def test_the_caches_still_hold_the_truth():
    """The tests above leave nothing behind."""
    assert theorem() is theorem() and theorem().counts["below"] == BELOW
    assert len(stationary_points("1/10", LinearNetwork(2, mu=1)).points) == 15


# --- one learning rate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alpha", "counts"),
    [
        ("1/100", BELOW),
        ("1/10", BELOW),
        (0.25, BELOW),
        ("0.26746", BELOW),
        ("0.267461", ABOVE),
        ("0.3", ABOVE),
        (1, ABOVE),
        (10, ABOVE),
        (sqrt(2) / 10, BELOW),
        (sqrt(2) / 4, ABOVE),
        (cbrt(2) / 5, BELOW),
        (sqrt(2) - 1, ABOVE),
        (sympy.CRootOf(sy.theta**5 - sy.theta - 1, 0), ABOVE),
    ],
)
def test_counts_below_and_above_the_critical_rate(alpha, counts):
    found = stationary_points(alpha)
    assert found.counts == counts
    assert len({point.floats for point in found.points}) == len(found.points) == sum(counts.values())
    check_points(found, Fraction(float(found.alpha)))


def test_at_the_critical_rate():
    critical = critical_learning_rate()
    found = stationary_points(critical)
    assert found.counts == AT and len(found.points) == 13
    gradient, hessian, _ = gradient_and_hessian(DEEP, Fraction(float(critical)))
    for point in found.points:
        a, b = point.floats
        assert max(abs(g(a, b)) for g in gradient) < 1e-9
        eigenvalues = np.linalg.eigvalsh([[h(a, b) for h in row] for row in hessian])
        np.testing.assert_allclose(point.eigenvalues, eigenvalues, atol=1e-7)
        # singular to 256 bits at a degenerate point, and nowhere else
        assert (min(map(abs, point.eigenvalues)) < 1e-30) == (point.kind == "degenerate")


def test_the_paper_s_five_points():
    """arnold2021, (55) to (57): (0, 0) and (±1/√α, 0), (0, ±1/√α); with the factor ½ of (30) the curvatures halve."""
    found = stationary_points("1/10")
    by_place = {point.coordinates: point for point in found.points}
    origin = by_place[0, 0]
    assert origin.kind == "maximum" and origin.eigenvalues == pytest.approx((-0.2, -0.2)) and origin.curve == "origin"
    for place in ((sqrt(10), 0), (-sqrt(10), 0), (0, sqrt(10)), (0, -sqrt(10))):
        point = by_place[place]
        assert point.kind == "minimum" and point.is_global and point.loss == 0.5 and point.curve == "axis"
        assert point.eigenvalues == pytest.approx((0.003, 0.4))
    assert sum(point.is_global for point in found.points) == 4
    assert {point.curve for point in found.points} == {"origin", "axis", "a = b", "a = -b"}


@pytest.mark.parametrize("network", [DEEP, LinearNetwork(2, mu="1/2", tau2="1/2", s2="3/2", half=False)])
def test_gradients_vanish_at_the_exact_coordinates(network):
    """To 60 digits, from the exact expressions: no float is used on the way."""
    maml = Maml(network, alpha="1/10")
    gradient = [sympy.lambdify(network.weights, g, "mpmath") for g in maml.expr(maml.gradient)]
    with mpmath.workdps(80):
        for point in stationary_points("1/10", network).points:
            at = [coordinate.evalf(80)._to_mpmath(300) for coordinate in point.coordinates]
            assert all(abs(g(*at)) < 1e-60 for g in gradient), point
            assert any(abs(g(*(x + 1e-6 for x in at))) > 1e-60 for g in gradient)


def test_gradients_vanish_exactly_on_the_diagonal():
    """∂L/∂a at (r, r) is r·p(r²), and p has r² for an exact root; a wrong polynomial has not."""
    alpha = Rational(1, 10)
    maml = Maml(DEEP, alpha=alpha)
    a, b = DEEP.weights
    expr = sympy.Poly(maml.expr(maml.gradient)[0].subs(b, a), a)
    square = fmpq_poly([0])
    for (power,), c in expr.terms():
        assert power % 2 == 1
        square += fmpq_poly([0] * (power // 2) + [int(c.p)]) / int(c.q)
    seen = set()
    for point in stationary_points(alpha).points:
        if point.curve == "a = b":
            t = RealAlgebraic.of(sympy.expand(point.coordinates[0] ** 2))
            assert t.sign_of(square) == 0 != t.sign_of(square + 1)
            seen.add(t)
    assert len(seen) == 3


@few
@given(**PLANE, half=st.booleans())
def test_points_of_random_tasks(alpha, mu, tau2, s2, v, half):
    found = stationary_points(alpha, LinearNetwork(2, mu=mu, tau2=tau2, s2=s2, v=v, half=half))
    check_points(found, alpha)
    minima, maxima, saddles = (found.counts.get(kind, 0) for kind in ("minimum", "maximum", "saddle"))
    assert minima + maxima - saddles == 1  # Poincaré–Hopf
    assert len(found.certificate) >= 4


@few
@given(**PLANE, half=st.booleans())
def test_a_numerical_search_finds_no_other_point(alpha, mu, tau2, s2, v, half):
    network = LinearNetwork(2, mu=mu, tau2=tau2, s2=s2, v=v, half=half)
    tolerance = 1e-5 * (float(network.curvature) * float(alpha)) ** -0.5
    found, listed = newton(network, alpha), stationary_points(alpha, network).points
    assert len(found) > 1000
    assert len(far_from_all(found, listed, tolerance)) == 0
    # the search is sharp: it reaches the points there are, so that leaving out one would show
    reach = [point for point in listed if np.linalg.norm(found - point.floats, axis=1).min() < tolerance]
    assert len(reach) >= 0.8 * len(listed)
    assert len(far_from_all(found, [p for p in listed if p != reach[-1]], tolerance)) > 0


@few
@given(**PLANE)
def test_points_come_in_symmetric_orbits(alpha, mu, tau2, s2, v):
    centred = stationary_points(alpha, LinearNetwork(2, tau2=tau2, s2=s2, v=v))
    shifted = stationary_points(alpha, LinearNetwork(2, mu=mu, tau2=tau2, s2=s2, v=v))
    mirrored = stationary_points(alpha, LinearNetwork(2, mu=-mu, tau2=tau2, s2=s2, v=v))

    def described(found, a_sign=1, b_sign=1, swap=False):
        place = {}
        for point in found.points:
            a, b = a_sign * point.floats[0], b_sign * point.floats[1]
            key = (b, a) if swap else (a, b)
            place[tuple(round(x, 9) + 0.0 for x in key)] = (point.kind, round(point.loss, 9))
        return place

    for found in (centred, shifted):
        assert described(found) == described(found, swap=True) == described(found, a_sign=-1, b_sign=-1)
    assert described(centred) == described(centred, b_sign=-1)
    assert described(mirrored) == described(shifted, b_sign=-1)


@pytest.mark.parametrize("scale", [Fraction(1, 3), Fraction(5, 2)])
@pytest.mark.parametrize("alpha", ["1/10", "1/2"])
def test_the_landscape_depends_on_the_product_of_rate_and_variances(alpha, scale):
    """With μ = 0, ρτ fixed: coordinates scale as 1/√ρ, eigenvalues as 1/α, the loss above its floor as κs²/ρ²."""
    alpha = Fraction(alpha)
    networks = [
        (alpha, DEEP),
        (alpha / scale, LinearNetwork(2, s2=scale, v=2)),
        (alpha, LinearNetwork(2, tau2=scale**2, s2=1 / scale, v="1/3")),
        (alpha / (2 * scale), LinearNetwork(2, tau2=scale**2, half=False)),
    ]
    pictures = []
    for rate, network in networks:
        rho, s2, kappa = (float(x) for x in (network.curvature * Rational(str(rate)), network.s2, network.kappa))
        picture = []
        for point in stationary_points(rate, network).points:
            place = [rho**0.5 * x for x in point.floats]
            curvature = [2 * float(rate) * e for e in point.eigenvalues]
            height = (point.loss - kappa * float(network.v)) * rho**2 / (kappa * s2)
            picture.append([*place, *curvature, height])
        pictures.append((picture, [point.kind for point in stationary_points(rate, network).points]))
    for picture, kinds in pictures[1:]:
        np.testing.assert_allclose(picture, pictures[0][0], rtol=1e-9, atol=1e-9)
        assert kinds == pictures[0][1]
    other = stationary_points(alpha, LinearNetwork(2, s2=scale))
    assert not np.allclose([p.floats for p in other.points][-1], [p[:2] for p in pictures[0][0]][-1])


@pytest.mark.parametrize(
    "network",
    [LinearNetwork(2, s2="9/4"), LinearNetwork(2, tau2="1/9"), LinearNetwork(2, s2=2, tau2=3, v=0, half=False)],
)
def test_critical_rates_of_other_tasks(network):
    found = critical_learning_rate(network)
    factor = float(network.curvature) * float(network.tau2) ** 0.5
    assert float(found) == pytest.approx(float(critical_learning_rate()) / factor, rel=1e-14)
    assert stationary_points(found, network).counts == AT
    near = Fraction(float(found))
    assert stationary_points(near * Fraction(999999, 1000000), network).counts == BELOW
    assert stationary_points(near * Fraction(1000001, 1000000), network).counts == ABOVE


@pytest.mark.parametrize("network", [LinearNetwork(2, mu=1), LinearNetwork(1), LinearNetwork(3)])
def test_the_critical_rate_is_refused_where_it_is_not_known(network):
    with pytest.raises(ValueError, match="the critical rate is known for depth 2 and mu = 0"):
        critical_learning_rate(network)


def test_the_critical_rate_needs_more_than_one_task():
    with pytest.raises(ValueError, match="tau2 is 0"):
        critical_learning_rate(LinearNetwork(2, tau2=0))


@pytest.mark.parametrize("alpha", [sqrt(2) / 10, sqrt(2) / 4, cbrt(2) / 5, sqrt(2) - 1])
def test_irrational_rates_against_rational_neighbours(alpha):
    exact = stationary_points(alpha)
    near = stationary_points(Fraction(float(alpha)))
    assert exact.alpha == alpha or float(exact.alpha) == pytest.approx(float(alpha), rel=1e-15)
    in_order = [sorted(found.points, key=lambda p: np.round(p.floats, 9).tolist()) for found in (exact, near)]
    for name in ("kind", "curve", "is_global"):
        assert len({tuple(getattr(p, name) for p in points) for points in in_order}) == 1
    for name in ("floats", "eigenvalues", "loss"):
        values = [np.array([getattr(p, name) for p in points]) for points in in_order]
        np.testing.assert_allclose(*values, rtol=1e-11, atol=1e-12)


# --- depth 1 -----------------------------------------------------------------------------------------------------------


@few
@given(**PLANE, half=st.booleans())
def test_shallow(alpha, mu, tau2, s2, v, half):
    network = LinearNetwork(1, mu=mu, tau2=tau2, s2=s2, v=v, half=half)
    kappa = Fraction(1, 2) if half else Fraction(1)
    rho = 2 * kappa * s2 * alpha
    (point,) = stationary_points(alpha, network).points
    if rho == 1:
        assert point.kind == "degenerate"
        return
    assert (point.kind, point.is_global, Fraction(str(point.coordinates[0]))) == ("minimum", True, mu)
    assert point.floats == (float(mu),)
    assert point.eigenvalues == pytest.approx((float(2 * kappa * s2 * (1 - rho) ** 2),))
    assert point.loss == pytest.approx(float(kappa * (s2 * (1 - rho) ** 2 * tau2 + v)))


@pytest.mark.parametrize(
    ("network", "alpha"),
    [
        (LinearNetwork(1), 1),
        (LinearNetwork(1, mu=2, s2="3/2", v=3), "2/3"),
        (LinearNetwork(1, s2=2, half=False), "0.25"),
        (LinearNetwork(1, mu=1), sqrt(3 + 2 * sqrt(2)) - sqrt(2)),  # 1, though it does not look it
    ],
)
def test_shallow_at_its_critical_rate(network, alpha):
    """arnold2021, Section 4.3: at α = 1 there is nothing to learn."""
    found = stationary_points(alpha, network)
    (point,) = found.points
    assert point.kind == "degenerate" and point.floats == (None,) and point.coordinates == network.weights
    assert point.eigenvalues == (0.0,) and point.is_global and found.counts == {"degenerate": 1}
    assert point.loss == float(network.kappa * network.v)


def test_shallow_at_irrational_rates():
    (point,) = stationary_points(sqrt(2) / 2, LinearNetwork(1)).points
    assert point.kind == "minimum"
    assert point.eigenvalues[0] == pytest.approx((1 - 2**-0.5) ** 2)
    (close,) = stationary_points(1 + sqrt(2) / 10**40, LinearNetwork(1)).points
    assert close.kind == "minimum"  # not 1, however close


# --- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alpha", "network", "sentence"),
    [
        (0, DEEP, "alpha is 0; a learning rate must be above 0"),
        ("-1/10", DEEP, "alpha is -1/10; a learning rate must be above 0"),
        (-sqrt(2), DEEP, "a learning rate must be above 0"),
        ("x", DEEP, "alpha: 'x' is not a rational number"),
        (None, DEEP, "alpha: 'None' is not a rational number"),
        (float("nan"), DEEP, "alpha: 'nan' is not a rational number"),
        (sympy.pi, DEEP, "alpha: pi is not a real algebraic number"),
        (sympy.I, DEEP, "alpha: I is not a real algebraic number"),
        (sy.alpha, DEEP, "alpha: alpha is not a real algebraic number"),
        ("1/10", LinearNetwork(3), "stationary points are offered for depth 1 and 2, and depth is 3"),
        ("1/10", LinearNetwork(4), "there are the exact loss, its gradient and its Hessian"),
        ("1/10", LinearNetwork(2, mu=sy.mu), "mu is mu; stationary points need rational numbers"),
        ("1/10", LinearNetwork(1, s2=sy.s2), "s2 is s2; stationary points need rational numbers"),
        ("1/10", LinearNetwork(2, tau2=0), "tau2 is 0; with a single task"),
        (sqrt(2) / 10, LinearNetwork(2, mu=1), "with mu = 1 ≠ 0 stationary points are offered for rational alpha"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(alpha, network, sentence):
    with pytest.raises(ValueError) as caught:
        stationary_points(alpha, network)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_floats_are_right_at_tiny_rates_too():
    found = stationary_points("1e-30")
    assert found.points[-1].eigenvalues == pytest.approx((3e-90, 4e-30), rel=1e-12, abs=0)
    assert all(point.kind == kind_of(point.eigenvalues) for point in found.points)


@pytest.mark.parametrize("alpha", ["1/3", sqrt(2) - 1, cbrt(2) / 5])
def test_without_noise_the_global_minima_are_exactly_zero(alpha):
    found = stationary_points(alpha, LinearNetwork(2, v=0))
    assert [point.loss for point in found.points if point.is_global] == [0.0] * 4
    assert all(point.loss > 0 for point in found.points if not point.is_global)
