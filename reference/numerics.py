"""The primitives that formulas share, written once for floats, half types, longdouble and ball arrays.

Ball arrays are ``ndarray`` subclasses of dtype object whose elements enclose real numbers; they know the
arithmetic operators, the elementary functions, ``maximum``, ``minimum``, ``where``, sums and indexing, but
no NaN, so primitives ask :func:`isfinite` and :func:`isnan`. Two habits of NumPy matter here: a Python
float is weak beside every NumPy type, but widens a ``bfloat16`` array to float32 (a Python int does not),
so formulas end with :func:`cast`; and sums of half types are accumulated in float32, by :func:`total`.
"""

from __future__ import annotations

import functools
import math
import numbers
from typing import Any

import numpy as np

__all__ = ["REAL", "Array", "add_up", "array", "cast", "clip", "common_shape", "conj", "exactly", "ieee", "indicator",
           "is_floating", "isfinite", "isnan", "log_sigmoid", "log_softmax", "logsumexp", "maximum", "minimum", "relu",
           "result_type", "row_max", "row_sum", "sigmoid", "softmax", "softplus", "sum_by", "sum_to", "total",
           "unbroadcast", "vecdot", "where", "widen", "xlogy"]

Array = np.ndarray[Any, Any]

#: Decorates formulas whose infinities and NaNs are answers, not accidents.
ieee = np.errstate(all="ignore")

#: ``numpy.sum`` of one axis (the first), or of those that it is told: without its wrapper, which costs as much as
#: the sum of 10,000 numbers. The dtype is the argument's own: :func:`total` takes care of half types.
add_up: Any = np.add.reduce


_ARRAYS = (np.ndarray, np.generic)

#: Types of real numbers, to be tested for; the last one, which takes in all, asks for longest.
REAL = (float, int, numbers.Real)


def array(name: str, value: Any) -> Array:
    """An argument that has to be an array, as it is.

    Raises:
        TypeError: it is none, or none of numbers (balls have a class of their own).
    """
    if not isinstance(value, _ARRAYS):
        raise TypeError(f"{name} must be a NumPy array, not {type(value).__name__}")
    if value.dtype.kind not in "fiubc" and type(value) is np.ndarray and (
            value.dtype.kind in "OSUMm" or value.dtype.names is not None):
        raise TypeError(f"{name} must be an array of numbers, not one of dtype {value.dtype}")
    return np.asanyarray(value)


def is_floating(x: Array) -> bool:
    """Real and not integral: floats of every width, ``bfloat16``, and arrays of balls."""
    return x.dtype.kind in "fO" or x.dtype.name == "bfloat16"


def result_type(*arrays: Array) -> np.dtype[Any]:
    """The common dtype as torch promotes: an integer array does not widen a floating one.

    >>> result_type(np.zeros(2, np.float32), np.zeros(2, np.int64))
    dtype('float32')
    """
    first: np.dtype[Any] = arrays[0].dtype
    if all([x.dtype is first for x in arrays]):  # noqa: C419  # a generator costs more than the test
        return first
    return _promoted(*[x.dtype for x in arrays])


@functools.cache
def _promoted(*given: np.dtype[Any]) -> np.dtype[Any]:
    dtypes = [dtype for dtype in given if dtype.kind not in "biu"] or list(given)
    if {"float16", "bfloat16"} <= {dtype.name for dtype in dtypes}:
        dtypes.append(np.dtype(np.float32))  # neither holds the other, and NumPy knows no common type
        dtypes = [dtype for dtype in dtypes if dtype.name not in ("float16", "bfloat16")]
    common: np.dtype[Any] = np.result_type(*dtypes)
    return common


def cast(x: Any, dtype: np.dtype[Any]) -> Array:
    """The array in a dtype; balls stay balls, and a complex array loses its imaginary part in a real one."""
    values: Array = np.asanyarray(x)
    if values.dtype is dtype or values.dtype == dtype or object in (values.dtype, dtype):
        return values
    return (values.real if values.dtype.kind == "c" != dtype.kind else values).astype(dtype)


