"""Cross-entropy between logits and class indices or class probabilities."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from ..numerics import Array, array, cast, ieee, is_floating, log_softmax, result_type, total, unbroadcast
from ..reduction import reduce_losses, resolve, share
from ._classes import (
    check_indices,
    check_weights,
    class_axis,
    class_weights,
    drop_rows,
    log_partition,
    pick,
    places,
    row_weights,
    scaled_softmax,
    split_ignored,
)
from ._module import module_class

__all__ = ["CrossEntropyLoss", "cross_entropy", "cross_entropy_backward"]


@ieee
def cross_entropy(input: Array, target: Array, weight: Array | None = None, size_average: bool | None = None,
                  ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Array:
    r"""Cross-entropy of softmax(input) relative to class indices or class probabilities.

    With log p = log_softmax(x), class weights w and smoothing ε over C classes, the loss of a row is::

        -(1-ε) w_y log p_y - ε/C Σ_c w_c log p_c        for the index y of a class
        -Σ_c w_c ((1-ε) t_c + ε/C) log p_c              for probabilities t

    Args:
        input: logits x, shape (C), (N, C) or (N, C, d1, ..., dK), floating.
        target: indices, int64 or uint8, of the shape of ``input`` without C; or probabilities, floating, of
            the shape of ``input``. The shape decides which. Probabilities need not add up to 1.
        weight: w, shape (C), or None for ones; beside indices in the dtype of ``input``.
        size_average, reduce: the older form of ``reduction``.
        ignore_index: rows with this index count as 0 and have no gradient.
        reduction: "none", "mean" or "sum". The mean divides by Σ w_y over the rows that are not ignored
            (smoothed or not), but beside probabilities by the number of rows, whatever the weights. It is
            NaN where no row weighs anything, smoothed too: a sum of two means, of which one is 0/0.
        label_smoothing: ε, at most 1; one that is negative or NaN counts as 0.

    Returns:
        The loss: shape of ``input`` without C, or () when reduced; NaN for the mean of no rows. As in torch, it is
        NaN too for the mean beside probabilities of no classes, however many rows there are, and, smoothed, for
        whatever is asked beside indices of no classes (0 times ε/0); the sum beside probabilities is -0.0 where
        there is nothing to add up, since it is the sum of log p that has its sign changed.

    Raises:
        IndexError: an index is outside of 0..C-1 and not ignored, or ``input`` has no dimension.
        ValueError: the batches differ in size, or ``reduction`` is unknown.
        TypeError: an argument is no array, ``ignore_index`` no integer or ``label_smoothing`` no number.
        NotImplementedError: ``input`` is not floating.
        RuntimeError: another shape, dtype or number does not fit.

    torch differs from this text in three places. A row that is ignored but holds NaN or inf has a NaN
    gradient there. In float16 it rounds the sum before it divides, so that a mean may be infinite or NaN.
    And for input (C) it smooths a target of shape (), but not one of shape (1,).

    >>> cross_entropy(np.log([[1.0, 3.0]]), np.array([1])).round(6).item()
    0.287682

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.2.2.3; label smoothing: Szegedy
    et al., Rethinking the Inception Architecture for Computer Vision (2016), section 7; weights and mean:
    documentation of torch.nn.CrossEntropyLoss.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, axis, epsilon = _prepare(input, target, weight, ignore_index, label_smoothing)
    if target.shape == input.shape:
        log_p = log_softmax(x, axis) * class_weights(weight, x)
        scores = total(log_p * _smoothed(cast(target, x.dtype), epsilon, axis), axis)
        return np.asanyarray(-reduce_losses(cast(scores, x.dtype), reduction, scores.size if x.size else 0))
    kept, y = split_ignored(target, ignore_index, x)
    if not x.shape[axis]:  # no row counts: 0, and smoothed 0 · ε/C
        return cast(reduce_losses(total(x, axis), reduction, 0) * (np.inf if epsilon else 1), x.dtype)
    largest, log_sum = log_partition(x, axis)
    losses = log_sum - (pick(x, y, axis) - largest)
    w_y = None if weight is None else row_weights(weight, kept, y)
    losses = losses if w_y is None else losses * w_y
    if epsilon:
        all_classes = total(log_softmax(x, axis) * class_weights(weight, x), axis)
        losses = (1 - epsilon) * losses + _share(epsilon, x, axis) * -all_classes
    losses = cast(np.where(kept, losses, 0), x.dtype)
    if w_y is None:
        return reduce_losses(losses, reduction, int(np.count_nonzero(kept)))
    if not w_y.any():  # also where the smoothed loss is not 0
        w_y = np.full_like(w_y, np.nan)
    return reduce_losses(losses, reduction, w_y)


