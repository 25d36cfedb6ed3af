"""SGD in plain NumPy, one short method for each line in which to make a mistake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.plain_optimizer import Array, PlainOptimizer

__all__ = ["PlainSGD"]


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