def widen(x: Array) -> Array:
    """Half types as float32, the rest as it is: what sums are accumulated in."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x


def total(x: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """The sum; half types are accumulated in float32 and rounded once.

    >>> total(np.full(4096, 1.0, np.float16)).item()
    4096.0
    """
    return cast(add_up(widen(x), axis=axis, keepdims=keepdims), x.dtype)


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of broadcasting: summed over the axes that were stretched or added."""
    if x.shape == shape:
        return x
    added = np.ndim(x) - len(shape)
    stretched = (added + i for i, n in enumerate(shape) if n == 1 != x.shape[added + i])
    return np.asanyarray(total(x, (*range(added), *stretched), keepdims=True).reshape(shape))


def unbroadcast(gradient: Array, like: Array) -> Array | None:
    """The gradient of an argument that was broadcast, in its shape and dtype; integers have none."""
    return None if like.dtype.kind in "biu" else cast(sum_to(gradient, like.shape), like.dtype)


def where(condition: Array, x: Any, y: Any) -> Array:
    """``numpy.where``; numbers of one floating type are selected by their bits, which needs no branch.

    A branch that is taken at random costs some ten times what the selection does.

    >>> where(np.array([True, False]), np.array([np.nan, np.nan]), 0)
    array([nan,  0.])
    """
    dtype = next((a.dtype for a in (x, y) if isinstance(a, np.ndarray)), condition.dtype)
    if (condition.dtype != np.bool_ or dtype.kind != "f" or dtype.itemsize not in _WORDS
            or any(isinstance(a, np.ndarray | np.generic) and a.dtype != dtype for a in (x, y))):
        return np.asanyarray(np.where(condition, x, y))
    word = _WORDS[dtype.itemsize]
    mask = (-condition.view(np.int8)).astype(word)  # -1 has all bits, 0 none
    x_bits = np.asarray(x, dtype).view(word)
    if isinstance(y, int) and y == 0:
        return np.asarray((x_bits & mask).view(dtype))
    y_bits = np.asarray(y, dtype).view(word)
    return np.asarray((y_bits ^ (x_bits ^ y_bits) & mask).view(dtype))


_WORDS = {2: np.int16, 4: np.int32, 8: np.int64}


def indicator(condition: Array, dtype: np.dtype[Any]) -> Array:
    """1 where a condition holds, and 0 elsewhere."""
    return np.where(condition, 1, 0) if condition.dtype == object else condition.astype(dtype)


def clip(x: Array, low: Any, high: Any) -> Array:
    """min(max(x, low), high), NaN where x is NaN."""
    return x.clip(low, high) if x.dtype.kind == "f" else np.asanyarray(np.minimum(np.maximum(x, low), high))


def maximum(x: Array, bound: Any) -> Array:
    """max(x, bound) for one number as the bound, NaN where x is NaN."""
    return np.asanyarray(np.maximum(x, _spread(bound, x)))


def minimum(x: Array, bound: Any) -> Array:
    """min(x, bound) for one number as the bound, NaN where x is NaN."""
    return np.asanyarray(np.minimum(x, _spread(bound, x)))


def _spread(bound: Any, x: Array) -> Any:
    """A number as an array like x: with one NumPy's maximum takes 0.2 ns an element, with a number 0.8."""
    if x.dtype.kind != "f":
        return bound
    spread = np.empty_like(x)
    spread.fill(bound)
    return spread


def common_shape(*arrays: Array) -> tuple[int, ...]:
    """What the shapes broadcast to.

    Raises:
        ValueError: they do not broadcast.
    """
    shapes = [x.shape for x in arrays]
    return shapes[0] if shapes.count(shapes[0]) == len(shapes) else np.broadcast_shapes(*shapes)


def conj(x: Array) -> Array:
    """The complex conjugate; real numbers and balls are their own."""
    return np.conj(x) if x.dtype.kind == "c" else x


def isfinite(x: Array) -> Array:
    """``numpy.isfinite``; balls are finite."""
    return np.ones(x.shape, np.bool_) if x.dtype == object else np.isfinite(x)


def isnan(x: Array) -> Array:
    """``numpy.isnan``; balls are numbers."""
    return np.zeros(x.shape, np.bool_) if x.dtype == object else np.isnan(x)


def exactly(x: Array) -> Array:
    """The number itself: balls lose their radius, which is right where x cancels whatever it is."""
    return x.midpoint() if hasattr(x, "midpoint") else x


