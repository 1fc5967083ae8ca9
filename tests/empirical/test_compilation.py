"""Compiled steps compute what the plain ones do, and where nothing can be compiled everything works."""

from functools import partial

import pytest
import torch
from engine_cases import CASES, F64, Case, distance, make_model, shaken
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from empirical import MAML, Trainer, compilation, matrix_products
from empirical.compilation import Compiled, unavailable
from empirical.merging import merge_convolutions
from empirical.models import cnn

needs_compiler = pytest.mark.skipif(unavailable() is not None, reason=f"Nothing can be compiled here: {unavailable()}.")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA device here.")


class Tasks:
    """Random tasks of a case."""

    def __init__(self, case):
        self.case = case

    def __repr__(self):
        return "random tasks"

    def sample(self, count, generator, split, dtype):
        seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
        parts = [part[0].to(generator.device) for part in self.case.batch(count, seed=seed)]
        return tuple(p.to(dtype) if p.is_floating_point() else p for p in parts)


TINY = {"tiny CNN": Case(partial(cnn, 1, hidden=2, classes=3, pooling="max"), (1, 3, 2))}
GRAPHS = [
    ("LinNet", 1),
    ("linear", 2),
    ("LinNet, wide", 2),
    ("tiny CNN", 1),
]  # a step more of the CNN takes half a minute


@needs_compiler
@pytest.mark.parametrize(("name", "steps"), GRAPHS)
def test_a_compiled_meta_gradient_is_the_plain_one(name, steps):
    torch.manual_seed(0)
    case = (CASES | TINY)[name]
    learner = MAML(case.model().double(), case.loss, inner_lr=case.rate, steps=steps)
    compiled = Compiled(learner.gradients)
    for seed in (1, 2):  # the second time with other numbers
        learned, batch = shaken(learner.init(1), seed=seed), case.batch(seed=seed)
        found, expected = compiled(learned, batch), learner.gradients(learned, batch)
        assert distance(found[0], expected[0]) < 1e-10
        assert found[1].keys() == expected[1].keys()
        assert all(torch.allclose(found[1][n], v, rtol=1e-12) for n, v in expected[1].items())
    with pytest.raises(
        ValueError, match=r"the step was compiled for other names, shapes, types or devices: expected .*, got"
    ):
        compiled(learned, case.batch(tasks=3))
    for wrong in ({n: v.float() for n, v in learned.items()}, dict(reversed(learned.items()))):
        with pytest.raises(ValueError, match="compiled for other names, shapes, types or devices"):
            compiled(wrong, batch)


@needs_compiler
def test_a_compiled_trainer_takes_the_same_steps():
    def trained(**options):
        learner = MAML(make_model("linear"), inner_lr=0.3)
        how = dict(outer_lr=0.01, tasks_per_step=3, seed=[0, 1], dtype=F64, schedule="cosine")
        trainer = Trainer(learner, Tasks(CASES["linear"]), **how, **options).fit(20)
        return trainer.learned, trainer.curve("loss")

    plain = trained()
    compiled = trained(compile=True)
    assert distance(compiled[0], plain[0]) < 1e-10 and torch.allclose(compiled[1], plain[1], rtol=1e-10)


def test_parts_of_a_compiled_step_that_run_side_by_side_are_the_step():
    before = torch.get_num_threads()

    def trained(**options):
        learner = MAML(make_model("linear"), inner_lr=0.3)
        how = dict(outer_lr=0.01, tasks_per_step=5, seed=[0, 1], dtype=F64)  # two tasks, two, and a rest
        return Trainer(learner, Tasks(CASES["linear"]), **how, **options)

    torch.set_num_threads(2)
    try:
        plain, first, second = trained().fit(6), trained(compile=True, chunk=4), trained(compile=True, chunk=4)
        assert first._calls.at_once == 2
        first.fit(6), second.fit(6)
    finally:
        torch.set_num_threads(before)
    assert distance(first.learned, plain.learned) < 1e-10
    assert all(torch.equal(first.learned[name], second.learned[name]) for name in plain.learned)


@pytest.mark.parametrize(("left", "right"), [((1, 4), (4, 3)), ((3, 4), (4, 1)), ((3, 1), (1, 4)), ((1, 1), (1, 1))])
def test_small_products_with_a_vector_are_written_out(left, right):
    torch.manual_seed(0)
    a, b = torch.randn(left, dtype=F64), torch.randn(right, dtype=F64)
    found = matrix_products._mm(a, b)
    assert torch.allclose(found, a @ b) and found.shape == (a @ b).shape


