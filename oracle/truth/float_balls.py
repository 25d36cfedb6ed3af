"""Balls whose midpoints and radii are floats: some thousand times as fast as flint's, in fewer digits.

A :class:`FloatBalls` is an array of complex numbers: the real part is the midpoint of a ball, the imaginary part its
radius. So NumPy moves, cuts and shapes both together, and only arithmetic is written here. To a formula it looks as
:class:`oracle.truth.ball.BallArray` does (its ``dtype`` says object), and it is charged as that is by the active
:class:`.Arithmetic`.

**Why it encloses.** With u the unit of the midpoints' type (2^-53 of float64, 2^-64 of longdouble), each operation
takes the worst of its operands' balls by the derivative's bound over the whole ball, or by monotony, and adds what its
own midpoint may be wrong by: u of the result for the four operations and the root, which are correctly rounded; 8 u
for other functions, which is 4 units in the last place, the most that NumPy tests its own to. A sum of n terms adds
(n-1) u of the sum of magnitudes, whatever the order. Radii are positive, and each is made larger by 2^-48 of itself
and by the smallest double, which is more than the dozen roundings of its own computation can have cost. A radius that
is no number has no end.

What the type charges below its normal numbers is half a quantum for each operation, as for a formula whose factors
stay in the order in which they are written; :mod:`oracle.truth.orders` knows of others. Who needs these has to ask
flint's balls.

>>> from oracle.truth.arithmetic import Arithmetic, arithmetic
>>> with arithmetic(Arithmetic.of("float32", limited=False)):
...     x = float_balls(np.array([1.0, 3.0]))
...     third = x[0] / x[1]
>>> middle, radius = parts(third)
>>> abs(middle.item() - 1 / 3) < 1e-16, 2.0**-25 < radius.item() < 2.0**-24
(True, True)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arithmetic import Undecided, now
from .charges import PLANS
from .scalar import Double
from .single import arb

__all__ = ["FloatBalls", "NoFloatBalls", "float_balls", "long_balls", "parts"]

Array = np.ndarray[Any, Any]
_Ball = tuple[Any, Any]  #: midpoints and radii

#: Units of u that a function which is not correctly rounded may be wrong by: 4 units in the last place.
_FUNCTION = 8.0

#: What each radius is made larger by, for the roundings of its own computation.
_UP, _LEAST = 1 + 2.0**-48, 5e-324

_BALLS = np.dtype(object)  #: the dtype that is shown

#: Ufuncs whose midpoint is correctly rounded; signs and choices have no error at all.
_ROUNDED = {np.add, np.subtract, np.multiply, np.divide, np.sqrt, np.square, np.reciprocal}


class NoFloatBalls(NotImplementedError):
    """A formula uses what these balls do not know; flint's do."""


def _pair(x: Any) -> _Ball:
    """An operand as midpoints and radii."""
    if isinstance(x, FloatBalls):
        numbers = x.view(np.ndarray)
        return numbers.real, numbers.imag
    if isinstance(x, Double | arb):
        ball = x.value if isinstance(x, Double) else x
        middle = float(ball.mid())
        return middle, float(abs(ball - middle).upper()) * _UP if ball.is_finite() else math.inf * (not ball.is_exact())
    if isinstance(x, np.ndarray | np.generic):
        array = np.asarray(x)
        return (array if array.dtype == np.longdouble else array.astype(np.float64)), 0.0
    return float(x), 0.0


def _join(middle: Any, radius: Any) -> FloatBalls:
    kind = np.clongdouble if getattr(middle, "dtype", None) == np.longdouble else np.complex128
    numbers = np.empty(np.broadcast_shapes(np.shape(middle), np.shape(radius)), kind)
    numbers.real, numbers.imag = middle, radius
    return numbers.view(FloatBalls)


