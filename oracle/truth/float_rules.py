"""What each operation does to balls of floats, given as midpoints and radii: :mod:`.float_balls` says why they enclose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arithmetic import now
from .charges import PLANS
from .scalar import Double

__all__ = ["REDUCTIONS", "RULES", "UP", "Ball", "NoFloatBalls", "charged", "known_infinities", "limited", "own_error"]

Array = np.ndarray[Any, Any]
Ball = tuple[Any, Any]  #: midpoints and radii

_add_up: Any = np.add.reduce
_highest: Any = np.maximum.reduce

#: Units of u that a function which is not correctly rounded may be wrong by: 4 units in the last place.
_FUNCTION = 8.0

#: What each radius is made larger by, for the roundings of its own computation.
UP, _LEAST = 1 + 2.0**-48, 5e-324

#: Ufuncs whose midpoint is correctly rounded; signs and choices have no error at all.
_ROUNDED = {np.add, np.subtract, np.multiply, np.divide, np.sqrt, np.square, np.reciprocal}


class NoFloatBalls(NotImplementedError):
    """A formula uses what these balls do not know; flint's do."""


def _unit(middle: Any) -> float:
    return 2.0**-64 if np.asarray(middle).dtype == np.longdouble else 2.0**-53


def known_infinities(ufunc: np.ufunc, middle: Any, operands: Sequence[Ball]) -> Any:
    """Where a result is infinite because an operand is, or as the logarithm of 0, and nothing is uncertain.

    What overflows in the midpoints' own type is no such infinity.
    """
    infinite = np.isinf(middle)
    if not np.any(infinite):
        return None
    certain, cause = np.asarray(True), np.asarray(ufunc in (np.log, np.log1p))
    for m, r in operands:
        certain, cause = certain & (np.asarray(r) == 0), cause | np.isinf(m)
    return infinite & certain & cause


def own_error(ufunc: np.ufunc, middle: Array, radius: Any) -> Any:
    """The radius of a result, with what its midpoint was rounded by."""
    if not PLANS[ufunc][1]:  # a sign, a choice, a comparison: exact
        return radius
    units = 1.0 if ufunc in _ROUNDED else _FUNCTION
    return (radius + np.abs(middle) * (units * _unit(middle))) * UP + _LEAST * (np.asarray(radius) > 0)


def charged(ufunc: np.ufunc, middle: Any, radius: Any, inputs: tuple[Any, ...]) -> Any:
    """What the storage type charges for an operation, as :func:`oracle.truth.charges.charge_operation` has it."""
    active = now.arithmetic
    _, rounds, underflows = PLANS[ufunc]
    if not active.unit or not rounds:
        return radius
    underflows = underflows or any(isinstance(x, Double | float) for x in inputs)
    if not (ufunc is np.multiply and any(isinstance(x, int | float) and abs(x) == 1 for x in inputs)):
        radius = (radius + (np.abs(middle) + radius) * active.unit) * UP
    return limited(np.abs(middle), radius, underflows)


def limited(size: Any, radius: Any, underflows: bool) -> Any:
    """A radius with half a quantum more where a result may be below the normal numbers; without end above them."""
    limits = now.arithmetic.limits
    if limits is None:
        return radius
    size, radius = np.asarray(size), np.asarray(radius)
    high = size + radius >= limits.max
    if high.any():
        radius = np.where(high & np.isfinite(radius), np.inf, radius)
    if underflows or limits.flushes:
        low = size - radius <= limits.tiny
        if low.any():
            low &= (size != 0) | (radius != 0)
            radius = np.where(low, radius + 2.0**max(limits.lost, -1074), radius)
    return radius


def _add(a: Ball, b: Ball) -> Ball:
    return a[0] + b[0], a[1] + b[1]


def _subtract(a: Ball, b: Ball) -> Ball:
    return a[0] - b[0], a[1] + b[1]


def _multiply(a: Ball, b: Ball) -> Ball:
    # 0 times an infinite radius is no number, and becomes an infinite radius: nothing is known of it
    return a[0] * b[0], np.abs(a[0]) * b[1] + np.abs(b[0]) * a[1] + a[1] * b[1]


def _divide(a: Ball, b: Ball) -> Ball:
    least = np.abs(b[0]) - b[1]  # a difference of near numbers is exact enough: it is made smaller by 2^-50 of |b|
    least = least - np.where(np.asarray(b[1]) > 0, np.abs(b[0]) * 2.0**-50, 0.0)
    radius = (a[1] + np.abs(a[0]) * (b[1] / np.abs(b[0]))) / least
    return a[0] / b[0], np.where(least > 0, radius, np.inf)


def _reciprocal(a: Ball) -> Ball:
    return _divide((1.0, 0.0), a)


