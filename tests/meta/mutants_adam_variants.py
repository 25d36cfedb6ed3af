"""Mistakes in NAdam, RAdam, Adamax and SparseAdam. A class's docstring says which one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import SparseGrad
from tests.meta.harness import Mutant, mutants_in
from tests.meta.mistakes_optim import CountsCalls, DecouplesDecay, TurnsDecay
from tests.meta.plain_adam import PlainAdamax, PlainNAdam, PlainRAdam, PlainSparseAdam
from tests.meta.plain_optimizer import Array

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


# --- NAdam ---------------------------------------------------------------------------------------


@plant("NAdam")
class ProductNeverGrows(PlainNAdam):
    """Each step's correction is 1 - μ_t alone."""

    def grown(self, product: float, t: int, o: SimpleNamespace) -> float:
        return self.mu(t, o)


@plant("NAdam")
class ProductWithNext(PlainNAdam):
    """The product is one step ahead."""

    def grown(self, product: float, t: int, o: SimpleNamespace) -> float:
        return product * self.mu(t + 1, o)


@plant("NAdam")
class BetaForMu(PlainNAdam):
    """No schedule: Adam's beta1 in both places, as in Keras's Nadam without one."""

    def mu(self, t: int, o: SimpleNamespace) -> float:
        return float(o.betas[0])


@plant("NAdam")
class ScheduleFromZero(PlainNAdam):
    """μ_{t-1} where μ_t is due."""

    def mu(self, t: int, o: SimpleNamespace) -> float:
        return super().mu(t - 1, o)


@plant("NAdam")
class MomentByMu(PlainNAdam):
    """The first moment decays by μ_t, as in the paper."""

    def first_moment(self, m: Array, g: Array, o: SimpleNamespace) -> Array:
        self.t = getattr(self, "t", 0)
        mu = float(o.betas[0] * (1 - 0.5 * 0.96**o.momentum_decay))
        return mu * m + (1 - mu) * g


@plant("NAdam")
class GradientNotCorrected(PlainNAdam):
    """The gradient's part has no 1 - Πμ below it."""

    def direction(self, m: Array, t: int, o: SimpleNamespace) -> Array:
        ahead = self.mu(t + 1, o)
        return (1 - self.mu(t, o)) * self.g + ahead / (1 - float(self.product) * ahead) * m


@plant("NAdam")
class SameCorrection(PlainNAdam):
    """Both parts are corrected by the product up to t."""

    def direction(self, m: Array, t: int, o: SimpleNamespace) -> Array:
        return ((1 - self.mu(t, o)) * self.g + self.mu(t + 1, o) * m) / (1 - float(self.product))


@plant("NAdam")
class BareGradientAhead(PlainNAdam):
    """The part ahead is of the gradient without its decay."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        self.bare = -g if o.maximize else g
        super().update(p, g, state, o)

    def direction(self, m: Array, t: int, o: SimpleNamespace) -> Array:
        self.g = self.bare
        return super().direction(m, t, o)


@plant("NAdam")
class NadamEpsInsideRoot(PlainNAdam):
    """√(v̂ + eps)."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.sqrt(v / (1 - o.beta2**t) + o.eps)


@plant("NAdam")
class NadamAlwaysCoupled(PlainNAdam):
    """decoupled_weight_decay is not read."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        return (-g if o.maximize else g) + o.weight_decay * theta

    def decayed(self, theta: Array, o: SimpleNamespace) -> Array:
        return theta


@plant("NAdam")
class NadamMaximizeGrows(PlainNAdam):
    """maximize turns the sign of the decay as well."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        g = g + o.weight_decay * theta if not o.decoupled_weight_decay else g
        return -g if o.maximize else g


# --- RAdam ---------------------------------------------------------------------------------------


@plant("RAdam")
class ThresholdFour(PlainRAdam):
    """ρ_t > 4, as in the paper's algorithm."""

    threshold = 4.0


