"""How far chance may take a statistic: tail bounds that are proven for every sample size."""

from __future__ import annotations

import math

__all__ = ["ALARM", "STATISTICS", "bernstein", "counted", "dkw", "exponent", "hoeffding"]

#: The chance that one call accuses a right initializer.
ALARM = 5e-10

#: More than any kind of claim asks for, so that each statistic has at least ALARM / STATISTICS.
STATISTICS = 24


def exponent(sides: int = 2) -> float:
    """ln(sides / share of the alarm): the exponent that a tail bound has to reach.

    >>> round(exponent(), 2)
    25.29
    """
    return math.log(sides * STATISTICS / ALARM)


def hoeffding(n: int, width: float, sides: int = 2) -> float:
    """How far the mean of n independent numbers, each within an interval of this width, may be from its expectation."""
    return width * math.sqrt(exponent(sides) / (2 * n))


def bernstein(n: int, variance: float, largest: float) -> float:
    """The same where their variance is at most this, and none is further than ``largest`` from the expectation."""
    return math.sqrt(2 * variance * exponent() / n) + 2 * largest * exponent() / (3 * n)


def dkw(n: int) -> float:
    """The distance between the distribution function of n independent numbers and that of their law."""
    return math.sqrt(exponent() / (2 * n))


def counted(expected: float) -> int:
    """How many of many rare events may happen, where so many are expected: P(k or more) is at most E^k / k!.

    >>> counted(0.0), counted(0.01), counted(1.0)
    (0, 4, 13)
    """
    k, chance = 0, 1.0
    while chance > math.exp(-exponent(1)):
        k += 1
        chance *= expected / k
    return max(k - 1, 0)
