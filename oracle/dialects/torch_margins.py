"""Rules that torch follows where its own documentation says something else: losses with a margin, and of distances."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from reference import losses, numerics, reduction
from reference.losses.cosine_embedding import EPS

from ..cases.spec import LossSpec
from .calls import Array, with_reduction
from .record import Dialect

__all__ = ["TORCH_MARGINS"]


def _open_clamp(spec: LossSpec) -> LossSpec:
    """max(0, z) has the gradient 1 where z > 0, and 0 at the kink itself: elements of loss 0 have none."""

    @numerics.ieee
    def backward(grad_output: Array, size_average: bool | None = None, reduce: bool | None = None,
                 reduction_: str = "mean", **arguments: Any) -> Any:
        elements = spec.function(**arguments, reduction="none")
        mean = reduction.resolve(reduction_, size_average=size_average, reduce=reduce) == "mean"
        g = np.where(elements > 0, grad_output / elements.size if mean else grad_output, 0)
        return spec.backward(numerics.cast(g, elements.dtype), **arguments, reduction="none")

    return dataclasses.replace(spec, backward=with_reduction(backward))


def _open_hinge(spec: LossSpec) -> LossSpec:
    """max(0, m - x) has the gradient 0 at the kink itself; targets other than -1 have the loss x besides."""

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, margin: float = 1.0,
                 size_average: bool | None = None, reduce: bool | None = None,
                 reduction_: str = "mean") -> tuple[Array | None, None]:
        slope = np.where(target != -1, 1, 0) - np.where((target != 1) & (margin - input > 0), 1, 0)
        mean = reduction.resolve(reduction_, size_average=size_average, reduce=reduce) == "mean"
        g = grad_output / slope.size if mean else grad_output
        return numerics.unbroadcast(g * numerics.cast(slope, input.dtype), input), None

    return dataclasses.replace(spec, backward=with_reduction(backward))


def _overflowing_soft_margin(spec: LossSpec) -> LossSpec:
    """log(1 + e) and -y e / (1 + e) with e = exp(-y x), as they stand."""

    @numerics.ieee
    def function(input: Array, target: Array, size_average: bool | None = None, reduce: bool | None = None,
                 reduction_: str = "mean") -> Array:
        elements = np.log1p(np.exp(-target * input))
        return reduction.reduce_losses(numerics.cast(elements, input.dtype),
                                       reduction.resolve(reduction_, size_average=size_average, reduce=reduce))

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, size_average: bool | None = None,
                 reduce: bool | None = None, reduction_: str = "mean") -> tuple[Array | None, ...]:
        mean = reduction.resolve(reduction_, size_average=size_average, reduce=reduce) == "mean"
        e = np.exp(-target * input)
        g = grad_output / input.size if mean else grad_output
        return numerics.unbroadcast(-g * target * e / (1 + e), input), None

    return dataclasses.replace(spec, function=with_reduction(function), backward=with_reduction(backward))


def _cosine_of_one_root(spec: LossSpec) -> LossSpec:
    """x₁·x₂ / √(|x₁|² |x₂|²): where the product overflows the cosine is 0, and so is its gradient."""

    def with_finite_product(input1: Array, input2: Array) -> Array:
        squares = [np.sum(numerics.widen(x) ** 2, -1) for x in (input1, input2)]
        dtype = getattr(input1, "stands_for", None) or input1.dtype
        largest = {"float16": 65504.0, "bfloat16": 3.39e38, "float32": 3.4e38, "float64": 1.797e308}
        return np.asanyarray(squares[0] * squares[1] < largest.get(dtype.name, np.inf))

    @numerics.ieee
    def function(input1: Array, input2: Array, target: Array, margin: float = 0, size_average: bool | None = None,
                 reduce: bool | None = None, reduction_: str = "mean") -> Array:
        each = losses.cosine_embedding_loss(input1, input2, target, margin, reduction="none")
        of_zero = np.where(target == 1, 1, np.where(target == -1, numerics.relu(0 * target - margin), 0))
        each = numerics.cast(np.where(with_finite_product(input1, input2), each, of_zero), each.dtype)
        return reduction.reduce_losses(each, reduction.resolve(reduction_, size_average=size_average, reduce=reduce))

    @numerics.ieee
    def backward(grad_output: Array, input1: Array, input2: Array, target: Array, margin: float = 0,
                 size_average: bool | None = None, reduce: bool | None = None, reduction_: str = "mean") -> Any:
        shape = np.broadcast_shapes(np.broadcast_shapes(input1.shape, input2.shape)[:-1], target.shape)
        mean = reduction.resolve(reduction_, size_average=size_average, reduce=reduce) == "mean"
        g = grad_output / int(np.prod(shape)) if mean else grad_output
        g = np.where(with_finite_product(input1, input2), np.broadcast_to(g, shape, subok=True), 0)
        return losses.cosine_embedding_loss_backward(g, input1, input2, target, margin, reduction="none")

    return dataclasses.replace(spec, function=with_reduction(function), backward=with_reduction(backward))


def _cosine_of_own_lengths(spec: LossSpec) -> LossSpec:
    """x₁·x₂ / (|x₁| |x₂|), where a vector of one column is stretched for the product alone, and not for its length."""

    def cosine(input1: Array, input2: Array) -> tuple[Array, list[Array]]:
        wide = [numerics.widen(x) for x in (input1, input2)]
        lengths = [np.sqrt(np.sum(x * x, -1, keepdims=True) + EPS) for x in wide]
        return np.asanyarray(np.sum(wide[0] * wide[1], -1, keepdims=True) / lengths[0] / lengths[1]), lengths

    @numerics.ieee
    def function(input1: Array, input2: Array, target: Array, margin: float = 0, size_average: bool | None = None,
                 reduce: bool | None = None, reduction_: str = "mean") -> Array:
        cos = cosine(input1, input2)[0][..., 0]
        each = np.where(target == 1, 1 - cos, np.where(target == -1, numerics.relu(cos - margin), 0))
        return reduction.reduce_losses(numerics.cast(each, numerics.result_type(input1, input2)), reduction.resolve(
            reduction_, size_average=size_average, reduce=reduce))

    @numerics.ieee
    def backward(grad_output: Array, input1: Array, input2: Array, target: Array, margin: float = 0,
                 size_average: bool | None = None, reduce: bool | None = None, reduction_: str = "mean") -> Any:
        cos, lengths = cosine(input1, input2)
        y, g = target[..., None], grad_output[..., None]
        g = np.where(y == 1, -g, np.where((y == -1) & (cos >= margin), g, 0))
        g = g / g.size if reduction.resolve(reduction_, size_average=size_average, reduce=reduce) == "mean" else g
        u1, u2 = numerics.widen(input1) / lengths[0], numerics.widen(input2) / lengths[1]
        shape = np.broadcast_shapes(input1.shape, input2.shape, g.shape)
        gradients = []
        for x, u, v, length in ((input1, u1, u2, lengths[0]), (input2, u2, u1, lengths[1])):
            first, second = (np.where((y == 1) | (y == -1), part * g / length, 0) for part in (v, cos * u))
            stretched = np.broadcast_to(first, shape, subok=True)
            slope = numerics.sum_to(stretched, x.shape) - numerics.sum_to(second, x.shape)
            gradients.append(numerics.unbroadcast(slope, x))
        return *gradients, None

    return dataclasses.replace(spec, function=with_reduction(function), backward=with_reduction(backward))


def _unmasked_cosine(spec: LossSpec) -> LossSpec:
    """The gradient of every pair is multiplied out, of those that do not count by 0: 0 · NaN is NaN."""

    @numerics.ieee
    def backward(grad_output: Array, input1: Array, input2: Array, target: Array, *args: Any, **kwargs: Any) -> Any:
        gradients = losses.cosine_embedding_loss_backward(grad_output, input1, input2, target, *args, **kwargs)
        lost = np.sum(0 * input1 + 0 * input2, -1, keepdims=True) + 0 * np.zeros(target.shape)[..., None]
        lost = lost + 0 * (input1 + input2)
        return tuple(None if g is None else numerics.cast(g + numerics.sum_to(lost, g.shape), g.dtype)
                     for g in gradients)

    return dataclasses.replace(spec, backward=backward)


def _multi_margin_drops_nan(spec: LossSpec) -> LossSpec:
    """z where z > 0, else 0: of a z that is NaN no loss is left."""

    @numerics.ieee
    def function(input: Array, target: Array, p: int = 1, margin: float = 1.0, weight: Array | None = None,
                 size_average: bool | None = None, reduce: bool | None = None, reduction_: str = "mean") -> Array:
        x, y = input.reshape(target.size, max(input.shape[-1:], default=1)), target.reshape(-1, 1)
        z = margin - np.take_along_axis(x, y, 1) + x
        z = np.where((np.arange(x.shape[1]) != y) & (z > 0), z, 0)
        each = np.sum(z**p, 1) / x.shape[1] * (1 if weight is None else weight[y[:, 0]])
        return reduction.reduce_losses(each.reshape(target.shape), reduction.resolve(
            reduction_, size_average=size_average, reduce=reduce))

    return dataclasses.replace(spec, function=with_reduction(function))


def _multilabel_margin_drops_nan(spec: LossSpec) -> LossSpec:
    """max(0, z) of each pair of a label and another class is z where z > 0, and 0 otherwise, of NaN too."""

    @numerics.ieee
    def function(input: Array, target: Array, size_average: bool | None = None, reduce: bool | None = None,
                 reduction_: str = "mean") -> Array:
        x = input.reshape(-1, max(input.shape[-1:], default=1))
        labels = target.reshape(x.shape)
        labels = np.where(np.cumsum(labels < 0, 1) > 0, -1, labels)
        count = (labels[:, :, None] == np.arange(x.shape[1])).sum(1)
        z = 1 - x[:, :, None] + x[:, None, :]
        z = np.where((count > 0)[:, :, None] & (count == 0)[:, None, :] & (z > 0), z, 0) * count[:, :, None]
        each = numerics.cast(np.sum(z, (1, 2)) / x.shape[1], input.dtype).reshape(input.shape[:-1])
        return reduction.reduce_losses(each, reduction.resolve(reduction_, size_average=size_average, reduce=reduce))

    return dataclasses.replace(spec, function=with_reduction(function))


def _two_logs_multilabel_soft(spec: LossSpec) -> LossSpec:
    """The gradient of the target is log σ(-x) - log σ(x), for -x."""

    @numerics.ieee
    def backward(grad_output: Array, input: Array, target: Array, weight: Array | None = None,
                 *args: Any, **kwargs: Any) -> Any:
        arguments = (grad_output, input, target, weight, *args)
        grad_input, grad_target, grad_weight = losses.multilabel_soft_margin_loss_backward(*arguments, **kwargs)
        if grad_target is not None:  # the loss is w (-log σ(-x)) + t w (log σ(-x) - log σ(x)): linear in t
            x = numerics.widen(input)
            two_logs = numerics.log_sigmoid(-x) - numerics.log_sigmoid(x)
            shape = np.broadcast_shapes(input.shape, target.shape, () if weight is None else weight.shape)
            axis = input.ndim - 1
            reduced = reduction.resolve(kwargs.get("reduction", "mean"), size_average=kwargs.get("size_average"),
                                        reduce=kwargs.get("reduce"), old_name=False)
            g = numerics.widen(grad_output)
            g = np.expand_dims(g, axis) if reduced == "none" else g
            if reduced == "mean":
                g = g / int(np.prod(shape[:axis] + shape[axis + 1:]))
            g = g / input.shape[axis] * (1 if weight is None else numerics.widen(weight))
            grad_target = numerics.unbroadcast(np.broadcast_to(g * two_logs, shape, subok=True), target)
        return grad_input, grad_target, grad_weight

    return dataclasses.replace(spec, backward=backward)


def _plain_norms(spec: LossSpec) -> LossSpec:
    """(Σ |d|^p)^(1/p) with the powers as they are."""

    @numerics.ieee
    def norm(x: Array, y: Array, p: Any, eps: Any) -> Array:
        d = np.abs(numerics.widen(x) - numerics.widen(y) + eps)
        if p == np.inf:
            return np.asanyarray(np.max(d, -1))
        return np.asanyarray(np.sqrt(np.sum(d * d, -1)) if p == 2 else np.sum(d**p, -1) ** (1 / p))

    @numerics.ieee
    def function(anchor: Array, positive: Array, negative: Array, margin: float = 1.0, p: float = 2,
                 eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
                 reduce: bool | None = None, reduction_: str = "mean") -> Array:
        d_neg = norm(anchor, negative, p, eps)
        d_neg = np.minimum(d_neg, norm(positive, negative, p, eps)) if swap else d_neg
        each = numerics.relu(margin + norm(anchor, positive, p, eps) - d_neg)
        dtype = numerics.result_type(anchor, positive, negative)
        return reduction.reduce_losses(numerics.cast(each, dtype), reduction.resolve(
            reduction_, size_average=size_average, reduce=reduce))

    @numerics.ieee
    def backward(grad_output: Array, anchor: Array, positive: Array, negative: Array, margin: float = 1.0,
                 p: float = 2, eps: float = 1e-6, *args: Any, **kwargs: Any) -> Any:
        """The value is the reference's; but where powers overflow, an evaluation loses its range."""
        gradients = losses.triplet_margin_loss_backward(grad_output, anchor, positive, negative, margin, p, eps,
                                                        *args, **kwargs)
        powers = [numerics.widen(x) - numerics.widen(y) for x, y in
                  ((anchor, positive), (anchor, negative), (positive, negative))]
        lost = sum(0 * np.sum(np.abs(d) ** p) for d in powers) if p != np.inf else 0
        return tuple(None if g is None else numerics.cast(g + lost, g.dtype) for g in gradients)

    return dataclasses.replace(spec, function=with_reduction(function), backward=backward)


