"""A few proven elements laid out over many: the truth of each is looked up, and costs nothing.

Which element stands where is random, so that no block of a kernel is like another; neighbours are never equal, so that
two that are swapped show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..spec import LossSpec, ParamGroup, Trajectory
from .record import Surroundings

__all__ = ["LossLayout", "OptimLayout", "positions", "with_equal_lines"]

Array = np.ndarray[Any, Any]


def positions(count: int, shape: Sequence[int], rng: np.random.Generator, *, repeated: bool = False,
              idle: Array | None = None) -> Array:
    """Which of ``count`` elements stands at each place of a shape: neighbours in memory are different ones.

    Args:
        count: of elements that there are.
        shape: of the places.
        rng: source of the choice.
        repeated: each line along the first axis holds one element alone, as an array that is broadcast does.
        idle: of which elements the result is 0, which shows nothing: they stand alone among others, at neither end.

    >>> at = positions(5, (3, 100), np.random.default_rng(0))
    >>> bool((np.diff(at.reshape(-1)) != 0).all()), np.unique(at).tolist()
    (True, [0, 1, 2, 3, 4])
    """
    if repeated:
        inner = positions(count, shape[1:], rng, idle=idle) if len(shape) > 1 else rng.integers(count, size=())
        return np.broadcast_to(inner, shape).copy()
    n = math.prod(shape)
    if idle is not None and 1 < (others := count - int(np.count_nonzero(idle))) < count:
        at = np.flatnonzero(~idle)[positions(others, (n,), rng)]
        alone = _alone(n, 2 * np.count_nonzero(idle) / count, rng)
        at[alone] = rng.choice(np.flatnonzero(idle), len(alone))
        return np.asarray(at.reshape(shape))
    steps = rng.integers(1, max(count, 2), n)
    return ((rng.integers(count) + np.cumsum(steps)) % count).reshape(shape)


def _alone(n: int, share: float, rng: np.random.Generator) -> Array:
    """Random places of n, of which no two are neighbours, and none is at an end."""
    lots = rng.random(n)
    inner = lots[1:-1]
    return 1 + np.flatnonzero((inner < share) & (inner < lots[:-2]) & (inner < lots[2:]))


@dataclass(frozen=True)
class LossLayout:
    """Where the elements or rows of a loss's arrays stand."""

    at: Array  #: their places in the base
    base: tuple[int, ...]  #: the shape of the base: of all elements, or the number of rows

    @classmethod
    def of(cls, spec: LossSpec, inputs: dict[str, Any], result: Array, around: Surroundings,
           rng: np.random.Generator) -> LossLayout:
        """The layout of a case around arguments and result of its base."""
        first = inputs[spec.arrays[0]].shape
        base: tuple[int, ...] = first if spec.independent == "elements" else first[:1]
        if around.repeated and spec.independent == "elements":
            lines, columns = rng.integers(base[0], size=around.shape), math.prod(base[1:])
            return cls(lines * columns + positions(columns, around.shape[1:], rng), base)
        count = math.prod(base)
        idle = (result.reshape(count, -1) == 0).all(1) if result.shape[:len(base)] == base else None
        return cls(positions(count, around.shape, rng, repeated=around.is_broadcast and not around.repeated, idle=idle),
                   base)

    def take(self, value: Any) -> Any:
        """A base's array laid out; what is no array of elements or rows stays as it is."""
        if not isinstance(value, np.ndarray) or value.shape[:len(self.base)] != self.base:
            return value
        inner = value.shape[len(self.base):]
        return value.reshape(-1, *inner)[self.at]


def with_equal_lines(value: Any) -> Any:
    """An array whose lines along the first axis are all its first."""
    return value[:1].repeat(len(value), 0) if isinstance(value, np.ndarray) and value.ndim else value


@dataclass(frozen=True)
class OptimLayout:
    """Which parameter of the base each parameter is made of, and where its elements stand."""

    sources: tuple[int, ...]  #: by parameter
    at: tuple[Array, ...]  #: by parameter
    counts: tuple[tuple[int, ...], ...]  #: by group, how many parameters each of its base's parameters has become

    @classmethod
    def of(cls, base: Trajectory, around: Surroundings, rng: np.random.Generator) -> OptimLayout:
        """The layout of a case around the trajectory of its base."""
        shapes = [p.shape for group in base.groups for p in group.params]
        wanted = int(around.tensors) if around.tensors else len(shapes)
        copies = [(wanted + len(shapes) - 1 - i) // len(shapes) for i in range(len(shapes))]
        sources, at = [], []
        for i, n in enumerate(copies):
            for k in range(n):
                shape = _shape_of_copy(around.shape or shapes[i], i + k, around.is_complex)
                sources.append(i)
                at.append(positions(math.prod(shapes[i]), shape, rng, repeated=around.is_broadcast))
        left = iter(copies)
        counts = tuple(tuple(next(left) for _ in group.params) for group in base.groups)
        return cls(tuple(sources), tuple(at), counts)

    def take(self, i: int, array: Array, axes: int = 0) -> Array:
        """The array of a base's parameter, laid out for parameter i; the first axes stay."""
        return array.reshape(*array.shape[:axes], -1)[..., self.at[i]]

    def trajectory(self, base: Trajectory) -> Trajectory:
        """The trajectory of all parameters."""
        own = [p for group in base.groups for p in group.params]
        params = iter([self.take(i, own[source]) for i, source in enumerate(self.sources)])
        groups = tuple(ParamGroup(tuple(next(params) for _ in range(sum(counts))), group.options)
                       for group, counts in zip(base.groups, self.counts, strict=True))
        return replace(base, groups=groups, gradients=_once(base.gradients, self._gradients))

    def _gradients(self, now: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(None if now[source] is None else self.take(i, now[source])
                     for i, source in enumerate(self.sources))


def _once(steps: Sequence[Any], convert: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Each step converted; one that comes again stays the same object."""
    made: dict[int, Any] = {}
    for step in steps:
        if id(step) not in made:
            made[id(step)] = convert(step)
    return tuple(made[id(step)] for step in steps)


def _shape_of_copy(shape: tuple[int, ...], k: int, pairs: bool) -> tuple[int, ...]:
    """The shape of the k-th parameter: the first has the whole size, others some elements less, some the same."""
    if pairs:
        return *_shape_of_copy(shape[:-1], k, pairs=False), shape[-1]
    less = (k + 1) // 2 % 4
    return (*shape[:-1], max(shape[-1] - less, 1)) if shape else shape
