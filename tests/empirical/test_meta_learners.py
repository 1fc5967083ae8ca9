"""The meta-learners against a plain oracle: one run, one task, one autograd graph at a time."""

import math

import pytest
import torch
from torch import nn

from empirical.descent import descend
from empirical.divergence import DivergenceError
from empirical.layers import dense
from empirical.linear_solve import conjugate_gradient, hessian_diagonal, hessian_product
from empirical.meta_learners import MAML, Reptile, Shrinkage
from empirical.modules import Modules, grouped, one_module, per_entry, per_tensor
from empirical.objective import flatten, of_module, unflatten
from empirical.optimizers import adam, sgd
from empirical.randomness import generator
from empirical.tasks.hierarchical import MEANS, HierarchicalModel, HierarchicalTasks
from empirical.update_rules import learned_rates

PAIRS = Modules(torch.tensor([0, 0, 1, 1]), ("first", "second"))
TASKS = {
    "linear": HierarchicalTasks("linear", (1.0,) * 4, (2.0, 2.0, 1.0, 1.0), (2.0, 1.0, 1.5, 1.0, 1.0), 3),
    "spiral": HierarchicalTasks("spiral", (1.0, 2.0, -1.0, 0.5), (1.0,) * 4, (2.0,) * 4, 3),
}
RUNS, COUNT = 2, 3


def episode(name):
    return TASKS[name].episodes(COUNT, [3, 4], "training")


