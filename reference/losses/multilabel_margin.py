"""Multi-label margin loss."""

from __future__ import annotations

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, ieee, indicator, is_floating, relu, row_sum, sum_by, total, where, widen
from ..reduction import reduce_losses, resolve
from ._classes import first_outside
from ._module import module_class

__all__ = ["MultiLabelMarginLoss", "multilabel_margin_loss", "multilabel_margin_loss_backward"]


@ieee
def multilabel_margin_loss(input: Array, target: Array, size_average: bool | None = None,
                           reduce: bool | None = None, reduction: str = "mean") -> Array:
    r"""How far the scores of a row's labels fail to exceed those of all other classes by 1.

    With the list L of a row's labels, out of C classes, the loss of the row is::

        1/C Σ_{l in L} Σ_{c not in L} max(0, 1 - x_l + x_c)

    Args:
        input: scores x, shape (N, C), (C) or (), which is one class; floating.
        target: int64, the shape of ``input`` (a row of one class may lack its dimension, or have one more);
            in each row, the labels L up to the first -1. A label that is listed twice counts twice.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of rows; C divides in every
            reduction.

    Returns:
        The loss: shape (N), or () for one row or when reduced; NaN for the mean of no rows.

    Raises:
        RuntimeError: a shape, a dtype or an entry of the target does not fit, also behind the first -1.
        ValueError: ``reduction`` is unknown.
        NotImplementedError: ``input`` is not floating.
        TypeError: an argument is no array.

    torch's CPU kernel refuses half types, counts a NaN among the scores as no loss at all, and reduces no
    rows to whatever the memory held.

    >>> multilabel_margin_loss(np.array([0.1, 0.2, 0.4, 0.8]), np.array([3, 0, -1, 1])).round(6).item()
    0.85

    Source: documentation of torch.nn.MultiLabelMarginLoss; Elisseeff, Weston, A kernel method for
    multi-labelled classification (2001), whose ranking loss it is but for the divisor.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, labels, listed = _prepare(input, target)

    def of_rows(x: Array, labels: Array, listed: Array) -> Array:
        return row_sum(row_sum(relu(_excess(x, labels, listed))).squeeze(-1))

    losses = map_blocks(of_rows, x, labels, listed).ravel() / x.shape[1]
    return reduce_losses(cast(losses, input.dtype).reshape(input.shape[:-1]), reduction)


@ieee
def multilabel_margin_loss_backward(grad_output: Array, input: Array, target: Array,
                                    size_average: bool | None = None, reduce: bool | None = None,
                                    reduction: str = "mean") -> tuple[Array | None, None]:
    r"""Gradient of :func:`multilabel_margin_loss`: -1/C for the label, 1/C for the other class of each pair.

    Pairs with 1 - x_l + x_c > 0 count; at the kink torch's gradient is 0.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction: as for :func:`multilabel_margin_loss`.

    Returns:
        Gradient of input in its shape; None for target.

    Raises:
        What :func:`multilabel_margin_loss` raises.

    >>> multilabel_margin_loss_backward(np.array(1.0), np.array([0.0, 0.5]), np.array([1, -1]))[0]
    array([ 0.5, -0.5])

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, labels, listed = _prepare(input, target)
    g = np.broadcast_to(widen(grad_output).ravel(), x.shape[:1], subok=True)
    g = (g / len(x) if reduction == "mean" else g) / x.shape[1]

    def of_rows(x: Array, labels: Array, listed: Array, g: Array) -> Array:
        counted = indicator(_excess(x, labels, listed) > 0, x.dtype)
        slope = total(counted, 1) - sum_by(row_sum(counted).squeeze(-1), labels, x.shape[1])
        return np.asanyarray(g * slope)

    slope = map_blocks(of_rows, x, labels, listed, g[:, None])
    return cast(slope, input.dtype).reshape(input.shape), None


def _excess(x: Array, labels: Array, listed: Array) -> Array:
    """1 - x_l + x_c for each entry l of a row's list and each class c; -∞ for pairs that do not count."""
    is_label = sum_by(listed.astype(np.int64), labels, x.shape[1]) > 0
    z = (1 - x[np.arange(len(x))[:, None], labels])[:, :, None] + x[:, None, :]
    return where(listed[:, :, None] & ~is_label[:, None, :], z, -np.inf)


def _prepare(input: Array, target: Array) -> tuple[Array, Array, Array]:
    """The checked scores as rows; the lists, cut to the length of the longest; and which of their entries count."""
    input, target = array("input", input), array("target", target)
    if input.ndim > 2 or 0 in input.shape[-1:]:
        raise RuntimeError(f"input must have shape (N, C), (C) or () with some class, not {input.shape}")
    if target.shape != input.shape and not (max(input.ndim, target.ndim) == 1 == input.size == target.size):
        raise RuntimeError(f"target must have the shape of input, {input.shape}, not {target.shape}")
    if not is_floating(input):
        raise NotImplementedError(f"input must be floating, not {input.dtype}")
    if target.dtype != np.int64:
        raise RuntimeError(f"target must be of dtype int64, not {target.dtype}")
    x = input.reshape(input.shape if input.ndim == 2 else (1, input.size))
    labels = target.reshape(x.shape)
    wrong = first_outside(labels, -1, x.shape[1])
    if wrong is not None:
        raise RuntimeError(f"target must be in 0..{x.shape[1] - 1}, or -1, not {wrong}")
    listed = np.logical_and.accumulate(labels >= 0, axis=1)
    longest = np.count_nonzero(listed.any(axis=0))
    return widen(x), np.maximum(labels[:, :longest], 0), listed[:, :longest]


MultiLabelMarginLoss = module_class("MultiLabelMarginLoss", multilabel_margin_loss, size_average=None, reduce=None,
                                    reduction="mean")
