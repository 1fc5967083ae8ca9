"""Every layer with a rule of its own against torch's module, run and task by task: values, gradients, second derivatives."""

from functools import partial

import pytest
import torch
from engine_cases import F64
from torch import nn
from torch.autograd import grad, gradcheck, gradgradcheck
from torch.func import functional_call

from empirical import MAML, images
from empirical.layers import LAYERS, LowRank, Pass, Products, TaskModel, dense
from empirical.losses import batched
from empirical.models import linear_network
from empirical.normalisation import Channels, normalise

RUNS, TASKS = 2, 3


class Scale(nn.Module):
    """A layer without a rule, which hands on a plain tensor."""

    def __init__(self):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(1.5))

    def forward(self, x):
        return self.by * x


def after_images(layer, channels=3):
    """The layer after one that hands on images in the engine's own order."""
    return nn.Sequential(nn.Conv2d(channels, channels, 1), layer)


def after_tensor(layer):
    return nn.Sequential(Scale(), layer)


IMAGES, VECTORS = (4, 3, 5, 6), (4, 6)
PLAIN = [kind for kind, run in LAYERS.items() if run.__name__ in ("_elementwise", "_pointwise")]
ELEMENTWISE = [kind for kind in PLAIN if LAYERS[kind].__name__ == "_elementwise"]
MODELS = {
    "linear": (lambda: nn.Sequential(nn.Linear(6, 2)), VECTORS),
    "linear, no bias": (lambda: nn.Sequential(nn.Linear(6, 2, bias=False)), VECTORS),
    "linear, extra dimensions": (lambda: nn.Sequential(nn.Linear(6, 2), nn.Tanh(), nn.Linear(2, 3)), (4, 2, 3, 6)),
    "linear layers, fewer outputs than points": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3, bias=False), nn.Linear(3, 2)),
        VECTORS,
    ),
    "linear layers, as many outputs as points": (lambda: nn.Sequential(nn.Linear(6, 2), nn.Linear(2, 4)), VECTORS),
    "linear layers, no bias": (
        lambda: nn.Sequential(nn.Tanh(), nn.Sequential(nn.Linear(6, 3, bias=False)), nn.Linear(3, 1, bias=False)),
        (2, 3, 6),
    ),
    "linear after images": (lambda: after_images(nn.Linear(6, 2)), IMAGES),
    "convolution": (lambda: nn.Sequential(nn.Conv2d(3, 2, 3)), IMAGES),
    "convolution, no bias": (lambda: nn.Sequential(nn.Conv2d(3, 2, 3, padding=1, bias=False)), IMAGES),
    "convolution, stride": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1)), IMAGES),
    "convolution, all different": (
        lambda: nn.Sequential(nn.Conv2d(3, 2, (3, 2), (2, 1), (0, 1), (1, 2))),
        (3, 3, 6, 5),
    ),
    "convolution, groups": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, groups=2), nn.Tanh()), (2, 4, 4, 5)),
    "convolution, depthwise": (lambda: nn.Sequential(nn.Conv2d(3, 3, 3, stride=2, groups=3)), IMAGES),
    "convolution, two": (lambda: nn.Sequential(nn.Conv2d(3, 2, 2), nn.Tanh(), nn.Conv2d(2, 3, 3, 2)), IMAGES),
    "convolution, reflect": (lambda: nn.Sequential(nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect")), IMAGES),
    "convolution, same": (lambda: after_images(nn.Conv2d(3, 2, 3, padding="same")), IMAGES),
    "batch norm of images": (lambda: nn.Sequential(nn.BatchNorm2d(3)), IMAGES),
    "batch norm after images": (lambda: after_images(nn.BatchNorm2d(3)), IMAGES),
    "batch norm, not affine": (lambda: after_images(nn.BatchNorm2d(3, affine=False, eps=0.1)), IMAGES),
    "batch norm of vectors": (lambda: nn.Sequential(nn.Linear(6, 2), nn.BatchNorm1d(2)), VECTORS),
    "batch norm of sequences": (lambda: nn.Sequential(nn.BatchNorm1d(3)), (4, 3, 5)),
    "batch norm 3d": (lambda: nn.Sequential(Scale(), nn.BatchNorm3d(2)), (3, 2, 2, 3, 2)),
    "flatten": (lambda: after_tensor(nn.Sequential(nn.Flatten(), nn.Linear(90, 2))), IMAGES),
    "flatten images": (lambda: after_images(nn.Flatten()), IMAGES),
    "flatten, some": (lambda: after_images(nn.Flatten(2, 3)), IMAGES),
    "flatten, first ones": (lambda: after_images(nn.Flatten(1, 2)), IMAGES),
    "flatten, all": (lambda: after_tensor(nn.Flatten(0)), VECTORS),
    "max": (lambda: after_images(nn.MaxPool2d(2)), IMAGES),
    "max, odd": (lambda: after_tensor(nn.MaxPool2d(2)), (2, 3, 7, 3)),
    "max, other stride": (lambda: after_images(nn.MaxPool2d(2, 1)), IMAGES),
    "max, 3": (lambda: after_images(nn.MaxPool2d(3)), IMAGES),
    "max, 4": (lambda: after_images(nn.MaxPool2d(4)), (2, 3, 9, 6)),
    "max, large": (lambda: after_images(nn.MaxPool2d(5)), IMAGES),
    "max, oblong": (lambda: after_images(nn.MaxPool2d((2, 3))), IMAGES),
    "max, padded": (lambda: after_images(nn.MaxPool2d(2, padding=1)), IMAGES),
    "max, ceil": (lambda: after_images(nn.MaxPool2d(2, ceil_mode=True)), IMAGES),
    "max, dilated": (lambda: after_images(nn.MaxPool2d(2, dilation=2)), IMAGES),
    "max, pair": (lambda: after_images(nn.MaxPool2d((2, 2), stride=(2, 2))), IMAGES),
    "mean": (lambda: after_images(nn.AdaptiveAvgPool2d(1)), IMAGES),
    "mean of a tensor": (lambda: after_tensor(nn.AdaptiveAvgPool2d((1, 1))), IMAGES),
    "mean, 2 x 3": (lambda: after_images(nn.AdaptiveAvgPool2d((2, 3))), IMAGES),
    **{f"{kind.__name__} of images": (lambda kind=kind: after_images(kind()), IMAGES) for kind in ELEMENTWISE},
    **{f"{kind.__name__} of vectors": (lambda kind=kind: after_tensor(kind()), VECTORS) for kind in ELEMENTWISE},
    "AvgPool1d": (lambda: after_tensor(nn.AvgPool1d(2)), (4, 3, 5)),
    "MaxPool1d": (lambda: after_tensor(nn.MaxPool1d(2)), (4, 3, 5)),
    "AvgPool2d": (lambda: after_images(nn.AvgPool2d(2)), IMAGES),
    "Upsample": (lambda: after_images(nn.Upsample(scale_factor=2)), IMAGES),
    "no rule": (lambda: nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), nn.PReLU()), VECTORS),
    "no rule, after images": (lambda: after_images(nn.GroupNorm(1, 3)), IMAGES),
    "no Sequential": (lambda: nn.Linear(6, 2), VECTORS),
    "own module": (Scale, VECTORS),
}


