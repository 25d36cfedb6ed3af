"""Some elements or rows of a large case, of which each can be judged without the others.

**What is taken.** Of n elements (or rows, where a loss is one number a row):

* the edges: the first and last ones, both sides of each power of two from 16 to 65,536 (where vectors, blocks and
  grids end), and both sides of where the last block of 16, 32 and 1,024 begins, which is a kernel's tail;
* one at random in each block of 1,024, and at least 64 altogether;
* the suspects: *every* element is compared with the reference in more digits (float64, or longdouble for float64),
  which proves nothing and takes a fraction of the time, and those are taken that differ most, absolutely and for
  their size.

**What that finds.** A tail that is not updated, a block of 1,024 that is wrong, and a single wrong element or row are
found for certain if they are further from that evaluation than the 256th worst right element, or are no numbers:
which holds whenever they are outside of the bound by more than right elements are inside of it. What differs by less
than the errors of right elements is found with the chance with which it is drawn: a share p of wrong elements goes
unseen by k random ones with a chance of (1-p)^k.

>>> edges(100)
[0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 95, 96, 97, 98, 99]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.blocks import map_blocks

from ..cases.spec import LossSpec
from .given import Given

__all__ = ["Sample", "edges", "places", "sampled", "suspects"]

Array = np.ndarray[Any, Any]

_BLOCK = 1024
_SUSPECTS = 256  #: of each output, by absolute and by relative error
_ELEMENTS = 10**6  #: that rows of a sample may have altogether


@dataclass(frozen=True)
class Sample:
    """A case of some of the elements or rows of another, and where they stand there."""

    case: Given
    outputs: dict[str, Array]
    at: Array  #: their places, in C order of ``shape``
    shape: tuple[int, ...]  #: of all elements, or the number of rows

    def index(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Where an element of the sample stands among all."""
        first = np.unravel_index(int(self.at[index[0]]), self.shape)
        return (*map(int, first), *index[1:])


def edges(n: int) -> list[int]:
    """The first and last of n places, and both sides of where blocks end."""
    found = {0, 1, 2, n - 3, n - 2, n - 1}
    for border in [2**k for k in range(4, 17)] + [n // block * block for block in (16, 32, _BLOCK)]:
        found |= {border - 1, border, border + 1}
    return sorted(place for place in found if 0 <= place < n)


def places(n: int, suspicious: Array, most: int, rng: np.random.Generator) -> Array:
    """Which of n places are taken: edges, suspects, and random ones, up to a number that edges may exceed."""
    certain = np.union1d(edges(n), suspicious)
    count = max(64, math.ceil(n / _BLOCK))
    borders = np.linspace(0, n, count + 1).astype(np.int64)
    drawn = rng.integers(borders[:-1], np.maximum(borders[1:], borders[:-1] + 1))
    left = max(most - certain.size, 64)
    return np.union1d(certain, drawn if drawn.size <= left else rng.choice(drawn, left, replace=False))


def sampled(case: Given, outputs: Mapping[str, Array]) -> Sample | None:
    """Some elements or rows of a case with their outputs; None where one depends on others, or nobody can tell."""
    assert isinstance(case.spec, LossSpec)
    shape = _independent(case, outputs)
    if shape is None:
        return None
    n = math.prod(shape)
    suspicious = suspects(outputs, _in_more_digits(case), shape)
    at = places(n, suspicious, max(64, _ELEMENTS * n // case.size), np.random.default_rng(n))

    def take(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.shape[:len(shape)] == shape:
            return value.reshape(n, *value.shape[len(shape):])[at]
        return value

    inputs = {name: take(value) for name, value in case.inputs.items()}
    return Sample(case.changed(inputs=inputs, grad_output=take(case.grad_output)),
                  {name: take(value) for name, value in outputs.items()}, at, shape)


def _independent(case: Given, outputs: Mapping[str, Array]) -> tuple[int, ...] | None:
    """The shape of elements, or the number of rows, that do not depend on each other; None where there are none."""
    spec = case.spec
    assert isinstance(spec, LossSpec)
    result, first = case.result, case.inputs[next(iter(spec.parameters))]
    arrays = [value for value in case.inputs.values() if isinstance(value, np.ndarray)]
    if not spec.independent or not isinstance(result, np.ndarray) or not result.ndim:
        return None
    if spec.independent == "elements":
        shape = result.shape
        fits = all(a.shape == shape or not a.ndim for a in arrays)
    else:  # an array is one of rows where its first axis is as long, and no other axis is, which could be meant
        shape = result.shape[:1]
        fits = first.ndim > 1 and first.shape[:1] == shape and not any(shape[0] in a.shape[1:] for a in arrays)
    return shape if fits and all(g.shape[:len(shape)] == shape for g in outputs.values()) else None


def _in_more_digits(case: Given) -> dict[str, Array]:
    """The reference's outputs in more digits than the type has."""
    spec, wide = case.spec, np.longdouble if case.dtype == "float64" else np.float64
    assert isinstance(spec, LossSpec)

    def widened(value: Any) -> Any:
        return value.astype(wide) if isinstance(value, np.ndarray) and value.dtype.kind in "fV" else value

    inputs = {name: widened(value) for name, value in case.inputs.items()}
    with np.errstate(all="ignore"):
        slopes = spec.backward(widened(case.grad_output), **inputs)
        return {"output": spec.function(**inputs)} | {
            f"grad.{name}": g for name, g in zip(spec.arrays, slopes, strict=True) if g is not None}


def suspects(outputs: Mapping[str, Array], better: Mapping[str, Array], shape: tuple[int, ...]) -> Array:
    """The places whose elements differ most from a better evaluation, absolutely and for their size."""
    n, found = math.prod(shape), [np.zeros(0, np.int64)]
    for name, value in outputs.items():
        for score in map_blocks(_scores, value.reshape(n, -1), np.asarray(better[name]).reshape(n, -1)):
            few = min(_SUSPECTS, n)
            found.append(np.argpartition(score, n - few)[n - few:])
    return np.unique(np.concatenate(found))


def _scores(value: Array, wanted: Array) -> tuple[Array, Array]:
    """By row the largest error, absolute and relative; infinite where one of the two is no number, and the other is."""
    with np.errstate(all="ignore"):
        value = value.astype(np.float64)
        error = np.abs(value - wanted).astype(np.float64)
        odd = np.isnan(error)
        if odd.any():
            same = (value == wanted) | (np.isnan(value) & np.isnan(wanted))
            error = np.where(odd, np.where(same, 0.0, np.inf), error)
        relative = error / np.maximum(np.abs(wanted), 1e-300)
    return error.max(1, initial=0.0), np.where(np.isnan(relative), 0.0, relative).max(1, initial=0.0)
