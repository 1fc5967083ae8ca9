"""The symbols that every room of `analysis` shares, so that expressions from different rooms can be compared."""

from __future__ import annotations

from sympy import Symbol, symbols

__all__ = ["alpha", "beta", "mu", "s2", "tau2", "theta", "v", "weight_symbols"]

alpha = Symbol("alpha", positive=True)  # inner (adaptation) learning rate
beta = Symbol("beta", positive=True)  # outer (meta) learning rate
theta = Symbol("theta", real=True)  # parameter of one task
mu = Symbol("mu", real=True)  # mean of theta over tasks
tau2 = Symbol("tau2", positive=True)  # variance of theta over tasks
s2 = Symbol("s2", positive=True)  # variance of the covariate x
v = Symbol("v", nonnegative=True)  # variance of the observation noise


def weight_symbols(depth: int) -> tuple[Symbol, ...]:
    """The weights of a depth-L scalar linear network, upper layer first.

    `(c,)` for depth 1 and `(a, b)` for depth 2, as arnold2021 writes them; `(w_L, …, w_1)` beyond.
    """
    if depth == 1:
        return (Symbol("c", real=True),)
    if depth == 2:
        return symbols("a b", real=True)
    return tuple(Symbol(f"w{layer}", real=True) for layer in range(depth, 0, -1))
