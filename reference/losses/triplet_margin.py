"""Triplet margin loss, with the distance of a p-norm."""

from __future__ import annotations

import math
import numbers

import numpy as np

from ..numerics import Array, ieee, unbroadcast, widen
from ..reduction import reduce_losses, resolve
from ._distance import PairwiseDistance, check_triplet, triplet_gradients, triplet_losses
from ._module import module_class

__all__ = ["TripletMarginLoss", "triplet_margin_loss", "triplet_margin_loss_backward"]


@ieee
def triplet_margin_loss(anchor: Array, positive: Array, negative: Array, margin: float = 1.0, p: float = 2,
                        eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
                        reduce: bool | None = None, reduction: str = "mean") -> Array:
    r"""How far the anchor fails to be nearer to the positive example than to the negative one, by a margin.

    With d(x, y) = ‖x - y + ε‖_p along the last axis, the loss of a triplet is::

        max(0, margin + d(a, p) - d(a, n))                 or, with swap,
        max(0, margin + d(a, p) - min(d(a, n), d(p, n)))

    Args:
        anchor, positive, negative: a, p and n, shape (..., D); they broadcast, and have as many dimensions.
        margin: greater than 0.
        p: the norm: 1, 2, ∞ or another number.
        eps: ε, any number.
        swap: may the distance of the positive and the negative example count for that of the anchor?
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of triplets.

    Returns:
        The loss: the broadcast shape without D, or () when reduced; NaN for the mean of nothing. Integers
        have a loss in float32.

    Raises:
        RuntimeError: shapes do not broadcast or differ in dimension, or an argument holds truth values.
        ValueError: ``margin`` is not greater than 0, or ``reduction`` is unknown.
        NotImplementedError: an argument is complex (torch takes it).
        TypeError: an argument is no array, no number or no bool.

    ε stands beside each difference, with its sign, so that the distance is not symmetric; papers have none.
    torch adds up powers as they are: a norm whose powers overflow is infinite there, with a gradient of 0.

    >>> a, p, n = np.array([0.0, 0.0]), np.array([3.0, 4.0]), np.array([0.0, 2.0])
    >>> triplet_margin_loss(a, p, n, eps=0.0).item()
    4.0

    Source: Balntas, Riba, Ponsa, Mikolajczyk, Learning local feature descriptors with triplets and shallow
    convolutional neural networks (2016), section 3.2 (swap: 3.3); documentation of torch.nn.TripletMarginLoss
    and torch.nn.PairwiseDistance.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    _check(anchor, positive, negative, margin, p, eps, swap)
    distance = PairwiseDistance(p, eps)
    return reduce_losses(triplet_losses(distance, anchor, positive, negative, margin, swap), reduction)


@ieee
def triplet_margin_loss_backward(
        grad_output: Array, anchor: Array, positive: Array, negative: Array, margin: float = 1.0, p: float = 2,
        eps: float = 1e-6, swap: bool = False, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean") -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`triplet_margin_loss`, from ∂‖d‖/∂d = sign(d) (|d| / ‖d‖)^(p-1).

    At the kinks as torch has it: a triplet counts where margin + d(a, p) - d(a, n) >= 0; equal distances
    d(a, n) and d(p, n) share by halves, and equal components by equal parts where p is ∞; a norm of 0 has a
    gradient of 0. That is torch up to 2.13. From 2.14 on a triplet counts only where margin + d(a, p) - d(a, n) > 0:
    one whose loss is just 0 has gradients of 0.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        anchor, positive, negative, margin, p, eps, swap, size_average, reduce, reduction:
            as for :func:`triplet_margin_loss`.

    Returns:
        Gradients of anchor, positive and negative, each in its argument's shape; None for integers.

    Raises:
        What :func:`triplet_margin_loss` raises.

    >>> a, p, n = np.array([0.0, 0.0]), np.array([3.0, 4.0]), np.array([0.0, 2.0])
    >>> triplet_margin_loss_backward(np.array(5.0), a, p, n, eps=0.0)[1]
    array([3., 4.])

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    _check(anchor, positive, negative, margin, p, eps, swap)
    distance = PairwiseDistance(p, eps)
    triplet, g = (anchor, positive, negative), widen(grad_output)
    if reduction == "mean":
        shape = np.broadcast_shapes(*(x.shape for x in triplet))
        g = g / int(np.prod(shape[:-1]))
    gradients = triplet_gradients(g, distance, *triplet, margin, swap)
    by_anchor, by_positive, by_negative = (unbroadcast(d, x) for d, x in zip(gradients, triplet, strict=True))
    return by_anchor, by_positive, by_negative


def _check(anchor: Array, positive: Array, negative: Array, margin: float, p: float, eps: float, swap: bool) -> None:
    """Refuse what does not fit."""
    for name, value in (("p", p), ("eps", eps)):
        if not isinstance(value, numbers.Real):
            raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not isinstance(swap, bool):
        raise TypeError(f"swap must be a bool, not {type(swap).__name__}")
    check_triplet(anchor, positive, negative, margin, broadcast=True)
    if p == math.inf and 0 in (anchor.shape[-1], positive.shape[-1], negative.shape[-1]):
        raise RuntimeError("vectors must have a component where p is inf, of which none is the largest, not shapes "
                           f"{[x.shape for x in (anchor, positive, negative)]}")


TripletMarginLoss = module_class("TripletMarginLoss", triplet_margin_loss, margin=1.0, p=2.0, eps=1e-06, swap=False,
                                 size_average=None, reduce=None, reduction="mean")
