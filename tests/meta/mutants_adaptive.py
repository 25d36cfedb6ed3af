"""Mistakes in RMSprop, Adagrad and Adadelta. A class's docstring says which one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import SparseGrad
from tests.meta.harness import Mutant, mutants_in
from tests.meta.mistakes_optim import CountsCalls, DecouplesDecay, IgnoresGroups, TurnsDecay
from tests.meta.plain_adaptive import PlainAdadelta, PlainAdagrad, PlainRMSprop
from tests.meta.plain_optimizer import Array

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


# --- RMSprop -------------------------------------------------------------------------------------


@plant("RMSprop")
class RmsEpsInsideRoot(PlainRMSprop):
    """√(v + eps): TensorFlow's."""

    def scaled(self, g: Array, v: Array, o: SimpleNamespace) -> Array:
        return g / np.sqrt(v + o.eps)


@plant("RMSprop")
class RmsEpsForgotten(PlainRMSprop):
    """No eps, but for a guard against division by 0."""

    def scaled(self, g: Array, v: Array, o: SimpleNamespace) -> Array:
        return g / np.maximum(np.sqrt(v), 1e-30)


@plant("RMSprop")
class RmsBiasCorrected(PlainRMSprop):
    """v is divided by 1 - alpha^t, as Adam's."""

    def scaled(self, g: Array, v: Array, o: SimpleNamespace) -> Array:
        return super().scaled(g, v / (1 - o.alpha**o.t), o)


@plant("RMSprop")
class RmsStartsAtOne(PlainRMSprop):
    """The mean square starts at 1: TensorFlow 1's."""

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        return {**super().started(theta, o), "square_avg": np.ones_like(theta)}


@plant("RMSprop")
class RmsLrInBuffer(PlainRMSprop):
    """lr is inside the buffer: TensorFlow's; another saved state."""

    def buffer(self, b: Array, step: Array, o: SimpleNamespace) -> Array:
        return o.momentum * b + o.lr * step

    def moved(self, theta: Array, step: Array, o: SimpleNamespace) -> Array:
        return theta - step if o.momentum else theta - o.lr * step


@plant("RMSprop")
class RmsMomentumAsMean(PlainRMSprop):
    """b = momentum b + (1 - momentum) step."""

    def buffer(self, b: Array, step: Array, o: SimpleNamespace) -> Array:
        return o.momentum * b + (1 - o.momentum) * step


@plant("RMSprop")
class RmsMomentumOfGradient(PlainRMSprop):
    """Momentum gathers gradients, which are scaled afterwards."""

    def scaled(self, g: Array, v: Array, o: SimpleNamespace) -> Array:
        self.scale = 1 / (np.sqrt(v) + o.eps)
        return g if o.momentum else g * self.scale

    def moved(self, theta: Array, step: Array, o: SimpleNamespace) -> Array:
        return theta - o.lr * (step * self.scale if o.momentum else step)


@plant("RMSprop")
class RmsNotCentred(PlainRMSprop):
    """The mean gradient is kept, and not taken off."""

    def variance(self, v: Array, mean: Array) -> Array:
        return v


@plant("RMSprop")
class RmsMeanNotSquared(PlainRMSprop):
    """v - |mean|."""

    def variance(self, v: Array, mean: Array) -> Array:
        return np.abs(v - np.abs(mean))