def test_other_products_are_the_librarys(monkeypatch):
    mm, bmm = matrix_products._mm, matrix_products._bmm
    assert mm(torch.ones(2, 3), torch.ones(3, 2)) is NotImplemented
    for prefers in (True, False):
        monkeypatch.setattr(matrix_products, "prefers_onednn", lambda prefers=prefers: prefers)
        assert mm(torch.ones(1, 10**5), torch.ones(10**5, 1)) is NotImplemented
        assert bmm(torch.ones(3, 100, 100), torch.ones(3, 100, 100)) is NotImplemented
        assert bmm(torch.ones(3, 128, 128).double(), torch.ones(3, 128, 128).double()) is NotImplemented
        assert bmm(torch.ones(9, 128, 128), torch.ones(9, 128, 128)) is NotImplemented
    assert bmm(torch.ones(3, 128, 128), torch.ones(3, 128, 128)) is NotImplemented


@needs_compiler
@pytest.mark.skipif(not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="This torch comes without oneDNN.")
def test_large_products_by_the_other_library_are_the_same(monkeypatch):
    def product(a, b):
        asked.append(a.shape)
        return by_onednn(a, b)

    asked, by_onednn = [], matrix_products._by_onednn
    monkeypatch.setattr(matrix_products, "prefers_onednn", lambda: True)
    monkeypatch.setattr(matrix_products, "_by_onednn", product)
    generator = torch.Generator().manual_seed(0)
    for shape in ((), (1,), (3,)):
        a, b = (torch.randn(*shape, *size, generator=generator) for size in ((110, 96), (100, 110)))
        for x, y in ((a.mT, b.mT), (a.mT.contiguous(), b.mT), (a.mT, b.mT.contiguous())):
            asked.clear()
            found = Compiled(lambda x, y: {"out": torch.relu(x @ y) + 1})(x, y)["out"]
            assert len(asked) == 1 and torch.allclose(found, torch.relu(x @ y) + 1, rtol=1e-4, atol=1e-4)


@needs_compiler
def test_one_tensor_given_twice_stays_two_inputs():
    compiled, x, y = Compiled(lambda a, b: {"out": 2 * a + b}), torch.tensor([1.0]), torch.tensor([5.0])
    assert compiled(x, x)["out"].item() == 3
    assert compiled(x, y)["out"].item() == 7


def test_without_a_compiler_everything_works_and_a_line_says_so(monkeypatch, capfd):
    monkeypatch.setattr(compilation.shutil, "which", lambda name: None)
    assert "C++ compiler" in compilation.unavailable()
    learner = MAML(make_model("linear"), inner_lr=0.3)
    learned, batch = shaken(learner.init(1)), CASES["linear"].batch()
    compiled = Compiled(learner.gradients)
    assert distance(compiled(learned, batch)[0], learner.gradients(learned, batch)[0]) == 0
    assert distance(compiled(learned, batch)[0], learner.gradients(learned, batch)[0]) == 0
    line = "metaproof: not compiled, for there is no C++ compiler (g++ or clang++); everything works, more slowly.\n"
    assert capfd.readouterr().err == line
    both = [
        Trainer(learner, Tasks(CASES["linear"]), tasks_per_step=4, dtype=F64, compile=c).fit(5).learned
        for c in (True, False)
    ]
    assert distance(*both) == 0
    assert capfd.readouterr().err == line
    with pytest.raises(ValueError, match="compiled for other names, shapes, types or devices"):
        compiled(learned, CASES["linear"].batch(tasks=3))


@needs_gpu
@pytest.mark.parametrize("case", ["LinNet", "CNN, max"])
def test_on_a_gpu_the_compiled_and_graphed_step_is_the_plain_one(case):
    def trained(device, **options):
        learner = MAML(make_model(case), CASES[case].loss, inner_lr=CASES[case].rate, steps=2)
        how = dict(outer_lr=0.01, tasks_per_step=3, dtype=F64, device=device)
        trainer = Trainer(learner, Tasks(CASES[case]), **how, **options)
        batch = tuple(b.to(device) for b in CASES[case].batch(tasks=3))
        for _ in range(5):
            trainer.step(batch)
        return {n: v.cpu() for n, v in trainer.learned.items()}

    expected = trained("cpu")
    assert distance(trained("cuda"), expected) < 1e-8
    if unavailable("cuda") is None:
        assert distance(trained("cuda", compile=True), expected) < 1e-8


HOW = ([2, 1], [1, 0], [1, 1], False, [0, 0], 3)


