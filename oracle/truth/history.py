"""What an optimizer has after each step, stacked; and the closures that its steps are given."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..cases.spec import Objective

__all__ = ["EVALUATED", "OVERWRITTEN", "RETURNED", "History", "closures", "entries", "stack_steps"]

Array = np.ndarray[Any, Any]

#: The output that counts elements of memory beside the arrays that were changed.
OVERWRITTEN = "overwritten"

#: The outputs that count, for each step, evaluations of its closure with gradients on, and losses that it gives back.
EVALUATED, RETURNED = "evaluated", "returned"


def closures(objective: Objective | None, params: Sequence[Any],
             gradients: Sequence[Any]) -> tuple[Callable[[], Any], ...]:
    """The arguments of ``step``: a closure that sets the objective's gradients, or nothing without one."""
    if objective is None:
        return ()

    answers = itertools.cycle(objective.answers)

    def closure() -> Any:
        value, slopes = next(answers) if objective.answers else objective([p.data for p in params], gradients)
        for p, slope in zip(params, slopes, strict=True):
            p.grad = slope
        return value

    return (closure,)


def entries(state: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and values of an optimizer's state; the entries of a list have a name each."""
    return [(name if value is part else f"{name}.{j}", part) for name, value in state.items()
            for j, part in enumerate(value if isinstance(value, list) else [value])]


class _Rows:
    """What one name had: an array with a row for each step so far, or counts."""

    def __init__(self, steps: int) -> None:
        self.counts: list[int] = []
        self.noted = 0
        self.array = self.plain = np.empty(steps, np.void)  # the plain one is assigned to as it is
        self.dtype: np.dtype[Any] | None = None
        self.shape: tuple[int, ...] = ()

    def admit(self, name: str, value: Array) -> None:
        """Make room for an array of another type, or for the first."""
        if self.dtype is None:
            self.array = np.empty_like(value, order="C", shape=(*self.array.shape, *value.shape))
            self.shape = value.shape
        elif value.shape != self.shape:
            raise ValueError(f"{name} changes its shape from {self.shape} to {value.shape}")
        elif value.dtype != self.dtype:
            self.array = self.array.astype(np.result_type(self.array, value))
        self.plain, self.dtype = self.array.view(np.ndarray), value.dtype


class History:
    """What an optimizer has after each step: one array a name, steps along the first axis.

    A state that comes late starts where it appears. One that is an integer at first, and an array later, starts
    where it is an array.

    >>> history = History(2)
    >>> for step in (1, 2):
    ...     history.note("param[0]", np.full(2, step / 4))
    >>> history.outputs()
    {'param[0]': array([[0.25, 0.25],
           [0.5 , 0.5 ]])}
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._rows: dict[str, _Rows] = {}  # in the order in which names appear

    def note(self, name: str, value: Array | int) -> None:
        """Take what a name has now; an array is copied.

        Raises:
            ValueError: an array of another shape than before.
        """
        rows = self._rows.get(name)
        if rows is None:
            rows = self._rows[name] = _Rows(self._steps)
        if isinstance(value, int):
            rows.counts.append(value)
            return
        if value.dtype is not rows.dtype or value.shape != rows.shape:
            rows.admit(name, value)
        rows.plain[rows.noted, ...] = value
        rows.noted += 1

    def outputs(self) -> dict[str, Array]:
        """What was noted, by name."""
        return {name: rows.array[:rows.noted] if rows.noted else np.stack(rows.counts)
                for name, rows in self._rows.items()}


def stack_steps(history: Sequence[Mapping[str, Array | int]]) -> dict[str, Array]:
    """The outputs of a :class:`History` of these steps; what goes away is left out, up to where it is there for good.

    >>> stack_steps([{"a": 1, "b": 1}, {"a": 2}, {"a": 3, "b": 3}])
    {'a': array([1, 2, 3]), 'b': array([3])}
    """
    whole = History(len(history))
    for i, now in enumerate(history):
        for name, value in now.items():
            if all(name in later for later in history[i + 1:]):
                whole.note(name, value)
    return whole.outputs()
