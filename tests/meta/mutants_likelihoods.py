"""Mistakes in losses that are likelihoods. A class's docstring says which one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.harness import Mutant, mutants_in
from tests.meta.plain_likelihoods import PlainBCELoss, PlainGaussian, PlainKL, PlainNLL, PlainPoisson
from tests.meta.plain_losses import Array

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


# --- negative log-likelihood of classes ----------------------------------------------------------


@plant("nll_loss")
class SoftmaxOfLogProbabilities(PlainNLL):
    """Log-probabilities are normalised once more, as cross-entropy does with logits."""

    def log_p(self, x: Array) -> Array:
        return np.asarray(x - np.log(np.exp(x).sum(1, keepdims=True)))


@plant("nll_loss")
class NLLWithoutSign(PlainNLL):
    """The likelihood and not its negative: the sign is lost."""

    def rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        return -super().rows(log_p, a)


@plant("nll_loss")
class NLLMeanOverRows(PlainNLL):
    """The weighted mean divides by the number of rows that count."""

    def divisor(self, a: SimpleNamespace) -> Any:
        return int(a.kept.sum())


@plant("nll_loss")
class NLLMeanOverAll(PlainNLL):
    """The mean counts ignored rows."""

    def divisor(self, a: SimpleNamespace) -> Any:
        return a.w_y.sum() if a.weighted else a.kept.size


@plant("nll_loss")
class NLLIgnoredMultiplied(PlainNLL):
    """Ignored rows are multiplied by 0, and 0 · NaN is NaN."""

    def forward(self, **arguments: Any) -> Array:
        a = self.arguments(**self._named(arguments))
        losses = super().rows(a.x, a) * a.kept
        shape = () if a.input.ndim == 1 else (a.input.shape[0], *a.input.shape[2:])
        return self.reduced(losses.reshape(shape).astype(np.float32), a.reduction, self.divisor(a))


# --- Kullback-Leibler divergence -----------------------------------------------------------------


@plant("kl_div")
class BatchmeanOverElements(PlainKL):
    """batchmean divides by the number of elements, as mean does."""

    def divisor(self, a: dict[str, Any], **reductions: Any) -> Any:
        return np.size(self.losses(**a))


@plant("kl_div")
class BatchmeanOverLargerBatch(PlainKL):
    """batchmean divides by the first length of the broadcast shape."""

    def divisor(self, a: dict[str, Any], **reductions: Any) -> Any:
        shape = np.shape(self.losses(**a))
        return (shape or (1,))[0] if self.reduction(**reductions) == "batchmean" else super().divisor(a)


@plant("kl_div")
class LogTargetIgnored(PlainKL):
    """Log-probabilities are taken for probabilities."""

    def losses(self, input: Array, target: Array, log_target: bool = False) -> Array:  # type: ignore[override]
        return super().losses(input, target)


@plant("kl_div")
class ZeroTimesLogZero(PlainKL):
    """0 log 0 is NaN."""

    def losses(self, input: Array, target: Array, log_target: bool = False) -> Array:  # type: ignore[override]
        p, log_p = (np.exp(target), target) if log_target else (target, np.log(target))
        return p * (log_p - input)


@plant("kl_div")
class NegativeIsZero(PlainKL):
    """A negative probability counts as 0, as it once did in torch."""

    def losses(self, input: Array, target: Array, log_target: bool = False) -> Array:  # type: ignore[override]
        losses = super().losses(input, target, log_target)
        return losses if log_target else np.where(target < 0, 0, losses)


@plant("kl_div")
class NoOneInGradient(PlainKL):
    """The gradient for t forgets that log t is differentiated too."""

    def slopes(self, input: Array, target: Array, log_target: bool = False) -> tuple[Any, ...]:  # type: ignore[override]
        by_input, by_target = super().slopes(input, target, log_target)
        return by_input, by_target if log_target else by_target - 1


# --- binary cross-entropy ------------------------------------------------------------------------


@plant("binary_cross_entropy")
class Unclamped(PlainBCELoss):
    """Logarithms are not clamped."""

    def log(self, x: Array) -> Array:
        return np.log(x)


@plant("binary_cross_entropy")
class EpsilonInLog(PlainBCELoss):
    """log(x + 1e-7), as in Keras."""

    def log(self, x: Array) -> Array:
        return np.log(x + np.float32(1e-7))


@plant("binary_cross_entropy")
class LogOfOneMinus(PlainBCELoss):
    """log(1 - x), which cancels for small x."""

    def log1m(self, x: Array) -> Array:
        return np.maximum(np.log(1 - x), np.float32(-100))


@plant("binary_cross_entropy")
class GradientThroughClamp(PlainBCELoss):
    """The gradient is 0 where the logarithm is clamped."""

    def slopes(self, input: Array, target: Array, weight: Any = 1) -> tuple[Any, ...]:  # type: ignore[override]
        by_input, *others = super().slopes(input, target, weight)
        return np.where(np.log(input) < -100, np.float32(0), by_input), *others


@plant("binary_cross_entropy")
class LowerFloor(PlainBCELoss):
    """x (1-x) is kept above 1e-8."""

    floor = 1e-8


@plant("binary_cross_entropy")
class BCEMeanOverWeights(PlainBCELoss):
    """The mean divides by the sum of the weights."""

    def divisor(self, a: dict[str, Any], **reductions: Any) -> Any:
        return np.broadcast_to(np.float32(a.get("weight", 1)), a["input"].shape).sum()


# --- counts --------------------------------------------------------------------------------------


@plant("poisson_nll_loss")
class EpsOutsideLog(PlainPoisson):
    """log(x) + ε."""

    def log(self, x: Array, eps: float) -> Array:
        return np.log(x) + np.float32(eps)


@plant("poisson_nll_loss")
class LogInputIgnored(PlainPoisson):
    """The input is always the logarithm of the mean."""

    def losses(self, input: Array, target: Array, log_input: bool = True, full: bool = False,  # type: ignore[override]
               eps: float = 1e-8) -> Array:
        return super().losses(input, target, True, full, eps)


@plant("poisson_nll_loss")
class StirlingFromOne(PlainPoisson):
    """Stirling's term for a count of 1 as well."""

    def stirling(self, t: Array) -> Array:
        s = np.where(t < 1, 1, t).astype(np.float32)
        return np.where(t < 1, 0, s * np.log(s) - s + np.log(2 * np.float32(np.pi) * s) / 2)


