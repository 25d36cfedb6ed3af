"""SGD, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import Any

from tests.meta.harness import Sound, kept_in
from tests.meta.plain_optimizer import Array
from tests.meta.plain_sgd import PlainSGD
from tests.meta.ways_optim import OptimizerInDouble

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)

#: Plain optimizers take arrays alone; sparse gradients have variants of their own.
DENSE = MappingProxyType({f"sparsity={value}": "takes no sparse gradient"
                          for value in ("rows", "elements", "twice", "nothing")})


@sound("SGD", unlike=DENSE)
class SGDPlain(PlainSGD):
    """As the mutants have it without their mistakes."""


@sound("SGD", unlike=DENSE)
class SGDInDouble(OptimizerInDouble, PlainSGD):
    """A step in float64, from and to float32."""


@sound("SGD", unlike=DENSE)
class SGDReordered(PlainSGD):
    """g + momentum b - dampening g, and the two parts of Nesterov's step one after the other."""

    def buffer(self, b: Array | None, g: Array, o: SimpleNamespace) -> Array:
        return g if b is None else (g + o.momentum * b) - o.dampening * g

    def direction(self, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        self.g = g
        super().direction(g, state, o)
        return state["momentum_buffer"]

    def moved(self, theta: Array, direction: Array, o: SimpleNamespace) -> Array:
        if not o.nesterov:
            return theta - direction * o.lr
        return (theta - o.lr * self.g) - (o.lr * o.momentum) * direction


@sound("SGD", unlike=DENSE)
class SGDDecayFolded(PlainSGD):
    """Without momentum: (1 - lr decay) θ - lr g."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        if o.momentum:
            super().update(p, g, state, o)
        else:
            p.data[...] = (1 - o.lr * o.weight_decay) * p.data - o.lr * (-g if o.maximize else g)
