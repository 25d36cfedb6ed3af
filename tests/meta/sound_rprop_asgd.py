"""Rprop and ASGD, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tests.meta.harness import Sound, kept_in
from tests.meta.plain_optimizer import Array
from tests.meta.plain_rprop_asgd import PlainASGD, PlainRprop
from tests.meta.ways_optim import SteppedInDouble

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)

for _op, _plain in {"Rprop": PlainRprop, "ASGD": PlainASGD}.items():
    sound(_op)(_plain)  # as the mutants have them without their mistakes
    sound(_op)(type(f"{_op}InDouble", (SteppedInDouble, _plain), {"__doc__": SteppedInDouble.__doc__}))


@sound("Rprop")
class RpropByBranches(PlainRprop):
    """A branch each for grown and shrunk, and the sign by comparison."""

    def size(self, agree: Array, eta: Array, o: SimpleNamespace) -> Array:
        grown, shrunk = eta * o.etas[1], eta * o.etas[0]
        chosen = np.select([agree > 0, agree < 0], [grown, shrunk], eta)
        return np.minimum(np.maximum(chosen, o.step_sizes[0]), o.step_sizes[1])

    def moved(self, theta: Array, g: Array, eta: Array, o: SimpleNamespace) -> Array:
        return np.where(g > 0, theta - eta, np.where(g < 0, theta + eta, theta))


@sound("ASGD")
class AsgdFactored(PlainASGD):
    """(1 - eta lambd) θ - eta g, and the mean by division."""

    def moved(self, theta: Array, g: Array, eta: float, o: SimpleNamespace) -> Array:
        return theta * (1 - eta * o.lambd) - g * eta

    def averaged(self, mean: Array, theta: Array, mu: float, o: SimpleNamespace) -> Array:
        return theta if mu == 1 else mean + (theta - mean) / (1 / mu)
