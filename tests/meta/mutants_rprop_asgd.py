"""Mistakes in Rprop and ASGD. A class's docstring says which one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tests.meta.harness import Mutant, mutants_in
from tests.meta.mistakes_optim import CountsCalls, IgnoresGroups, TurnsDecay
from tests.meta.plain_optimizer import Array
from tests.meta.plain_rprop_asgd import PlainASGD, PlainRprop

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


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
class RpropGroupsIgnored(IgnoresGroups, PlainRprop):
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
class AsgdStepCountsNone(CountsCalls, PlainASGD):
    """Rate and mean by calls of step; the saved step is right."""


@plant("ASGD")
class AsgdDecayTurned(TurnsDecay, PlainASGD):
    """maximize turns the sign of the weight decay as well."""


@plant("ASGD")
class AsgdGroupsIgnored(IgnoresGroups, PlainASGD):
    """Options of a group are not read."""
