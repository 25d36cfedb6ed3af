"""What is asked of ``poisson_nll_loss``: its axes, draws and refusals.

Means and counts are drawn so that no loss cancels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reference.losses.poisson_nll import poisson_nll_loss, poisson_nll_loss_backward
from reference.numerics import Array

from ...spec import Axis, Limits, LossSpec, Options, Whole
from ._cases import REDUCTIONS, UNEVEN, put_first, refuser, target_shape, uneven
from ._whole import counting, far

__all__ = ["SPEC"]

_SHAPES = {"3x4": (3, 4), "scalar": (), "2x1x3": (2, 1, 3), "0": (0,)}


def _allowed(options: Options, dtype: str) -> bool:
    target, regime, log_input = options["target"], options["regime"], options["log_input"]
    if target == "larger" and options["shape"] not in ("3x4", "2x1x3"):
        return False
    if regime != "moderate" and options["shape"] == "0":
        return False
    if target == "integer" and regime not in ("moderate", "zeros", "tiny"):
        return False  # integers have no NaN, and no number but 1 near to 1
    if target == "integer" and options["full"] and dtype == "float64":
        return False  # torch computes Stirling's term of integers in float32, which no bound of float64 holds
    if regime == "negative-input" and not log_input:
        return False  # a mean below -ε: NaN
    if regime == "beyond" and (not log_input or options["full"] or options["reduction"] == "mean"):
        return False  # a gradient that is infinite as well is divided before it is multiplied
    # where ε is 0 in float16, torch's infinities and NaNs depend on what it sums before it divides by 0
    return bool(regime != "zeros" or target != "larger" or log_input)


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Means are above 2.5 times the counts but where a regime has it otherwise, so that no loss cancels."""
    shape, regime, log_input = (_SHAPES | UNEVEN)[options["shape"]], options["regime"], options["log_input"]
    shape_of_target = target_shape(options["target"], shape)
    t = np.asarray(rng.uniform(1.5, 4.0, shape_of_target))
    t = np.where(rng.random(shape_of_target) < 0.4, t / 8, t)  # some below 1, without Stirling's term
    x = np.asarray(rng.uniform(12.0, 20.0, shape))
    if regime == "zeros":
        t, x = np.round(t / 4) * 3, x * 0
    elif regime == "ones":
        t = 1 + limits.eps * np.round(rng.uniform(-1.0, 1.0, shape_of_target))
    elif regime == "large-target":
        t, x = t * 100, x * 0 + 1.5
    elif regime == "tiny":
        x = x * 16 * limits.tiny
    if log_input and regime not in ("zeros", "tiny", "large-target"):
        x = np.log(x)
    if regime == "negative-input" or (regime == "large-target" and log_input):
        x = -x
    if regime == "beyond":
        _put_beyond(x, t, limits, several=options["reduction"] == "none")
    else:
        _put_specials(x, t, regime, log_input)
    if options["target"] in ("integer", "both-integer"):
        t = np.asarray(np.round(t).astype(np.int64))
    if options["target"] == "both-integer":
        x = x.astype(np.int64)
    return {"input": x, "target": t, "log_input": log_input, "full": options["full"], "eps": options["eps"],
            **REDUCTIONS[options["reduction"]]}


def _put_beyond(x: Array, t: Array, limits: Limits, *, several: bool) -> None:
    """Let exp(x) be two or three times the largest number, and the first loss half of that; a second is above it."""
    beyond = np.ceil(2 * math.log(limits.max) + 1.5) / 2
    count = (math.exp(beyond - math.log(limits.max)) - 0.5) * (limits.max / beyond)
    put_first(x, beyond, *((-2.0,) if several else ()))
    put_first(t, count, *((0.75 * limits.max,) if several else ()))


def _put_specials(x: Array, t: Array, regime: str, log_input: bool) -> None:
    """Write what the regime is named after into the first elements."""
    match regime:
        case "negative-target":
            put_first(t, -2.0, -1.0)
        case "inf":
            put_first(x, np.inf, -np.inf if log_input else np.inf, np.inf)
            put_first(t, -1.0)
        case "inf-target":
            put_first(t, np.inf)
        case "nan":
            put_first(x, np.nan)
        case "nan-target":
            put_first(t, np.nan)


def _whole(options: Options, size: tuple[int, ...], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """A mean of exp(0), or one so small that it is 0; beside it no count."""
    counted = counting(size, rng, limits) > 0
    counts = np.where(counted, rng.choice((0.0, 2.0, 3.0), size), 0.0)
    return {"input": np.where(counted, 0.0, -far(limits)), "target": counts}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.standard_normal(n, np.float32), "target": rng.poisson(3.0, n).astype(np.float32)}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="poisson_nll_loss", torch_names=("torch.nn.functional.poisson_nll_loss", "torch.nn.PoissonNLLLoss"),
    surrounded=({}, {"log_input": False, "full": True}),
    function=poisson_nll_loss, backward=poisson_nll_loss_backward, module="PoissonNLLLoss",
    axes=(Axis("log_input", (True, False)), Axis("full", (False, True)), Axis("eps", (1e-8, 0.25)),
          Axis("shape", tuple(_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("target", ("same", "integer", "larger"), "its dtype, or its shape beside that of input"),
          Axis("regime", ("moderate", "zeros", "ones", "large-target", "tiny", "negative-input", "negative-target",
                          "beyond", "inf", "inf-target", "nan", "nan-target"),
               "zeros: among the counts, and all means; ones: counts of 1 and next to it; beyond: exp(x) is infinite, "
               "and the loss is not")),
    allowed=_allowed, draw=_draw, sized=_sized, strength=3,
    extra=({"target": "both-integer", "regime": "zeros"},
           {"target": "both-integer", "regime": "zeros", "reduction": "none"}, *uneven({"reduction": "none"})),
    kinks=lambda options: options["regime"] == "ones",
    arrays=("input", "target"),
    independent="elements",
    whole=Whole(_whole),
    elementwise={"0": {"target": 0.0}, "3": {"target": 3.0}, "full": {"target": 3.0, "full": True},
                 "rate": {"target": 3.0, "log_input": False}},
    refusals=(
        _refuse("shapes that do not broadcast", RuntimeError, r"target must broadcast .*, not \(3,\)",
                target=_X[0, :3]),
        _refuse("nothing to add", TypeError, "eps must be a number, not NoneType", eps=None),
        _refuse("a word to add", TypeError, "eps must be a number, not str", eps="small"),
        _refuse("a number for a truth value", TypeError, "log_input must be a bool, not int", log_input=1),
        _refuse("nothing for a truth value", TypeError, "full must be a bool, not NoneType", full=None),
        _refuse("truth values", RuntimeError, "must be numbers, not bool and bool", input=_X > 0,
                target=_X > 0),
        _refuse("truth values as means", RuntimeError, "not bool and float32", input=_X > 0, log_input=False),
        _refuse("truth values in Stirling's term", RuntimeError, "not float32 and bool", target=_X > 0,
                full=True),
        _refuse("complex numbers in Stirling's term", NotImplementedError, "must be real .*, not complex64",
                target=_X.astype(np.complex64), full=True),
        _refuse("no such reduction", ValueError, "'batchmean'", reduction="batchmean"),
        _refuse("an old name of the mean", ValueError, "'elementwise_mean'", reduction="elementwise_mean"),
        _refuse("no reduction at all; torch puts it into its message", ValueError, "not None", TypeError,
                reduction=None),
        _refuse("no array", TypeError, "target must be a NumPy array, not float", target=1.0),
    ),
)
