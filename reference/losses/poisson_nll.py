"""Negative log-likelihood of counts under Poisson distributions."""

from __future__ import annotations

import math

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
from ..reduction import reduce_blocks, resolve, share
from ._module import module_class
from ._pairs import number

__all__ = ["PoissonNLLLoss", "poisson_nll_loss", "poisson_nll_loss_backward"]


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
        input, target, log_input, full, size_average, eps, reduce, reduction: as for :func:`poisson_nll_loss`.

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
    g = share(g, math.prod(common_shape(x, t))) if reduction == "mean" else g

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


PoissonNLLLoss = module_class("PoissonNLLLoss", poisson_nll_loss, log_input=True, full=False, size_average=None,
                              eps=1e-08, reduce=None, reduction="mean")
