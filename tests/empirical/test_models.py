"""The papers' networks, and collapsing them."""

import pytest
import torch
from engine_cases import F64, shaken
from torch import nn
from torch.func import functional_call

from empirical import MAML
from empirical.data.datasets import DATASETS
from empirical.layers import LAYERS, TaskModel
from empirical.models import (
    HIDDEN,
    benchmark_cnn,
    cnn,
    collapse,
    linear_network,
    linnet,
    prune,
    with_transforms,
)


def seeded(make):
    torch.manual_seed(0)
    return make().double()


def perturbed(model):
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return model


COLLAPSIBLE = {
    "linear network": (lambda: linear_network(4, 3, 3, 2), 1),
    "without biases": (lambda: linear_network(4, 3, 2, bias=False), 1),
    "some biases": (
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3, bias=False), nn.Linear(3, 2, bias=False)),
        1,
    ),
    "bias above only": (lambda: nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 2)), 1),
    "LinNet after": (lambda: linnet(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), (2, 4, 2)), 3),
    "LinNet before": (
        lambda: linnet(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), (4, 5, 4), "before"),
        3,
    ),
    "T-Nets": (lambda: with_transforms(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))[0], 3),
}


@pytest.mark.parametrize("name", COLLAPSIBLE)
def test_collapsed_it_predicts_the_same_before_adaptation_and_not_after(name):
    make, layers = COLLAPSIBLE[name]
    model = perturbed(seeded(make))
    before = {n: p.clone() for n, p in model.state_dict().items()}
    small, (x, other) = collapse(model), torch.randn(2, 1, 1, 5, 4, dtype=F64)
    assert len(small) == layers and all(torch.equal(p, before[n]) for n, p in model.state_dict().items())
    assert torch.allclose(small(x), model(x), rtol=1e-11) and next(small.parameters()).dtype == F64
    y, predicted = torch.tensor([[[0, 1, 0, 1, 1]]]), []
    for m in (small, model):
        learner = MAML(m, inner_lr=0.5)
        predicted.append([learner.inner.predict(learner.adapt(learner.init(1), (x, y), k), other, x) for k in (0, 1)])
    (start, end), (big_start, big_end) = predicted
    assert torch.allclose(start, big_start, rtol=1e-11) and (end - big_end).abs().max() > 1e-3


@pytest.mark.parametrize("bias", [True, False])
def test_transforms_of_convolutions_are_absorbed(bias):
    plain = seeded(
        lambda: nn.Sequential(nn.Conv2d(2, 3, 3, 2, 1, bias=bias), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    )
    model, names = with_transforms(plain)
    x = torch.randn(4, 2, 4, 4, dtype=F64)
    assert names == ("0.T.weight", "3.T.weight") and torch.allclose(model(x), plain(x), rtol=1e-12)
    small = collapse(perturbed(model))
    assert [type(m) for m in small] == [type(m) for m in plain]
    assert torch.allclose(small(x), model(x), rtol=1e-11) and not torch.allclose(small(x), plain(x))


def test_after_adaptation_a_t_net_collapses_to_what_it_became():
    learner = MAML(seeded(lambda: cnn(1, hidden=2, classes=2)), update="t-nets", inner_lr=0.3, steps=2)
    x, y = torch.randn(1, 1, 4, 1, 4, 4, dtype=F64), torch.tensor([[[0, 1, 1, 0]]])
    learned = shaken(learner.init(1))
    adapted = learner.adapt(learned, (x, y))
    module = learner.module({f"model.{n}": w[:, 0] for n, w in adapted.weights.items()})
    small = collapse(module)
    assert len(small) == len(collapse(cnn(1, hidden=2, classes=2)))
    assert torch.allclose(small(x[0, 0]), learner.inner.predict(adapted, x, x)[0, 0], rtol=1e-10)


def test_only_a_1_x_1_convolution_without_more_is_absorbed():
    for other in (
        nn.Conv2d(3, 3, 1),
        nn.Conv2d(3, 3, 1, stride=2, bias=False),
        nn.Conv2d(3, 3, 1, groups=3, bias=False),
    ):
        assert len(collapse(nn.Sequential(nn.Conv2d(2, 3, 3), other))) == 2
    with pytest.raises(ValueError, match="from 3 to 4 channels cannot be absorbed: expected as many out as in"):
        collapse(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, 1, bias=False)))
    with pytest.raises(
        ValueError, match=r"Collapsing needs an nn.Sequential, to know which layers are adjacent; got Linear"
    ):
        collapse(nn.Linear(2, 2))