def _square(a: Ball) -> Ball:
    return _multiply(a, a)


def _exp(a: Ball) -> Ball:
    middle = np.exp(a[0])
    return middle, middle * np.expm1(a[1]) * (1 + 2.0**-45)


def _expm1(a: Ball) -> Ball:
    return np.expm1(a[0]), np.exp(a[0]) * np.expm1(a[1]) * (1 + 2.0**-45)


def _log(a: Ball) -> Ball:
    middle = np.log(a[0])
    inside = np.asarray(a[1]) < a[0]
    radius = np.where(inside, -np.log1p(-(np.asarray(a[1]) / a[0]) * (1 + 2.0**-50)) * (1 + 2.0**-45), np.inf)
    return middle, np.where((a[0] == 0) & (np.asarray(a[1]) == 0), 0.0, radius)


def _log1p(a: Ball) -> Ball:
    below = 1 + a[0]
    radius = -np.log1p(-(np.asarray(a[1]) / below) * (1 + 2.0**-50)) * (1 + 2.0**-45)
    radius = np.where(np.asarray(a[1]) < below, radius, np.inf)
    return np.log1p(a[0]), np.where((a[0] == -1) & (np.asarray(a[1]) == 0), 0.0, radius)


def _sqrt(a: Ball) -> Ball:
    """A ball about zero stands for a number that rounding cannot make negative."""
    root, upper = np.sqrt(a[0]), np.sqrt(np.maximum(a[0] + a[1], 0)) * (1 + 2.0**-50)
    safe = np.asarray(a[1]) < a[0]
    radius = np.where(safe, np.asarray(a[1]) / (root + np.sqrt(np.maximum(a[0] - a[1], 0))), upper / 2)
    about_zero = ~safe & (np.abs(a[0]) <= a[1])
    return np.where(about_zero, upper / 2, root), np.where(safe | about_zero, radius, np.inf)


def _power(a: Ball, b: Ball) -> Ball:
    """A power with one exponent, which is known exactly."""
    if np.ndim(b[0]) or np.any(np.asarray(b[1]) != 0):
        raise NoFloatBalls("numpy.power with exponents that are not known exactly")
    exponent = float(b[0])
    if exponent == 0.5:
        return _sqrt(a)
    if exponent in (1.0, 2.0):
        return a if exponent == 1 else _square(a)
    middle = np.power(a[0], exponent)
    inside = np.asarray(a[1]) < np.abs(a[0])
    growth = -np.log1p(-(np.asarray(a[1]) / np.abs(a[0])) * (1 + 2.0**-50)) * abs(exponent)
    radius = np.where(inside, np.abs(middle) * np.expm1(growth) * (1 + 2.0**-44), np.inf)
    return middle, np.where((np.asarray(a[1]) == 0) & (a[0] == 0), 0.0, radius)


def _absolute(a: Ball) -> Ball:
    return np.abs(a[0]), a[1]


def _negative(a: Ball) -> Ball:
    return -a[0], a[1]


def _maximum(a: Ball, b: Ball) -> Ball:
    """Of two balls that are apart the upper one; else no further off than the wider of the two."""
    above, below = a[0] - a[1] > b[0] + b[1], a[0] + a[1] < b[0] - b[1]
    return np.maximum(a[0], b[0]), np.where(above, a[1], np.where(below, b[1], np.maximum(a[1], b[1])))


def _minimum(a: Ball, b: Ball) -> Ball:
    middle, radius = _maximum(_negative(a), _negative(b))
    return -middle, radius


def _compared(holds: Callable[[Any], Any], fails: Callable[[Any], Any], unequal: bool = False) -> Any:
    """A comparison: 1 where it holds, 0 where it cannot, NaN where the balls straddle it."""

    def compare(a: Ball, b: Ball) -> Ball:
        same = np.equal(a[0], b[0])  # infinities have no difference
        apart, reach = np.where(same, 0.0, a[0] - b[0]), a[1] + b[1]
        low, high = apart - reach, apart + reach
        truth = np.where(holds((low, high)), 1.0, np.where(fails((low, high)), 0.0, np.nan))
        unknown = np.isnan(a[0]) | np.isnan(b[0])
        return np.where(unknown, float(unequal), truth), 0.0

    return compare


_ABOVE, _BELOW = (lambda d: d[0] > 0), (lambda d: d[1] < 0)
_NOT_ABOVE, _NOT_BELOW = (lambda d: d[1] <= 0), (lambda d: d[0] >= 0)
_ZERO, _NOT_ZERO = (lambda d: (d[0] == 0) & (d[1] == 0)), (lambda d: (d[0] > 0) | (d[1] < 0))


