"""Squared error that is an absolute error far from zero."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, cast, clip, conj, ieee, is_floating, result_type, unbroadcast
from ..reduction import reduce_blocks, resolve
from ..spec import Axis, Limits, LossSpec, Options
from ._cases import refuser, uneven
from ._module import module_class
from ._pairs import PAIR_SHAPES, broadcast_pair, check_weight, draw_pair, number, pair_allowed

__all__ = ["SPEC", "HuberLoss", "huber_loss", "huber_loss_backward"]


@ieee
def huber_loss(input: Array, target: Array, reduction: str = "mean", delta: float = 1.0,
               weight: Array | None = None) -> Array:
    r"""Half the squared error, continued by a straight line where the error is more than delta.

    With z = \|x - y| and weights w, the loss of an element is::

        w z²/2   where z ≤ δ,     w δ (z - δ/2)   elsewhere

    which is w c (x - y - c/2) with c = min(max(x - y, -δ), δ): c is x - y in one branch and ±δ in the other.

    Args:
        input: x, any shape.
        target: y, any shape that broadcasts with that of ``input``.
        reduction: "none", "mean" or "sum". The mean divides by the number of elements, whatever the weights
            (those of mse_loss and l1_loss divide by Σ w).
        delta: δ, positive.
        weight: w, the shape of ``input``, or None.

    Returns:
        The loss in the dtype of ``input``, which ``target`` does not widen, but weights do: the broadcast
        shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        RuntimeError: ``delta`` is not positive, the shapes do not broadcast, or ``target`` is floating or
            complex where ``input`` is not.
        NotImplementedError: ``input`` is not floating.
        ValueError: ``weight`` has not the shape of ``input``, or ``reduction`` is unknown.
        TypeError: an argument is no array, or ``delta`` no number.

    Warns:
        UserWarning: ``input`` and ``target`` differ in shape.

    >>> huber_loss(np.array([1.0, 3.0]), np.array([0.0, 0.0]), delta=2.0, reduction="none")
    array([0.5, 4. ])

    Source: Huber, Robust Estimation of a Location Parameter (1964), example (iii) of section 1;
    documentation of torch.nn.HuberLoss.
    """
    broadcast_pair(input, target, stacklevel=4)
    reduction = resolve(reduction)
    x, y, delta = _prepare(input, target, delta, weight)

    def losses(x: Array, y: Array, w: Array | None = None) -> Array:
        unweighted = cast(_huber(x - y, delta), input.dtype)
        if w is None:
            return unweighted
        dtype = result_type(unweighted, w)
        return cast(unweighted, dtype) * cast(w, dtype)

    return reduce_blocks(losses, [x, y] if weight is None else [x, y, weight], reduction)


@ieee
def huber_loss_backward(grad_output: Array, input: Array, target: Array, reduction: str = "mean",
                        delta: float = 1.0, weight: Array | None = None,
                        ) -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`huber_loss`: w (x - y), but not beyond ±w δ, for x, and its negative for y.

    For w it is the loss without weights.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, reduction, delta, weight: as there.

    Returns:
        Gradients of input, target and weight, each in its argument's shape; None for integers, and for a
        weight that is None.

    Raises:
        What :func:`huber_loss` raises, and warns of what it warns of.

    >>> huber_loss_backward(np.array(2.0), np.array([3.0, 1.5]), np.array([1.0, 1.0]), delta=1.5)[0]
    array([1.5, 0.5])

    Source: differentiation.
    """
    shape = broadcast_pair(input, target, stacklevel=4)
    reduction = resolve(reduction)
    x, y, delta = _prepare(input, target, delta, weight)
    g = np.asanyarray(grad_output)
    g = np.asanyarray(g / math.prod(shape)) if reduction == "mean" else g

    def slopes(g: Array, x: Array, y: Array, w: Array | None = None) -> tuple[Array, Array, Array | None]:
        d = x - y
        inner = g if w is None else g * conj(cast(w, result_type(d, w)))
        slope = cast(inner, d.dtype) * clip(d, -delta, delta)
        return slope, -slope, None if w is None else g * _huber(d, delta)

    by_input, by_target, by_weight = map_blocks(slopes, g, x, y, *([] if weight is None else [weight]))
    return (unbroadcast(by_input, input), unbroadcast(by_target, target),
            None if weight is None else unbroadcast(by_weight, weight))


