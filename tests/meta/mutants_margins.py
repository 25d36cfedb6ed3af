"""Mistakes in losses with margins. A class's docstring says which one; what it does not have is the reference's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracle.cases import registry
from oracle.verdict.compare import Verdict
from reference import losses
from reference.losses._distance import PairwiseDistance
from reference.numerics import sum_to
from tests.meta.harness import NO_NOTE, Mutant
from tests.meta.plain_losses import Array, _reduction

__all__ = ["MUTANTS"]

MUTANTS: list[Mutant] = []


class _Margin:
    """A loss whose forward, backward or both are wrong."""

    op: str

    def forward(self, **arguments: Any) -> Array:
        return registry.get(self.op).implementation(**modern(arguments))  # type: ignore[no-any-return]

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        gradients = registry.get(self.op).backward(grad_output, **modern(arguments))  # type: ignore[attr-defined]
        return gradients  # type: ignore[no-any-return]


def plant(op: str, verdict: Verdict = Verdict.EXCEEDS, note: str = NO_NOTE) -> Callable[[Any], Any]:
    def keep(code: Any) -> Any:
        code.op = op
        MUTANTS.append(Mutant(op, code.__name__, str(code.__doc__), code, verdict=verdict, note=note))
        return code

    return keep


def kind(arguments: dict[str, Any]) -> str:
    return _reduction(arguments.get("reduction", "mean"), arguments.get("size_average"), arguments.get("reduce"))


def reduced(each: Any, arguments: dict[str, Any], divisor: Any = None) -> Array:
    each = np.asarray(each, np.float32)
    if kind(arguments) == "none":
        return each
    return np.asarray(each.sum() / (divisor or each.size or np.nan) if kind(arguments) == "mean" else each.sum())


def modern(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments without the older pair, of which the reference warns."""
    kept = {k: v for k, v in arguments.items() if k not in ("size_average", "reduce")}
    return {**kept, "reduction": kind(arguments)}


def changed(arguments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**arguments, **changes}


# --- margin ranking ------------------------------------------------------------------------------

@plant("margin_ranking_loss")
class RankingUpsideDown(_Margin):
    """The second input is to be above for a target of 1."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**changed(arguments, target=-arguments["target"]))


@plant("margin_ranking_loss")
class RankingMarginSubtracted(_Margin):
    """-y (x1 - x2) - margin."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**changed(arguments, margin=-arguments["margin"]))


@plant("margin_ranking_loss")
class RankingMarginOutside(_Margin):
    """max(0, -y (x1 - x2)) + margin."""

    def forward(self, input1: Array, input2: Array, target: Array, margin: float, **arguments: Any) -> Array:
        return reduced(np.maximum(-target * (input1 - input2), 0) + np.float32(margin), arguments)


@plant("margin_ranking_loss")
class RankingTargetIsASign(_Margin):
    """Only the sign of the target counts."""

    def forward(self, **arguments: Any) -> Array:
        return super().forward(**changed(arguments, target=np.sign(arguments["target"])))


@plant("margin_ranking_loss")
class RankingKinkIsFlat(_Margin):
    """No gradient at the kink."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        x1, x2, y = (arguments[k] for k in ("input1", "input2", "target"))
        z = -y * (x1 - x2) + np.float32(arguments["margin"])
        g = np.where(z > 0, grad_output / np.float32(z.size) if kind(arguments) == "mean" else grad_output, 0)
        return sum_to(-y * g, x1.shape), sum_to(y * g, x2.shape), sum_to((x2 - x1) * g, y.shape)


# --- cosine embedding ----------------------------------------------------------------------------

class _Cosine(_Margin):
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
class CosineKinkIsFlat(_Margin):
    """No gradient at the kink."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **changed(arguments, margin=arguments["margin"] + 1e-6))


# --- multi-margin --------------------------------------------------------------------------------