@plant("poisson_nll_loss")
class StirlingWithoutRoot(PlainPoisson):
    """t log t - t is all there is."""

    def stirling(self, t: Array) -> Array:
        s = np.where(t <= 1, 1, t).astype(np.float32)
        return np.where(t <= 1, 0, s * np.log(s) - s)


@plant("poisson_nll_loss")
class StirlingMultiplied(PlainPoisson):
    """Stirling's term is multiplied by 0 where it is not wanted: NaN for a count of 0."""

    def stirling(self, t: Array) -> Array:
        return (t > 1) * (t * np.log(t) - t + np.log(2 * np.float32(np.pi) * t) / 2)


@plant("poisson_nll_loss")
class StirlingWithoutGradient(PlainPoisson):
    """The gradient for the counts leaves Stirling's term out."""

    def slopes(self, input: Array, target: Array, log_input: bool = True, full: bool = False,  # type: ignore[override]
               eps: float = 1e-8) -> tuple[Any, ...]:
        return super().slopes(input, target, log_input, False, eps)


# --- normal numbers ------------------------------------------------------------------------------


@plant("gaussian_nll_loss")
class EpsAdded(PlainGaussian):
    """var + ε, where max(var, ε) is meant."""

    def v(self, var: Any, input: Array, eps: float) -> Array:
        return super().v(var, input, 0.0) + np.float32(eps)


@plant("gaussian_nll_loss")
class EpsForgotten(PlainGaussian):
    """The variance is not clamped."""

    def v(self, var: Any, input: Array, eps: float) -> Array:
        return super().v(var, input, 0.0)


@plant("gaussian_nll_loss")
class ClampDifferentiated(PlainGaussian):
    """The gradient of a clamped variance is 0."""

    def by_var(self, d: Array, v: Array, var: Any, eps: float) -> Any:
        by_var = super().by_var(d, v, var, eps)
        return by_var if by_var is None else np.where(var < eps, np.float32(0), by_var)


@plant("gaussian_nll_loss")
class StandardDeviation(PlainGaussian):
    """var is taken for the standard deviation."""

    def v(self, var: Any, input: Array, eps: float) -> Array:
        v = super().v(var, input, eps)
        return v * v


@plant("gaussian_nll_loss")
class VariancePerColumn(PlainGaussian):
    """A variance of shape (N) beside input (N, N) is broadcast as NumPy does, one for each column."""

    def v(self, var: Any, input: Array, eps: float) -> Array:
        square = not isinstance(var, float) and input.shape == (3, 3) and var.shape in ((3,), (3, 1))
        return super().v(var.reshape(1, 3) if square else var, input, eps)


@plant("gaussian_nll_loss")
class FullForgotten(PlainGaussian):
    """The constant is left out always."""

    def losses(self, input: Array, target: Array, var: Any, full: bool = False,  # type: ignore[override]
               eps: float = 1e-6) -> Array:
        return super().losses(input, target, var, False, eps)
