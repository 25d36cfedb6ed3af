"""What a framework's arrays are: the protocol of a kit, and where the kit of each framework is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from reference.optim import SparseGrad

from ..cases.surroundings.memory import Memory
from ..targets.loading import TargetError

__all__ = ["KITS", "Kit", "kind_of", "make_kit"]

Array = np.ndarray[Any, Any]

#: Framework -> module of this package that knows its arrays.
KITS = {"numpy": "kit_numpy", "torch": "kit_torch", "jax": "kit_jax"}


class Kit(Protocol):
    """A framework's arrays."""

    shares_stream: bool  #: does it draw torch's numbers from torch's seed?
    has_default: bool  #: has it a generator of its own, where none is handed over?

    def array(self, array: Array | SparseGrad, memory: Memory | None = None, role: str = "") -> Any:
        """An array of the framework, with a copy of the numbers, in the place that a case's memory has for it."""

    def numpy(self, value: Any) -> Array:
        """A NumPy array of the same dtype; ``TypeError`` where the value is no array of the framework."""

    def shares_memory(self, a: Any, b: Any) -> bool:
        """Is some memory of two arrays the same?"""

    def gradients(self, call: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any], paths: Sequence[str],
                  upstream: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """The result of a call, and its gradients, by path of the argument; what has none is left out."""

    def parameter(self, array: Array, memory: Memory | None = None) -> Any:
        """What an optimizer's class is handed: an object with ``data`` and ``grad``."""

    def threads(self, count: int) -> AbstractContextManager[Any]:
        """Have the framework use so many threads, where that can be told to it."""

    def fill(self, array: Any, value: float) -> None:
        """Write a number into each element of an array."""

    def number(self, value: float) -> Any:
        """An option as an array without axes, where the framework's optimizers take such."""

    def gradients_are_on(self) -> bool:
        """Would a loss that is computed now have gradients?"""

    def through_file(self, state: Any) -> Any:
        """A ``state_dict`` that was written to a file of the framework, and read again."""

    def seeded(self, given: int, default: int) -> Any:
        """A generator; and the framework's own numbers start anew."""

    def generators(self, given: Any) -> Iterator[Any]:
        """What is handed to each of many calls: the generator itself, where it goes on by itself."""

    def words(self, given: Any) -> dict[str, Array]:
        """The next words of the generator and of the framework's own, where they are torch's."""


def make_kit(framework: str, device: str = "cpu", stream: bool | None = None) -> Kit:
    """The arrays of a framework on a device; ``stream`` asks for torch's random numbers.

    Raises:
        TargetError: an unknown framework, one that is not installed, or a device that it cannot use.
    """
    if framework not in KITS:
        raise TargetError(f"unknown framework {framework!r}; known are {', '.join(KITS)}")
    try:
        made: Kit = import_module(f".{KITS[framework]}", __package__).make(device, stream)
    except ModuleNotFoundError as error:
        if error.name != framework:
            raise
        raise TargetError(f"{framework} is not installed") from None
    return made


def kind_of(value: Any) -> str:
    """What a value is, for a message: ``None``, or ``a`` with the name of its type."""
    return "None" if value is None else f"a {type(value).__name__}"
