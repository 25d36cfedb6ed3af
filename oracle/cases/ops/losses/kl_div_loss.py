"""What is asked of ``kl_div``: its axes, draws and refusals.

Numbers are drawn so that no sum cancels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.kl_div_loss import kl_div, kl_div_backward
from reference.numerics import Array

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN, put_first, refuser, target_shape, uneven
from ._whole import counting

__all__ = ["SPEC"]

_SHAPES = {"3x4": (3, 4), "scalar": (), "5": (5,), "2x1x3": (2, 1, 3), "0x3": (0, 3)}

_REDUCTIONS = {**REDUCTIONS, "batchmean": {"reduction": "batchmean"}, "reduce=True": {"reduce": True}}


def _allowed(options: Options, dtype: str) -> bool:
    if options["target"] != "same" and options["shape"] not in ("3x4", "2x1x3", *UNEVEN):
        return False
    if options["regime"] != "moderate" and options["shape"] == "0x3":
        return False
    # a log-probability may have any sign
    return bool(options["regime"] != "negative" or not options["log_target"])


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """log t - x is above 1.6 (below -1.6 where t is tiny, or x positive), so that no sum cancels."""
    shape, regime, log_target = (_SHAPES | UNEVEN)[options["shape"]], options["regime"], options["log_target"]
    low, high = 4.0, 8.0
    if regime == "huge":
        low, high = limits.max / 512, limits.max / 256
    elif regime == "tiny":
        low, high = 0.125, 1.0
    x = np.asarray(-rng.uniform(low, high, shape))
    t = np.asarray(rng.uniform(0.1, 1.0, target_shape(options["target"], shape)))
    if regime == "tiny":
        t = t * 64 * limits.tiny
    if regime == "positive":
        x = x + 12.0
    if log_target:
        t = np.log(t) if regime != "tiny" else t / 64
    _put_specials(x, t, regime, log_target)
    return {"input": x, "target": t, **_REDUCTIONS[options["reduction"]], "log_target": log_target}


def _put_specials(x: Array, t: Array, regime: str, log_target: bool) -> None:
    """Write what the regime is named after into the first elements; a nought is a target of 0, or its logarithm."""
    nought = -np.inf if log_target else 0.0
    match regime:
        case "zero":
            put_first(t, nought, nought)
        case "certain":
            put_first(t, *[0.0 if log_target else 1.0] * t.size)
        case "negative":
            put_first(t, -0.5)
        case "inf":
            put_first(x, -np.inf, -np.inf, np.inf)
            put_first(t, nought, -0.5 if log_target else 0.5)
        case "inf-target":
            put_first(t, np.inf)
        case "nan":
            put_first(x, np.nan)
            put_first(t, nought)
        case "nan-target":
            put_first(t, np.nan)


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Targets of 1, certain; so each loss is -x."""
    certain = 0.0 if options["log_target"] else 1.0
    return {"input": -counting(size, rng, limits, (1, 2, 3)), "target": np.full(size, certain)}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": -rng.random(n, np.float32), "target": rng.random(n, np.float32)}


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="kl_div", torch_names=("torch.nn.functional.kl_div", "torch.nn.KLDivLoss"),
    surrounded=({}, {"log_target": True}),
    function=kl_div, backward=kl_div_backward, module="KLDivLoss",
    axes=(Axis("log_target", (False, True)), Axis("shape", tuple(_SHAPES)),
          Axis("reduction", (*REDUCTIONS, "batchmean")),
          Axis("target", ("same", "row", "larger"), "its shape beside that of input"),
          Axis("regime", ("moderate", "positive", "huge", "tiny", "zero", "certain", "negative", "inf",
                          "inf-target", "nan", "nan-target"), "zero: of probability 0; certain: of probability 1")),
    extra=({"reduction": "reduce=True"}, *uneven({"reduction": "batchmean"}, {"reduction": "none"}, {"target": "row"})),
    allowed=_allowed, draw=_draw, sized=_sized, strength=3,
    kinks=lambda options: options["regime"] == "zero",  # log t has no value below
    arrays=("input", "target"),
    independent="elements",
    whole=Whole(_whole, beside=({}, {"log_target": True})),
    elementwise={**{t: {"target": float(t)} for t in ("0", "0.3", "1")}, "log": {"target": -1.5, "log_target": True}},
    refusals=(
        _refuse("integer targets", RuntimeError, "target must be floating, not int64",
                target=_X.astype(np.int64)),
        _refuse("integer log-probabilities", RuntimeError, "input must be floating, not int64",
                input=_X.astype(np.int64), target=_X),
        _refuse("truth values in log space", RuntimeError, "not bool", target=_X > 0, log_target=True),
        _refuse("complex log-probabilities", RuntimeError, "input must be floating, not complex64",
                input=_X.astype(np.complex64)),
        _refuse("complex targets", RuntimeError, "target must be floating, not complex64",
                target=_X.astype(np.complex64)),
        _refuse("shapes that do not broadcast", RuntimeError, r"target must broadcast .*, not \(3,\)",
                target=_X[0, :3]),
        _refuse("a number for a truth value", TypeError, "log_target must be a bool, not int", log_target=1),
        _refuse("nothing for a truth value", TypeError, "log_target must be a bool, not NoneType",
                log_target=None),
        _refuse("no such reduction", ValueError, "'avg'", reduction="avg"),
        _refuse("no reduction at all", ValueError, "batchmean, not None", reduction=None),
        _refuse("no array", TypeError, "target must be a NumPy array, not float", target=1.0),
        _refuse("no array to begin with", TypeError, "input must be a NumPy array, not list", input=[0.0]),
    ),
)
