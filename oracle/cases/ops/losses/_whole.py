"""Arguments of which each term of a sum is a small whole number (or a short binary fraction), of any shape.

Then every partial sum is exact in every order, and one element that is dropped or doubled shows in the result: where
the sum is not larger than the type has digits for. Where there are more elements than that, few of them count (those at
the ends and at edges of blocks, and random ones), and the terms of all others are 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference.numerics import Array

from ...spec import Limits, Options
from ._distance import TRIPLET

__all__ = ["alike", "counting", "differences", "far", "rows_and_classes", "signs", "spread", "triplet"]

#: Classes of a row, where the size has none: a mean over so many is exact.
_CLASSES = 4

#: Classes at most of which no probability is 0: of more, the logarithm of their sum would not tell one less.
_LIKELY = 40_000

#: Blocks at whose edges the elements stand that count, where not all do.
_BLOCK = 1024


def counting(shape: Sequence[int], rng: np.random.Generator, limits: Limits, sizes: Sequence[float] = (1,),
             power: int = 1) -> Array:
    """How large each element is whose term is a power of that: one of some sizes, the first of them, or 0.

    Behind an exact sum S of terms the bound is 3.5 S ε at most, where ε is the distance from 1 to the next number. So
    a term more or less shows where S is at most 1/(4 ε) times as large.

    Args:
        shape: of all elements.
        rng: source of the choice.
        limits: figures of the type.
        sizes: positive numbers that increase.
        power: that of the term.

    >>> rng = np.random.default_rng(0)
    >>> set(counting((99,), rng, Limits("float32", 2.0**-23, 2.0**-126, 3e38), (1, 2)).tolist())
    {1.0, 2.0}
    >>> counting((99,), rng, Limits("bfloat16", 2.0**-7, 2.0**-126, 3e38)).sum().item()
    32.0
    """
    terms, n = int(1 / (4 * limits.eps)), math.prod(shape)
    if n * (sizes[-1] / sizes[0])**power <= terms:
        return rng.choice(np.array(sizes, np.float64), tuple(shape))
    counted = np.full(n, float(sizes[0]))
    if n > terms:
        counted[_uncounted(n, terms, rng)] = 0.0
    return counted.reshape(shape)


def _uncounted(n: int, terms: int, rng: np.random.Generator) -> Array:
    """All of n places but a few: the ends, edges of blocks up to half of the few, and random ones."""
    edges = rng.permutation([k for edge in range(_BLOCK, n, _BLOCK) for k in (edge - 1, edge)])
    known = np.unique([0, n - 1, *edges[:terms // 2 - 2]]).astype(np.int64)
    others = rng.permutation(np.setdiff1d(np.arange(n), known))
    return np.asarray(others[terms - len(known):])


def spread(shape: Sequence[int], rng: np.random.Generator, largest: int = 3) -> Array:
    """Whole numbers from -largest to largest."""
    return rng.integers(-largest, largest + 1, tuple(shape)).astype(np.float64)


def signs(shape: Sequence[int], rng: np.random.Generator) -> Array:
    """1 and -1."""
    return rng.choice((-1.0, 1.0), tuple(shape))


def differences(sizes: Sequence[float], power: int = 1) -> Callable[..., dict[str, Any]]:
    """A draw of input and target whose difference is one of some sizes; see :func:`counting`."""

    def draw(options: Options, shape: Sequence[int], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
        target = spread(shape, rng)
        return {"input": target + signs(shape, rng) * counting(shape, rng, limits, sizes, power), "target": target}

    return draw


def far(limits: Limits) -> float:
    """A power of two whose negative has an exponential of 0.

    >>> far(Limits("float32", 2.0**-23, 2.0**-126, 3e38))
    128.0
    """
    return 2.0**math.ceil(math.log2(2 - math.log(limits.tiny * limits.eps)))


def rows_and_classes(size: Sequence[int]) -> tuple[int, int]:
    """The shape of the rows of a size, which may say how many classes they have."""
    rows, classes = (*size, _CLASSES)[:2]
    return rows, classes


def alike(rows: int, classes: int, rng: np.random.Generator, limits: Limits) -> Array:
    """Logits of 0, or of a probability of 0: each row has a loss of the logarithm of a number of classes.

    All logits of the first row are 0, if there are not too many for that; else, and in other rows, about half are.
    """
    likely = rng.random((rows, classes)) < min(0.5, _LIKELY / classes / 2)
    edges = [k for edge in range(_BLOCK, classes, _BLOCK) for k in (edge - 1, edge)]
    likely[:, [0, classes - 1, *edges]] = True
    likely[0] |= classes < _LIKELY
    return np.where(likely, 0.0, -far(limits))


def triplet(options: Options, shape: Sequence[int], rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
    """Points on a line, one a row: the positive is the negative, or is nearer to the anchor where it does not count.

    So each loss is the margin, 1. Distances are so large that torch's ε is lost in them, in float64 also where the
    exact value has 64 bits.
    """
    lost = limits.eps if limits.eps > 2.0**-52 else 2.0**-66
    unit = 2.0**max(math.ceil(math.log2(4e-6 / lost)), 0)
    rows = (*shape, 1)
    anchor, side, away = spread(rows, rng), signs(rows, rng), rng.choice((1.0, 2.0, 3.0), rows)
    further = np.where(counting(rows, rng, limits) > 0, 0.0, 2.0)
    points = anchor, anchor + side * away, anchor + side * (away + further)
    return {name: unit * point for name, point in zip(TRIPLET, points, strict=True)}
