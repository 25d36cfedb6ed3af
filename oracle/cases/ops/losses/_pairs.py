"""Shapes and draws of losses between two arrays that broadcast, and of the weights beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.numerics import Array

from ...spec import Limits, Options
from ._cases import UNEVEN, poison, put_first, size_of, target_shape

__all__ = ["PAIR_SHAPES", "draw_integers", "draw_pair", "draw_weight", "pair_allowed", "sized_pair"]

PAIR_SHAPES = {"3x4": (3, 4), "scalar": (), "2x1x3": (2, 1, 3), "0": (0,)}


def pair_allowed(options: Options) -> bool:
    """Targets of other shapes stand beside inputs with axes; where there is nothing, size does not matter."""
    return ((options["target"] == "same" or options["shape"] in ("3x4", "2x1x3", *UNEVEN))
            and (options["regime"] not in ("close", "tie", "kink") or options["target"] == "same")
            and (options["regime"] == "moderate" or options["shape"] != "0"))


def draw_pair(options: Options, rng: np.random.Generator, limits: Limits, *, squared: bool = False,
              ) -> tuple[Array, Array]:
    """Input and target: sums of all their distances, or of the squares, stay in range with weights of up to 2.

    "close": a few units apart; "tie": every second pair is equal; "inf": also inf - inf, which is NaN.
    """
    shape, regime = (PAIR_SHAPES | UNEVEN)[options["shape"]], options["regime"]
    if squared:
        scale = size_of(regime, 3.0, huge=limits.max**0.5 / 8, tiny=8 * limits.tiny**0.5)
    else:
        scale = size_of(regime, 3.0, huge=limits.max / 256, tiny=8 * limits.tiny)
    shapes = shape, target_shape(options["target"], shape)
    x, y = (np.asarray(rng.uniform(-scale, scale, s)) for s in shapes)
    if regime == "close":
        y = np.asarray(x * (1 + 4 * limits.eps))
    elif regime == "tie":
        y.flat[::2] = x.flat[::2]
    poison(x, regime, np.inf, -np.inf, np.inf)
    if regime == "inf":
        put_first(y, np.inf)
    return x, y


def draw_weight(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Weights about 1, of which none, the first ("one-zero") or all ("zeros") are 0."""
    w = np.asarray(rng.uniform(0.5, 2.0, shape))
    if kind == "one-zero":
        w.flat[:1] = 0.0
    elif kind == "zeros":
        w[...] = 0.0
    return w


def draw_integers(x: Array, y: Array, rng: np.random.Generator) -> dict[str, Any]:
    """Input, target and weight that are all integers, in the shapes of a pair."""
    shapes = {"input": x.shape, "target": y.shape, "weight": x.shape}
    return {name: np.asarray(rng.integers(1, 9, shape), np.int32) for name, shape in shapes.items()}


def sized_pair(n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Input and target of n elements, for timing."""
    return {"input": rng.standard_normal(n, np.float32), "target": rng.standard_normal(n, np.float32)}
