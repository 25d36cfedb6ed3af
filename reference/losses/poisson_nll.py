"""Negative log-likelihood of counts under Poisson distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import (
    Array,
    array,
    cast,
    common_shape,
    conj,
    ieee,
    isfinite,
    relu,
    result_type,
    unbroadcast,
    where,
    widen,
)
from ..precision import pi_like
from ..reduction import reduce_blocks, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import REDUCTIONS, UNEVEN, refuser, uneven
from ._module import module_class
from ._pairs import number

__all__ = ["SPEC", "PoissonNLLLoss", "poisson_nll_loss", "poisson_nll_loss_backward"]


@ieee
def poisson_nll_loss(input: Array, target: Array, log_input: bool = True, full: bool = False,
                     size_average: bool | None = None, eps: float = 1e-8, reduce: bool | None = None,
                     reduction: str = "mean") -> Array:
    r"""Negative log-likelihood of the count target under the Poisson distribution of mean input (or its exp).

    The loss of an element is::

        exp(x) - t x              with ``log_input``
        x - t log(x + ε)          without
        + t log t - t + ½ log(2π t), where t > 1, with ``full``: Stirling's log t!

    Args:
        input: x, log-means or means, any shape.
        target: counts t, any shape that broadcasts with that of ``input``; any numbers are taken.
        log_input: is x the logarithm of the mean?
        full: add Stirling's term?
        size_average, reduce: the older form of ``reduction``.
        eps: ε, which keeps the logarithm of a mean of 0 finite.
        reduction: "none", "mean" or "sum"; the mean divides by the number of elements.

    Returns:
        The loss: the broadcast shape, or () when reduced; NaN for the mean of nothing. Integers for means count
        as float32.

    Raises:
        ValueError: ``reduction`` is unknown.
        RuntimeError: the shapes do not broadcast, or truth values would have to be subtracted.
        NotImplementedError: Stirling's term of complex numbers.
        TypeError: an argument is no array, no number or no bool, as may be.

    Stirling's term jumps from 0 to -0.08 as t passes 1; for t = 0 and 1, log t! is 0. In float16 torch rounds
    the default ε to 0: its loss is NaN or infinite for x = 0. Its term of integers is in float32, beside float64
    too. Where exp(x) or t x is beyond the largest number its loss is NaN or infinite, though their difference is not.

    >>> poisson_nll_loss(np.log([2.0, 2.0]), np.array([0.0, 3.0]), full=True, reduction="none").round(6)
    array([2.     , 1.68464])

    Source: documentation of torch.nn.PoissonNLLLoss; Stirling's formula: Abramowitz, Stegun, Handbook of
    Mathematical Functions (1964), 6.1.37.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce, old_name=False)
    x, t, large = _prepare(input, target, log_input, full, eps)

    def losses(x: Array, t: Array, large: Array | None = None) -> Array:
        values = _exp_minus(x, t, factor=x) if log_input else x - t * _log(x, eps)
        if large is not None:
            values = values + where(large, t * np.log(t) - t + np.log(2 * pi_like(t) * t) / 2, 0)
        return cast(values, x.dtype)

    return reduce_blocks(losses, [x, t, *large], reduction)


@ieee
def poisson_nll_loss_backward(
        grad_output: Array, input: Array, target: Array, log_input: bool = True, full: bool = False,
        size_average: bool | None = None, eps: float = 1e-8, reduce: bool | None = None,
        reduction: str = "mean") -> tuple[Array | None, Array | None]:
    r"""Gradient of :func:`poisson_nll_loss`.

    For x it is exp(x) - t, or 1 - t / (x + ε). For t it is -x, or -log(x + ε), and with ``full``, where t > 1,
    it is log t + 1/(2t) more.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, log_input, full, size_average, eps, reduce, reduction: as there.

    Returns:
        Gradients of input and target, each in its argument's shape; None for integers.

    Raises:
        What :func:`poisson_nll_loss` raises.

    With ``full``, torch has NaN for t where t is 0 or negative: it multiplies the derivative of Stirling's
    term, which is infinite or NaN there, by 0. It is NaN for t = inf too, where this is inf.

    >>> poisson_nll_loss_backward(np.array(2.0), np.zeros(2), np.array([0.0, 1.0]), full=True)
    (array([1., 0.]), array([0., 0.]))

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce, old_name=False)
    x, t, large = _prepare(input, target, log_input, full, eps)
    g = cast(grad_output, x.dtype)
    g = np.asanyarray(g / math.prod(common_shape(x, t))) if reduction == "mean" else g

    def slopes(g: Array, x: Array, t: Array, large: Array | None = None) -> tuple[Array, Array]:
        if log_input:
            by_input, by_target = _exp_minus(x, t), -x
        else:
            by_input, by_target = 1 - cast(t / (widen(x) + eps), x.dtype), -_log(x, eps)
        if large is not None:
            by_target = by_target + where(large, np.log(t) + 1 / (2 * t), 0)
        return g * conj(by_input), np.broadcast_to(g * conj(by_target), by_input.shape, subok=True)

    by_input, by_target = map_blocks(slopes, g, x, t, *large)
    return unbroadcast(by_input, input), unbroadcast(by_target, target)


def _exp_minus(x: Array, t: Array, factor: Array | int = 1) -> Array:
    """exp(x) - t factor, in float32 for half types.

    Where a term overflows, the difference may not: it is a (a - t factor / a) of a = exp(x/2). Below 0 it does.
    """
    dtype, x, t = x.dtype, widen(x), widen(t)
    factor = widen(factor) if isinstance(factor, np.ndarray) else factor
    values = np.exp(x) - t * factor
    kept = isfinite(values)
    if not kept.all():
        a = np.exp(relu(x) / 2)
        values = where(kept | ~isfinite(x), values, a * (a - t * (factor / a)))
    return cast(values, dtype)


def _log(x: Array, eps: float) -> Array:
    """log(x + ε), where ε is added in float32 to half types: float16 has no 1e-8."""
    return cast(np.log(widen(x) + eps), x.dtype)


def _prepare(input: Array, target: Array, log_input: bool, full: bool, eps: float) -> tuple[Array, Array, list[Array]]:
    """The checked arrays in their common dtype, and with ``full`` where Stirling's term belongs: to NaN too."""
    input, target = array("input", input), array("target", target)
    for name, flag in (("log_input", log_input), ("full", full)):
        if not isinstance(flag, bool):
            raise TypeError(f"{name} must be a bool, not {type(flag).__name__}")
    number("eps", eps)
    try:
        common_shape(input, target)
    except ValueError:
        raise RuntimeError(f"target must broadcast with input, {input.shape}, not {target.shape}") from None
    x_bool, t_bool = input.dtype.kind == "b", target.dtype.kind == "b"
    if (t_bool and (full or (x_bool and log_input))) or (x_bool and not log_input):
        raise RuntimeError(f"input and target must be numbers, not {input.dtype} and {target.dtype}")
    if full and target.dtype.kind == "c":
        raise NotImplementedError(f"target must be real beside Stirling's term, not {target.dtype}")
    means = input.astype(np.float32) if input.dtype.kind in "biu" else input  # before targets are looked at
    dtype = result_type(means, target)
    return cast(input, dtype), cast(target, dtype), [~(target <= 1)] if full else []


