"""On which conditions failures depend: what failing cases have in common and passing ones have not.

Conditions are tried in a limited number of combinations, so that the answer comes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cases.case import Case
from .around import surrounding_conditions
from .magnitudes import extremes

__all__ = ["separate"]

_MOST = 4  #: ways to fail that are worth saying where none says it all
_FEW = 60  #: conditions, of which every three are tried together


@dataclass(frozen=True)
class _Condition:
    """Something that holds for a case or not, and how to say it."""

    said: str
    holds: Callable[[Case], bool]


def separate(failing: Sequence[Case], passing: Sequence[Case]) -> tuple[str, ...]:
    """What failing cases have in common and passing ones have not, in as few conditions as possible.

    The first of these that there is:

    * conditions that tell failing cases from passing ones;
    * conditions that every failing case meets and most others do not, for a mistake may not show everywhere;
    * several conditions that no passing case meets, and which together hold for every failing one.
    """
    if not passing:
        return ("in every case that could tell",)
    rows = {c: (np.array([c.holds(case) for case in failing]), np.array([c.holds(case) for case in passing]))
            for c in _candidate_conditions(failing, passing)}
    pure = []
    for chosen, of_failing in _pure_conjunctions(rows):
        if of_failing.all():
            return ("only " + _join(chosen),)
        pure.append((chosen, of_failing))
    met_by_all = {c: of_passing for c, (of_failing, of_passing) in rows.items() if of_failing.all()}
    common, beside = _halve_passing(met_by_all, len(passing))
    if common and beside <= len(failing):
        where = f", in {len(failing)} of {len(failing) + beside} such cases" if beside else ""
        return (f"only {_join(common)}{where}",)
    return tuple(_say_widest(pure, len(failing)))


def _pure_conjunctions(rows: Mapping[_Condition, tuple[Any, Any]]) -> Iterator[tuple[tuple[_Condition, ...], Any]]:
    """Conjunctions that some failing cases and no passing one meet, the shortest first, with the failing ones."""
    for size in (1, 2, 3) if len(rows) <= _FEW else (1, 2):
        for chosen in itertools.combinations(rows, size):
            of_failing = np.logical_and.reduce([rows[c][0] for c in chosen])
            if of_failing.any() and not np.logical_and.reduce([rows[c][1] for c in chosen]).any():
                yield chosen, of_failing


def _halve_passing(met: Mapping[_Condition, Any], n: int) -> tuple[list[_Condition], int]:
    """Of conditions that every failing case meets, those that each leave at most half of the passing cases.

    Args:
        met: by condition, which of the passing cases meet it.
        n: how many passing cases there are.

    Returns:
        The conditions, and how many passing cases meet them all.

    >>> _halve_passing({"a": [True, False], "b": [False, True]}, 2)
    (['a', 'b'], 0)
    """
    chosen: list[_Condition] = []
    left = np.ones(n, bool)
    while met and left.any():
        best = min(met, key=lambda c: (left & met[c]).sum())
        if 2 * (left & met[best]).sum() > left.sum():
            break
        chosen.append(best)
        left = left & met[best]
    return chosen, int(left.sum())


def _join(conditions: Iterable[_Condition]) -> str:
    return " and ".join(condition.said for condition in conditions)


def _say_widest(pure: Sequence[tuple[tuple[_Condition, ...], Any]], n: int) -> Iterator[str]:
    """A few conjunctions that together hold for most of n failing cases, the widest first; then what is left."""
    left = np.ones(n, bool)
    held = np.array([holds for _, holds in pure], bool).reshape(-1, n)
    size = np.array([len(chosen) for chosen, _ in pure])
    for _ in range(_MOST):
        met = (held & left).sum(axis=1)
        if not left.any() or not met.any():
            break
        best = int(np.lexsort((size, -met))[0])  # the widest, and of these the first of the shortest
        yield f"in {met[best]} of {n} cases, always {_join(pure[best][0])}"
        left &= ~held[best]
    if left.any():
        rest = "in other ways" if (held & left).any() else "that no argument tells from those that pass"
        yield f"in {left.sum()} of {n} cases {rest}"


def _candidate_conditions(failing: Sequence[Case], passing: Sequence[Case]) -> list[_Condition]:
    """Surroundings, values of axes, storage types and magnitudes, which hold for some failing case and not for all."""
    seen = [*failing, *passing]
    found = [_Condition(said, holds) for said, holds in surrounding_conditions(failing, passing)]
    for axis in failing[0].spec.axes:
        name, default = axis.name, axis.values[0]
        for value in dict.fromkeys(case.options[name] for case in failing):
            found.append(_Condition(f"with {name}={value}", _has_value(name, value)))
        found.append(_Condition(f"with {name} other than {default}", _lacks_value(name, default)))
    for dtype in dict.fromkeys(case.dtype for case in failing):
        found.append(_Condition(f"in {dtype}", _is_stored_in(dtype)))
    found.append(_Condition("in half types", lambda case: case.dtype in ("float16", "bfloat16")))
    sizes = {case.id: extremes(case) for case in seen}
    power = math.floor(math.log10(min(sizes[case.id][1] for case in failing)))
    found.append(_Condition(f"above 1e{power}", lambda case: sizes[case.id][1] > 10.0**power))
    floor = math.ceil(math.log10(max(sizes[case.id][0] for case in failing)))
    found.append(_Condition(f"below 1e{floor}", lambda case: sizes[case.id][0] < 10.0**floor))
    distinct: dict[tuple[bool, ...], _Condition] = {}
    for condition in found:  # of those that hold for the same cases the first says it
        distinct.setdefault(tuple(condition.holds(case) for case in seen), condition)
    return [c for row, c in distinct.items() if not all(row)]


def _has_value(axis: str, value: Any) -> Callable[[Case], bool]:
    return lambda case: bool(case.options[axis] == value)


def _lacks_value(axis: str, value: Any) -> Callable[[Case], bool]:
    return lambda case: bool(case.options[axis] != value)


def _is_stored_in(dtype: str) -> Callable[[Case], bool]:
    return lambda case: case.dtype == dtype
