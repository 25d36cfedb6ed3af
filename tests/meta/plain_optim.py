"""Adam and SGD in plain NumPy, one short method for each line of the papers in which to make a mistake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["Array", "PlainAdam", "PlainOptimizer", "PlainSGD"]

Array = np.ndarray[Any, Any]


class PlainOptimizer:
    """The loop: groups with their options, state by parameter, nothing where there is no gradient."""

    def __init__(self, groups: list[dict[str, Any]], **defaults: Any) -> None:
        self.groups = [{**defaults, **group} for group in groups]
        self.state: dict[Any, dict[str, Array]] = {}
        self.calls = 0

    def step(self) -> None:
        self.calls += 1
        for group in self.groups:
            options = SimpleNamespace(**group)
            for p in group["params"]:
                if p.grad is not None:
                    self.update(p, p.grad, self.state.setdefault(p, {}), options)

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        raise NotImplementedError


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


class PlainSGD(PlainOptimizer):
    """Momentum with a buffer that starts as the first gradient."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        g = self.gradient(p.data, g, o)
        p.data[...] = self.moved(p.data, self.direction(g, state, o) if o.momentum else g, o)

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        g = -g if o.maximize else g
        return g + o.weight_decay * theta if o.weight_decay else g

    def direction(self, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        state["momentum_buffer"] = b = np.asarray(self.buffer(state.get("momentum_buffer"), g, o))
        return g + o.momentum * b if o.nesterov else b

    def buffer(self, b: Array | None, g: Array, o: SimpleNamespace) -> Array:
        return g if b is None else o.momentum * b + (1 - o.dampening) * g

    def moved(self, theta: Array, direction: Array, o: SimpleNamespace) -> Array:
        return theta - o.lr * direction
