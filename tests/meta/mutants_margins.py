"""Mistakes in margin ranking, cosine embedding and triplets; what a class does not have is the reference's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference import losses
from reference.losses._distance import PairwiseDistance
from reference.numerics import sum_to
from tests.meta.harness import Mutant, mutants_in
from tests.meta.plain_losses import Array
from tests.meta.plain_margins import ReferenceLoss, changed, reduced, reduction_of

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []
plant = mutants_in(MUTANTS)


# --- margin ranking ------------------------------------------------------------------------------


@plant("margin_ranking_loss")
class RankingUpsideDown(ReferenceLoss):
    """The second input is to be above for a target of 1."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**changed(arguments, target=-arguments["target"]))


@plant("margin_ranking_loss")
class RankingMarginSubtracted(ReferenceLoss):
    """-y (x1 - x2) - margin."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**changed(arguments, margin=-arguments["margin"]))


@plant("margin_ranking_loss")
class RankingMarginOutside(ReferenceLoss):
    """max(0, -y (x1 - x2)) + margin."""

    def forward(self, input1: Array, input2: Array, target: Array, margin: float, **arguments: Any) -> Array:
        return reduced(np.maximum(-target * (input1 - input2), 0) + np.float32(margin), arguments)


@plant("margin_ranking_loss")
class RankingTargetIsASign(ReferenceLoss):
    """Only the sign of the target counts."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**changed(arguments, target=np.sign(arguments["target"])))


@plant("margin_ranking_loss")
class RankingKinkIsFlat(ReferenceLoss):
    """No gradient at the kink."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        x1, x2, y = (arguments[k] for k in ("input1", "input2", "target"))
        z = -y * (x1 - x2) + np.float32(arguments["margin"])
        g = np.where(z > 0, grad_output / np.float32(z.size) if reduction_of(arguments) == "mean" else grad_output, 0)
        return sum_to(-y * g, x1.shape), sum_to(y * g, x2.shape), sum_to((x2 - x1) * g, y.shape)


# --- cosine embedding ----------------------------------------------------------------------------


class _Cosine(ReferenceLoss):
    def forward(self, input1: Array, input2: Array, target: Array, margin: float, **arguments: Any) -> Array:
        cos = self.cos(*np.broadcast_arrays(input1, input2))
        other = np.maximum(cos - np.float32(margin), 0)
        return reduced(self.pick(target, 1 - cos, other), arguments)

    def cos(self, x: Array, y: Array) -> Array:
        lengths = np.sqrt((x * x).sum(-1) + np.float32(1e-12)) * np.sqrt((y * y).sum(-1) + np.float32(1e-12))
        return np.asarray((x * y).sum(-1) / lengths)

    def pick(self, y: Array, same: Array, other: Array) -> Array:
        return np.where(y == 1, same, np.where(y == -1, other, 0))


@plant("cosine_embedding_loss")
class CosineWithoutEps(_Cosine):
    """No ε: NaN for a vector of length 0."""

    def cos(self, x: Array, y: Array) -> Array:
        return np.asarray((x * y).sum(-1) / np.sqrt((x * x).sum(-1)) / np.sqrt((y * y).sum(-1)))


@plant("cosine_embedding_loss")
class CosineWithLargestLength(_Cosine):
    """Lengths of at least 1e-8, as in cosine_similarity."""

    def cos(self, x: Array, y: Array) -> Array:
        lengths = [np.maximum(np.sqrt((v * v).sum(-1)), np.float32(1e-8)) for v in (x, y)]
        return np.asarray((x * y).sum(-1) / lengths[0] / lengths[1])


@plant("cosine_embedding_loss")
class CosineOfOneRoot(_Cosine):
    """The root of the product of both squares, which overflows: torch's way."""

    def cos(self, x: Array, y: Array) -> Array:
        return np.asarray((x * y).sum(-1) / np.sqrt(((x * x).sum(-1) + np.float32(1e-12))
                                                    * ((y * y).sum(-1) + np.float32(1e-12))))


@plant("cosine_embedding_loss")
class CosineOfTwoKinds(_Cosine):
    """What is not 1 counts as -1."""

    def pick(self, y: Array, same: Array, other: Array) -> Array:
        return np.where(y == 1, same, other)


@plant("cosine_embedding_loss")
class CosineUnclamped(_Cosine):
    """cos - margin may be negative."""

    def forward(self, input1: Array, input2: Array, target: Array, margin: float, **arguments: Any) -> Array:
        cos = self.cos(*np.broadcast_arrays(input1, input2))
        return reduced(self.pick(target, 1 - cos, cos - np.float32(margin)), arguments)


