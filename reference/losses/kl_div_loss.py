"""Kullback-Leibler divergence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, ieee, is_floating, result_type, unbroadcast, where
from ..reduction import reduce_blocks, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import REDUCTIONS, UNEVEN, refuser, uneven
from ._module import module_class

__all__ = ["SPEC", "KLDivLoss", "kl_div", "kl_div_backward"]


@ieee
def kl_div(input: Array, target: Array, size_average: bool | None = None, reduce: bool | None = None,
           reduction: str = "mean", log_target: bool = False) -> Array:
    r"""Kullback-Leibler divergence of the distribution target from exp(input), element by element.

    The loss of an element is::

        t (log t - x)           for a probability t
        exp(t) (t - x)          for a log-probability t, with ``log_target``

    and 0 where the probability is 0, whatever x is unless it is NaN.

    Args:
        input: log-probabilities x, any shape, floating.
        target: t, any shape that broadcasts with that of ``input``, floating. Negative probabilities give NaN.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean", "sum" or "batchmean". The mean divides by the number of elements; batchmean
            divides the sum by the first length of ``input`` (C for shape (C), 1 for shape (1, C), even where
            a larger target makes more rows), and for shape () not at all.
        log_target: is ``target`` log t?

    Returns:
        The loss: the broadcast shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        ValueError: ``reduction`` is unknown.
        RuntimeError: the shapes do not broadcast, or an array is not floating.
        TypeError: an argument is no array, or ``log_target`` no bool.

    torch differs in two places: a probability of 0 gives NaN where x is -inf (0 · inf), and a log-probability
    of -inf gives NaN whatever x is. It warns of "mean", which is no divergence; this text does not.

    >>> kl_div(np.log([[0.5, 0.5]]), np.array([[1.0, 0.0]]), reduction="batchmean").round(6).item()
    0.693147

    Source: Kullback, Leibler, On Information and Sufficiency, Ann. Math. Statist. 22 (1951), equation 2.4;
    0 log(0/q) = 0: Cover, Thomas, Elements of Information Theory (2006), section 2.3.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce, extra=("batchmean",))
    x, t = _prepare(input, target, log_target)

    def losses(x: Array, t: Array) -> Array:
        values = np.exp(t) * (t - x) if log_target else t * np.log(t) - t * x
        return where(_counts(x, t, log_target), values, 0)

    if reduction == "batchmean":
        return reduce_blocks(losses, [x, t], "mean", _rows(input))
    return reduce_blocks(losses, [x, t], reduction)


