"""The loop of an optimizer in plain NumPy, and its state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import SparseGrad

__all__ = ["Array", "PlainOptimizer", "Stepped"]

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