class FloatBalls(np.ndarray[Any, Any]):
    """An array of balls with floats for midpoints and radii, which takes part in NumPy expressions."""

    @property
    def dtype(self) -> Any:  # type: ignore[override]
        """Object, as of all balls: formulas ask for it."""
        return _BALLS

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        if method == "__call__":
            rule = _RULES.get(ufunc)
        else:
            rule = _REDUCTIONS.get(ufunc) if method == "reduce" else None
        if rule is None or kwargs.keys() - {"axis", "keepdims", "initial", "dtype", "where"}:
            raise NoFloatBalls(f"numpy.{ufunc.__name__} ({method})")
        kwargs.pop("dtype", None)
        if kwargs.pop("where", True) is not True or (ufunc is np.matmul and method != "__call__"):
            raise NoFloatBalls(f"numpy.{ufunc.__name__} with where")
        balls = [_pair(x) for x in inputs]
        with np.errstate(all="ignore"):
            middle, radius = rule(*balls, **kwargs)
            if method == "__call__" and ufunc is not np.matmul:
                known = _known_infinities(ufunc, middle, balls)
                radius = _own_error(ufunc, np.asarray(middle), radius)
                radius = _charged(ufunc, middle, radius, inputs)
                radius = radius if known is None else np.where(known, 0.0, radius)
            result = _join(middle, radius)
        if out is not None:
            out[0][...] = result
            return out[0]
        return result

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        override = _FUNCTIONS.get(func)
        if override is not None:
            return override(*args, **kwargs)
        result = super().__array_function__(func, types, args, kwargs)
        return result.view(FloatBalls) if type(result) is np.ndarray and result.dtype.kind == "c" else result

    def __getitem__(self, key: Any) -> Any:
        item = super().__getitem__(key)
        return item if isinstance(item, np.ndarray) else np.asarray(item).view(FloatBalls)

    def __setitem__(self, key: Any, value: Any) -> None:
        if now.arithmetic.kept is not None:
            raise NoFloatBalls("state that is kept in the storage type")
        if isinstance(value, Double) and now.arithmetic.unit:
            value = _stored(value)
        elif not isinstance(value, FloatBalls):
            value = _join(*_pair(value))
        super().__setitem__(key, value.view(np.ndarray))

    def __bool__(self) -> bool:
        return bool(self.any())

    def item(self, *args: Any) -> Any:
        """One element, as the scalar that a rule goes on with."""
        middle, radius = _pair(self)
        if middle.dtype == np.longdouble:
            raise NoFloatBalls("a scalar from an array of longdoubles")
        return Double(arb(float(middle.item(*args)), float(radius.item(*args))))

    def any(self, *args: Any, **kwargs: Any) -> bool:  # type: ignore[override]  # one verdict for the whole array
        """True where an element certainly is nonzero; :class:`Undecided` where none is but one may be."""
        middle, radius = _pair(self)
        if np.any(np.abs(middle) > radius):
            return True
        if not np.all((middle == 0) & (radius == 0)):
            raise Undecided("a branch over a whole array depends on a ball that straddles it")
        return False

    def midpoint(self) -> FloatBalls:
        """The balls' centres, as exact numbers: for what cancels in an identity whatever its value is."""
        return _join(_pair(self)[0], 0.0)


# --- what operations do to balls -----------------------------------------------------------------


def _unit(middle: Any) -> float:
    return 2.0**-64 if np.asarray(middle).dtype == np.longdouble else 2.0**-53


def _known_infinities(ufunc: np.ufunc, middle: Any, operands: Sequence[_Ball]) -> Any:
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


def _own_error(ufunc: np.ufunc, middle: Array, radius: Any) -> Any:
    """The radius of a result, with what its midpoint was rounded by."""
    if not PLANS[ufunc][1]:  # a sign, a choice, a comparison: exact
        return radius
    units = 1.0 if ufunc in _ROUNDED else _FUNCTION
    return (radius + np.abs(middle) * (units * _unit(middle))) * _UP + _LEAST * (np.asarray(radius) > 0)


def _charged(ufunc: np.ufunc, middle: Any, radius: Any, inputs: tuple[Any, ...]) -> Any:
    """What the storage type charges for an operation, as :func:`oracle.truth.charges.charge_operation` has it."""
    active = now.arithmetic
    _, rounds, underflows = PLANS[ufunc]
    if not active.unit or not rounds:
        return radius
    underflows = underflows or any(isinstance(x, Double | float) for x in inputs)
    if not (ufunc is np.multiply and any(isinstance(x, int | float) and abs(x) == 1 for x in inputs)):
        radius = (radius + (np.abs(middle) + radius) * active.unit) * _UP
    return _limited(np.abs(middle), radius, underflows)


def _stored(value: Double) -> FloatBalls:
    """A scalar that is put into an array: charged a unit, and half a quantum below the normal numbers."""
    middle, radius = _pair(value)
    active = now.arithmetic
    return _join(middle, _limited(abs(middle), (radius + (abs(middle) + radius) * active.unit) * _UP, True))


def _limited(size: Any, radius: Any, underflows: bool) -> Any:
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


def _add(a: _Ball, b: _Ball) -> _Ball:
    return a[0] + b[0], a[1] + b[1]


def _subtract(a: _Ball, b: _Ball) -> _Ball:
    return a[0] - b[0], a[1] + b[1]


def _multiply(a: _Ball, b: _Ball) -> _Ball:
    # 0 times an infinite radius is no number, and becomes an infinite radius: nothing is known of it
    return a[0] * b[0], np.abs(a[0]) * b[1] + np.abs(b[0]) * a[1] + a[1] * b[1]


