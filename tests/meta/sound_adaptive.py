"""RMSprop, Adagrad and Adadelta, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tests.meta.harness import Sound, kept_in
from tests.meta.plain_adaptive import PlainAdadelta, PlainAdagrad, PlainRMSprop
from tests.meta.plain_optimizer import Array
from tests.meta.ways_optim import SteppedInDouble

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)

for _op, _plain in {"RMSprop": PlainRMSprop, "Adagrad": PlainAdagrad, "Adadelta": PlainAdadelta}.items():
    sound(_op)(_plain)  # as the mutants have them without their mistakes
    sound(_op)(type(f"{_op}InDouble", (SteppedInDouble, _plain), {"__doc__": SteppedInDouble.__doc__}))


@sound("RMSprop")
class RmsLerp(PlainRMSprop):
    """mean + (1 - alpha) (g - mean), the square first, and the reciprocal of the denominator."""

    def mean(self, mean: Array, g: Array, o: SimpleNamespace) -> Array:
        return mean + (1 - o.alpha) * (g - mean)

    def square(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return (1 - o.alpha) * (g * g) + o.alpha * v

    def scaled(self, g: Array, v: Array, o: SimpleNamespace) -> Array:
        return (1 / (np.sqrt(v) + o.eps)) * g


@sound("Adagrad")
class AdagradQuotientFirst(PlainAdagrad):
    """The quotient first, the learning rate last."""

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        state["sum"] = np.asarray(g * g + state["sum"])
        return theta - (g / (np.sqrt(state["sum"]) + o.eps)) * self.rate(o)


@sound("Adadelta")
class AdadeltaQuotientLast(PlainAdadelta):
    """√(u + eps) g first, and then the quotient."""

    def delta(self, g: Array, v: Array, u: Array, o: SimpleNamespace) -> Array:
        return np.sqrt(u + o.eps) * g / np.sqrt(v + o.eps)
