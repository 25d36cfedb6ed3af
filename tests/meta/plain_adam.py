"""Adam, NAdam, RAdam, Adamax and SparseAdam in plain NumPy, one short method for each line of the papers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import SparseGrad
from tests.meta.plain_optimizer import Array, PlainOptimizer, Stepped

__all__ = ["PlainAdam", "PlainAdamax", "PlainNAdam", "PlainRAdam", "PlainSparseAdam"]


class PlainAdam(PlainOptimizer):
    """Algorithm 1 of Kingma & Ba, with decay, and with AMSGrad as torch has it."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        o.beta1, o.beta2 = o.betas
        if not state:
            state["step"] = np.zeros((), np.float32)
            for name in ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if o.amsgrad else ())):
                state[name] = np.zeros_like(p.data)
        state["step"] += 1
        t = self.count(state)
        g, theta = self.gradient(p.data, g, o), self.decayed(p.data, o)
        m = state["exp_avg"] = np.asarray(self.first_moment(state["exp_avg"], g, o))
        v = state["exp_avg_sq"] = np.asarray(self.second_moment(state["exp_avg_sq"], g, o))
        if o.amsgrad:
            v = state["max_exp_avg_sq"] = np.asarray(np.maximum(state["max_exp_avg_sq"], v))
        p.data[...] = self.moved(theta, m, v, t, o)

    def count(self, state: dict[str, Array]) -> int:
        return int(state["step"])

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        g = -g if o.maximize else g
        return g + o.weight_decay * theta if o.weight_decay and not o.decoupled_weight_decay else g

    def decayed(self, theta: Array, o: SimpleNamespace) -> Array:
        return theta * (1 - o.lr * o.weight_decay) if o.decoupled_weight_decay else theta

    def first_moment(self, m: Array, g: Array, o: SimpleNamespace) -> Array:
        return o.beta1 * m + (1 - o.beta1) * g

    def second_moment(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return o.beta2 * v + (1 - o.beta2) * g * g

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return theta - o.lr * (m / (1 - o.beta1**t)) / self.denominator(v, t, o)

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.sqrt(v / (1 - o.beta2**t)) + o.eps


class PlainNAdam(PlainAdam):
    """Dozat's algorithm 2 with torch's schedule."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        o.amsgrad = False
        state.setdefault("mu_product", np.ones((), np.float32))
        if "step" not in state:
            state |= {"step": np.zeros((), np.float32), "exp_avg": np.zeros_like(p.data),
                      "exp_avg_sq": np.zeros_like(p.data)}
        t = self.count(state) + 1
        self.product = np.float32(self.grown(float(state["mu_product"]), t, o))
        state["mu_product"] = np.asarray(self.product)
        self.g = self.gradient(p.data, g, o)
        super().update(p, g, state, o)

    def mu(self, t: int, o: SimpleNamespace) -> float:
        return float(o.betas[0] * (1 - 0.5 * 0.96 ** (t * o.momentum_decay)))

    def grown(self, product: float, t: int, o: SimpleNamespace) -> float:
        return product * self.mu(t, o)

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return theta - o.lr * self.direction(m, t, o) / self.denominator(v, t, o)

    def direction(self, m: Array, t: int, o: SimpleNamespace) -> Array:
        mu, ahead, product = self.mu(t, o), self.mu(t + 1, o), float(self.product)
        return (1 - mu) / (1 - product) * self.g + ahead / (1 - product * ahead) * m


class PlainRAdam(PlainAdam):
    """Algorithm 2 of Liu et al., with a threshold of 5."""

    threshold = 5.0

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        o.amsgrad = False
        super().update(p, g, state, o)

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        m = m / (1 - o.beta1**t)
        rho = self.rho(t, o)
        if not self.settled(rho):
            return theta - o.lr * self.unrectified(m, v, t, o)
        return theta - o.lr * m * self.rectifier(rho, o) / self.denominator(v, t, o)

    def settled(self, rho: float) -> bool:
        return rho > self.threshold

    def unrectified(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return m

    def rho(self, t: int, o: SimpleNamespace) -> float:
        return self.limit(o) - 2 * t * o.beta2**t / (1 - o.beta2**t)  # type: ignore[no-any-return]

    def limit(self, o: SimpleNamespace) -> float:
        return 2 / (1 - o.beta2) - 1  # type: ignore[no-any-return]

    def rectifier(self, rho: float, o: SimpleNamespace) -> float:
        last = self.limit(o)
        return float(np.sqrt((rho - 4) * (rho - 2) * last / ((last - 4) * (last - 2) * rho)))

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return (np.sqrt(v) + o.eps) / (1 - o.beta2**t) ** 0.5


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


class PlainSparseAdam(PlainOptimizer):
    """Adam on the elements of a sparse gradient, each of which is looked up on its own."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        o.beta1, o.beta2 = o.betas
        if not state:
            state |= {"step": 0, "exp_avg": np.zeros_like(p.data), "exp_avg_sq": np.zeros_like(p.data)}
        if not self.counted(g):
            return
        state["step"] += 1
        dense, there = self.summed(g), self.mask(g)
        dense = -dense if o.maximize else dense
        m = o.beta1 * state["exp_avg"] + (1 - o.beta1) * dense
        v = o.beta2 * state["exp_avg_sq"] + (1 - o.beta2) * dense * dense
        state["exp_avg"] = np.where(self.decays(there), m, state["exp_avg"])
        state["exp_avg_sq"] = np.where(self.decays(there), v, state["exp_avg_sq"])
        theta = p.data - self.change(m, v, state["step"], o)
        p.data[...] = np.where(there, theta, p.data)

    def counted(self, g: SparseGrad) -> bool:
        return True

    def summed(self, g: SparseGrad) -> Array:
        return g.to_dense()

    def mask(self, g: SparseGrad) -> Array:
        there = np.zeros(g.shape, bool)
        there[tuple(g.indices) if len(g.indices) else ...] = bool(g.values.size)
        return there

    def decays(self, there: Array) -> Array:
        return there

    def change(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return o.lr * np.sqrt(1 - o.beta2**t) / (1 - o.beta1**t) * m / (np.sqrt(v) + o.eps)
