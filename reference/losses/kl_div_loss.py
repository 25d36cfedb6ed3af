"""Kullback-Leibler divergence."""

from __future__ import annotations

import math

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, ieee, is_floating, result_type, unbroadcast, where
from ..reduction import reduce_blocks, resolve, share
from ._module import module_class

__all__ = ["KLDivLoss", "kl_div", "kl_div_backward"]


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
        return where(_is_counted(x, t, log_target), values, 0)

    if reduction == "batchmean":
        return reduce_blocks(losses, [x, t], "mean", _count_rows(input))
    return reduce_blocks(losses, [x, t], reduction)


@ieee
def kl_div_backward(grad_output: Array, input: Array, target: Array, size_average: bool | None = None,
                    reduce: bool | None = None, reduction: str = "mean",
                    log_target: bool = False) -> tuple[Array | None, Array | None]:
    r"""Gradient of :func:`kl_div`: -t for x and 1 + log t - x for t; with ``log_target``, both times exp(t).

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, size_average, reduce, reduction, log_target: as for :func:`kl_div`.

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
        g = share(g, _count_rows(input) if reduction == "batchmean" else math.prod(common_shape(x, t)))

    def slopes(g: Array, x: Array, t: Array) -> tuple[Array, Array]:
        if log_target:
            p = np.exp(t)
            by_target = g * where(_is_counted(x, t, log_target), p * (t - x) + p, 0)
        else:  # term by term, as their gradients reach t
            p, by_target = t, g * np.log(t) + g - g * x
        return np.broadcast_to(-g * p, by_target.shape, subok=True), by_target

    by_input, by_target = map_blocks(slopes, g, x, t)
    return unbroadcast(by_input, input), unbroadcast(by_target, target)


def _is_counted(x: Array, t: Array, log_target: bool) -> Array:
    """Everywhere but where the probability is 0 and x is a number, which alone is equal to itself (balls too)."""
    counts: Array = (t != (-np.inf if log_target else 0)) | (x != x)
    return counts


def _count_rows(input: Array) -> int:
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


KLDivLoss = module_class("KLDivLoss", kl_div, size_average=None, reduce=None, reduction="mean", log_target=False)
