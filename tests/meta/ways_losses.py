"""Other ways to compute a loss that are right too: in float64, or summed in another order."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from tests.meta.plain_losses import Array

__all__ = ["ExactSum", "LossInDouble", "PairwiseSum", "ReversedSum", "RunningSum", "double", "single"]


def double(value: Any) -> Any:
    is_single = isinstance(value, np.ndarray) and value.dtype == np.float32
    return value.astype(np.float64) if is_single else value


def single(value: Any) -> Any:
    return None if value is None else np.asarray(value).astype(np.float32)


class LossInDouble:
    """All of it in float64, rounded once."""

    def forward(self, **arguments: Any) -> Array:
        doubles = {name: double(value) for name, value in arguments.items()}
        return single(super().forward(**doubles))  # type: ignore[misc]

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        doubles = {name: double(value) for name, value in arguments.items()}
        gradients = super().backward(double(grad_output), **doubles)  # type: ignore[misc]
        return tuple(map(single, gradients))


class ReversedSum:
    """Summed from the end, one by one."""

    def total(self, losses: Array) -> Any:
        return reduce(lambda a, b: a + b, np.ravel(losses)[::-1], np.float32(0))


class RunningSum:
    """The last of the partial sums."""

    def total(self, losses: Array) -> Any:
        return np.cumsum(np.append(np.float32(0), losses), dtype=np.float32)[-1]


class ExactSum:
    """The sum rounded once."""

    def total(self, losses: Array) -> Any:
        finite = np.all(np.isfinite(losses))
        return np.float32(math.fsum(np.ravel(losses))) if finite else np.sum(losses)


class PairwiseSum:
    """Halves are summed on their own."""

    def total(self, losses: Array) -> Any:
        flat = np.ravel(losses)
        if flat.size < 2:
            return flat.sum()
        return self.total(flat[: flat.size // 2]) + self.total(flat[flat.size // 2:])