@ieee
def logsumexp(x: Array, axis: int, keepdims: bool = False) -> Array:
    """log Σ exp(x), shifted by the maximum so that no exponential overflows; any finite shift would be right.

    A row of -inf gives -inf, a row that holds +inf gives +inf (NaN aside), as in ``torch.logsumexp``.
    """
    largest = exactly(np.max(x, axis=axis, keepdims=True))
    shift = np.where(isfinite(largest) & (largest != -np.inf), largest, 0)
    result = shift + np.log(total(np.exp(x - shift), axis, keepdims=True))
    return result if keepdims else np.squeeze(result, axis)


@ieee
def log_softmax(x: Array, axis: int) -> Array:
    """x - log Σ exp(x), as (x - max) - log Σ exp(x - max).

    A row of -inf, or one that holds +inf, is NaN throughout, as in ``torch.log_softmax``.
    """
    if not x.shape[axis]:
        return x
    shifted = x - exactly(np.max(x, axis=axis, keepdims=True))
    return np.asanyarray(shifted - np.log(total(np.exp(shifted), axis, keepdims=True)))


@ieee
def softmax(x: Array, axis: int) -> Array:
    """exp(x) / Σ exp(x), shifted by the maximum."""
    if not x.shape[axis]:
        return x
    exps = np.exp(x - exactly(np.max(x, axis=axis, keepdims=True)))
    return np.asanyarray(exps / total(exps, axis, keepdims=True))


@ieee
def softplus(x: Array) -> Array:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)), without torch's linear part above a threshold."""
    return np.asanyarray(maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


@ieee
def log_sigmoid(x: Array) -> Array:
    """log σ(x) = -log(1 + exp(-x)) = min(x, 0) - log1p(exp(-|x|))."""
    return np.asanyarray(minimum(x, 0) - np.log1p(np.exp(-np.abs(x))))


@ieee
def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + exp(-x)) = exp(min(x, 0)) / (1 + exp(-|x|)), which overflows nowhere."""
    return np.asanyarray(np.exp(minimum(x, 0)) / (1 + np.exp(-np.abs(x))))


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return maximum(x, 0)


@ieee
def xlogy(x: Array, y: Array) -> Array:
    """x log(y), and 0 where x is 0, whatever y is unless it is NaN."""
    void = (x == 0) & ~isnan(y)
    return where(~void, x * np.log(where(void, 1, y)), 0)


def row_max(x: Array) -> Array:
    """The largest number along the last axis, which is kept; -inf of none."""
    if x.dtype == object or not x.flags.c_contiguous or not x.size:
        return np.asanyarray(np.max(x, axis=-1, keepdims=True, initial=-np.inf))
    starts = np.arange(0, x.size, x.shape[-1])  # reduceat enters its loop once, np.max once for each row
    return np.maximum.reduceat(x.reshape(-1), starts).reshape(*x.shape[:-1], 1)


def row_sum(x: Array) -> Array:
    """:func:`total` along the last axis, which is kept: of short rows the product with a vector of ones.

    Over rows of more than 128 numbers NumPy's own sum has the smaller error: it adds up pairs of blocks.
    """
    if x.dtype.kind != "f" or x.shape[-1] > 128:
        return total(x, -1, keepdims=True)
    wide = widen(x)
    return cast(wide @ _ones(x.shape[-1], wide.dtype), x.dtype)


@functools.cache
def _ones(n: int, dtype: np.dtype[Any]) -> Array:
    return np.ones((n, 1), dtype)


def sum_by(x: Array, index: Array, n: int) -> Array:
    """The sums of those elements of each row that have the same index, for the indices 0..n-1.

    >>> sum_by(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 0]), 3)
    array([5., 0., 2.])
    """
    if x.dtype == object:
        return total(np.where(index[..., None] == np.arange(n), x[..., None], 0), -2)
    rows = n * np.arange(math.prod(x.shape[:-1])).reshape(*x.shape[:-1], 1)
    places, sums = (rows + index).ravel(), np.zeros(rows.size * n, x.dtype)
    if x.dtype == np.longdouble:
        np.add.at(sums, places, x.ravel())
    else:  # accumulated in float64
        sums[...] = np.bincount(places, x.ravel(), sums.size)
    return sums.reshape(*x.shape[:-1], n)


def vecdot(x: Array, y: Array) -> Array:
    """Σ x y along the last axis, without an array of products where the dtype has a way to do so."""
    return np.asanyarray(np.vecdot(x, y) if x.dtype.kind == "f" and x.dtype == y.dtype else np.sum(x * y, -1))
