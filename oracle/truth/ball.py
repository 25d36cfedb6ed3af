"""Arrays of real-number balls: the one file that imports flint.

A :class:`BallArray` is a NumPy array of ``flint.arb`` (a midpoint with a proven error radius) that
answers NumPy's own functions, so that a reference written for floats runs on it unchanged. The
active :class:`Arithmetic` says how many bits each operation keeps, hence how fast the radii grow:
some 200 bits give the truth, the bits of a storage type give the running error of an evaluation in
that type.

>>> import numpy as np
>>> with arithmetic(Arithmetic.of("float32")):
...     x = balls(np.array([1.0, 3.0]))
...     third = x[0] / x[1]
>>> float(centre(third)), bool(radius(third) <= 2.0**-24)
(0.3333333333333333, True)
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import flint
import numpy as np
from flint import arb

from ..formats import FORMATS, Format
from .orders import Products

__all__ = ["Arithmetic", "BallArray", "Double", "Undecided", "arithmetic", "balls", "centre", "flushed_balls",
           "lost_more", "radius", "split"]

Array = np.ndarray[Any, Any]


class Undecided(ArithmeticError):
    """A ball straddles a branch that a whole array depends on."""


@dataclass(frozen=True)
class Arithmetic:
    """How balls are computed with: bits of the midpoints, and what each rounding adds to the radii.

    ``unit`` is the largest relative error that an operation on arrays is charged with, ``scalar_unit``
    one on scalars, ``sum_unit`` one addition within a sum; ``limits`` is the range to keep to, and ``kept``
    a narrower type that what is assigned to an array is rounded to. Products that underflow are charged for
    ``any_order`` of their given factors, or for the order that they are written in.
    """

    bits: int
    unit: float = 0.0
    scalar_unit: float = 0.0
    sum_unit: float = 0.0
    limits: Format | None = None
    kept: Format | None = None
    any_order: bool = True

    @classmethod
    def exact(cls, bits: int) -> Arithmetic:
        """Real arithmetic: high precision, and nothing is charged."""
        return cls(bits)

    @classmethod
    def of(cls, dtype: str, *, limited: bool = True) -> Arithmetic:
        """The running error of arithmetic in a storage type; with its range unless ``limited`` is false.

        Each operation is charged with one unit in the last place, 2^(1-p) at most: twice what correct
        rounding costs, and what the vector functions of sound kernels keep to. Half types are charged
        half of that, 2^-p: their operations are computed in float32 and rounded once. A product that is exact
        by luck (by a beta of 0.5, say) is charged too: another way to write the formula has no such
        luck. A sum of n terms is charged n-1 units of the sum of magnitudes, which holds for any order
        of summation; below the normal numbers a product is charged with what :mod:`oracle.truth.orders` says, which
        holds for any order of its given factors. Scalars are doubles, as in torch, and sums of half types are
        accumulated in float32, as NumPy's float16 and torch's reductions are.
        """
        fmt = FORMATS[dtype]
        single = 2.0**-23
        unit = 2.0 ** (1 - fmt.bits) if fmt.bits >= 24 else 2.0**-fmt.bits + single
        return cls(128, unit, 2.0**-52, min(unit, single), fmt if limited else None)

    @classmethod
    def flushed(cls, dtype: str, *, limited: bool = True) -> Arithmetic:
        """The running error where results below the normal numbers may be taken for 0."""
        return replace(cls.of(dtype), limits=replace(FORMATS[dtype], flushes=True) if limited else None)

    @classmethod
    def opmath(cls, dtype: str, *, limited: bool = True, keeps: bool = False) -> Arithmetic:
        """The running error of a half type's arithmetic in float32, of which the results alone are rounded.

        Args:
            keeps: state is kept in the storage type: what is assigned to an array is rounded to it.
        """
        kept = FORMATS[dtype] if keeps else None
        return replace(cls.of("float32" if FORMATS[dtype].bits < 24 else dtype, limited=limited), kept=kept)


_active = Arithmetic.exact(200)

#: The factors of products, where range is charged for: see :mod:`oracle.truth.orders`.
_products: Products | None = None


@contextmanager
def arithmetic(active: Arithmetic) -> Iterator[None]:
    """Compute with balls in this arithmetic for the length of a ``with`` block."""
    global _active, _products
    before, precision, products = _active, flint.ctx.prec, _products
    _active, flint.ctx.prec = active, active.bits
    ordered = active.any_order and active.unit and active.limits is not None
    _products = Products(active.limits.low) if ordered and active.limits is not None else None
    try:
        yield
    finally:
        _active, flint.ctx.prec, _products = before, precision, products


def lost_more() -> bool:
    """Has some product been charged, in the active arithmetic, for an order other than the one it is written in?"""
    return _products is not None and _products.charged


_TRUE, _FALSE, _NEITHER = arb(1), arb(0), arb("nan")


def _compare(certain: Callable[[Any, Any], bool], opposite: Callable[[Any, Any], bool]) -> Any:
    """A comparison of balls: 1 where it holds, 0 where it cannot, NaN where the balls straddle it."""

    def compare(a: Any, b: Any) -> arb:
        a, b = arb(a), arb(b)
        if a.is_nan() or b.is_nan():
            return _TRUE if certain is _apart else _FALSE
        return _TRUE if certain(a, b) else _FALSE if opposite(a, b) else _NEITHER

    return np.frompyfunc(compare, 2, 1)


def _equal(a: Any, b: Any) -> bool:
    return bool(a == b)


def _apart(a: Any, b: Any) -> bool:
    return not a.overlaps(b)


def _sqrt(x: arb) -> arb:
    """Square root; a ball about zero stands for a number that rounding cannot make negative."""
    return x.nonnegative_part().sqrt() if x.mid() >= 0 else x.sqrt()


def _log(x: arb) -> arb:
    """Logarithm, -inf for an exact zero."""
    return arb("-inf") if x.is_zero() else x.log()


def _log1p(x: arb) -> arb:
    """log(1 + x), -inf for an exact -1."""
    return arb("-inf") if x == -1 else x.log1p()


def _maximum(a: Any, b: Any) -> arb:
    return arb(a).max(b)


def _minimum(a: Any, b: Any) -> arb:
    return arb(a).min(b)


def _power(a: Any, b: Any) -> arb:
    if isinstance(b, float):
        if b == 0.5:
            return _sqrt(arb(a))
        b = int(b) if b.is_integer() else b
    return arb(a) ** b


_ELEMENTWISE: dict[np.ufunc, Any] = {
    np.maximum: np.frompyfunc(_maximum, 2, 1, identity=arb("-inf")),
    np.minimum: np.frompyfunc(_minimum, 2, 1, identity=arb("inf")),
    np.power: np.frompyfunc(_power, 2, 1),
    np.sqrt: np.frompyfunc(_sqrt, 1, 1),
    np.log: np.frompyfunc(_log, 1, 1),
    np.log1p: np.frompyfunc(_log1p, 1, 1),
    np.square: np.frompyfunc(lambda x: x * x, 1, 1),
    np.reciprocal: np.frompyfunc(lambda x: 1 / x, 1, 1),
    np.sign: np.frompyfunc(lambda x: arb(x).sgn(), 1, 1),
    np.greater: _compare(operator.gt, operator.le),
    np.greater_equal: _compare(operator.ge, operator.lt),
    np.less: _compare(operator.lt, operator.ge),
    np.less_equal: _compare(operator.le, operator.gt),
    np.equal: _compare(_equal, _apart),
    np.not_equal: _compare(_apart, _equal),
    np.logical_and: np.frompyfunc(lambda a, b: arb(a) * b, 2, 1),
    np.logical_or: np.frompyfunc(lambda a, b: arb(a).max(b), 2, 1),
    np.logical_not: np.frompyfunc(lambda a: 1 - arb(a), 1, 1),
}
_ELEMENTWISE |= {np.bitwise_and: _ELEMENTWISE[np.logical_and], np.bitwise_or: _ELEMENTWISE[np.logical_or],
                 np.invert: _ELEMENTWISE[np.logical_not], np.fmax: _ELEMENTWISE[np.maximum]}
_NATIVE = {np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.absolute, np.exp,
           np.expm1, np.tanh, np.sin, np.cos, np.tan, np.matmul}
_ROUNDS = _NATIVE - {np.negative, np.positive, np.absolute} | {np.power, np.sqrt, np.log, np.log1p, np.square,
                                                            np.reciprocal}
#: These can lose bits below the smallest normal number. Sums and differences cannot, among numbers of
#: the type: there they are exact. With a scalar, which has more bits than the type, they can.
_MAY_UNDERFLOW = _ROUNDS - {np.add, np.subtract, np.sqrt, np.log, np.cos}

_SIGNS = {np.negative, np.positive, np.absolute}
#: These make products, or keep them but for their sign.
_MULTIPLIES = {np.multiply, np.divide, np.square, np.reciprocal, np.power} | _SIGNS

#: What runs a ufunc on balls, whether its results are charged a unit, and whether they can underflow.
_PLANS = {ufunc: (_ELEMENTWISE.get(ufunc, ufunc), ufunc in _ROUNDS, ufunc in _MAY_UNDERFLOW)
          for ufunc in _NATIVE | _ELEMENTWISE.keys()}


@cache
def _limits(fmt: Format | None) -> tuple[arb, arb, arb]:
    """Smallest normal number, largest number, and half a quantum as a ball; of real numbers 0, infinity and 0."""
    if fmt is None:
        return arb(0), arb("inf"), arb(0)
    return arb(fmt.tiny), arb(fmt.max), arb(0, arb(2) ** fmt.lost)


@cache
def _rounding(unit: float) -> arb:
    return arb(1, unit)


def _settle(elements: Array, rounds: bool, underflows: bool) -> None:
    """Charge each result with what a storage type costs: a unit, half a quantum below its range, all above."""
    tiny, largest, half_quantum = _limits(_active.limits)
    underflows = underflows or (_active.limits is not None and _active.limits.flushes)
    flat = elements.reshape(-1)
    if rounds:
        np.multiply(flat, _rounding(_active.unit), out=flat)
    for i, x in enumerate(flat):
        size = abs(x)
        if tiny < size < largest:
            continue
        if not size < largest:
            if x.is_finite():
                flat[i] = arb(0, "inf")
        elif underflows and not x.is_zero():
            flat[i] = x + half_quantum


def _charge_orders(ufunc: np.ufunc, result: Array, operands: list[Any], products: Products) -> None:
    """Charge each product with what the worst order of its factors loses below the normal numbers."""
    _, _, half_quantum = _limits(_active.limits)
    flat = result.reshape(-1)
    results, columns = flat.tolist(), [_column(x, result.shape) for x in operands]
    first = columns[0]
    if ufunc in _SIGNS:
        products.same(results, first)
        return
    if ufunc in (np.power, np.square):
        further = products.power(results, first, int(operands[1]) if ufunc is np.power else 2)
    else:
        a, b = ([1], first) if ufunc is np.reciprocal else columns
        further = products.multiply(results, a, b, inverse=ufunc is not np.multiply)
    for i, more in enumerate(further):
        if more:
            flat[i] = flat[i] + half_quantum * more
            products.same([flat[i]], [results[i]])


def _column(x: Any, shape: tuple[int, ...]) -> list[Any]:
    """An operand's elements, one for each of the result, or one for all."""
    if not isinstance(x, np.ndarray):
        return [x]
    column: list[Any] = (x if x.shape == shape else np.broadcast_to(x, shape)).reshape(-1).tolist()
    return column


