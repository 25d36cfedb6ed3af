"""Right elementwise losses that are written in other ways. A class's docstring says in which one."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np

from tests.meta.harness import Sound, kept_in
from tests.meta.mutants_likelihoods import PlainBCELoss, PlainGaussian, PlainKL, PlainPoisson
from tests.meta.mutants_margins import _Margin, reduced
from tests.meta.mutants_pairs import PlainHinge, PlainHuber, PlainL1, PlainSmoothL1, PlainSoftMargin
from tests.meta.plain_losses import Array
from tests.meta.sound import _LossInDouble, _PairwiseSum, _ReversedSum

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)

#: Infinite terms of a finite difference are no rounding.
BEYOND = MappingProxyType({"regime=beyond": "exp(x) and t x are infinite where their difference is not"})

INTEGERS = MappingProxyType({"target=integer-input": "NumPy widens int64 beside float32 to float64"})


# --- pairs ---------------------------------------------------------------------------------------


@sound("l1_loss")
class AbsoluteByMaximum(_PairwiseSum, PlainL1):
    """max(d, -d); halves are summed on their own."""

    def losses(self, d: Array, w: Any) -> Array:
        return np.asarray(np.maximum(d, -d) * w)


@sound("l1_loss")
class AbsoluteReversed(_ReversedSum, PlainL1):
    """Summed from the end; d / |d| for the sign, and 0 where that is NaN and d is no infinity."""

    def sign(self, d: Array) -> Array:
        return np.where(np.isinf(d), np.sign(d), np.nan_to_num(d / np.abs(d), nan=0.0))


@sound("smooth_l1_loss")
class SmoothByTwoParts(PlainSmoothL1):
    """h²/(2β) + (z - h) with h = min(z, β), in two parts that are both always there."""

    def losses(self, d: Array, w: Any) -> Array:
        z = np.abs(d)
        return z if not self.beta else np.minimum(z, self.beta) ** 2 / (2 * self.beta) + np.maximum(z - self.beta, 0)


@sound("smooth_l1_loss")
class SmoothReversed(_ReversedSum, PlainSmoothL1):
    """Summed from the end; the slope by a scaled difference, clipped to ±1."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return np.asarray(np.clip(d / self.beta, -1, 1) * g if self.beta else super().slope(g, d, w))


@sound("huber_loss")
class HuberClippedOff(PlainHuber):
    """h (z - h/2) with h = min(z, δ)."""

    def losses(self, d: Array, w: Any) -> Array:
        z = np.abs(d)
        h = np.minimum(z, self.delta)
        return np.asarray(w * (h * (z - h / 2)))


