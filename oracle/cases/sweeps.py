"""All numbers of the half types through an elementwise loss, as cases: the worst of them is the worst there is.

Such a case is one of the op's own spec with other axes and another draw, so that it is judged, waived and explained
like any other: ``mse_loss/float16/every=input,with=0,part=3`` is the fourth part of all float16 numbers, in
ascending order, against a target of 0. All NaN count as one number; the gradient from above is 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ..ulp import numpy_dtype
from .spec import Axis, Limits, LossSpec, Options, Spec

__all__ = ["DTYPES", "PART", "numbers", "rows", "sweep"]

Array = np.ndarray[Any, Any]

#: The storage types that have so few numbers that all can be tried.
DTYPES = ("float16", "bfloat16")

#: Numbers in one case.
PART = 4096


@cache
def numbers(dtype: str, low: float, high: float) -> Array:
    """All numbers of a type in an interval, ascending, -0 before 0, and one NaN where the interval is all of them.

    >>> numbers("float16", 0.0, 1.0).size, numbers("bfloat16", -np.inf, np.inf)[[0, -1]].astype(float)
    (15362, array([-inf,  nan]))
    """
    every = np.arange(2**16, dtype=np.uint16).view(numpy_dtype(dtype))
    with np.errstate(invalid="ignore"):
        value = every.astype(np.float64)
    inside, value = (a[(value >= low) & (value <= high)] for a in (every, value))
    ascending = inside[np.lexsort((~np.signbit(value), value))]
    nan = np.full(int(np.isinf(low) and np.isinf(high)), np.nan).astype(ascending.dtype)
    return np.concatenate([ascending, nan])


@cache
def sweep(spec: Spec) -> LossSpec | None:
    """The spec of the sweeps of an elementwise loss; None for all else."""
    if not isinstance(spec, LossSpec) or not spec.elementwise:
        return None
    first = spec.arrays[0]

    def part(options: Options, dtype: str) -> Array:
        begin = options["part"] * PART
        return numbers(dtype, *spec.domain)[begin:begin + PART]

    def draw(options: Options, rng: np.random.Generator, limits: Limits) -> dict[str, Any]:
        x = part(options, limits.dtype)
        further = {name: np.full(x.shape, float(value)) if name in spec.arrays else value
                   for name, value in spec.elementwise[options["with"]].items()}
        return {first: x, **further, "reduction": "none"}

    return replace(
        spec, axes=(Axis("every", ("nothing", first)), Axis("with", tuple(spec.elementwise)),
                    Axis("part", tuple(range(2**16 // PART)))),
        allowed=lambda options, dtype: options["every"] == first and part(options, dtype).size > 0,
        extra=(), dtypes=tuple(d for d in DTYPES if d in spec.dtypes), draw=draw, upstream=(1.0, 1.0),
        kinks=lambda options: False)


def rows(spec: LossSpec, dtype: str) -> Iterator[Options]:
    """The options of all cases of a sweep in one storage type."""
    every, label, part = spec.axes
    for further in label.values:
        for number in part.values:
            options = {every.name: every.values[1], label.name: further, part.name: number}
            if spec.allowed(options, dtype):
                yield options
