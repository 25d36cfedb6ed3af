"""What is asked of ``binary_cross_entropy``: its axes, draws and refusals.

Probabilities go up to the ends, and to where logarithms and the gradient's divisor are clamped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.binary_cross_entropy_loss import binary_cross_entropy, binary_cross_entropy_backward

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN, put_first, refuser, uneven
from ._whole import counting

__all__ = ["SPEC"]

_SHAPES = {"3x4": (3, 4), "scalar": (), "2x2x3": (2, 2, 3), "0": (0,)}


def _allowed(options: Options, dtype: str) -> bool:
    if options["regime"] == "clamped":
        # numbers near exp(-100) are subnormal in float32, where x - 0 cannot be scaled; half types have none
        decided = dtype == "float64" or (dtype == "float32" and options["target"] == "soft")
        return decided and options["shape"] != "0"
    if options["regime"] == "floor" and dtype == "float16":
        return False  # which has no numbers near 1e-12
    return bool(options["shape"] != "0" or options["regime"] == "moderate")


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape = (_SHAPES | UNEVEN)[options["shape"]]
    x = np.asarray(rng.uniform(0.05, 0.95, shape))
    if options["regime"] == "near-0":
        x = x * 0.01
    elif options["regime"] == "near-1":
        x = 1 - limits.eps * np.ceil(4 * x)
    elif options["regime"] == "ends":
        x = np.round(x)
        put_first(x, 0.0, 1.0, 0.0)
    elif options["regime"] == "clamped":  # log x is about -100, x (1-x) below 1e-12
        x = np.exp(rng.uniform(-102.0, -98.0, shape))
    elif options["regime"] == "tiny":
        x = x * 64 * limits.tiny
    elif options["regime"] == "floor":  # x (1-x) is about 1e-12
        x = 1e-12 * 4.0 ** np.round(rng.uniform(-2.0, 2.0, shape))
    t = np.asarray(rng.uniform(0.05, 0.95, shape))
    if options["target"] == "hard":
        t = np.round(t)
    elif options["target"] == "right":
        t = np.round(x)
    arguments = {"input": x, "target": t, **REDUCTIONS[options["reduction"]]}
    broadcast = {"row": shape[-1:], "full": shape}
    if options["weight"] in broadcast:
        arguments["weight"] = np.asarray(rng.uniform(0.25, 4.0, broadcast[options["weight"]]))
    elif options["weight"] == "integer":
        arguments["weight"] = np.asarray(rng.integers(1, 4, shape))
    return arguments


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Certain probabilities: a loss is 100 where they are wrong."""
    target = rng.integers(0, 2, size).astype(np.float64)
    return {"input": np.where(counting(size, rng, limits) > 0, 1 - target, target), "target": target}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.random(n, np.float32), "target": rng.random(n, np.float32)}


_X = np.full((3, 4), 0.5, np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="binary_cross_entropy", torch_names=("torch.nn.functional.binary_cross_entropy", "torch.nn.BCELoss"),
    surrounded=({}, {"weight": "full"}),
    function=binary_cross_entropy, backward=binary_cross_entropy_backward, module="BCELoss",
    axes=(Axis("target", ("soft", "hard", "right"), "hard: 0 or 1; right: the nearer of them"),
          Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("weight", ("none", "row", "full", "integer")),
          Axis("regime", ("moderate", "near-0", "near-1", "ends", "clamped", "tiny", "floor"),
               "of the input; ends: 0 and 1; clamped: log x is about -100; floor: x (1-x) is about 1e-12")),
    allowed=_allowed, draw=_draw, sized=_sized, strength=3,
    extra=uneven({"weight": "row", "reduction": "none"}, {"weight": "full"}),
    kinks=lambda options: options["regime"] in ("ends", "clamped", "tiny", "floor"),
    arrays=("input", "target", "weight"),
    independent="elements",
    whole=Whole(_whole),
    elementwise={t: {"target": float(t)} for t in ("0", "1", "0.3")}, domain=(0.0, 1.0),
    refusals=(
        _refuse("another shape", ValueError, r"target must have the shape of input, \(3, 4\)", target=_X[0]),
        _refuse("more than certain", RuntimeError, "input must be between 0 and 1, not 1.5", input=_X * 3),
        _refuse("less than impossible", RuntimeError, "input must be between 0 and 1, not -0.5", input=-_X),
        _refuse("no number", RuntimeError, "input must be between 0 and 1, not nan",
                input=_X * np.float32(np.nan)),
        _refuse("infinity", RuntimeError, "input must be between 0 and 1, not inf",
                input=_X * np.float32(np.inf)),
        _refuse("a target above 1", RuntimeError, "target must be between 0 and 1, not 1.5", target=_X * 3),
        _refuse("a target that is no number", RuntimeError, "target must be between 0 and 1, not nan",
                target=_X * np.float32(np.nan)),
        _refuse("wider targets", RuntimeError, "target must have the dtype of input, float32, not float64",
                target=_X.astype(np.float64)),
        _refuse("integer targets", RuntimeError, "not int64", target=_X.astype(np.int64)),
        _refuse("integers", NotImplementedError, "input must be floating, not int64",
                input=_X.astype(np.int64),
                target=_X.astype(np.int64)),
        _refuse("complex numbers", NotImplementedError, "not complex64", input=_X.astype(np.complex64),
                target=_X.astype(np.complex64)),
        _refuse("weights that do not broadcast", RuntimeError, r"weight must broadcast .*, not \(3,\)",
                weight=_X[0, :3]),
        _refuse("weights that would enlarge the loss", RuntimeError, r"not \(2, 3, 4\)",
                weight=np.stack([_X, _X])),
        _refuse("complex weights", RuntimeError, "weight must hold real numbers",
                weight=_X.astype(np.complex64)),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no array; torch asks it for its size", TypeError, "target must be a NumPy array, not float",
                AttributeError, target=0.5),
        _refuse("weight is no array; torch asks it for its size", TypeError, "weight must be a NumPy array",
                AttributeError, weight=1.0),
    ),
)
