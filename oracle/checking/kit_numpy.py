"""NumPy's arrays, for an implementation that is handed in."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from reference import random as reference_random
from reference.optim import Parameter, SparseGrad

from ..cases.surroundings.memory import Memory
from ..targets.loading import TargetError, Unsupported
from .kit import Kit

__all__ = ["make"]

Array = np.ndarray[Any, Any]


class _NumPy:
    shares_stream = False
    has_default = True

    def array(self, array: Array | SparseGrad, memory: Memory | None = None, role: str = "") -> Any:
        if isinstance(array, SparseGrad):
            return array.replaced(array.values.copy())
        return (memory or Memory()).place(array, role)

    def numpy(self, value: Any) -> Array:
        if isinstance(value, SparseGrad):
            value = value.to_dense()
        if not isinstance(value, np.ndarray | np.generic | float):
            raise TypeError(f"gave a {type(value).__name__}, needed is a NumPy array")
        return np.array(value, order="K")

    def shares_memory(self, a: Any, b: Any) -> bool:
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and bool(np.may_share_memory(a, b))

    def gradients(self, call: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any], paths: Sequence[str],
                  upstream: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        raise NotImplementedError("NumPy has no gradients; a backward may be handed over")

    def parameter(self, array: Array, memory: Memory | None = None) -> Any:
        return Parameter(self.array(array, memory, "parameter"))

    def threads(self, count: int) -> nullcontext[None]:
        return nullcontext()

    def fill(self, array: Any, value: float) -> None:
        (array.values if isinstance(array, SparseGrad) else array)[...] = value

    def number(self, value: float) -> Any:
        raise Unsupported("options in arrays are for torch's optimizers")

    def gradients_are_on(self) -> bool:
        return True

    def through_file(self, state: Any) -> Any:
        return pickle.loads(pickle.dumps(state))

    def seeded(self, given: int, default: int) -> Any:
        np.random.seed(default % 2**32)
        return np.random.default_rng(given % 2**64)

    def generators(self, given: Any) -> Iterator[Any]:
        return itertools.repeat(given)

    def words(self, given: Any) -> dict[str, Array]:
        return {}


class _TorchStream(_NumPy):
    """With :mod:`reference.random` in the place of NumPy's own generators."""

    shares_stream = True

    def seeded(self, given: int, default: int) -> Any:
        reference_random.manual_seed(default)
        return reference_random.Generator().manual_seed(given)

    def words(self, given: Any) -> dict[str, Array]:
        return {name: (source.random_words(1) & 0x7FFFFFFF).astype(np.int32)
                for name, source in (("next_word", given), ("default_word", reference_random.default_generator))}


def make(device: str, stream: bool | None) -> Kit:
    """NumPy's arrays, and its own random numbers unless torch's are asked for."""
    if device != "cpu":
        raise TargetError(f"NumPy has no device {device!r}")
    return _TorchStream() if stream else _NumPy()