def _divide(a: _Ball, b: _Ball) -> _Ball:
    least = np.abs(b[0]) - b[1]  # a difference of near numbers is exact enough: it is made smaller by 2^-50 of |b|
    least = least - np.where(np.asarray(b[1]) > 0, np.abs(b[0]) * 2.0**-50, 0.0)
    radius = (a[1] + np.abs(a[0]) * (b[1] / np.abs(b[0]))) / least
    return a[0] / b[0], np.where(least > 0, radius, np.inf)


def _reciprocal(a: _Ball) -> _Ball:
    return _divide((1.0, 0.0), a)


def _square(a: _Ball) -> _Ball:
    return _multiply(a, a)


def _exp(a: _Ball) -> _Ball:
    middle = np.exp(a[0])
    return middle, middle * np.expm1(a[1]) * (1 + 2.0**-45)


def _expm1(a: _Ball) -> _Ball:
    return np.expm1(a[0]), np.exp(a[0]) * np.expm1(a[1]) * (1 + 2.0**-45)


def _log(a: _Ball) -> _Ball:
    middle = np.log(a[0])
    inside = np.asarray(a[1]) < a[0]
    radius = np.where(inside, -np.log1p(-(np.asarray(a[1]) / a[0]) * (1 + 2.0**-50)) * (1 + 2.0**-45), np.inf)
    return middle, np.where((a[0] == 0) & (np.asarray(a[1]) == 0), 0.0, radius)


def _log1p(a: _Ball) -> _Ball:
    below = 1 + a[0]
    radius = -np.log1p(-(np.asarray(a[1]) / below) * (1 + 2.0**-50)) * (1 + 2.0**-45)
    radius = np.where(np.asarray(a[1]) < below, radius, np.inf)
    return np.log1p(a[0]), np.where((a[0] == -1) & (np.asarray(a[1]) == 0), 0.0, radius)


def _sqrt(a: _Ball) -> _Ball:
    """A ball about zero stands for a number that rounding cannot make negative."""
    root, upper = np.sqrt(a[0]), np.sqrt(np.maximum(a[0] + a[1], 0)) * (1 + 2.0**-50)
    safe = np.asarray(a[1]) < a[0]
    radius = np.where(safe, np.asarray(a[1]) / (root + np.sqrt(np.maximum(a[0] - a[1], 0))), upper / 2)
    about_zero = ~safe & (np.abs(a[0]) <= a[1])
    return np.where(about_zero, upper / 2, root), np.where(safe | about_zero, radius, np.inf)


def _power(a: _Ball, b: _Ball) -> _Ball:
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


def _absolute(a: _Ball) -> _Ball:
    return np.abs(a[0]), a[1]


def _negative(a: _Ball) -> _Ball:
    return -a[0], a[1]


def _maximum(a: _Ball, b: _Ball) -> _Ball:
    """Of two balls that are apart the upper one; else no further off than the wider of the two."""
    above, below = a[0] - a[1] > b[0] + b[1], a[0] + a[1] < b[0] - b[1]
    return np.maximum(a[0], b[0]), np.where(above, a[1], np.where(below, b[1], np.maximum(a[1], b[1])))


def _minimum(a: _Ball, b: _Ball) -> _Ball:
    middle, radius = _maximum(_negative(a), _negative(b))
    return -middle, radius


def _compared(holds: Callable[[Any], Any], fails: Callable[[Any], Any], unequal: bool = False) -> Any:
    """A comparison: 1 where it holds, 0 where it cannot, NaN where the balls straddle it."""

    def compare(a: _Ball, b: _Ball) -> _Ball:
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


def _sign(a: _Ball) -> _Ball:
    known = (np.abs(a[0]) > a[1]) | (np.asarray(a[1]) == 0)
    return np.where(known, np.sign(a[0]), 0.0), np.where(known, 0.0, 1.0)


def _and(a: _Ball, b: _Ball) -> _Ball:
    return a[0] * b[0], 0.0


def _or(a: _Ball, b: _Ball) -> _Ball:
    return np.maximum(a[0], b[0]), 0.0


def _not(a: _Ball) -> _Ball:
    return 1 - a[0], 0.0


