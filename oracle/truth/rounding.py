"""What a ball can become where it is rounded to a storage type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..formats import FORMATS, Format
from .arithmetic import Arithmetic
from .single import arb

__all__ = ["Path", "charge_stored_scalar", "enclose_rounded", "following", "round_ball", "round_number"]


class Path:
    """The choices made so far at roundings that two results are possible for: a walk through a binary tree."""

    def __init__(self) -> None:
        self.choices: list[bool] = []
        self.position = 0

    def choose(self) -> bool:
        """The next choice: as planned, or the lower number where the path is new."""
        if self.position == len(self.choices):
            self.choices.append(False)
        self.position += 1
        return self.choices[self.position - 1]

    def advance(self) -> bool:
        """Plan the next path; false where there is none."""
        self.position = 0
        while self.choices and self.choices[-1]:
            self.choices.pop()
        if self.choices:
            self.choices[-1] = True
        return bool(self.choices)


_path: Path | None = None


@contextmanager
def following(path: Path) -> Iterator[None]:
    """Let :func:`round_ball` choose as a path says, for the length of a ``with`` block."""
    global _path
    before, _path = _path, path
    try:
        yield
    finally:
        _path = before


def round_number(x: arb, fmt: Format) -> arb:
    """Round an exact number to the nearest of a format, ties to even; none is too large."""
    man, exp = map(int, x.man_exp())
    drop = max(abs(man).bit_length() - fmt.bits, fmt.low - fmt.bits + 1 - exp)
    if man == 0 or drop <= 0:
        return x
    quotient, rest = divmod(man, 1 << drop)
    half = 1 << (drop - 1)
    quotient += rest > half or (rest == half and quotient % 2)
    return arb(quotient) * arb(2) ** (exp + drop)


def round_ball(x: arb, fmt: Format) -> arb:
    """Round all numbers of a ball, each to the nearest of a format.

    What comes out is one number, or a ball around several. Of two neighbours the path that is followed chooses one.
    """
    if not x.is_finite():
        return x
    low, high = round_number(x.lower(), fmt), round_number(x.upper(), fmt)
    if low == high:
        return low
    between = round_number((low + high) / 2, fmt)
    if _path is None or (between != low and between != high):  # more than two numbers
        return low.union(high)
    return high if _path.choose() else low


def enclose_rounded(x: arb, fmt: Format) -> arb:
    """Widen a ball by half a unit of a format, so that it holds whatever its numbers are rounded to.

    A number of the format stays as it is.
    """
    if not x.is_finite() or (x.is_exact() and round_number(x, fmt) == x):
        return x
    return x * arb(1, 2.0**-fmt.bits) + arb(0, fmt.quantum / 2)


def charge_stored_scalar(x: arb, dtype: str) -> arb:
    """Widen a scalar by what it may cost to put it into an array of a storage type: a unit, as an operation does."""
    fmt, unit = FORMATS[dtype], Arithmetic.of(dtype).unit
    lost = arb(0) if abs(x) > fmt.tiny else arb(0, arb(2) ** (fmt.low - fmt.bits))
    return x * arb(1, unit) + lost