def test_linnet_adds_layers_and_copies_the_model():
    model = nn.Linear(4, 3)
    after, before = linnet(model, (3, 5, 2)), linnet(model, (6, 4), "before", bias=False)
    assert after(torch.zeros(2, 4)).shape == (2, 2) and before(torch.zeros(2, 6)).shape == (2, 3)
    assert [n for n, _ in after.named_children()] == ["model", "linnet"]
    assert [n for n, _ in before.named_children()] == ["linnet", "model"]
    assert after.model is not model and torch.equal(after.model.weight, model.weight)
    assert sum(p.numel() for p in before.parameters()) == 24 + 15


@pytest.mark.parametrize("pooling", ["max", "stride", "none"])
@pytest.mark.parametrize("layers", [1, 4, 6])
def test_cnn_sizes(pooling, layers):
    model = cnn(layers, hidden=4, classes=5, channels=3, pooling=pooling)
    x, seen = torch.randn(2, 3, 28, 28), []
    for name, part in model.named_children():
        x = part(x)
        seen.append((name, tuple(x.shape[2:])))
    halved = {"max": [14, 7, 3, 1, 1, 1], "stride": [14, 7, 4, 2, 1, 1], "none": [28] * 6}[pooling]
    assert [s for n, s in seen if n.startswith("block")] == [(size, size) for size in halved[:layers]]
    assert x.shape == (2, 5)
    assert sum(p.numel() for p in model.parameters()) == 4 * 3 * 9 + (layers - 1) * 4 * 4 * 9 + layers * 12 + 25


@pytest.mark.parametrize("layers", range(1, 7))
@pytest.mark.parametrize("dataset", DATASETS)
def test_the_benchmarks_networks(dataset, layers):
    """They fit the data set's images, and their linear layer has as many inputs whatever the number of blocks."""
    side, channels = DATASETS[dataset].side, DATASETS[dataset].shape[-1]
    for paper in HIDDEN:
        model, hidden = benchmark_cnn(dataset, layers, paper=paper, classes=10), HIDDEN[paper][dataset]
        inputs = 25 * hidden if dataset == "mini-imagenet" else hidden
        assert model.head.in_features == inputs
        assert model(torch.zeros(2, channels, side, side)).shape == (2, 10)
        blocks = 9 * hidden * channels + (layers - 1) * 9 * hidden**2 + layers * 3 * hidden
        assert sum(p.numel() for p in model.parameters()) == blocks + 10 * inputs + 10
        parts = [part for _, part in TaskModel(model)._parts]
        assert all(type(part) in LAYERS for part in parts)  # each by its own rule, for all tasks at once


@pytest.mark.parametrize(
    ("dataset", "layers", "printed"),
    [
        ("omniglot", 4, 112_586),
        ("omniglot", 2, 38_474),
        ("cifar-fs", 4, 29_226),
        ("cifar-fs", 2, 10_602),
        ("mini-imagenet", 4, 36_906),
        ("mini-imagenet", 2, 18_282),
    ],
)
def test_parameters_printed_by_arnold2019(dataset, layers, printed):
    model = benchmark_cnn(dataset, layers, paper="arnold2019", classes=10)
    assert sum(p.numel() for p in model.parameters()) == printed