def _whole_power(ufunc: np.ufunc, operands: list[Any]) -> bool:
    """Is it no power, or one that is a product?"""
    return ufunc is not np.power or (isinstance(operands[1], int | float) and operands[1] in (2, 3, 4))


def _note_terms(total: Array, operand: Any, kwargs: dict[str, Any], products: Products) -> None:
    """Tell of each sum what its terms are; they are sorted out when that is asked."""
    kept = operand.copy()  # what is added up may be overwritten before anybody asks
    found: list[Array] = []

    def terms(i: int) -> Any:
        if not found:
            each = np.frompyfunc(lambda x: (x,), 1, 1)(kept.reshape(kept.shape or 1))
            found.append(np.add.reduce(each, **{**kwargs, "keepdims": True}).reshape(-1))
        return found[0][i] or ()  # a sum of nothing is a plain 0

    products.add(total.reshape(-1).tolist(), kept.reshape(-1).tolist(), terms)


def _charge_sum(total: Array, run: Any, operands: list[Any], kwargs: dict[str, Any]) -> Array:
    """A sum of n terms with the error of n-1 additions in any order: n-1 units of the sum of magnitudes.

    A sum of products, which may be rounded before, has one more.
    """
    magnitude = np.asarray(run(*[np.abs(x) for x in operands], **kwargs), dtype=object)
    roundings = operands[0].size // max(total.size, 1) - 1 if len(operands) == 1 else operands[0].shape[-1]
    return np.asarray(total + magnitude * arb(0, max(roundings, 0) * _active.sum_unit), dtype=object, order="C")


