"""Shapes and draws of losses between two arrays that broadcast."""

from __future__ import annotations

import numpy as np

from reference.numerics import Array

from ...spec import Limits, Options
from ._cases import UNEVEN, poison

__all__ = ["PAIR_SHAPES", "draw_pair", "pair_allowed"]

PAIR_SHAPES = {"3x4": (3, 4), "scalar": (), "2x1x3": (2, 1, 3), "0": (0,)}


def pair_allowed(options: Options) -> bool:
    """Targets of other shapes stand beside inputs with axes; where there is nothing, size does not matter."""
    return ((options["target"] == "same" or options["shape"] in ("3x4", "2x1x3", *UNEVEN))
            and (options["regime"] not in ("close", "tie", "kink") or options["target"] == "same")
            and (options["regime"] == "moderate" or options["shape"] != "0"))


def draw_pair(options: Options, rng: np.random.Generator, limits: Limits) -> tuple[Array, Array]:
    """Input and target: sums of all their distances, with weights of up to 2, stay in range.

    "close": a few units apart; "tie": every second pair is equal; "inf": also inf - inf, which is NaN.
    """
    shape, regime = (PAIR_SHAPES | UNEVEN)[options["shape"]], options["regime"]
    scale = {"huge": limits.max / 256, "tiny": 8 * limits.tiny}.get(regime, 3.0)
    target_shape = {"row": shape[-1:], "larger": (2, *shape)}.get(options["target"], shape)
    x, y = (np.asarray(rng.uniform(-scale, scale, s)) for s in (shape, target_shape))
    if regime == "close":
        y = np.asarray(x * (1 + 4 * limits.eps))
    elif regime == "tie":
        y.flat[::2] = x.flat[::2]
    poison(x, regime, np.inf, -np.inf, np.inf)
    poison(y, "inf" if regime == "inf" else "", np.inf)
    return x, y
