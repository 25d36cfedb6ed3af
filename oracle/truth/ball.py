"""Arrays of real-number balls.

A :class:`BallArray` is a NumPy array of ``flint.arb`` (a midpoint with a proven error radius) that
answers NumPy's own functions, so that a reference written for floats runs on it unchanged. The
active :class:`.Arithmetic` says how many bits each operation keeps, hence how fast the radii grow:
some 200 bits give the truth, the bits of a storage type give the running error of an evaluation in
that type.

>>> import numpy as np
>>> from oracle.truth.arithmetic import Arithmetic, arithmetic
>>> with arithmetic(Arithmetic.of("float32")):
...     x = balls(np.array([1.0, 3.0]))
...     third = x[0] / x[1]
>>> float(centre(third)), bool(radius(third) <= 2.0**-24)
(0.3333333333333333, True)
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..formats import FORMATS, Format
from .arithmetic import Arithmetic, Undecided, arithmetic, now
from .charges import PLANS, charge_operation, charge_orders, charge_sum
from .rounding import Path, charge_stored_scalar, enclose_rounded, following, round_ball
from .scalar import Double
from .single import arb, to_arb

__all__ = ["BallArray", "balls", "centre", "flushed_balls", "radius", "split"]

Array = np.ndarray[Any, Any]

#: Combinations of roundings that are followed before giving up.
PATHS = 512


def _unwrap(x: Any) -> Any:
    """The object array (or scalar) behind an operand; NumPy numbers become exact Python ones."""
    if isinstance(x, BallArray):
        return x.view(np.ndarray)
    if isinstance(x, Double):
        return x.value
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x).astype(np.float64).astype(object) if x.dtype.kind in "fV" else x.astype(object)
    return x


def _wrap(elements: Any, stands_for: np.dtype[Any] | None) -> BallArray:
    result = np.asarray(elements, dtype=object).view(BallArray)
    result.stands_for = stands_for
    return result


class BallArray(np.ndarray[Any, Any]):
    """An object array of ``arb`` that takes part in NumPy expressions under the active arithmetic."""

    stands_for: np.dtype[Any] | None = None  #: the storage type whose place the balls take

    def __array_finalize__(self, obj: Any) -> None:
        self.stands_for = getattr(obj, "stands_for", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        plan = PLANS.get(ufunc)
        if plan is None:
            raise TypeError(f"numpy.{ufunc.__name__} has no meaning for balls; use a primitive of "
                            "reference.numerics")
        known, charged, underflows = plan
        rounds = charged
        operands = []
        for x in inputs:
            kind = x.__class__
            if kind is BallArray:
                operands.append(x.view(np.ndarray))
            elif kind is Double:
                underflows = True
                operands.append(x.value)
            elif isinstance(x, int | float):
                underflows = underflows or isinstance(x, float)
                rounds = rounds and not (ufunc is np.multiply and abs(x) == 1)
                operands.append(_unwrap(x))
            else:
                operands.append(_unwrap(x))
        run = known if method == "__call__" else getattr(known, method)
        if kwargs:
            kwargs = {k: _unwrap(v) for k, v in kwargs.items() if k != "dtype"}
        result = run(*operands, **kwargs)
        summing = ufunc is np.matmul or (ufunc is np.add and method != "__call__")
        if summing:
            result = to_arb(result)
        if result.__class__ is not np.ndarray or not result.flags.c_contiguous:
            result = np.asarray(result, dtype=object, order="C")  # it is charged in place
        active, products = now.arithmetic, now.products
        if charged and active.unit:
            if summing:
                result = charge_sum(result, run, operands, kwargs)
                rounds = active.sum_unit != active.unit
            charge_operation(result, rounds, underflows)
        if products is not None:
            charge_orders(ufunc, method, result, operands, kwargs, products)
        if out is not None:
            (target,) = out
            target[...] = result
            return target
        wrapped = result.view(BallArray)
        wrapped.stands_for = self.stands_for
        return wrapped

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        override = _FUNCTIONS.get(func)
        if override is not None:
            return override(*args, **kwargs)
        result = super().__array_function__(func, types, args, kwargs)
        if type(result) is np.ndarray and result.dtype == object:
            return _wrap(result, self.stands_for)
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        active = now.arithmetic
        if isinstance(value, Double) and active.unit and self.stands_for is not None:
            value = charge_stored_scalar(value.value, self.stands_for.name)
        if active.kept is not None and self._has_format(active.kept):
            elements = np.asarray(_unwrap(value), dtype=object)
            fmt = active.kept
            super().__setitem__(key, np.frompyfunc(lambda x: enclose_rounded(arb(x), fmt), 1, 1)(elements))
        elif value.__class__ is BallArray:  # which has nothing but balls
            elements = value.view(np.ndarray)
            super().__setitem__(key, elements if elements.ndim else elements.item())
        else:
            super().__setitem__(key, to_arb(np.asarray(_unwrap(value), dtype=object)))

    def _has_format(self, fmt: Format) -> bool:
        """Do the balls take the place of numbers of this format?"""
        return self.stands_for is not None and FORMATS.get(self.stands_for.name) == fmt

    def __getitem__(self, key: Any) -> Any:
        item = super().__getitem__(key)
        return item if isinstance(item, np.ndarray) else _wrap(item, self.stands_for)

    def __bool__(self) -> bool:
        return bool(self.any())

    def item(self, *args: Any) -> Any:
        """One element, as the scalar that a rule goes on with."""
        return Double(self.view(np.ndarray).item(*args))

    def any(self, *args: Any, **kwargs: Any) -> bool:  # type: ignore[override]  # one verdict for the whole array
        """True where an element certainly is nonzero; :class:`Undecided` where none is but one may be."""
        elements = [arb(x) for x in self.view(np.ndarray).flat]
        if builtins.any(not x.is_nan() and x != 0 for x in elements):
            return True
        if builtins.any(x.is_nan() or (x.contains(0) and not x.is_zero()) for x in elements):
            raise Undecided("a branch over a whole array depends on a ball that straddles it")
        return False

    def midpoint(self) -> BallArray:
        """The balls' centres, as exact numbers: for what cancels in an identity whatever its value is."""
        return _wrap(np.frompyfunc(lambda x: x.mid(), 1, 1)(self.view(np.ndarray)), self.stands_for)

    def pi(self) -> arb:
        """The number pi, enclosed in the active precision."""
        return arb.pi()

    def rounded(self, dtype: str) -> BallArray:
        """Each element rounded to nearest in a storage type, ties to even; see :meth:`outcomes`."""
        fmt = FORMATS[dtype]
        elements = np.frompyfunc(lambda x: round_ball(x, fmt), 1, 1)(self.view(np.ndarray))
        return _wrap(elements, self.stands_for)

    def outcomes(self, function: Callable[..., Any], dtype: str, *others: Any) -> Any:
        """What ``function(self, *others)``, evaluated in ``dtype``, can give however its roundings fall.

        A ball that holds a midpoint between two numbers of a type may be rounded to either: the function is
        run for both, again and again until every combination was met, and the union of the results is
        returned. That keeps apart what an interval would blur: each result is a possible one. It gives up
        where there are more than :data:`PATHS`: then nothing is known.
        """
        active = now.arithmetic
        if active.unit:
            active = Arithmetic.of(dtype, limited=active.limits is not None)
        path, found = Path(), None
        with arithmetic(active), following(path):
            for _ in range(PATHS):
                result = function(self, *others)
                found = result if found is None else _union(found, result)
                if not path.advance():
                    return found
        return _union(found, found, lambda a, b: arb(0, "inf"))


