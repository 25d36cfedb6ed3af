"""Losses that are likelihoods, right and written in other ways; a docstring says in which."""

from __future__ import annotations

import math
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.harness import Sound, kept_in
from tests.meta.mutants_layers import PlainAdaptive, PlainLinearCE
from tests.meta.mutants_sequences import PlainCTC
from tests.meta.plain_likelihoods import PlainBCELoss, PlainGaussian, PlainKL, PlainNLL, PlainPoisson
from tests.meta.plain_losses import Array
from tests.meta.ways_losses import LossInDouble, PairwiseSum, ReversedSum

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)

#: Infinite terms of a finite difference are no rounding.
BEYOND = MappingProxyType({"regime=beyond": "exp(x) and t x are infinite where their difference is not"})

INTEGERS = MappingProxyType({"target=integer-input": "NumPy widens int64 beside float32 to float64"})

for _op, _plain in (("nll_loss", PlainNLL), ("linear_cross_entropy", PlainLinearCE),
                    ("adaptive_log_softmax_with_loss", PlainAdaptive), ("ctc_loss", PlainCTC)):
    sound(_op)(_plain)  # as the mutants have them without their mistakes


# --- likelihoods ---------------------------------------------------------------------------------


@sound("nll_loss")
class OneHotRows(PlainNLL):
    """All but the target's class are masked, and rows summed."""

    def rows(self, log_p: Array, a: SimpleNamespace) -> Array:
        hit = np.arange(a.classes)[None, :, None] == a.y
        return -np.where(hit, log_p, 0).sum(1) * a.w_y


# --- likelihoods ---------------------------------------------------------------------------------


@sound("kl_div")
class KLByDifference(PlainKL):
    """t log t - t x, two products."""

    def losses(self, input: Array, target: Array, log_target: bool = False) -> Array:  # type: ignore[override]
        if log_target:
            return super().losses(input, target, log_target)
        return np.where((target == 0) & (input == input), 0, target * np.log(target) - target * input)


@sound("kl_div")
class KLInDouble(LossInDouble, PlainKL):
    """All of it in float64, rounded once."""


@sound("binary_cross_entropy")
class BCETermsNegated(PlainBCELoss):
    """The two terms are negated on their own, and weighted last."""

    def losses(self, input: Array, target: Array, weight: Any = 1) -> Array:  # type: ignore[override]
        unweighted = target * -self.log(input) + (1 - target) * -self.log1m(input)
        return np.asarray((weight * unweighted).astype(np.float32))


@sound("binary_cross_entropy")
class BCEReversed(ReversedSum, PlainBCELoss):
    """Summed from the end."""


@sound("poisson_nll_loss", BEYOND)
class PoissonOneLogarithm(PlainPoisson):
    """Stirling's term as (t + ½) log t - t + ½ log 2π, with one logarithm."""

    def stirling(self, t: Array) -> Array:
        s = np.where(t <= 1, 1, t).astype(np.float32)
        return np.where(t <= 1, 0, (s * np.log(s) - s) + (np.log(s) + np.float32(math.log(2 * math.pi))) / 2)


@sound("poisson_nll_loss", BEYOND)
class PoissonPairwise(PairwiseSum, PlainPoisson):
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


# --- likelihoods ---------------------------------------------------------------------------------


@sound("linear_cross_entropy")
class ProductsInDouble(PlainLinearCE):
    """Products of matrices in float64, their results rounded to float32."""

    def narrowed(self, x: Array) -> Array:
        return x.astype(np.float64)

    def weight_gradient(self, delta: Array, x: Array) -> Array:
        return super().weight_gradient(delta.astype(np.float64), x).astype(x.dtype)


@sound("adaptive_log_softmax_with_loss")
class AdaptiveLogSumExp(PlainAdaptive):
    """z - lse, as fused kernels have it."""

    def log_softmax(self, z: Array) -> Array:
        return z - (z.max() + np.log(np.exp(z - z.max()).sum()))


@sound("ctc_loss")
class CTCInDouble(LossInDouble, PlainCTC):
    """All of it in float64, rounded once."""