def _huber(d: Array, delta: Any) -> Array:
    c = clip(d, -delta, delta)
    return np.asanyarray(c * (d - c / 2))


def _prepare(input: Array, target: Array, delta: Any, weight: Array | None) -> tuple[Array, Array, Any]:
    """Input and target in their common dtype, and δ."""
    check_weight(weight, input)
    delta = number("delta", delta)
    if not delta > 0:
        raise RuntimeError(f"delta must be positive, not {delta}")
    dtype = result_type(input, target)
    if not is_floating(input):
        kind = RuntimeError if _rank(dtype) > _rank(input.dtype) else NotImplementedError
        raise kind(f"input must be floating, not {input.dtype} (beside a target of {target.dtype})")
    if dtype.kind == "c":
        raise RuntimeError(f"target must be real, not {target.dtype}")
    return cast(input, dtype), cast(target, dtype), delta


def _rank(dtype: np.dtype[Any]) -> int:
    """0 for truth values, 1 for integers, 2 for floats, 3 for complex numbers."""
    return {"b": 0, "i": 1, "u": 1, "c": 3}.get(dtype.kind, 2)


# --- cases ---------------------------------------------------------------------------------------

def _allowed(options: Options, dtype: str) -> bool:
    return pair_allowed(options)


def _draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    x, y = draw_pair(options, rng, limits)
    if options["regime"] == "kink":  # |x - y| = δ where it is not 0, and exactly so in every dtype
        x = np.asarray(np.round(4 * x) / 4)
        y = np.asarray(x + options["delta"] * rng.integers(-1, 2, x.shape))
    arguments = {"input": x, "target": y, "reduction": options["reduction"], "delta": options["delta"]}
    if options["weight"] != "none":
        w = np.asarray(rng.uniform(0.5, 2.0, x.shape))
        w.flat[: {"one-zero": 1, "zeros": w.size}.get(options["weight"], 0)] = 0.0
        arguments["weight"] = w
    return arguments


def _sized(n: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"input": rng.standard_normal(n, np.float32), "target": rng.standard_normal(n, np.float32)}


_X = np.zeros((3, 4), np.float32)
_refuse = refuser(input=_X, target=_X)

SPEC = LossSpec(
    name="huber_loss", torch_names=("torch.nn.functional.huber_loss", "torch.nn.HuberLoss"),
    function=huber_loss, backward=huber_loss_backward, module="HuberLoss",
    module_arguments={"reduction": "mean", "delta": 1.0},
    axes=(Axis("target", ("same", "row", "larger"), "its shape beside that of input; torch warns"),
          Axis("shape", tuple(PAIR_SHAPES)), Axis("reduction", ("mean", "none", "sum")),
          Axis("weight", ("none", "random", "one-zero", "zeros")), Axis("delta", (1.0, 0.25, 2.5)),
          Axis("regime", ("moderate", "huge", "tiny", "close", "tie", "kink", "inf", "nan"),
               "tie: x = y in places, kink: |x - y| = δ in places")),
    slower="torch takes one pass over both arrays and one sum, 0.7 ns an element; NumPy's six passes take 0.1 to "
           "0.25 ns each even in a cache, 1.3 ns together.",
    allowed=_allowed, draw=_draw, strength=3, sized=_sized,
    extra=uneven({"weight": "random", "reduction": "none"}, {"target": "row"}),
    arrays=("input", "target", "weight"),
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

HuberLoss = module_class(SPEC)
