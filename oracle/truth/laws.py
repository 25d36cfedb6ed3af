r"""The law of one number, on a scale of its own, where nothing overflows, underflows or cancels.

Of a bounded law 0 and 1 stand for the ends of the interval that holds all but a share of exp(-60) of its mass. Far
in a tail that is an interval beside the nearer bound: with the density at z = m + d relative to that at the nearest
point m to the mean,

.. math:: \exp\left(-\frac{z^2 - m^2}{2}\right) = \exp\left(-\left(m d + \frac{d^2}{2}\right)\right),

nothing cancels, whatever m. The distribution function is its trapezoidal sum over equal panels of width h, and a
straight line within each. Either is wrong by at most h²/8 times the variation, or the maximum, of the slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .claims import Claim

__all__ = ["Law", "law_of"]

Array = np.ndarray[Any, Any]

_PANELS = 2**16
_DEPTH = 60.0  #: what is less dense than exp(-60) times the densest is left out
_FAR = 1e100  #: what is further away is as far as that: squares of it are numbers still
_erfc = np.frompyfunc(math.erfc, 1, 1)


@dataclass(frozen=True)
class Law:
    """A distribution on a scale on which ``origin`` is 0 and ``unit`` is 1."""

    origin: float
    unit: float
    below: Callable[[Array], Array]  #: the distribution function
    centre: float  #: mean, variance, fourth central moment
    variance: float
    fourth: float
    reach: float  #: how far from the centre a number may be
    peak: float  #: the largest density
    middle: float  #: the median of the distance from the centre
    error: float = 0.0  #: of the distribution function

    def placed(self, x: Array) -> Array:
        """Numbers on this scale."""
        with np.errstate(over="ignore"):
            return np.clip((x - self.origin) / self.unit, -_FAR, _FAR)


@lru_cache(maxsize=64)
def law_of(claim: Claim) -> Law | float:
    """The law of a claim's numbers; or the only number that it has, as far as doubles can tell."""
    if claim.std == 0:
        return min(max(claim.mean, claim.low), claim.high)
    if claim.low == claim.high:
        return claim.low
    if claim.kind == "normal":
        return Law(claim.mean, claim.std, _normal_below, 0.0, 1.0, 3.0, math.inf, 1 / math.sqrt(2 * math.pi),
                   0.6744897501960817)
    if claim.kind == "uniform":
        return Law(claim.low, claim.high - claim.low, lambda y: np.clip(y, 0.0, 1.0), 0.5, 1 / 12, 1 / 80, 0.5, 1.0,
                   0.25)
    return _truncated(claim)


def _normal_below(z: Array) -> Array:
    return np.asarray(np.asarray(_erfc(-z / math.sqrt(2)), np.float64) / 2)


def _truncated(claim: Claim) -> Law | float:
    """The law of normal numbers within bounds."""
    std = claim.std
    base = min(max(claim.mean, claim.low), claim.high)  # where it is densest
    m = (base - claim.mean) / std
    depth = 2 * _DEPTH / (math.hypot(m, math.sqrt(2 * _DEPTH)) + abs(m))
    first, last = max((claim.low - base) / std, -depth), min((claim.high - base) / std, depth)
    low, high = base + std * first, base + std * last
    return _law_on(low, high - low, m, first, last) if low < high else base


def _law_on(low: float, unit: float, m: float, first: float, last: float) -> Law:
    """The law whose density falls as exp(-(m d + d²/2)) from d = first to d = last, on a scale from 0 to 1."""
    y = np.linspace(0.0, 1.0, _PANELS + 1)
    d = first + (last - first) * y
    density = np.exp(-(m * d + d * d / 2))
    slope = -(m + d) * density * (last - first)  # on the scale of y
    mass = (density[1:] + density[:-1]) / 2
    total = float(mass.sum()) / _PANELS
    below = np.concatenate([[0.0], mass.cumsum()]) / _PANELS / total
    share, middle = mass / mass.sum(), (y[1:] + y[:-1]) / 2
    centre = float((share * middle).sum())
    away = middle - centre
    near = np.sort(np.abs(np.interp((np.arange(2000) + 0.5) / 2000, below, y) - centre))
    error = (float(np.abs(np.diff(slope)).sum()) + float(np.abs(slope).max())) / (8 * _PANELS**2 * total)
    return Law(low, unit, lambda x: np.interp(x, y, below), centre, float((share * away**2).sum()),
               float((share * away**4).sum()), max(centre, 1 - centre), float(density.max()) / total,
               float(np.median(near)), error)
