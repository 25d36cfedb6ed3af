"""Margin ranking loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, ieee, relu, result_type, unbroadcast, where
from ..reduction import reduce_blocks, resolve, share
from ._module import module_class
from ._pairs import number

__all__ = ["MarginRankingLoss", "margin_ranking_loss", "margin_ranking_loss_backward"]


@ieee
def margin_ranking_loss(input1: Array, input2: Array, target: Array, margin: float = 0,
                        size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Array:
    r"""How far the first input fails to be above the second (or below, as the target says) by a margin.

    The loss of an element is::

        max(0, -y (x₁ - x₂) + margin)

    Args:
        input1, input2: x₁ and x₂, of shapes that broadcast and have as many dimensions.
        target: y, 1 where the first ought to be larger and -1 where the second; any number is taken. It
            broadcasts with the inputs, and has as many dimensions.
        margin: any number.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of elements.

    Returns:
        The loss: the broadcast shape, or () when reduced; NaN for the mean of nothing. Integers have a loss
        in float32.

    Raises:
        RuntimeError: shapes do not broadcast or differ in dimension, or an argument holds truth values.
        ValueError: ``reduction`` is unknown.
        NotImplementedError: an argument is complex.
        TypeError: an argument is no array, or ``margin`` no number.

    >>> margin_ranking_loss(np.array([1.0, 3.0]), np.array([2.0, 1.0]), np.array([1.0, 1.0]), 0.5).item()
    0.75

    Source: documentation of torch.nn.MarginRankingLoss; Herbrich, Graepel, Obermayer, Large margin rank
    boundaries for ordinal regression (2000).
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x1, x2, y, dtype = _prepare(input1, input2, target, margin)

    def losses(x1: Array, x2: Array, y: Array) -> Array:
        return cast(relu(margin - y * (x1 - x2)), dtype)

    return reduce_blocks(losses, [x1, x2, y], reduction)


@ieee
def margin_ranking_loss_backward(
        grad_output: Array, input1: Array, input2: Array, target: Array, margin: float = 0,
        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`margin_ranking_loss`: -y for x₁, y for x₂ and x₂ - x₁ for y where the loss counts.

    It counts where -y (x₁ - x₂) + margin >= 0: at the kink itself torch passes the full gradient.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input1, input2, target, margin, size_average, reduce, reduction: as for :func:`margin_ranking_loss`.

    Returns:
        Gradients of input1, input2 and target, each in its argument's shape; None for integers.

    Raises:
        What :func:`margin_ranking_loss` raises.

    >>> margin_ranking_loss_backward(np.array(1.0), np.array([1.0]), np.array([2.0]), np.array([1.0]))[0]
    array([-1.])

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x1, x2, y, dtype = _prepare(input1, input2, target, margin)
    g = cast(grad_output, dtype)
    g = share(g, math.prod(common_shape(x1, x2, y))) if reduction == "mean" else g

    def slopes(g: Array, x1: Array, x2: Array, y: Array) -> tuple[Array, Array, Array]:
        d = x1 - x2
        counted = where(margin - y * d >= 0, g, 0)
        by_second = y * counted
        return -by_second, by_second, -d * counted

    by_input1, by_input2, by_target = map_blocks(slopes, g, x1, x2, y)
    return unbroadcast(by_input1, input1), unbroadcast(by_input2, input2), unbroadcast(by_target, target)


def _prepare(input1: Array, input2: Array, target: Array,
             margin: float) -> tuple[Array, Array, Array, np.dtype[Any]]:
    """The checked inputs and target in their common dtype, and the dtype of the loss."""
    arrays = array("input1", input1), array("input2", input2), array("target", target)
    number("margin", margin)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError("input1, input2 and target must have as many dimensions, not shapes "
                           f"{[a.shape for a in arrays]}")
    for name, a in zip(("input1", "input2", "target"), arrays, strict=True):
        if a.dtype.kind == "b":
            raise RuntimeError(f"{name} must hold numbers, not {a.dtype}")
        if a.dtype.kind == "c":
            raise NotImplementedError(f"{name} must be real, not {a.dtype}")
    try:
        common_shape(*arrays)
    except ValueError:
        raise RuntimeError(f"input1, input2 and target must broadcast, not shapes {[a.shape for a in arrays]}"
                           ) from None
    dtype = result_type(*arrays)
    x1, x2, y = [cast(a, dtype) for a in arrays]
    return x1, x2, y, np.dtype(np.float32) if dtype.kind in "iu" else dtype


MarginRankingLoss = module_class("MarginRankingLoss", margin_ranking_loss, margin=0.0, size_average=None, reduce=None,
                                 reduction="mean")