def _plain(x: Any) -> Any:
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
        plan = _PLANS.get(ufunc)
        if plan is None:
            raise TypeError(f"numpy.{ufunc.__name__} has no meaning for balls; use a primitive of "
                            "reference.numerics")
        known, rounds, underflows = plan
        summing = ufunc is np.matmul or (ufunc is np.add and method != "__call__")
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
                operands.append(_plain(x))
            else:
                operands.append(_plain(x))
        run = known if method == "__call__" else getattr(known, method)
        if kwargs:
            kwargs = {k: _plain(v) for k, v in kwargs.items() if k != "dtype"}
        result = run(*operands, **kwargs)
        if summing:
            result = _to_arb(result)
        if result.__class__ is not np.ndarray or not result.flags.c_contiguous:
            result = np.asarray(result, dtype=object, order="C")  # as _settle needs it
        if _active.unit and ufunc in _ROUNDS:
            if summing:
                result = _charge_sum(result, run, operands, kwargs)
                rounds = _active.sum_unit != _active.unit
            _settle(result, rounds, underflows)
        if _products is not None:
            if ufunc in _MULTIPLIES and method == "__call__" and _whole_power(ufunc, operands):
                _charge_orders(ufunc, result, operands, _products)
            elif ufunc is np.add and method == "reduce":
                _note_terms(result, operands[0], kwargs, _products)
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
        if isinstance(value, Double) and _active.unit and self.stands_for is not None:
            value = _stored(value.value, self.stands_for.name)
        if (kept := _active.kept) is not None and self.stands_for is not None and FORMATS.get(
                self.stands_for.name) == kept:
            value = np.frompyfunc(partial(_keep, fmt=kept), 1, 1)(np.asarray(_plain(value), dtype=object))
        elif value.__class__ is BallArray:
            super().__setitem__(key, value.view(np.ndarray) if value.ndim else value.view(np.ndarray).item())
            return
        super().__setitem__(key, _to_arb(np.asarray(_plain(value), dtype=object)))

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
        if builtin_any(not x.is_nan() and x != 0 for x in elements):
            return True
        if builtin_any(x.is_nan() or (x.contains(0) and not x.is_zero()) for x in elements):
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
        return _wrap(np.frompyfunc(lambda x: _rounded(x, FORMATS[dtype]), 1, 1)(self.view(np.ndarray)),
                     self.stands_for)

    def outcomes(self, function: Callable[..., Any], dtype: str, *others: Any) -> Any:
        """What ``function(self, *others)``, evaluated in ``dtype``, can give however its roundings fall.

        A ball that holds a midpoint between two numbers of a type may be rounded to either: the function is
        run for both, again and again until every combination was met, and the union of the results is
        returned. That keeps apart what an interval would blur: each result is a possible one. It gives up
        where there are more than :data:`PATHS`: then nothing is known.
        """
        global _path
        active = Arithmetic.of(dtype, limited=_active.limits is not None) if _active.unit else _active
        before, _path, found = _path, _Path(), None
        try:
            with arithmetic(active):
                for _ in range(PATHS):
                    result = function(self, *others)
                    found = result if found is None else _union(found, result)
                    if not _path.advance():
                        return found
        finally:
            _path = before
        return _union(found, found, lambda a, b: arb(0, "inf"))


