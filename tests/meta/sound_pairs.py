"""Losses of pairs, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.meta.harness import Sound, kept_in
from tests.meta.mutants_pairs import PlainHinge, PlainHuber, PlainL1, PlainSmoothL1, PlainSoftMargin
from tests.meta.plain_losses import Array, PlainMSE
from tests.meta.ways_losses import ExactSum, LossInDouble, PairwiseSum, ReversedSum, RunningSum

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)


# --- mean squared error --------------------------------------------------------------------------


@sound("mse_loss")
class MSEInDouble(LossInDouble, PlainMSE):
    """All of it in float64, rounded once."""


@sound("mse_loss")
class MSEReversed(ReversedSum, PlainMSE):
    """Summed from the end."""


@sound("mse_loss")
class MSERunning(RunningSum, PlainMSE):
    """The last of the partial sums."""


@sound("mse_loss")
class MSEExactSum(ExactSum, PlainMSE):
    """Summed without error."""


@sound("mse_loss")
class MSEPairwise(PairwiseSum, PlainMSE):
    """Halves are summed on their own."""


@sound("mse_loss")
class DotProduct(PlainMSE):
    """d · (w d), by BLAS."""

    def reduced(self, losses: Array, reduction: str, divisor: Any) -> Array:
        if reduction == "none":
            return losses
        total = np.dot(self.d.ravel(), self.w_d.ravel())
        return np.asarray(total / divisor if reduction == "mean" else total)

    def losses(self, d: Array, w: Any) -> Array:
        self.d, self.w_d = np.asarray(d), np.asarray(w * d)
        return self.d * self.w_d


@sound("mse_loss")
class DividedFirst(PlainMSE):
    """Each loss is divided, and the quotients summed."""

    def reduced(self, losses: Array, reduction: str, divisor: Any) -> Array:
        if reduction != "mean" or not losses.size:
            return super().reduced(losses, reduction, divisor)
        return np.asarray(np.sum(losses / divisor))


@sound("mse_loss")
class SlopeReordered(PlainMSE):
    """(g w) (d + d)."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return (g * w) * (d + d)


# --- pairs ---------------------------------------------------------------------------------------


@sound("l1_loss")
class AbsoluteByMaximum(PairwiseSum, PlainL1):
    """max(d, -d); halves are summed on their own."""

    def losses(self, d: Array, w: Any) -> Array:
        return np.asarray(np.maximum(d, -d) * w)


@sound("l1_loss")
class AbsoluteReversed(ReversedSum, PlainL1):
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
class SmoothReversed(ReversedSum, PlainSmoothL1):
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
class HuberBySign(PairwiseSum, PlainHuber):
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
class HingePairwise(PairwiseSum, PlainHinge):
    """Halves are summed on their own."""
