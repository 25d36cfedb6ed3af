"""Gradients that hold some elements only: indices, and the values that stand there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._blocks import BLOCK, update_in_place

__all__ = ["SparseGrad", "update_touched"]

Array = NDArray[Any]


class SparseGrad:
    """A gradient of which only some elements are given, as ``torch.sparse_coo_tensor`` has it.

    Args:
        indices: integers of shape (k, n): n places along the first k axes. A place may occur more than once;
            its values add up.
        values: of shape (n, ...): a number each, or an array over the other axes.
        shape: of the whole gradient.

    Raises:
        ValueError: ``indices`` and ``values`` do not fit each other or ``shape``.
        IndexError: a place lies outside ``shape``.

    >>> g = SparseGrad([[0, 2, 0]], np.array([1.0, 2.0, 4.0]), (3,))
    >>> g.to_dense()
    array([5., 0., 2.])
    >>> g.coalesce()
    SparseGrad(indices=[[0, 2]], values=array([5., 2.]), shape=(3,))
    """

    __slots__ = ("indices", "shape", "values")

    def __init__(self, indices: Any, values: Any, shape: tuple[int, ...]) -> None:
        self.indices: NDArray[np.int64] = np.asarray(indices, np.int64)
        self.values: Array = np.asanyarray(values)
        self.shape = tuple(shape)
        if self.indices.ndim != 2:
            raise ValueError(f"indices needs two axes, got shape {self.indices.shape}")
        k, n = self.indices.shape
        if self.values.shape != (n, *self.shape[k:]) or k > len(self.shape):
            raise ValueError(f"values needs shape {(n, *self.shape[k:])} for indices of shape {(k, n)} into "
                             f"{self.shape}, got {self.values.shape}")
        limits = np.reshape(self.shape[:k], (k, 1))
        if np.any((self.indices < 0) | (self.indices >= limits)):
            raise IndexError(f"indices needs to lie within {self.shape[:k]}, got {self.indices.tolist()}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the values."""
        return self.values.dtype

    def replaced(self, values: Array) -> SparseGrad:
        """The same places with other values, one for each."""
        other = SparseGrad.__new__(SparseGrad)  # the places were checked
        other.indices, other.values, other.shape = self.indices, values, self.shape
        return other

    def places(self) -> NDArray[np.int64]:
        """Each index as one number, in the order of memory."""
        k = len(self.indices)
        if k == 1:
            return np.asarray(self.indices[0])
        steps = np.cumprod([1, *self.shape[:k][:0:-1]])[::-1] if k else np.zeros(0, np.int64)
        return np.asarray((self.indices * np.reshape(steps, (k, 1))).sum(0, dtype=np.int64))

    def coalesce(self) -> SparseGrad:
        """Each place once, in order; the values of one place are added in the order in which they stand.

        A gradient that is so already is returned as it is.
        """
        places = self.places()
        if all(np.all(places[i + 1:i + 1 + BLOCK] > places[i:i + BLOCK][:len(places) - i - 1])
               for i in range(0, len(places), BLOCK)):
            return self
        unique, first, inverse = np.unique(places, return_index=True, return_inverse=True)
        values = self.values[first]
        rest = np.setdiff1d(np.arange(len(places)), first)
        while rest.size:  # the next one of each place that has more
            _, here = np.unique(places[rest], return_index=True)
            now = rest[here]
            values[inverse[now]] = values[inverse[now]] + self.values[now]
            rest = np.delete(rest, here)
        return SparseGrad(self.indices[:, first].reshape(len(self.indices), len(unique)), values, self.shape)

    def to_dense(self) -> Array:
        """The whole gradient, 0 where nothing is given."""
        dense, summed = np.zeros_like(self.values, shape=self.shape), self.coalesce()
        rows, where = summed.place_in(dense)
        rows[where] = summed.values
        return dense

    def place_in(self, whole: Array) -> tuple[Array, tuple[Array, ...]]:
        """A view of an array of the gradient's shape, and the index of the gradient's places in it."""
        if len(self.indices):
            return whole, tuple(self.indices)
        return whole[None], (np.zeros(self.indices.shape[1], np.int64),)  # a number, or all of an array

    def joined(self, other: SparseGrad) -> SparseGrad:
        """Coalesced, with zeros where only another gradient has places."""
        nothing = np.zeros_like(self.values, shape=other.values.shape)
        return SparseGrad(np.concatenate((self.indices, other.indices), 1),
                          np.concatenate((self.values, nothing)), self.shape).coalesce()

    def copy(self) -> SparseGrad:
        """A copy of both arrays."""
        return SparseGrad(self.indices.copy(), self.values.copy(), self.shape)

    def __repr__(self) -> str:
        return f"SparseGrad(indices={self.indices.tolist()}, values={self.values!r}, shape={self.shape})"


def update_touched(rule: Callable[..., tuple[Any, ...]], theta: Array, g: SparseGrad, *state: Array,
                   beside: tuple[Array | None, ...] = (), **scalars: Any) -> None:
    """Apply a rule to those elements of parameter and state that a coalesced gradient has, and to no others.

    State ``beside`` has been gathered already: its elements stand as those of the gradient do.
    """
    places = [g.place_in(x) for x in (theta, *state)]
    step = max(1, BLOCK * len(g.values) // max(g.values.size, 1))
    for start in range(0, len(g.values), step):
        now = slice(start, start + step)
        touched = [rows[tuple(axis[now] for axis in where)] for rows, where in places]
        update_in_place(rule, touched[0], g.values[now], *touched[1:],
                        *(None if b is None else b[now] for b in beside), **scalars)
        for (rows, where), values in zip(places, touched, strict=True):
            rows[tuple(axis[now] for axis in where)] = values