builtin_any = any
_to_arb = np.frompyfunc(lambda x: x if x.__class__ is arb else arb(x), 1, 1)

#: Combinations of roundings that are followed before giving up.
PATHS = 512


class _Path:
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


_path: _Path | None = None


def _nearest(x: arb, fmt: Format) -> arb:
    """An exact number rounded to nearest, ties to even; without overflow."""
    man, exp = map(int, x.man_exp())
    drop = max(abs(man).bit_length() - fmt.bits, fmt.low - fmt.bits + 1 - exp)
    if man == 0 or drop <= 0:
        return x
    quotient, rest = divmod(man, 1 << drop)
    half = 1 << (drop - 1)
    quotient += rest > half or (rest == half and quotient % 2)
    return arb(quotient) * arb(2) ** (exp + drop)


def _rounded(x: arb, fmt: Format) -> arb:
    if not x.is_finite():
        return x
    low, high = _nearest(x.lower(), fmt), _nearest(x.upper(), fmt)
    if low == high:
        return low
    between = _nearest((low + high) / 2, fmt)
    if _path is None or (between != low and between != high):  # more than two numbers
        return low.union(high)
    return high if _path.choose() else low


def _union(a: Any, b: Any, join: Callable[[Any, Any], Any] = lambda a, b: arb(a).union(b)) -> Any:
    """The union of two results: arrays of balls, or tuples of them."""
    if isinstance(a, tuple):
        return tuple(_union(x, y, join) for x, y in zip(a, b, strict=True))
    return _wrap(np.frompyfunc(join, 2, 1)(_plain(a), _plain(b)), a.stands_for) if isinstance(a, BallArray) else a


