"""RMSprop, Adagrad, Adadelta, Adamax, Rprop and ASGD, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.harness import Sound
from tests.meta.plain_optim import Array
from tests.meta.plain_optim_classic import (
    PlainAdadelta,
    PlainAdagrad,
    PlainAdamax,
    PlainASGD,
    PlainRMSprop,
    PlainRprop,
    Stepped,
)

__all__ = ["SOUND"]

SOUND: list[Sound] = []


def sound(op: str) -> Callable[[Any], Any]:
    def keep(code: Any) -> Any:
        SOUND.append(Sound(op, code.__name__, str(code.__doc__), code))
        return code

    return keep


class _InDouble(Stepped):
    """A step in float64, from and to parameters and state in float32."""

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        doubles = {name: value.astype(np.float64) for name, value in state.items()}
        new = super().stepped(theta.astype(np.float64), g.astype(np.float64), doubles, o)
        state.update({name: np.asarray(value).astype(np.float32) for name, value in doubles.items()})
        return new


for _op, _plain in {"RMSprop": PlainRMSprop, "Adagrad": PlainAdagrad, "Adadelta": PlainAdadelta,
                    "Adamax": PlainAdamax, "Rprop": PlainRprop, "ASGD": PlainASGD}.items():
    sound(_op)(_plain)
    sound(_op)(type(f"{_op}InDouble", (_InDouble, _plain), {"__doc__": _InDouble.__doc__}))


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


@sound("Adamax")
class AdamaxCorrectedBelow(PlainAdamax):
    """lr m / ((1 - beta1^t) u)."""

    def moved(self, theta: Array, m: Array, u: Array, o: SimpleNamespace) -> Array:
        return theta - (o.lr * m) / ((1 - o.beta1**o.t) * u)


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
