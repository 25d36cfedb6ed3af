"""Triplet margin loss, with the distance of a p-norm."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from ..numerics import Array, ieee, unbroadcast, widen
from ..reduction import reduce_losses, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import REDUCTIONS, UNEVEN_TRIPLES, decided, poison, refuser, uneven
from ._distance import PairwiseDistance, check_triplet, triplet_gradients, triplet_losses
from ._module import module_class

__all__ = ["SPEC", "TripletMarginLoss", "triplet_margin_loss", "triplet_margin_loss_backward"]


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
    gradient of 0.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        anchor, positive, negative, margin, p, eps, swap, size_average, reduce, reduction: as there.

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


# --- cases ---------------------------------------------------------------------------------------

#: Shapes of anchor, positive and negative.
_SHAPES = {"4x5": ((4, 5),) * 3, "5": ((5,),) * 3, "2x2x3": ((2, 2, 3),) * 3,
           "one-positive": ((3, 4), (1, 4), (3, 4)), "one-number": ((3, 4), (3, 4), (3, 1)), "0x3": ((0, 3),) * 3}


def _allowed(options: Options, dtype: str) -> bool:
    if options["regime"] == "equal" and options["p"] == math.inf and options["eps"]:
        return False  # all components of d are ε, rounded: which is largest cannot be decided
    if options["regime"] == "equal" and options["swap"]:
        return False  # nor which of d(a, n) and d(p, n) is the smaller one
    if options["regime"] in ("inf", "nan") and options["p"] == math.inf:
        return False  # nor whom the gradient of an infinite maximum belongs to
    if options["regime"] == "inf" and options["shape"] in ("one-positive", "one-number"):
        return False  # a gradient that is summed over finite and infinite distances has no bound
    if options["regime"] == "tiny" and options["eps"] == 0.5:
        return False  # all is lost in ε
    if dtype == "bfloat16" and (options["p"] in (1.5, 3.0) or options["regime"] in ("tiny", "equal")):
        return False  # 8 bits leave too little of powers, and torch rounds ε to them
    return bool(options["shape"] != "0x3" or options["regime"] == "moderate")


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shapes, regime, p = (_SHAPES | UNEVEN_TRIPLES)[options["shape"]], options["regime"], options["p"]
    margin, eps, swap = options["margin"], options["eps"], options["swap"]
    scale = {"huge": min(limits.max**0.25, 2.0**18), "beyond": limits.max / 64,
             "tiny": max(1e-5, 64 * limits.tiny)}.get(regime, 2.0)

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
        if not a.size:
            return np.ones(1)
        pairs = [(a, q), (a, n), (q, n)] if swap else [(a, q), (a, n)]
        if regime == "equal":
            pairs = pairs[1:]
        near = [np.abs(x - y + eps) / (np.abs(x - y) + eps) for x, y in pairs]
        if p == math.inf:
            sizes = [np.sort(np.abs(x - y + eps), -1) for x, y in pairs]
            near = [2 - 2 * d[..., -2] / d[..., -1] for d in sizes]
        distances = [PairwiseDistance(p, eps)(x, y) for x, y in ((a, q), (a, n), (q, n))]
        gap = np.abs(distances[1] - distances[2]) / (distances[1] + distances[2]) if swap else np.ones(1)
        d_neg = np.minimum(*distances[1:]) if swap else distances[1]
        z = np.abs(margin + distances[0] - d_neg) / (margin + distances[0] + d_neg) / 3
        return np.concatenate([x.ravel() for x in (*(near if p in (1, math.inf) else ()), gap, z)])

    a, q, n = decided(draw, clear, 8 * limits.eps)
    poison(a, regime, np.inf, -np.inf)
    poison(n, "inf" if regime == "inf" else "", np.inf)
    return {"anchor": a, "positive": q, "negative": n, "margin": margin, "p": p, "eps": eps, "swap": swap,
            **REDUCTIONS[options["reduction"]]}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    shape = (max(n // 100, 1), 100)
    return {name: rng.standard_normal(shape, np.float32) for name in ("anchor", "positive", "negative")}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(anchor=_X, positive=_X, negative=_X)

SPEC = LossSpec(
    name="triplet_margin_loss",
    torch_names=("torch.nn.functional.triplet_margin_loss", "torch.nn.TripletMarginLoss"),
    function=triplet_margin_loss, backward=triplet_margin_loss_backward, module="TripletMarginLoss",
    module_arguments={"margin": 1.0, "p": 2.0, "eps": 1e-6, "swap": False, "size_average": None, "reduce": None,
                      "reduction": "mean"},
    axes=(Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("p", (2.0, 1.0, 3.0, 1.5, math.inf)),
          Axis("eps", (1e-6, 0.0, 0.5)), Axis("swap", (False, True)), Axis("margin", (1.0, 0.25)),
          Axis("regime", ("moderate", "huge", "beyond", "tiny", "equal", "inf", "nan"),
               "beyond: squares overflow; tiny: about ε; equal: anchor and positive")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=uneven({"reduction": "none"}),
    kinks=lambda o: o["regime"] == "equal" and o["eps"] == 0.0, arrays=("anchor", "positive", "negative"),
    refusals=(
        _refuse("another dimension", RuntimeError, "as many dimensions", positive=_X[0]),
        _refuse("vectors of other lengths", RuntimeError, "must broadcast", negative=_X[:, :3]),
        _refuse("another number of positives", RuntimeError, r"must broadcast.*\(2, 4\)", positive=_X[:2]),
        _refuse("no margin", ValueError, "greater than 0, not 0", margin=0.0),
        _refuse("a negative margin", ValueError, "greater than 0, not -1", margin=-1.0),
        _refuse("a word for a margin", TypeError, "margin must be a number, not str", margin="wide"),
        _refuse("a word for a norm", TypeError, "p must be a number, not str", p="fro"),
        _refuse("a word for a small number", TypeError, "eps must be a number", eps="small"),
        _refuse("a number for a truth value", TypeError, "swap must be a bool, not int", swap=1),
        _refuse("truth values", RuntimeError, "must hold numbers, not bool", anchor=_X > 0, positive=_X > 0,
                negative=_X > 0),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array", TypeError, "positive must be a NumPy array, not float", positive=1.0),
        _refuse("no negatives", TypeError, "negative must be a NumPy array, not None", negative=None),
    ),
)

TripletMarginLoss = module_class(SPEC)
