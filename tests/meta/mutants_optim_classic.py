"""Mistakes in AdamW, RMSprop, Adagrad, Adadelta, Adamax, Rprop and ASGD. A class's docstring says which one."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import SparseGrad
from tests.meta.harness import NO_NOTE, Mutant
from tests.meta.plain_optim import Array, PlainAdam, PlainOptimizer
from tests.meta.plain_optim_classic import (
    PlainAdadelta,
    PlainAdagrad,
    PlainAdamax,
    PlainASGD,
    PlainRMSprop,
    PlainRprop,
    Stepped,
)

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []


def plant(op: str, note: str = NO_NOTE) -> Callable[[Any], Any]:
    def keep(code: Any) -> Any:
        MUTANTS.append(Mutant(op, code.__name__, str(code.__doc__), code, note=note))
        return code

    return keep


class _DefaultsOnly(PlainOptimizer):
    def __init__(self, groups: list[dict[str, Any]], **defaults: Any) -> None:
        super().__init__([{**group, **defaults} for group in groups])


class _CallsCounted(Stepped):
    def count(self, state: dict[str, Array]) -> int:
        return self.calls


class _DecayTurned(Stepped):
    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        g = g + o.weight_decay * theta
        return -g if o.maximize else g


class _DecayDecoupled(Stepped):
    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        return -g if o.maximize else g

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        return super().stepped(theta * (1 - o.lr * o.weight_decay), g, state, o)


# --- AdamW ---------------------------------------------------------------------------------------


class _AdamW(PlainAdam):
    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        o.decoupled_weight_decay = True
        super().update(p, g, state, o)


@plant("AdamW")
class AdamWCoupled(PlainAdam):
    """Decay goes through the moments: Adam's."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        o.decoupled_weight_decay = False
        super().update(p, g, state, o)


@plant("AdamW")
class AdamWDecayWithoutLr(_AdamW):
    """Decay that lr does not scale, as the paper's."""

    def decayed(self, theta: Array, o: SimpleNamespace) -> Array:
        return theta * (1 - o.weight_decay)


@plant("AdamW")
class AdamWDecayAfterStep(_AdamW):
    """Decay shrinks what the step has given."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        decay = 1 - o.lr * o.weight_decay
        return super().moved(theta / decay, m, v, t, o) * decay


@plant("AdamW")
class AdamWDecayOfDefault(_AdamW):
    """A decay of 0 is taken for the default."""

    def decayed(self, theta: Array, o: SimpleNamespace) -> Array:
        return theta * (1 - o.lr * (o.weight_decay or 1e-2))


@plant("AdamW")
class AdamWMaximizeGrows(_AdamW):
    """maximize turns the sign of the decay as well."""

    def decayed(self, theta: Array, o: SimpleNamespace) -> Array:
        return theta * (1 + o.lr * o.weight_decay) if o.maximize else super().decayed(theta, o)


@plant("AdamW")
class AdamWEpsInsideRoot(_AdamW):
    """√(v̂ + eps)."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.sqrt(v / (1 - o.beta2**t) + o.eps)