def test_every_layer_is_in_the_table():
    met = {type(part) for make, _ in MODELS.values() for _, part in TaskModel(make())._parts}
    assert set(LAYERS) <= met


def reference(model, weights, x):
    """Outputs (R, T, n, ...), one functional_call for each run and task."""
    model.train()
    return torch.stack(
        [
            torch.stack(
                [
                    functional_call(model, {n: w[r, min(t, w.shape[1] - 1)] for n, w in weights.items()}, (x[r, t],))
                    for t in range(TASKS)
                ]
            )
            for r in range(RUNS)
        ]
    )


@pytest.mark.parametrize("shared", [True, False], ids=["shared weights", "weights per task"])
@pytest.mark.parametrize("name", MODELS)
def test_values_gradients_and_second_derivatives(name, shared):
    make, shape = MODELS[name]
    torch.manual_seed(len(name))
    model = make().double()
    x = torch.randn(RUNS, TASKS, *shape, dtype=F64, requires_grad=True)
    wide = 1 if shared else TASKS
    weights = {
        n: (p.detach() + 0.3 * torch.randn(RUNS, wide, *p.shape, dtype=F64)).requires_grad_()
        for n, p in model.named_parameters()
    }
    into = Pass(adapts=frozenset(weights))
    found, expected = TaskModel(model)(weights, x, into), reference(model, weights, x)
    assert found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-11, atol=1e-12)

    # the gradients of the weights, for each task, from those at the taps; and of the inputs
    v = torch.randn_like(expected)
    per_task = {n: w.detach().expand(-1, TASKS, *w.shape[2:]).clone().requires_grad_() for n, w in weights.items()}
    pulled = grad((reference(model, per_task, x) * v).sum(), [x, *per_task.values()], create_graph=True)
    taps = grad((found * v).sum(), [x, *(tap.at for tap in into.taps)], create_graph=True)
    gradients = {n: dense(g) for tap, d in zip(into.taps, taps[1:], strict=True) for n, g in tap.gradients(d).items()}
    assert gradients.keys() == weights.keys()
    for found_one, expected_one in zip([taps[0], *(gradients[n] for n in per_task)], pulled, strict=True):
        assert found_one.shape == expected_one.shape and torch.allclose(found_one, expected_one, rtol=1e-10, atol=1e-11)

    # and their derivatives along something
    along = [torch.randn_like(g) for g in pulled]
    ours = sum((g * u).sum() for g, u in zip([taps[0], *(gradients[n] for n in per_task)], along, strict=True))
    theirs = sum((g * u).sum() for g, u in zip(pulled, along, strict=True))
    found_two = grad(ours, [x, *weights.values()], allow_unused=True)
    expected_two = grad(theirs, [x, *per_task.values()], allow_unused=True)
    for a, b, leaf in zip(found_two, expected_two, [x, *weights.values()], strict=True):
        a, b = (torch.zeros_like(leaf) if g is None else g for g in (a, b))
        b = b.sum(1, keepdim=True) if shared and leaf is not x else b
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("size", "window"), [((4, 4), 2), ((5, 3), 2), ((7, 6), 3), ((8, 9), 4)])
def test_a_tie_goes_to_the_first_as_in_torch(size, window):
    torch.manual_seed(0)
    x = torch.ones(2, 2, 3, 2, *size, dtype=F64)
    x[:, :, 1:] = torch.randint(2, x[:, :, 1:].shape).double()  # and many partial ties
    x.requires_grad_()
    model = TaskModel(nn.Sequential(nn.MaxPool2d(window), Scale()))
    weights = {"1.by": torch.ones(2, 1, dtype=F64)}
    out = model(weights, x)
    v = torch.rand_like(out)
    theirs = grad((nn.MaxPool2d(window)(x.flatten(0, 2)) * v.flatten(0, 2)).sum(), x)[0]
    assert torch.equal(grad((out * v).sum(), x)[0], theirs)
    assert theirs[0, 0, 0, 0, 0, 0] > 0 and (theirs[0, 0, 0, 0, :window, :window] > 0).sum() == 1


