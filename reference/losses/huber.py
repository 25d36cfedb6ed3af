"""Squared error that is an absolute error far from zero."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, cast, clip, conj, ieee, is_floating, result_type, unbroadcast
from ..reduction import reduce_blocks, resolve, share
from ._module import module_class
from ._pairs import broadcast_pair, check_weight, number

__all__ = ["HuberLoss", "huber_loss", "huber_loss_backward"]


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
        input, target, reduction, delta, weight: as for :func:`huber_loss`.

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
    g = share(g, math.prod(shape)) if reduction == "mean" else g

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
    if dtype.kind in "iu":
        return 1
    if dtype.kind == "b":
        return 0
    return 3 if dtype.kind == "c" else 2


HuberLoss = module_class("HuberLoss", huber_loss, reduction="mean", delta=1.0)
