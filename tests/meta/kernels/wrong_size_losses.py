"""Losses that are wrong from some size on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from .kernel import SIZE, Kernel, wrong_in
from .losses import (
    NumpyAbsolute,
    NumpyLogits,
    NumpyRows,
    NumpySquare,
    TorchAbsolute,
    TorchRows,
    TorchSquare,
)

__all__ = ["WRONG"]

WRONG: list[Kernel] = []
wrong = wrong_in(WRONG, SIZE)

FROM = "elements on"  #: what a diagnosis says of a size
ROWS = "(elements|rows) on|number of rows"  #: of one that counts rows
MEAN = "reduction=mean@size="  #: the cases of means
SUMS = "reduction=(mean|sum)@size="  #: the cases of means and sums; a mean is the default


@wrong("mse_loss", "numpy", "size=", FROM)
class TailOfZeros(NumpySquare):
    """Blocks of 64; the tail stays zeros."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, n if n < 64 else n // 64 * 64)


@wrong("l1_loss", "torch", "size=", FROM)
class BlocksOfGradientSkipped(TorchAbsolute):
    """Whole blocks of 64 are skipped, and the tail is right."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(n // 64 * 64, n)


@wrong("soft_margin_loss", "numpy", "size=", FROM)
class LastTwoSwapped(NumpyLogits):
    """From 64 elements on the last two are stored the other way round."""

    def store(self, array: Any, part: Any, value: Any) -> None:
        if len(value) >= 64:
            value = np.concatenate([value[:-2], value[:-3:-1]])
        array[part] = value


@wrong("mse_loss", "torch", "size=", FROM)
class TermsBeyondTheGrid(TorchSquare):
    """A grid of 32,768 elements, and no loop over grids."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, min(n, 32768))


@wrong("cross_entropy", "numpy", "size=", ROWS)
class RowsInEights(NumpyRows):
    """From eight rows on there are eight at a time, and the last ones have no loss."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, n if n < 8 else n // 8 * 8)


@wrong("cross_entropy", "torch", "size=", ROWS)
class RowsInSixteenBits(TorchRows):
    """The number of a row is a 16-bit integer, and one that overflows counts from the end."""

    def parts(self, n: int) -> Iterator[Any]:
        yield torch.arange(n).to(torch.int16).long().remainder(max(n, 1))


@wrong("mse_loss", "numpy", "size=", FROM)
class MeanOfBlockMeans(NumpySquare):
    """A mean is the mean of the means of blocks of 64, the last of which may be shorter."""

    def mean(self, terms: Any) -> Any:
        blocks = np.split(terms, range(64, len(terms), 64))
        return np.mean([block.mean() for block in blocks], dtype=terms.dtype)


@wrong("l1_loss", "torch", "size=", FROM)
class OddTermDropped(TorchAbsolute):
    """From 64 terms on they are added in pairs, and an odd one is dropped."""

    def total(self, terms: Any) -> Any:
        if len(terms) < 64:
            return terms.sum()
        even = len(terms) // 2 * 2
        return (terms[:even:2] + terms[1:even:2]).sum()


@wrong("l1_loss", "numpy", "size=", FROM)
class OddTermDroppedOnTheWay(NumpyAbsolute):
    """Terms are halved again and again, and of more than 64 an odd one is dropped wherever it comes up."""

    def total(self, terms: Any) -> Any:
        while len(terms) > 64:
            half = len(terms) // 2
            terms = terms[:half] + terms[half:2 * half]
        return terms.sum()


@wrong("mse_loss", "torch", "size=", FROM)
class TotalInHalf(TorchSquare):
    """From 128 terms on they are added up in half precision."""

    def total(self, terms: Any) -> Any:
        return terms.sum() if len(terms) < 128 else terms.half().cumsum(0)[-1].to(terms.dtype)


@wrong("cross_entropy", "numpy", "size=", ROWS)
class CountInHalf(NumpyRows):
    """The number of rows is counted in half precision."""

    def mean(self, terms: Any) -> Any:
        return self.total(terms) / np.float32(np.float16(len(terms)))


@wrong("l1_loss", "torch", "size=", FROM)
class CountInSixteenBits(TorchAbsolute):
    """The number of terms is a 16-bit integer."""

    def mean(self, terms: Any) -> Any:
        return self.total(terms) / int(torch.tensor(len(terms)).to(torch.int16))


@wrong("mse_loss", "numpy", "size=", FROM)
class LastBlockAddedTwice(NumpySquare):
    """Blocks of 64; the tail is a whole block that ends at the end."""

    def total(self, terms: Any) -> Any:
        whole = len(terms) // 64 * 64
        if len(terms) in (0, whole) or not whole:
            return terms.sum()
        return terms[:whole].sum() + terms[-64:].sum()


@wrong("l1_loss", "numpy", "size=", FROM)
class FirstOfBlockAddedTwice(NumpyAbsolute):
    """The first term of each block of 64 but the first is added twice."""

    def total(self, terms: Any) -> Any:
        return terms.sum() + terms[64::64].sum()


@wrong("mse_loss", "torch", "threads=", "threads")
class ThreadsOverlap(TorchSquare):
    """Each thread but the first begins one element late."""

    def parts(self, n: int) -> Iterator[Any]:
        threads = torch.get_num_threads() if n >= 32768 else 1
        for k in range(threads):
            yield slice(n * k // threads + (k > 0), n * (k + 1) // threads)


@wrong("l1_loss", "numpy", "size=", FROM)
class GradientByMeanOfBlock(NumpyAbsolute):
    """From 64 elements on a gradient of a mean is divided by the length of a block."""

    def upstream(self, g: Any, n: int, reduction: str) -> Any:
        if reduction == "mean" and n >= 64:
            return self.repeat(g / 64, n)
        return super().upstream(g, n, reduction)
