"""What is asked of ``triplet_margin_loss``: its axes, draws and refusals.

Draws are repeated until distances are clear of each other and of the margin.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference.losses._distance import PairwiseDistance
from reference.losses.triplet_margin import triplet_margin_loss, triplet_margin_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN_TRIPLES, decided, poison, put_first, refuser, size_of, uneven
from ._distance import TRIPLET, draw_kinks, draw_triplet
from ._whole import triplet

__all__ = ["SPEC"]

#: Their shapes.
_SHAPES = {"4x5": ((4, 5),) * 3, "5": ((5,),) * 3, "2x2x3": ((2, 2, 3),) * 3,
           "one-positive": ((3, 4), (1, 4), (3, 4)), "one-number": ((3, 4), (3, 4), (3, 1)), "0x3": ((0, 3),) * 3}


def _allowed(options: Options, dtype: str) -> bool:
    if options["regime"] == "kink":  # where all is exact
        return options["shape"] == "4x5" and options["p"] in (1.0, 2.0) and not options["eps"] and not options["swap"]
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
    rest = {"margin": margin, "p": p, "eps": eps, "swap": swap, **REDUCTIONS[options["reduction"]]}
    if regime == "kink":
        return {**dict(zip(TRIPLET, draw_kinks(rng, squared=False), strict=True)), **rest}
    scale = size_of(regime, 2.0, huge=min(limits.max**0.25, 2.0**18), tiny=max(1e-5, 64 * limits.tiny))
    if regime == "beyond":
        scale = limits.max / 64

    def draw() -> list[Any]:
        return draw_triplet(rng, shapes, scale, swap=swap, equal=regime == "equal")

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
    if regime == "inf":
        put_first(n, np.inf)
    return {"anchor": a, "positive": q, "negative": n, **rest}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    shape = (max(n // 100, 1), 100)
    return {name: rng.standard_normal(shape, np.float32) for name in TRIPLET}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(anchor=_X, positive=_X, negative=_X)

SPEC = LossSpec(
    name="triplet_margin_loss",
    surrounded=({}, {"p": 1.0, "swap": True}),
    torch_names=("torch.nn.functional.triplet_margin_loss", "torch.nn.TripletMarginLoss"),
    whole=Whole(triplet),
    function=triplet_margin_loss, backward=triplet_margin_loss_backward, module="TripletMarginLoss",
    axes=(Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("p", (2.0, 1.0, 3.0, 1.5, math.inf)),
          Axis("eps", (1e-6, 0.0, 0.5)), Axis("swap", (False, True)), Axis("margin", (1.0, 0.25)),
          Axis("regime", ("moderate", "huge", "beyond", "tiny", "equal", "inf", "nan"),
               "beyond: squares overflow; tiny: about ε; equal: anchor and positive")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=(*uneven({"reduction": "none"}), *({"regime": "kink", "eps": 0.0, **others} for others in (
        {}, {"reduction": "none"}, {"p": 1.0}, {"p": 1.0, "reduction": "sum"}))),
    kinks=lambda o: o["regime"] == "kink" or (o["regime"] == "equal" and o["eps"] == 0.0),
    exact=lambda o: o["regime"] == "kink", arrays=TRIPLET,
    refusals=(
        _refuse("another dimension", RuntimeError, "as many dimensions", positive=_X[0]),
        _refuse("vectors of other lengths", RuntimeError, "must broadcast", negative=_X[:, :3]),
        _refuse("another number of positives", RuntimeError, r"must broadcast.*\(2, 4\)", positive=_X[:2]),
        _refuse("no largest component", RuntimeError, r"must have a component where p is inf.*\(3, 0\)",
                anchor=_X[:, :0], positive=_X[:, :0], negative=_X[:, :0], p=math.inf),
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