@ieee
def kl_div_backward(grad_output: Array, input: Array, target: Array, size_average: bool | None = None,
                    reduce: bool | None = None, reduction: str = "mean",
                    log_target: bool = False) -> tuple[Array | None, Array | None]:
    r"""Gradient of :func:`kl_div`: -t for x and 1 + log t - x for t; with ``log_target``, both times exp(t).

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction, log_target: as there.

    Returns:
        Gradients of input and target, each in its argument's shape.

    Raises:
        What :func:`kl_div` raises.

    At a probability of 0 the gradient for t is -inf, the limit from above, and with ``log_target`` it is 0;
    torch has NaN for both.

    >>> kl_div_backward(np.array(1.0), np.zeros(2), np.array([1.0, 0.0]), reduction="sum")
    (array([-1., -0.]), array([  1., -inf]))

    Source: differentiation.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce, extra=("batchmean",))
    x, t = _prepare(input, target, log_target)
    g = cast(grad_output, x.dtype)
    if reduction in ("mean", "batchmean"):
        g = np.asanyarray(g / (_rows(input) if reduction == "batchmean" else math.prod(common_shape(x, t))))

    def slopes(g: Array, x: Array, t: Array) -> tuple[Array, Array]:
        if log_target:
            p = np.exp(t)
            by_target = g * where(_counts(x, t, log_target), p * (t - x) + p, 0)
        else:  # term by term, as their gradients reach t
            p, by_target = t, g * np.log(t) + g - g * x
        return np.broadcast_to(-g * p, by_target.shape, subok=True), by_target

    by_input, by_target = map_blocks(slopes, g, x, t)
    return unbroadcast(by_input, input), unbroadcast(by_target, target)


def _counts(x: Array, t: Array, log_target: bool) -> Array:
    """Everywhere but where the probability is 0 and x is a number, which alone is equal to itself (balls too)."""
    counts: Array = (t != (-np.inf if log_target else 0)) | (x != x)
    return counts


def _rows(input: Array) -> int:
    return input.shape[0] if input.ndim else 1


def _prepare(input: Array, target: Array, log_target: bool) -> tuple[Array, Array]:
    """The checked arrays in their common dtype."""
    input, target = array("input", input), array("target", target)
    if not isinstance(log_target, bool):
        raise TypeError(f"log_target must be a bool, not {type(log_target).__name__}")
    for name, a in (("input", input), ("target", target)):
        if not is_floating(a):
            raise RuntimeError(f"{name} must be floating, not {a.dtype}")
    try:
        common_shape(input, target)
    except ValueError:
        raise RuntimeError(f"target must broadcast with input, {input.shape}, not {target.shape}") from None
    dtype = result_type(input, target)
    return cast(input, dtype), cast(target, dtype)


# --- cases ---------------------------------------------------------------------------------------

_SHAPES = {"3x4": (3, 4), "scalar": (), "5": (5,), "2x1x3": (2, 1, 3), "0x3": (0, 3)}


_REDUCTIONS = {**REDUCTIONS, "batchmean": {"reduction": "batchmean"}, "reduce=True": {"reduce": True}}


def _allowed(options: Options, dtype: str) -> bool:
    return ((options["target"] == "same" or options["shape"] in ("3x4", "2x1x3", *UNEVEN))
            and (options["regime"] == "moderate" or options["shape"] != "0x3")
            # a log-probability may have any sign
            and (options["regime"] != "negative" or not options["log_target"]))


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """log t - x is above 1.6 (below -1.6 where t is tiny, or x positive), so that no sum cancels."""
    shape, regime, log_target = (_SHAPES | UNEVEN)[options["shape"]], options["regime"], options["log_target"]
    low, high = {"huge": (limits.max / 512, limits.max / 256), "tiny": (0.125, 1.0)}.get(regime, (4.0, 8.0))
    x = np.asarray(-rng.uniform(low, high, shape))
    target_shape = {"row": shape[-1:], "larger": (2, *shape)}.get(options["target"], shape)
    t = np.asarray(rng.uniform(0.1, 1.0, target_shape))
    if regime == "tiny":
        t = t * 64 * limits.tiny
    if regime == "positive":
        x = x + 12.0
    if log_target:
        t = np.log(t) if regime != "tiny" else t / 64
    nought = -np.inf if log_target else 0.0
    values: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {  # the first of x, and the first of t
        "zero": ((), (nought, nought)), "certain": ((), (0.0 if log_target else 1.0,) * t.size),
        "negative": ((), (-0.5,)), "inf": ((-np.inf, -np.inf, np.inf), (nought, -0.5 if log_target else 0.5)),
        "inf-target": ((), (np.inf,)), "nan": ((np.nan,), (nought,)), "nan-target": ((), (np.nan,))}
    for a, first in zip((x, t), values.get(regime, ((), ())), strict=True):
        a.flat[: len(first[: a.size])] = first[: a.size]
    return {"input": x, "target": t, **_REDUCTIONS[options["reduction"]], "log_target": log_target}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": -rng.random(n, np.float32), "target": rng.random(n, np.float32)}


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="kl_div", torch_names=("torch.nn.functional.kl_div", "torch.nn.KLDivLoss"),
    function=kl_div, backward=kl_div_backward, module="KLDivLoss",
    module_arguments={"size_average": None, "reduce": None, "reduction": "mean", "log_target": False},
    axes=(Axis("log_target", (False, True)), Axis("shape", tuple(_SHAPES)),
          Axis("reduction", (*REDUCTIONS, "batchmean")),
          Axis("target", ("same", "row", "larger"), "its shape beside that of input"),
          Axis("regime", ("moderate", "positive", "huge", "tiny", "zero", "certain", "negative", "inf",
                          "inf-target", "nan", "nan-target"), "zero: of probability 0; certain: of probability 1")),
    extra=({"reduction": "reduce=True"}, *uneven({"reduction": "batchmean"}, {"reduction": "none"}, {"target": "row"})),
    allowed=_allowed, draw=_draw, sized=_sized, strength=3,
    kinks=lambda options: options["regime"] == "zero",  # log t has no value below
    arrays=("input", "target"),
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

KLDivLoss = module_class(SPEC)