@pytest.mark.parametrize("window", [2, 3, 4, (4, 4)])
def test_square_windows_side_by_side_run_for_all_tasks_at_once(window, monkeypatch):
    called = []
    monkeypatch.setattr(images, "max_pool", lambda x, window: called.append(window) or x)
    TaskModel(after_images(nn.MaxPool2d(window)))(
        {n: p[None, None] for n, p in after_images(nn.Identity()).named_parameters()}, torch.randn(1, 2, *IMAGES)
    )
    assert called == [window if isinstance(window, int) else window[0]]


def test_a_low_rank_weight_is_the_matrix_that_it_stands_for():
    torch.manual_seed(0)
    x, base = torch.randn(2, 3, 4, 6, dtype=F64), torch.randn(2, 1, 5, 6, dtype=F64)
    update = Products(torch.randn(2, 3, 2, 5, dtype=F64), torch.randn(2, 3, 2, 6, dtype=F64))
    model, weight = TaskModel(nn.Linear(6, 5, bias=False)), LowRank(base, update)
    assert torch.allclose(model({"weight": weight}, x), x @ (base + update.left.mT @ update.right).mT)
    assert torch.allclose(model({"weight": weight}, x), model({"weight": dense(weight)}, x))
    chain = TaskModel(linear_network(6, 5, 2, bias=False))
    for low in ("0.weight", "1.weight"):
        weights = {"0.weight": torch.randn(2, 1, 5, 6, dtype=F64), "1.weight": torch.randn(2, 1, 2, 5, dtype=F64)}
        o, i = weights[low].shape[2:]
        update = Products(torch.randn(2, 3, 2, o, dtype=F64), torch.randn(2, 3, 2, i, dtype=F64))
        weights[low] = LowRank(weights[low], update)
        expected = x @ dense(weights["0.weight"]).mT @ dense(weights["1.weight"]).mT
        assert torch.allclose(chain(weights, x), expected)