@plant("AdamW")
class AdamWNoBiasCorrection(_AdamW):
    """m and v as they are: BertAdam."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return theta - o.lr * m / (np.sqrt(v) + o.eps)


@plant("AdamW")
class AdamWDecayNotOfGroup(_AdamW):
    """Groups have no decay of their own."""

    def __init__(self, groups: list[dict[str, Any]], **defaults: Any) -> None:
        super().__init__([{**group, "weight_decay": defaults["weight_decay"]} for group in groups], **defaults)


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
class RmsDecayTurned(_DecayTurned, PlainRMSprop):
    """maximize turns the sign of the decay as well."""


@plant("RMSprop")
class RmsDecayDecoupled(_DecayDecoupled, PlainRMSprop):
    """Decay leaves the gradient alone."""


@plant("RMSprop")
class RmsGroupsIgnored(_DefaultsOnly, PlainRMSprop):
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
class AdagradStepCountsNone(_CallsCounted, PlainAdagrad):
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
class AdagradDecayTurned(_DecayTurned, PlainAdagrad):
    """maximize turns the sign of the decay as well."""


@plant("Adagrad")
class AdagradGroupsIgnored(_DefaultsOnly, PlainAdagrad):
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
class AdadeltaDecayDecoupled(_DecayDecoupled, PlainAdadelta):
    """Decay leaves the gradient alone."""


@plant("Adadelta")
class AdadeltaDecayTurned(_DecayTurned, PlainAdadelta):
    """maximize turns the sign of the decay as well."""


@plant("Adadelta")
class AdadeltaGroupsIgnored(_DefaultsOnly, PlainAdadelta):
    """Options of a group are not read."""


# --- Adamax --------------------------------------------------------------------------------------


@plant("Adamax")
class AdamaxEpsOutside(PlainAdamax):
    """eps is added to the maximum when it is used: optax's and Keras's."""

    def norm(self, u: Array, g: Array, o: SimpleNamespace) -> Array:
        return np.maximum(o.beta2 * u, np.abs(g))

    def moved(self, theta: Array, m: Array, u: Array, o: SimpleNamespace) -> Array:
        return super().moved(theta, m, u + o.eps, o)


@plant("Adamax")
class AdamaxEpsOverall(PlainAdamax):
    """eps is added to the maximum, and saved."""

    def norm(self, u: Array, g: Array, o: SimpleNamespace) -> Array:
        return np.maximum(o.beta2 * u, np.abs(g)) + o.eps


@plant("Adamax")
class AdamaxEpsAsFloor(PlainAdamax):
    """The maximum of gradient, decayed norm and eps."""

    def norm(self, u: Array, g: Array, o: SimpleNamespace) -> Array:
        return np.maximum(np.maximum(o.beta2 * u, np.abs(g)), o.eps)


@plant("Adamax")
class AdamaxNotCorrected(PlainAdamax):
    """m as it is."""

    def moved(self, theta: Array, m: Array, u: Array, o: SimpleNamespace) -> Array:
        return theta - o.lr * m / u


@plant("Adamax")
class AdamaxNormCorrected(PlainAdamax):
    """u is corrected as well."""

    def moved(self, theta: Array, m: Array, u: Array, o: SimpleNamespace) -> Array:
        return super().moved(theta, m, u / (1 - o.beta2**o.t), o)


@plant("Adamax")
class AdamaxNeverDecays(PlainAdamax):
    """The largest gradient of all time."""

    def norm(self, u: Array, g: Array, o: SimpleNamespace) -> Array:
        return np.maximum(u, np.abs(g) + o.eps)


@plant("Adamax")
class AdamaxWithoutMagnitude(PlainAdamax):
    """The largest gradient with its sign."""

    def norm(self, u: Array, g: Array, o: SimpleNamespace) -> Array:
        return np.maximum(o.beta2 * u, g + o.eps)


@plant("Adamax")
class AdamaxStepCountsNone(_CallsCounted, PlainAdamax):
    """Corrections by calls of step; the saved step is right."""


@plant("Adamax")
class AdamaxDecayDecoupled(_DecayDecoupled, PlainAdamax):
    """Decay leaves the gradient alone."""


@plant("Adamax")
class AdamaxDecayTurned(_DecayTurned, PlainAdamax):
    """maximize turns the sign of the decay as well."""


# --- Rprop ---------------------------------------------------------------------------------------


@plant("Rprop")
class RpropBacktracks(PlainRprop):
    """A turn takes the last step back, as in the paper of 1993."""

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        turned = self.agreement(g, state["prev"]) < 0
        back = np.where(turned, np.sign(state["prev"]) * state["step_size"], 0)
        return super().stepped(theta, g, state, o) + back


@plant("Rprop")
class RpropStepsAnyway(PlainRprop):
    """A turn takes a step of half the size."""

    def used(self, agree: Array, g: Array) -> Array:
        return g


@plant("Rprop")
class RpropRemembersTurn(PlainRprop):
    """The gradient of a turn is compared with the next."""

    def kept(self, agree: Array, g: Array) -> Array:
        return g


@plant("Rprop")
class RpropEtasSwapped(PlainRprop):
    """Step sizes grow by a turn."""

    def size(self, agree: Array, eta: Array, o: SimpleNamespace) -> Array:
        return super().size(-agree, eta, o)


@plant("Rprop")
class RpropFirstStepFree(PlainRprop):
    """Step sizes are kept between the limits only where they change: as torch's documentation has it."""

    def size(self, agree: Array, eta: Array, o: SimpleNamespace) -> Array:
        return np.where(agree == 0, eta, super().size(agree, eta, o))


@plant("Rprop")
class RpropUnlimited(PlainRprop):
    """Step sizes have no largest."""

    def size(self, agree: Array, eta: Array, o: SimpleNamespace) -> Array:
        o.step_sizes = (o.step_sizes[0], np.inf)
        return super().size(agree, eta, o)


@plant("Rprop")
class RpropVanishes(PlainRprop):
    """Step sizes have no smallest."""

    def size(self, agree: Array, eta: Array, o: SimpleNamespace) -> Array:
        o.step_sizes = (0, o.step_sizes[1])
        return super().size(agree, eta, o)