def _union(a: Any, b: Any, join: Callable[[Any, Any], Any] = lambda a, b: arb(a).union(b)) -> Any:
    """The union of two results: arrays of balls, or tuples of them."""
    if isinstance(a, tuple):
        return tuple(_union(x, y, join) for x, y in zip(a, b, strict=True))
    if not isinstance(a, BallArray):
        return a
    return _wrap(np.frompyfunc(join, 2, 1)(_unwrap(a), _unwrap(b)), a.stands_for)


def _where(condition: Any, x: Any, y: Any) -> BallArray:
    """``numpy.where``; an undecided condition gives NaN, which makes the element undecided."""

    def choose(c: Any, a: Any, b: Any) -> arb:
        if c == 1:
            chosen = a
        elif c == 0:
            chosen = b
        else:
            return arb("nan")
        return chosen if chosen.__class__ is arb else arb(chosen)  # a product stays known as one

    stands_for = next((a.stands_for for a in (x, y, condition) if isinstance(a, BallArray)), None)
    return _wrap(np.frompyfunc(choose, 3, 1)(*map(_unwrap, (condition, x, y))), stands_for)


def _full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
               shape: Any = None, **_: Any) -> Any:
    shape = a.shape if shape is None else shape
    if not isinstance(a, BallArray):
        return np.full(shape, fill_value, a.dtype if dtype is None else dtype)
    stands_for = a.stands_for if dtype is None or np.dtype(dtype) == np.dtype(object) else np.dtype(dtype)
    result = _wrap(np.empty(shape, dtype=object), stands_for)
    result[...] = fill_value
    return result


