"""What inner-update rules are where they can be said in another way: identities, explicit matrices, equivalent rules."""

from functools import partial

import oracle
import pytest
import torch
from engine_cases import CASES, F64, RULES, distance, first, make_model, shaken
from torch import nn
from torch.autograd import grad
from torch.func import functional_call

from empirical import MAML, UPDATE_RULES, Reptile, cfc, kfc, klin, learned_rates, meta_curvature, meta_sgd, t_nets
from empirical.layers import dense
from empirical.update_rules import as_matrices, from_matrices, sgd

SHAPES = {"number": (), "vector": (3,), "matrix": (3, 2), "1-d filters": (2, 3, 4), "filters": (2, 3, 2, 2)}


def one_update(rule, parameters, gradient):
    """U(g) for one weight "w", one run and one task."""
    found = rule.update({f"w:{n}": p[None, None] for n, p in parameters.items()}, {"w": gradient[None, None]})
    return dense(found["w"])[0, 0]


def started(rule, gradient, noise=0.0):
    """The rule's parameters for one weight like this gradient."""
    drawn = rule.init({"w": gradient}, torch.Generator().manual_seed(3))
    return {n.removeprefix("w:"): p + noise * torch.randn_like(p) for n, p in drawn.items()}


def random(shape):
    torch.manual_seed(len(shape))
    return torch.randn(shape, dtype=F64)


# The start


IDENTITIES = {
    "learned-rates": learned_rates,
    "learned-rates, entry": partial(learned_rates, "entry"),
    "meta-sgd": meta_sgd,
    "meta-curvature": meta_curvature,
    "meta-curvature, diagonal": partial(meta_curvature, diagonal=True),
    "t-nets": t_nets,
    "klin": klin,
    "klin, fixed": partial(klin, adapt=False),
    "kfc, one layer": partial(kfc, layers=1, adapt=False),
    "kfc, one layer, plain": partial(kfc, layers=1, normalize=False),
    "kfc, no activation": partial(kfc, layers=3, activation="identity", adapt=False),
}


@pytest.mark.parametrize("case", ["linear", "LinNet", "CNN, max", "sequence", "Residual"])
@pytest.mark.parametrize("rule", IDENTITIES)
def test_at_its_start_it_is_maml(rule, case):
    model = make_model(case)
    if rule == "t-nets":
        model = model if type(model) is nn.Sequential else nn.Sequential(model)
        if case == "Residual":
            return
    plain, learner = (MAML(model, CASES[case].loss, update=u, inner_lr=0.1) for u in (sgd(), IDENTITIES[rule]()))
    batch = CASES[case].batch()
    expected, (found, measured) = plain.gradients(plain.init(1), batch), learner.gradients(learner.init(1), batch)
    own = {n.replace(".W.", "."): g for n, g in found.items() if n.startswith("model.") and ".T." not in n}
    assert distance(own, expected[0]) < 1e-12
    assert measured["loss"].item() == pytest.approx(expected[1]["loss"].item(), rel=1e-12)


def test_factors_that_adapt_leave_maml_after_the_first_step():
    case = CASES["linear"]
    plain, learner = (MAML(make_model("linear"), update=u, inner_lr=0.3, steps=2) for u in (sgd(), klin()))
    losses = [m.gradients(m.init(1), case.batch())[1]["loss"].item() for m in (plain, learner)]
    assert abs(losses[0] - losses[1]) > 1e-4


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_kfc_at_the_identity_is_the_relu_of_the_gradient(shape):
    g = random(shape)
    for normalize in (True, False):
        for layers, expected in ((1, g), (2, g.relu()), (3, g.relu())):
            rule = kfc(layers, "relu", normalize)
            assert torch.allclose(one_update(rule, started(rule, g), g), expected, rtol=1e-12, atol=1e-14)
    rule = kfc(2, "tanh", normalize=False)
    assert torch.allclose(one_update(rule, started(rule, g), g), g.tanh())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_normalized_rules_follow_the_gradients_length_and_others_do_not(shape):
    g = random(shape)
    for make in (kfc, partial(cfc, rank=2, layers=2)):
        for normalize in (True, False):
            rule = make(activation="tanh", normalize=normalize)
            parameters = started(rule, g, 0.3)
            homogeneous = torch.allclose(one_update(rule, parameters, 5 * g), 5 * one_update(rule, parameters, g))
            assert homogeneous == normalize
            if normalize:
                twice = one_update(rule, parameters | {"scale": 2 * parameters["scale"]}, g)
                assert torch.allclose(twice, 2 * one_update(rule, parameters, g))


