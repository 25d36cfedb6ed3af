"""The triangle wave of a cyclical learning rate, in cycles of so many iterations up and so many down."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .._checks import check_numbers
from ._numbers import number

__all__ = ["SCALES", "check_shape", "cycle_at", "height_at", "rises_at", "shape", "wave"]

#: What the height is multiplied by, as a function of the cycle, counted from 1, or of the iteration.
SCALES: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "triangular": ("cycle", lambda cycle, gamma: 1.0),
    "triangular2": ("cycle", lambda cycle, gamma: 0.5 ** (cycle - 1)),
    "exp_range": ("iterations", lambda iteration, gamma: gamma**iteration)}


def wave(epoch: int, up: float, down: float | None, mode: str, gamma: Any, like: Any) -> tuple[Any, Any]:
    """The height of the triangle at an iteration, and what it is multiplied by."""
    total, ratio = shape(up, down)
    counts, scale = SCALES[mode]
    height = height_at(epoch, total, number(up, like) / total, like, rises=rises_at(epoch, total, ratio))
    return height, scale(cycle_at(epoch, total) if counts == "cycle" else epoch, gamma)


def shape(up: float, down: float | None) -> tuple[float, float]:
    """Iterations a cycle, and the share of them that rises."""
    total = float(up) + float(up if down is None else down)
    return total, float(up) / total


def cycle_at(epoch: int, total: float) -> int:
    """The cycle that an iteration is in, counted from 1."""
    return math.floor(1 + epoch / total)


def rises_at(epoch: int, total: float, ratio: float) -> bool:
    """Is an iteration in the rising part of its cycle, the top included?"""
    return 1 + epoch / total - cycle_at(epoch, total) <= ratio and ratio > 0


def height_at(epoch: int, total: float, ratio: Any, like: Any, rises: bool) -> Any:
    """The triangle: 0 at both ends of a cycle, and 1 where ``ratio`` of it is over."""
    x = 1 + number(epoch, like) / total - cycle_at(epoch, total)
    return x / ratio if rises else (x - 1) / (ratio - 1)


def check_shape(up: float, down: float | None) -> None:
    """Refuse iterations below 0, and none at all."""
    sizes = {"step_size_up": up, **({} if down is None else {"step_size_down": down})}
    check_numbers(**sizes)
    for name, size in sizes.items():
        if size < 0:
            raise ValueError(f"{name} needs to be at least 0, got {size}")
    if not any(sizes.values()):
        raise ValueError(f"step_size_up and step_size_down need an iteration in all, got {up} and {down}")
