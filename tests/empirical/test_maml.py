"""Meta-gradients of the engine against the plain oracle, and what must not change them."""

from functools import partial

import oracle
import pytest
import torch
from engine_cases import CASES, F64, RULES, Normed, distance, first, make_model, shaken
from torch import nn
from torch.func import functional_call

from empirical import ANIL, MAML, UPDATE_RULES, Reptile
from empirical.layers import BATCH_NORM

RATE = 0.3
TOLERANCE = 1e-10


def pair(
    case, rule="sgd", steps=1, learner=MAML, adapts=None, second=True, batch_norm="transductive", model=None, **options
):
    """The meta-gradient and mean loss of the engine and of the oracle."""
    model = make_model(case) if model is None else model
    if rule == "t-nets" and type(model) is not nn.Sequential:
        model = nn.Sequential(model)
    known = RULES[rule]
    options |= {} if second else {"first_order": True}
    options |= {} if learner is ANIL or adapts is None else {"adapts": adapts}
    maml = learner(
        model,
        CASES[case].loss,
        update=known.make(),
        inner_lr=CASES[case].rate,
        steps=steps,
        batch_norm=batch_norm,
        **options,
    )
    learned, batch = shaken(maml.init(1)), CASES[case].batch()
    found, measured = maml.gradients(learned, batch)
    names = [n.removeprefix("model.") for n in learned if n.startswith("model.")]
    keep = names if adapts is None else [n for n in names if n.startswith(adapts.rstrip("*"))]
    expected, loss = oracle.meta_gradient(
        model,
        CASES[case].loss,
        first(learned),
        [part[0] for part in batch],
        adapts=[n for n in keep if not n.endswith("T.weight") or rule != "t-nets"],
        update=known.oracle,
        in_task=known.in_task,
        transforms=rule == "t-nets",
        batch_norm=batch_norm,
        lr=CASES[case].rate,
        steps=steps,
        second=second,
    )
    assert abs(measured["loss"].item() - loss.item()) < 1e-12 * max(1, abs(loss.item()))
    return first(found), expected


def test_every_rule_is_in_the_table():
    assert {rule.make().name for rule in RULES.values()} == set(UPDATE_RULES)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", RULES)
def test_the_meta_gradient_is_the_oracles(rule, case):
    if rule == "t-nets" and case in ("Residual", "Normed"):
        with pytest.raises(ValueError, match=r"T-Nets change a model's layers: expected an nn.Sequential, got a"):
            MAML(make_model(case), update="t-nets")
        return
    for steps in (1, 2, 5):
        assert distance(*pair(case, rule, steps)) < TOLERANCE, steps


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_the_first_order_meta_gradient_is_the_oracles(rule, case):
    if rule == "t-nets" and case in ("Residual", "Normed"):
        pytest.skip("T-Nets need an nn.Sequential")
    for steps in (1, 2, 5):
        assert distance(*pair(case, rule, steps, second=False)) < TOLERANCE, steps


HEADS = {"CNN, max": "head.*", "CNN, stride": "head.*", "Residual": "two.*", "Normed": "head.*", "sequence": "2.*"}
HEADS |= {"LinNet": "1.*", "LinNet, deep": "2.*", "LinNet, wide": "1.*"}


@pytest.mark.parametrize("case", HEADS)
@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_the_meta_gradient_of_anil_is_the_oracles(rule, case):
    if rule == "t-nets" and case in ("Residual", "Normed"):
        pytest.skip("T-Nets need an nn.Sequential")
    for steps in (1, 2, 5):
        assert distance(*pair(case, rule, steps, ANIL, HEADS[case])) < TOLERANCE, steps


@pytest.mark.parametrize("case", HEADS)
def test_anil_adapts_the_last_layer(case):
    assert ANIL(make_model(case)).inner.adapts == MAML(make_model(case), adapts=HEADS[case]).inner.adapts


