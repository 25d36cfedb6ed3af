"""The numbers that a schedule is computed in: floats, or arrays of balls, for which π and 1/3 are no doubles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...precision import pi_like

__all__ = ["cos_pi", "number"]


def number(value: Any, like: Any) -> Any:
    """An epoch or a count in the arithmetic of ``like``: as it is beside a float, an array of no axis beside an array.

    So that a quotient of two counts is not rounded to a double where the rest is balls.
    """
    if not isinstance(like, np.ndarray) or isinstance(value, np.ndarray):
        return value
    return np.full_like(like, value, shape=())


def cos_pi(t: Any, period: Any, like: Any) -> Any:
    """cos(π t / period), of floats as a float, and in the arithmetic of ``like`` where that is an array.

    >>> cos_pi(1, 3, 0.1), cos_pi(1, 3, np.zeros(2)).item()
    (0.5000000000000001, 0.5000000000000001)
    """
    if not isinstance(like, np.ndarray):
        return math.cos(math.pi * t / period)
    return np.cos(number(t, like) * pi_like(like) / period)
