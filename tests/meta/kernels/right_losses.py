"""Losses and initializers that do well what :mod:`.wrong_size_losses` and its like do badly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from .kernel import Kernel, right_in
from .losses import (
    NumpyAbsolute,
    NumpyLogits,
    NumpyRows,
    NumpySquare,
    TorchAbsolute,
    TorchLogits,
    TorchRows,
    TorchSquare,
)

__all__ = ["RIGHT"]

RIGHT: list[Kernel] = []
right = right_in(RIGHT)


def _blocks(n: int, length: int) -> Iterator[slice]:
    yield from (slice(start, min(start + length, n)) for start in range(0, n, length))


@right("mse_loss", "numpy")
class SquaresInBlocks(NumpySquare):
    """Blocks of 4,096 with a tail, and a sum of their sums."""

    def parts(self, n: int) -> Iterator[Any]:
        yield from _blocks(n, 4096)

    def total(self, terms: Any) -> Any:
        return sum((terms[part].sum() for part in _blocks(len(terms), 4096)), terms.dtype.type(0))


@right("mse_loss", "torch")
class SquaresByThreads(TorchSquare):
    """A piece for each thread, and a sum of their sums."""

    def parts(self, n: int) -> Iterator[Any]:
        threads = torch.get_num_threads()
        yield from (slice(n * k // threads, n * (k + 1) // threads) for k in range(threads))


@right("l1_loss", "numpy")
class HalvesWithOdd(NumpyAbsolute):
    """Terms are halved again and again, and an odd one is kept."""

    def total(self, terms: Any) -> Any:
        odd = terms.dtype.type(0)
        while len(terms) > 1:
            half = len(terms) // 2
            if len(terms) % 2:
                odd += terms[-1]
            terms = terms[:half] + terms[half:2 * half]
        return terms.sum() + odd


@right("l1_loss", "torch")
class Compensated(TorchAbsolute):
    """Kahan's sum, over lanes of 1,024."""

    def total(self, terms: Any) -> Any:
        padded = torch.nn.functional.pad(terms, (0, -len(terms) % 1024)).view(-1, 1024)
        total = lost = torch.zeros(1024, dtype=terms.dtype)
        for row in padded:
            row = row - lost
            after = total + row
            total, lost = after, (after - total) - row
        return total.sum()


@right("soft_margin_loss", "numpy")
class FromBehind(NumpyLogits):
    """The last block first."""

    def parts(self, n: int) -> Iterator[Any]:
        yield from reversed([*_blocks(n, 4096)])


@right("soft_margin_loss", "torch")
class WeightedBlockMeans(TorchLogits):
    """A sum in float64."""

    def total(self, terms: Any) -> Any:
        return terms.double().sum().to(terms.dtype)


@right("cross_entropy", "numpy")
class RowsWithTail(NumpyRows):
    """Eight rows at a time, and the rest."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, n // 8 * 8)
        yield slice(n // 8 * 8, n)


@right("cross_entropy", "torch")
class RowsInBlocks(TorchRows):
    """Blocks of 4,096 rows."""

    def parts(self, n: int) -> Iterator[Any]:
        yield from _blocks(n, 4096)


@right("mse_loss", "torch")
def squares_of_operators(input: Any, target: Any, reduction: str = "mean") -> Any:
    """torch's operators, on tensors as they lie."""
    squares = (input - target).square()
    return squares if reduction == "none" else squares.sum() if reduction == "sum" else squares.mean()


@right("l1_loss", "torch")
def differences_as_they_lie(input: Any, target: Any, reduction: str = "mean") -> Any:
    """Where both are channels-last they are taken as they lie, and the result is too."""
    if input.ndim == 4 and all(x.is_contiguous(memory_format=torch.channels_last) for x in (input, target)):
        terms = (input.permute(0, 2, 3, 1) - target.permute(0, 2, 3, 1)).abs().permute(0, 3, 1, 2)
    else:
        terms = (input - target).abs()
    return terms if reduction == "none" else getattr(terms, reduction)()


@right("constant_", "numpy")
def constant_by_copy(tensor: Any, val: float) -> Any:
    """Written through the array itself."""
    np.copyto(tensor, tensor.dtype.type(val))
    return tensor


@right("ones_", "torch")
def ones_by_lines(tensor: Any) -> Any:
    """Line by line."""
    for line in tensor.unbind(0):
        line.fill_(1)
    return tensor


@right("eye_", "numpy")
def eye_by_diagonal(tensor: Any) -> Any:
    """Zeros, then the diagonal."""
    tensor[...] = 0
    for i in range(min(tensor.shape)):
        tensor[i, i] = 1
    return tensor


@right("zeros_", "numpy")
def zeros_by_blocks(tensor: Any) -> Any:
    """A flat copy in blocks of 64, which is written back."""
    flat = tensor.flatten()
    for part in _blocks(flat.size, 64):
        flat[part] = 0
    tensor[...] = flat.reshape(tensor.shape)
    return tensor


@right("normal_", "torch")
def normal_of_torch(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """torch's own numbers."""
    with torch.no_grad():
        return tensor.normal_(mean, std, generator=generator)
