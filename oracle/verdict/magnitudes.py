"""The floating arrays of a case's inputs, and how small and how large their numbers are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reference.optim import SparseGrad

from ..cases.case import Case
from ..cases.spec import Objective, ParamGroup, Trajectory

__all__ = ["extremes", "floats"]


def floats(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """The floating arrays of a case's inputs, an objective's among them."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fV":  # bfloat16 has the kind V
            yield value
    elif isinstance(value, Trajectory):
        yield from floats((value.groups, value.gradients, value.objective))
    elif isinstance(value, ParamGroup):
        yield from floats(value.params)
    elif isinstance(value, SparseGrad):
        yield from floats(value.values)
    elif isinstance(value, Objective):
        yield from floats((value.blocks, value.target, value.answers))
    elif isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from floats(part)


def extremes(case: Case) -> tuple[float, float]:
    """The smallest and the largest finite number above 0 among the inputs' absolute values; 1 without any."""
    inputs = (case.base if case.laid_out else case).inputs
    sizes = np.abs(np.concatenate([np.ravel(a.astype(np.float64)) for a in floats(inputs)] or [np.ones(1)]))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    return (float(sizes.min()), float(sizes.max())) if sizes.size else (1.0, 1.0)