@pytest.mark.parametrize("case", ["CNN, max", "LinNet", "Normed"])
def test_the_first_layer_alone_can_adapt(case):
    prefix = {"CNN, max": "block0.*", "LinNet": "0.*", "Normed": "conv.*"}[case]
    for steps in (1, 2):
        assert distance(*pair(case, "sgd", steps, adapts=prefix)) < TOLERANCE


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_reptile_is_the_oracles(case, steps):
    model, batch = make_model(case), CASES[case].batch()
    learner = Reptile(model, CASES[case].loss, inner_lr=RATE, steps=steps)
    learned = shaken(learner.init(1))
    found, measured = learner.gradients(learned, batch)
    data = [part[0] for part in batch]
    names = [n for n, _ in model.named_parameters()]
    how = dict(lr=RATE, steps=steps, adapts=names)
    assert distance(first(found), oracle.reptile(model, CASES[case].loss, first(learned), data, **how)) < TOLERANCE
    _, loss = oracle.meta_gradient(model, CASES[case].loss, first(learned), data, update=oracle.sgd, **how)
    assert measured["loss"].item() == pytest.approx(loss.item(), rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_the_second_order_term_is_there(case):
    (second, _), (without, _) = pair(case), pair(case, second=False)
    assert distance(without, second) > 1e-3


@pytest.mark.parametrize("case", ["LinNet", "CNN, max", "Normed"])
@pytest.mark.parametrize("rule", ["sgd", "meta-curvature", "kfc"])
def test_runs_are_the_runs_by_themselves(case, rule):
    batch, rates = CASES[case].batch(runs=3), torch.tensor([0.1, 0.3, 0.2], dtype=F64)
    make = partial(MAML, make_model(case), CASES[case].loss, update=RULES[rule].make(), steps=2)
    together = make(inner_lr=rates)
    learned = shaken(together.init(3))
    found, measured = together.gradients(learned, batch)
    values = together.evaluate(learned, batch)
    for run in range(3):
        alone, own, data = (
            make(inner_lr=rates[run].item()),
            {n: v[run : run + 1] for n, v in learned.items()},
            [b[run : run + 1] for b in batch],
        )
        one, own_measured = alone.gradients(own, data)
        assert distance({n: g[run] for n, g in found.items()}, first(one)) < 1e-12
        assert measured["loss"][run] == pytest.approx(own_measured["loss"].item(), rel=1e-12)
        assert torch.allclose(alone.evaluate(own, data)["loss"][0], values["loss"][run], rtol=1e-12)
    shared, _ = together.gradients(learned, [b[:1] for b in batch])
    expanded, _ = together.gradients(learned, [b[:1].expand(3, *b.shape[1:]) for b in batch])
    assert distance(shared, expanded) == 0


@pytest.mark.parametrize("case", ["LinNet", "CNN, max", "Residual"])
@pytest.mark.parametrize("rule", ["sgd", "learned-rates", "meta-curvature", "t-nets", "klin", "kfc", "cfc, two layers"])
def test_ways_to_save_memory_change_no_number(case, rule):
    if rule == "t-nets" and case == "Residual":
        pytest.skip("T-Nets need an nn.Sequential")
    for steps in (1, 3):
        expected = pair(case, rule, steps, low_rank=False)[0]
        for options in ({"checkpoint": True}, {"low_rank": True}, {"low_rank": None}):
            found = pair(case, rule, steps, **options)[0]
            assert distance(found, expected) < 1e-12, (steps, options)


def test_wide_layers_stay_low_rank_by_themselves():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(40, 30), nn.Tanh(), nn.Linear(30, 3)).double()
    learner = MAML(model, inner_lr=0.1, steps=2)
    learned, x = learner.init(1), torch.randn(1, 2, 3, 40, dtype=F64)
    y = torch.tensor([0, 1, 2]).expand(1, 2, 3)
    adapted = learner.adapt(learned, (x, y))
    assert not isinstance(adapted.weights["0.weight"], torch.Tensor) and isinstance(
        adapted.weights["2.weight"], torch.Tensor
    )
    found = [MAML(model, inner_lr=0.1, steps=2, low_rank=k).gradients(learned, (x, y, x, y))[0] for k in (None, False)]
    assert distance(*found) < 1e-12


