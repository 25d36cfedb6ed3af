"""Mistakes in NAdam, RAdam, Adafactor, SparseAdam, Muon, L-BFGS and sparse SGD. A docstring says which one."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from reference.optim import LBFGS, SGD, SparseGrad
from reference.optim import lbfgs as lbfgs_module
from tests.meta.harness import NO_NOTE, Mutant
from tests.meta.plain_optim import Array
from tests.meta.plain_optim_2 import PlainAdafactor, PlainMuon, PlainNAdam, PlainRAdam, PlainSparseAdam

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []


def plant(op: str, note: str = NO_NOTE) -> Callable[[Any], Any]:
    def keep(code: Any) -> Any:
        MUTANTS.append(Mutant(op, code.__name__, str(code.__doc__), code, note=note))
        return code

    return keep


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


# --- Adafactor -----------------------------------------------------------------------------------


@plant("Adafactor")
class EpsInSquare(PlainAdafactor):
    """eps1 is added to the squared gradient, as in the paper."""

    def squared(self, g: Array, o: SimpleNamespace) -> Array:
        return g * g + o.eps1


@plant("Adafactor")
class EpsOfVariance(PlainAdafactor):
    """V is limited by eps1, not its root."""

    def direction(self, g: Array, v: Array, o: SimpleNamespace) -> Array:
        return g / np.sqrt(np.maximum(v, o.eps1))


@plant("Adafactor")
class FixedRelativeStep(PlainAdafactor):
    """The relative step is limited by 0.01 whatever lr is, as in the paper."""

    def relative(self, t: int, o: SimpleNamespace) -> float:
        return float(min(0.01, 1 / np.sqrt(t)))


@plant("Adafactor")
class LrForRelativeStep(PlainAdafactor):
    """lr, without the limit that falls with t."""

    def relative(self, t: int, o: SimpleNamespace) -> float:
        return float(o.lr)


@plant("Adafactor")
class Absolute(PlainAdafactor):
    """Steps not in proportion to the parameter: scale_parameter=False elsewhere."""

    def size(self, theta: Array, o: SimpleNamespace) -> float:
        return 1.0


@plant("Adafactor")
class NormForRms(PlainAdafactor):
    """The parameter's norm for its RMS."""

    def size(self, theta: Array, o: SimpleNamespace) -> float:
        return float(max(o.eps2, np.sqrt(np.sum(theta**2))))


@plant("Adafactor")
class NotClipped(PlainAdafactor):
    """Updates are used as they are."""

    def clipped(self, u: Array, o: SimpleNamespace) -> Array:
        return u


@plant("Adafactor")
class ThresholdTimes(PlainAdafactor):
    """Updates are scaled to an RMS of 1 where it is above d."""

    def clipped(self, u: Array, o: SimpleNamespace) -> Array:
        size = float(np.sqrt(np.mean(u**2)))
        return u / size if size > o.d else u


@plant("Adafactor")
class DecayByAlpha(PlainAdafactor):
    """Decay is scaled by the step's size, not by lr."""

    def decayed(self, theta: Array, alpha: float, o: SimpleNamespace) -> Array:
        return theta * (1 - alpha * o.weight_decay)


@plant("Adafactor")
class DecayOneStepBehind(PlainAdafactor):
    """1 - (t+1)^τ, as where steps count from 0."""

    def fresh(self, t: int, o: SimpleNamespace) -> float:
        return float((t + 1) ** o.beta2_decay)


@plant("Adafactor")
class RowsForMean(PlainAdafactor):
    """R C / mean C."""

    def second_moment(self, g: Array, state: dict[str, Array], fresh: float, o: SimpleNamespace) -> Array:
        v = super().second_moment(g, state, fresh, o)
        if g.ndim < 2:
            return v
        return state["row_var"] * state["col_var"] / np.maximum(np.max(state["col_var"]), o.eps1)


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


# --- Muon ----------------------------------------------------------------------------------------


@plant("Muon")
class HeavyBall(PlainMuon):
    """B = μB + G, as in torch's pseudocode."""

    def buffer(self, b: Array, g: Array, o: SimpleNamespace) -> Array:
        return o.momentum * b + g


@plant("Muon")
class NesterovAsWritten(PlainMuon):
    """G + μB, as in torch's pseudocode."""

    def ahead(self, b: Array, g: Array, o: SimpleNamespace) -> Array:
        return g + o.momentum * b


@plant("Muon")
class IterationInFloat32(PlainMuon):
    """Nothing is rounded to bfloat16."""

    def rounded(self, x: Array) -> Array:
        return np.asarray(x, np.float32)


@plant("Muon")
class NormInFloat32(PlainMuon):
    """The norm is not rounded."""

    def started(self, x: Array, o: SimpleNamespace) -> Array:
        return x / np.maximum(self.norm(x), self.rounded(np.float32(o.eps)))


@plant("Muon")
class EpsAdded(PlainMuon):
    """X / (|X| + eps), as in the original."""

    def started(self, x: Array, o: SimpleNamespace) -> Array:
        return x / self.rounded(self.rounded(self.norm(x)) + np.float32(o.eps))


@plant("Muon")
class SpectralNorm(PlainMuon):
    """Divided by the largest singular value."""

    def norm(self, x: Array) -> Array:
        return np.linalg.norm(x, 2).astype(np.float32) if x.size else np.float32(0)


@plant("Muon")
class NeverTransposed(PlainMuon):
    """X Xᵀ also where there are more rows than columns."""

    def flat(self, x: Array) -> bool:
        return True


@plant("Muon")
class RatioUpsideDown(PlainMuon):
    """√max(1, B/A)."""

    def ratio(self, rows: int, columns: int, o: SimpleNamespace) -> float:
        return super().ratio(columns, rows, o)


