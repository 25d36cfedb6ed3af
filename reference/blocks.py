"""Formulas evaluated block by block, so that what they make on the way stays in a processor's cache.

NumPy writes the result of every operation to memory before the next one reads it. Over a block that memory
is a cache; over a million elements it is not, and most of the time goes into waiting for it. A block is a
slice along the first axis, so a formula may be cut wherever its result for one index of that axis depends on
nothing at any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .numerics import Array

__all__ = ["BLOCK", "blocks", "fits", "map_blocks"]

#: Elements of a block: a dozen arrays of so many float32 numbers fit into a second-level cache.
BLOCK = 2**15


def fits(arrays: Sequence[Array]) -> bool:
    """Is there one block of all, as none of the arrays holds more?"""
    return all([a.size <= BLOCK for a in arrays])  # noqa: C419  # a generator costs more than the test


def blocks(arrays: Sequence[Array]) -> Iterator[tuple[slice, Sequence[Array]]]:
    """Cut arrays that broadcast with each other along the first axis of their common shape.

    Args:
        arrays: the largest of them decides on the length of a block.

    Returns:
        An iterator over pairs of a slice and the parts of the arrays in it. Arrays that are stretched along
        the first axis come whole; where none holds more than a block, there is one pair of all of all.

    >>> rows, row = np.zeros((3 * BLOCK, 2), np.float32), np.ones(2, np.float32)
    >>> [(part.start, part.stop, a.shape, b.shape) for part, (a, b) in blocks([rows, row])][-1]
    (81920, 98304, (16384, 2), (2,))
    """
    if fits(arrays):
        yield slice(None), arrays
        return
    length = _length(arrays)
    ndim, rows = max(a.ndim for a in arrays), max(BLOCK * length // max(a.size for a in arrays), 1)
    cut = [a.ndim == ndim and a.shape[0] == length for a in arrays]
    for start in range(0, length, rows):
        part = slice(start, min(start + rows, length))
        yield part, [a[part] if is_cut else a for a, is_cut in zip(arrays, cut, strict=True)]


def map_blocks(f: Callable[..., Any], *arrays: Array) -> Any:
    """``f(*arrays)``, evaluated block by block.

    Args:
        f: gives an array that has the first axis of the common shape of its arguments, or a tuple of such
            arrays and of ``None``.
        arrays: its arguments, which broadcast with each other.

    Returns:
        What ``f`` returns.

    >>> x = np.arange(3.0 * BLOCK).reshape(-1, 3)
    >>> bool((map_blocks(lambda x, y: x - y, x, x[0]) == x - x[0]).all())
    True
    """
    if fits(arrays):
        return f(*arrays)
    length = _length(arrays)
    results: list[Array | None] = []
    for part, block in blocks(arrays):
        found = f(*block)
        values = found if isinstance(found, tuple) else (found,)
        if not results:
            results = [None if v is None else np.empty_like(v, shape=(length, *v.shape[1:])) for v in values]
        for result, value in zip(results, values, strict=True):
            if result is not None:
                result[part] = value
    return tuple(results) if isinstance(found, tuple) else results[0]


def _length(arrays: Sequence[Array]) -> int:
    """The first length of the common shape."""
    ndim = max(a.ndim for a in arrays)
    return int(max(a.shape[0] for a in arrays if a.ndim == ndim))
