"""Norms of gradients, and what clips them: pure rules, for floats of every type and for balls.

No rule leaves the range of a type on the way. A norm is computed over numbers near 1, and handed on in a type with
more range: a float64 for types up to float32, a longdouble for a float64 (as wide as the machine has it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...numerics import Array, add_up, cast, clip, exactly, ieee, indicator, isnan, widen
from .._optimizer import number

__all__ = ["clip_coefficient", "clip_elements", "multiply", "norm_of_norms", "real", "vector_norm", "wide"]


@ieee
def vector_norm(x: Array, p: float) -> Array:
    r"""The norm :math:`\|x\|_p = (\sum_i |x_i|^p)^{1/p}`; for p = 0 the count of what is not 0.

    With a unit s near the largest magnitude (near the smallest for p < 0), :math:`\|x\|_p = s \, \|x/s\|_p`.

    >>> vector_norm(np.array([3e30, 4e30], np.float32), 2.0).round(-24).item()
    5e+30
    """
    size = np.abs(widen(x)).ravel()
    if p == 0:
        return wide(add_up(indicator(size != 0, size.dtype)))
    if math.isinf(p):
        return wide(np.max(size, initial=0) if p > 0 else np.min(size))
    if p < 0 and not isnan(size).any() and (size == 0).any():
        return wide(np.zeros_like(size, shape=()))
    if p == 1:
        return wide(add_up(size))
    unit = _unit(size, p)
    ratios = size / unit
    norm = np.sqrt(add_up(ratios * ratios)) if p == 2 else add_up(ratios**p) ** (1 / number(size, p))
    return np.asanyarray(wide(unit) * wide(norm))


def _unit(size: Array, p: float) -> Array:
    """The largest term's magnitude; for p = 2 the power of two below it, so that dividing by it rounds nothing."""
    one = np.ones_like(size, shape=())
    if not size.size or (p == 2 and size.dtype == object):
        return one
    extreme = exactly(np.asanyarray(np.max(size) if p > 0 else np.min(size)))
    if not 0 < extreme < np.inf:
        return one
    return np.asanyarray(np.ldexp(one, np.frexp(extreme)[1] - 1)) if p == 2 else extreme


def wide(x: Any) -> Array:
    """A number in a type of more range, and no less precision."""
    values: Array = np.asanyarray(x)
    if values.dtype == object:
        return values
    return values.astype(np.longdouble if values.dtype.itemsize > 4 else np.float64)


def norm_of_norms(norms: Sequence[Array], p: float) -> Array:
    """The norm of all gradients: the same norm of the norms of each."""
    return vector_norm(np.stack(norms), p) if norms else np.zeros(())


@ieee
def clip_coefficient(total_norm: Array, max_norm: float) -> Array:
    """What gradients are multiplied by: min(max_norm / (total_norm + 1e-6), 1).

    >>> clip_coefficient(np.array(5.0), 5.0) < 1
    np.True_
    """
    return np.asanyarray(np.minimum(max_norm / (total_norm + 1e-6), 1))


@ieee
def multiply(g: Array, coefficient: Array) -> Array:
    """A gradient times a number: in float64, and rounded once to the gradient's type."""
    if g.dtype == object:
        return np.asanyarray(g * coefficient)
    dtype = np.promote_types(g.dtype, np.float64)
    return cast(g.astype(dtype) * coefficient.astype(real(dtype)), g.dtype)


@ieee
def clip_elements(g: Array, clip_value: float) -> Array:
    """min(max(g, -v), v), with v in the gradient's type; NaN stays."""
    bound = widen(np.full_like(g, clip_value, shape=()))
    return cast(clip(widen(g), -bound, bound), g.dtype)


def real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of the parts of a complex number; a real type is its own."""
    return np.empty(0, dtype).real.dtype if dtype.kind == "c" else dtype