def test_windows_of_mini_imagenet():
    def windows(layers):
        model = benchmark_cnn("mini-imagenet", layers, hidden=1)
        return [part.kernel_size for part in model.modules() if isinstance(part, nn.MaxPool2d)]

    shared_out = [[16], [4, 4], [2, 2, 4], [2, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2]]
    assert [windows(layers) for layers in range(1, 7)] == shared_out
    assert benchmark_cnn("omniglot", 1, hidden=7).head.in_features == 7


def test_linear_layers_on_a_benchmarks_network_are_run_together():
    model = linnet(benchmark_cnn("omniglot", 2, hidden=4), (5, 5, 5))
    kinds = [type(part).__name__ for _, part in TaskModel(model)._parts]
    assert kinds[-2:] == ["Flatten", "Chain"] and len(TaskModel(model)._parts[-1][1].layers) == 3


def test_t_nets_keep_an_activation_that_is_used_twice_and_refuse_shared_weights():
    act = nn.Tanh()
    model, names = with_transforms(nn.Sequential(nn.Linear(3, 2), act, nn.Linear(2, 2), act))
    assert [type(layer).__name__ for layer in model] == ["Sequential", "Tanh", "Sequential", "Tanh"] and len(names) == 2
    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="here two layers share their weights"):
        with_transforms(nn.Sequential(layer, nn.Tanh(), layer))


def test_pruning():
    found = prune({"w": torch.tensor([0.1, -0.2, 0.3, -0.01])}, 0.2)
    assert torch.equal(found["w"], torch.tensor([0.0, -0.2, 0.3, 0.0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cnn(0), "CNN was given layers=0"),
        (lambda: cnn(1, pooling="mean"), "pooling='mean': expected numbers from 1 up, and 'max', 'stride', 'none'"),
        (lambda: cnn(2, pooling=(2,)), r"CNN was given the windows \[2\] for 2 blocks: expected one for each"),
        (lambda: cnn(2, pooling=(2, 0)), r"the windows \[2, 0\] for 2 blocks: expected one for each, 1 or more"),
        (lambda: cnn(1, head="flatten"), "head='flatten', side=None: expected 'mean', or 'flatten' and the side"),
        (lambda: cnn(1, head="max"), "head='max', side=None: expected 'mean'"),
        (lambda: cnn(4, side=10), "CNN pools images of 10 × 10 by 16 in all: expected larger images"),
        (lambda: benchmark_cnn("mini-imagenet", 0), "CNN was given layers=0"),
        (lambda: benchmark_cnn("mnist", 4), "no CNN of 'arnold2021' for 'mnist': expected 'arnold2019', .* 'cifar-fs'"),
        (lambda: benchmark_cnn("omniglot", 4, paper="finn2017"), "There is no CNN of 'finn2017' for 'omniglot'"),
        (
            lambda: linear_network(3),
            r"A linear network was given the widths \(3,\): expected those of input and output",
        ),
        (lambda: linnet(nn.Linear(2, 2), (2,)), "two widths or more"),
        (
            lambda: linnet(nn.Linear(2, 2), (2, 2), "inside"),
            "where='inside' and widths=.* expected 'after' or 'before'",
        ),
        (lambda: prune({}, -1.0), "The pruning threshold is -1.0: expected 0 or more"),
        (lambda: prune({}, float("nan")), "The pruning threshold is nan"),
    ],
)
def test_networks_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_transformed_model_is_one_whole_with_its_transforms_at_the_identity():
    model = seeded(lambda: cnn(2, hidden=2, classes=3, channels=1))
    transformed, names = with_transforms(model)
    x = torch.randn(3, 1, 6, 6, dtype=F64)
    assert torch.allclose(transformed(x), model(x), rtol=1e-12)
    assert set(names) <= {n for n, _ in transformed.named_parameters()} and len(names) == 3
    weights = {n: p * 2 if n in names else p for n, p in transformed.named_parameters()}
    assert not torch.allclose(functional_call(transformed, weights, (x,)), model(x))
