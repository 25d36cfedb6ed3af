"""Which combinations of axis values have a case: a covering array.

Every feasible combination of ``spec.strength`` axis values stands in at least one row. A row is given by the places of
its values along the axes.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..keeping import store
from ..keeping.sources import source
from . import registry
from .spec import Options, Spec

__all__ = ["COSTLY", "combinations"]

Array = np.ndarray[Any, Any]

#: The type in which costly values stand beside each value of the other axes; in others they do beside defaults.
COSTLY = "float32"

#: Completions of a combination that are compared, and those that are tried before it is called impossible.
_CANDIDATES, _ATTEMPTS = 12, 100

#: A pair of a costly value counts more than all else that a row may cover: few rows are to hold them all.
_WORTH = 10**6


@cache
def combinations(spec_name: str, dtype: str) -> tuple[Options, ...]:
    """The combinations that cases have: those of the covering array, then those that the spec adds."""
    spec = registry.get(spec_name)
    chosen = [_options(spec, row) for row in _kept_rows(spec, dtype)]
    added = [{**spec.defaults, **changes} for changes in spec.extra]
    chosen += [options for options in added if spec.allowed(options, dtype)]
    return tuple({tuple(options.values()): options for options in chosen}.values())  # each once


def _options(spec: Spec, row: Sequence[int]) -> dict[str, Any]:
    return {axis.name: axis.values[place] for axis, place in zip(spec.axes, row, strict=True)}


def _kept_rows(spec: Spec, dtype: str) -> list[list[int]]:
    """The rows that were found earlier, if they still follow from the same source; or new ones, which are kept."""
    kept = store.current()
    if kept is None:
        return _cover(spec, dtype)
    asked = ("rows", source(*registry.followed_by(spec), __name__), store.versions(), spec.name, dtype)
    found = kept.get(*asked)
    if found is not None:
        rows: list[list[int]] = json.loads(found)
        return rows
    rows = _cover(spec, dtype)
    kept.put(json.dumps(rows).encode(), *asked)
    return rows


class _Goals:
    """The combinations that rows are to cover, by number: pairs of axis values, then larger ones up to the strength.

    Combinations with a costly value are no goals, but for pairs with a value that does not show early. Each
    combination is worth something until a row covers it.
    """

    def __init__(self, spec: Spec, dtype: str) -> None:
        self._axes, self._dtype = spec.axes, dtype
        self._costly = [{axis.values.index(value) for value in axis.costly} for axis in spec.axes]
        #: The places of the other values along each axis.
        self.cheap = [[place for place in range(len(axis.values)) if place not in costly]
                      for axis, costly in zip(spec.axes, self._costly, strict=True)]
        strength = min(spec.strength if dtype in spec.thorough else 2, len(spec.axes))
        groups = [group for size in range(min(2, strength), strength + 1)
                  for group in itertools.combinations(range(len(spec.axes)), size)]
        #: A combination's number is the offset of its group of axes, and what its places come to along its strides.
        self._strides = np.zeros((len(spec.axes), len(groups)), np.int64)
        self._offsets = np.zeros(len(groups), np.int64)
        #: By number: axis -> place.
        self.wanted: list[Mapping[int, int]] = []
        for g, group in enumerate(groups):
            lengths = [len(spec.axes[axis].values) for axis in group]
            self._offsets[g] = len(self.wanted)
            for k, axis in enumerate(group):
                self._strides[axis, g] = np.prod(lengths[k + 1:], dtype=np.int64)
            self.wanted += [dict(zip(group, places, strict=True)) for places in itertools.product(*map(range, lengths))]
        self.worth = np.array([self._first_worth(wanted) for wanted in self.wanted])

    def _first_worth(self, wanted: Mapping[int, int]) -> int:
        if not any(place in self._costly[axis] for axis, place in wanted.items()):
            return 1
        places = list(wanted.values())
        one_changed = sum(places) == max(places)  # of two places one is a default's
        late = not any(self._axes[axis].early for axis in wanted)
        return _WORTH if len(places) <= 2 and late and (one_changed or self._dtype == COSTLY) else 0

    def _numbers(self, rows: Sequence[Sequence[int]]) -> Array:
        """The numbers of the combinations in each row."""
        return np.asarray(np.asarray(rows) @ self._strides + self._offsets)

    def cover(self, row: Sequence[int]) -> None:
        """A row is taken: what it covers is worth nothing more."""
        self.worth[self._numbers([row])] = 0

    def best(self, rows: Sequence[list[int]]) -> list[int]:
        """The row that covers most; the first of several."""
        covers = self.worth[self._numbers(rows)].sum(axis=1)
        return rows[int(covers.argmax())]


def _cover(spec: Spec, dtype: str) -> list[list[int]]:
    """A greedy covering array: each row is the best of some completions of a combination not yet covered.

    A costly value is in no row that does not want it; and what holds an impossible pair is impossible.
    """
    chance = random.Random(f"{spec.name}/{dtype}")
    goals = _Goals(spec, dtype)
    rows: list[list[int]] = []

    def take(row: list[int]) -> None:
        rows.append(row)
        goals.cover(row)

    default = [0] * len(spec.axes)
    if spec.allowed(spec.defaults, dtype):
        take(default)
    impossible: set[tuple[tuple[int, int], ...]] = set()
    for number, wanted in enumerate(goals.wanted):
        if not goals.worth[number] or not impossible.isdisjoint(itertools.combinations(wanted.items(), 2)):
            continue
        candidates: list[list[int]] = []
        for attempt in range(_ATTEMPTS):
            if candidates and attempt >= _CANDIDATES:
                break
            filler = default if attempt == 0 else [places[int(chance.random() * len(places))] for places in goals.cheap]
            row = [wanted.get(axis, place) for axis, place in enumerate(filler)]
            if spec.allowed(_options(spec, row), dtype):
                candidates.append(row)
        if candidates:
            take(goals.best(candidates))
        else:
            impossible.add(tuple(wanted.items()))
    return rows
