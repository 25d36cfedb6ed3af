"""Absolute error that is a square near zero."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, cast, clip, ieee, minimum, relu, result_type, unbroadcast, widen
from ..reduction import reduce_blocks, resolve, share
from ._module import module_class
from ._pairs import broadcast_pair, number, sign

__all__ = ["SmoothL1Loss", "smooth_l1_loss", "smooth_l1_loss_backward"]


@ieee
def smooth_l1_loss(input: Array, target: Array, size_average: bool | None = None, reduce: bool | None = None,
                   reduction: str = "mean", beta: float = 1.0) -> Array:
    r"""Absolute error, smoothed to a parabola where it is less than beta.

    With z = \|x - y|, the loss of an element is::

        z²/(2β)   where z < β,     z - β/2   elsewhere

    which is h²/(2β) + max(0, z - β) with h = min(z, β): h is z in one branch and β in the other. With β = 0
    it is z.

    Args:
        input: x, any shape.
        target: y, any shape that broadcasts with that of ``input``.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum"; the mean divides by the number of elements.
        beta: β, not negative.

    Returns:
        The loss: the broadcast shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        RuntimeError: ``beta`` is negative or NaN, or the shapes do not broadcast.
        NotImplementedError: no argument is floating, or one is complex. (With β = 0 torch takes what it takes
            in l1_loss.)
        ValueError: ``reduction`` is unknown.
        TypeError: an argument is no array, or ``beta`` no number.

    Warns:
        UserWarning: ``input`` and ``target`` differ in shape.

    The Huber loss is β times this one.

    >>> smooth_l1_loss(np.array([1.0, 3.0]), np.array([0.0, 0.0]), beta=2.0, reduction="none")
    array([0.25, 2.  ])

    Source: Girshick, Fast R-CNN (2015), equation 3, for β = 1; documentation of torch.nn.SmoothL1Loss.
    """
    broadcast_pair(input, target, stacklevel=4)
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, beta = _prepare(input, target=target, beta=beta)

    def losses(x: Array, y: Array) -> Array:
        z = widen(np.abs(x - y))  # since β² may be beyond float16
        h = minimum(z, beta)
        return cast(z if beta == 0 else h / 2 * h / beta + relu(z - beta), x.dtype)

    return reduce_blocks(losses, [x, y], reduction)


@ieee
def smooth_l1_loss_backward(grad_output: Array, input: Array, target: Array, size_average: bool | None = None,
                            reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0,
                            ) -> tuple[Array | None, Array | None]:
    r"""Gradient of :func:`smooth_l1_loss`: (x - y)/β, but not beyond ±1, for x, and its negative for y.

    For β = 0 it is sign(x - y), and 0 where x - y is 0 or NaN.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction, beta: as for :func:`smooth_l1_loss`.

    Returns:
        Gradients of input and target, each in its argument's shape; None for integers.

    Raises:
        What :func:`smooth_l1_loss` raises, and warns of what it warns of.

    >>> smooth_l1_loss_backward(np.array(2.0), np.array([3.0, 1.5]), np.array([1.0, 1.0]))[0]
    array([1. , 0.5])

    Source: differentiation.
    """
    shape = broadcast_pair(input, target, stacklevel=4)
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, beta = _prepare(input, target=target, beta=beta)
    g = cast(grad_output, x.dtype)
    g = share(g, math.prod(shape)) if reduction == "mean" else g

    def slopes(g: Array, x: Array, y: Array) -> tuple[Array, Array]:
        d = widen(x - y)
        slope = g * cast(sign(d) if beta == 0 else clip(d, -beta, beta) / beta, g.dtype)
        return slope, -slope

    by_input, by_target = map_blocks(slopes, g, x, y)
    return unbroadcast(by_input, input), unbroadcast(by_target, target)


def _prepare(input: Array, *, target: Array, beta: Any) -> tuple[Array, Array, Any]:
    """Input and target in their common dtype, and β."""
    beta = number("beta", beta)
    if not beta >= 0:
        raise RuntimeError(f"beta must not be negative, but is {beta}")
    dtype = result_type(input, target)
    if dtype.kind in "biuc":
        raise NotImplementedError(f"input and target must be floating, not {input.dtype} and {target.dtype}")
    return cast(input, dtype), cast(target, dtype), beta


SmoothL1Loss = module_class("SmoothL1Loss", smooth_l1_loss, size_average=None, reduce=None, reduction="mean", beta=1.0)