@plant("RAdam")
class ThresholdSix(PlainRAdam):
    """One step later."""

    threshold = 6.0


@plant("RAdam")
class UnrectifiedRests(PlainRAdam):
    """No step at all until the second moment has settled."""

    def unrectified(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return 0 * m


@plant("RAdam")
class UnrectifiedAdaptive(PlainRAdam):
    """Adam's step until then."""

    def unrectified(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return m / (self.denominator(v, t, o) + 1e-38)


@plant("RAdam")
class RhoWithoutTwo(PlainRAdam):
    """ρ_∞ - t β₂ᵗ / (1 - β₂ᵗ)."""

    def rho(self, t: int, o: SimpleNamespace) -> float:
        return self.limit(o) - t * o.beta2**t / (1 - o.beta2**t)  # type: ignore[no-any-return]


@plant("RAdam")
class RectifierSquared(PlainRAdam):
    """r² for r."""

    def rectifier(self, rho: float, o: SimpleNamespace) -> float:
        return super().rectifier(rho, o) ** 2


@plant("RAdam")
class EpsCorrected(PlainRAdam):
    """eps beside the corrected root, as in Adam and in optax."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.sqrt(v / (1 - o.beta2**t)) + o.eps


@plant("RAdam")
class VUncorrected(PlainRAdam):
    """No √(1 - β₂ᵗ)."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.sqrt(v) + o.eps


@plant("RAdam")
class RadamDecayWithoutLr(PlainRAdam):
    """Decoupled decay that lr does not scale."""

    def decayed(self, theta: Array, o: SimpleNamespace) -> Array:
        return theta * (1 - o.weight_decay) if o.decoupled_weight_decay else theta


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
class AdamaxStepCountsNone(CountsCalls, PlainAdamax):
    """Corrections by calls of step; the saved step is right."""


@plant("Adamax")
class AdamaxDecayDecoupled(DecouplesDecay, PlainAdamax):
    """Decay leaves the gradient alone."""


@plant("Adamax")
class AdamaxDecayTurned(TurnsDecay, PlainAdamax):
    """maximize turns the sign of the decay as well."""


# --- SparseAdam ----------------------------------------------------------------------------------


@plant("SparseAdam")
class AllMomentsDecay(PlainSparseAdam):
    """Moments of elements that are not there decay, as in dense Adam."""

    def decays(self, there: Array) -> Array:
        return np.ones_like(there)


@plant("SparseAdam")
class AllMove(PlainSparseAdam):
    """Dense Adam."""

    def mask(self, g: SparseGrad) -> Array:
        return np.ones(g.shape, bool)


@plant("SparseAdam")
class LastOfTwice(PlainSparseAdam):
    """Values of one place are not added: the last one counts."""

    def summed(self, g: SparseGrad) -> Array:
        dense = np.zeros(g.shape, g.values.dtype)
        dense[tuple(g.indices) if len(g.indices) else ...] = (
            g.values if len(g.indices) else g.values[-1] if g.values.size else 0)
        return dense


@plant("SparseAdam")
class EmptyNotCounted(PlainSparseAdam):
    """A gradient without elements is no step."""

    def counted(self, g: SparseGrad) -> bool:
        return bool(g.values.size)


@plant("SparseAdam")
class AdamsEps(PlainSparseAdam):
    """eps beside the corrected root."""

    def change(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return o.lr * m / (1 - o.beta1**t) / (np.sqrt(v / (1 - o.beta2**t)) + o.eps)


@plant("SparseAdam")
class SparseUncorrected(PlainSparseAdam):
    """No bias correction: lazy Adam of some frameworks."""

    def change(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return o.lr * m / (np.sqrt(v) + o.eps)


@plant("SparseAdam")
class OldMoment(PlainSparseAdam):
    """The step is by the moment's change alone."""

    def change(self, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return super().change((1 - o.beta1) * m, v, t, o)