def test_the_datas_product_with_what_tasks_share_is_taken_once():
    torch.manual_seed(0)
    base, update = torch.randn(1, 1, 5, 6, dtype=F64), Products(torch.ones(1, 3, 1, 5).double(), torch.ones(1, 3, 1, 6))
    update = Products(update.left, update.right.double())
    x, other = torch.randn(2, 1, 3, 4, 6, dtype=F64)
    into = Pass(data=x)
    first = into.product(x, base)
    assert into.product(x, base) is first and len(into.products) == 1
    assert torch.allclose(into.product(x, LowRank(base, update)), x @ (base + update.dense()).mT)
    assert len(into.products) == 1
    changed = base + 1
    assert torch.allclose(into.product(x, changed), x @ changed.mT) and len(into.products) == 2
    # neither what is not the data, nor what is each task's own
    assert torch.allclose(into.product(other, base), other @ base.mT)
    assert torch.allclose(into.product(x, base.expand(-1, 3, -1, -1)), first)
    assert len(into.products) == 2


def _twice():
    act = nn.Tanh()
    return nn.Sequential(nn.Linear(4, 3), act, nn.Linear(3, 3), act, nn.Sequential(nn.Linear(3, 2), act))


def _hooked(part):
    part.register_forward_hook(lambda module, inputs, output: torch.tanh(output))
    return part


UNUSUAL = {
    "an activation used twice": _twice,
    "ReLU in place": lambda: nn.Sequential(nn.Linear(4, 3, bias=False), nn.ReLU(inplace=True), nn.Linear(3, 2)),
    "in place after a chain": lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2), nn.LeakyReLU(inplace=True)),
    "in place inside a module": lambda: Inside(),
    "a hook on a layer": lambda: nn.Sequential(_hooked(nn.Linear(4, 3)), nn.Linear(3, 2)),
    "a hook on a sequence": lambda: nn.Sequential(_hooked(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)))),
}


