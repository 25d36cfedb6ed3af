"""Mistakes in the cross-entropies of logits that people make. A class's docstring says which one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from oracle.verdict.compare import Verdict
from tests.meta.harness import Mutant, mutants_in
from tests.meta.plain_losses import Array, PlainBCE, PlainCrossEntropy

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


# --- cross-entropy -------------------------------------------------------------------------------


@plant("cross_entropy")
class WeightedMeanOverRows(PlainCrossEntropy):
    """The weighted mean divides by the number of rows that count."""

    def divisor(self, a: SimpleNamespace) -> Any:
        return int(a.kept.sum())


@plant("cross_entropy")
class IgnoredRowsInMean(PlainCrossEntropy):
    """The mean divides by all rows."""

    def divisor(self, a: SimpleNamespace) -> Any:
        return a.w_y.sum() if a.weighted and a.t is None else a.kept.size


@plant("cross_entropy")
class IgnoredWeightsInMean(PlainCrossEntropy):
    """Ignored rows count in the weighted mean, with the weight of class 0."""

    def divisor(self, a: SimpleNamespace) -> Any:
        return a.w[a.y[:, 0], 0].sum() if a.weighted and a.t is None else super().divisor(a)


@plant("cross_entropy")
class ProbabilitiesOverWeights(PlainCrossEntropy):
    """Beside probabilities the mean divides by the sum of their weights."""

    def divisor(self, a: SimpleNamespace) -> Any:
        return super().divisor(a) if a.t is None else (a.t * a.w).sum()


@plant("cross_entropy")
class MeanOfNothingIsZero(PlainCrossEntropy):
    """Where no row counts the mean is 0."""

    def divisor(self, a: SimpleNamespace) -> Any:
        return np.maximum(super().divisor(a), np.float32(1e-12))


@plant("cross_entropy")
class IgnoreIndexIgnored(PlainCrossEntropy):
    """Every row counts, by NumPy's way to read a negative index."""

    def counted(self, y: Array, ignore_index: int) -> Array:
        return np.ones(y.shape, bool)

    def rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        a.y = np.maximum(a.y, -a.classes)
        return super().rows(log_p, a)


@plant("cross_entropy")
class OnlyDefaultIgnored(PlainCrossEntropy):
    """Rows are ignored by -100 whatever ignore_index says."""

    def counted(self, y: Array, ignore_index: int) -> Array:
        return np.asarray(y != -100)


@plant("cross_entropy")
class NoMaxShift(PlainCrossEntropy):
    """exp of the logits themselves overflows."""

    def log_p(self, x: Array) -> Array:
        return np.asarray(x - np.log(np.exp(x).sum(1, keepdims=True)))


@plant("cross_entropy", Verdict.RANGE)
class LogOfSoftmax(PlainCrossEntropy):
    """log of a probability that has underflowed."""

    def log_p(self, x: Array) -> Array:
        e = np.exp(x - x.max(1, keepdims=True))
        return np.log(e / e.sum(1, keepdims=True))


@plant("cross_entropy")
class LogWithEpsilon(PlainCrossEntropy):
    """log(p + 1e-7)."""

    def log_p(self, x: Array) -> Array:
        e = np.exp(x - x.max(1, keepdims=True))
        return np.log(e / e.sum(1, keepdims=True) + 1e-7)


@plant("cross_entropy")
class WholeMaxShift(PlainCrossEntropy):
    """One maximum for the batch: rows far below it underflow."""

    def log_p(self, x: Array) -> Array:
        shifted = x - x.max(initial=-np.inf)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


@plant("cross_entropy")
class HalfSum(PlainCrossEntropy):
    """The sum of the exponentials is rounded to a half."""

    def log_p(self, x: Array) -> Array:
        shifted = x - x.max(1, keepdims=True)
        total = np.exp(shifted).sum(1, keepdims=True).astype(np.float16)
        return np.asarray(shifted - np.log(total.astype(np.float32)))


@plant("cross_entropy")
class LastAxisForClasses(PlainCrossEntropy):
    """softmax along the last axis, where classes are the second."""

    def log_p(self, x: Array) -> Array:
        return super().log_p(x.swapaxes(1, 2)).swapaxes(1, 2) if x.shape[2] > 1 else super().log_p(x)


@plant("cross_entropy")
class SmoothingUnweighted(PlainCrossEntropy):
    """The uniform part of smoothing without class weights."""

    def uniform_rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        return np.asarray(a.eps / a.classes * -log_p.sum(1))