@ieee
def cross_entropy_backward(
        grad_output: Array, input: Array, target: Array, weight: Array | None = None,
        size_average: bool | None = None, ignore_index: int = -100, reduce: bool | None = None,
        reduction: str = "mean", label_smoothing: float = 0.0,
) -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`cross_entropy`: p_c Σ_k q_k - q_c, where q_c is the coefficient of -log p_c.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, weight, size_average, ignore_index, reduce, reduction, label_smoothing:
            as for :func:`cross_entropy`.

    Returns:
        Gradients of input, target and weight; None for indices and for weights beside indices (torch
        refuses to differentiate those), and for a weight that is None.

    Raises:
        What :func:`cross_entropy` raises.

    >>> cross_entropy_backward(np.array(1.0), np.zeros((1, 2)), np.array([1]))[0]
    array([[ 0.5, -0.5]])

    Source: the derivative of log p_c with respect to x_k is [c = k] - p_k.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, axis, epsilon = _prepare(input, target, weight, ignore_index, label_smoothing)
    g = cast(grad_output, x.dtype)
    if target.shape == input.shape:
        log_p, w = log_softmax(x, axis), class_weights(weight, x)
        rows = x.shape[:axis] + x.shape[axis + 1:]
        g = _per_class(share(g, math.prod(rows)) if reduction == "mean" else g, axis)
        t = _smoothed(cast(target, x.dtype), epsilon, axis)
        q = g * t * w
        grad_target = unbroadcast((1 - epsilon) * (-g * w * log_p), target)
        grad_weight = None if weight is None else unbroadcast(np.moveaxis(-g * t * log_p, axis, -1), weight)
        return cast(np.exp(log_p) * total(q, axis, keepdims=True) - q, input.dtype), grad_target, grad_weight
    kept, y = split_ignored(target, ignore_index, x)
    if not x.size:
        return np.zeros_like(input), None, None
    w_y: Any = 1 if weight is None else row_weights(weight, kept, y)
    if reduction == "mean":
        g = share(g, int(np.count_nonzero(kept)) if weight is None else total(w_y))
    if epsilon:
        q = _share(epsilon, x, axis) * class_weights(weight, x)
        q[places(y, axis)] += (1 - epsilon) * w_y
        q = q * _per_class(g, axis)
        grad_input = scaled_softmax(x, total(q, axis), axis) - q
    else:
        grad_input = scaled_softmax(x, g * w_y, axis)
        grad_input[places(y, axis)] -= g * w_y
    drop_rows(grad_input, kept, axis)
    return cast(grad_input, input.dtype), None, None


def _prepare(input: Array, target: Array, weight: Array | None, ignore_index: int,
             label_smoothing: float) -> tuple[Array, int, Any]:
    """The checked arguments: logits in the common dtype, the axis of classes, and ε."""
    input, target = array("input", input), array("target", target)
    weights = () if weight is None else (array("weight", weight),)
    if not isinstance(label_smoothing, numbers.Real):
        raise TypeError(f"label_smoothing must be a number, not {type(label_smoothing).__name__}")
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, numbers.Integral):
        raise TypeError(f"ignore_index must be an integer, not {type(ignore_index).__name__}")
    if label_smoothing > 1:
        raise RuntimeError(f"label_smoothing must be between 0 and 1, not {label_smoothing}")
    if target.shape != input.shape:
        check_indices(input, target)
        if any(w.dtype != input.dtype for w in weights):
            raise RuntimeError(f"weight must have the dtype of input, {input.dtype}, not {weights[0].dtype}")
    elif not is_floating(target):
        raise RuntimeError(f"target of the shape of input must be floating probabilities, not {target.dtype}")
    elif ignore_index >= 0:
        raise RuntimeError(f"ignore_index must be negative beside probabilities, not {ignore_index}")
    if not is_floating(input):
        raise NotImplementedError(f"input must be floating, not {input.dtype}")
    x = cast(input, result_type(input, target, *weights))
    check_weights(weight, x)
    epsilon = label_smoothing.item() if isinstance(label_smoothing, np.generic) else label_smoothing
    return x, class_axis(x), max(0, epsilon)  # 0 for NaN


def _share(epsilon: Any, x: Array, axis: int) -> Any:
    """The smoothing that each class has: ε/C."""
    return epsilon / x.shape[axis] if x.shape[axis] else np.inf


def _smoothed(t: Array, epsilon: Any, axis: int) -> Array:
    """(1-ε) t + ε/C."""
    return (1 - epsilon) * t + _share(epsilon, t, axis) if epsilon else t


def _per_class(g: Any, axis: int) -> Array:
    """A gradient of rows as one that broadcasts over their classes."""
    return np.asanyarray(np.expand_dims(g, axis) if np.ndim(g) else g)


CrossEntropyLoss = module_class("CrossEntropyLoss", cross_entropy, weight=None, size_average=None, ignore_index=-100,
                                reduce=None, reduction="mean", label_smoothing=0.0)
