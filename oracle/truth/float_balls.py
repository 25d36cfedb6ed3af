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
from collections.abc import Callable
from typing import Any

import numpy as np

from .arithmetic import Undecided, now
from .float_rules import (
    REDUCTIONS,
    RULES,
    UP,
    Ball,
    NoFloatBalls,
    charged,
    known_infinities,
    limited,
    own_error,
)
from .scalar import Double
from .single import arb

__all__ = ["FloatBalls", "float_balls", "long_balls", "parts"]

Array = np.ndarray[Any, Any]

_BALLS = np.dtype(object)  #: the dtype that is shown


def _pair(x: Any) -> Ball:
    """An operand as midpoints and radii."""
    if isinstance(x, FloatBalls):
        numbers = x.view(np.ndarray)
        return numbers.real, numbers.imag
    if isinstance(x, Double | arb):
        ball = x.value if isinstance(x, Double) else x
        middle = float(ball.mid())
        return middle, float(abs(ball - middle).upper()) * UP if ball.is_finite() else math.inf * (not ball.is_exact())
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

    stands_for = None  #: by which scalars know that an array without axes is one of balls

    @property
    def dtype(self) -> Any:
        """Object, as of all balls: formulas ask for it."""
        return _BALLS

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        rule = {"__call__": RULES, "reduce": REDUCTIONS}.get(method, {}).get(ufunc)
        if rule is None or kwargs.keys() - {"axis", "keepdims", "initial", "dtype", "where"}:
            raise NoFloatBalls(f"numpy.{ufunc.__name__} ({method})")
        kwargs.pop("dtype", None)
        if kwargs.pop("where", True) is not True or (ufunc is np.matmul and method != "__call__"):
            raise NoFloatBalls(f"numpy.{ufunc.__name__} with where")
        balls = [_pair(x) for x in inputs]
        with np.errstate(all="ignore"):
            middle, radius = rule(*balls, **kwargs)
            if method == "__call__" and ufunc is not np.matmul:
                known = known_infinities(ufunc, middle, balls)
                radius = own_error(ufunc, np.asarray(middle), radius)
                radius = charged(ufunc, middle, radius, inputs)
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


def _stored(value: Double) -> FloatBalls:
    """A scalar that is put into an array: charged a unit, and half a quantum below the normal numbers."""
    middle, radius = _pair(value)
    active = now.arithmetic
    return _join(middle, limited(abs(middle), (radius + (abs(middle) + radius) * active.unit) * UP, True))


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