def _sign(a: Ball) -> Ball:
    known = (np.abs(a[0]) > a[1]) | (np.asarray(a[1]) == 0)
    return np.where(known, np.sign(a[0]), 0.0), np.where(known, 0.0, 1.0)


def _and(a: Ball, b: Ball) -> Ball:
    return a[0] * b[0], 0.0


def _or(a: Ball, b: Ball) -> Ball:
    return np.maximum(a[0], b[0]), 0.0


def _not(a: Ball) -> Ball:
    return 1 - a[0], 0.0


RULES: dict[np.ufunc, Callable[..., Ball]] = {
    np.add: _add, np.subtract: _subtract, np.multiply: _multiply, np.divide: _divide, np.reciprocal: _reciprocal,
    np.square: _square, np.exp: _exp, np.expm1: _expm1, np.log: _log, np.log1p: _log1p, np.sqrt: _sqrt,
    np.power: _power, np.absolute: _absolute, np.negative: _negative, np.positive: lambda a: a,
    np.maximum: _maximum, np.fmax: _maximum, np.minimum: _minimum, np.sign: _sign,
    np.greater: _compared(_ABOVE, _NOT_ABOVE), np.less: _compared(_BELOW, _NOT_BELOW),
    np.greater_equal: _compared(_NOT_BELOW, _BELOW), np.less_equal: _compared(_NOT_ABOVE, _ABOVE),
    np.equal: _compared(_ZERO, _NOT_ZERO), np.not_equal: _compared(_NOT_ZERO, _ZERO, unequal=True),
    np.logical_and: _and, np.bitwise_and: _and, np.logical_or: _or, np.bitwise_or: _or,
    np.logical_not: _not, np.invert: _not,
}


# --- sums and choices over axes ------------------------------------------------------------------


def _sum(a: Ball, axis: Any = 0, keepdims: bool = False, initial: Any = 0) -> Ball:
    """A sum of n terms: n-1 units of the sum of magnitudes, in any order, by its own type and by the storage type."""
    middle, radius = (_add_up(np.asarray(x), axis=axis, keepdims=keepdims)
                      for x in (a[0], np.broadcast_to(a[1], np.shape(a[0]))))
    magnitude = _add_up(np.abs(a[0]), axis=axis, keepdims=keepdims)
    terms = np.size(a[0]) // max(np.size(middle), 1)
    return _summed(middle, radius, magnitude, max(terms - 1, 0), terms)


def _summed(middle: Any, radius: Any, magnitude: Any, charges: int, terms: int) -> Ball:
    """A sum with what it is charged."""
    active, own = now.arithmetic, 1 + max(terms, 1) * 2.0**-52  # radii and magnitudes are added up too
    exact = np.asarray(radius) == 0  # a sum of numbers is infinite where one of them is
    radius = radius * own
    magnitude = magnitude * own + radius
    radius = (radius + magnitude * (max(terms, 0) * _unit(middle) + charges * active.sum_unit)) * UP
    if active.unit and active.sum_unit != active.unit:
        radius = (radius + (np.abs(middle) + radius) * active.unit) * UP
    radius = limited(np.abs(middle), radius, False) if active.unit else radius
    return middle, np.where(np.isinf(middle) & exact, 0.0, radius)


def _matmul(a: Ball, b: Ball) -> Ball:
    """Sums of products, each of which may be rounded before."""
    (a0, a1), (b0, b1) = ((np.asarray(x[0]), np.broadcast_to(x[1], np.shape(x[0]))) for x in (a, b))
    size_a, size_b = np.abs(a0), np.abs(b0)
    radius = size_a @ b1 + a1 @ size_b + a1 @ b1
    return _summed(a0 @ b0, radius, size_a @ size_b, a0.shape[-1], a0.shape[-1] + 1)


def _largest(a: Ball, axis: Any = 0, keepdims: bool = False, initial: Any = -np.inf) -> Ball:
    """The largest of balls: no further off than the widest of those that may be it."""
    numbers, radii = np.asarray(a[0]), np.broadcast_to(a[1], np.shape(a[0]))
    start = float(initial)
    middle = _highest(numbers, axis=axis, keepdims=keepdims, initial=start)
    surely = _highest(numbers - radii, axis=axis, keepdims=True, initial=start)
    radius = _highest(np.where(numbers + radii >= surely, radii, 0.0), axis=axis, keepdims=keepdims, initial=0)
    return middle, radius


def _smallest(a: Ball, axis: Any = 0, keepdims: bool = False, initial: Any = np.inf) -> Ball:
    middle, radius = _largest(_negative(a), axis, keepdims, -float(initial))
    return -middle, radius


RULES[np.matmul] = _matmul
REDUCTIONS: dict[np.ufunc, Callable[..., Ball]] = {np.add: _sum, np.maximum: _largest, np.minimum: _smallest}
