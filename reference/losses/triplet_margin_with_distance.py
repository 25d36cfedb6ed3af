"""Triplet margin loss, with a distance of one's own."""

from __future__ import annotations

from ..numerics import Array, ieee, unbroadcast, widen
from ..reduction import reduce_losses, resolve
from ._distance import Distance, PairwiseDistance, check_triplet, triplet_gradients, triplet_losses
from ._module import module_class

__all__ = ["TripletMarginWithDistanceLoss", "triplet_margin_with_distance_loss",
           "triplet_margin_with_distance_loss_backward"]


@ieee
def triplet_margin_with_distance_loss(
        anchor: Array, positive: Array, negative: Array, *, distance_function: Distance | None = None,
        margin: float = 1.0, swap: bool = False, reduction: str = "mean") -> Array:
    r"""How far the anchor fails to be nearer to the positive example than to the negative one, by a margin.

    With a distance d, the loss of a triplet is::

        max(0, margin + d(a, p) - d(a, n))                 or, with swap,
        max(0, margin + d(a, p) - min(d(a, n), d(p, n)))

    Args:
        anchor, positive, negative: a, p and n, with as many dimensions. The default distance takes the shape
            (..., D); what others take is their affair.
        distance_function: d, called with two of the arrays (a first, n last) as they came; gives an array of
            distances, of any shape. None is ‖x - y + 1e-6‖₂ along the last axis. For
            :func:`triplet_margin_with_distance_loss_backward` it needs a method ``backward``.
        margin: greater than 0.
        swap: may the distance of the positive and the negative example count for that of the anchor?
        reduction: "none", "mean" or "sum". The mean divides by the number of distances.

    Returns:
        The loss: the shape of the distances, or () when reduced; NaN for the mean of nothing. Distances that
        are integers have a loss in float32.

    Raises:
        RuntimeError: the arrays differ in dimension or hold truth values, or do not broadcast (for the
            default distance).
        ValueError: ``margin`` is not greater than 0, or ``reduction`` is unknown.
        NotImplementedError: an array is complex (torch takes it).
        TypeError: an argument is no array or no number, or the distance cannot be called.

    >>> import numpy as np
    >>> a, p, n = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> manhattan = lambda x, y: np.abs(x - y).sum(-1)
    >>> triplet_margin_with_distance_loss(a, p, n, distance_function=manhattan).item()
    6.0

    Source: Balntas, Riba, Ponsa, Mikolajczyk, Learning local feature descriptors with triplets and shallow
    convolutional neural networks (2016), section 3; documentation of torch.nn.TripletMarginWithDistanceLoss.
    """
    reduction = resolve(reduction)
    _check(anchor, positive, negative, distance_function, margin)
    distance = PairwiseDistance() if distance_function is None else distance_function
    return reduce_losses(triplet_losses(distance, anchor, positive, negative, margin, swap), reduction)


@ieee
def triplet_margin_with_distance_loss_backward(
        grad_output: Array, anchor: Array, positive: Array, negative: Array, *,
        distance_function: Distance | None = None, margin: float = 1.0, swap: bool = False,
        reduction: str = "mean") -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`triplet_margin_with_distance_loss`, by the gradient of the distance.

    NumPy cannot differentiate a callable, so a distance function other than None has to bring its own gradient:
    a method ``backward(grad_output, x, y)``, where grad_output has the shape of the distances, that gives
    the gradients of x and y in their shapes.

    At the kinks as torch has it: a triplet counts where margin + d(a, p) - d(a, n) >= 0, and equal distances
    d(a, n) and d(p, n) share by halves. That is torch up to 2.13. From 2.14 on a triplet counts only where
    margin + d(a, p) - d(a, n) > 0: one whose loss is just 0 has gradients of 0.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        anchor, positive, negative, distance_function, margin, swap, reduction:
            as for :func:`triplet_margin_with_distance_loss`.

    Returns:
        Gradients of anchor, positive and negative, each in its argument's shape; None for integers.

    Raises:
        What :func:`triplet_margin_with_distance_loss` raises; and TypeError if the distance has no ``backward``.

    >>> import numpy as np
    >>> class Manhattan:
    ...     def __call__(self, x, y):
    ...         return np.abs(x - y).sum(-1)
    ...     def backward(self, grad_output, x, y):
    ...         gradient = grad_output[..., None] * np.sign(x - y)
    ...         return gradient, -gradient
    >>> a, p, n = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> triplet_margin_with_distance_loss_backward(np.array(1.0), a, p, n, distance_function=Manhattan())[0]
    array([[-1.,  0.]])

    Source: differentiation.
    """
    reduction = resolve(reduction)
    _check(anchor, positive, negative, distance_function, margin)
    distance = PairwiseDistance() if distance_function is None else distance_function
    if not hasattr(distance, "backward"):
        raise TypeError(f"distance_function must have a method backward, or be None; {distance!r} has none")
    triplet, g = (anchor, positive, negative), widen(grad_output)
    if reduction == "mean":
        g = g / triplet_losses(distance, *triplet, margin=margin, swap=swap).size
    gradients = triplet_gradients(g, distance, *triplet, margin, swap)
    by_anchor, by_positive, by_negative = (unbroadcast(d, x) for d, x in zip(gradients, triplet, strict=True))
    return by_anchor, by_positive, by_negative


def _check(anchor: Array, positive: Array, negative: Array, distance_function: Distance | None, margin: float) -> None:
    """Refuse what does not fit."""
    if distance_function is not None and not callable(distance_function):
        raise TypeError(f"distance_function must be callable or None, not {type(distance_function).__name__}")
    check_triplet(anchor, positive, negative, margin, broadcast=distance_function is None)


TripletMarginWithDistanceLoss = module_class("TripletMarginWithDistanceLoss", triplet_margin_with_distance_loss,
                                             keyword_only=True, distance_function=None, margin=1.0, swap=False,
                                             reduction="mean")
