"""Absolute error that is a square near zero."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, cast, clip, ieee, minimum, relu, result_type, unbroadcast, widen
from ..reduction import reduce_blocks, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import REDUCTIONS, refuser, uneven
from ._module import module_class
from ._pairs import PAIR_SHAPES, broadcast_pair, draw_pair, number, pair_allowed, sign

__all__ = ["SPEC", "SmoothL1Loss", "smooth_l1_loss", "smooth_l1_loss_backward"]


@ieee
def smooth_l1_loss(input: Array, target: Array, size_average: bool | None = None, reduce: bool | None = None,
                   reduction: str = "mean", beta: float = 1.0) -> Array:
    r"""Absolute error, smoothed to a parabola where it is less than beta.

    With z = \|x - y|, the loss of an element is::

        z²/(2β)   where z < β,     z - β/2   elsewhere

    which is h²/(2β) + max(0, z - β) with h = min(z, β): h is z in one branch and β in the other. With β = 0
    it is z.

    Args:
        input: x, any shape.
        target: y, any shape that broadcasts with that of ``input``.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum"; the mean divides by the number of elements.
        beta: β, not negative.

    Returns:
        The loss: the broadcast shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        RuntimeError: ``beta`` is negative or NaN, or the shapes do not broadcast.
        NotImplementedError: no argument is floating, or one is complex. (With β = 0 torch takes what it takes
            in l1_loss.)
        ValueError: ``reduction`` is unknown.
        TypeError: an argument is no array, or ``beta`` no number.

    Warns:
        UserWarning: ``input`` and ``target`` differ in shape.

    The Huber loss is β times this one.

    >>> smooth_l1_loss(np.array([1.0, 3.0]), np.array([0.0, 0.0]), beta=2.0, reduction="none")
    array([0.25, 2.  ])

    Source: Girshick, Fast R-CNN (2015), equation 3, for β = 1; documentation of torch.nn.SmoothL1Loss.
    """
    broadcast_pair(input, target, stacklevel=4)
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, beta = _prepare(input, target=target, beta=beta)

    def losses(x: Array, y: Array) -> Array:
        z = widen(np.abs(x - y))  # since β² may be beyond float16
        h = minimum(z, beta)
        return cast(z if beta == 0 else h / 2 * h / beta + relu(z - beta), x.dtype)

    return reduce_blocks(losses, [x, y], reduction)


@ieee
def smooth_l1_loss_backward(grad_output: Array, input: Array, target: Array, size_average: bool | None = None,
                            reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0,
                            ) -> tuple[Array | None, Array | None]:
    r"""Gradient of :func:`smooth_l1_loss`: (x - y)/β, but not beyond ±1, for x, and its negative for y.

    For β = 0 it is sign(x - y), and 0 where x - y is 0 or NaN.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction, beta: as there.

    Returns:
        Gradients of input and target, each in its argument's shape; None for integers.

    Raises:
        What :func:`smooth_l1_loss` raises, and warns of what it warns of.

    >>> smooth_l1_loss_backward(np.array(2.0), np.array([3.0, 1.5]), np.array([1.0, 1.0]))[0]
    array([1. , 0.5])

    Source: differentiation.
    """
    shape = broadcast_pair(input, target, stacklevel=4)
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    x, y, beta = _prepare(input, target=target, beta=beta)
    g = cast(grad_output, x.dtype)
    g = np.asanyarray(g / math.prod(shape)) if reduction == "mean" else g

    def slopes(g: Array, x: Array, y: Array) -> tuple[Array, Array]:
        d = widen(x - y)
        slope = g * cast(sign(d) if beta == 0 else clip(d, -beta, beta) / beta, g.dtype)
        return slope, -slope

    by_input, by_target = map_blocks(slopes, g, x, y)
    return unbroadcast(by_input, input), unbroadcast(by_target, target)


def _prepare(input: Array, *, target: Array, beta: Any) -> tuple[Array, Array, Any]:
    """Input and target in their common dtype, and β."""
    beta = number("beta", beta)
    if not beta >= 0:
        raise RuntimeError(f"beta must not be negative, but is {beta}")
    dtype = result_type(input, target)
    if dtype.kind in "biuc":
        raise NotImplementedError(f"input and target must be floating, not {input.dtype} and {target.dtype}")
    return cast(input, dtype), cast(target, dtype), beta


# --- cases ---------------------------------------------------------------------------------------

def _allowed(options: Options, dtype: str) -> bool:
    return pair_allowed(options)


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    x, y = draw_pair(options, rng, limits)
    if options["regime"] == "kink":  # |x - y| = β where it is not 0, and exactly so in every dtype
        x = np.asarray(np.round(4 * x) / 4)
        y = np.asarray(x + options["beta"] * rng.integers(-1, 2, x.shape))
    return {"input": x, "target": y, "beta": options["beta"], **REDUCTIONS[options["reduction"]]}


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.standard_normal(n, np.float32), "target": rng.standard_normal(n, np.float32)}


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="smooth_l1_loss", torch_names=("torch.nn.functional.smooth_l1_loss", "torch.nn.SmoothL1Loss"),
    function=smooth_l1_loss, backward=smooth_l1_loss_backward, module="SmoothL1Loss",
    module_arguments={"size_average": None, "reduce": None, "reduction": "mean", "beta": 1.0},
    axes=(Axis("target", ("same", "row", "larger"), "its shape beside that of input; torch warns"),
          Axis("shape", tuple(PAIR_SHAPES)), Axis("reduction", tuple(REDUCTIONS)),
          Axis("beta", (1.0, 0.25, 2.5, 0.0)),
          Axis("regime", ("moderate", "huge", "tiny", "close", "tie", "kink", "inf", "nan"),
               "tie: x = y in places, kink: |x - y| = β in places")),
    slower="torch takes one pass over both arrays and one sum, 0.7 ns an element; the ten passes that NumPy needs for "
           "the two branches take 0.1 to 0.25 ns each even in a cache, 2 ns together.",
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=uneven({"reduction": "none"}, {"target": "row"}),
    arrays=("input", "target"),
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

SmoothL1Loss = module_class(SPEC)