@pytest.mark.parametrize("rule", ["klin", "kfc"])
def test_wide_factors_that_adapt_stay_low_rank_by_themselves(rule):
    torch.manual_seed(0)
    model = nn.Linear(60, 3).double()
    x, y = torch.randn(1, 2, 3, 60, dtype=F64), torch.tensor([0, 1, 2]).expand(1, 2, 3)
    found = []
    for low_rank in (None, False):
        learner = MAML(model, update=RULES[rule].make(), inner_lr=0.1, steps=3, low_rank=low_rank)
        learned = shaken(learner.init(1), 0.05)
        adapted = learner.adapt(learned, (x, y)).rule
        wide = {n: not isinstance(p, torch.Tensor) for n, p in adapted.items() if ":right" in n and n[0] == "w"}
        assert wide and wide == dict.fromkeys(wide, low_rank is None)
        assert all(isinstance(p, torch.Tensor) for n, p in adapted.items() if ":left" in n or ":scale" in n)
        found.append(learner.gradients(learned, (x, y, x, y))[0])
    assert distance(*found) < 1e-12


@pytest.mark.parametrize("case", CASES)
def test_single_precision(case):
    double = MAML(make_model(case), CASES[case].loss, inner_lr=RATE, steps=2)
    learned, batch = double.init(1), CASES[case].batch()
    expected, _ = double.gradients(learned, batch)
    single = MAML(make_model(case).float(), CASES[case].loss, inner_lr=RATE, steps=2)
    found, measured = single.gradients(
        {n: v.float() for n, v in learned.items()}, [b.float() if b.is_floating_point() else b for b in batch]
    )
    assert all(v.dtype == torch.float32 for v in (*found.values(), *measured.values()))
    assert distance(found, expected) < 1e-3


def test_no_step_is_the_gradient_of_the_query_loss():
    assert distance(*pair("CNN, max", steps=0)) < TOLERANCE


# Batch norm


def with_running(case):
    """The case's model with batch norm's running statistics set to something."""
    torch.manual_seed(1)
    model = CASES[case].model() if case != "CNN, max" else None
    if model is None:
        model = nn.Sequential(
            nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.BatchNorm1d(2),
            nn.Linear(2, 3),
        )
    model = model.double()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return model


@pytest.mark.parametrize("mode", BATCH_NORM)
@pytest.mark.parametrize("case", ["CNN, max", "Normed", "sequence"])
def test_batch_norm_modes(mode, case):
    if mode == "support" and case == "Normed":
        with pytest.raises(
            ValueError, match=r"'support', and there is a batch norm inside the Normed '': build the model from nn.Sequ"
        ):
            MAML(Normed(), batch_norm="support")
        return
    model = with_running(case)
    before = {n: b.clone() for n, b in model.named_buffers()}
    results = []
    for rule, steps in (("sgd", 1), ("sgd", 2), ("kfc", 2)):
        found, expected = pair(case, rule, steps, batch_norm=mode, model=model)
        assert distance(found, expected) < TOLERANCE
        results.append(expected)
    assert all(torch.equal(b, before[n]) for n, b in model.named_buffers())
    other = "running" if mode == "transductive" else "transductive"
    assert distance(pair(case, batch_norm=other, model=model)[0], results[0]) > 1e-3


def test_predictions_under_each_mode_of_batch_norm():
    model, (x, y, query, _) = with_running("CNN, max"), CASES["CNN, max"].batch()
    predicted = {}
    for mode in BATCH_NORM:
        learner = MAML(model, batch_norm=mode, inner_lr=RATE, steps=1)
        adapted = learner.adapt(learner.init(1), (x, y))
        predicted[mode] = learner.inner.predict(adapted, query, x)
        for t in range(2):
            weights = {n: w[0, t] for n, w in adapted.weights.items()}
            if mode == "support":
                expected = oracle.with_support_statistics(model, weights, x[0, t], query[0, t])
            else:
                expected = functional_call(model.train(mode == "transductive"), weights, (query[0, t],))
            assert torch.allclose(predicted[mode][0, t], expected, rtol=1e-10)
    one_point = {m: learner_of(model, m)(query[:, :, :1], x) for m in ("support", "running")}
    for mode, found in one_point.items():  # a query point's prediction does not depend on the others
        assert torch.allclose(found, learner_of(model, mode)(query, x)[:, :, :1], rtol=1e-10)


def learner_of(model, mode):
    learner = MAML(model, batch_norm=mode)
    adapted = learner.inner.run({n: v for n, v in first_names(learner).items()}, {}, (None, None), steps=0)
    return lambda query, x: learner.inner.predict(adapted, query, x)


