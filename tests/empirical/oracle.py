"""What the engine has to compute, the plainest way: loops over tasks, torch's own modules, autograd through everything.

Shares no code with the engine. Numbers are named as the engine names them, "model.NAME" and "update.NAME", of one run, without its
dimension. A rule is a function of its parameters and of gradients, both by name, and is written with explicit matrices.
"""

import copy
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import grad
from torch.func import functional_call

LOSSES = {"cross_entropy": F.cross_entropy, "bce": F.binary_cross_entropy_with_logits, "mse": F.mse_loss}
ACTIVATIONS = {"relu": F.relu, "leaky_relu": F.leaky_relu, "tanh": torch.tanh, "identity": lambda x: x}


def adapt(predict, loss, weights, rule, x, y, *, update, lr, steps, adapts, in_task=False, second=True):
    """One task's weights after K steps. With `in_task`, arnold2019's Algorithm 1, eqs. (3), (4)."""
    for step in range(steps):
        value = loss(predict(weights, x), y)  # ℓ(θ_t)
        found = grad(value, [weights[n] for n in adapts], create_graph=True)
        if in_task and step:  # ξ_t = ξ_{t−1} − α ∇_{ξ_{t−1}} ℓ(θ_t), through θ_t = θ_{t−1} − α U(ξ_{t−1}; ∇ℓ(θ_{t−1}))
            moves = grad(value, list(rule.values()), create_graph=True, allow_unused=True)
            moves = [m if second or m is None else m.detach() for m in moves]
            rule = {n: p if m is None else p - lr * m for (n, p), m in zip(rule.items(), moves, strict=True)}
        gradients = {n: g if second else g.detach() for n, g in zip(adapts, found, strict=True)}
        directions = update(rule, gradients)
        weights = weights | {n: weights[n] - lr * directions[n] for n in adapts}
    return weights


def meta_gradient(model, loss, learned, batch, *, adapts, transforms=False, batch_norm="transductive", **how):
    """The gradient of the mean query loss over tasks, by name, and that mean. The batch: four tensors (T, n, ...)."""
    loss = LOSSES.get(loss, loss)
    leaves = {n: v.detach().clone().requires_grad_() for n, v in learned.items()}
    weights = {n.removeprefix("model."): v for n, v in leaves.items() if n.startswith("model.")}
    rule = {n.removeprefix("update."): v for n, v in leaves.items() if n.startswith("update.")}
    predict = partial(_predict, copy.deepcopy(model).train(batch_norm != "running"), transforms)
    total = 0.0
    for support_x, support_y, query_x, query_y in zip(*batch, strict=True):
        adapted = adapt(predict, loss, weights, rule, support_x, support_y, adapts=adapts, **how)
        if batch_norm == "support":
            output = with_support_statistics(model, adapted, support_x, query_x)
        else:
            output = predict(adapted, query_x)
        total = total + loss(output, query_y)
    mean = total / len(batch[0])
    found = grad(mean, list(leaves.values()), allow_unused=True)
    return {
        n: torch.zeros_like(v) if g is None else g for (n, v), g in zip(leaves.items(), found, strict=True)
    }, mean.detach()


def reptile(model, loss, learned, batch, *, lr, steps, adapts):
    """Weights minus the mean of the tasks' adapted weights."""
    names = [n.removeprefix("model.") for n in learned]
    found = {n: torch.zeros_like(v) for n, v in learned.items()}
    for x, y, *_ in zip(*batch, strict=True):
        start = {n: learned[f"model.{n}"].detach().clone().requires_grad_() for n in names}
        predict, how = partial(functional_call, model), dict(update=sgd, lr=lr, steps=steps, adapts=adapts)
        end = adapt(lambda w, x, call=predict: call(w, (x,)), LOSSES[loss], start, {}, x, y, **how)
        for n in names:
            found[f"model.{n}"] += (start[n] - end[n]).detach() / len(batch[0])
    return found


def _predict(model, transforms, weights, x):
    return functional_call(model, absorbed(weights) if transforms else weights, (x,))


def absorbed(weights):
    """T-Nets: the weights T·W and biases T·b of the model without transforms."""
    found = {}
    for name, value in weights.items():
        layer, _, kind = name.rpartition(".")
        if layer.endswith(".T"):
            continue
        if layer.endswith(".W"):
            transform = weights[f"{layer[:-2]}.T.weight"].flatten(1)
            value = (transform @ value.flatten(1)).view_as(value) if kind == "weight" else transform @ value
            name = f"{layer[:-2]}.{kind}"
        found[name] = value
    return found