@plant("Muon")
class RatioForgotten(PlainMuon):
    """The same lr for all shapes."""

    def ratio(self, rows: int, columns: int, o: SimpleNamespace) -> float:
        return 1.0 if o.adjust_lr_fn != "match_rms_adamw" else super().ratio(rows, columns, o)


@plant("Muon")
class DecayAdjusted(PlainMuon):
    """Decay by the adjusted lr."""

    def moved(self, theta: Array, o_t: Array, o: SimpleNamespace) -> Array:
        if not theta.size:
            return theta
        lr = o.lr * self.ratio(*theta.shape, o)
        return theta * (1 - lr * o.weight_decay) - lr * o_t


# --- SGD with sparse gradients -------------------------------------------------------------------


@plant("SGD")
class SparseBufferForgets(SGD):
    """Momentum only where the gradient of the step has elements."""

    def _update(self, p: Any, grad: Any, options: dict[str, Any]) -> None:
        buffer = self.state[p].get("momentum_buffer") if options["momentum"] else None
        if isinstance(grad, SparseGrad) and isinstance(buffer, SparseGrad):
            g, b = grad.coalesce(), buffer.joined(grad)
            kept = np.isin(b.places(), g.places())
            self.state[p]["momentum_buffer"] = SparseGrad(b.indices[:, kept], b.values[kept], b.shape)
        super()._update(p, grad, options)


@plant("SGD")
class SparseNotSummed(SGD):
    """Of values for one place the last one counts."""

    def _update(self, p: Any, grad: Any, options: dict[str, Any]) -> None:
        if isinstance(grad, SparseGrad):
            places = grad.places()
            last = [i for i in range(len(places)) if places[i] not in places[i + 1:]]
            grad = SparseGrad(grad.indices[:, last], grad.values[last], grad.shape)
        super()._update(p, grad, options)


# --- L-BFGS --------------------------------------------------------------------------------------


@plant("LBFGS")
class FirstStepFull(LBFGS):
    """The very first step is lr times the gradient, whatever its size."""

    @staticmethod
    def _direct(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        return type(LBFGS._direct(memory, g, first, o))(o["lr"])


@plant("LBFGS")
class FirstStepEuclidean(LBFGS):
    """min(1, 1/‖g‖₂) for 1/‖g‖₁."""

    @staticmethod
    def _direct(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        t = LBFGS._direct(memory, g, first, o)
        return min(1.0, 1.0 / np.sqrt(np.sum(g * g))) * o["lr"] if first else t


@plant("LBFGS")
class UnscaledHessian(LBFGS):
    """H starts from the identity."""

    @staticmethod
    def _direct(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        t = LBFGS._direct(memory, g, first, o)
        if not first:
            memory["d"], _ = lbfgs_module.two_loops(g, memory["old_dirs"], memory["old_stps"], memory["ro"], 1)
        return t


@plant("LBFGS")
class ScaleOfFirstPair(LBFGS):
    """H starts from s·s / y·s, the other of Barzilai and Borwein's."""

    @staticmethod
    def _direct(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        t = LBFGS._direct(memory, g, first, o)
        if memory["ro"]:
            s = memory["old_stps"][-1]
            memory["H_diag"] = np.sum(s * s) * memory["ro"][-1]
            memory["d"], _ = lbfgs_module.two_loops(g, memory["old_dirs"], memory["old_stps"], memory["ro"],
                                                    memory["H_diag"])
        return t


@plant("LBFGS")
class OldestKept(LBFGS):
    """A full history drops its newest pair."""

    @staticmethod
    def _direct(memory: dict[str, Any], g: Array, first: bool, o: dict[str, Any]) -> Any:
        full = not first and len(memory["ro"]) == o["history_size"]
        if full:
            o = {**o, "history_size": o["history_size"] + 1}
        t = LBFGS._direct(memory, g, first, o)
        if full and len(memory["ro"]) == o["history_size"]:
            for name in ("old_dirs", "old_stps", "ro"):
                memory[name].pop(1)
            memory["d"], _ = lbfgs_module.two_loops(g, memory["old_dirs"], memory["old_stps"], memory["ro"],
                                                    memory["H_diag"])
        memory["al"] = memory.get("al", [None])[:1] if full else memory.get("al", [])
        if not memory["al"]:
            del memory["al"]
        return t


@plant("LBFGS", note="shape|missing|equal")
class FreshEveryCall(LBFGS):
    """Each call of step starts without a history."""

    def _step(self, closure: Any, o: dict[str, Any]) -> Any:
        self.state[self.param_groups[0]["params"][0]].clear()
        return super()._step(closure, o)


@plant("LBFGS")
class TolerancesSwapped(LBFGS):
    """tolerance_grad and tolerance_change for each other."""

    def _step(self, closure: Any, o: dict[str, Any]) -> Any:
        return super()._step(closure, {**o, "tolerance_grad": o["tolerance_change"],
                                       "tolerance_change": o["tolerance_grad"]})


@plant("LBFGS")
class ArmijoOnly(LBFGS):
    """The line search takes the first trial that goes down."""

    def _step(self, closure: Any, o: dict[str, Any]) -> Any:
        original = lbfgs_module.strong_wolfe
        lbfgs_module.strong_wolfe = lambda *a, **k: original(*a, **{**k, "c2": 1e6})  # type: ignore[assignment]
        try:
            return super()._step(closure, o)
        finally:
            lbfgs_module.strong_wolfe = original


@plant("LBFGS", note="equal")
class NoBudget(LBFGS):
    """max_eval is not read."""

    def _step(self, closure: Any, o: dict[str, Any]) -> Any:
        return super()._step(closure, {**o, "max_eval": 10**6 if o["line_search_fn"] is None else 25})
