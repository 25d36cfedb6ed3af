"""Mistakes in Adam and AdamW that people make. A class's docstring says which one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.harness import Mutant, mutants_in
from tests.meta.mistakes_optim import IgnoresGroups, TakesNoneForZero
from tests.meta.plain_adam import PlainAdam
from tests.meta.plain_optimizer import Array

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


@plant("Adam")
class EpsInsideRoot(PlainAdam):
    """√(v̂ + eps)."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.sqrt(v / (1 - o.beta2**t) + o.eps)


@plant("Adam")
class EpsSquaredInsideRoot(PlainAdam):
    """√(v̂ + eps²): right where v̂ is 0 and where it is large."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.sqrt(v / (1 - o.beta2**t) + o.eps**2)


@plant("Adam")
class EpsBeforeCorrection(PlainAdam):
    """eps beside the uncorrected root, the faster form of the paper's section 2."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return (np.sqrt(v) + o.eps) / (1 - o.beta2**t) ** 0.5


@plant("Adam")
class EpsForgotten(PlainAdam):
    """No eps, but for a guard against division by 0."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.maximum(np.sqrt(v / (1 - o.beta2**t)), 1e-38)


@plant("Adam")
class NoBiasCorrection(PlainAdam):
    """m and v as they are."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return theta - o.lr * m / (np.sqrt(v) + o.eps)


@plant("Adam")
class SecondMomentUncorrected(PlainAdam):
    """Only m is corrected."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.sqrt(v) + o.eps


@plant("Adam")
class CorrectionInFloat32(PlainAdam):
    """1 - beta2^t in float32, where it cancels."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return np.sqrt(v / (1 - np.float32(o.beta2) ** np.float32(t))) + o.eps


@plant("Adam")
class StepStartsAtTwo(PlainAdam):
    """Corrections one step ahead; the saved step is right."""

    def count(self, state: dict[str, Array]) -> int:
        return int(state["step"]) + 1


@plant("Adam")
class StepCountsNone(PlainAdam):
    """Corrections by calls of step, also those that gave the parameter no gradient."""

    def count(self, state: dict[str, Array]) -> int:
        return self.calls


@plant("Adam", note="has to be equal")
class NoneIsZero(TakesNoneForZero, PlainAdam):
    """A gradient of None lets the moments decay."""


@plant("Adam")
class CoupledForDecoupled(PlainAdam):
    """Decay goes through the moments also where it is to be decoupled."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        return (-g if o.maximize else g) + o.weight_decay * theta

    def decayed(self, theta: Array, o: SimpleNamespace) -> Array:
        return theta


@plant("Adam")
class DecoupledForCoupled(PlainAdam):
    """Decay is always AdamW's."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        return -g if o.maximize else g

    def decayed(self, theta: Array, o: SimpleNamespace) -> Array:
        return theta * (1 - o.lr * o.weight_decay)


@plant("Adam")
class DecayWithoutLr(PlainAdam):
    """Decoupled decay that lr does not scale, as in the paper of AdamW."""

    def decayed(self, theta: Array, o: SimpleNamespace) -> Array:
        return theta * (1 - o.weight_decay) if o.decoupled_weight_decay else theta


@plant("Adam")
class DecayAfterStep(PlainAdam):
    """Decoupled decay shrinks what the step has given."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        decay = 1 - o.lr * o.weight_decay if o.decoupled_weight_decay else 1.0
        return super().moved(theta / decay, m, v, t, o) * decay


@plant("Adam")
class MaximizeGrows(PlainAdam):
    """maximize turns the sign of the decay as well."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        g = g if o.decoupled_weight_decay else g + o.weight_decay * theta
        return -g if o.maximize else g


@plant("Adam")
class SecondMomentWithoutDecay(PlainAdam):
    """v of the bare gradient, m of the gradient with decay."""

    def gradient(self, theta: Array, g: Array, o: SimpleNamespace) -> Array:
        self.bare = g
        return super().gradient(theta, g, o)

    def second_moment(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return super().second_moment(v, self.bare, o)


@plant("Adam")
class BetasSwapped(PlainAdam):
    """beta2 for m."""

    def first_moment(self, m: Array, g: Array, o: SimpleNamespace) -> Array:
        return o.beta2 * m + (1 - o.beta2) * g


@plant("Adam")
class MaximumAfterCorrection(PlainAdam):
    """AMSGrad steps by the largest corrected moment; the saved one is right."""

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        corrected = self.v_now / (1 - o.beta2**t)
        if o.amsgrad:
            corrected = self.largest[id(self.p)] = np.maximum(self.largest.get(id(self.p), 0), corrected)
        return np.sqrt(corrected) + o.eps

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        self.p, self.largest = p, getattr(self, "largest", {})
        super().update(p, g, state, o)

    def second_moment(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        self.v_now = super().second_moment(v, g, o)
        return self.v_now


@plant("Adam")
class MaximumUnused(PlainAdam):
    """AMSGrad's maximum is kept, and the step taken without it."""

    def second_moment(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        self.v_now = super().second_moment(v, g, o)
        return self.v_now

    def denominator(self, v: Array, t: int, o: SimpleNamespace) -> Array:
        return super().denominator(self.v_now, t, o)


@plant("Adam")
class StateShared(PlainAdam):
    """Parameters of one shape share their state."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        self.by_shape = getattr(self, "by_shape", {})
        self.state[p] = shared = self.by_shape.setdefault(p.data.shape, state)
        super().update(p, g, shared, o)
        shared["step"] = np.array(self.calls, np.float32)


@plant("Adam")
class HalfMoments(PlainAdam):
    """Moments are kept in bits of a half: 11 of them."""

    def first_moment(self, m: Array, g: Array, o: SimpleNamespace) -> Array:
        fraction, exponent = np.frexp(super().first_moment(m, g, o))
        return np.ldexp(fraction.astype(np.float16).astype(np.float32), exponent)


@plant("Adam")
class AdamGroupsIgnored(IgnoresGroups, PlainAdam):
    """Options of a group are not read."""


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