# --- cases ---------------------------------------------------------------------------------------

_SHAPES = {"3x4": (3, 4), "scalar": (), "2x1x3": (2, 1, 3), "0": (0,)}


def _allowed(options: Options, dtype: str) -> bool:
    return ((options["target"] != "larger" or options["shape"] in ("3x4", "2x1x3"))
            and (options["regime"] == "moderate" or options["shape"] != "0")
            # integers have no NaN, and no number but 1 near to 1
            and (options["target"] != "integer" or options["regime"] in ("moderate", "zeros", "tiny"))
            and (options["regime"] != "negative-input" or options["log_input"])  # a mean below -ε: NaN
            # a gradient that is infinite as well is divided before it is multiplied
            and (options["regime"] != "beyond" or (options["log_input"] and not options["full"]
                                                 and options["reduction"] != "mean"))
            # where ε is 0 in float16, torch's infinities and NaNs depend on what it sums before it divides by 0
            and (options["regime"] != "zeros" or options["target"] != "larger" or options["log_input"])
            # torch computes Stirling's term of integers in float32, which no bound of float64 holds
            and (dtype != "float64" or options["target"] != "integer" or not options["full"]))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Means are above 2.5 times the counts but where a regime has it otherwise, so that no loss cancels."""
    shape, regime, log_input = (_SHAPES | UNEVEN)[options["shape"]], options["regime"], options["log_input"]
    target_shape = (2, *shape) if options["target"] == "larger" else shape
    t = np.asarray(rng.uniform(1.5, 4.0, target_shape))
    t = np.where(rng.random(target_shape) < 0.4, t / 8, t)  # some below 1, without Stirling's term
    x = np.asarray(rng.uniform(12.0, 20.0, shape))
    if regime == "zeros":
        t, x = np.round(t / 4) * 3, x * 0
    elif regime == "ones":
        t = 1 + limits.eps * np.round(rng.uniform(-1.0, 1.0, target_shape))
    elif regime == "large-target":
        t, x = t * 100, x * 0 + 1.5
    elif regime == "tiny":
        x = x * 16 * limits.tiny
    if log_input and regime not in ("zeros", "tiny", "large-target"):
        x = np.log(x)
    if regime == "large-target" and log_input:
        x = -x
    if regime == "negative-input":
        x = -x
    # exp(x) is two or three times the largest number, and the first loss half of that; the second is above it
    beyond = np.ceil(2 * math.log(limits.max) + 1.5) / 2
    count = (math.exp(beyond - math.log(limits.max)) - 0.5) * (limits.max / beyond)
    values: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {  # the first of x, and the first of t
        "beyond": ((beyond, -2.0), (count, 0.75 * limits.max)) if options["reduction"] == "none" else (
            (beyond,), (count,)),
        "negative-target": ((), (-2.0, -1.0)), "inf": ((np.inf, -np.inf if log_input else np.inf, np.inf), (-1.0,)),
        "inf-target": ((), (np.inf,)), "nan": ((np.nan,), ()), "nan-target": ((), (np.nan,))}
    for a, first in zip((x, t), values.get(regime, ((), ())), strict=True):
        a.flat[: len(first[: a.size])] = first[: a.size]
    if options["target"] in ("integer", "both-integer"):
        t = np.asarray(np.round(t).astype(np.int64))
    if options["target"] == "both-integer":
        x = x.astype(np.int64)
    return {"input": x, "target": t, "log_input": log_input, "full": options["full"], "eps": options["eps"],
            **REDUCTIONS[options["reduction"]]}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.standard_normal(n, np.float32), "target": rng.poisson(3.0, n).astype(np.float32)}


_X = np.ones((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="poisson_nll_loss", torch_names=("torch.nn.functional.poisson_nll_loss", "torch.nn.PoissonNLLLoss"),
    function=poisson_nll_loss, backward=poisson_nll_loss_backward, module="PoissonNLLLoss",
    module_arguments={"log_input": True, "full": False, "size_average": None, "eps": 1e-8, "reduce": None,
                      "reduction": "mean"},
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

PoissonNLLLoss = module_class(SPEC)