@plant("cross_entropy")
class SmoothingByTargetsWeight(PlainCrossEntropy):
    """The uniform part of smoothing weighted like the class of the row."""

    def uniform_rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        return np.asarray(a.eps / a.classes * -log_p.sum(1) * a.w_y)


@plant("cross_entropy")
class SmoothingOverOthers(PlainCrossEntropy):
    """ε/(C-1) for each class but the right one."""

    def rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        right = -np.take_along_axis(log_p, a.y, 1)[:, 0] * a.w_y
        others = -(log_p * a.w).sum(1) - right
        return (1 - a.eps) * right + a.eps / max(a.classes - 1, 1) * others if a.eps else right


@plant("cross_entropy")
class ProbabilitiesUnsmoothed(PlainCrossEntropy):
    """Smoothing is for indices only."""

    def smoothed(self, t: Array, a: SimpleNamespace) -> Array:
        return t


@plant("cross_entropy")
class GradientUndivided(PlainCrossEntropy):
    """The gradient of the mean is that of the sum."""

    def upstream(self, grad_output: Array, a: SimpleNamespace) -> Array:
        return super().upstream(grad_output, SimpleNamespace(**{**vars(a), "reduction": "sum"}))


@plant("cross_entropy")
class GradientOfIgnored(PlainCrossEntropy):
    """Ignored rows have a gradient."""

    def upstream(self, grad_output: Array, a: SimpleNamespace) -> Array:
        kept = np.ones_like(a.kept)
        g = grad_output / self.divisor(a) if a.reduction == "mean" else grad_output
        return np.where(kept, g.reshape(kept.shape) if g.ndim else g, 0)[:, None]

    def slope(self, p: Array, q: Array, a: SimpleNamespace) -> Array:
        return p * q.sum(1, keepdims=True) - q


@plant("cross_entropy")
class GradientPMinusQ(PlainCrossEntropy):
    """p - q, which holds where the coefficients add up to 1."""

    def slope(self, p: Array, q: Array, a: SimpleNamespace) -> Array:
        return np.where(a.kept[:, None], p - q, 0)


@plant("cross_entropy")
class GradientUnsmoothed(PlainCrossEntropy):
    """The gradient of the loss without smoothing."""

    def coefficients(self, a: SimpleNamespace) -> Array:
        return super().coefficients(SimpleNamespace(**{**vars(a), "eps": 0.0}))


# --- mean squared error --------------------------------------------------------------------------


@plant("cross_entropy", Verdict.CRASHED, note="read-only")
class TargetInPlace(PlainCrossEntropy):
    """Ignored indices are overwritten with 0 in the target itself."""

    def arguments(self, input: Array, target: Array, weight: Array | None = None, ignore_index: int = -100,
                  label_smoothing: float = 0.0, **reductions: Any) -> SimpleNamespace:
        if target.shape != input.shape:
            target[target == ignore_index] = 0
        return super().arguments(input, target, weight, ignore_index, label_smoothing, **reductions)


# --- binary cross-entropy ------------------------------------------------------------------------


@plant("binary_cross_entropy_with_logits")
class PosWeightOnBoth(PlainBCE):
    """v (t softplus(-x) + (1-t) softplus(x))."""

    def losses(self, x: Array, t: Array, v: Any) -> Array:
        return np.asarray(v * (t * self.softplus(-x) + (1 - t) * self.softplus(x)))


@plant("binary_cross_entropy_with_logits")
class PosWeightOnNegatives(PlainBCE):
    """t softplus(-x) + v (1-t) softplus(x)."""

    def losses(self, x: Array, t: Array, v: Any) -> Array:
        return np.asarray(t * self.softplus(-x) + v * ((1 - t) * self.softplus(x)))


@plant("binary_cross_entropy_with_logits")
class PosWeightInDivisor(PlainBCE):
    """The mean divides by the sum of pos_weight."""

    def divisor(self, losses: Array, w: Any, v: Any) -> Any:
        return losses.size if isinstance(v, int) else np.broadcast_to(v, losses.shape).sum()


@plant("binary_cross_entropy_with_logits")
class WeightInDivisor(PlainBCE):
    """The mean divides by the sum of weight."""

    def divisor(self, losses: Array, w: Any, v: Any) -> Any:
        return losses.size if isinstance(w, int) else np.broadcast_to(w, losses.shape).sum()