def phi():
    return torch.randn(RUNS, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def shrinkage(tasks, steps=5, inner_lr=0.1, sigma=1.0, modules=PAIRS, **options):
    return Shrinkage(tasks.losses, modules=modules, steps=steps, inner_lr=inner_lr, sigma=sigma, **options)


def gradient_based(learner, tasks, steps=5, inner_lr=0.1, **options):
    return learner(HierarchicalModel(tasks), tasks.loss, steps=steps, inner_lr=inner_lr, **options)


def relative(a, b):
    return float((a - b).norm() / b.norm())


def single_loss(tasks, theta, x):
    """The loss of one task, from the definition: theta (M,), x (N, D)."""
    mean = MEANS[tasks.mean](theta)
    return sum(((row - mean) / torch.tensor(tasks.xi, dtype=torch.float64)).square().sum() / 2 for row in x)


def hessian(tasks, theta, x):
    return torch.autograd.functional.hessian(lambda at: single_loss(tasks, at, x), theta)


def oracle_maml(tasks, phi, log_rate, support, query, steps, first_order):
    """The meta-gradient of one run, task by task; log_rate () or (M,)."""
    phi, log_rate = phi.clone().requires_grad_(), log_rate.clone().requires_grad_()
    total = 0
    for t in range(COUNT):
        theta = phi
        for _ in range(steps):
            (g,) = torch.autograd.grad(single_loss(tasks, theta, support[t]), theta, create_graph=True)
            theta = theta - log_rate.exp() * (g.detach() if first_order else g)
        total = total + single_loss(tasks, theta, query[t])
    return torch.autograd.grad(total / COUNT, (phi, log_rate))


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("per, rate", [("model", "update.:log_factor"), ("entry", "update.phi:log_factor")])
def test_chen2019s_mamls_are_the_oracles(name, steps, per, rate):
    """The learned factors of fixed rates, differentiated: the same as learning the logarithms of the rates."""
    batch, tasks = episode(name), TASKS[name]
    rates = torch.tensor([0.1, 0.2], dtype=torch.float64)
    found = {}
    for first_order in (False, True):
        learner = gradient_based(MAML, tasks, steps, rates, update=learned_rates(per), first_order=first_order)
        learned = learner.init(RUNS)
        factors = torch.randn(learned[rate].shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64) / 5
        learned = {"model.phi": phi(), rate: factors}
        gradients, measured = learner.gradients(learned, batch.batch)
        for run in range(RUNS):
            expected = oracle_maml(
                tasks,
                phi()[run],
                rates[run].log() + factors[run],
                batch.support[1][run],
                batch.query[1][run],
                steps,
                first_order,
            )
            for name_, value in zip(("model.phi", rate), expected, strict=True):
                assert relative(gradients[name_][run], value) < 1e-10
        found[first_order] = gradients["model.phi"]
        end = dense(learner.adapt(learned, batch.support).weights["phi"])
        assert torch.allclose(measured["loss"], tasks.losses(end, batch.query).mean(1))
    assert relative(found[True], found[False]) > 1e-3  # the second-order term is there


@pytest.mark.parametrize("name", TASKS)
def test_every_gradient_of_log_variance_is_its_formula(name):
    batch, tasks = episode(name), TASKS[name]
    learned = shrinkage(tasks, sigma=torch.tensor([[0.7, 1.0], [0.5, 1.2]])).start(phi())
    found = {
        way: shrinkage(tasks, 400, gradient=way, phi_by="pll").gradients(learned, batch.batch)[0]
        for way in ("h_free", "diagonal", "cg", "unrolled")
    }
    theta = shrinkage(tasks, 400).adapt(learned, batch.support)
    expected = {way: {"phi": [], "log_variance": []} for way in ("h_free", "diagonal", "cg")}
    for run in range(RUNS):
        variance = learned["log_variance"][run].exp()[PAIRS.index]
        sums = {way: torch.zeros(2, 4, dtype=torch.float64) for way in expected}
        for t in range(COUNT):
            end = theta[run, t].requires_grad_()
            g = torch.autograd.grad(single_loss(tasks, end, batch.query[1][run, t]), end)[0]
            H = hessian(tasks, end.detach(), batch.support[1][run, t])
            gap = end.detach() - phi()[run]
            solved = {
                "h_free": variance * g,
                "diagonal": g / (H.diagonal() + 1 / variance),
                "cg": torch.linalg.solve(H + torch.diag(1 / variance), g),
            }
            for way, u in solved.items():
                sums[way] += torch.stack([u / variance, u / variance * gap]) / COUNT
        for way, (by_phi, by_variance) in sums.items():
            expected[way]["phi"].append(by_phi)
            expected[way]["log_variance"].append(torch.stack([by_variance[:2].sum(), by_variance[2:].sum()]))
    for way, parts in expected.items():
        for what, value in parts.items():
            assert relative(found[way][what], torch.stack(value)) < 1e-10, (way, what)
    # at the end of a descent that has converged, (28) is the exact gradient with phi held fixed
    for what in ("phi", "log_variance"):
        assert relative(found["unrolled"][what], found["cg"][what]) < 1e-6
        assert relative(found["diagonal"][what], found["cg"][what]) > 1e-3 or name == "linear"
        assert relative(found["h_free"][what], found["cg"][what]) > 1e-2


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_unrolled_gradient_is_a_finite_difference(steps):
    batch, tasks = episode("spiral"), TASKS["spiral"]
    learner = shrinkage(tasks, steps, sigma=1.5, gradient="unrolled", phi_by="pll")
    learned = learner.start(phi())
    gradients, _ = learner.gradients(learned, batch.batch)
    for name in learned:
        for entry in range(learned[name].shape[1]):
            ends = []
            for change in (1e-5, -1e-5):
                moved = learned | {name: learned[name].clone()}
                moved[name][:, entry] += change
                ends.append(learner.evaluate(moved, batch.batch)["loss"].mean(1))
            assert torch.allclose(gradients[name][:, entry], (ends[0] - ends[1]) / 2e-5, rtol=1e-5, atol=1e-7)


def test_joint_map_gradients_are_autograds_of_the_joint_density():
    batch, tasks = episode("linear"), TASKS["linear"]
    learner = shrinkage(tasks, 30, sigma=1.5, sigma_by="map")
    learned = learner.start(phi())
    theta = learner.adapt(learned, batch.support)
    leaves = {name: value.clone().requires_grad_() for name, value in learned.items()}
    variance = leaves["log_variance"].exp()[:, PAIRS.index]
    gap = theta - leaves["phi"][:, None]
    log_joint = -(gap.square() / variance[:, None] + variance.log()[:, None]).sum((1, 2)) / 2
    expected = torch.autograd.grad(-log_joint.sum() / COUNT, list(leaves.values()))
    found, _ = learner.gradients(learned, batch.batch)
    for value, name in zip(expected, leaves, strict=True):
        assert relative(found[name], value) < 1e-12


@pytest.mark.parametrize("options", [{}, {"sigma_by": "map"}, {"gradient": "unrolled", "phi_by": "pll"}])
def test_parts_of_a_batch_add_up_to_the_whole(options):
    tasks = TASKS["spiral"]
    batch = tasks.episodes(5, [3, 4], "training").batch
    learner = shrinkage(tasks, **options)
    learned = learner.start(phi())
    whole, measured = learner.gradients(learned, batch)
    parts = [learner.gradients(learned, tuple(b[:, part] for b in batch), 5) for part in (slice(0, 2), slice(2, 5))]
    for name in whole:
        assert relative(sum(gradients[name] for gradients, _ in parts), whole[name]) < 1e-12
    assert torch.allclose(sum(m["loss"] for _, m in parts), measured["loss"], rtol=1e-12)


def test_shrinkage_tends_to_reptile_as_sigma_grows():
    batch, tasks = episode("spiral").batch, TASKS["spiral"]
    expected, _ = gradient_based(Reptile, tasks, 7).gradients({"model.phi": phi()}, batch)
    errors = []
    for sigma in (10.0, 100.0, 1000.0):
        learner = shrinkage(tasks, 7, sigma=sigma, modules=one_module(4))
        found, _ = learner.gradients(learner.start(phi()), batch)
        errors.append(relative(sigma**2 * found["phi"], expected["model.phi"]))  # outer rate ε σ²
    assert errors[2] < 1e-4 < errors[0] and errors == sorted(errors, reverse=True)


def test_phi_by_predictive_likelihood_is_first_order_maml_as_sigma_grows():
    batch, tasks = episode("spiral").batch, TASKS["spiral"]
    expected, _ = gradient_based(MAML, tasks, 7, first_order=True).gradients({"model.phi": phi()}, batch)
    learner = shrinkage(tasks, 7, sigma=1e6, modules=one_module(4), phi_by="pll")
    found, _ = learner.gradients(learner.start(phi()), batch)
    assert relative(found["phi"], expected["model.phi"]) < 1e-8


def test_a_run_is_the_same_beside_others():
    batch, tasks = episode("spiral").batch, TASKS["spiral"]
    rates, sigmas = torch.tensor([0.1, 0.2]), torch.tensor([1.0, 2.0])
    for make in (
        lambda n: gradient_based(MAML, tasks, 4, rates[:n], update=learned_rates("entry")),
        lambda n: shrinkage(tasks, 4, rates[:n], sigmas[:n], optimizer="adam", gradient="cg"),
        lambda n: gradient_based(Reptile, tasks, 4, rates[:n]),
    ):
        gradients = []
        for n in (1, 2):
            learner = make(n)
            if isinstance(learner, Shrinkage):
                learned = learner.start(phi()[:n])
            else:
                learned = learner.init(n) | {"model.phi": phi()[:n]}
            gradients.append(learner.gradients(learned, tuple(b[:n] for b in batch))[0])
        for name in gradients[0]:
            assert torch.allclose(gradients[0][name][0], gradients[1][name][0], rtol=1e-12)


def test_tasks_are_those_that_the_trainer_draws():
    tasks = TASKS["spiral"]
    drawn = tasks.episodes(COUNT, [3, 4], "validation", 7)
    for run, seed in enumerate([3, 4]):
        sample = tasks.sample(COUNT, generator(seed, "validation", 7), "validation", torch.float64)
        for found, expected in zip(sample, drawn.batch, strict=True):
            assert torch.equal(found, expected[run])


# any module


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


def regression():
    torch.manual_seed(0)
    model = Net().double()
    batch = tuple(torch.randn(2, COUNT, 6, width).double() for width in (3, 2, 3, 2))
    return model, lambda out, y: (out - y).square().sum() / 2, batch


@pytest.mark.parametrize(
    "groups",
    [{"body": ["body.*"], "head": ["head.*"]}, {"weights": ["*.weight"], "biases": ["*.bias"]}],
    ids=["layers", "kinds"],
)
def test_any_module_with_any_groups_of_parameters(groups):
    model, loss_of_one, batch = regression()
    support, query = batch[:2], batch[2:]
    sigma = torch.tensor([[1.0, 0.5], [2.0, 0.3]], dtype=torch.float64)
    learner = Shrinkage(
        model,
        loss_of_one,
        modules=grouped(model, groups),
        steps=3,
        inner_lr=0.05,
        sigma=sigma,
        gradient="unrolled",
        phi_by="pll",
    )
    learned = learner.init(2)
    assert torch.equal(learned["phi"], flatten(model).expand(2, -1)) and torch.allclose(
        learned["log_variance"], 2 * sigma.log()
    )
    found, _ = learner.gradients(learned, batch)
    for run in range(2):
        log_variance = learned["log_variance"][run].clone().requires_grad_()
        names = [n for n, _ in model.named_parameters()]
        owner = {
            n: next(i for i, (_, p) in enumerate(groups.items()) if any(q.strip("*.") in n for q in p)) for n in names
        }
        total = 0
        for t in range(COUNT):
            parameters = {n: p.detach().clone().requires_grad_() for n, p in model.named_parameters()}
            first = dict(parameters)
            for _ in range(3):
                out = torch.func.functional_call(model, parameters, (support[0][run, t],))
                loss = (out - support[1][run, t]).square().sum() / 2
                for n, p in parameters.items():
                    loss = loss + ((p - first[n]) ** 2).sum() / log_variance[owner[n]].exp() / 2
                grads = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
                parameters = {n: p - 0.05 * g for (n, p), g in zip(parameters.items(), grads, strict=True)}
            out = torch.func.functional_call(model, parameters, (query[0][run, t],))
            total = total + (out - query[1][run, t]).square().sum() / 2
        (expected,) = torch.autograd.grad(total / COUNT, log_variance)
        assert relative(found["log_variance"][run], expected) < 1e-10


@pytest.mark.parametrize("mode", ["transductive", "running"])
def test_an_objective_says_whose_statistics_batch_norm_uses(mode):
    _, loss, (x, y, *_) = regression()
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2)).double()
    with torch.no_grad():
        model[1].running_mean.normal_()
    model.train(mode == "transductive")
    vectors = torch.randn(2, COUNT, len(flatten(model)), dtype=torch.float64)
    found = of_module(model, loss, mode)(vectors, (x, y))
    for run in range(2):
        for t in range(COUNT):
            out = torch.func.functional_call(model, unflatten(model, vectors[run, t]), (x[run, t],))
            assert torch.allclose(found[run, t], loss(out, y[run, t]), rtol=1e-10)


