"""Adam, NAdam, RAdam, Adamax and SparseAdam, right and written in other ways; a docstring says in which."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np

from tests.meta.harness import Sound, kept_in
from tests.meta.plain_adam import PlainAdam, PlainAdamax, PlainNAdam, PlainRAdam, PlainSparseAdam
from tests.meta.plain_optimizer import Array
from tests.meta.ways_optim import OptimizerInDouble, SteppedInDouble

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)

for _op, _plain in (("NAdam", PlainNAdam), ("RAdam", PlainRAdam), ("SparseAdam", PlainSparseAdam)):
    sound(_op)(_plain)  # as the mutants have them without their mistakes

sound("Adamax")(PlainAdamax)
sound("Adamax")(type("AdamaxInDouble", (SteppedInDouble, PlainAdamax), {"__doc__": SteppedInDouble.__doc__}))


@sound("Adam")
class AdamPlain(PlainAdam):
    """As the mutants have it without their mistakes."""


@sound("Adam")
class AdamInDouble(OptimizerInDouble, PlainAdam):
    """A step in float64, from and to float32."""


@sound("Adam")
class AdamLerp(PlainAdam):
    """m + (g - m) (1 - beta1), as torch."""

    def first_moment(self, m: Array, g: Array, o: SimpleNamespace) -> Array:
        return m + (g - m) * (1 - o.beta1)


@sound("Adam")
class AdamLerpBoth(AdamLerp):
    """Both moments in this form."""

    def second_moment(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return v + (1 - o.beta2) * (g * g - v)


@sound("Adam")
class AdamFolded(PlainAdam):
    """Corrections in the step's size and in eps: α √(1-β₂ᵗ)/(1-β₁ᵗ), eps √(1-β₂ᵗ)."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        root = math.sqrt(1 - o.beta2**t)
        return theta - (o.lr * root / (1 - o.beta1**t)) * m / (np.sqrt(v) + o.eps * root)


@sound("Adam")
class AdamReciprocal(PlainAdam):
    """m times the reciprocal of the denominator, lr last."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return theta - (m / (1 - o.beta1**t)) * (1 / self.denominator(v, t, o)) * o.lr


@sound("Adam")
class AdamSquareFirst(PlainAdam):
    """(1 - beta2) g² with the square first."""

    def second_moment(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return (1 - o.beta2) * (g * g) + o.beta2 * v


@sound("NAdam")
class NadamTwoSteps(PlainNAdam):
    """The parts of gradient and moment are subtracted one after the other, as in torch."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        below, ahead, product = self.denominator(v, t, o), self.mu(t + 1, o), float(self.product)
        theta = theta - (o.lr * (1 - self.mu(t, o)) / (1 - product)) * self.g / below
        return theta - (o.lr * ahead / (1 - product * ahead)) * m / below


@sound("RAdam")
class RadamReciprocal(PlainRAdam):
    """All factors in one number, times the reciprocal of √v + eps."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        rho = self.rho(t, o)
        if not self.settled(rho):
            return super().moved(theta, m, v, t, o)
        size = o.lr / (1 - o.beta1**t) * (1 - o.beta2**t) ** 0.5 * self.rectifier(rho, o)
        return theta - size * (m * (1 / (np.sqrt(v) + o.eps)))


@sound("Adamax")
class AdamaxCorrectedBelow(PlainAdamax):
    """lr m / ((1 - beta1^t) u)."""

    def moved(self, theta: Array, m: Array, u: Array, o: SimpleNamespace) -> Array:
        return theta - (o.lr * m) / ((1 - o.beta1**o.t) * u)


@sound("SparseAdam")
class SparseAdamLerp(PlainSparseAdam):
    """The divisor's root of the correction, not the step's."""

    def change(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return (o.lr / (1 - o.beta1**t)) * (m * ((1 - o.beta2**t) ** 0.5 / (np.sqrt(v) + o.eps)))
