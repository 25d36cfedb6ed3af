"""Optimizers that are wrong from some size on, or from some number of parameters on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from .kernel import SIZE, Kernel, wrong_in
from .loops import (
    NumpyAdagrad,
    NumpyAdam,
    NumpyRMSprop,
    NumpySGD,
    TorchAdagrad,
    TorchAdam,
    TorchRMSprop,
    TorchSGD,
)

__all__ = ["WRONG"]

WRONG: list[Kernel] = []
wrong = wrong_in(WRONG, SIZE)

FROM = "elements on"  #: what a diagnosis says of a size
MANY = "parameters"  #: what it says of their number


@wrong("SGD", "numpy", "size=", FROM)
class TailNeverStored(NumpySGD):
    """Blocks of 64; what is left over stays as it was."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, n if n < 64 else n // 64 * 64)


@wrong("SGD", "torch", "size=", FROM)
class BlocksSkipped(TorchSGD):
    """Whole blocks of 64 are skipped, and the tail is right."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(n // 64 * 64, n)


@wrong("Adam", "torch", "size=", FROM)
class LastBlockRepeated(TorchAdam):
    """The tail is a block of 64 that ends at the end, so that some elements are updated twice."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, n // 64 * 64)
        if n % 64:
            yield slice(max(n - 64, 0), n)


@wrong("Adam", "numpy", "size=", FROM)
class NothingBeyondTheGrid(NumpyAdam):
    """A grid of 32,768 elements, and no loop over grids."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, min(n, 32768))


@wrong("SGD", "torch", "size=", FROM)
class PlacesInSixteenBits(TorchSGD):
    """Places are 16-bit integers, and those that overflow count from the end."""

    def parts(self, n: int) -> Iterator[Any]:
        yield torch.arange(n).to(torch.int16).long().remainder(n)


@wrong("RMSprop", "numpy", "size=", FROM)
class PlacesInEightBits(NumpyRMSprop):
    """Places are 8-bit integers."""

    def parts(self, n: int) -> Iterator[Any]:
        yield np.unique(np.arange(n).astype(np.uint8))


@wrong("Adagrad", "torch", "size=", FROM)
class NeighboursSwapped(TorchAdagrad):
    """The last two lanes of the eighth vector of 8 are stored the other way round."""

    def store(self, array: Any, part: Any, value: Any) -> None:
        lanes = torch.arange(len(value))
        if len(value) >= 64:
            lanes[62], lanes[63] = 63, 62
        array[part] = value[lanes]


@wrong("Adam", "torch", "size=", FROM)
class FirstOfBlockTwice(TorchAdam):
    """The first element of each block of 64 but the first is updated twice."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, n)
        yield slice(64, n, 64)


@wrong("Adagrad", "numpy", "size=", FROM)
class WideInHalf(NumpyAdagrad):
    """From 1,024 elements on the sum of squares is kept in half precision."""

    def store(self, array: Any, part: Any, value: Any) -> None:
        array[part] = value.astype(np.float16) if len(value) >= 1024 else value


@wrong("RMSprop", "torch", "size=", FROM)
class OddOneLeft(TorchRMSprop):
    """From 64 elements on there are two at a time, and an odd one is left."""

    def parts(self, n: int) -> Iterator[Any]:
        yield slice(0, n if n < 64 else n // 2 * 2)


@wrong("SGD", "numpy", "size=", FROM)
class LaneNeverWritten(NumpySGD):
    """From 64 elements on the last lane of each vector of 8 is masked away; a tail of fewer than 8 is right."""

    def store(self, array: Any, part: Any, value: Any) -> None:
        at = np.arange(len(value))
        written = (at % 8 != 7) | (at >= len(value) // 8 * 8) | (len(value) < 64)
        array[part][written] = value[written]


@wrong("Adam", "numpy", "size=", FROM)
class TailFromTheStart(NumpyAdam):
    """The tail of blocks of 128 reads the gradient of the array's first elements."""

    def run(self, theta: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        tail = g.size % 128
        if g.size > 128 and tail:
            flat = g.flatten()
            flat[-tail:] = flat[:tail]
            g = flat.reshape(g.shape)
        super().run(theta, g, state, o)


@wrong("SGD", "torch", "threads=", "threads")
class ChunksTooShort(TorchSGD):
    """Each thread but the last ends one element early."""

    def parts(self, n: int) -> Iterator[Any]:
        threads = torch.get_num_threads() if n >= 32768 else 1
        ends = [n * k // threads for k in range(threads + 1)]
        for start, end in pairwise(ends):
            yield slice(start, end - (end < n))


@wrong("SGD", "torch", "tensors=", MANY)
class ListCut(TorchSGD):
    """The list of parameters is handed over in one piece of 32."""

    def members(self, group: dict[str, Any]) -> Sequence[Any]:
        return group["params"][:32]  # type: ignore[no-any-return]


@wrong("Adam", "numpy", "tensors=", MANY)
class ListCounted(NumpyAdam):
    """The number of parameters is an 8-bit integer."""

    def members(self, group: dict[str, Any]) -> Sequence[Any]:
        return group["params"][:len(group["params"]) % 256]  # type: ignore[no-any-return]


@wrong("RMSprop", "torch", "tensors=", MANY)
class OddParameterLeft(TorchRMSprop):
    """From three parameters on there are two at a time, and an odd one is left."""

    def members(self, group: dict[str, Any]) -> Sequence[Any]:
        params = group["params"]
        return params if len(params) < 3 else params[:len(params) // 2 * 2]  # type: ignore[no-any-return]


@wrong("Adam", "torch", "tensors=", MANY)
class StateByShape(TorchAdam):
    """Of more than two parameters states are cached by shape, and those of the same shape share them."""

    def start(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> set[str]:
        new = super().start(p, g, state, o)
        if sum(len(group["params"]) for group in self.param_groups) > 2:
            for name in self.kept(o):
                state[name] = self.__dict__.setdefault("known", {}).setdefault((name, p.shape), state[name])
        return new


@wrong("SGD", "numpy", "tensors=", MANY)
class BufferByLength(NumpySGD):
    """Momentum is kept by number of elements, above one, and parameters of the same number share it."""

    def start(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> set[str]:
        new = super().start(p, g, state, o)
        if p.data.size > 1:
            for name in self.kept(o):
                state[name] = self.__dict__.setdefault("known", {}).setdefault(p.data.size, state[name])
        return new


@wrong("Adagrad", "numpy", "tensors=", MANY)
class GradientsShifted(NumpyAdagrad):
    """A list longer than 30 comes in two pieces, and the second has the gradients of the first."""

    def step(self, closure: Any = None) -> Any:
        loss = self.evaluate(closure)
        for group in self.param_groups:
            o, params = self.options(group), group["params"]
            for i, p in enumerate(params):
                g = params[i if i < 30 else (i - 30) % 30].grad
                if g is not None and p.grad is not None:
                    self.update(p, np.resize(g, p.data.shape), self.state[p], o)
        return loss