def test_flat_vectors_and_modules_of_a_model():
    model, *_ = regression()
    vector = flatten(model)
    back = unflatten(model, vector)
    assert all(torch.equal(back[name], p) for name, p in model.named_parameters())
    assert per_tensor(model).names == ("body.weight", "body.bias", "head.weight", "head.bias")
    assert per_tensor(model).sizes().tolist() == [15, 5, 10, 2]
    both = unflatten(model, torch.stack([vector, 2 * vector]))
    assert all(torch.equal(both[name][1], 2 * p) for name, p in model.named_parameters())
    x = torch.randn(2, len(vector))
    assert torch.allclose(per_entry(len(vector)).total(x), x)
    assert torch.allclose(one_module(len(vector)).total(x)[:, 0], x.sum(1))


# the inner loop


@pytest.mark.parametrize("optimizer", [sgd, adam])
def test_the_inner_loop_is_torchs_optimiser(optimizer):
    batch, tasks = episode("spiral"), TASKS["spiral"]
    start = phi()[:, None].expand(-1, COUNT, -1)
    found = descend(lambda x: tasks.losses(x, batch.support), start, rate=0.05, steps=6, optimizer=optimizer())
    for run in range(RUNS):
        for t in range(COUNT):
            theta = phi()[run].clone().requires_grad_()
            theirs = (torch.optim.SGD if optimizer is sgd else torch.optim.Adam)([theta], lr=0.05)
            for _ in range(6):
                theirs.zero_grad()
                single_loss(tasks, theta, batch.support[1][run, t]).backward()
                theirs.step()
            assert torch.allclose(found[run, t], theta.detach(), rtol=1e-9, atol=1e-12)


