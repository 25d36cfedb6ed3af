"""Negative log-likelihood under normal distributions of given variance."""

from __future__ import annotations

import math
import numbers

import numpy as np

from ..blocks import map_blocks
from ..numerics import Array, array, cast, common_shape, conj, ieee, is_floating, result_type, unbroadcast
from ..precision import lift, pi_like
from ..reduction import reduce_blocks, resolve, share
from ._module import module_class
from ._pairs import number

__all__ = ["GaussianNLLLoss", "gaussian_nll_loss", "gaussian_nll_loss_backward"]


@ieee
def gaussian_nll_loss(input: Array, target: Array, var: Array | float, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Array:
    r"""Negative log-likelihood of target under the normal distribution of mean input and variance var.

    With v = max(var, ε), the loss of an element is::

        ½ (log v + (x - y)² / v)        + ½ log 2π with ``full``

    Args:
        input: means x, any shape.
        target: y, any shape that broadcasts with that of ``input``; a larger one enlarges the loss.
        var: the variances, not negative: the shape of ``input``; that shape without its last length, which
            makes a variance of shape (N) beside input (N, N) one for each row; or that shape with one length
            replaced by 1. Or a float for all.
        full: add ½ log 2π?
        eps: ε, which is rounded to the dtype of ``var`` (1.0133e-6 in float16).
        reduction: "none", "mean" or "sum"; the mean divides by the number of elements.

    Returns:
        The loss: the broadcast shape, or () when reduced; NaN for the mean of nothing.

    Raises:
        ValueError: a variance is negative, its shape is none of those, or ``reduction`` is unknown.
        RuntimeError: the shapes of ``input`` and ``target`` do not broadcast, or a dtype does not fit.
        NotImplementedError: variances are complex.
        TypeError: an argument is no array, or no float (an integer is none) or number.

    torch halves last, so that its loss is infinite from half of the largest number on. There are no ``size_average``
    and ``reduce``, and the module takes its settings by name alone.

    >>> gaussian_nll_loss(np.array([1.0, 3.0]), np.array([1.0, 1.0]), np.array([1.0, 4.0]), reduction="none")
    array([0.        , 1.19314718])

    Source: Nix, Weigend, Estimating the mean and variance of the target probability distribution (1994),
    equation 3.
    """
    x, y, v, reduction = _prepare(input, target, var, eps, reduction)
    dtype = result_type(x, y, v)

    def losses(x: Array, y: Array, v: Array) -> Array:
        v = np.maximum(v, lift(v, eps))
        z = (x - y) / np.sqrt(v)  # the square of x - y overflows where the loss does not
        values = np.log(v) / 2 + z * (z / 2)
        return cast(values + np.log(2 * pi_like(v)) / 2 if full else values, dtype)

    return reduce_blocks(losses, [x, y, v], reduction)


@ieee
def gaussian_nll_loss_backward(grad_output: Array, input: Array, target: Array, var: Array | float,
                               full: bool = False, eps: float = 1e-6, reduction: str = "mean",
                               ) -> tuple[Array | None, Array | None, Array | None]:
    r"""Gradient of :func:`gaussian_nll_loss`.

    It is (x - y) / v for x, its negative for y, and ½ (1/v - (x - y)² / v²) for var.

    Args:
        grad_output: gradient with respect to the loss, of the loss's shape.
        input, target, var, full, eps, reduction: as for :func:`gaussian_nll_loss`.

    Returns:
        Gradients of input, target and var, each in its argument's shape; None for integers and floats.

    Raises:
        What :func:`gaussian_nll_loss` raises.

    torch's convention: the clamp is not differentiated, so a variance below ε has the gradient that it would
    have at ε, though the loss does not depend on it there.

    >>> gaussian_nll_loss_backward(np.array(1.0), np.array([3.0]), np.array([1.0]), np.array([2.0]))
    (array([1.]), array([-1.]), array([-0.25]))

    Source: differentiation.
    """
    x, y, v, reduction = _prepare(input, target, var, eps, reduction)
    g = cast(grad_output, result_type(x, y, v))
    g = share(g, math.prod(common_shape(x, y, v))) if reduction == "mean" else g

    def slopes(g: Array, x: Array, y: Array, v: Array) -> tuple[Array, Array, Array | None]:
        d, v = x - y, np.maximum(v, lift(v, eps))
        ratio = d / v
        slope = g * conj(ratio)
        if not isinstance(var, np.ndarray):
            return slope, -slope, None
        root = 1 / np.sqrt(v)  # a difference of two squares, of which one may overflow
        return slope, -slope, g * conj((root - ratio) / 2 * (root + ratio))

    by_input, by_target, by_var = map_blocks(slopes, g, x, y, v)
    grad_var = unbroadcast(by_var, v) if isinstance(var, np.ndarray) else None
    return (unbroadcast(by_input, input), unbroadcast(by_target, target),
            None if grad_var is None else grad_var.reshape(np.shape(var)))


def _prepare(input: Array, target: Array, var: Array | float, eps: float,
             reduction: str) -> tuple[Array, Array, Array, str]:
    """The checked means and targets, the variances in a shape that broadcasts, and the reduction."""
    input, target = array("input", input), array("target", target)
    v = _variances(input, var)
    reduction = resolve(reduction, old_name=False, stacklevel=5)
    number("eps", eps)
    if not is_floating(v):
        raise RuntimeError(f"var must be floating, not {v.dtype}")
    if "b" in (input.dtype.kind, target.dtype.kind):
        raise RuntimeError(f"input and target must be numbers, not {input.dtype} and {target.dtype}")
    try:
        common_shape(input, target, v)
    except ValueError:
        raise RuntimeError(f"target must broadcast with input, {input.shape}, not {target.shape}") from None
    return input, target, v, reduction


def _variances(input: Array, var: Array | float) -> Array:
    """The variances in a shape that broadcasts with that of the means."""
    if not isinstance(var, np.ndarray):
        if not isinstance(var, numbers.Real) or isinstance(var, numbers.Integral):
            raise TypeError(f"var must be a NumPy array or a float, not {type(var).__name__}")
        if var < 0:
            raise ValueError(f"var must not be negative, not {var}")
        if input.dtype.kind == "c":
            raise NotImplementedError("var must be an array beside complex input, not a float")
        return lift(input if is_floating(input) else np.empty((), np.float32), var)
    if array("var", var).dtype.kind == "c":
        raise NotImplementedError(f"var must be real, not {var.dtype}")
    if np.any(var < 0):
        raise ValueError(f"var must not be negative, not {var[var < 0][0]}")
    if var.shape == input.shape:
        return var
    if var.shape == input.shape[:-1]:
        return var[..., None]
    if var.shape in [(*input.shape[:i], 1, *input.shape[i + 1:]) for i in range(input.ndim)]:
        return var
    raise ValueError(f"var must have the shape of input, {input.shape}, or that without its last length, or "
                     f"that with one 1 in it, not {var.shape}")


GaussianNLLLoss = module_class("GaussianNLLLoss", gaussian_nll_loss, keyword_only=True, full=False, eps=1e-06,
                               reduction="mean")
