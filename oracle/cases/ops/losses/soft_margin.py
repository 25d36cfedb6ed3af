"""What is asked of ``soft_margin_loss``: its axes, draws and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.losses.soft_margin import soft_margin_loss, soft_margin_loss_backward

from ...spec import Axis, Limits, LossSpec, Options
from ._cases import REDUCTIONS, UNEVEN, poison, refuser, uneven
from ._pairs import PAIR_SHAPES

__all__ = ["SPEC"]


def _allowed(options: Options, dtype: str) -> bool:
    return ((options["broadcast"] == "same" or options["shape"] in ("3x4", "2x1x3", *UNEVEN))
            and (options["regime"] == "moderate" or options["shape"] != "0"))


def _range(regime: str, limits: Limits) -> tuple[float, float]:
    edge = np.log(limits.max)  # where exp overflows
    match regime:
        case "tails":
            return 0.4 * edge, 0.9 * edge
        case "huge":
            return 1.5 * edge, 3 * edge
        case "zero":
            return 0.0, 0.0
        case "tiny":
            return limits.tiny, 8 * limits.tiny
    return 0.0, 3.0


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    shape, regime = (PAIR_SHAPES | UNEVEN)[options["shape"]], options["regime"]
    low, high = _range(regime, limits)
    x = np.asarray(rng.uniform(low, high, shape))
    y = np.asarray(rng.choice([-1.0, 1.0], shape[-1:] if options["broadcast"] == "row" else shape))
    # Wrong by a large margin, and right by one, in turn: losses that are almost 0 stand beside large ones.
    x = np.asarray(-x * y)
    x.flat[1::2] *= -1
    if options["target"] == "int":
        y = y.astype(np.int64)
    elif options["target"] == "soft":
        y = np.asarray(y * rng.uniform(0.5, 1.0, y.shape))
        y.flat[2:3] = 0.0
    poison(x, regime, np.inf, -np.inf, np.inf)
    if regime == "nan" and options["target"] != "int":
        y.flat[-1:] = np.nan
    return {"input": x, "target": y, **REDUCTIONS[options["reduction"]]}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    signs = rng.choice(np.array([-1, 1], np.float32), n)
    return {"input": rng.standard_normal(n, np.float32), "target": signs}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="soft_margin_loss", torch_names=("torch.nn.functional.soft_margin_loss", "torch.nn.SoftMarginLoss"),
    function=soft_margin_loss, backward=soft_margin_loss_backward, module="SoftMarginLoss",
    axes=(Axis("target", ("sign", "int", "soft"), "soft: any number"), Axis("broadcast", ("same", "row")),
          Axis("shape", tuple(PAIR_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("regime", ("moderate", "tails", "huge", "zero", "tiny", "inf", "nan"),
               "tails: exp nearly overflows, huge: it does")),
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=uneven({"broadcast": "row", "reduction": "none"}),
    arrays=("input", "target"),
    independent="elements",  # and no sums of any size: log(1 + exp(z)) is a whole number where it is 0 alone
    elementwise={t: {"target": float(t)} for t in ("1", "-1", "0.3")},
    refusals=(
        _refuse("shapes that do not broadcast", RuntimeError, r"broadcast with input, \(3, 4\), not \(3,\)",
                target=_X[:, 0]),
        _refuse("targets that would enlarge the loss", RuntimeError, r"shape of input, \(4,\), not \(3, 4\)",
                input=_X[0]),
        _refuse("integers", RuntimeError, "not int64 and float32", input=_X.astype(np.int64)),
        _refuse("integers throughout", RuntimeError, "not uint8 and uint8",
                input=_X.astype(np.uint8), target=_X.astype(np.uint8)),
        _refuse("truth values", RuntimeError, "not bool and float32", input=_X > 0),
        _refuse("complex targets", RuntimeError, "not float32 and complex64", target=_X.astype(np.complex64)),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("no reduction at all", ValueError, "None", reduction=None),
        _refuse("no array", TypeError, "target must be a NumPy array, not int", target=1),
        _refuse("no array for input", TypeError, "input must be a NumPy array, not NoneType", input=None),
    ),
)