def test_adam_can_be_differentiated_at_a_zero_gradient():
    start = torch.zeros(1, 1, 2, dtype=torch.float64).requires_grad_()
    end = descend(lambda x: (x**2).sum(-1), start, rate=0.1, steps=2, optimizer=adam(), unrolled=True)
    (gradient,) = torch.autograd.grad(end.sum(), start)
    assert torch.isfinite(gradient).all()


def test_memory_of_the_inner_loop_does_not_hang_on_its_length():
    batch, tasks = episode("spiral"), TASKS["spiral"]
    end = shrinkage(tasks, 50).adapt(
        {"phi": phi().requires_grad_(), "log_variance": torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)},
        batch.support,
    )
    assert end.grad_fn is None  # no graph is left that could hold the steps


# linear algebra


def test_conjugate_gradient_solves_every_system_and_says_which_is_indefinite():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(2, 3, 6, 6, generator=generator, dtype=torch.float64)
    A = root @ root.mT + 0.1 * torch.eye(6)
    A[1, 2] -= 10 * torch.eye(6)
    b = torch.randn(2, 3, 6, generator=generator, dtype=torch.float64)
    b[0, 1] = 0
    x, indefinite = conjugate_gradient(lambda v: (A @ v[..., None])[..., 0], b, iterations=60)
    assert indefinite.tolist() == [[False, False, False], [False, False, True]]
    exact = torch.linalg.solve(A, b[..., None])[..., 0]
    sound = ~indefinite
    assert torch.allclose(x[sound], exact[sound], rtol=1e-7, atol=1e-9) and torch.isfinite(x).all()


