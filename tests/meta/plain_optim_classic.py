"""RMSprop, Adagrad, Adadelta, Adamax, Rprop and ASGD in plain NumPy, with a method for each line to get wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import SparseGrad
from tests.meta.plain_optim import Array, PlainOptimizer

__all__ = ["PlainASGD", "PlainAdadelta", "PlainAdagrad", "PlainAdamax", "PlainRMSprop", "PlainRprop", "Stepped"]


class Stepped(PlainOptimizer):
    """State that is made at the first gradient, the count, and coupled decay."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        g = self.dense(g) if isinstance(g, SparseGrad) else g
        if not state:
            state["step"] = np.zeros((), np.float32)
            state.update(self.started(p.data, o))
        state["step"] += 1
        o.t = self.count(state)
        p.data[...] = self.stepped(p.data, self.gradient(p.data, g, o), state, o)

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        raise NotImplementedError

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        raise NotImplementedError

    def dense(self, g: SparseGrad) -> Array:
        return g.to_dense()

    def count(self, state: dict[str, Array]) -> int:
        return int(state["step"])

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        g = -g if o.maximize else g
        return g + o.weight_decay * theta if getattr(o, "weight_decay", 0) else g


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


class PlainAdamax(Stepped):
    """Algorithm 2 of Kingma & Ba, with torch's eps."""

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        return {name: np.zeros_like(theta) for name in ("exp_avg", "exp_inf")}

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        o.beta1, o.beta2 = o.betas
        m = state["exp_avg"] = np.asarray(o.beta1 * state["exp_avg"] + (1 - o.beta1) * g)
        u = state["exp_inf"] = np.asarray(self.norm(state["exp_inf"], g, o))
        return self.moved(theta, m, u, o)

    def norm(self, u: Array, g: Array, o: SimpleNamespace) -> Array:
        return np.maximum(o.beta2 * u, np.abs(g) + o.eps)

    def moved(self, theta: Array, m: Array, u: Array, o: SimpleNamespace) -> Array:
        return theta - o.lr / (1 - o.beta1**o.t) * m / u


class PlainRprop(Stepped):
    """Rprop without weight-backtracking."""

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        return {"prev": np.zeros_like(theta), "step_size": np.full_like(theta, o.lr)}

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        agree = self.agreement(g, state["prev"])
        eta = state["step_size"] = np.asarray(self.size(agree, state["step_size"], o)).astype(theta.dtype)
        state["prev"] = np.array(self.kept(agree, g))
        return self.moved(theta, self.used(agree, g), eta, o)

    def agreement(self, g: Array, prev: Array) -> Array:
        return np.sign(g) * np.sign(prev)

    def size(self, agree: Array, eta: Array, o: SimpleNamespace) -> Array:
        factor = np.where(agree > 0, o.etas[1], np.where(agree < 0, o.etas[0], 1.0))
        return np.clip(eta * factor, *o.step_sizes)

    def kept(self, agree: Array, g: Array) -> Array:
        return np.where(agree < 0, 0, g)

    def used(self, agree: Array, g: Array) -> Array:
        return np.where(agree < 0, 0, g)

    def moved(self, theta: Array, g: Array, eta: Array, o: SimpleNamespace) -> Array:
        return theta - np.sign(g) * eta


class PlainASGD(Stepped):
    """Bottou's learning rate, and the mean."""

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        return {"eta": np.array(o.lr, np.float32), "mu": np.ones((), np.float32), "ax": np.zeros_like(theta)}

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        eta, mu = self.rate(o.t, o), self.weight(o.t, o)
        theta = self.moved(theta, g, eta, o)
        state["ax"] = np.array(self.averaged(state["ax"], theta, mu, o))
        state["eta"], state["mu"] = (np.array(x, np.float32) for x in (self.rate(o.t + 1, o), self.weight(o.t + 1, o)))
        return theta

    def rate(self, t: int, o: SimpleNamespace) -> float:
        return float(o.lr / (1 + o.lambd * o.lr * (t - 1)) ** o.alpha)

    def weight(self, t: int, o: SimpleNamespace) -> float:
        return 1 / max(1, t - 1 - o.t0) if t > 1 else 1.0

    def moved(self, theta: Array, g: Array, eta: float, o: SimpleNamespace) -> Array:
        return theta - eta * o.lambd * theta - eta * g

    def averaged(self, mean: Array, theta: Array, mu: float, o: SimpleNamespace) -> Array:
        return mean + mu * (theta - mean) if mu != 1 else theta