@plant("Rprop")
class RpropOldSize(PlainRprop):
    """The step is taken with the size from before."""

    def size(self, agree: Array, eta: Array, o: SimpleNamespace) -> Array:
        self.before = eta
        return super().size(agree, eta, o)

    def moved(self, theta: Array, g: Array, eta: Array, o: SimpleNamespace) -> Array:
        return super().moved(theta, g, self.before, o)


@plant("Rprop")
class RpropProduct(PlainRprop):
    """The sign of the product, which underflows: torch's."""

    def agreement(self, g: Array, prev: Array) -> Array:
        return np.sign(g * prev)


@plant("Rprop")
class RpropByMagnitude(PlainRprop):
    """The step is the gradient times its size."""

    def moved(self, theta: Array, g: Array, eta: Array, o: SimpleNamespace) -> Array:
        return theta - g * eta


@plant("Rprop")
class RpropDescends(PlainRprop):
    """maximize is not read."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        return g


@plant("Rprop")
class RpropGroupsIgnored(_DefaultsOnly, PlainRprop):
    """Options of a group are not read."""


# --- ASGD ----------------------------------------------------------------------------------------


@plant("ASGD")
class AsgdRateAhead(PlainASGD):
    """The learning rate of the next step."""

    def moved(self, theta: Array, g: Array, eta: float, o: SimpleNamespace) -> Array:
        return super().moved(theta, g, self.rate(o.t + 1, o), o)


@plant("ASGD")
class AsgdPowerOfStep(PlainASGD):
    """lr / (1 + lambd lr t^alpha): torch's foreach up to 2.3."""

    def rate(self, t: int, o: SimpleNamespace) -> float:
        return float(o.lr / (1 + o.lambd * o.lr * (t - 1) ** o.alpha))


@plant("ASGD")
class AsgdConstantRate(PlainASGD):
    """lr at every step; the saved rate is right."""

    def moved(self, theta: Array, g: Array, eta: float, o: SimpleNamespace) -> Array:
        return super().moved(theta, g, o.lr, o)


@plant("ASGD")
class AsgdWithoutDecay(PlainASGD):
    """lambd only decays the learning rate."""

    def moved(self, theta: Array, g: Array, eta: float, o: SimpleNamespace) -> Array:
        return theta - eta * g


@plant("ASGD")
class AsgdDecayAfterStep(PlainASGD):
    """lambd shrinks what the step has given."""

    def moved(self, theta: Array, g: Array, eta: float, o: SimpleNamespace) -> Array:
        return (theta - eta * g) * (1 - eta * o.lambd)


@plant("ASGD")
class AsgdDecayByLr(PlainASGD):
    """lambd is scaled by lr and not by the decayed rate."""

    def moved(self, theta: Array, g: Array, eta: float, o: SimpleNamespace) -> Array:
        return theta - o.lr * o.lambd * theta - eta * g


@plant("ASGD")
class AsgdAveragesEarly(PlainASGD):
    """The mean starts one step early."""

    def averaged(self, mean: Array, theta: Array, mu: float, o: SimpleNamespace) -> Array:
        return super().averaged(mean, theta, 1 / max(1, o.t - o.t0), o)


@plant("ASGD")
class AsgdAveragesFromStart(PlainASGD):
    """t0 is not read: the mean of all iterates."""

    def averaged(self, mean: Array, theta: Array, mu: float, o: SimpleNamespace) -> Array:
        return super().averaged(mean, theta, 1 / o.t, o)


@plant("ASGD")
class AsgdAveragesBefore(PlainASGD):
    """The mean of the iterates before their steps."""

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        self.before = theta.copy()
        return super().stepped(theta, g, state, o)

    def averaged(self, mean: Array, theta: Array, mu: float, o: SimpleNamespace) -> Array:
        return super().averaged(mean, self.before, mu, o)


@plant("ASGD")
class AsgdReturnsMean(PlainASGD):
    """The next step starts from the mean."""

    def stepped(self, theta: Array, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        super().stepped(theta, g, state, o)
        return state["ax"]


@plant("ASGD")
class AsgdStepCountsNone(_CallsCounted, PlainASGD):
    """Rate and mean by calls of step; the saved step is right."""


@plant("ASGD")
class AsgdDecayTurned(_DecayTurned, PlainASGD):
    """maximize turns the sign of the weight decay as well."""


@plant("ASGD")
class AsgdGroupsIgnored(_DefaultsOnly, PlainASGD):
    """Options of a group are not read."""
