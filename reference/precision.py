"""Computing in another precision than an array's own: the primitives of :mod:`reference.random`.

Arrays of balls stay balls in all of them, so that a formula that uses them is a proof as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["fma", "libm", "lift", "outcomes", "pi_like", "rounded", "working"]

Array = np.ndarray[Any, Any]

#: Bits of the significand, exponents of the smallest and the largest normal number.
_FORMATS = {"bfloat16": (8, -126, 127), "float16": (11, -14, 15), "float32": (24, -126, 127)}

#: Of a float32 as an integer: the bits by which bfloat16 has fewer, the last one that it keeps, less than half of that
#: one, and all that it keeps. Arrays without an axis, which NumPy takes faster than Python's numbers.
_HALF_A_WORD, _LAST, _BELOW_A_TIE, _UPPER = (np.array(bits, np.uint32) for bits in (16, 1, 0x7FFF, 0xFFFF0000))


def pi_like(array: Array) -> Any:
    """Pi, as precise as the array's numbers ask for.

    Args:
        array: decides by its kind; only its dtype and its method ``pi``, if it has one, matter.

    Returns:
        ``array.pi()`` where the array has that method (a ball that holds pi), a longdouble for a
        longdouble array, a Python float otherwise.

    >>> pi_like(np.zeros(2))
    3.141592653589793
    """
    if hasattr(array, "pi"):
        return array.pi()
    return 4 * np.arctan(array.dtype.type(1)) if array.dtype == np.longdouble else math.pi


def working(array: Array, least: Any) -> Array:
    """Make an empty array of the kind to compute in: like ``array``, but at least as wide as ``least``.

    >>> working(np.zeros(3, np.float16), np.float32).dtype, working(np.zeros(3), np.float32).dtype
    (dtype('float32'), dtype('float64'))
    """
    dtype = array.dtype if array.dtype == object else np.promote_types(array.dtype, least)
    return np.empty_like(array, dtype=dtype, shape=0)


def rounded(x: Array, dtype: str) -> Array:
    """Each number rounded to a narrower type, to nearest and ties to even, in the dtype that it has.

    For formulas of which a rounding is a part: what no other precision would give.

    >>> rounded(np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, 1e-40]), "bfloat16")
    array([1.00000000e+00, 1.01562500e+00, 9.18354962e-41])
    """
    if hasattr(x, "rounded"):
        return x.rounded(dtype)  # type: ignore[no-any-return]  # balls know how
    if (dtype, x.dtype) == ("bfloat16", np.float32):  # the upper half of its bits
        word = np.asarray(x).view(np.uint32)
        upper = np.right_shift(word, _HALF_A_WORD, out=np.empty_like(word))
        upper &= _LAST
        upper += _BELOW_A_TIE
        upper += word
        upper &= _UPPER
        result, unknown = upper.view(np.float32), np.isnan(x)
        return np.where(unknown, x, result) if unknown.any() else result
    bits, low, high = _FORMATS[dtype]
    _, exponent = np.frexp(x)
    unit = np.maximum(exponent, low + 1) - bits
    nearest = np.ldexp(np.rint(np.ldexp(x, -unit)), unit)
    kept = np.isnan(x) | (np.abs(nearest) < 2.0 ** (high + 1))
    return np.asarray(np.where(kept, nearest, np.copysign(np.inf, x)))


def outcomes(function: Callable[..., Any], dtype: str, x: Array, *others: Any) -> Any:
    """``function(x, *others)``, where the function is one that rounds: balls follow every way it may go.

    Args:
        function: gives an array or a tuple of them.
        dtype: the type that an implementation evaluates it in; it decides for balls only.
    """
    return x.outcomes(function, dtype, *others) if hasattr(x, "outcomes") else function(x, *others)


def lift(like: Array, values: Any) -> Array:
    """Make an array of these values, rounded to numbers of the same kind as those of ``like``.

    >>> lift(np.empty(0, np.float32), [0.1, 1.0])
    array([0.1, 1. ], dtype=float32)
    """
    if like.dtype != object:
        return np.array(values, like.dtype, order="C")
    lifted = np.empty_like(like, shape=np.shape(values))
    lifted[...] = values
    return lifted


def libm(function: Callable[[float], float], x: Array) -> Array:
    """A function of :mod:`math` for each number: the C library's own, as torch calls it.

    NumPy has vector functions of its own for some processors, which differ in the last bit now and then.

    Args:
        function: of which NumPy has one of the same name, for arrays of another kind than float64.
        x: array with one axis.

    >>> libm(math.log, np.array([1.0, math.e]))
    array([0., 1.])
    """
    if x.dtype == np.float64:
        return np.fromiter(map(function, x.tolist()), np.float64, x.size)
    return np.asanyarray(getattr(np, function.__name__)(x))


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    p, (a1, a2), (b1, b2) = a * b, _halves(a), _halves(b)
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def _halves(a: Array) -> tuple[Array, Array]:
    c = a * (2.0**27 + 1)
    high = c - (c - a)
    return high, a - high


def _sum_to_odd(a: Array, b: Array) -> Array:
    """a + b, rounded to the neighbour with odd significand where it is not exact."""
    s, e = _two_sum(a, b)
    even = np.asarray(s).view(np.int64) % 2 == 0
    return np.where(even & (e != 0), np.nextafter(s, np.copysign(np.inf, e)), s)


def fma(x: Array, y: Array, z: Array) -> Array:
    r"""Fused multiply-add: :math:`x y + z`, rounded once.

    Float32 computes in float64, with the sum rounded to odd where rounding twice could matter: where it
    lies between two float32 numbers, or is subnormal there. Float64 splits product and sums without
    error and rounds the rest to odd, which is proven to be right while nothing over- or underflows; where
    something could, it does so with mantissas. A result that underflows to zero keeps its sign.
    Other kinds (longdouble, balls) get the plain expression.

    Args:
        x: array. y, z: arrays of the same dtype that broadcast with it.

    Returns:
        An array of their dtype.

    >>> x = np.array([1 + 2.0**-30])
    >>> (fma(x, x, -np.ones(1)) - 2.0**-29 == 2.0**-60).item(), (x * x - 1 - 2.0**-29).item()
    (True, 0.0)

    Source: S. Boldo, G. Melquiond, Emulation of a FMA and correctly rounded sums, IEEE Trans. Computers
    57 (2008), 462-471, figure 3; T. Dekker, Numer. Math. 18 (1971), for product and sum.
    """
    if x.dtype == np.float32:
        product, z64 = x.astype(np.float64), z.astype(np.float64)
        product *= y
        s = np.asarray(product + z64)
        midway = s.view(np.int64) & 0x1FFFFFFF == 0x10000000
        if np.abs(s).min(initial=np.inf) < 2.0**-125:
            midway |= (s != 0) & (np.abs(s) < 2.0**-125)
        if midway.any():
            s[midway] = _sum_to_odd(product[midway], np.broadcast_to(z64, s.shape)[midway])
        return np.asarray(s.astype(np.float32))
    if x.dtype != np.float64:
        return x * y + z
    fused = np.asarray(np.add(*_two_parts(x, y, z)))
    rare = ~(np.abs(fused) >= 2.0**-900)  # small, or no number where something has overflowed
    if rare.any():
        fused[rare] = _fma_of_any(*(np.broadcast_to(array, fused.shape)[rare] for array in (x, y, z)))
    return fused


def _two_parts(x: Array, y: Array, z: Array) -> tuple[Array, Array]:
    """Two float64 numbers whose sum rounds as x y + z does, while nothing over- or underflows."""
    p, p_rest = _two_product(x, y)
    s, s_rest = _two_sum(z, p_rest)
    t, t_rest = _two_sum(p, s)
    return t, _sum_to_odd(s_rest, t_rest)


def _fma_of_any(x: Array, y: Array, z: Array) -> Array:
    """Fused multiply-add of any float64 numbers: the product is one of mantissas, its exponent is taken from z."""
    (m, i), (n, j), (_, k) = map(np.frexp, (x, y, z))
    exponent, product = i + j, m * n
    z_there = np.ldexp(z, np.clip(-exponent, -300 - k, 300 - k))  # farther off, one of the two is but a sign
    t, rest = _two_parts(m, n, z_there)
    fused = t + rest
    # A subnormal number and the smallest normal one have the same unit, and so has their sum.
    smallest = np.copysign(np.ldexp(1.0, np.minimum(-1022 - exponent, 400)), fused)
    s, s_rest = _two_sum(smallest, t)
    subnormal = np.copysign((s + _sum_to_odd(s_rest, rest)) - smallest, fused)
    fused = np.ldexp(np.where(np.abs(fused) < np.abs(smallest), subnormal, fused), exponent)
    plain = np.ldexp(product, np.minimum(exponent, 0)) + z  # of infinities and zeros, or z where z outweighs all
    usual = (product != 0) & (np.abs(product) < 1) & (np.abs(z_there) < 2.0**290)
    return np.asarray(np.where(usual, fused, plain))
