"""Binary cross-entropy between probabilities."""

from __future__ import annotations

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, ieee, is_floating, maximum, result_type, unbroadcast, widen
from ..reduction import reduce_blocks, resolve, share
from ._module import module_class

__all__ = ["BCELoss", "binary_cross_entropy", "binary_cross_entropy_backward"]

_EPSILON = float(np.float32(1e-12))  # torch's constant is a float32, 1e-12 (1 - 4e-9), for float64 too


@ieee
def binary_cross_entropy(input: Array, target: Array, weight: Array | None = None,
                         size_average: bool | None = None, reduce: bool | None = None,
                         reduction: str = "mean") -> Array:
    r"""Cross-entropy of the probability input relative to target, element by element.

    With weights w, the loss of an element is::

        -w [t max(log x, -100) + (1-t) max(log(1-x), -100)]

    Args:
        input: probabilities x between 0 and 1, any shape, floating.
        target: probabilities t between 0 and 1, the shape and dtype of ``input``.
        weight: w, broadcasts to that shape, or None for ones.
        size_average, reduce: the older form of ``reduction``.
        reduction: "none", "mean" or "sum". The mean divides by the number of elements, whatever the weights.

    Returns:
        The loss in the dtype of ``input``: its shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        ValueError: ``target`` has not the shape of ``input``, or ``reduction`` is unknown.
        RuntimeError: a number is not between 0 and 1 (NaN is not), weights do not broadcast to the shape of
            ``input``, or a dtype does not fit.
        NotImplementedError: ``input`` is not floating.
        TypeError: an argument is no array.

    No textbook has the -100: torch's convention, which keeps the loss of a wrong certainty finite.

    >>> binary_cross_entropy(np.array([0.0, 0.75]), np.array([1.0, 1.0]), reduction="none").round(6)
    array([100.      ,   0.287682])

    Source: documentation of torch.nn.BCELoss; Bishop, Pattern Recognition and Machine Learning (2006),
    equation 4.90.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    w = _check(input, target, weight)

    def losses(x: Array, t: Array, w: Array | None = None) -> Array:
        unweighted = (t - 1) * _clamped(np.log1p(-x)) - t * _clamped(np.log(x))
        return unweighted if w is None else cast(unweighted * w, x.dtype)

    return reduce_blocks(losses, [input, target, *([] if w is None else [w])], reduction)


@ieee
def binary_cross_entropy_backward(
        grad_output: Array, input: Array, target: Array, weight: Array | None = None,
        size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> tuple[Array | None, Array | None, None]:
    r"""Gradient of :func:`binary_cross_entropy`.

    It is w (x - t) / max(x (1-x), ε) for x, and w [max(log(1-x), -100) - max(log x, -100)] for t, where ε is
    1e-12 rounded to float32 (in every dtype, as in torch).

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, weight, size_average, reduce, reduction: as for :func:`binary_cross_entropy`.

    Returns:
        Gradients of input and target; None for weight, which torch refuses to differentiate.

    Raises:
        What :func:`binary_cross_entropy` raises.

    The first is torch's convention where x is within 1e-12 of 0 or 1: large and finite there, also where the
    loss is clamped, hence constant. In float16 torch rounds ε to 0, and its gradient is NaN for x = t = 0 or 1.
    Its gradient for t leaves the clamp out: infinite for x = 0 or 1, where the loss is linear in t.

    >>> binary_cross_entropy_backward(np.array(2.0), np.array([0.5, 1.0]), np.array([1.0, 1.0]))[0]
    array([-2.,  0.])

    Source: differentiation; at the ends, torch as it is seen to behave.
    """
    reduction = resolve(reduction, size_average=size_average, reduce=reduce)
    w = _check(input, target, weight)
    g = cast(grad_output, input.dtype)
    g = share(g, input.size) if reduction == "mean" else g
    g = g if w is None else g * w

    def slopes(g: Array, x: Array, t: Array) -> tuple[Array, Array]:
        wide = widen(x)  # 1e-12 is no number of float16
        return g * (x - t) / maximum(wide * (1 - wide), _EPSILON), g * (_clamped(np.log1p(-x)) - _clamped(np.log(x)))

    by_input, by_target = map_blocks(slopes, g, input, target)
    return unbroadcast(by_input, input), unbroadcast(by_target, target), None


def _clamped(log: Array) -> Array:
    return maximum(log, -100)


def _check(input: Array, target: Array, weight: Array | None) -> Array | None:
    """Refuse what does not fit; the weights in the dtype to multiply in."""
    input, target = array("input", input), array("target", target)
    if target.shape != input.shape:
        raise ValueError(f"target must have the shape of input, {input.shape}, not {target.shape}")
    if weight is not None:
        try:
            fits = common_shape(array("weight", weight), input) == input.shape
        except ValueError:
            fits = False
        if not fits:
            raise RuntimeError(f"weight must broadcast to the shape of input, {input.shape}, not {weight.shape}")
        if weight.dtype.kind == "c":
            raise RuntimeError(f"weight must hold real numbers, not {weight.dtype}")
    if target.dtype != input.dtype:
        raise RuntimeError(f"target must have the dtype of input, {input.dtype}, not {target.dtype}")
    if not is_floating(input):
        raise NotImplementedError(f"input must be floating, not {input.dtype}")
    for name, a in (("input", input), ("target", target)):
        if a.dtype == object:
            continue  # balls are not asked: a difference quotient steps over the ends
        inside = (a >= 0) & (a <= 1)
        if not np.all(inside):
            raise RuntimeError(f"{name} must be between 0 and 1, not {a[~inside][0]}")
    return None if weight is None else cast(weight, result_type(weight, input))


BCELoss = module_class("BCELoss", binary_cross_entropy, weight=None, size_average=None, reduce=None, reduction="mean")
