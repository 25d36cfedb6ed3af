"""What is asked of ``smooth_l1_loss``: its axes, draws and refusals.

A regime has differences of exactly β.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.smooth_l1 import smooth_l1_loss, smooth_l1_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, refuser, uneven
from ._pairs import PAIR_SHAPES, draw_pair, pair_allowed, sized_pair
from ._whole import differences

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    return pair_allowed(options)


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    x, y = draw_pair(options, rng, limits)
    if options["regime"] == "kink":  # |x - y| = β where it is not 0, and exactly so in every dtype
        x = np.asarray(np.round(4 * x) / 4)
        y = np.asarray(x + options["beta"] * rng.integers(-1, 2, x.shape))
    return {"input": x, "target": y, "beta": options["beta"], **REDUCTIONS[options["reduction"]]}


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="smooth_l1_loss", torch_names=("torch.nn.functional.smooth_l1_loss", "torch.nn.SmoothL1Loss"),
    surrounded=({}, {"beta": 0.25}),
    function=smooth_l1_loss, backward=smooth_l1_loss_backward, module="SmoothL1Loss",
    axes=(Axis("target", ("same", "row", "larger"), "its shape beside that of input; torch warns"),
          Axis("shape", tuple(PAIR_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("beta", (1.0, 0.25, 2.5, 0.0)),
          Axis("regime", ("moderate", "huge", "tiny", "close", "tie", "kink", "inf", "nan"),
               "tie: x = y in places, kink: |x - y| = β in places")),
    slower="torch takes one pass over both arrays and one sum, 0.7 ns an element; the ten passes that NumPy needs for "
           "the two branches take 0.1 to 0.25 ns each even in a cache, 2 ns together.",
    allowed=_allowed, draw=_draw, strength=3, sized=sized_pair,
    extra=uneven({"reduction": "none"}, {"target": "row"}),
    arrays=("input", "target"),
    independent="elements",
    whole=Whole(differences((2, 3), power=2)),
    elementwise={"0": {"target": 0.0}, "0.7": {"target": 0.7}, "beta": {"target": -1.0, "beta": 0.3},
                 "no-beta": {"target": 0.7, "beta": 0.0}},
    # Only β = 0 has a kink, at x = y; a tiny difference is nearer to it than the step of a quotient.
    kinks=lambda options: options["beta"] == 0 and options["regime"] in ("tie", "kink", "tiny"),
    refusals=(
        _refuse("a negative beta", RuntimeError, "beta must not be negative, but is -1.0", beta=-1.0),
        _refuse("NaN for beta", RuntimeError, "beta must not be negative, but is nan", beta=float("nan")),
        _refuse("no number", TypeError, "beta must be a number, not str", beta="much"),
        _refuse("nothing for beta", TypeError, "beta must be a number, not NoneType", beta=None),
        _refuse("integers", NotImplementedError, "not int64 and int64",
                input=_X.astype(np.int64), target=_X.astype(np.int64)),
        _refuse("truth values", NotImplementedError, "not bool and bool", input=_X > 0, target=_X > 0),
        _refuse("complex", NotImplementedError, "not float32 and complex64", target=_X.astype(np.complex64)),
        _refuse("shapes that do not broadcast", RuntimeError, r"broadcast with input, \(3, 4\), not \(3,\)",
                target=_X[:, 0]),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array; torch asks it for its size", TypeError, "target must be a NumPy array, not float",
                AttributeError, target=1.0),
    ),
)
