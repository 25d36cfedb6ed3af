"""What is asked of ``mse_loss``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.mse import mse_loss, mse_loss_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, refuser, uneven
from ._pairs import PAIR_SHAPES, draw_integers, draw_pair, draw_weight, pair_allowed, sized_pair
from ._whole import differences

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    return pair_allowed(options)


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    x, y = draw_pair(options, rng, limits, squared=True)
    arguments = {"input": x, "target": y, **REDUCTIONS[options["reduction"]]}
    if options["weight"] == "integers":
        return arguments | draw_integers(x, y, rng)
    if options["weight"] != "none":
        arguments["weight"] = draw_weight(options["weight"], x.shape, rng)
    return arguments


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="mse_loss", torch_names=("torch.nn.functional.mse_loss", "torch.nn.MSELoss"),
    surrounded=({}, {"weight": "random"}),
    function=mse_loss, backward=mse_loss_backward, module="MSELoss",
    axes=(Axis("target", ("same", "row", "larger"), "its shape beside that of input; torch warns"),
          Axis("shape", tuple(PAIR_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("weight", ("none", "random", "one-zero", "zeros")),
          Axis("regime", ("moderate", "huge", "tiny", "close", "inf", "nan"), "close: a few ulp apart")),
    allowed=_allowed, draw=_draw, strength=3, sized=sized_pair,
    extra=(*({"weight": "integers", "reduction": reduction} for reduction in ("mean", "none", "sum")),
           *uneven({"weight": "random", "reduction": "none"}, {"target": "row"})),
    arrays=("input", "target", "weight"),
    independent="elements",
    whole=Whole(differences((1, 2), power=2)),
    elementwise={t: {"target": float(t)} for t in ("0", "0.7", "-100")},
    refusals=(
        _refuse("integers", NotImplementedError, "must be floating, not int64 and int64",
                input=_X.astype(np.int64), target=_X.astype(np.int64)),
        _refuse("complex", NotImplementedError, "not complex64", input=_X.astype(np.complex64)),
        _refuse("weights of another shape", ValueError, r"weight must have the shape of input, \(3, 4\)",
                weight=_X[0]),
        _refuse("truth values beside weights", RuntimeError, "must be numbers", input=_X > 0, weight=_X),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no such reduction, weighted", ValueError, "'avg'", reduction="avg", weight=_X),
        _refuse("no reduction at all", ValueError, "None", reduction=None),
        _refuse("no array; torch asks it for its size", TypeError, "target must be a NumPy array, not float",
                AttributeError, target=1.0),
    ),
)