class Inside(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.act, self.two = nn.Linear(4, 3), nn.ELU(inplace=True), nn.Linear(3, 2)

    def forward(self, x):
        return self.two(self.act(self.one(x)))


@pytest.mark.parametrize("low_rank", [None, True])
@pytest.mark.parametrize("name", UNUSUAL)
def test_meta_gradients_of_what_modules_may_also_do(name, low_rank):
    """Against autograd through the module itself, task by task."""
    torch.manual_seed(0)
    model = UNUSUAL[name]().double()
    x, y = torch.randn(1, 3, 5, 4, dtype=F64), torch.randn(1, 3, 5, 2, dtype=F64)
    learner = MAML(model, "mse", inner_lr=0.3, steps=3, low_rank=low_rank)
    learned = learner.init(1)
    found, _ = learner.gradients(learned, (x, y, x.flip(2), y))
    initial = {n.removeprefix("model."): v[0].clone().requires_grad_() for n, v in learned.items()}
    total = 0.0
    for t in range(3):
        weights = initial
        for _ in range(3):
            loss = (functional_call(model, weights, (x[0, t].clone(),)) - y[0, t]).square().mean()
            gradients = grad(loss, list(weights.values()), create_graph=True)
            weights = {n: w - 0.3 * g for (n, w), g in zip(weights.items(), gradients, strict=True)}
        total = total + (functional_call(model, weights, (x[0, t].flip(0),)) - y[0, t]).square().mean() / 3
    expected = grad(total, list(initial.values()))
    for (name, _), one in zip(initial.items(), expected, strict=True):
        assert torch.allclose(found[f"model.{name}"][0], one, rtol=1e-10, atol=1e-12)


def test_in_place_layers_of_the_users_own_model_stay_as_they_are():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True))
    TaskModel(model)
    assert model[1].inplace


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
@pytest.mark.parametrize(
    "how",
    [((1, 1), (1, 1), (1, 1), 1), ((2, 1), (0, 1), (1, 2), 2), ((3, 2), (1, 0), (1, 1), 2)],
    ids=["plain", "all different", "few places"],
)
def test_convolutions_differentiate_numerically(check, how):
    torch.manual_seed(0)
    draw = partial(torch.randn, dtype=F64, requires_grad=True)
    x, weight = draw(1, 4, 4, 1, 2, 2), draw(1, 2, 2, 2 // how[-1], 2, 2)
    assert check(lambda x, w: images.convolve(x, w, *how), (x, weight))
    g = torch.randn_like(images.convolve(x, weight, *how)).requires_grad_()
    assert check(lambda x, g: images.convolution_weight_gradient(x, g, weight, *how), (x, g))


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 0), (2, 3)])
@pytest.mark.parametrize(("groups", "kernel"), [(1, (3, 3)), (2, (2, 4)), (4, (1, 1))])
def test_a_convolution_as_a_product_of_matrices_is_the_librarys(stride, padding, groups, kernel, monkeypatch):
    torch.manual_seed(0)
    x, weight = torch.randn(3, 4, 5, 6, dtype=F64), torch.randn(8, 4 // groups, *kernel, dtype=F64)
    how = (stride, padding, (1, 1), groups)
    g = torch.randn_like(torch.conv2d(x, weight, None, *how))
    made = []
    for places in (0, 1000):
        monkeypatch.setattr(images, "FEW_PLACES", places)
        assert images._Columns.of(x.shape, weight.shape, how).few == bool(places)
        gradients = [images._backward(g, x, weight, how, of_weight) for of_weight in (False, True)]
        made.append([images._forward(x, weight, how), *gradients])
    for library, product in zip(*made, strict=True):
        assert library.shape == product.shape
        torch.testing.assert_close(product, library, rtol=1e-12, atol=1e-12)


def channels(x):
    """Of values (n, C)."""
    return Channels(len(x), lambda v: v.sum(0), lambda own: own.expand(len(x), -1))


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
@pytest.mark.parametrize("eps", [1e-5, 0.5])
def test_normalising_differentiates_numerically(check, eps):
    torch.manual_seed(0)
    x = (torch.randn(5, 3, dtype=F64) * torch.tensor([1.0, 3.0, 0.1]) + 2).requires_grad_()
    assert torch.allclose(
        normalise(x, eps, channels(x)), nn.functional.batch_norm(x, None, None, training=True, eps=eps)
    )
    assert check(lambda x: normalise(x, eps, channels(x)), [x])


def test_the_third_derivative_of_normalising():
    torch.manual_seed(0)
    x, v = torch.randn(2, 4, 2, dtype=F64)

    def third(function):
        at = x.clone().requires_grad_()
        out = (function(at).pow(3) * v).sum()
        for _ in range(2):
            out = grad(out, at, create_graph=True)[0].pow(2).sum()
        return grad(out, at)[0]

    def plain(x):
        return (x - x.mean(0)) / (x.var(0, unbiased=False) + 0.1).sqrt()

    assert torch.allclose(third(lambda x: normalise(x, 0.1, channels(x))), third(plain), rtol=1e-9)


@pytest.mark.parametrize(("size", "window"), [((5, 4), 2), ((4, 6), 3), ((5, 4), 4)])
def test_max_pool_differentiates_numerically(size, window):
    torch.manual_seed(0)
    x, pool = torch.randn(1, *size, 1, 2, 2, dtype=F64, requires_grad=True), partial(images.max_pool, window=window)
    assert gradcheck(pool, (x,)) and gradgradcheck(pool, (x,))


def test_statistics_are_collected_and_used():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)).double()
    x, other = torch.randn(2, 1, 2, 4, 2, 3, 3, dtype=F64)
    task_model = TaskModel(model, "support")
    weights = {n: w[None, None] for n, w in task_model.initial.items()}
    collected = {}
    assert torch.allclose(task_model(weights, x, Pass(collect=collected))[0, 1], model.train()(x[0, 1]))
    ((mean, variance),) = collected.values()
    inner = nn.functional.conv2d(x[0, 1], model[0].weight, model[0].bias)
    assert torch.allclose(mean[0, 1], inner.mean((0, 2, 3)))
    assert torch.allclose(variance[0, 1], inner.var((0, 2, 3), unbiased=False))
    model[1].running_mean.copy_(mean[0, 1])
    model[1].running_var.copy_(variance[0, 1])
    found = task_model(weights, other, Pass(statistics=collected))[0, 1]
    assert torch.allclose(found, model.eval()(other[0, 1]))