def test_hessian_products_and_diagonals():
    batch, tasks = episode("spiral"), TASKS["spiral"]
    at = torch.randn(RUNS, COUNT, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    v = torch.randn(RUNS, COUNT, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    product = hessian_product(lambda x: tasks.losses(x, batch.support), at)(v)
    diagonal = hessian_diagonal(lambda x: tasks.losses(x, batch.support), at)
    for run in range(RUNS):
        for t in range(COUNT):
            H = hessian(tasks, at[run, t], batch.support[1][run, t])
            assert torch.allclose(product[run, t], H @ v[run, t]) and torch.allclose(diagonal[run, t], H.diagonal())


def test_conjugate_gradient_returns_its_best_iterate_and_says_what_is_not_finite():
    A = torch.diag(torch.logspace(-8, 8, 12, dtype=torch.float32))
    b = torch.ones(3, 12)
    b[1, 0] = torch.nan
    x, broken = conjugate_gradient(lambda v: v @ A, b)
    assert broken.tolist() == [False, True, False]
    assert float((x[0] @ A - b[0]).norm() / b[0].norm()) <= 1
    _, broken = conjugate_gradient(lambda v: v * torch.nan, torch.ones(1, 2))
    assert broken.tolist() == [True]


def test_a_task_without_a_strict_maximum_is_taken_without_its_curvature():
    def bent(theta, data):  # curvature −3 in the first entry, 1 in the second
        return (theta * torch.tensor([-3.0, 1.0]) * theta).sum(-1) / 2 + data[1][..., 0]

    batch = (torch.zeros(1, 2, 1, dtype=torch.float64),) * 4
    found = {}
    for way in ("h_free", "diagonal", "cg"):
        learner = Shrinkage(bent, modules=per_entry(2), steps=1, inner_lr=0.1, gradient=way, phi_by="pll")
        learned = learner.start(torch.tensor([[1.0, 2.0]], dtype=torch.float64))
        found[way] = learner.gradients(learned, batch)[0]
    for name in found["h_free"]:
        assert torch.equal(found["cg"][name], found["h_free"][name])
        assert found["diagonal"][name][0, 0] == found["h_free"][name][0, 0]
        assert found["diagonal"][name][0, 1] == found["h_free"][name][0, 1] / 2


# bad input


def test_errors_say_what_was_given_and_what_to_do():
    tasks, batch = TASKS["linear"], episode("linear").batch
    with pytest.raises(ValueError, match="positive finite numbers, since log sigma"):
        shrinkage(tasks, sigma=0.0)
    with pytest.raises(ValueError, match="'h_free' or 'diagonal'"):
        shrinkage(tasks, gradient="none")
    with pytest.raises(ValueError, match="optimizer is 'rmsprop': expected 'sgd'"):
        shrinkage(tasks, optimizer="rmsprop")
    for bad in (0.0, -1.0, math.inf, torch.ones(2, 2)):
        for make in (shrinkage, lambda *a, **o: gradient_based(Reptile, *a, **o)):
            with pytest.raises(ValueError, match="expected a positive number, or one for each run"):
                make(tasks, inner_lr=bad)
    for bad in (0, 5.0, "5", True):
        with pytest.raises(ValueError, match="expected a whole number, 1 or more"):
            shrinkage(tasks, bad)
    for learner in (shrinkage(tasks, inner_lr=torch.ones(3)), gradient_based(MAML, tasks, inner_lr=torch.ones(3))):
        learned = {"phi": phi(), "log_variance": torch.zeros(2, 2), "model.phi": phi()}
        with pytest.raises(ValueError, match="3 inner learning rates and 2 runs"):
            learner.adapt(learned, batch[:2])
    with pytest.raises(ValueError, match="one value for each module"):
        PAIRS.spread(torch.ones(3))
    with pytest.raises(ValueError, match="give as many"):
        PAIRS.total(torch.ones(5))
    with pytest.raises(ValueError, match="each at least once"):
        Modules(torch.tensor([0, 0]), ("a", "b"))
    model, loss, data = regression()
    with pytest.raises(ValueError, match="matches no parameter"):
        grouped(model, {"a": ["tail*"]})
    with pytest.raises(ValueError, match="in no module"):
        grouped(model, {"a": ["body*"]})
    with pytest.raises(ValueError, match="put it in one"):
        grouped(model, {"a": ["*"], "b": ["head*"]})
    with pytest.raises(ValueError, match="no parameters"):
        of_module(nn.Identity(), loss)
    with pytest.raises(ValueError, match=r"loss is 'mse': expected a function .* the named losses are means"):
        of_module(model, "mse")
    with pytest.raises(ValueError, match="loss is None: expected a function of one task's"):
        Shrinkage(model, modules=per_tensor(model), steps=1, inner_lr=0.1)
    with pytest.raises(ValueError, match="or an objective and no loss"):
        Shrinkage(tasks.losses, tasks.loss, modules=PAIRS, steps=1, inner_lr=0.1)
    with pytest.raises(ValueError, match="batch_norm is 'support'"):
        of_module(model, loss, "support")
    with pytest.raises(ValueError, match=r"flatten\(model\)\[None\]"):
        shrinkage(tasks).start(phi()[0])
    with pytest.raises(ValueError, match="phi has 3 entries, and the modules partition 4"):
        shrinkage(tasks).start(phi()[:, :3])
    with pytest.raises(ValueError, match="phi has 32 entries, and the modules partition 4"):
        Shrinkage(model, loss, modules=PAIRS, steps=1, inner_lr=0.1)
    with pytest.raises(ValueError, match=r"learned=learner.start\(phi\)"):
        shrinkage(tasks).init(2)
    for sigma, shape in ((torch.ones(2, 3), r"\(2, 3\)"), ([1.0, 2.0, 3.0], r"\(3,\)")):
        with pytest.raises(ValueError, match=f"sigma has shape {shape}"):
            shrinkage(tasks, sigma=sigma).start(phi())
    objective, vector = of_module(model, loss), flatten(model).expand(2, COUNT, -1)
    with pytest.raises(ValueError, match="there are 2 runs of 3 tasks"):
        objective(vector, tuple(d[:, :2] for d in data[:2]))
    with pytest.raises(ValueError, match="return one number"):
        of_module(model, lambda out, y: (out - y).square().sum(-1))(vector, data[:2])
    with pytest.raises(ValueError, match="give one for each parameter entry"):
        unflatten(model, flatten(model)[:-1])
    steep = shrinkage(tasks, 400, torch.tensor([0.1, 90.0]))
    with pytest.raises(DivergenceError, match=r"Shrinkage \(.*from step \d+ on, in task 0 of run 1, with .*rate 90"):
        steep.check(steep.start(phi()), batch)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"sigma": (1.0, 0.0)}, "positive standard deviations"),
        ({"xi": (1.0, -1.0, 1.0)}, "positive standard deviations"),
        ({"sigma": (1.0,)}, "one sigma for each"),
        ({"xi": (1.0, 1.0)}, "give one xi for each"),
        ({"observations": 0}, "1 or more"),
        ({"mean": "cubic"}, "'linear'"),
        ({"mean": "spiral", "phi": (0.0,) * 3, "sigma": (1.0,) * 3}, "even number"),
    ],
)
def test_task_distributions_refuse_what_is_none(change, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalTasks(
            **({"mean": "linear", "phi": (0.0, 0.0), "sigma": (1.0, 1.0), "xi": (1.0,) * 3, "observations": 2} | change)
        )
