"""The arithmetic of the loss scale: pure rules, for floats of every type and for balls."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...numerics import Array, cast, ieee, isfinite, widen

__all__ = ["next_scale", "scaled", "stored", "unscaled"]


@ieee
def next_scale(scale: Array, tracker: int, found_inf: bool, *, growth_factor: float, backoff_factor: float,
               growth_interval: int) -> tuple[Array, int]:
    """The scale and the count of clean updates in a row, after one more.

    >>> next_scale(np.array(4.0, np.float32), 1, False, growth_factor=2.0, backoff_factor=0.5, growth_interval=2)
    (array(8., dtype=float32), 0)
    """
    if found_inf:
        return _product(scale, backoff_factor), 0
    if tracker + 1 < growth_interval:
        return scale, tracker + 1
    grown = _product(scale, growth_factor)
    return (grown if isfinite(grown).all() else scale), 0


def _product(scale: Array, factor: float) -> Array:
    """Of doubles, rounded to the scale's type."""
    return cast(factor * (scale if scale.dtype == object else scale.astype(np.float64)), scale.dtype)


@ieee
def stored(scale: Any) -> Array:
    """A number as a scale is kept."""
    return np.array(scale, np.float32)


@ieee
def scaled(x: Array, scale: Array) -> Array:
    """An array times the scale, in its own type; integers and single numbers of half types become a float32."""
    if x.dtype.kind in "biu":
        x = x.astype(np.float32)
    product = np.asanyarray(widen(x) * scale)
    return cast(product, x.dtype) if x.ndim else product


@ieee
def unscaled(g: Array, scale: Array) -> Array:
    """A gradient divided by the scale: in float32 at least, and rounded once."""
    return cast(widen(g) / scale, g.dtype)
