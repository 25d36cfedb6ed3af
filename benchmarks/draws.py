"""What is timed of the generator itself: each kind of draw, by the reference and by torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from reference import random

from .workloads import Run, Workload

__all__ = ["SLOWER", "draws"]

#: Method -> type of the array, other arguments. ``randint`` and ``randperm`` make their own.
_METHODS: Mapping[str, tuple[str, tuple[Any, ...]]] = {
    "random_": ("int64", (1000,)), "uniform_": ("float32", ()), "normal_": ("float32", ()),
    "bernoulli_": ("float32", (0.3,)), "exponential_": ("float32", ())}

#: Why a draw takes longer than torch's, where it does.
SLOWER: Mapping[str, str] = {
    "uniform_": "NumPy gives the words one call for each two (1.7 ns a word), and six passes make numbers of them; "
                "torch does both in one loop (2.6 ns a number). Below some 10,000 numbers the calls are what counts.",
    "normal_": "torch's own float32 logarithm, sine and cosine are followed to the last bit. NumPy has no fused "
               "multiply-add, so that each of 16 takes four passes (product and sum in float64, to float32, and "
               "back), which is most of the 9 ns a number that Box and Muller take beside the words' 2.",
    "random_": "the remainder is three passes over the words",
    "randint": "the remainder is three passes over the words",
    "randperm": "torch exchanges element by element; of fewer than 512 so does Python, at 0.1 µs each; for more NumPy "
                "has to sort to find out who changes places with whom",
}


def _fill(side: str, method: str, n: int) -> Run:
    dtype, arguments = _METHODS[method]
    if side == "reference":
        draw, array = getattr(random.Generator().manual_seed(n), method), np.zeros(n, dtype)
        return lambda: draw(array, *arguments)
    fill, generator = getattr(torch.zeros(n, dtype=getattr(torch, dtype)), method), torch.Generator().manual_seed(n)
    return lambda: fill(*arguments, generator=generator)


def _make(side: str, method: str, n: int) -> Run:
    arguments: tuple[Any, ...] = (n,) if method == "randperm" else (0, 10, (n,))
    if side == "reference":
        draw = getattr(random.Generator().manual_seed(n), method)
        return lambda: draw(*arguments)
    make, generator = getattr(torch, method), torch.Generator().manual_seed(n)
    return lambda: make(*arguments, generator=generator)


def draws() -> list[Workload]:
    """Each draw by the reference, then by torch."""
    ways: dict[str, Callable[[str, str, int], Run]] = dict.fromkeys(_METHODS, _fill)
    ways |= dict.fromkeys(("randint", "randperm"), _make)

    def prepare(way: Callable[[str, str, int], Run], side: str, method: str) -> Callable[[int], Run]:
        return lambda n: way(side, method, n)

    return [Workload(method, "draw", "draw", target, prepare(way, target.partition(":")[0], method))
            for method, way in ways.items() for target in ("reference", "torch:eager")]
