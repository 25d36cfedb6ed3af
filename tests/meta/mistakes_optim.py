"""Mistakes that every optimizer can make, to be mixed into a plain one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.plain_optimizer import Array, PlainOptimizer, Stepped

__all__ = ["CountsCalls", "DecouplesDecay", "IgnoresGroups", "TakesNoneForZero", "TurnsDecay"]


class IgnoresGroups(PlainOptimizer):
    """What the constructor is given counts, whatever a group has."""

    def __init__(self, groups: list[dict[str, Any]], **defaults: Any) -> None:
        super().__init__([{**group, **defaults} for group in groups])


class TakesNoneForZero(PlainOptimizer):
    """A parameter without a gradient is updated with zeros."""

    def step(self) -> None:
        for group in self.groups:
            for p in group["params"]:
                p.grad = np.zeros_like(p.data) if p.grad is None else p.grad
        super().step()


class CountsCalls(Stepped):
    """The count is of calls of step, and not of a parameter's gradients."""

    def count(self, state: dict[str, Array]) -> int:
        return self.calls


class TurnsDecay(Stepped):
    """Where maximized, decay has the other sign too."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        g = g + o.weight_decay * theta
        return -g if o.maximize else g


class DecouplesDecay(Stepped):
    """Decay shrinks the parameter, and leaves the gradient alone."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        return -g if o.maximize else g

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        return super().stepped(theta * (1 - o.lr * o.weight_decay), g, state, o)
