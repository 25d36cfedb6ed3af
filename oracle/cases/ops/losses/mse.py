"""What is asked of ``mse_loss``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.mse import mse_loss, mse_loss_backward

from ...spec import Axis, Limits, LossSpec, Options
from ._cases import REDUCTIONS, UNEVEN, poison, refuser, uneven

__all__ = ["SPEC"]

_SHAPES = {"3x4": (3, 4), "scalar": (), "2x1x3": (2, 1, 3), "0": (0,)}


def _allowed(options: Options, dtype: str) -> bool:
    return ((options["target"] == "same" or options["shape"] in ("3x4", "2x1x3", *UNEVEN))
            and (options["regime"] != "close" or options["target"] == "same")
            and (options["regime"] == "moderate" or options["shape"] != "0"))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape = (_SHAPES | UNEVEN)[options["shape"]]
    scale = {"huge": limits.max**0.5 / 8, "tiny": 8 * limits.tiny**0.5}.get(options["regime"], 3.0)
    target_shape = {"row": shape[-1:], "larger": (2, *shape)}.get(options["target"], shape)
    x, y = (np.asarray(rng.uniform(-scale, scale, s)) for s in (shape, target_shape))
    if options["regime"] == "close":
        y = np.asarray(x * (1 + 4 * limits.eps))
    poison(x, options["regime"], np.inf, -np.inf, np.inf)
    poison(y, "inf" if options["regime"] == "inf" else "", np.inf)  # inf - inf is NaN
    arguments = {"input": x, "target": y, **REDUCTIONS[options["reduction"]]}
    if options["weight"] == "integers":
        names, shapes = ("input", "target", "weight"), (x.shape, y.shape, x.shape)
        return arguments | {name: np.asarray(rng.integers(1, 9, s), np.int32)
                            for name, s in zip(names, shapes, strict=True)}
    if options["weight"] != "none":
        w = np.asarray(rng.uniform(0.5, 2.0, shape))
        w.flat[: {"one-zero": 1, "zeros": w.size}.get(options["weight"], 0)] = 0.0
        arguments["weight"] = w
    return arguments


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.standard_normal(n, np.float32), "target": rng.standard_normal(n, np.float32)}


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="mse_loss", torch_names=("torch.nn.functional.mse_loss", "torch.nn.MSELoss"),
    function=mse_loss, backward=mse_loss_backward, module="MSELoss",
    axes=(Axis("target", ("same", "row", "larger"), "its shape beside that of input; torch warns"),
          Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("weight", ("none", "random", "one-zero", "zeros")),
          Axis("regime", ("moderate", "huge", "tiny", "close", "inf", "nan"), "close: a few ulp apart")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=(*({"weight": "integers", "reduction": reduction} for reduction in ("mean", "none", "sum")),
           *uneven({"weight": "random", "reduction": "none"}, {"target": "row"})),
    arrays=("input", "target", "weight"),
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