@sound("huber_loss")
class HuberBySign(_PairwiseSum, PlainHuber):
    """δ sign(d) outside, d inside; halves are summed on their own."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return np.asarray(g * np.where(np.abs(d) <= self.delta, d, self.delta * np.sign(d)) * w)


@sound("soft_margin_loss")
class SoftMarginLogAddExp(PlainSoftMargin):
    """logaddexp(0, z)."""

    def losses(self, z: Array) -> Array:
        return np.asarray(np.logaddexp(np.float32(0), z))


@sound("soft_margin_loss")
class SoftMarginBranches(PlainSoftMargin):
    """σ(z) as 1 or exp(z), by the sign of z, over 1 + exp(-|z|)."""

    def slope(self, y: Array, z: Array) -> Array:
        e = np.exp(-np.abs(z))
        return np.asarray(-y * np.where(z > 0, np.float32(1), e) / (1 + e))


@sound("hinge_embedding_loss")
class HingeByMinimum(PlainHinge):
    """m - min(m, x) for what is lacking."""

    def lacking(self, x: Array, m: float) -> Array:
        return np.asarray(m - np.minimum(x, np.float32(m)))


@sound("hinge_embedding_loss")
class HingePairwise(_PairwiseSum, PlainHinge):
    """Halves are summed on their own."""


@sound("margin_ranking_loss")
class RankingDistributed(_Margin):
    """max(0, y (x₂ - x₁) + m)."""

    def forward(self, input1: Array, input2: Array, target: Array, margin: float, **arguments: Any) -> Array:
        return reduced(np.maximum(target * (input2 - input1) + np.float32(margin), 0), arguments)


# --- likelihoods ---------------------------------------------------------------------------------


@sound("kl_div")
class KLByDifference(PlainKL):
    """t log t - t x, two products."""

    def losses(self, input: Array, target: Array, log_target: bool = False) -> Array:  # type: ignore[override]
        if log_target:
            return super().losses(input, target, log_target)
        return np.where((target == 0) & (input == input), 0, target * np.log(target) - target * input)


@sound("kl_div")
class KLInDouble(_LossInDouble, PlainKL):
    """All of it in float64, rounded once."""


@sound("binary_cross_entropy")
class BCETermsNegated(PlainBCELoss):
    """The two terms are negated on their own, and weighted last."""

    def losses(self, input: Array, target: Array, weight: Any = 1) -> Array:  # type: ignore[override]
        unweighted = target * -self.log(input) + (1 - target) * -self.log1m(input)
        return np.asarray((weight * unweighted).astype(np.float32))


@sound("binary_cross_entropy")
class BCEReversed(_ReversedSum, PlainBCELoss):
    """Summed from the end."""


@sound("poisson_nll_loss", BEYOND)
class PoissonOneLogarithm(PlainPoisson):
    """Stirling's term as (t + ½) log t - t + ½ log 2π, with one logarithm."""

    def stirling(self, t: Array) -> Array:
        s = np.where(t <= 1, 1, t).astype(np.float32)
        return np.where(t <= 1, 0, (s * np.log(s) - s) + (np.log(s) + np.float32(math.log(2 * math.pi))) / 2)


@sound("poisson_nll_loss", BEYOND)
class PoissonPairwise(_PairwiseSum, PlainPoisson):
    """Halves are summed on their own."""


@sound("gaussian_nll_loss", INTEGERS)
class GaussianHalvesApart(PlainGaussian):
    """½ log v + ½ d (d / v)."""

    def losses(self, input: Array, target: Array, var: Any, full: bool = False,  # type: ignore[override]
               eps: float = 1e-6) -> Array:
        v, d = self.v(var, input, eps), input - target
        losses = np.log(v) / 2 + d * (d / v) / 2
        return np.asarray(losses + np.float32(np.log(2 * np.pi) / 2) if full else losses)


@sound("gaussian_nll_loss", INTEGERS)
class GaussianByRatio(PlainGaussian):
    """½ (1/v - (d/v)²) for the variance."""

    def by_var(self, d: Array, v: Array, var: Any, eps: float) -> Any:
        return None if isinstance(var, float) else (1 / v - (d / v) ** 2) / 2


# --- several labels ------------------------------------------------------------------------------


@sound("multilabel_soft_margin_loss")
class SoftByTwoLogarithms(_Margin):
    """t logaddexp(0, -x) + (1-t) logaddexp(0, x), whose gradient is the reference's."""

    def forward(self, input: Array, target: Array, weight: Any = 1, **arguments: Any) -> Array:
        zero = np.float32(0)
        each = weight * (target * np.logaddexp(zero, -input) + (1 - target) * np.logaddexp(zero, input))
        return reduced(np.asarray(each).sum(input.ndim - 1) / np.float32(input.shape[-1]), arguments)


@sound("multilabel_soft_margin_loss")
class SoftDividedFirst(_Margin):
    """Each element is divided by C, and the quotients summed from the end."""

    def forward(self, input: Array, target: Array, weight: Any = 1, **arguments: Any) -> Array:
        def softplus(x: Array) -> Array:
            return np.asarray(np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0))

        each = np.asarray((target * softplus(-input) + (1 - target) * softplus(input)) * weight)
        axis = input.ndim - 1
        return reduced(np.flip(each / np.float32(input.shape[-1]), axis).sum(axis), arguments)
