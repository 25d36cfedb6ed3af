"""Multi-class margin loss."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, ieee, is_floating, relu, row_sum, where, widen
from ..reduction import reduce_losses, resolve
from ._classes import check_weights, first_outside
from ._module import module_class

__all__ = ["MultiMarginLoss", "excess", "multi_margin_loss", "multi_margin_loss_backward"]


@ieee
def multi_margin_loss(input: Array, target: Array, p: int = 1, margin: float = 1.0,
                      weight: Array | None = None, size_average: bool | None = None,
                      reduce: bool | None = None, reduction: str = "mean") -> Array:
    r"""How far the score of the right class fails to exceed the other scores by a margin.

    With class weights w, the loss of a row with the class y, of C classes, is::

        w_y / C Σ_{c ≠ y} max(0, margin - x_y + x_c)^p

    Args:
        input: scores x, shape (N, C), (C) or (), which is one class; floating.
        target: y, int64, shape (N); () or (1) for one row.
        p: 1 or 2.
        margin: any number.
        weight: w, shape (C), of the dtype of ``input``; None for ones. It stands outside of the power.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of rows, whatever the weights; C,
            which divides in every reduction, counts the right class too.

    Returns:
        The loss: the shape of ``target``, or () when reduced; NaN for the mean of no rows.

    Raises:
        RuntimeError: a shape, an index or an integral dtype does not fit.
        ValueError: ``p`` is neither 1 nor 2, ``weight`` has not one dimension, or ``reduction`` is unknown.
        NotImplementedError: ``input`` is not floating.
        TypeError: an argument is no array, or ``margin`` no number.

    torch's CPU kernel refuses half types, counts a NaN among the scores as no loss at all, and reduces no
    rows to whatever the memory held.

    >>> multi_margin_loss(np.array([[0.5, 1.0, -2.0]]), np.array([0])).item()
    0.5

    Source: Crammer, Singer, On the algorithmic implementation of multiclass kernel-based vector machines
    (2001), with a sum in place of their maximum; documentation of torch.nn.MultiMarginLoss.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, w = _prepare(input, target, p, margin, weight)

    def of_rows(x: Array, y: Array) -> Array:
        z = relu(excess(x, y.ravel(), margin))
        return row_sum(z if p == 1 else z * z)

    losses = map_blocks(of_rows, x, y[:, None]).ravel() / x.shape[1]
    losses = losses if w is None else w * losses
    return reduce_losses(cast(losses, input.dtype).reshape(target.shape), reduction)


@ieee
def multi_margin_loss_backward(grad_output: Array, input: Array, target: Array, p: int = 1,
                               margin: float = 1.0, weight: Array | None = None,
                               size_average: bool | None = None, reduce: bool | None = None,
                               reduction: str = "mean") -> tuple[Array | None, None, None]:
    r"""Gradient of :func:`multi_margin_loss`: w_y / C p z_c^(p-1) for the score of each other class.

    There z_c = margin - x_y + x_c; at the kink z_c = 0 torch's gradient is 0. The score of the right class
    has the negative sum of the others.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, p, margin, weight, size_average, reduce, reduction: as for :func:`multi_margin_loss`.

    Returns:
        Gradient of input in its shape; None for target, and for weight, which torch refuses to differentiate.

    Raises:
        What :func:`multi_margin_loss` raises.

    >>> multi_margin_loss_backward(np.array(1.0), np.array([[0.5, 1.0]]), np.array([0]))[0]
    array([[-0.5,  0.5]])

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, w = _prepare(input, target, p, margin, weight)
    g = np.broadcast_to(widen(grad_output).ravel(), y.shape, subok=True)
    g = (g / y.size if reduction == "mean" else g) / x.shape[1]
    g = g if w is None else g * w

    def of_rows(x: Array, y: Array, g: Array) -> Array:
        z, rows = excess(x, y.ravel(), margin), np.arange(len(x))
        slope = where(z > 0, g if p == 1 else g * (2 * z), 0)
        slope[rows, y.ravel()] = -row_sum(slope).ravel()
        return slope

    return cast(map_blocks(of_rows, x, y[:, None], g[:, None]), input.dtype).reshape(input.shape), None, None


def excess(x: Array, y: Array, margin: Any) -> Array:
    """margin - x_y + x_c for the other classes, and -∞, which counts for nothing, for y itself."""
    at_y = np.arange(len(x)), y
    z = (margin - x[at_y])[:, None] + x
    z[at_y] = -np.inf
    return np.asanyarray(z)


def _prepare(input: Array, target: Array, p: int, margin: float,
             weight: Array | None) -> tuple[Array, Array, Array | None]:
    """The checked scores as rows, their classes, and the weight of each row, or None for ones."""
    input, target = array("input", input), array("target", target)
    if isinstance(p, np.ndarray) or p not in (1, 2):
        raise ValueError(f"p must be 1 or 2, not {p!r}")
    if not isinstance(margin, numbers.Real):
        raise TypeError(f"margin must be a number, not {type(margin).__name__}")
    if weight is not None and array("weight", weight).ndim != 1:
        raise ValueError(f"weight must have one dimension, not shape {weight.shape}")
    if input.ndim > 2 or 0 in input.shape[-1:]:
        raise RuntimeError(f"input must have shape (N, C), (C) or () with some class, not {input.shape}")
    x = input.reshape(input.shape if input.ndim == 2 else (1, input.size))
    if target.ndim > 1 or target.size != len(x):
        raise RuntimeError(f"target must have shape ({len(x)},), not {target.shape}")
    if not is_floating(input):
        raise NotImplementedError(f"input must be floating, not {input.dtype}")
    if target.dtype != np.int64:
        raise RuntimeError(f"target must be of dtype int64, not {target.dtype}")
    y = target.ravel()
    wrong = first_outside(y, 0, x.shape[1])
    if wrong is not None:
        raise RuntimeError(f"target must be in 0..{x.shape[1] - 1}, not {wrong}")
    check_weights(weight, x)
    if weight is not None and weight.dtype != input.dtype:
        raise RuntimeError(f"weight must have the dtype of input, {input.dtype}, not {weight.dtype}")
    return widen(x), y, None if weight is None else widen(weight)[y]


MultiMarginLoss = module_class("MultiMarginLoss", multi_margin_loss, p=1, margin=1.0, weight=None, size_average=None,
                               reduce=None, reduction="mean")
