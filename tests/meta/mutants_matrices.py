"""Mistakes in Adafactor and Muon, which see a matrix as a whole. A class's docstring says which one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tests.meta.harness import Mutant, mutants_in
from tests.meta.plain_matrices import PlainAdafactor, PlainMuon
from tests.meta.plain_optimizer import Array

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


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
