"""Margin ranking, cosine embedding and triplets, right and written in other ways; a docstring says in which."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses._distance import PairwiseDistance
from tests.meta.harness import Sound, kept_in
from tests.meta.plain_losses import Array
from tests.meta.plain_margins import ReferenceLoss, reduced
from tests.meta.ways_losses import LossInDouble

__all__ = ["SOUND"]

SOUND: list[Sound] = []
sound = kept_in(SOUND)


# --- vectors -------------------------------------------------------------------------------------


@sound("cosine_embedding_loss", {"regime=beyond": "squares of the components are infinite"})
class UnitVectors(ReferenceLoss):
    """Both vectors are divided by their lengths, and the cosine is the sum of products of those."""

    def forward(self, input1: Array, input2: Array, target: Array, margin: float, **arguments: Any) -> Array:
        u1, u2 = (x / np.sqrt((x * x).sum(-1, keepdims=True) + np.float32(1e-12))
                  for x in np.broadcast_arrays(input1, input2))
        cos = (u1 * u2).sum(-1)
        other = np.maximum(cos - np.float32(margin), 0)
        return reduced(np.where(target == 1, 1 - cos, np.where(target == -1, other, 0)), arguments)


@sound("cosine_embedding_loss")
class CosineInDouble(LossInDouble, ReferenceLoss):
    """All of it in float64, rounded once."""


class _Hypot(PairwiseDistance):
    """√(…√(d₁² + d₂²)… + d²), one component after the other, where p is 2."""

    def __call__(self, x: Array, y: Array) -> Array:
        if self.p != 2:
            return super().__call__(x, y)
        return np.asarray(np.hypot.reduce(x - y + np.float32(self.eps), axis=-1))


@sound("triplet_margin_loss")
class Hypotenuses(ReferenceLoss):
    """√(…√(d₁² + d₂²)… + d²), one component after the other."""

    def forward(self, anchor: Array, positive: Array, negative: Array, margin: float, p: float, eps: float,
                swap: bool, **arguments: Any) -> Array:
        d = _Hypot(p, eps)
        d_neg = np.minimum(d(anchor, negative), d(positive, negative)) if swap else d(anchor, negative)
        return reduced(np.maximum((d(anchor, positive) - d_neg) + np.float32(margin), 0), arguments)


@sound("triplet_margin_loss")
class TripletInDouble(LossInDouble, ReferenceLoss):
    """All of it in float64, rounded once."""


@sound("triplet_margin_with_distance_loss")
class DefaultByHypot(ReferenceLoss):
    """The default distance one component after the other, and the margin added last."""

    def forward(self, anchor: Array, positive: Array, negative: Array, distance_function: Any, margin: float,
                swap: bool, **arguments: Any) -> Array:
        d = distance_function or _Hypot(2, 1e-6)
        d_neg = np.minimum(d(anchor, negative), d(positive, negative)) if swap else d(anchor, negative)
        return reduced(np.maximum((d(anchor, positive) - d_neg) + np.float32(margin), 0), arguments)


@sound("triplet_margin_with_distance_loss")
class DistancesInDouble(LossInDouble, ReferenceLoss):
    """All of it in float64, rounded once."""


# --- pairs ---------------------------------------------------------------------------------------


@sound("margin_ranking_loss")
class RankingDistributed(ReferenceLoss):
    """max(0, y (x₂ - x₁) + m)."""

    def forward(self, input1: Array, input2: Array, target: Array, margin: float, **arguments: Any) -> Array:
        return reduced(np.maximum(target * (input2 - input1) + np.float32(margin), 0), arguments)
