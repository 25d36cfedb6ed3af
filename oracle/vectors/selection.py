"""Which cases become vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from reference.optim import SparseGrad

from ..cases.case import Case
from ..cases.selection import cases
from ..cases.spec import InitSpec, Spec, Trajectory

__all__ = ["selection"]

Array = np.ndarray[Any, Any]

#: Cases with inputs of more numbers are long ones: of what only they cover, one storage type is enough.
LONG = 512
#: Those of more numbers still, trajectories of thousands of steps, are exported only when everything is.
LONGEST = 8192

#: The type in which surroundings are exported.
_SURROUNDED = "float32"


def selection(spec: Spec, *, everything: bool = False) -> list[Case]:
    """The cases of an op that are exported: in each type every axis value stands in one of them.

    Values that only long cases have are met in one type, and those that only the longest have in none. Surroundings
    stand in one type: those whose arrays are not too large for a file.
    """
    if everything:
        bare = [case for dtype in spec.dtypes for case in cases(spec, dtype, around=False)]
        return bare + list(_in_surroundings(spec))
    chosen = []
    anywhere: set[tuple[str, Any]] = set()
    for dtype in spec.dtypes:
        here: set[tuple[str, Any]] = set()
        sized = [(_size(case), case) for case in cases(spec, dtype, around=False)]
        for size, case in sorted(sized, key=lambda pair: pair[0] > LONG):
            values = set(case.options.items())
            met = here | anywhere if size > LONG else here
            if size <= LONGEST and not values <= met:
                chosen.append(case)
                here |= values
        anywhere |= here
    return chosen + _few(_in_surroundings(spec))


def _in_surroundings(spec: Spec) -> Iterator[Case]:
    """The cases in surroundings whose arrays are not too large for a file; how many threads there are is none of it."""
    if _SURROUNDED in spec.dtypes:
        for case in cases(spec, _SURROUNDED):
            in_place = isinstance(spec, InitSpec) and case.around.memory  # their axis "layout" says as much
            if case.around and not case.around.threads and not in_place and _size(case) <= LONGEST:
                yield case


def _few(surrounded: Iterable[Case]) -> list[Case]:
    """Of cases in surroundings those in which something is met that none before has."""
    chosen = []
    met: set[tuple[str, str]] = set()
    for case in surrounded:
        layout = case.around.memory.partition(":")[0]
        here = {("size", case.around.size if not layout else ""), ("tensors", case.around.tensors), ("memory", layout),
                ("event", case.around.event)}
        if not here <= met:
            chosen.append(case)
            met |= here
    return chosen


def _size(case: Case) -> int:
    """How many numbers its inputs have."""
    return sum(array.size for array in _arrays(case.inputs))


def _arrays(value: Any) -> Iterator[Array]:
    """All arrays in a case's inputs."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, SparseGrad):
        yield from (value.indices, value.values)
    elif isinstance(value, Mapping | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _arrays(one)
    elif isinstance(value, Trajectory):
        yield from _arrays((tuple(g.params for g in value.groups), value.gradients))