TORCH_MARGINS = (
    Dialect("soft-margin-overflow", "soft_margin_loss", "an exponential that overflows",
            "the loss is log(1 + e) and the gradient -y e / (1 + e) with e = exp(-y x), which overflows: the one is "
            "inf then, the other NaN", "torch 0.4 to 2.13", _overflowing_soft_margin),
    Dialect("cosine-one-root", "cosine_embedding_loss", "one root of the product of both squared lengths",
            "the divisor is the root of the product of both squared lengths, and the cosine 0 where that overflows",
            "torch 0.4 to 2.13", _cosine_of_one_root),
    Dialect("cosine-own-lengths", "cosine_embedding_loss", "the length of one column alone",
            "a vector of one column beside vectors of many has the length of that one component",
            "torch 2.13", _cosine_of_own_lengths),
    Dialect("cosine-unmasked", "cosine_embedding_loss", "pairs that do not count multiplied by 0",
            "gradients of pairs that do not count are 0 times the cosine's, NaN where the pair holds NaN or infinity",
            "torch 0.4 to 2.13", _unmasked_cosine),
    Dialect("hinge-open", "hinge_embedding_loss", "no gradient at the kink",
            "the gradient of max(0, m - x) is 0 at x = m, and not -1", "torch from 2.14 on", _open_hinge),
    Dialect("ranking-open", "margin_ranking_loss", "no gradient at the kink",
            "the gradient of max(0, z) is 0 at z = 0, and not 1", "torch from 2.14 on", _open_clamp),
    Dialect("cosine-open", "cosine_embedding_loss", "no gradient at the kink",
            "the gradient of max(0, cos - m) is 0 where cos = m, and not 1", "torch from 2.14 on", _open_clamp),
    Dialect("multi-margin-drops-nan", "multi_margin_loss", "NaN that counts as no loss",
            "max(0, z) is z where z > 0, else 0: 0 for NaN", "torch 0.4 to 2.13", _multi_margin_drops_nan),
    Dialect("multilabel-margin-drops-nan", "multilabel_margin_loss", "NaN that counts as no loss",
            "max(0, z) is z where z > 0, else 0: 0 for NaN", "torch 0.4 to 2.13", _multilabel_margin_drops_nan),
    Dialect("multilabel-soft-two-logs", "multilabel_soft_margin_loss",
            "a difference of two logarithms as gradient of the target",
            "the gradient of the target is log σ(-x) - log σ(x), which cancels for small x, and not -x",
            "torch 0.4 to 2.13", _two_logs_multilabel_soft),
    Dialect("triplet-open", "triplet_margin_loss", "no gradient at the kink",
            "the gradient of max(0, z) is 0 at z = 0, and not 1", "torch from 2.14 on", _open_clamp),
    Dialect("triplet-distance-open", "triplet_margin_with_distance_loss", "no gradient at the kink",
            "the gradient of max(0, z) is 0 at z = 0, and not 1", "torch from 2.14 on", _open_clamp),
    Dialect("triplet-plain-norm", "triplet_margin_loss", "norms of unscaled powers",
            "norms are (Σ |d|^p)^(1/p) without scaling: infinite, with a gradient of 0, where the powers overflow",
            "torch 1.13 to 2.13", _plain_norms),
)
