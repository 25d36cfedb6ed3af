"""Triplet margin loss, with a distance of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numerics import Array, ieee, unbroadcast, widen
from ..reduction import reduce_losses, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import UNEVEN_TRIPLES, decided, poison, refuser, uneven
from ._distance import (
    Distance,
    Manhattan,
    PairwiseDistance,
    Skewed,
    Squared,
    check_triplet,
    triplet_gradients,
    triplet_losses,
)
from ._module import module_class

__all__ = ["SPEC", "TripletMarginWithDistanceLoss", "triplet_margin_with_distance_loss",
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
    d(a, n) and d(p, n) share by halves.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        anchor, positive, negative, distance_function, margin, swap, reduction: as there.

    Returns:
        Gradients of anchor, positive and negative, each in its argument's shape; None for integers.

    Raises:
        What :func:`triplet_margin_with_distance_loss` raises; and TypeError if the distance has no ``backward``.

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


# --- cases ---------------------------------------------------------------------------------------

#: Shapes of anchor, positive and negative.
_SHAPES = {"4x5": ((4, 5),) * 3, "5": ((5,),) * 3, "2x2x3": ((2, 2, 3),) * 3,
           "one-positive": ((3, 4), (1, 4), (3, 4)), "0x3": ((0, 3),) * 3}

#: They take arrays of NumPy and of other frameworks.
_DISTANCES: dict[str, Any] = {"default": None, "squared": Squared(), "manhattan": Manhattan(), "skewed": Skewed()}


def _allowed(options: Options, dtype: str) -> bool:
    if options["regime"] == "inf" and options["shape"] == "one-positive":
        return False  # a gradient that is summed over finite and infinite distances has no bound
    if options["regime"] == "equal" and options["swap"]:
        return False  # which of d(a, n) and d(p, n) is the smaller one cannot be decided
    if options["regime"] == "equal" and dtype == "float16" and options["distance"] == "default":
        return False  # their distance is that of ε alone, of which float16 has four bits
    if options["distance"] == "skewed" and (options["regime"] == "equal" or dtype == "bfloat16"):
        return False  # 2x - y is no distance: the one is no case of its own, the other cancels
    return bool(options["shape"] != "0x3" or options["regime"] == "moderate")


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shapes, regime = (_SHAPES | UNEVEN_TRIPLES)[options["shape"]], options["regime"]
    swap, margin = options["swap"], options["margin"]
    distance = _DISTANCES[options["distance"]] or PairwiseDistance()
    scale = min(limits.max**0.25, 2.0**18) if regime == "huge" else 2.0

    def draw() -> list[Any]:
        a, q, n = (rng.uniform(-scale, scale, s) for s in shapes)
        far = rng.random((*shapes[1][:-1], 1)) < 0.7  # either the positive or the negative example is far away
        far[-1:] = True
        a, q, n = 0.1 * a, q * np.where(far, 1.0, 0.2), n * np.where(far, 0.2, 1.0)
        if swap and n.shape[-1:] == q.shape[-1:]:  # or both are, and near to each other
            n = np.where(far & (np.arange(len(n)) % 2 == 0).reshape(-1, *(1,) * (n.ndim - 1)), q + n, n)
        if regime == "equal":
            q[..., :] = a[:len(q)]
        return [a, q, n]

    def clear(a: Any, q: Any, n: Any) -> Any:
        d_pos, d_neg, d_swap = (distance(x, y) for x, y in ((a, q), (a, n), (q, n)))
        gap = np.abs(d_neg - d_swap) / (d_neg + d_swap) if swap else np.ones(1)
        d_neg = np.minimum(d_neg, d_swap) if swap else d_neg
        return np.concatenate([gap.ravel(), (np.abs(margin + d_pos - d_neg) / (margin + d_pos + d_neg) / 3).ravel()])

    a, q, n = decided(draw, clear, 8 * limits.eps)
    poison(a, regime, np.inf, -np.inf)
    poison(n, "inf" if regime == "inf" else "", np.inf)
    return {"anchor": a, "positive": q, "negative": n, "distance_function": _DISTANCES[options["distance"]],
            "margin": margin, "swap": swap, "reduction": options["reduction"]}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    shape = (max(n // 100, 1), 100)
    return {name: rng.standard_normal(shape, np.float32) for name in ("anchor", "positive", "negative")}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(anchor=_X, positive=_X, negative=_X)

SPEC = LossSpec(
    name="triplet_margin_with_distance_loss",
    torch_names=("torch.nn.functional.triplet_margin_with_distance_loss", "torch.nn.TripletMarginWithDistanceLoss"),
    function=triplet_margin_with_distance_loss, backward=triplet_margin_with_distance_loss_backward,
    module="TripletMarginWithDistanceLoss",
    module_arguments={"distance_function": None, "margin": 1.0, "swap": False, "reduction": "mean"},
    axes=(Axis("distance", tuple(_DISTANCES), "skewed: Σ (2x - y)², to show which array stands first"),
          Axis("shape", tuple(_SHAPES)), Axis("reduction", ("mean", "none", "sum")), Axis("swap", (False, True)),
          Axis("margin", (1.0, 0.25)),
          Axis("regime", ("moderate", "huge", "equal", "inf", "nan"), "equal: anchor and positive")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=uneven({"reduction": "none"}),
    kinks=lambda o: o["regime"] == "equal" and o["distance"] == "manhattan",
    arrays=("anchor", "positive", "negative"),
    refusals=(
        _refuse("another dimension", RuntimeError, "as many dimensions", positive=_X[0]),
        _refuse("vectors of other lengths", RuntimeError, "must broadcast", negative=_X[:, :3]),
        _refuse("another number of positives", RuntimeError, r"must broadcast.*\(2, 4\)", positive=_X[:2]),
        _refuse("no margin", ValueError, "greater than 0, not 0", margin=0.0),
        _refuse("a negative margin", ValueError, "greater than 0, not -1", margin=-1.0),
        _refuse("a word for a margin", TypeError, "margin must be a number, not str", margin="wide"),
        _refuse("a word for a distance", TypeError, "distance_function must be callable or None, not str",
                distance_function="cosine"),
        _refuse("truth values", RuntimeError, "must hold numbers, not bool", anchor=_X > 0, positive=_X > 0,
                negative=_X > 0),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array; torch asks it for its dimension", TypeError, "positive must be a NumPy array, not float",
                AttributeError, positive=1.0),
        _refuse("no negatives; torch asks them likewise", TypeError, "negative must be a NumPy array, not None",
                AttributeError, negative=None),
    ),
)

TripletMarginWithDistanceLoss = module_class(SPEC, keyword_only=True)