def test_a_gradient_of_zero_has_finite_derivatives():
    for rule in (kfc(), cfc()):
        g = torch.zeros(2, 3, dtype=F64, requires_grad=True)
        parameters = {n: p.requires_grad_() for n, p in started(rule, g.detach()).items()}
        found = grad(one_update(rule, parameters, g).sum(), [g, *parameters.values()])
        assert all(torch.isfinite(f).all() for f in found)


# Explicit matrices


def test_klin_is_the_kronecker_product():
    torch.manual_seed(0)
    g, left, right = (torch.randn(s, dtype=F64) for s in ((3, 2), (3, 3), (2, 2)))
    whole = torch.empty(6, 6, dtype=F64)  # (Rᵀ ⊗ L), entry by entry
    for i in range(2):
        for j in range(2):
            whole[3 * i : 3 * i + 3, 3 * j : 3 * j + 3] = right[j, i] * left
    expected = (whole @ torch.cat([g[:, 0], g[:, 1]])).view(2, 3).T
    found = one_update(klin(), {"left0": left, "right0": right}, g)
    assert torch.allclose(found, expected, rtol=1e-12) and torch.allclose(found, left @ g @ right, rtol=1e-12)


def test_every_filter_has_the_same_factors():
    torch.manual_seed(0)
    g, left, right = (torch.randn(s, dtype=F64) for s in ((5, 3, 2, 2), (4, 4), (3, 3)))
    found = one_update(klin(), {"left0": left, "right0": right}, g)
    for f in range(5):
        assert torch.allclose(found[f].flatten(1).T, left @ g[f].flatten(1).T @ right, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_matrices_and_back(shape):
    g = torch.randn(2, 3, *shape, dtype=F64)
    found = as_matrices(g)
    assert torch.equal(from_matrices(found, g), g)
    assert all(torch.equal(a, b) for a, b in zip(found[1, 2], oracle.matrices(g[1, 2]), strict=True))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("rule", [r for r in RULES if r not in ("sgd", "t-nets", "learned-rates, model")])
def test_one_update_is_the_oracles(rule, shape):
    g, known = random(shape), RULES[rule]
    made = known.make()
    parameters = started(made, g, 0.4)
    expected = known.oracle({f"w:{n}": p for n, p in parameters.items()}, {"w": g})["w"]
    assert torch.allclose(one_update(made, parameters, g), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_cfc_has_the_rank_and_the_spread_that_it_is_given(shape):
    g, size = random(shape), torch.Size(shape[1:] if len(shape) > 2 else shape).numel()
    rule = cfc(rank=2, normalize=False)
    parameters = started(rule, g)
    assert parameters["factor0"].shape == (size, 2)
    if len(shape) == 2:
        columns = torch.stack(
            [one_update(rule, parameters, e.view(shape)).flatten() for e in torch.eye(size, dtype=F64)]
        )
        assert torch.linalg.matrix_rank(columns) == 2 and torch.linalg.eigvalsh(columns).min() > -1e-12
    wide = started(cfc(rank=50), torch.empty(100, 100))["factor0"]
    assert wide.std().item() == pytest.approx((2 / (10_000 + 50)) ** 0.5, rel=0.01)


def test_a_diagonal_curvature_is_meta_sgd_with_the_product_of_the_diagonals():
    torch.manual_seed(0)
    for shape in ((3,), (3, 2), (2, 3, 2, 2)):
        g = torch.randn(shape, dtype=F64)
        sizes = dict(zip(("outputs", "inputs", "places"), (*shape[:2], 4), strict=False))
        parts = {n: torch.randn(sizes[n], dtype=F64) for n in list(sizes)[: min(len(shape), 3)]}
        product = parts["outputs"]
        for name in list(parts)[1:]:
            product = product[..., None] * parts[name]
        found = one_update(meta_curvature(diagonal=True), parts, g)
        assert torch.allclose(found, one_update(meta_sgd(), {"factor": product.reshape(shape)}, g), rtol=1e-12)
        whole = one_update(meta_curvature(), {n: torch.diag(p) for n, p in parts.items()}, g)
        assert torch.allclose(found, whole, rtol=1e-12)


def test_klin_without_adaptation_is_a_curvature_on_matrices():
    g, left, right = random((3, 2)), random((3, 3)), random((2, 2))
    found = one_update(klin(adapt=False), {"left0": left, "right0": right}, g)
    assert torch.allclose(found, one_update(meta_curvature(), {"outputs": left, "inputs": right.T}, g), rtol=1e-12)


def test_learned_rates_are_factors_of_the_inner_rate():
    batch = CASES["LinNet"].batch()
    learner = MAML(make_model("LinNet"), "mse", update=learned_rates("model"), inner_lr=0.1)
    learned = learner.init(1)
    learned["update.:log_factor"] += torch.tensor(3.0).log()
    faster = MAML(make_model("LinNet"), "mse", inner_lr=0.3)
    found, expected = learner.evaluate(learned, batch)["loss"], faster.evaluate(faster.init(1), batch)["loss"]
    assert torch.allclose(found, expected, rtol=1e-12)
    learner = MAML(make_model("LinNet"), "mse", update=learned_rates("tensor"), inner_lr=0.1)
    learned = learner.init(1)
    assert [v.shape for n, v in learned.items() if n.startswith("update.")] == [(1,)] * 4
    learned["update.1.bias:log_factor"] -= 100  # which holds that tensor
    adapted = learner.adapt(learned, batch[:2])
    assert torch.equal(dense(adapted.weights["1.bias"])[0, 0], learned["model.1.bias"][0])
    assert not torch.equal(dense(adapted.weights["0.bias"])[0, 0], learned["model.0.bias"][0])


def test_rules_of_their_own_can_be_given():
    signs = sgd()._replace(name="signs", update=lambda p, g: {n: dense(v).sign() for n, v in g.items()}, products=False)
    learner = MAML(make_model("linear"), update=signs, inner_lr=0.1)
    learned, batch = learner.init(1), CASES["linear"].batch()
    adapted = learner.adapt(learned, batch[:2])
    moved = adapted.weights["weight"] - learned["model.weight"][:, None]
    assert torch.allclose(moved.abs(), torch.full_like(moved, 0.1))


# T-Nets


def test_one_step_of_t_nets_moves_the_effective_weight_by_t_tt_g():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3)).double()
    learner = MAML(model, update="t-nets", inner_lr=0.2)
    learned, (x, y, *_) = shaken(learner.init(1)), CASES["linear"].batch()
    weight, transform, bias = (learned[f"model.0.{n}"][0] for n in ("W.weight", "T.weight", "W.bias"))
    adapted = learner.adapt(learned, (x, y)).weights
    assert torch.equal(dense(adapted["0.T.weight"])[0, 0], transform)
    for t in range(2):
        effective = {"weight": (transform @ weight).requires_grad_(), "bias": (transform @ bias).requires_grad_()}
        loss = nn.functional.cross_entropy(functional_call(model[0], effective, (x[0, t],)), y[0, t])
        for name, g in zip(("weight", "bias"), grad(loss, list(effective.values())), strict=True):
            after = transform @ dense(adapted[f"0.W.{name}"])[0, t]
            assert torch.allclose(after - effective[name], -0.2 * transform @ transform.T @ g, rtol=1e-10)


