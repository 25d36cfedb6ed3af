"""Uniform numbers: made of the engine's words, and stretched to an interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._engine import Engine
from ._storage import HALF, SINGLE, name_of
from .precision import fma, lift

__all__ = ["BLOCK", "FROM_PAIRS", "FROM_WORDS", "fill_uniform", "fill_uniform_balls", "slices", "unit_numbers"]

Array = np.ndarray[Any, Any]

BLOCK = 131072  # numbers at a time, so that what is made of them on the way stays in the cache
# For the words of one number: the bits that count, their unit, and what to read them as.
FROM_WORDS: tuple[Array, Array, np.dtype[Any]] = (
    np.array(2**24 - 1, np.uint32), np.array(2.0**-24, np.float32), np.dtype(np.int32))
FROM_PAIRS: tuple[Array, Array, np.dtype[Any]] = (
    np.array(2**53 - 1, np.uint64), np.array(2.0**-53), np.dtype(np.int64))


def slices(n: int, size: int = BLOCK) -> list[slice]:
    """Slices of n numbers, so many at a time.

    >>> slices(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(i, min(i + size, n)) for i in range(0, n, size)]


def unit_numbers(engine: Engine, n: int, storage: np.dtype[Any], out: Array | None = None) -> Array:
    """Draw n numbers on [0, 1) as float32 or float64, which holds each of them exactly."""
    single = name_of(storage) in SINGLE
    words: Array = engine.random_words(n) if single else engine.random_double_words(n)
    low_bits, unit, signed = FROM_WORDS if single else FROM_PAIRS
    words &= low_bits
    u = np.empty(n, unit.dtype) if out is None else out
    u[...] = words.view(signed)  # processors convert signed integers faster
    u *= unit
    return u


def fill_uniform(engine: Engine, part: Array, storage: np.dtype[Any], low: Any, high: Any) -> None:
    """Fill a part of an array with numbers on [low, high); what rounding lifts to high becomes low."""
    half = name_of(storage) in HALF
    u = unit_numbers(engine, part.size, storage, None if half else part)
    a, b = u.dtype.type(low), u.dtype.type(high)
    x = _stretch(u, a, b)
    if half:
        x = x.astype(storage)
    if half or ((a, b) != (0, 1) and np.maximum.reduce(x) == b):
        x[x == b.astype(storage)] = a
    if x is not part:
        part[...] = x


def fill_uniform_balls(engine: Engine, part: Array, storage: np.dtype[Any], low: Any, high: Any) -> None:
    """Fill a part of an array of balls as :func:`fill_uniform` does.

    What rounding lifts to high is a matter of rounded numbers, and so it is decided in these.
    """
    u = unit_numbers(engine, part.size, storage)
    exact, first, last = lift(part, u), lift(part, low), lift(part, high)
    a, b = u.dtype.type(float(low)), u.dtype.type(float(high))
    lifted = _stretch(u, a, b).astype(storage) == b.astype(storage)
    x = fma(exact, last - first, first)
    part[...] = np.where(lifted, first, x) if lifted.any() else x


def _stretch(u: Array, low: Any, high: Any) -> Array:
    """u * (high - low) + low, rounded once; from -high and from 0 on that is one product. Overwrites u."""
    if low == -high:
        u += u  # exact, as is the difference
        u -= 1
    elif low != 0:
        return fma(u, high - low, low)
    if high != 1:
        u *= high
    return u
