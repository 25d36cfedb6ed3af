"""Which elements of a parameter are looked at: its ends, edges of vectors and blocks, and some at random."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["edges", "sample"]

Array = np.ndarray[Any, Any]

#: Lengths of vectors, blocks and chunks of kernels: powers of two, from 4 elements to 65,536.
_LENGTHS = 2 ** np.arange(2, 17)


def edges(n: int) -> Array:
    """Places at both sides of the first edge of each length, and of the last, behind which the tail begins.

    >>> edges(11)
    array([ 3,  4,  7,  8, 10])
    """
    lengths = _LENGTHS[n >= _LENGTHS]
    last = n // lengths * lengths
    found = np.concatenate([lengths - 1, lengths, last - 1, last, [n - 1]])
    return np.unique(found[found < n])


def sample(n: int, wanted: int, rng: np.random.Generator) -> Array:
    """Some places among ``n``, sorted: all where that many are wanted; else both ends, edges and others at random.

    >>> sample(3, 8, np.random.default_rng(0))
    array([0, 1, 2])
    >>> places = sample(10**6 + 1, 8, np.random.default_rng(0))
    >>> len(places), int(places[0]), int(places[-1])
    (8, 0, 1000000)
    """
    if n <= wanted:
        return np.arange(n)
    ends = np.asarray([0, n - 1])
    at_edges = np.setdiff1d(edges(n), ends)
    chosen = np.union1d(ends, rng.permutation(at_edges)[:(wanted - 1) // 2])
    while len(chosen) < wanted:  # one that is drawn again counts once
        chosen = np.union1d(chosen, rng.integers(0, n, wanted - len(chosen)))
    return chosen
