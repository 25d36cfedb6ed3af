"""What is asked of ``triplet_margin_with_distance_loss``: its axes, draws and refusals.

Draws are repeated until distances are clear of each other and of the margin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses._distance import PairwiseDistance
from reference.losses.triplet_margin_with_distance import (
    triplet_margin_with_distance_loss,
    triplet_margin_with_distance_loss_backward,
)

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import UNEVEN_TRIPLES, decided, poison, put_first, refuser, uneven
from ._distance import TRIPLET, Manhattan, Skewed, Squared, draw_kinks, draw_triplet
from ._whole import triplet

__all__ = ["SPEC"]

#: Their shapes.
_SHAPES = {"4x5": ((4, 5),) * 3, "5": ((5,),) * 3, "2x2x3": ((2, 2, 3),) * 3,
           "one-positive": ((3, 4), (1, 4), (3, 4)), "0x3": ((0, 3),) * 3}

#: They take arrays of NumPy and of other frameworks.
_DISTANCES: dict[str, Any] = {"default": None, "squared": Squared(), "manhattan": Manhattan(), "skewed": Skewed()}


def _allowed(options: Options, dtype: str) -> bool:
    if options["regime"] == "kink":  # where all is exact
        return (options["shape"] == "4x5" and options["distance"] in ("squared", "manhattan") and not options["swap"])
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
    rest = {"distance_function": _DISTANCES[options["distance"]], "margin": margin, "swap": swap,
            "reduction": options["reduction"]}
    if regime == "kink":
        return {**dict(zip(TRIPLET, draw_kinks(rng, squared=True), strict=True)), **rest}
    scale = min(limits.max**0.25, 2.0**18) if regime == "huge" else 2.0

    def draw() -> list[Any]:
        return draw_triplet(rng, shapes, scale, swap=swap, equal=regime == "equal")

    def clear(a: Any, q: Any, n: Any) -> Any:
        d_pos, d_neg, d_swap = (distance(x, y) for x, y in ((a, q), (a, n), (q, n)))
        gap = np.abs(d_neg - d_swap) / (d_neg + d_swap) if swap else np.ones(1)
        d_neg = np.minimum(d_neg, d_swap) if swap else d_neg
        return np.concatenate([gap.ravel(), (np.abs(margin + d_pos - d_neg) / (margin + d_pos + d_neg) / 3).ravel()])

    a, q, n = decided(draw, clear, 8 * limits.eps)
    poison(a, regime, np.inf, -np.inf)
    if regime == "inf":
        put_first(n, np.inf)
    return {"anchor": a, "positive": q, "negative": n, **rest}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    shape = (max(n // 100, 1), 100)
    return {name: rng.standard_normal(shape, np.float32) for name in TRIPLET}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(anchor=_X, positive=_X, negative=_X)

SPEC = LossSpec(
    name="triplet_margin_with_distance_loss",
    surrounded=({}, {"swap": True}),
    torch_names=("torch.nn.functional.triplet_margin_with_distance_loss", "torch.nn.TripletMarginWithDistanceLoss"),
    whole=Whole(triplet),
    function=triplet_margin_with_distance_loss, backward=triplet_margin_with_distance_loss_backward,
    module="TripletMarginWithDistanceLoss",
    axes=(Axis("distance", tuple(_DISTANCES), "skewed: Σ (2x - y)², to show which array stands first"),
          Axis("shape", tuple(_SHAPES)), Axis("reduction", ("mean", "none", "sum")), Axis("swap", (False, True)),
          Axis("margin", (1.0, 0.25)),
          Axis("regime", ("moderate", "huge", "equal", "inf", "nan"), "equal: anchor and positive")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=(*uneven({"reduction": "none"}), *({"regime": "kink", **others} for others in (
        {"distance": "manhattan"}, {"distance": "manhattan", "reduction": "none"}, {"distance": "squared"},
        {"distance": "squared", "reduction": "sum"}))),
    kinks=lambda o: o["regime"] == "kink" or (o["regime"] == "equal" and o["distance"] == "manhattan"),
    exact=lambda o: o["regime"] == "kink", arrays=TRIPLET,
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