def test_transforms_never_adapt():
    learner = MAML(make_model("CNN, max"), update="t-nets", adapts=["*"])
    names = [n for n in learner.inner.model.initial if ".T." in n]
    assert len(names) == 3 and not learner.inner.adapts & set(names)
    with pytest.raises(ValueError, match="No parameter adapts: widen adapts"):
        MAML(make_model("CNN, max"), update="t-nets", adapts="*.T.weight")


# What cannot be


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: learned_rates("layer"), "per is 'layer': expected 'model', 'tensor' or 'entry'"),
        (lambda: kfc(0), "KFC was given 0 layers: expected 1 or more"),
        (lambda: kfc(activation="gelu"), "The activation is 'gelu': expected 'relu', 'leaky_relu', 'tanh', 'identity'"),
        (lambda: cfc(0), "CFC was given rank 0 and 1 layers: expected 1 or more of each"),
        (lambda: cfc(activation="gelu"), "The activation is 'gelu'"),
    ],
)
def test_rules_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", UPDATE_RULES)
def test_reptile_takes_rules_without_parameters_only(name):
    if name in ("sgd", "t-nets"):
        Reptile(nn.Sequential(nn.Linear(4, 3)), update=name)
        return
    with pytest.raises(
        ValueError, match=f"Reptile learns no update rule, and '{name}' has parameters: take 'sgd', or MAML"
    ):
        Reptile(make_model("linear"), update=name)


@pytest.mark.parametrize("name", UPDATE_RULES)
def test_a_draw_is_repeated_by_its_seed(name):
    model = nn.Sequential(nn.Linear(4, 3))
    learned = [MAML(model, update=name).init(2, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert all(torch.equal(learned[0][n], learned[1][n]) and len(v) == 2 for n, v in learned[0].items())
    different = any(not torch.equal(learned[0][n], learned[2][n]) for n in learned[0])
    assert different == (name == "cfc")
    assert all(torch.equal(v[0], v[1]) for v in learned[0].values())
    assert first(learned[0]).keys() == learned[0].keys()