class _Multi(_Margin):
    def forward(self, input: Array, target: Array, p: int, margin: float, weight: Array | None = None,
                **arguments: Any) -> Array:
        classes = input.shape[-1] if input.ndim else 1
        x, y = input.reshape(-1, classes), target.reshape(-1, 1)
        z = np.float32(margin) - np.take_along_axis(x, y, 1) + x
        w = np.ones_like(x[:, :1]) if weight is None else weight[y]
        each = self.each(z, w, p, np.arange(classes) != y)
        return reduced(each.reshape(target.shape), arguments, self.divisor(w))

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return np.asarray((w * np.where(others, np.maximum(z, 0) ** p, 0)).sum(1) / np.float32(z.shape[1]))

    def divisor(self, w: Array) -> Any:
        return len(w)


@plant("multi_margin_loss")
class MultiWeightInside(_Multi):
    """The weight is raised to the power too, as older documentation has it."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return np.asarray(np.where(others, np.maximum(w * z, 0) ** p, 0).sum(1) / np.float32(z.shape[1]))


@plant("multi_margin_loss")
class MultiOverOthers(_Multi):
    """Divided by the number of other classes."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return np.asarray(super().each(z, w, p, others) * np.float32(z.shape[1] / max(z.shape[1] - 1, 1)))


@plant("multi_margin_loss")
class MultiWithItself(_Multi):
    """The right class counts too: the margin more."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return super().each(z, w, p, np.ones_like(others))


@plant("multi_margin_loss")
class MultiWeightedMean(_Multi):
    """The mean divides by the sum of the weights."""

    def divisor(self, w: Array) -> Any:
        return w.sum()


@plant("multi_margin_loss")
class MultiLargestOnly(_Multi):
    """Only the worst of the other classes counts."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return np.asarray(w[:, 0] * np.where(others, np.maximum(z, 0) ** p, 0).max(1))


@plant("multi_margin_loss")
class MultiDropsNan(_Multi):
    """What does not compare greater than 0 is 0, NaN too: torch's way."""

    def each(self, z: Array, w: Array, p: int, others: Array) -> Array:
        return super().each(np.where(z > 0, z, 0), w, p, others)


@plant("multi_margin_loss")
class MultiGradientOfOnes(_Margin):
    """The gradient of p = 2 is that of p = 1."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **changed(arguments, p=1))


@plant("multi_margin_loss")
class MultiKinkCounts(_Margin):
    """The full gradient at the kink."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        nudge = 1e-6 if arguments["p"] == 1 else 0
        return super().backward(grad_output, **changed(arguments, margin=arguments["margin"] + nudge))


# --- multi-label margin --------------------------------------------------------------------------

@plant("multilabel_margin_loss")
class LabelsBehindTheEnd(_Margin):
    """Labels count wherever they stand; each -1 is passed over."""

    def forward(self, **arguments: Any) -> Array:
        y = arguments["target"]
        return super().forward(**changed(arguments, target=np.sort(y, -1)[..., ::-1] if y.ndim else y))


@plant("multilabel_margin_loss")
class LabelsOnce(_Margin):
    """A label that is listed twice counts once."""

    def forward(self, **arguments: Any) -> Array:
        y = arguments["target"].copy()
        if y.ndim and y.shape[-1] > 1:
            twice = y[..., 1] == y[..., 0]
            y[..., 1] = np.where(twice, -1, y[..., 1])
        return super().forward(**changed(arguments, target=y))


@plant("multilabel_margin_loss")
class LabelsAgainstLabels(_Margin):
    """Labels are compared with each other as well."""

    def forward(self, input: Array, target: Array, **arguments: Any) -> Array:
        classes = input.shape[-1] if input.ndim else 1
        x, y = input.reshape(-1, classes), target.reshape(-1, classes)
        kept = np.cumsum(y < 0, 1) == 0
        z = 1 - np.take_along_axis(x, np.maximum(y, 0), 1)[:, :, None] + x[:, None, :]
        z = np.where(kept[:, :, None] & (np.arange(classes) != y[:, :, None]), np.maximum(z, 0), 0)
        return reduced((z.sum((1, 2)) / np.float32(classes)).reshape(input.shape[:-1]), arguments)