@pytest.mark.parametrize(
    ("make", "mode", "message"),
    [
        (lambda: nn.Linear(2, 2), "batch", "batch_norm is 'batch': expected 'transductive', 'support', 'running'"),
        (lambda: nn.ReLU(), "transductive", "The model ReLU has no parameters: there is nothing to adapt."),
        (lambda: torch.relu, "transductive", "expected a torch.nn.Module"),
        (
            lambda: nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False)),
            "running",
            "the layer '0' keeps no statistics: make it with track_running_stats=True",
        ),
        (
            lambda: nn.Sequential(nn.ModuleList([nn.BatchNorm1d(2, track_running_stats=False)])),
            "running",
            "a layer keeps no statistics: take 'transductive'",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), _hooked(nn.BatchNorm1d(2))),
            "transductive",
            "The layer '1' is a BatchNorm1d with hooks: use torch's own batch norm, without hooks",
        ),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), nn.ModuleList([nn.BatchNorm1d(2)])),
            "support",
            "a batch norm inside the ModuleList '1': build the model from nn.Sequential, or take another mode",
        ),
    ],
)
def test_models_that_cannot_be(make, mode, message):
    with pytest.raises(ValueError, match=message):
        TaskModel(make(), mode)


def test_the_model_is_copied():
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ModuleList([nn.BatchNorm2d(1)]))
    TaskModel(model)
    assert type(model[1][0]) is nn.BatchNorm2d


@pytest.mark.parametrize("name", ["cross_entropy", "bce", "mse"])
def test_losses_are_torchs_task_by_task(name):
    torch.manual_seed(0)
    output = torch.randn(2, 3, 4, 5 if name == "cross_entropy" else 1, dtype=F64)
    target = torch.randint(5, (2, 3, 4)) if name == "cross_entropy" else torch.rand(2, 3, 4, 1, dtype=F64)
    functions = {
        "cross_entropy": nn.functional.cross_entropy,
        "bce": nn.functional.binary_cross_entropy_with_logits,
        "mse": nn.functional.mse_loss,
    }
    expected = torch.stack(
        [torch.stack([functions[name](output[r, t], target[r, t]) for t in range(3)]) for r in range(2)]
    )
    assert torch.allclose(batched(name)(output, target), expected, rtol=1e-12)
    assert torch.allclose(batched(functions[name])(output, target), expected, rtol=1e-12)
    if name != "cross_entropy":
        assert torch.allclose(batched(name)(output, target[..., 0]), expected, rtol=1e-12)


def test_losses_that_cannot_be():
    with pytest.raises(ValueError, match="The loss is 'hinge': expected 'cross_entropy', 'bce', 'mse', or a function"):
        batched("hinge")
    with pytest.raises(ValueError, match=r"The loss of one task has shape \(4,\): return one number"):
        batched(lambda output, target: (output - target).square().sum(-1))(*torch.zeros(2, 1, 2, 4, 3))


def test_dropout_is_refused_unless_it_does_nothing():
    noisy = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    with pytest.raises(ValueError, match=r"There is dropout in '1'.*model\.eval\(\)"):
        TaskModel(noisy)
    assert TaskModel(noisy.eval()).initial


def test_another_kind_of_batch_norm_is_refused():
    with pytest.raises(ValueError, match="is a SyncBatchNorm: use torch's own batch norm"):
        TaskModel(nn.Sequential(nn.Linear(3, 2), nn.SyncBatchNorm(2)))
