"""Negative log-likelihood of class indices."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np

from ..numerics import Array, array, cast, ieee, is_floating, total
from ..reduction import reduce_losses, resolve, share
from ._classes import check_indices, check_weights, class_axis, pick, places, row_weights, split_ignored
from ._module import module_class

__all__ = ["NLLLoss", "NLLLoss2d", "nll_loss", "nll_loss_backward"]


@ieee
def nll_loss(input: Array, target: Array, weight: Array | None = None, size_average: bool | None = None,
             ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean") -> Array:
    r"""Negative log-likelihood of class indices, from log-probabilities.

    With class weights w, the loss of a row with index y is::

        -w_y x_y

    Args:
        input: log-probabilities x, shape (C), (N, C) or (N, C, d1, ..., dK), floating; any numbers are taken.
        target: indices y, int64 or uint8 (torch takes uint8 only beside (C) and (N, C)), of the shape of
            ``input`` without C.
        weight: w, shape (C), in the dtype of ``input``, or None for ones.
        size_average, reduce: the older form of ``reduction``.
        ignore_index: rows with this index count as 0 and have no gradient, whatever they hold.
        reduction: "none", "mean" or "sum". The mean divides by Σ w_y over the rows that are not ignored.

    Returns:
        The loss: shape of ``input`` without C, or () when reduced; NaN for the mean of no rows.

    Raises:
        IndexError: an index is outside of 0..C-1 and not ignored.
        ValueError: the batches differ in size, ``input`` has no dimension, or ``reduction`` is unknown.
        TypeError: an argument is no array, or ``ignore_index`` no integer.
        NotImplementedError: ``input`` is not floating.
        RuntimeError: another shape or dtype does not fit.

    A weight of 0 does not leave a row out: 0 · inf is NaN.

    >>> nll_loss(np.log([[0.25, 0.75], [0.5, 0.5]]), np.array([1, 0]), reduction="none").round(6)
    array([0.287682, 0.693147])

    Source: documentation of torch.nn.NLLLoss.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    _check(input, target, weight, ignore_index)
    kept, y = split_ignored(target, ignore_index, input)
    losses = -pick(input, y, class_axis(input))
    if weight is None:
        return reduce_losses(np.where(kept, losses, 0), reduction, int(np.count_nonzero(kept)))
    w_y = row_weights(weight, kept, y)
    return reduce_losses(np.where(kept, w_y * losses, 0), reduction, w_y)


@ieee
def nll_loss_backward(
        grad_output: Array, input: Array, target: Array, weight: Array | None = None,
        size_average: bool | None = None, ignore_index: int = -100, reduce: bool | None = None,
        reduction: str = "mean") -> tuple[Array, None, None]:
    r"""Gradient of :func:`nll_loss`: -w_y for x_y, and 0 for the other classes.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, weight, size_average, ignore_index, reduce, reduction: as for :func:`nll_loss`.

    Returns:
        The gradient of input; None for target, and for weight, which torch refuses to differentiate.

    Raises:
        What :func:`nll_loss` raises.

    >>> nll_loss_backward(np.array(1.0), np.zeros((2, 2)), np.array([1, 0]))[0]
    array([[ 0. , -0.5],
           [-0.5,  0. ]])

    Source: the loss is linear.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    _check(input, target, weight, ignore_index)
    kept, y = split_ignored(target, ignore_index, input)
    if not input.size:
        return np.zeros_like(input), None, None
    w_y: Any = 1 if weight is None else row_weights(weight, kept, y)
    g = cast(grad_output, input.dtype)
    if reduction == "mean":
        g = share(g, int(np.count_nonzero(kept)) if weight is None else total(w_y))
    gradient = np.zeros_like(input)
    gradient[places(y, class_axis(input))] = np.where(kept, -g * w_y, 0)
    return gradient, None, None


def _check(input: Array, target: Array, weight: Array | None, ignore_index: int) -> None:
    input, target = array("input", input), array("target", target)
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, numbers.Integral):
        raise TypeError(f"ignore_index must be an integer, not {type(ignore_index).__name__}")
    if input.ndim == 0:
        raise ValueError("input must have a dimension of classes, not shape ()")
    check_indices(input, target)
    if not is_floating(input):
        raise NotImplementedError(f"input must be floating, not {input.dtype}")
    if weight is not None and array("weight", weight).dtype != input.dtype:
        raise RuntimeError(f"weight must have the dtype of input, {input.dtype}, not {weight.dtype}")
    check_weights(weight, input)


NLLLoss = module_class("NLLLoss", nll_loss, weight=None, size_average=None, ignore_index=-100, reduce=None,
                       reduction="mean")


class NLLLoss2d(NLLLoss):  # type: ignore[valid-type, misc]  # made by module_class
    """The older name of :class:`NLLLoss`.

    Warns:
        FutureWarning: always, since torch deprecates it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn("NLLLoss2d is deprecated; NLLLoss is the same", FutureWarning, stacklevel=2)
        super().__init__(*args, **kwargs)
