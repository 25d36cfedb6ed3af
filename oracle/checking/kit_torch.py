"""torch's tensors, for an implementation that is handed in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from reference.optim import SparseGrad

from ..cases.case import leaf, leaves
from ..cases.surroundings.memory import Memory
from ..targets.loading import TargetError
from ..targets.pytorch import placed, reload, threads, to_array, to_gradient
from .kit import Kit

__all__ = ["make"]

Array = np.ndarray[Any, Any]


class _Torch:
    has_default = True

    def __init__(self, device: str) -> None:
        self.device = device
        self.shares_stream = device == "cpu"  # elsewhere torch has another generator
        torch.set_num_threads(1)  # threads do not outlive a fork, and cases are small

    def array(self, array: Array | SparseGrad, memory: Memory | None = None, role: str = "") -> Any:
        if memory is None or isinstance(array, SparseGrad):
            return to_gradient(array, self.device)
        return placed(memory, array, role, self.device)

    def numpy(self, value: Any) -> Array:
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"gave a {type(value).__name__}, needed is a tensor")
        return to_array(value.to_dense() if value.is_sparse else value)

    def shares_memory(self, a: Any, b: Any) -> bool:
        if not (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)) or a.is_sparse or b.is_sparse:
            return False
        return bool(a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr())

    def gradients(self, call: Callable[[Mapping[str, Any]], Any], arguments: Mapping[str, Any], paths: Sequence[str],
                  upstream: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        inputs = {path: leaf(arguments, path).requires_grad_() for path in paths}
        result = call(arguments)
        found = [one for _, one in leaves("output", result)]
        if all(isinstance(one, torch.Tensor) for one in found) and len(found) == len(upstream):
            graphs = [(one, g) for one, g in zip(found, upstream, strict=True) if one.requires_grad]
            torch.autograd.backward([one for one, _ in graphs], [g for _, g in graphs])
        return result, {path: x.grad for path, x in inputs.items() if x.grad is not None}

    def parameter(self, array: Array, memory: Memory | None = None) -> Any:
        return torch.nn.Parameter(self.array(array, memory, "parameter"))

    def threads(self, count: int) -> AbstractContextManager[None]:
        return threads(count)

    def fill(self, array: Any, value: float) -> None:
        array.fill_(value)

    def number(self, value: float) -> Any:
        return torch.tensor(value, dtype=torch.float64, device=self.device)

    def gradients_are_on(self) -> bool:
        return bool(torch.is_grad_enabled())

    def through_file(self, state: Any) -> Any:
        return reload(state)

    def seeded(self, given: int, default: int) -> Any:
        torch.manual_seed(default)
        return torch.Generator(self.device).manual_seed(given)

    def generators(self, given: Any) -> Iterator[Any]:
        return itertools.repeat(given)

    def words(self, given: Any) -> dict[str, Array]:
        return {name: to_array(torch.empty(1, dtype=torch.int32).random_(generator=source))
                for name, source in (("next_word", given), ("default_word", torch.default_generator))}


def make(device: str, stream: bool | None) -> Kit:
    """Tensors on a device."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TargetError(f"torch cannot use device {device!r}: {str(error).splitlines()[0]}") from None
    return _Torch(device)
