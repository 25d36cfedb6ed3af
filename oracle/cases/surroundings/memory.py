"""How arrays lie in memory, and that what lies around them stays as it was.

An array is placed in a buffer of its own that is filled with a number which no case draws: whoever reads beside the
array computes with that, and whoever writes there is found out by :meth:`Memory.overwritten`. (NaN would not do: what
is computed from NaN and written back is the same NaN.)

>>> memory = Memory("strided")
>>> x = memory.place(np.arange(3.0), "parameter")
>>> x, x.strides
(array([0., 1., 2.]), (16,))
>>> x[:] = 7
>>> memory.overwritten()
0
>>> np.lib.stride_tricks.as_strided(x, (3,), (8,))[:] = 7
>>> memory.overwritten()
1
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["LAYOUTS", "ROLES", "Layout", "Memory", "Spot"]

Array = np.ndarray[Any, Any]

#: What arrays of a case can be asked for by, beside the names of a loss's arguments.
ROLES = "upstream, parameter or gradient"

#: Elements of the buffer before an array, and behind it: more than a kernel handles at once.
_MARGIN = 64

#: What stands beside an array.
_BESIDE = -7.75


@dataclass(frozen=True)
class Layout:
    """A way in which an array can lie in memory."""

    said: str  #: in a diagnosis: "only where <the gradient> is <said>"
    strides: Callable[[tuple[int, ...]], tuple[int, ...]]  #: in elements, from a shape
    first: int = 0  #: elements by which the array begins later than an aligned place
    least_axes: int = 1
    writable: bool = True  #: can each element have a value of its own?
    pairs: bool = False  #: is the array one of complex numbers, of which the last axis has both parts?


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[i + 1:]) for i in range(len(shape)))


def _transposed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[:i]) for i in range(len(shape)))


def _every_second(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(2 * stride for stride in _contiguous(shape))


def _repeated(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (0, *_contiguous(shape)[1:])


def _channels_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    _, channels, *places = shape
    inner = _contiguous((*places, channels))
    return math.prod((channels, *places)), inner[-1], *inner[:-1]


def _backwards(shape: tuple[int, ...]) -> tuple[int, ...]:
    *outer, last = _contiguous(shape)
    return *outer, -last


LAYOUTS: Mapping[str, Layout] = {
    "contiguous": Layout("contiguous", _contiguous),
    "transposed": Layout("transposed", _transposed, least_axes=2),
    "strided": Layout("every second element of a larger array", _every_second),
    "offset": Layout("a slice that begins off alignment", _contiguous, first=1),
    "broadcast": Layout("broadcast along its first axis", _repeated, writable=False),
    "channels_last": Layout("channels last", _channels_last, least_axes=3),
    "reversed": Layout("reversed along its last axis", _backwards),
    "complex": Layout("complex", _contiguous, pairs=True),
}


@dataclass(frozen=True)
class Spot:
    """Where an array lies: in a buffer of one axis, with strides in elements."""

    buffer: Array
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    first: int  #: place of the array's first element

    @classmethod
    def of(cls, array: Array, layout: Layout) -> Spot:
        """A copy of an array in a buffer of its own, in a layout."""
        strides = layout.strides(array.shape) if array.ndim >= layout.least_axes else _contiguous(array.shape)
        reach = [stride * (n - 1) for stride, n in zip(strides, array.shape, strict=True) if n]
        before, behind = -sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
        # What ignores strides touches as many elements as there are, from the first one on.
        room = max(behind, array.size) + 1 + _MARGIN
        first = _MARGIN + before + layout.first
        buffer = np.full(first + room, _BESIDE if array.dtype.kind in "fVc" else 0).astype(array.dtype)
        spot = cls(buffer, array.shape, strides, first)
        spot.view[...] = array
        return spot

    @property
    def view(self) -> Array:
        """The array itself."""
        size = self.buffer.itemsize
        return np.lib.stride_tricks.as_strided(self.buffer[self.first:], self.shape,
                                               tuple(size * stride for stride in self.strides))

    def holes(self) -> Array:
        """Which elements of the buffer are none of the array's."""
        own = np.ones(self.buffer.shape, bool)
        np.lib.stride_tricks.as_strided(own[self.first:], self.shape, self.strides)[...] = False
        return own


class Memory:
    """The arrays of one run of a case, each in its place.

    Args:
        around: the layout of all arrays, or of one: ``strided``, ``strided:gradient``; nothing for copies as they are.
    """

    def __init__(self, around: str = "") -> None:
        name, _, self._role = around.partition(":")
        self._layout = LAYOUTS[name] if name else None
        self._kept: list[tuple[str, Spot, Array, Array]] = []

    def layout(self, role: str) -> Layout | None:
        """The layout of an array with this part in the case; None where it lies as it is drawn."""
        wanted = self._layout if self._role in ("", role.partition("[")[0]) else None
        return None if wanted is None or (role == "parameter" and not wanted.writable) else wanted

    def is_complex(self, role: str) -> bool:
        """Is an array with this part in the case one of complex numbers?"""
        layout = self.layout(role)
        return layout is not None and layout.pairs

    def spot(self, array: Array, role: str) -> Spot | None:
        """A new place for an array, which is watched from now on; None where it lies as it is drawn."""
        layout = self.layout(role)
        if layout is None or not (layout.writable or _has_equal_lines(array)):
            return None
        spot = Spot.of(array, layout)
        holes = spot.holes()
        self._kept.append((role, spot, holes, spot.buffer[holes].copy()))
        return spot

    def place(self, array: Array, role: str) -> Array:
        """A copy of an array in its place; of balls too."""
        spot = self.spot(array, role)
        return array.copy(order="K") if spot is None else array.__array_wrap__(spot.view)

    def place_all(self, value: Any, role: str) -> Any:
        """An argument with copies of its arrays in their places, also inside tuples."""
        if isinstance(value, tuple):
            return tuple(self.place_all(one, role) for one in value)
        return self.place(value, role) if isinstance(value, np.ndarray) else value

    def overwritten(self) -> int:
        """How many elements beside the arrays are others than before."""
        return sum(_count_changes(spot.buffer[holes], before) for _, spot, holes, before in self._kept)


def _has_equal_lines(array: Array) -> bool:
    """Can one line of an array stand for all of them?"""
    return array.ndim > 0 and len(array) > 0 and array[:1].repeat(len(array), 0).tobytes() == array.tobytes()


def _count_changes(now: Array, before: Array) -> int:
    """In how many elements two arrays differ to the bit."""
    bits = np.dtype((np.void, now.itemsize))
    return int(np.count_nonzero(now.view(bits) != before.view(bits)))