@plant("multilabel_margin_loss")
class LabelsUndivided(_Margin):
    """Not divided by the number of classes."""

    def forward(self, **arguments: Any) -> Array:
        shape = arguments["input"].shape
        return np.asarray(super().forward(**arguments) * np.float32(shape[-1] if shape else 1))


@plant("multilabel_margin_loss")
class LabelsKinkCounts(_Margin):
    """The full gradient at the kink."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        x, y = arguments["input"], arguments["target"]
        if x.ndim == 0:
            return super().backward(grad_output, **arguments)
        kept = np.cumsum(y < 0, -1) == 0
        labels = (kept[..., :, None] & (y[..., :, None] == np.arange(x.shape[-1]))).any(-2)
        return super().backward(grad_output, **changed(arguments, input=x - np.float32(1e-6) * labels))


# --- multi-label soft margin ---------------------------------------------------------------------

@plant("multilabel_soft_margin_loss")
class SoftUndivided(_Margin):
    """Classes are added up, not averaged."""

    def forward(self, **arguments: Any) -> Array:
        return np.asarray(super().forward(**arguments) * np.float32(arguments["input"].shape[-1]))


@plant("multilabel_soft_margin_loss", Verdict.RANGE)
class SoftLogOfSigmoid(_Margin):
    """The logarithm of a sigmoid that has underflowed."""

    def forward(self, input: Array, target: Array, weight: Array | None = None, **arguments: Any) -> Array:
        positive, negative = (-np.log(1 / (1 + np.exp(-x))) for x in (input, -input))
        each = (target * positive + (1 - target) * negative) * (1 if weight is None else weight)
        axis = input.ndim - 1
        return reduced(each.sum(axis) / np.float32(input.shape[axis]), arguments)


@plant("multilabel_soft_margin_loss")
class SoftWeightedMean(_Margin):
    """Divided by the sum of the weights."""

    def forward(self, **arguments: Any) -> Array:
        weight = arguments.get("weight")
        return np.asarray(super().forward(**arguments) / np.float32(1 if weight is None else weight.mean()))


@plant("multilabel_soft_margin_loss")
class SoftGradientOfZero(_Margin):
    """The gradient has σ(x) - t, whatever t is, with an ε for safety."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        grad_input, *others = super().backward(grad_output, **arguments)
        assert grad_input is not None
        return (grad_input + np.float32(1e-7), *others)


@plant("multilabel_soft_margin_loss")
class SoftNegativesForgotten(_Margin):
    """Only t log σ(x)."""

    def forward(self, input: Array, target: Array, weight: Array | None = None, **arguments: Any) -> Array:
        softplus = np.maximum(-input, 0) + np.log1p(np.exp(-np.abs(input)))
        axis = input.ndim - 1
        each = target * softplus * (1 if weight is None else weight)
        return reduced(each.sum(axis) / np.float32(input.shape[axis]), arguments)


# --- triplets ------------------------------------------------------------------------------------

class _Triplet(_Margin):
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
class TripletZeroNorm(_Margin):
    """A norm of 0 has a gradient of NaN."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        gradients = super().backward(grad_output, **arguments)
        equal = np.all(arguments["anchor"] == arguments["positive"]) and arguments["eps"] == 0
        return tuple(g * np.float32(np.nan) if equal and g is not None else g for g in gradients)


@plant("triplet_margin_loss")
class TripletSwapWithoutGradient(_Margin):
    """The gradient knows no swap."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return super().backward(grad_output, **changed(arguments, swap=False))


class _WithDistance(_Margin):
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
class DistanceSwapIgnored(_Margin):
    """The gradient knows no swap."""

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        return losses.triplet_margin_with_distance_loss_backward(grad_output, **changed(arguments, swap=False))
