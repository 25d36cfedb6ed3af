"""Multi-label soft margin loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, ieee, is_floating, result_type, total, unbroadcast, widen
from ..reduction import reduce_losses, resolve, share
from ._logits import logit_losses, logit_slopes
from ._module import module_class

__all__ = ["MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss", "multilabel_soft_margin_loss_backward"]


@ieee
def multilabel_soft_margin_loss(input: Array, target: Array, weight: Array | None = None,
                                size_average: bool | None = None, reduce: bool | None = None,
                                reduction: str = "mean") -> Array:
    r"""Binary cross-entropy of logits, averaged over the classes of each row.

    With weights w and C classes, the loss of a row is::

        -1/C Σ_c w_c [t_c log σ(x_c) + (1 - t_c) log σ(-x_c)] = 1/C Σ_c w_c [t_c softplus(-x_c) + ...]

    Args:
        input: logits x, shape (..., C), floating.
        target: t, the shape of ``input``, or one that broadcasts with it; any number is taken.
        weight: w, shape (C) or another that broadcasts, or None for ones.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of rows; C divides in every
            reduction, whatever the weights.

    Returns:
        The loss: the shape of ``input`` without C, or () when reduced; NaN for the mean of no rows, and for
        rows of no classes.

    Raises:
        IndexError: ``input`` has no dimension. ValueError: ``reduction`` is unknown.
        RuntimeError: shapes do not broadcast, or ``target`` holds truth values.
        NotImplementedError: ``input`` is not floating, or another argument is complex (which torch takes).
        TypeError: an argument is no array.

    As in torch, C and the place of its axis are those of ``input`` (the last), also where the target or the
    weights enlarge the loss: a target (2, 3) beside logits (2, 1) gives the sum of three losses, not the mean.

    >>> multilabel_soft_margin_loss(np.zeros((1, 4)), np.array([[0.0, 1.0, 1.0, 0.0]])).round(6).item()
    0.693147

    Source: documentation of torch.nn.MultiLabelSoftMarginLoss; log σ(x) = -softplus(-x).
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce, old_name=False)
    x, t, w, dtype = _prepare(input, target, weight)

    def elements(x: Array, t: Array, w: Array | None = None) -> Array:
        return logit_losses(x, t) if w is None else w * logit_losses(x, t)

    each = map_blocks(elements, *([x, t] if w is None else [x, t, w]))
    return reduce_losses(cast(total(each, input.ndim - 1) / input.shape[-1], dtype), reduction)


@ieee
def multilabel_soft_margin_loss_backward(
        grad_output: Array, input: Array, target: Array, weight: Array | None = None,
        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`multilabel_soft_margin_loss`, by 1/C of that of each element.

    It is w [(1-t) σ(x) - t σ(-x)] for x, -w x for t, and the unweighted loss for w.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, weight, size_average, reduce, reduction: as for :func:`multilabel_soft_margin_loss`.

    Returns:
        Gradients of input, target and weight, each in its argument's shape; None for integers and None.

    Raises:
        What :func:`multilabel_soft_margin_loss` raises.

    torch has log σ(-x) - log σ(x) for the gradient of t, which is -x but cancels where x is small.

    >>> multilabel_soft_margin_loss_backward(np.array([2.0]), np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]),
    ...                                      reduction="none")[0]
    array([[-0.5,  0.5]])

    Source: the derivative of softplus is σ, and softplus(-x) - softplus(x) = -x.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce, old_name=False)
    x, t, w, _ = _prepare(input, target, weight)
    given, axis = [] if w is None else [w], input.ndim - 1
    shape = common_shape(x, t, *given)
    g = np.expand_dims(widen(cast(grad_output, x.dtype)) / input.shape[axis], axis if grad_output.ndim else ())
    if reduction == "mean":
        g = share(g, math.prod(shape[:axis] + shape[axis + 1:]))

    def slopes(g: Array, x: Array, t: Array, w: Array | None = None) -> tuple[Array | None, ...]:
        weighted = g if w is None else g * w
        by_input = weighted * logit_slopes(x, t)
        by_target, by_weight = -x * weighted, None if w is None else g * logit_losses(x, t)
        return tuple(a if a is None else np.broadcast_to(a, by_input.shape, subok=True)
                     for a in (by_input, by_target, by_weight))

    by_input, by_target, by_weight = map_blocks(slopes, g, x, t, *given)
    return (unbroadcast(by_input, input), unbroadcast(by_target, target),
            None if weight is None else unbroadcast(by_weight, weight))


def _prepare(input: Array, target: Array, weight: Array | None) -> tuple[Array, Array, Array | None, np.dtype[Any]]:
    """The checked arguments, in a common dtype that is no half type, and the dtype of the loss."""
    given = {"input": array("input", input), "target": array("target", target)}
    if weight is not None:
        given["weight"] = array("weight", weight)
    if input.ndim == 0:
        raise IndexError("input must have a dimension of classes, not shape ()")
    if not is_floating(input):
        raise NotImplementedError(f"input must be floating, not {input.dtype}")
    for name, a in given.items():
        if a.dtype.kind == "c":
            raise NotImplementedError(f"{name} must be real, not {a.dtype}")
    if target.dtype.kind == "b":
        raise RuntimeError("target must hold numbers, not bool")
    try:
        common_shape(*given.values())
    except ValueError:
        raise RuntimeError("input, target and weight must broadcast, not shapes "
                           f"{', '.join(str(a.shape) for a in given.values())}") from None
    dtype = result_type(*given.values())
    x, t = (widen(cast(a, dtype)) for a in (input, target))
    return x, t, None if weight is None else widen(cast(weight, dtype)), dtype


MultiLabelSoftMarginLoss = module_class("MultiLabelSoftMarginLoss", multilabel_soft_margin_loss, weight=None,
                                        size_average=None, reduce=None, reduction="mean")
