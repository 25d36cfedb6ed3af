"""Ways in which a sound implementation may do what a formula says, as functions that stand for NumPy's operations.

Rewritten formulas (:mod:`.rewriting`) call them. What they keep to is the contract of ``docs/sound.md``:

* the factors of a product come in another order (:func:`product`), unless a partial product overflows there;
* the terms of a formula are added in another order (:func:`added`), where the partial sums are no larger;
* terms of an array are summed in another order, or in a wider type (:func:`total`, :func:`matmul`);
* a product and a sum are fused (:func:`fused`);
* a division by one number is a product with its reciprocal (:func:`divided`);
* an operation or a function gives either neighbour of the exact result (:func:`operated`, :func:`called`).

What is not an array of floats is left to Python: scalars are doubles, counts are counts.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference import precision

from ..formats import FORMATS

__all__ = ["DIRECTIONS", "SUMS", "added", "called", "divided", "fused", "inverses", "matmul", "operated", "product",
           "total"]

Array = np.ndarray[Any, Any]

#: A product as it is written: the number of a factor, or what is multiplied or divided.
Shape = Any

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv}

#: Half types are computed in float32 and rounded once.
_WIDER: dict[str, Any] = {"float64": np.longdouble, "float32": np.float64, "float16": np.float32,
                          "bfloat16": np.float32}


def _type(*operands: Any) -> str:
    """The floating type of operands that are arrays or numbers; empty where that is not what they are."""
    arrays = [x for x in operands if isinstance(x, np.ndarray | np.generic)]
    if not all(isinstance(x, np.ndarray | np.generic | int | float) for x in operands):
        return ""
    names = {x.dtype.name for x in arrays if x.dtype.kind in "fV"}
    if len(names) != 1 or any(x.dtype.name not in _WIDER and x.dtype.kind not in "biu" for x in arrays):
        return ""
    (name,) = names
    return name


def _finite(x: Any) -> Any:
    return np.isfinite(np.asarray(x, np.longdouble))


# --- the order of factors and terms ------------------------------------------------------------------

def _written(shape: Shape, operands: Sequence[Any], partial: list[Any] | None = None) -> Any:
    """The operations in the order in which the formula has them."""
    if isinstance(shape, int):
        return operands[shape]
    left, name, right = shape
    result = _OPERATORS[name](_written(left, operands, partial), _written(right, operands, partial))
    if partial is not None:
        partial.append(result)
    return result


def inverses(shape: Shape, inverse: bool = False) -> dict[int, bool]:
    """Of each operand, whether it is a divisor, or is subtracted."""
    if isinstance(shape, int):
        return {shape: inverse}
    left, name, right = shape
    return inverses(left, inverse) | inverses(right, inverse != (name in ("Div", "Sub")))


def _folded(order: Sequence[int], inverses: dict[int, bool], operands: Sequence[Any], plain: str, inverse: str,
            partial: list[Any]) -> Any:
    """One operand after the other."""
    result = operands[order[0]]
    for i in order[1:]:
        result = _OPERATORS[inverse if inverses[i] else plain](result, operands[i])
        partial.append(result)
    return result


def product(shape: Shape, order: Sequence[int], *factors: Any) -> Any:
    """A product of factors in an order; of an element for which that overflows, as it is written.

    >>> x = np.array([3.0, 1e299])
    >>> with np.errstate(over="ignore"):
    ...     product((((0, "Div", 1), "Mult", 2)), (0, 2, 1), x, 7.0, 1e10) / (x / 7.0 * 1e10)
    array([1., 1.])
    """
    as_written = _written(shape, factors)
    if not _type(*factors):
        return as_written
    other = _folded(order, inverses(shape), factors, "Mult", "Div", [])
    other = other if other.dtype == as_written.dtype else other.astype(as_written.dtype)
    return _chosen(_finite(other), other, as_written)


def added(shape: Shape, order: Sequence[int], *terms: Any) -> Any:
    """Some terms in an order; of an element for which the partial sums are larger, as it is written."""
    before: list[Any] = []
    as_written = _written(shape, terms, before)
    if not _type(*terms):
        return as_written
    after: list[Any] = []
    other = _folded(order, inverses(shape), terms, "Add", "Sub", after)
    smaller = _sizes(after) <= _sizes(before)
    return _chosen(smaller & _finite(other), other, as_written)


def _sizes(partial: Sequence[Any]) -> Any:
    return sum(np.abs(np.asarray(x, np.longdouble)) for x in partial)


def _chosen(condition: Any, x: Any, y: Any) -> Any:
    """One of two numbers for each element, in the type and the kind of the second."""
    return np.where(np.broadcast_to(condition, np.shape(y)), x, y).astype(y.dtype)[()]


def divided(a: Any, b: Any) -> Any:
    """a times the reciprocal of b, where b is one number whose reciprocal is a normal one; rounded to a half type once.
    """
    plain, name = a / b, _type(a, b)
    if not name or np.size(b) != 1 or plain.dtype.name != name:
        return plain
    wide = np.float32 if name in ("float16", "bfloat16") else plain.dtype
    with np.errstate(all="ignore"):
        reciprocal = np.float64(1) / b if isinstance(b, int | float) else np.true_divide(1, np.asarray(b).astype(wide))
        if not FORMATS[name].tiny <= abs(float(np.asarray(reciprocal, np.float64).item())) <= FORMATS[name].max:
            return plain
        other = (np.asarray(a).astype(wide) * np.asarray(reciprocal).astype(wide)).astype(plain.dtype)
    return _chosen(_finite(other), other, plain)


# --- fused ------------------------------------------------------------------------------------------

def fused(a: Any, b: Any, c: Any, sign: int = 1) -> Any:
    """a b + c, or with a sign of -1 a b - c, and with one of 0 c - a b, rounded once."""
    plain = c - a * b if sign == 0 else a * b + c if sign > 0 else a * b - c
    name = _type(a, b, c)
    if not name or plain.dtype.name != name:
        return plain
    wide = np.float32 if name in ("float16", "bfloat16") else plain.dtype
    x, y, z = (np.asarray(v).astype(wide) for v in (a, b, c))
    shape = np.shape(plain)
    x, y, z = (np.broadcast_to(v, shape).reshape(-1).copy() for v in (-x if sign == 0 else x, y, -z if sign < 0 else z))
    result = precision.fma(x, y, z).reshape(shape).astype(plain.dtype)
    return _chosen(_finite(plain), result, plain)


# --- within a unit ------------------------------------------------------------------------------------

#: Which of the two neighbours of an exact result is given.
DIRECTIONS = ("up", "down", "in", "out")


def operated(name: str, direction: str, a: Any, b: Any) -> Any:
    """An operation that is rounded in a direction."""
    plain = _OPERATORS[name](a, b)
    kind = _type(a, b)
    if not kind or plain.dtype.name != kind:
        return plain
    return _toward(direction, plain, lambda *x: _OPERATORS[name](*x), [_narrow(x, plain.dtype) for x in (a, b)])


def called(function: Callable[..., Any], direction: str, *arguments: Any) -> Any:
    """A function of NumPy that is rounded in a direction."""
    plain = function(*arguments)
    kind = _type(*arguments)
    if not kind or plain.dtype.name != kind:
        return plain
    return _toward(direction, plain, function, [_narrow(x, plain.dtype) for x in arguments])


def _narrow(x: Any, dtype: Any) -> Any:
    """An operand as NumPy takes it: a scalar becomes a number of the type."""
    return np.asarray(x).astype(dtype)


def _toward(direction: str, plain: Any, function: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """The neighbour of an exact result; below the normal numbers, and of what is no number, what NumPy gives.

    A half type's operation is one of float32, whose result is moved by a unit before it is rounded.
    """
    name = plain.dtype.name
    with np.errstate(all="ignore"):
        exact = function(*[x.astype(_WIDER[name]) for x in operands])
        if name in ("float16", "bfloat16"):
            moved = np.nextafter(exact, _end(direction, exact)).astype(plain.dtype)
            moved = np.where(_small_float32(exact), plain, moved).astype(plain.dtype)
        else:
            near = exact.astype(plain.dtype)
            moved = np.where(_beyond(direction, near, exact), near, np.nextafter(near, _end(direction, near)))
            moved = np.where(exact == near, near, moved).astype(plain.dtype)
    ordinary = _finite(plain) & _finite(moved) & (np.abs(np.asarray(plain, np.longdouble)) > FORMATS[name].tiny)
    return _chosen(ordinary, moved, plain)


def _small_float32(x: Any) -> Any:
    return np.abs(x) <= FORMATS["float32"].tiny


def _end(direction: str, x: Any) -> Any:
    """The number in whose direction the neighbour is."""
    infinity = x.dtype.type(math.inf)
    if direction in ("up", "down"):
        return infinity if direction == "up" else -infinity
    return np.zeros_like(x) if direction == "in" else np.copysign(infinity, x)


def _beyond(direction: str, near: Any, exact: Any) -> Any:
    """Is the nearest number on that side of the exact one?"""
    wide = near.astype(exact.dtype)
    if direction in ("up", "down"):
        return wide >= exact if direction == "up" else wide <= exact
    return np.abs(wide) <= np.abs(exact) if direction == "in" else np.abs(wide) >= np.abs(exact)


# --- sums ---------------------------------------------------------------------------------------------

def _running(x: Array) -> Array:
    return np.asarray(np.add.accumulate(x, axis=-1)[..., -1])


def _pairwise(x: Array) -> Array:
    if x.shape[-1] == 1:
        return np.asarray(x[..., 0])
    half = x.shape[-1] // 2
    return np.asarray(_pairwise(x[..., :half]) + _pairwise(x[..., half:]))


def _blocked(x: Array, lanes: int = 4) -> Array:
    return _running(np.stack([_running(x[..., i::lanes]) for i in range(min(lanes, x.shape[-1]))], -1))


def _wide(x: Array) -> Array:
    return np.asarray(_running(x.astype(_WIDER[x.dtype.name])).astype(x.dtype))


def _largest_first(x: Array) -> Array:
    return _running(np.take_along_axis(x, np.argsort(-np.abs(x), -1, kind="stable"), -1))


#: Manners of adding up the last axis, which has an element at least.
SUMS: dict[str, Callable[[Array], Array]] = {
    "running": _running, "reversed": lambda x: _running(x[..., ::-1]), "pairwise": _pairwise, "blocked": _blocked,
    "wide": _wide, "largest first": _largest_first}

#: Larger sums are left to NumPy, for time.
_TERMS = 1 << 20


def total(function: Callable[..., Any], manner: str, x: Any, *given: Any, **kwargs: Any) -> Any:
    """A sum of an array over some axes in a manner; half types are accumulated in float32.

    >>> total(np.add.reduce, "reversed", np.array([[1.0, 2.0], [3.0, 4.0]]), axis=-1, keepdims=True)
    array([[3.],
           [7.]])
    """
    plain = function(x, *given, **kwargs)
    keywords = dict(zip(("axis",), given, strict=False)) | kwargs
    axis = keywords.get("axis", 0 if function == np.add.reduce else None)
    known = len(given) < 2 and set(keywords) <= {"axis", "keepdims"}
    if not known or not _type(x) or not 1 < np.size(x) <= _TERMS or not np.size(plain):
        return plain
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    axes = sorted({a % x.ndim for a in axes})
    moved = np.moveaxis(np.asarray(x), axes, range(-len(axes), 0))
    terms = moved.reshape(*moved.shape[:moved.ndim - len(axes)], -1) if axes else moved[..., None]
    return _summed(manner, terms, plain)


def matmul(manner: str, a: Any, b: Any) -> Any:
    """A product of matrices or vectors, of which the sums are made in a manner."""
    plain = a @ b
    if not _type(a, b) or np.size(a) * np.size(b) > _TERMS or 0 in (np.size(a), np.size(b)) or a.ndim * b.ndim > 4:
        return plain
    columns = b if b.ndim == 1 else b.T
    products = a * columns if a.ndim == 1 or b.ndim == 1 else a[:, None, :] * columns[None, :, :]
    return _summed(manner, np.asarray(products), plain)


def _summed(manner: str, terms: Array, plain: Any) -> Any:
    """The terms along the last axis added up; as NumPy does where that gives no number."""
    wide = terms.astype(np.float32) if terms.dtype.name in ("float16", "bfloat16") else terms
    with np.errstate(all="ignore"):
        other = SUMS[manner](wide).astype(plain.dtype).reshape(np.shape(plain))
    return _chosen(_finite(plain), other, plain)