def _keep(x: Any, fmt: Format) -> arb:
    """What a number can be once it is rounded to nearest in a storage type."""
    x = arb(x)
    if not x.is_finite() or (x.is_exact() and _nearest(x, fmt) == x):
        return x
    return x * arb(1, 2.0**-fmt.bits) + arb(0, fmt.quantum / 2)


def _stored(x: arb, dtype: str) -> arb:
    """What a scalar can be once it is put into an array of a storage type: it may cost a unit."""
    fmt, unit = FORMATS[dtype], Arithmetic.of(dtype).unit
    lost = arb(0) if abs(x) > fmt.tiny else arb(0, arb(2) ** (fmt.low - fmt.bits))
    return x * arb(1, unit) + lost


def _where(condition: Any, x: Any, y: Any) -> BallArray:
    """``numpy.where``; an undecided condition gives NaN, which makes the element undecided."""

    def choose(c: Any, a: Any, b: Any) -> arb:
        chosen = a if c == 1 else b if c == 0 else "nan"
        return chosen if chosen.__class__ is arb else arb(chosen)  # a product stays known as one

    stands_for = next((a.stands_for for a in (x, y, condition) if isinstance(a, BallArray)), None)
    return _wrap(np.frompyfunc(choose, 3, 1)(*map(_plain, (condition, x, y))), stands_for)


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


def _binary(op: Callable[[Any, Any], Any], *, swapped: bool = False) -> Callable[[Double, Any], Any]:
    return lambda self, other: self._combine(op, other, swapped=swapped)


def _relation(op: Callable[[Any, Any], bool], negated: Callable[[Any, Any], bool]) -> Callable[[Double, Any], Any]:
    return lambda self, other: (NotImplemented if isinstance(other, np.ndarray)
                                else self._holds(op, negated, other))


class Double:
    """A scalar argument as torch has it: a double, kept as a ball and computed with in scalar precision."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value if isinstance(value, arb) else arb(float(value))

    def _combine(self, op: Callable[[Any, Any], Any], other: Any, *, swapped: bool = False) -> Any:
        if isinstance(other, np.ndarray) and (isinstance(other, BallArray) or other.ndim):
            return NotImplemented
        operand = other.value if isinstance(other, Double) else other if isinstance(other, int) else float(other)
        result = op(arb(operand), self.value) if swapped else op(self.value, operand)
        result = Double(result * arb(1, _active.scalar_unit) if _active.scalar_unit else result)
        if _products is not None and result.value.is_finite():
            if op in (operator.mul, operator.truediv):
                a, b = (operand, self.value) if swapped else (self.value, operand)
                _products.scale(result.value, a, b, inverse=op is operator.truediv)
            else:
                _products.give(result.value)
        return result

    __add__ = __radd__ = _binary(operator.add)
    __sub__, __rsub__ = _binary(operator.sub), _binary(operator.sub, swapped=True)
    __mul__ = __rmul__ = _binary(operator.mul)
    __truediv__, __rtruediv__ = _binary(operator.truediv), _binary(operator.truediv, swapped=True)
    __pow__, __rpow__ = _binary(_power), _binary(_power, swapped=True)

    def __neg__(self) -> Double:
        return Double(-self.value)

    def __abs__(self) -> Double:
        return Double(abs(self.value))

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __repr__(self) -> str:
        return repr(float(self))

    def _holds(self, op: Callable[[Any, Any], bool], negated: Callable[[Any, Any], bool], other: Any) -> bool:
        operand = other.value if isinstance(other, Double) else arb(other)
        if op(self.value, operand):
            return True
        if negated(self.value, operand):
            return False
        raise Undecided("a branch depends on a scalar whose ball straddles it")

    __lt__, __ge__ = _relation(operator.lt, operator.ge), _relation(operator.ge, operator.lt)
    __le__, __gt__ = _relation(operator.le, operator.gt), _relation(operator.gt, operator.le)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float | Double) and self._holds(_equal, _apart, other)

    def __hash__(self) -> int:
        return hash(float(self))

    def sqrt(self) -> Double:
        """Square root, as ``numpy.sqrt`` asks an object for it."""
        return self._combine(_power, 0.5)  # type: ignore[no-any-return]  # or NotImplemented


numbers.Real.register(Double)


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
