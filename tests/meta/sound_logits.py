"""Cross-entropies of logits, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.meta.harness import Sound, kept_in
from tests.meta.plain_losses import Array, PlainBCE, PlainCrossEntropy
from tests.meta.ways_losses import ExactSum, LossInDouble, PairwiseSum, ReversedSum

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)

_LOST = "p = exp(x - lse) loses what rounding lse does, at logits of 1e4 a thousandth: an error of such kernels"


# --- cross-entropy -------------------------------------------------------------------------------


@sound("cross_entropy")
class PlainCE(PlainCrossEntropy):
    """As the mutants have it without their mistakes."""


@sound("cross_entropy")
class CEInDouble(LossInDouble, PlainCrossEntropy):
    """All of it in float64, rounded once."""


@sound("cross_entropy")
class CEReversed(ReversedSum, PlainCrossEntropy):
    """Losses summed from the end."""


@sound("cross_entropy")
class CEExactSum(ExactSum, PlainCrossEntropy):
    """Losses summed without error."""


@sound("cross_entropy", unlike={"regime=huge": _LOST})
class LogSumExp(PlainCrossEntropy):
    """x - lse, as fused kernels have it, with lse = max + log Σ exp(x - max)."""

    def log_p(self, x: Array) -> Array:
        largest = x.max(1, keepdims=True)
        return x - (largest + np.log(np.exp(x - largest).sum(1, keepdims=True)))


@sound("cross_entropy", unlike={
    "regime=inf": "logaddexp(a, inf) is inf and not NaN, so that beside an infinite logit the others have p = 0, where "
                  "inf - inf makes the whole row NaN",
    "regime=huge": _LOST})
class LogAddExp(PlainCrossEntropy):
    """x - lse, with lse by logaddexp of one class after the other."""

    def log_p(self, x: Array) -> Array:
        return x - np.logaddexp.reduce(x, 1, keepdims=True)


@sound("cross_entropy")
class OnlineSoftmax(PlainCrossEntropy):
    """Maximum and sum in one pass, the sum scaled where the maximum rises."""

    def log_p(self, x: Array) -> Array:
        largest, total = x[:, :1], np.ones_like(x[:, :1])
        for c in range(1, x.shape[1]):
            new = np.maximum(largest, x[:, c:c + 1])
            total = total * np.exp(largest - new) + np.exp(x[:, c:c + 1] - new)
            largest = new
        return (x - largest) - np.log(total)


@sound("cross_entropy")
class Log1pOfOthers(PlainCrossEntropy):
    """The largest term of the sum is 1, and log1p has the others; they are summed from the end."""

    def log_p(self, x: Array) -> Array:
        shifted = x - x.max(1, keepdims=True)
        e = np.exp(shifted)
        np.put_along_axis(e, x.argmax(1, keepdims=True), 0, 1)
        return shifted - np.log1p(e[:, ::-1].sum(1, keepdims=True) + 0 * shifted.max(1, keepdims=True))


@sound("cross_entropy")
class SoftmaxByDivision(PlainCrossEntropy):
    """p = exp(x - max) / Σ for the gradient, and not exp(log p)."""

    def p(self, x: Array) -> Array:
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)


# --- binary cross-entropy ------------------------------------------------------------------------


@sound("binary_cross_entropy_with_logits")
class PlainBCEWithLogits(PlainBCE):
    """As the mutants have it without their mistakes."""


@sound("binary_cross_entropy_with_logits")
class BCEInDouble(LossInDouble, PlainBCE):
    """All of it in float64, rounded once."""


@sound("binary_cross_entropy_with_logits")
class BCEPairwise(PairwiseSum, PlainBCE):
    """Halves are summed on their own."""


@sound("binary_cross_entropy_with_logits")
class BCELogAddExp(PlainBCE):
    """softplus(x) = logaddexp(0, x)."""

    def softplus(self, x: Array) -> Array:
        return np.logaddexp(np.float32(0), x)


@sound("binary_cross_entropy_with_logits")
class LogSigmoid(PlainBCE):
    """-v t log σ(x) - (1-t) log σ(-x), with log σ(x) = min(x, 0) - log1p(exp(-|x|))."""

    def losses(self, x: Array, t: Array, v: Any) -> Array:
        def log_sigmoid(x: Array) -> Array:
            return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))

        return -(v * t) * log_sigmoid(x) - (1 - t) * log_sigmoid(-x)


@sound("binary_cross_entropy_with_logits")
class NaiveSigmoid(PlainBCE):
    """1 / (1 + exp(-x)), which is 0 where exp overflows."""

    def sigmoid(self, x: Array) -> Array:
        return np.asarray(1 / (1 + np.exp(-x)))