def with_support_statistics(model, weights, support_x, x):
    """A Sequential's predictions at x, where batch norm has the statistics of the support points that go along."""
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Sequential) or not name:
            continue
        own = {k: weights[f"{name}.{k}"] for k, _ in layer.named_parameters()}
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            dims = [d for d in range(x.ndim) if d != 1]
            mean, variance = support_x.mean(dims), support_x.var(dims, unbiased=False)
            shape = (1, -1, *[1] * (x.ndim - 2))
            support_x, x = (
                (v - mean.view(shape)) / (variance.view(shape) + layer.eps).sqrt() * own["weight"].view(shape)
                + own["bias"].view(shape)
                for v in (support_x, x)
            )
        else:
            support_x, x = functional_call(layer, own, (support_x,)), functional_call(layer, own, (x,))
    return x


# Rules, with explicit matrices


def sgd(rule, gradients):
    return gradients


def learned_rates(rule, gradients):
    """A factor exp(·) for the model (":log_factor"), for each tensor, or for each entry."""

    def factor(name, g):
        log = rule[":log_factor"] if ":log_factor" in rule else rule[f"{name}:log_factor"]
        return torch.diag(log.exp().expand(g.shape).flatten())

    return {n: (factor(n, g) @ g.flatten()).view_as(g) for n, g in gradients.items()}


def meta_sgd(rule, gradients):
    return {n: (torch.diag(rule[f"{n}:factor"].flatten()) @ g.flatten()).view_as(g) for n, g in gradients.items()}


def meta_curvature(rule, gradients):
    """(M_o ⊗ M_i ⊗ M_f) on the vector of entries in memory's order."""

    def one(name, g):
        whole = torch.ones(1, 1, dtype=g.dtype)
        for part in ("outputs", "inputs", "places"):
            factor = rule.get(f"{name}:{part}")
            if factor is not None:
                whole = torch.kron(whole, torch.diag(factor) if factor.ndim == 1 else factor)
        return (whole @ g.flatten()).view_as(g)

    return {n: one(n, g) for n, g in gradients.items()}


def matrices(g):
    """The matrices that a gradient is: itself, one row, or (HW, C) for each filter (arnold2019, A.1.1, A.1.2)."""
    if g.ndim <= 1:
        return [g.reshape(1, -1)]
    return [g] if g.ndim == 2 else [each.flatten(1).T for each in g]


def from_matrices(found, g):
    return found[0].reshape(g.shape) if g.ndim <= 2 else torch.stack([each.T.reshape(g.shape[1:]) for each in found])


def kronecker(left, g, right):
    """(Rᵀ ⊗ L) vec(G), vec stacking columns: arnold2019, eq. (5)."""
    n, m = g.shape
    return (torch.kron(right.T.contiguous(), left) @ g.T.reshape(-1)).view(m, n).T


def _norm(g):
    return (g.square().sum() + 1e-30).sqrt()  # some gradients are 0: a bias before a batch norm


def factored(rule, gradients, *, layers=1, activation="identity", normalize=False):
    """KLin and KFC: arnold2019, eqs. (5)-(7)."""

    def one(name, g):
        parts = {part: rule[f"{name}:{part}"] for part in [f"{s}{k}" for s in ("left", "right") for k in range(layers)]}
        found = []
        for h in matrices(g / _norm(g) if normalize else g):
            for k in range(layers):
                h = kronecker(parts[f"left{k}"], ACTIVATIONS[activation](h) if k else h, parts[f"right{k}"])
            found.append(h)
        u = from_matrices(found, g)
        return u * _norm(g) * rule[f"{name}:scale"] if normalize else u

    return {n: one(n, g) for n, g in gradients.items()}


def cfc(rule, gradients, *, layers=1, activation="relu", normalize=True):
    """L Lᵀ as a matrix: arnold2019, eq. (8)."""

    def one(name, g):
        found = []
        for h in matrices(g / _norm(g) if normalize else g):
            v = h.reshape(-1)
            for k in range(layers):
                factor = rule[f"{name}:factor{k}"]
                v = (factor @ factor.T) @ (ACTIVATIONS[activation](v) if k else v)
            found.append(v.view_as(h))
        u = from_matrices(found, g)
        return u * _norm(g) * rule[f"{name}:scale"] if normalize else u

    return {n: one(n, g) for n, g in gradients.items()}
