"""Mean absolute error."""

from __future__ import annotations

import math

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, cast, conj, ieee, result_type, sum_to, total, unbroadcast
from ..reduction import reduce_blocks, reduce_losses, resolve, share
from ._module import module_class
from ._pairs import broadcast_pair, check_weight, sign

__all__ = ["L1Loss", "l1_loss", "l1_loss_backward"]


@ieee
def l1_loss(input: Array, target: Array, size_average: bool | None = None, reduce: bool | None = None,
            reduction: str = "mean", weight: Array | None = None) -> Array:
    r"""Absolute error between input and target, weighted on request.

    With weights w, the loss of an element is::

        w |x - y|

    Args:
        input: x, any shape; real or complex.
        target: y, any shape that broadcasts with that of ``input``.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of elements, or with weights by
            Σ w. Where a target is larger than the weights, Σ w still counts each weight once.
        weight: w, the shape of ``input``, or None.

    Returns:
        The loss: the broadcast shape, or () when reduced; NaN for the mean of nothing. It is real for complex
        arguments, unless weights are complex. Sums of integers are int64.

    Raises:
        ValueError: ``weight`` has not the shape of ``input``, or ``reduction`` is unknown.
        RuntimeError: the shapes of ``input`` and ``target`` do not broadcast, one of them is boolean, or the
            mean is one of integers without weights; with weights that is in float32.
        TypeError: an argument is no array.

    Warns:
        UserWarning: ``input`` and ``target`` differ in shape.

    >>> l1_loss(np.array([1.0, -2.0]), np.array([0.0, 0.0]), weight=np.array([3.0, 1.0])).item()
    1.25

    Source: documentation of torch.nn.L1Loss; the weighted form, of torch.nn.functional.l1_loss.
    """
    broadcast_pair(input, target, stacklevel=4)
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, w = _prepare(input, target, reduction, weight)

    def losses(x: Array, y: Array, w: Array | None = None) -> Array:
        z: Array = np.abs(x - y)
        if w is not None:
            z = cast(z, w.dtype) * w
        return z.astype(np.int64) if z.dtype.kind in "biu" and reduction != "none" else z

    if w is None:
        return reduce_blocks(losses, [x, y], reduction)
    w = cast(w, result_type(x.real, w))
    if reduction == "mean" and w.dtype.kind in "biu":
        weighted, divisor = reduce_blocks(losses, [x, y, w], "sum"), total(w.astype(np.int64))
        return reduce_losses(weighted.astype(np.float32), reduction, divisor.astype(np.float32))
    return reduce_blocks(losses, [x, y, w], reduction, w)


@ieee
def l1_loss_backward(grad_output: Array, input: Array, target: Array, size_average: bool | None = None,
                     reduce: bool | None = None, reduction: str = "mean", weight: Array | None = None,
                     ) -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`l1_loss`: w sign(x - y) for x, its negative for y, and \|x - y| for w.

    At the kink, x = y, it is 0; torch has 0 also where x - y is NaN. Of complex numbers the sign is
    (x - y) / \|x - y|. Under "mean", with W = Σ w and the loss L, the gradient for w is (\|x - y| - L) / W.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction, weight: as for :func:`l1_loss`.

    Returns:
        Gradients of input, target and weight, each in its argument's shape; None for integers, and for a
        weight that is None.

    Raises:
        What :func:`l1_loss` raises, and warns of what it warns of.

    >>> l1_loss_backward(np.array(3.0), np.array([3.0, 1.0, 0.0]), np.array([1.0, 1.0, 2.0]))[0]
    array([ 1.,  0., -1.])

    Source: differentiation.
    """
    shape = broadcast_pair(input, target, stacklevel=4)
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, w = _prepare(input, target, reduction, weight)
    g = np.asanyarray(grad_output)
    if reduction == "mean":
        g = share(g, math.prod(shape) if w is None else conj(total(w)))

    def slopes(g: Array, x: Array, y: Array, w: Array | None = None) -> tuple[Array, Array, Array | None]:
        d = x - y
        # The loss depends on x by |x - y|, which is real: so is the gradient that reaches it.
        slope = sign(d) * cast(g if w is None else g * conj(w), d.real.dtype)
        return slope, -slope, None if w is None else g * np.abs(d)

    by_input, by_target, gain = map_blocks(slopes, g, x, y, *([] if w is None else [w]))
    if weight is not None:
        gain = sum_to(gain, weight.shape)
        if reduction == "mean":
            gain = gain - g * conj(total(np.abs(x - y) * weight) / total(weight))
    return (unbroadcast(by_input, input), unbroadcast(by_target, target),
            None if weight is None else unbroadcast(gain, weight))


def _prepare(input: Array, target: Array, reduction: str,
             weight: Array | None) -> tuple[Array, Array, Array | None]:
    """Input and target in their common dtype, and the weights."""
    check_weight(weight, input)
    if "b" in (input.dtype.kind, target.dtype.kind):
        raise RuntimeError(f"input and target must be numbers, not {input.dtype} and {target.dtype}")
    dtype = result_type(input, target)
    if dtype.kind in "iu" and weight is None and reduction == "mean":
        raise RuntimeError("input and target must be floating or complex for a mean, "
                           f"not {input.dtype} and {target.dtype}")
    return cast(input, dtype), cast(target, dtype), None if weight is None else np.asanyarray(weight)


L1Loss = module_class("L1Loss", l1_loss, size_average=None, reduce=None, reduction="mean")
