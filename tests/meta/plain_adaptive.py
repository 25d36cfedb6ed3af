"""RMSprop, Adagrad and Adadelta in plain NumPy, one short method for each line in which to make a mistake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.plain_optimizer import Array, Stepped

__all__ = ["PlainAdadelta", "PlainAdagrad", "PlainRMSprop"]


class PlainRMSprop(Stepped):
    """Lecture 6e, with centring and momentum as torch has them."""

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        names = ["square_avg", *["momentum_buffer"] * (o.momentum > 0), *["grad_avg"] * o.centered]
        return {name: np.zeros_like(theta) for name in names}

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        v = state["square_avg"] = np.asarray(self.square(state["square_avg"], g, o))
        if o.centered:
            mean = state["grad_avg"] = np.asarray(self.mean(state["grad_avg"], g, o))
            v = self.variance(v, mean)
        step = self.scaled(g, v, o)
        if o.momentum > 0:
            step = state["momentum_buffer"] = np.asarray(self.buffer(state["momentum_buffer"], step, o))
        return self.moved(theta, step, o)

    def square(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return o.alpha * v + (1 - o.alpha) * g * g

    def mean(self, mean: Array, g: Array, o: SimpleNamespace) -> Array:
        return o.alpha * mean + (1 - o.alpha) * g

    def variance(self, v: Array, mean: Array) -> Array:
        return np.maximum(v - mean * mean, 0)

    def scaled(self, g: Array, v: Array, o: SimpleNamespace) -> Array:
        return g / (np.sqrt(v) + o.eps)

    def buffer(self, b: Array, step: Array, o: SimpleNamespace) -> Array:
        return o.momentum * b + step

    def moved(self, theta: Array, step: Array, o: SimpleNamespace) -> Array:
        return theta - o.lr * step


class PlainAdagrad(Stepped):
    """Figure 1 of Duchi et al.; its state is there from the start."""

    def __init__(self, groups: list[dict[str, Any]], **defaults: Any) -> None:
        super().__init__(groups, **defaults)
        for group in self.groups:
            for p in group["params"]:
                self.state[p] = {"step": np.zeros((), np.float32), **self.started(p.data, SimpleNamespace(**group))}

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        return {"sum": np.full_like(theta, o.initial_accumulator_value)}

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        before = state["sum"]
        state["sum"] = np.asarray(self.summed(before, g, o))
        return theta - self.rate(o) * g / self.denominator(state["sum"], before, o)

    def summed(self, s: Array, g: Array, o: SimpleNamespace) -> Array:
        return s + g * g

    def rate(self, o: SimpleNamespace) -> float:
        return float(o.lr / (1 + (o.t - 1) * o.lr_decay))

    def denominator(self, s: Array, before: Array, o: SimpleNamespace) -> Array:
        return np.sqrt(s) + o.eps


class PlainAdadelta(Stepped):
    """Algorithm 1 of Zeiler, and a learning rate."""

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        return {name: np.zeros_like(theta) for name in ("square_avg", "acc_delta")}

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        v = state["square_avg"] = np.asarray(self.mean(state["square_avg"], g, o))
        u = state["acc_delta"]
        delta = self.delta(g, v, u, o)
        state["acc_delta"] = np.asarray(self.gathered(u, delta, o))
        return theta - o.lr * delta

    def mean(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return o.rho * v + (1 - o.rho) * g * g

    def delta(self, g: Array, v: Array, u: Array, o: SimpleNamespace) -> Array:
        return self.root(u, o) / self.root(v, o) * g

    def root(self, x: Array, o: SimpleNamespace) -> Array:
        return np.sqrt(x + o.eps)

    def gathered(self, u: Array, delta: Array, o: SimpleNamespace) -> Array:
        return o.rho * u + (1 - o.rho) * delta * delta
