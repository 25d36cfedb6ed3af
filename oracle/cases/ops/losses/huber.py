"""What is asked of ``huber_loss``: its axes, draws and refusals.

A regime has differences of exactly δ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.huber import huber_loss, huber_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import refuser, uneven
from ._pairs import PAIR_SHAPES, draw_pair, draw_weight, pair_allowed, sized_pair
from ._whole import differences

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    return pair_allowed(options)


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    x, y = draw_pair(options, rng, limits)
    if options["regime"] == "kink":  # |x - y| = δ where it is not 0, and exactly so in every dtype
        x = np.asarray(np.round(4 * x) / 4)
        y = np.asarray(x + options["delta"] * rng.integers(-1, 2, x.shape))
    arguments = {"input": x, "target": y, "reduction": options["reduction"], "delta": options["delta"]}
    if options["weight"] != "none":
        arguments["weight"] = draw_weight(options["weight"], x.shape, rng)
    return arguments


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="huber_loss", torch_names=("torch.nn.functional.huber_loss", "torch.nn.HuberLoss"),
    surrounded=({}, {"weight": "random", "delta": 0.25}),
    function=huber_loss, backward=huber_loss_backward, module="HuberLoss",
    axes=(Axis("target", ("same", "row", "larger"), "its shape beside that of input; torch warns"),
          Axis("shape", tuple(PAIR_SHAPES)), Axis("reduction", ("mean", "none", "sum")),
          Axis("weight", ("none", "random", "one-zero", "zeros")), Axis("delta", (1.0, 0.25, 2.5)),
          Axis("regime", ("moderate", "huge", "tiny", "close", "tie", "kink", "inf", "nan"),
               "tie: x = y in places, kink: |x - y| = δ in places")),
    slower="torch takes one pass over both arrays and one sum, 0.7 ns an element; NumPy's six passes take 0.1 to "
           "0.25 ns each even in a cache, 1.3 ns together.",
    allowed=_allowed, draw=_draw, strength=3, sized=sized_pair,
    extra=uneven({"weight": "random", "reduction": "none"}, {"target": "row"}),
    arrays=("input", "target", "weight"),
    independent="elements",
    whole=Whole(differences((2, 3), power=2)),
    elementwise={"0": {"target": 0.0}, "0.7": {"target": 0.7}, "delta": {"target": -1.0, "delta": 0.3}},
    refusals=(
        _refuse("a negative delta", RuntimeError, "delta must be positive, not -1.0", delta=-1.0),
        _refuse("zero for delta", RuntimeError, "delta must be positive, not 0.0", delta=0.0),
        _refuse("NaN for delta", RuntimeError, "delta must be positive, not nan", delta=float("nan")),
        _refuse("no number", TypeError, "delta must be a number, not str", delta="much"),
        _refuse("nothing for delta", TypeError, "delta must be a number, not NoneType", delta=None),
        _refuse("integers", NotImplementedError, "input must be floating, not int64",
                input=_X.astype(np.int64), target=_X.astype(np.int64)),
        _refuse("integers beside floats", RuntimeError, "not int64", input=_X.astype(np.int64)),
        _refuse("complex input", NotImplementedError, "not complex64", input=_X.astype(np.complex64)),
        _refuse("complex targets", RuntimeError, "target must be real, not complex64",
                target=_X.astype(np.complex64)),
        _refuse("shapes that do not broadcast", RuntimeError, r"broadcast with input, \(3, 4\), not \(3,\)",
                target=_X[:, 0]),
        _refuse("weights of another shape", ValueError, r"weight must have the shape of input, \(3, 4\)",
                weight=_X[0]),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array; torch asks it for its size", TypeError, "target must be a NumPy array, not float",
                AttributeError, target=1.0),
    ),
)