_RULES: dict[np.ufunc, Callable[..., _Ball]] = {
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


def _sum(a: _Ball, axis: Any = 0, keepdims: bool = False, initial: Any = 0) -> _Ball:
    """A sum of n terms: n-1 units of the sum of magnitudes, in any order, by its own type and by the storage type."""
    middle, radius = (np.add.reduce(np.asarray(x), axis=axis, keepdims=keepdims)
                      for x in (a[0], np.broadcast_to(a[1], np.shape(a[0]))))
    magnitude = np.add.reduce(np.abs(a[0]), axis=axis, keepdims=keepdims)
    terms = np.size(a[0]) // max(np.size(middle), 1)
    return _summed(middle, radius, magnitude, max(terms - 1, 0), terms)


def _summed(middle: Any, radius: Any, magnitude: Any, charges: int, terms: int) -> _Ball:
    """A sum with what it is charged."""
    active, own = now.arithmetic, 1 + max(terms, 1) * 2.0**-52  # radii and magnitudes are added up too
    exact = np.asarray(radius) == 0  # a sum of numbers is infinite where one of them is
    radius = radius * own
    magnitude = magnitude * own + radius
    radius = (radius + magnitude * (max(terms, 0) * _unit(middle) + charges * active.sum_unit)) * _UP
    if active.unit and active.sum_unit != active.unit:
        radius = (radius + (np.abs(middle) + radius) * active.unit) * _UP
    radius = _limited(np.abs(middle), radius, False) if active.unit else radius
    return middle, np.where(np.isinf(middle) & exact, 0.0, radius)


def _matmul(a: _Ball, b: _Ball) -> _Ball:
    """Sums of products, each of which may be rounded before."""
    (a0, a1), (b0, b1) = ((np.asarray(x[0]), np.broadcast_to(x[1], np.shape(x[0]))) for x in (a, b))
    size_a, size_b = np.abs(a0), np.abs(b0)
    radius = size_a @ b1 + a1 @ size_b + a1 @ b1
    return _summed(a0 @ b0, radius, size_a @ size_b, a0.shape[-1], a0.shape[-1] + 1)


def _largest(a: _Ball, axis: Any = 0, keepdims: bool = False, initial: Any = -np.inf) -> _Ball:
    """The largest of balls: no further off than the widest of those that may be it."""
    numbers, radii = np.asarray(a[0]), np.broadcast_to(a[1], np.shape(a[0]))
    start = _pair(initial)[0]
    middle = np.maximum.reduce(numbers, axis=axis, keepdims=keepdims, initial=start)
    surely = np.maximum.reduce(numbers - radii, axis=axis, keepdims=True, initial=start)
    radius = np.maximum.reduce(np.where(numbers + radii >= surely, radii, 0.0), axis=axis, keepdims=keepdims, initial=0)
    return middle, radius


def _smallest(a: _Ball, axis: Any = 0, keepdims: bool = False, initial: Any = np.inf) -> _Ball:
    middle, radius = _largest(_negative(a), axis, keepdims, -_pair(initial)[0])
    return -middle, radius


_RULES[np.matmul] = _matmul
_REDUCTIONS: dict[np.ufunc, Callable[..., _Ball]] = {np.add: _sum, np.maximum: _largest, np.minimum: _smallest}


# --- what NumPy's functions do -------------------------------------------------------------------


def _where(condition: Any, x: Any, y: Any) -> FloatBalls:
    """``numpy.where``; an undecided condition gives NaN, which makes the element undecided."""
    chosen, (a, ra), (b, rb) = np.asarray(_pair(condition)[0]), _pair(x), _pair(y)
    one, zero = chosen == 1, chosen == 0
    middle = np.where(one, a, np.where(zero, b, np.nan))
    return _join(middle, np.where(one, ra, np.where(zero, rb, np.inf)))


def _full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
               shape: Any = None, **_: Any) -> Any:
    shape = a.shape if shape is None else shape
    if not isinstance(a, FloatBalls):
        return np.full(shape, fill_value, a.dtype if dtype is None else dtype)
    result = np.zeros(shape, a.view(np.ndarray).dtype).view(FloatBalls)
    if fill_value != 0:
        result[...] = fill_value
    return result


def _constant_like(value: int) -> Callable[..., Any]:
    return lambda a, dtype=None, **kwargs: _full_like(a, value, dtype, **kwargs)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where, np.full_like: _full_like, np.zeros_like: _constant_like(0),
    np.ones_like: _constant_like(1), np.empty_like: _constant_like(0),
    np.copy: lambda a, *args, **kwargs: a.copy(),
}


def float_balls(array: Array) -> FloatBalls:
    """Exact balls around the elements of a floating array, with float64 midpoints."""
    return _join(np.asarray(array).astype(np.float64), 0.0)


def long_balls(array: Array) -> FloatBalls:
    """The same with longdouble midpoints, for what is stored in float64."""
    return _join(np.asarray(array).astype(np.float64).astype(np.longdouble), 0.0)


def parts(array: Array) -> tuple[Array, Array]:
    """Midpoints and radii of balls; without end where nothing is known."""
    middle, radius = _pair(array)
    return np.asarray(middle), np.where(np.isnan(radius) | np.isnan(middle), np.inf, radius)
