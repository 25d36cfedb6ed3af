"""What a random draw has to know about the array it fills: type, range, order of memory."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .numerics import REAL

__all__ = ["HALF", "LARGEST", "SINGLE", "check_interval", "check_numbers", "fill", "in_memory_order", "name_of",
           "storage_of"]

Array = np.ndarray[Any, Any]

HALF = frozenset({"float16", "bfloat16"})
SINGLE = HALF | {"float32"}  #: one word a uniform number, computed with in float32
DOUBLE = frozenset({"float64", np.dtype(np.longdouble).name})  #: two words
_DRAWN = SINGLE | DOUBLE
#: The largest finite number of a storage type.
LARGEST = {"float16": 65504.0, "bfloat16": 255 * 2.0**120, "float32": (2**24 - 1) * 2.0**104,
           "float64": float(np.finfo(np.float64).max)}


@functools.cache
def name_of(dtype: np.dtype[Any]) -> str:
    """``dtype.name``, which NumPy puts together anew each time that it is asked.

    >>> name_of(np.dtype("f4"))
    'float32'
    """
    return dtype.name


def storage_of(array: Array, method: str) -> np.dtype[Any]:
    """Return the type whose stream an array takes: its own, or the one that its balls stand for.

    >>> storage_of(np.zeros(2, np.float16), "normal_")
    dtype('float16')
    """
    storage: Any = getattr(array, "stands_for", array.dtype)
    if name_of(storage) not in _DRAWN:
        raise NotImplementedError(f"{method} needs a floating or complex array, got {storage.name}")
    return storage  # type: ignore[no-any-return]  # a dtype, also where balls stand for one


def check_numbers(**arguments: Any) -> None:
    """Raise TypeError where an argument is no real number.

    >>> check_numbers(gain=1.0, std=2)
    """
    for name, value in arguments.items():
        if not isinstance(value, REAL):
            raise TypeError(f"{name} must be a real number, got {type(value).__name__}")


def check_interval(storage: np.dtype[Any], low: Any, high: Any) -> None:
    """Raise RuntimeError where [low, high) is no interval that a storage type can span.

    >>> check_interval(np.dtype(np.float16), -4e4, 4e4)
    Traceback (most recent call last):
    RuntimeError: high - low must be within [0, 65504.0] for float16, got low=-40000.0, high=40000.0
    """
    check_numbers(low=low, high=high)
    largest = LARGEST.get(name_of(storage), LARGEST["float64"])
    if -largest <= low <= high <= largest and high - low <= largest:
        return
    got = f"for {storage.name}, got low={float(low)}, high={float(high)}"
    if not (-largest <= low <= largest and -largest <= high <= largest):
        raise RuntimeError(f"low and high must be within +-{largest} {got}")
    raise RuntimeError(f"high - low must be within [0, {largest}] {got}")


class in_memory_order:  # reads as a verb, and takes a third of the time of a contextmanager
    """Give the elements as one axis, to be written: the last index goes where the strides lead farthest.

    >>> a = np.zeros((3, 2)).T
    >>> with in_memory_order(a) as flat:
    ...     flat[:] = np.arange(6.0)
    >>> a
    array([[0., 2., 4.],
           [1., 3., 5.]])
    """

    def __init__(self, array: Array) -> None:
        if not array.flags.c_contiguous:
            array = array.transpose(sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis])))
        self._view, self._apart = array, not array.flags.c_contiguous
        self._flat = np.empty_like(array, shape=array.size) if self._apart else array.reshape(-1)

    def __enter__(self) -> Array:
        return self._flat

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._apart and kind is None:
            self._view[...] = self._flat.reshape(self._view.shape)


def fill(array: Array, values: Array) -> None:
    """Assign flat values in the order of memory.

    >>> a = np.zeros((3, 2)).T
    >>> fill(a, np.arange(6.0))
    >>> a[0]
    array([0., 2., 4.])
    """
    with in_memory_order(array) as flat:
        flat[...] = values