def _sums(parts):
    """One sum of each kind of convolution with others between, and terms that must stay by themselves."""
    (x, w, g), (x2, w2, g2), other = parts
    conv, back = torch.ops.aten.convolution, torch.ops.aten.convolution_backward

    def of_input(g, w):
        return back(g, x, w, None, *HOW, [True, False, False])[0]

    def of_weight(x, g):
        return back(g, x, w, None, *HOW, [False, True, False])[1]

    y = conv(x, w, None, *HOW).permute(0, 2, 3, 1) + 2 * other + conv(x2, w2, None, *HOW).permute(0, 2, 3, 1)
    twice = conv(x2, w, None, *HOW)  # is used in two places
    unlike = conv(x, w, None, [1, 1], [0, 0], *HOW[2:])[:, :, : g.shape[2], : g.shape[3]]
    return [
        y,
        of_input(g, w) + (x.sin() + of_input(g2, w2)),
        of_weight(x, g) + of_weight(x2, g2),
        twice + conv(x, w2, None, *HOW),
        twice.square(),
        unlike + conv(x2, w2, None, *HOW),
    ]


def test_convolutions_that_are_added_become_one():
    torch.manual_seed(0)
    draw = partial(torch.randn, dtype=torch.float64)
    x, w = draw(4, 6, 7, 5), draw(12, 2, 3, 2)
    g = torch.convolution(x, w, None, *HOW)
    parts = (
        (x, w, g),
        (torch.randn_like(x), torch.randn_like(w), torch.randn_like(g)),
        draw(g.permute(0, 2, 3, 1).shape),
    )
    graph = make_fx(_sums, tracing_mode="fake")(parts)
    before = [out.clone() for out in graph(parts)]
    assert merge_convolutions(graph.graph) == 3
    graph.recompile()
    for out, expected in zip(graph(parts), before, strict=True):
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


def test_a_convolutional_meta_gradient_has_pairs_to_merge():
    """What the engine traces has the form that is looked for: two pairs less would go unnoticed but for the time."""
    model = nn.Sequential(*[nn.Conv2d(2, 2, 3), nn.Tanh(), nn.Conv2d(2, 2, 3), nn.Flatten(), nn.Linear(32, 2)]).double()
    learner = MAML(model, "mse", steps=1)
    x, y = torch.randn(1, 2, 3, 2, 8, 8, dtype=torch.float64), torch.randn(1, 2, 3, 2, dtype=torch.float64)
    names = list(learned := learner.init(1))

    def gradients(*values):
        return list(learner.gradients(dict(zip(names, values, strict=True)), (x, y, x, y))[0].values())

    graph = make_fx(gradients, tracing_mode="fake", _allow_non_fake_inputs=True)(*learned.values())
    assert merge_convolutions(graph.graph) == 3  # of the second layer; the images have no gradient
    graph.recompile()
    for out, expected in zip(graph(*learned.values()), gradients(*learned.values()), strict=True):
        torch.testing.assert_close(out, expected, rtol=1e-11, atol=1e-13)


CONVOLUTION, BACKWARD = torch.ops.aten.convolution, torch.ops.aten.convolution_backward
OTHERS = {
    "with a bias": (
        lambda x, w, b: CONVOLUTION(x, w, b, [1], [0], [1], False, [0], 1),
        (2, 3, 4, 4),
        (5, 3, 3, 3),
        (5,),
    ),
    "transposed": (
        lambda x, w, _: CONVOLUTION(x, w, None, [1], [0], [1], True, [0], 1),
        (2, 3, 4, 4),
        (3, 5, 3, 3),
        (),
    ),
    "of sequences": (lambda x, w, _: CONVOLUTION(x, w, None, [1], [0], [1], False, [0], 1), (2, 3, 4), (5, 3, 3), ()),
    "of a bias, backward": (
        lambda g, w, _: BACKWARD(g, g, w, [5], [1], [1], [1], False, [0], 1, [False, False, True])[2],
        (2, 5, 4, 4),
        (5, 5, 3, 3),
        (),
    ),
    "transposed, backward": (
        lambda x, w, _: BACKWARD(x, x, w, None, [1], [1], [1], True, [0], 1, [True, False, False])[0],
        (2, 5, 4, 4),
        (5, 5, 3, 3),
        (),
    ),
}


@pytest.mark.parametrize("how", OTHERS)
def test_convolutions_of_other_forms_are_left_as_they_are(how):
    one, *shapes = OTHERS[how]
    torch.manual_seed(0)
    given = [torch.randn(shape, dtype=F64) for shape in shapes + shapes]

    def both(x, w, b, y, v, c):
        return [one(x, w, b) + one(y, v, c)]

    graph = make_fx(both, tracing_mode="fake", _allow_non_fake_inputs=True)(*given)
    assert merge_convolutions(graph.graph) == 0
    graph.recompile()
    torch.testing.assert_close(graph(*given), both(*given), rtol=1e-12, atol=1e-12)
