"""JAX's arrays, for an implementation that is handed in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reference.optim import SparseGrad

from ..cases.case import leaf, leaves, with_leaf
from ..cases.surroundings.memory import Memory
from ..targets.loading import TargetError, Unsupported
from .kit import Kit

__all__ = ["make"]

Array = np.ndarray[Any, Any]


class _Jax:
    shares_stream = False
    has_default = False

    def __init__(self, device: Any) -> None:
        self.device = device
        jax.config.update("jax_enable_x64", True)  # float64 would silently be float32

    def array(self, array: Array | SparseGrad, memory: Memory | None = None, role: str = "") -> Any:
        if memory is not None and memory.layout(role) is not None:
            raise Unsupported("JAX's arrays all lie in memory in one way")
        if isinstance(array, SparseGrad):
            raise Unsupported("JAX has no sparse gradients")
        return jax.device_put(jnp.asarray(np.array(array)), self.device)

    def numpy(self, value: Any) -> Array:
        if not isinstance(value, jax.Array):
            raise TypeError(f"gave a {type(value).__name__}, needed is a JAX array")
        return np.array(value)

    def shares_memory(self, a: Any, b: Any) -> bool:
        return False  # nobody can write to it

    def gradients(self, call: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any], paths: Sequence[str],
                  upstream: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        results = []

        def function(*values: Any) -> list[Any]:
            moved = dict(arguments)
            for path, value in zip(paths, values, strict=True):
                moved = with_leaf(moved, path, value)
            results.append(call(moved))
            return [one for _, one in leaves("output", results[-1])]

        found, pull = jax.vjp(function, *(leaf(arguments, path) for path in paths))
        if len(found) != len(upstream) or any(one.shape != g.shape or one.dtype != g.dtype
                                              for one, g in zip(found, upstream, strict=True)):
            return found[0] if len(found) == 1 else tuple(found), {}  # compared, and found wrong
        return (found[0] if len(found) == 1 else tuple(found)), dict(zip(paths, pull(list(upstream)), strict=True))

    def parameter(self, array: Array, memory: Memory | None = None) -> Any:
        raise Unsupported("JAX's arrays cannot be changed in place; an optimizer is a pair of functions")

    def threads(self, count: int) -> nullcontext[None]:
        return nullcontext()

    def fill(self, array: Any, value: float) -> None:
        raise Unsupported("JAX's arrays cannot be changed in place")

    def number(self, value: float) -> Any:
        raise Unsupported("options in arrays are for torch's optimizers")

    def gradients_are_on(self) -> bool:
        return True

    def through_file(self, state: Any) -> Any:
        raise Unsupported("a pair of functions has no state_dict")

    def seeded(self, given: int, default: int) -> Any:
        """A key, of the 64 bits that a seed has."""
        return jax.random.key((given + 2**63) % 2**64 - 2**63)

    def generators(self, given: Any) -> Iterator[Any]:
        """A key gives the same numbers each time, so that each call needs another."""
        return (jax.random.fold_in(given, i) for i in itertools.count())

    def words(self, given: Any) -> dict[str, Array]:
        return {}


def make(device: str, stream: bool | None) -> Kit:
    """JAX's arrays on the first device of a platform."""
    try:
        return _Jax(jax.devices(device)[0])
    except RuntimeError as error:
        raise TargetError(f"JAX cannot use device {device!r}: {str(error).splitlines()[0]}") from None
