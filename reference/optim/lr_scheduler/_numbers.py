"""The numbers that a schedule is computed in: floats, or arrays of balls, for which π and 1/3 are no doubles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["cos_pi", "number"]

#: Doubles whose exact sum is π to 2⁻²⁷⁴; the first is ``math.pi``.
_PI = (3.141592653589793, 1.2246467991473532e-16, -2.9947698097183397e-33, 1.1124542208633653e-49,
       5.672231979640316e-66)


def number(value: Any, like: Any) -> Any:
    """An epoch or a count in the arithmetic of ``like``: as it is beside a float, an array of no axis beside an array.

    So that a quotient of two counts is not rounded to a double where the rest is balls.
    """
    return np.full_like(like, value, shape=()) if isinstance(like, np.ndarray) else value


def cos_pi(t: Any, period: Any, like: Any) -> Any:
    """cos(π t / period), of floats as a float, and in the arithmetic of ``like`` where that is an array.

    >>> cos_pi(1, 3, 0.1), cos_pi(1, 3, np.zeros(2)).item()
    (0.5000000000000001, 0.5000000000000001)
    """
    if not isinstance(like, np.ndarray):
        return math.cos(math.pi * t / period)
    pi = np.full_like(like, _PI[-1], shape=())
    for part in reversed(_PI[:-1]):  # from the smallest, so that the sum is rounded but once
        pi = pi + part
    return np.cos(pi * t / period)
