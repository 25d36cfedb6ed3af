"""Hinge loss of distances between pairs that are alike or not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, ieee, indicator, is_floating, relu, unbroadcast, where
from ..reduction import reduce_blocks, resolve, share
from ._module import module_class
from ._pairs import broadcast_pair, number

__all__ = ["HingeEmbeddingLoss", "hinge_embedding_loss", "hinge_embedding_loss_backward"]


@ieee
def hinge_embedding_loss(input: Array, target: Array, margin: float = 1.0, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Array:
    r"""Distance itself for pairs that are alike, and what it lacks of a margin for those that are not.

    The loss of an element is, by its target::

        x               y = 1
        max(0, m - x)   y = -1

    Args:
        input: x, distances; any shape, floating.
        target: y, any shape that broadcasts with that of ``input``; its dtype does not matter.
        margin: m, any number.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum"; the mean divides by the number of elements.

    Returns:
        The loss in the dtype of ``input``: the broadcast shape, or () when reduced; NaN for the mean of
        nothing.

    Raises:
        RuntimeError: the shapes do not broadcast, or ``input`` holds truth values or integers (whose loss
            torch truncates where it is not a mean).
        NotImplementedError: ``input`` is complex.
        ValueError: ``reduction`` is unknown.
        TypeError: an argument is no array, or ``margin`` no number.

    torch takes any target, and so does this: one that is neither 1 nor -1, such as 0, 2 or NaN, adds both
    branches, x + max(0, m - x).

    >>> hinge_embedding_loss(np.array([0.25, 0.25, 0.25]), np.array([1, -1, 0]), reduction="none")
    array([0.25, 0.75, 1.  ])

    Source: documentation of torch.nn.HingeEmbeddingLoss.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    margin = _check(input, target, margin)

    def losses(x: Array, y: Array) -> Array:
        alike = where(y != -1, x, 0)
        unlike = where(y != 1, relu(margin - x), 0)
        return cast(alike + unlike, x.dtype)

    return reduce_blocks(losses, [input, target], reduction)


@ieee
def hinge_embedding_loss_backward(
        grad_output: Array, input: Array, target: Array, margin: float = 1.0,
        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> tuple[Array | None, Array | None]:
    r"""Gradient of :func:`hinge_embedding_loss`: 1 where y = 1, and where y = -1 either -1 or, if x > m, 0.

    At the kink, x = m, torch passes the full -1; where x is NaN, 0. Other targets add both branches.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, margin, size_average, reduce, reduction: as for :func:`hinge_embedding_loss`.

    Returns:
        The gradient of input; None for target.

    Raises:
        What :func:`hinge_embedding_loss` raises.

    >>> hinge_embedding_loss_backward(np.array(3.0), np.array([5.0, 1.0, 5.0]), np.array([1, -1, -1]))[0]
    array([ 1., -1.,  0.])

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    margin = _check(input, target, margin)
    g = cast(grad_output, input.dtype)
    g = share(g, math.prod(common_shape(input, target))) if reduction == "mean" else g

    def slope(g: Array, x: Array, y: Array) -> Array:
        alike, unlike = y != -1, (y != 1) & (margin - x >= 0)
        return np.asanyarray(g * (indicator(alike, x.dtype) - indicator(unlike, x.dtype)))

    return unbroadcast(map_blocks(slope, g, input, target), input), None


def _check(input: Array, target: Array, margin: Any) -> Any:
    """Refuse what does not fit; the margin."""
    broadcast_pair(input, array("target", target))
    if not is_floating(input):
        kind = NotImplementedError if input.dtype.kind == "c" else RuntimeError
        raise kind(f"input must be floating, not {input.dtype}")
    return number("margin", margin)


HingeEmbeddingLoss = module_class("HingeEmbeddingLoss", hinge_embedding_loss, margin=1.0, size_average=None,
                                  reduce=None, reduction="mean")