@plant("RMSprop")
class RmsAlphaSwapped(PlainRMSprop):
    """alpha weighs the new square."""

    def square(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return (1 - o.alpha) * v + o.alpha * g * g


@plant("RMSprop")
class RmsDecayTurned(TurnsDecay, PlainRMSprop):
    """maximize turns the sign of the decay as well."""


@plant("RMSprop")
class RmsDecayDecoupled(DecouplesDecay, PlainRMSprop):
    """Decay leaves the gradient alone."""


@plant("RMSprop")
class RmsGroupsIgnored(IgnoresGroups, PlainRMSprop):
    """Options of a group are not read."""


# --- Adagrad -------------------------------------------------------------------------------------


@plant("Adagrad")
class AdagradEpsInsideRoot(PlainAdagrad):
    """√(s + eps): optax's and Keras's."""

    def denominator(self, s: Array, before: Array, o: SimpleNamespace) -> Array:
        return np.sqrt(s + o.eps)


@plant("Adagrad")
class AdagradEpsForgotten(PlainAdagrad):
    """No eps, but for a guard against division by 0."""

    def denominator(self, s: Array, before: Array, o: SimpleNamespace) -> Array:
        return np.maximum(np.sqrt(s), 1e-30)


@plant("Adagrad")
class AdagradDecayOneLate(PlainAdagrad):
    """lr decays with t, already at the first step."""

    def rate(self, o: SimpleNamespace) -> float:
        return float(o.lr / (1 + o.t * o.lr_decay))


@plant("Adagrad")
class AdagradDecayMultiplies(PlainAdagrad):
    """lr (1 - lr_decay)^(t-1)."""

    def rate(self, o: SimpleNamespace) -> float:
        return float(o.lr * (1 - o.lr_decay) ** (o.t - 1))


@plant("Adagrad")
class AdagradSumBefore(PlainAdagrad):
    """The root of the sum without this gradient."""

    def denominator(self, s: Array, before: Array, o: SimpleNamespace) -> Array:
        return np.sqrt(np.where(before == 0, s, before)) + o.eps


@plant("Adagrad")
class AdagradMean(PlainAdagrad):
    """The mean of the squares and not their sum."""

    def denominator(self, s: Array, before: Array, o: SimpleNamespace) -> Array:
        return np.sqrt(s / o.t) + o.eps


@plant("Adagrad")
class AdagradStartsAtZero(PlainAdagrad):
    """initial_accumulator_value is not read."""

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        return {"sum": np.zeros_like(theta)}


@plant("Adagrad")
class AdagradStartAfterRoot(PlainAdagrad):
    """The sum starts at the square of initial_accumulator_value."""

    def started(self, theta: Array, o: SimpleNamespace) -> dict[str, Array]:
        return {"sum": np.full_like(theta, o.initial_accumulator_value**2)}


@plant("Adagrad")
class AdagradSumWithoutDecay(PlainAdagrad):
    """The sum has the bare gradient."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        self.bare = g
        return super().gradient(theta, g, o)

    def summed(self, s: Array, g: Array, o: SimpleNamespace) -> Array:
        return s + self.bare**2


@plant("Adagrad")
class AdagradStepCountsNone(CountsCalls, PlainAdagrad):
    """lr decays by calls of step, also those without a gradient; the saved step is right."""


@plant("Adagrad")
class AdagradSparseOverwrites(PlainAdagrad):
    """Of a place that a sparse gradient has twice the last value counts."""

    def dense(self, g: SparseGrad) -> Array:
        dense = np.zeros(g.shape, g.dtype)
        dense[tuple(g.indices)] = g.values
        return dense


@plant("Adagrad")
class AdagradSparseSquaredFirst(PlainAdagrad):
    """Values of one place are squared before they are added."""

    def update(self, p: Any, g: Any, state: dict[str, Array], o: SimpleNamespace) -> None:
        self.squares = g.replaced(g.values**2).to_dense() if isinstance(g, SparseGrad) else None
        super().update(p, g, state, o)

    def summed(self, s: Array, g: Array, o: SimpleNamespace) -> Array:
        return s + (g * g if self.squares is None else self.squares)


@plant("Adagrad", note="has to be equal")
class AdagradSparseUncounted(PlainAdagrad):
    """A sparse gradient without any place is taken for None."""

    def update(self, p: Any, g: Any, state: dict[str, Array], o: SimpleNamespace) -> None:
        if not isinstance(g, SparseGrad) or g.values.size:
            super().update(p, g, state, o)


@plant("Adagrad")
class AdagradDecayTurned(TurnsDecay, PlainAdagrad):
    """maximize turns the sign of the decay as well."""


@plant("Adagrad")
class AdagradGroupsIgnored(IgnoresGroups, PlainAdagrad):
    """Options of a group are not read."""


# --- Adadelta ------------------------------------------------------------------------------------


@plant("Adadelta")
class AdadeltaEpsOutsideRoots(PlainAdadelta):
    """√x + eps."""

    def root(self, x: Array, o: SimpleNamespace) -> Array:
        return np.sqrt(x) + o.eps


@plant("Adadelta")
class AdadeltaEpsOnlyBelow(PlainAdadelta):
    """No eps in the numerator, but for a guard against standing still."""

    def delta(self, g: Array, v: Array, u: Array, o: SimpleNamespace) -> Array:
        return np.sqrt(np.where(u == 0, o.eps, u)) / np.sqrt(v + o.eps) * g


@plant("Adadelta")
class AdadeltaUpdatesFirst(PlainAdadelta):
    """The step is taken with the mean of updates that has this one in it."""

    def delta(self, g: Array, v: Array, u: Array, o: SimpleNamespace) -> Array:
        delta = super().delta(g, v, u, o)
        return super().delta(g, v, o.rho * u + (1 - o.rho) * delta**2, o)


@plant("Adadelta")
class AdadeltaLrInUpdates(PlainAdadelta):
    """The mean of updates has lr in it."""

    def gathered(self, u: Array, delta: Array, o: SimpleNamespace) -> Array:
        return super().gathered(u, o.lr * delta, o)


@plant("Adadelta")
class AdadeltaGathersGradients(PlainAdadelta):
    """The mean of updates is one of gradients."""

    def delta(self, g: Array, v: Array, u: Array, o: SimpleNamespace) -> Array:
        self.g = g
        return super().delta(g, v, u, o)

    def gathered(self, u: Array, delta: Array, o: SimpleNamespace) -> Array:
        return super().gathered(u, self.g, o)


@plant("Adadelta")
class AdadeltaWithoutLr(PlainAdadelta):
    """The paper's, which has no learning rate."""

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        o.lr = 1.0
        return super().stepped(theta, g, state, o)


@plant("Adadelta")
class AdadeltaRhoSwapped(PlainAdadelta):
    """rho weighs the new square."""

    def mean(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return (1 - o.rho) * v + o.rho * g * g


@plant("Adadelta")
class AdadeltaDecayDecoupled(DecouplesDecay, PlainAdadelta):
    """Decay leaves the gradient alone."""


@plant("Adadelta")
class AdadeltaDecayTurned(TurnsDecay, PlainAdadelta):
    """maximize turns the sign of the decay as well."""


@plant("Adadelta")
class AdadeltaGroupsIgnored(IgnoresGroups, PlainAdadelta):
    """Options of a group are not read."""