def first_names(learner):
    return {n.removeprefix("model."): v for n, v in learner.init(1).items()}


@pytest.mark.parametrize("checkpoint", [False, True])
def test_an_own_loss(checkpoint):
    def own(output, target):
        return (output - target).abs().pow(1.5).sum() + 0.1 * output.square().mean()

    case = CASES["LinNet"]
    maml = MAML(make_model("LinNet"), own, inner_lr=0.05, steps=2, checkpoint=checkpoint)
    learned, batch = maml.init(1), case.batch()
    found, measured = maml.gradients(learned, batch)
    assert set(measured) == {"loss"}
    names = [n for n, _ in make_model("LinNet").named_parameters()]
    expected, loss = oracle.meta_gradient(
        make_model("LinNet"),
        own,
        first(learned),
        [b[0] for b in batch],
        adapts=names,
        update=oracle.sgd,
        lr=0.05,
        steps=2,
    )
    assert distance(first(found), expected) < TOLERANCE and measured["loss"].item() == pytest.approx(loss.item())


def test_tied_weights():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.b = nn.Linear(4, 4)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(torch.tanh(self.a(x)))[..., :3]

    def sequential():
        one, other = nn.Linear(4, 4), nn.Linear(4, 4)
        other.weight = one.weight
        return nn.Sequential(one, nn.Tanh(), other, nn.Tanh(), nn.Linear(4, 3))

    def twice():
        one = nn.Linear(4, 4)
        return nn.Sequential(one, nn.Tanh(), one, nn.Linear(4, 3))

    for make in (Tied, sequential, twice):
        torch.manual_seed(0)
        assert distance(*pair("linear", "sgd", 2, model=make().double())) < TOLERANCE


def test_accuracy_is_the_share_of_right_answers():
    model, batch = make_model("linear"), CASES["linear"].batch(tasks=3, query=8)
    learner = MAML(model, inner_lr=RATE)
    learned = learner.init(1)
    adapted = learner.adapt(learned, batch[:2])
    output = learner.inner.predict(adapted, batch[2], batch[0])
    right = (output.argmax(-1) == batch[3]).double().mean(-1)
    assert torch.equal(learner.evaluate(learned, batch)["accuracy"], right)
    assert learner.gradients(learned, batch)[1]["accuracy"].item() == pytest.approx(right.mean().item())
    model, batch = make_model("LinNet, deep"), CASES["LinNet, deep"].batch(tasks=3, query=8)
    learner = MAML(model, "bce", inner_lr=RATE)
    for targets in (batch[3], batch[3][..., 0]):  # with and without the outputs' dimension
        values = learner.evaluate(learner.init(1), (*batch[:3], targets))
        output = learner.inner.predict(learner.adapt(learner.init(1), batch[:2]), batch[2], batch[0])
        assert torch.equal(values["accuracy"], ((output > 0).double() == batch[3]).double().mean((2, 3)))
        expected = oracle.LOSSES["bce"](output[0, 1], batch[3][0, 1])
        assert values["loss"][0, 1].item() == pytest.approx(expected.item(), rel=1e-12)


def test_more_steps_at_evaluation():
    learner = MAML(make_model("linear"), inner_lr=RATE, steps=1)
    longer = MAML(make_model("linear"), inner_lr=RATE, steps=4)
    learned, batch = learner.init(1), CASES["linear"].batch()
    assert torch.equal(learner.evaluate(learned, batch, 4)["loss"], longer.evaluate(learned, batch)["loss"])
    assert not torch.equal(learner.evaluate(learned, batch)["loss"], longer.evaluate(learned, batch)["loss"])


def test_the_module_with_learned_weights_predicts_as_the_engine():
    learner = MAML(make_model("CNN, max"))
    learned, (x, *_) = shaken(learner.init(2)), CASES["CNN, max"].batch()
    adapted = learner.adapt(learned, (x.expand(2, *x.shape[1:]), torch.zeros(2, 2, 4, dtype=torch.long)), 0)
    output = learner.inner.predict(adapted, x.expand(2, *x.shape[1:]), x)
    for run in range(2):
        assert torch.allclose(learner.module(learned, run)(x[0, 1]), output[run, 1], rtol=1e-10)