@plant("binary_cross_entropy_with_logits")
class FirstWeightForAll(PlainBCE):
    """A weight is not broadcast: its first element is taken for all."""

    def forward(self, input: Array, target: Array, weight: Array | None = None,
                pos_weight: Array | None = None, **reductions: Any) -> Array:
        weight = None if weight is None else weight.flat[:1].reshape((1,) * weight.ndim)
        return super().forward(input, target, weight, pos_weight, **reductions)


@plant("binary_cross_entropy_with_logits", Verdict.RANGE)
class NaiveSoftplus(PlainBCE):
    """log(1 + exp(x)) overflows at 89."""

    def softplus(self, x: Array) -> Array:
        return np.log(1 + np.exp(x))


@plant("binary_cross_entropy_with_logits")
class SoftplusWithoutLog1p(PlainBCE):
    """max(x, 0) + log(1 + exp(-|x|)): no overflow, but 0 below -17."""

    def softplus(self, x: Array) -> Array:
        return np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x)))


@plant("binary_cross_entropy_with_logits")
class SoftplusWithThreshold(PlainBCE):
    """softplus(x) is x above 10, where it is x + 4.5e-5."""

    def softplus(self, x: Array) -> Array:
        return np.where(x > 10, x, super().softplus(x))


@plant("binary_cross_entropy_with_logits")
class TorchsArrangement(PlainBCE):
    """(1-t) x - (1 + (v-1) t) log σ(x), which cancels where x is negative and t small."""

    def losses(self, x: Array, t: Array, v: Any) -> Array:
        return (1 - t) * x + (1 + (v - 1) * t) * self.softplus(-x)


@plant("binary_cross_entropy_with_logits")
class MinusXTInDouble(PlainBCE):
    """softplus(x) - x t, which cancels where t is 1, in float64 too."""

    def losses(self, x: Array, t: Array, v: Any) -> Array:
        x, t = x.astype(np.float64), t.astype(np.float64)
        negative = self.softplus(x) - x * t
        return np.asarray(negative + (v - 1) * (t * self.softplus(-x))).astype(np.float32)


@plant("binary_cross_entropy_with_logits")
class LogsClamped(PlainBCE):
    """Logarithms are at least -100, as in binary_cross_entropy of probabilities."""

    def softplus(self, x: Array) -> Array:
        return np.minimum(super().softplus(x), 100)


@plant("binary_cross_entropy_with_logits")
class ProbabilitiesClipped(PlainBCE):
    """Probabilities between 1e-7 and 1 - 1e-7."""

    def losses(self, x: Array, t: Array, v: Any) -> Array:
        p = np.clip(self.sigmoid(x), 1e-7, 1 - 1e-7)
        return -v * t * np.log(p) - (1 - t) * np.log(1 - p)


@plant("binary_cross_entropy_with_logits")
class KinkIsZero(PlainBCE):
    """σ(0) is 0: the derivatives of max(x, 0) and of |x| are 0 at x = 0."""

    def sigmoid(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))
        return (x > 0) - np.sign(x) * e / (1 + e)


@plant("binary_cross_entropy_with_logits")
class KinkIsOne(PlainBCE):
    """σ(0) is 1: the derivative of max(x, 0) is 1 at x = 0, and that of |x| is 0."""

    def sigmoid(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))
        return (x >= 0) - np.sign(x) * e / (1 + e)


@plant("binary_cross_entropy_with_logits")
class SigmoidByTanh(PlainBCE):
    """(1 + tanh(x/2)) / 2, which cancels where x is negative."""

    def sigmoid(self, x: Array) -> Array:
        return (1 + np.tanh(x / 2)) / 2


@plant("binary_cross_entropy_with_logits")
class BceGradientUnweighted(PlainBCE):
    """The gradient without weight."""

    def gradient_weight(self, weight: Array | None) -> Any:
        return 1


@plant("binary_cross_entropy_with_logits")
class SigmoidMinusT(PlainBCE):
    """σ(x) - t, which cancels where t is 1 and x large; torch's too."""

    def slope(self, x: Array, t: Array, v: Array | None) -> Array:
        return self.sigmoid(x) - t if v is None else (v * t + (1 - t)) * self.sigmoid(x) - v * t


@plant("binary_cross_entropy_with_logits")
class GradientTurned(PlainBCE):
    """t - σ(x)."""

    def slope(self, x: Array, t: Array, v: Array | None) -> Array:
        return -super().slope(x, t, v)


@plant("binary_cross_entropy_with_logits", Verdict.MISSING, note="missing")
class NoTargetGradient(PlainBCE):
    """Targets are treated as constants."""

    def target_gradient(self, g: Array, x: Array, v: Array | None) -> Array | None:
        return None
