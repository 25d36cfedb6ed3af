"""Random integers: what a dtype can hold of a range, and permutations."""

from __future__ import annotations

import functools
import math
import warnings
from typing import Any

import numpy as np

from ._storage import HALF, LARGEST, name_of

__all__ = ["DIGITS", "exchanged", "largest_integer", "range_within"]

Array = np.ndarray[Any, Any]

#: Bits of the significands of floating types.
DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}

_FEW = 512  #: where the exchanges, of 0.1 µs each, take as long as forty calls of NumPy


def exchanged(places: Array) -> Array:
    """What is left of 0, ..., n - 1 when 0 has changed places with ``places[0]``, then 1 with ``places[1]``, ....

    No place is before its step, so that step i ends with what it takes from its place. There is what an
    earlier step has put there, the last one if several have: what that step i' had found at i' itself, which
    an earlier step again may have put there. Ways back of that kind are short, and all are followed at once.

    >>> exchanged(np.array([2, 2, 2]))
    array([2, 0, 1])

    Source: J. Shun et al., Sequential random permutation, list contraction and tree contraction are highly
    parallel, SODA 2015, section 3, for the dependences.
    """
    if len(places) < _FEW:
        order = list(range(len(places)))
        for i, place in enumerate(places.tolist()):
            order[i], order[place] = order[place], order[i]
        return np.array(order, places.dtype)
    steps = np.arange(len(places))
    moving = np.flatnonzero(places != steps)
    origin = steps.copy()
    origin[places[moving]] = moving  # the last one stays
    pending = np.flatnonzero(origin != steps)
    while pending.size:
        once = origin[pending]
        twice = origin[once]
        pending, twice = pending[once != twice], twice[once != twice]
        origin[pending] = twice
    by_place = np.sort(places << 32 | steps)
    place, step = by_place >> 32, by_place & 0xFFFFFFFF
    result = np.empty_like(places)
    result[step] = place
    again = np.flatnonzero(place[1:] == place[:-1])
    result[step[again + 1]] = origin[step[again]]
    return result


@functools.cache
def largest_integer(dtype: np.dtype[Any]) -> int:
    """Up to which integer torch's ``random_`` draws without bounds: all to there are held exactly.

    >>> largest_integer(np.dtype(np.float32)), largest_integer(np.dtype(np.int8))
    (16777216, 127)
    """
    if dtype.name in DIGITS:
        return int(2 ** DIGITS[dtype.name])
    return 1 if dtype.kind == "b" else int(np.iinfo(dtype).max)


def range_within(dtype: np.dtype[Any], low: int, high: int | None, largest: int) -> tuple[int, int]:
    """The integers within [low, high) that a dtype can hold, as the range of torch's ``random_``.

    Args:
        dtype: of the array that is filled. low, high: bounds; None for all up to ``largest``.

    Returns:
        The same with what floating types cannot hold taken off.

    Raises:
        RuntimeError: where it cannot hold the bounds, or nothing is between them.

    >>> range_within(np.dtype(np.float16), 0, 2049, 2**11)
    (0, 2049)
    """
    if high is not None and low >= high:
        raise RuntimeError(f"low must be below high, got low={low}, high={high}")
    end = largest + 1 if high is None else high
    if name_of(dtype) in DIGITS:
        digits = DIGITS[dtype.name]
        near = _round_to(low + 1, dtype)
        if near < low:
            low = near + 2 ** (abs(low + 1).bit_length() - digits)
        if high is not None:
            near = _round_to(high - 1, dtype)
            if near >= high:
                end = near - 2 ** (abs(high - 1).bit_length() - digits)
        if low >= end:
            raise RuntimeError(f"low must be below high in {dtype.name}, got low={low}, high={end}")
        for name, bound in (("low", low), ("high - 1", end - 1)):
            if abs(bound) > 2**digits:
                warnings.warn(f"{name} is beyond 2**{digits}, to which {dtype.name} holds every integer: {bound}",
                              UserWarning, stacklevel=4)
    smallest, most = _limits(dtype)
    if not (smallest <= low <= most and smallest <= end - 1 <= most):
        raise RuntimeError(f"low and high - 1 must be within [{smallest}, {most}] for {dtype.name}, "
                           f"got low={low}, high={end}")
    return low, end


def _round_to(number: int, dtype: np.dtype[Any]) -> float:
    """The number of a type that is nearest to an integer; an int where it is finite."""
    with np.errstate(over="ignore"):
        rounded = float(np.float32(number).astype(dtype) if dtype.name in HALF else dtype.type(number))
    return int(rounded) if math.isfinite(rounded) else rounded


@functools.cache
def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.name in DIGITS:
        most = float(LARGEST[dtype.name])
        return -most, most
    return (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
