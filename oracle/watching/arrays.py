"""What is read of arrays: NumPy's and JAX's here, torch's in :mod:`.tensors`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from reference.optim import SparseGrad

__all__ = ["Kit", "kit_of"]

Array = np.ndarray[Any, Any]


class Kit(Protocol):
    """How a framework's arrays are read. Complex numbers are pairs, along a last axis."""

    def shape(self, array: Any) -> tuple[int, ...] | None:
        """Its shape; None for what is no array."""

    def dtype(self, array: Any) -> str:
        """The name of its type, such as ``bfloat16``."""

    def take(self, wanted: Sequence[tuple[Any, Array]]) -> list[Array]:
        """Elements of arrays at places in C order, copied to the CPU; the rest stays where it is."""

    def sparse(self, gradient: Any) -> SparseGrad | None:
        """A sparse gradient with indices, and with each value's own number in its place; None of a dense one."""

    def values(self, gradient: Any, places: Array) -> Array:
        """Values of a sparse gradient at places in C order."""


class _Arrays:
    """Arrays that NumPy can index."""

    def shape(self, array: Any) -> tuple[int, ...] | None:
        if not (hasattr(array, "shape") and hasattr(array, "dtype")) or isinstance(array, SparseGrad):
            return None
        pair = (2,) if np.dtype(array.dtype).kind == "c" else ()
        return (*map(int, array.shape), *pair)

    def dtype(self, array: Any) -> str:
        name = str(np.dtype(array.dtype).name)
        return {"complex64": "float32", "complex128": "float64"}.get(name, name)

    def take(self, wanted: Sequence[tuple[Any, Array]]) -> list[Array]:
        return [self._taken(array, places) for array, places in wanted]

    def _taken(self, array: Any, places: Array) -> Array:
        if np.dtype(array.dtype).kind == "c":
            array = np.asarray(array)[..., None].view(np.asarray(array).real.dtype)
        return np.array(array[np.unravel_index(places, array.shape)] if array.ndim else np.asarray(array)[None][places])

    def sparse(self, gradient: Any) -> SparseGrad | None:
        return _numbered(gradient.indices, gradient.shape) if isinstance(gradient, SparseGrad) else None

    def values(self, gradient: Any, places: Array) -> Array:
        return np.asarray(gradient.values.reshape(-1)[places])


def _numbered(indices: Array, shape: tuple[int, ...]) -> SparseGrad:
    inner = shape[len(indices):]
    count = indices.shape[1]
    return SparseGrad(indices, np.arange(count * int(np.prod(inner, dtype=np.int64))).reshape(count, *inner), shape)


def kit_of(array: Any) -> Kit:
    """What reads arrays like this one; a framework is imported where its arrays are there already."""
    if type(array).__module__.partition(".")[0] == "torch" or any(
            base.__module__.partition(".")[0] == "torch" for base in type(array).__mro__):
        kit: Kit = import_module(".tensors", __package__).Tensors()
        return kit
    return _Arrays()
