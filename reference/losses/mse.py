"""Mean squared error."""

from __future__ import annotations

import math
import warnings

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, conj, ieee, result_type, sum_to, total, unbroadcast
from ..reduction import reduce_blocks, reduce_losses, resolve, share
from ._module import module_class

__all__ = ["MSELoss", "mse_loss", "mse_loss_backward"]


@ieee
def mse_loss(input: Array, target: Array, size_average: bool | None = None, reduce: bool | None = None,
             reduction: str = "mean", weight: Array | None = None) -> Array:
    r"""Squared error between input and target, weighted on request.

    With weights w, the loss of an element is::

        w (x - y)²

    Args:
        input: x, any shape.
        target: y, any shape that broadcasts with that of ``input``.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of elements, or with weights by
            Σ w. Where a target is larger than the weights, Σ w still counts each weight once, so that the
            weighted mean of a broadcast input is no mean (it may exceed every squared error).
        weight: w, the shape of ``input``, or None.

    Returns:
        The loss: the broadcast shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        ValueError: ``weight`` has not the shape of ``input``, or ``reduction`` is unknown.
        RuntimeError: the shapes of ``input`` and ``target`` do not broadcast.
        NotImplementedError: no argument is floating, or one is complex; weights make both possible.
        TypeError: an argument is no array.

    Warns:
        UserWarning: ``input`` and ``target`` differ in shape.

    Weighted integers have a sum in int64 and a mean in float32; weighted complex numbers the square itself, not
    that of the absolute value.

    >>> mse_loss(np.array([1.0, 2.0]), np.array([0.0, 0.0]), weight=np.array([3.0, 1.0])).item()
    1.75

    Source: documentation of torch.nn.MSELoss; the weighted form, of torch.nn.functional.mse_loss.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, w = _prepare(input, target, weight)

    def losses(x: Array, y: Array, w: Array | None = None) -> Array:
        squares: Array = np.square(x - y)
        if w is not None:
            squares = squares * w
        return squares.astype(np.int64) if squares.dtype.kind in "biu" and reduction != "none" else squares

    if w is None:
        return reduce_blocks(losses, [x, y], reduction)
    if reduction == "mean" and x.dtype.kind in "biu":
        weighted, divisor = reduce_blocks(losses, [x, y, w], "sum"), total(w.astype(np.int64))
        return reduce_losses(weighted.astype(np.float32), reduction, divisor.astype(np.float32))
    return reduce_blocks(losses, [x, y, w], reduction, w)


@ieee
def mse_loss_backward(grad_output: Array, input: Array, target: Array, size_average: bool | None = None,
                      reduce: bool | None = None, reduction: str = "mean", weight: Array | None = None,
                      ) -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`mse_loss`: 2 w (x - y) for x, its negative for y, and (x - y)² for w.

    Under "mean", with W = Σ w and the loss L, the gradient for w is ((x - y)² - L) / W.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction, weight: as for :func:`mse_loss`.

    Returns:
        Gradients of input, target and weight, each in its argument's shape; None for integers, and for a
        weight that is None.

    Raises:
        What :func:`mse_loss` raises, and warns of what it warns of.

    >>> mse_loss_backward(np.array(1.0), np.array([3.0, 1.0]), np.array([1.0, 1.0]))[0]
    array([2., 0.])

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, w = _prepare(input, target, weight)
    g = cast(grad_output, x.dtype)
    if reduction == "mean":
        divisor = math.prod(common_shape(x, y)) if w is None else total(w)
        g = share(g, divisor)

    def slopes(g: Array, x: Array, y: Array, w: Array | None = None) -> tuple[Array, Array, Array | None]:
        d = x - y
        slope = 2 * g * conj(d if w is None else d * w)
        return slope, -slope, None if w is None else g * conj(np.square(d))

    by_input, by_target, gain = map_blocks(slopes, g, x, y, *([] if w is None else [w]))
    if weight is not None:
        gain = sum_to(gain, weight.shape)
        if reduction == "mean":
            gain = gain - g * conj(total(np.square(x - y) * cast(weight, x.dtype)) / divisor)
    return (unbroadcast(by_input, input), unbroadcast(by_target, target),
            None if weight is None else unbroadcast(gain, weight))


def _prepare(input: Array, target: Array, weight: Array | None) -> tuple[Array, Array, Array | None]:
    """The checked arguments in their common dtype."""
    input, target = array("input", input), array("target", target)
    arrays = [input, target] if weight is None else [input, target, array("weight", weight)]
    if input.shape != target.shape:
        warnings.warn(f"target has shape {target.shape}, but input has {input.shape}; they are broadcast, "
                      "which is seldom what is meant", UserWarning, stacklevel=4)
    try:
        common_shape(input, target)
    except ValueError:
        raise RuntimeError(f"target must broadcast with input, {input.shape}, not {target.shape}") from None
    dtype = result_type(*arrays)
    if weight is None:
        if dtype.kind in "biuc":
            raise NotImplementedError(f"input and target must be floating, not {input.dtype} and {target.dtype}")
    elif weight.shape != input.shape:
        raise ValueError(f"weight must have the shape of input, {input.shape}, not {weight.shape}")
    elif "b" in (input.dtype.kind, target.dtype.kind):
        raise RuntimeError("input and target must be numbers beside weights, "
                           f"not {input.dtype} and {target.dtype}")
    return cast(input, dtype), cast(target, dtype), None if weight is None else cast(weight, dtype)


MSELoss = module_class("MSELoss", mse_loss, size_average=None, reduce=None, reduction="mean")