def _constant_like(value: int) -> Callable[..., Any]:
    return lambda a, dtype=None, **kwargs: _full_like(a, value, dtype, **kwargs)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where, np.full_like: _full_like, np.zeros_like: _constant_like(0),
    np.ones_like: _constant_like(1), np.empty_like: _constant_like(0),
    np.copy: lambda a, *args, **kwargs: a.copy(),
}


def _upward(x: arb) -> float:
    """A double not below a radius, which has 30 bits: only below the normal doubles does it not fit."""
    nearest = float(x)
    return nearest if nearest > 1e-300 or x.is_zero() else nearest + 5e-324


def balls(array: Array) -> BallArray:
    """Exact balls around the elements of a floating array, which they then stand for."""
    result = _wrap(np.empty_like(array, dtype=object, subok=False), array.dtype)
    result[...] = array
    return result


def flushed_balls(array: Array) -> BallArray:
    """Balls around the elements of an array, and around 0 too where they are below its type's normal numbers."""
    result = balls(array)
    tiny = FORMATS[array.dtype.name].tiny
    for i, x in enumerate(result.view(np.ndarray).flat):
        if 0 < abs(x) < tiny:
            result.view(np.ndarray).flat[i] = x.union(0)
    return result


def centre(array: BallArray) -> Array:
    """Midpoints as float64."""
    return split(array)[0]


def radius(array: BallArray) -> Array:
    """Radii as float64."""
    return split(array)[2]


def split(array: BallArray) -> tuple[Array, Array, Array]:
    """Midpoints as an unevaluated sum of two float64 arrays, and radii: ``mid = hi + lo`` to 106 bits.

    Not a number at all (NaN, or a ball without end) comes back as hi = NaN or ±inf with an infinite
    radius; an exact infinity as itself.
    """
    n = array.size
    hi, lo, rad = np.empty(n), np.zeros(n), np.empty(n)
    with arithmetic(Arithmetic.exact(1200)):  # so many bits that the difference below is exact
        for i, x in enumerate(array.view(np.ndarray).flat):
            mid = x.mid()
            hi[i] = nearest = float(mid)
            if x.is_finite():
                rad[i] = _upward(x.rad())
                if abs(nearest) != math.inf:
                    lo[i] = float(mid - nearest)
            else:
                rad[i] = 0.0 if x.is_exact() and not x.is_nan() else np.inf
    with np.errstate(invalid="ignore"):
        rounded = hi + lo  # flint truncates
        lo = np.where(np.isfinite(rounded), lo - (rounded - hi), 0.0)
    return rounded.reshape(array.shape), lo.reshape(array.shape), rad.reshape(array.shape)
