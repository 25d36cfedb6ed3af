"""Distances in units in the last place, for every storage type alike.

>>> import numpy as np
>>> int(steps(np.float32(1.0), np.nextafter(np.float32(1), np.float32(2))))
1
>>> steps(np.float32(-0.0), np.float32(0.0)).item(), steps(np.float32("nan"), np.float32("inf")) is None
(0, True)
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

from .formats import FORMATS

__all__ = ["numpy_dtype", "overflow", "spacing", "spacing_at", "steps"]

Array = np.ndarray[Any, Any]


@cache
def numpy_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of a storage type; bfloat16 is the one of ml_dtypes."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def spacing(values: Array, dtype: str) -> Array:
    """The distance between the two numbers of ``dtype`` that enclose each value (float64 in and out).

    Below the smallest normal number it is the quantum of the subnormals, at zero too.
    """
    fmt = FORMATS[dtype]
    _, exponent = np.frexp(np.where(np.isfinite(values), values, 0.0))
    exponent = np.minimum(np.maximum(np.where(values == 0, fmt.low, exponent - 1), fmt.low), fmt.high)
    return np.asarray(np.ldexp(1.0, exponent - (fmt.bits - 1)))


def spacing_at(value: float, dtype: str) -> float:
    """:func:`spacing` at one finite number.

    >>> spacing_at(1.0, "float32") == float(spacing(np.asarray(1.0), "float32"))
    True
    """
    fmt = FORMATS[dtype]
    exponent = math.frexp(value)[1] - 1 if value else fmt.low
    return math.ldexp(1.0, min(max(exponent, fmt.low), fmt.high) - fmt.bits + 1)


@cache
def overflow(dtype: str) -> float:
    """What rounds to infinity: the largest number of ``dtype`` and half a unit more."""
    fmt = FORMATS[dtype]
    return fmt.max + float(spacing(np.asarray(fmt.max), dtype)) / 2


def steps(a: Any, b: Any) -> Any:
    """How many representable numbers lie from ``a`` to ``b`` (arrays or scalars of one floating type).

    Integer arithmetic on Python integers, so that nothing wraps; both zeros are one number. ``None``
    stands where a NaN takes part or just one side is infinite: no count of numbers tells that distance.
    """
    a, b = np.broadcast_arrays(np.asarray(a), np.asarray(b))
    if a.dtype != b.dtype:
        raise TypeError(f"steps: needs two arrays of one dtype, got {a.dtype} and {b.dtype}")
    result = np.empty(a.shape, dtype=object)
    result[...] = np.abs(_ordinal(a) - _ordinal(b))
    fa, fb = a.astype(np.float64), b.astype(np.float64)
    result[np.isnan(fa) | np.isnan(fb) | (np.isinf(fa) != np.isinf(fb))] = None
    return result if result.ndim else result[()]


def _ordinal(x: Array) -> Array:
    """The position of each number on the number line, as Python integers; both zeros at 0."""
    bits = np.ascontiguousarray(x).view(f"i{x.dtype.itemsize}").reshape(x.shape).astype(object)
    return np.asarray(np.where(bits >= 0, bits, -(bits + 2 ** (8 * x.dtype.itemsize - 1))), dtype=object)