@plant("cosine_embedding_loss")
class CosineKinkIsFlat(ReferenceLoss):
    """No gradient at the kink."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **changed(arguments, margin=arguments["margin"] + 1e-6))


# --- triplets ------------------------------------------------------------------------------------


class _Triplet(ReferenceLoss):
    def forward(self, anchor: Array, positive: Array, negative: Array, margin: float, p: float, eps: float,
                swap: bool, **arguments: Any) -> Array:
        d = self.distance(p, np.float32(eps))
        d_pos, d_neg = d(anchor, positive), d(anchor, negative)
        d_neg = self.nearer(d_neg, d(positive, negative)) if swap else d_neg
        return reduced(np.maximum(np.float32(margin) + d_pos - d_neg, 0), arguments)

    def distance(self, p: float, eps: Any) -> Callable[[Array, Array], Array]:
        return PairwiseDistance(p, eps)

    def nearer(self, d_neg: Array, d_swap: Array) -> Array:
        return np.minimum(d_neg, d_swap)


@plant("triplet_margin_loss")
class TripletSquared(_Triplet):
    """Distances are squared, as in other papers."""

    def distance(self, p: float, eps: Any) -> Callable[[Array, Array], Array]:
        return lambda x, y: PairwiseDistance(p, eps)(x, y) ** 2


@plant("triplet_margin_loss")
class TripletEpsOfNorm(_Triplet):
    """ε is added to the norm."""

    def distance(self, p: float, eps: Any) -> Callable[[Array, Array], Array]:
        return lambda x, y: PairwiseDistance(p, np.float32(0))(x, y) + eps


@plant("triplet_margin_loss")
class TripletEpsOfSizes(_Triplet):
    """ε is added to |x - y|."""

    def distance(self, p: float, eps: Any) -> Callable[[Array, Array], Array]:
        return lambda x, y: PairwiseDistance(p, np.float32(0))(np.abs(x - y) + eps, np.zeros_like(x))


@plant("triplet_margin_loss")
class TripletBackwards(_Triplet):
    """d(p, a) and d(n, a): ε has the other sign."""

    def distance(self, p: float, eps: Any) -> Callable[[Array, Array], Array]:
        return lambda x, y: PairwiseDistance(p, eps)(y, x)


@plant("triplet_margin_loss")
class TripletEuclidean(_Triplet):
    """p is always 2."""

    def distance(self, p: float, eps: Any) -> Callable[[Array, Array], Array]:
        return PairwiseDistance(2, eps)


@plant("triplet_margin_loss")
class TripletSwapAlways(_Triplet):
    """With swap, d(p, n) takes the place of d(a, n) even if it is larger."""

    def nearer(self, d_neg: Array, d_swap: Array) -> Array:
        return d_swap + 0 * d_neg


@plant("triplet_margin_loss")
class TripletZeroNorm(ReferenceLoss):
    """A norm of 0 has a gradient of NaN."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        gradients = super().backward(grad_output, **arguments)
        equal = np.all(arguments["anchor"] == arguments["positive"]) and arguments["eps"] == 0
        return tuple(g * np.float32(np.nan) if equal and g is not None else g for g in gradients)


@plant("triplet_margin_loss")
class TripletSwapWithoutGradient(ReferenceLoss):
    """The gradient knows no swap."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **changed(arguments, swap=False))


class _WithDistance(ReferenceLoss):
    def forward(self, anchor: Array, positive: Array, negative: Array, distance_function: Any, margin: float,
                swap: bool, **arguments: Any) -> Array:
        d = distance_function or PairwiseDistance(2, np.float32(1e-6))
        d_pos, d_neg, d_swap = self.distances(d, anchor, positive, negative)
        d_neg = np.minimum(d_neg, d_swap) if swap else d_neg
        return reduced(np.maximum(np.float32(margin) + d_pos - d_neg, 0), arguments)

    def distances(self, d: Any, a: Array, p: Array, n: Array) -> tuple[Array, Array, Array]:
        return d(a, p), d(a, n), d(p, n)


@plant("triplet_margin_with_distance_loss")
class DistanceToAnchor(_WithDistance):
    """d(p, a) and d(n, a), as if every distance were symmetric."""

    def distances(self, d: Any, a: Array, p: Array, n: Array) -> tuple[Array, Array, Array]:
        return d(p, a), d(n, a), d(p, n)


@plant("triplet_margin_with_distance_loss")
class DistanceFromNegative(_WithDistance):
    """d(n, p) for the swap."""

    def distances(self, d: Any, a: Array, p: Array, n: Array) -> tuple[Array, Array, Array]:
        return d(a, p), d(a, n), d(n, p)


@plant("triplet_margin_with_distance_loss")
class DistanceAlwaysDefault(_WithDistance):
    """The distance function is not asked."""

    def distances(self, d: Any, a: Array, p: Array, n: Array) -> tuple[Array, Array, Array]:
        return super().distances(PairwiseDistance(2, np.float32(1e-6)), a, p, n)


@plant("triplet_margin_with_distance_loss")
class DistanceWithoutEps(_WithDistance):
    """The default distance has no ε."""

    def distances(self, d: Any, a: Array, p: Array, n: Array) -> tuple[Array, Array, Array]:
        return super().distances(PairwiseDistance(2, np.float32(0)) if isinstance(d, PairwiseDistance) else d, a, p, n)


@plant("triplet_margin_with_distance_loss")
class DistanceSwapIgnored(ReferenceLoss):
    """The gradient knows no swap."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return losses.triplet_margin_with_distance_loss_backward(grad_output, **changed(arguments, swap=False))
