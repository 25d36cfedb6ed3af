"""Rprop and ASGD in plain NumPy, one short method for each line in which to make a mistake."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tests.meta.plain_optimizer import Array, Stepped

__all__ = ["PlainASGD", "PlainRprop"]


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
