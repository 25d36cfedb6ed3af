r"""Box-Muller in float32, step by step as torch's vector path on x86 takes it, to the last bit.

The logarithm, sine and cosine are Cephes's for single precision. Where a product is only ever added to
something, the compiler has fused the two, and so does this file: in float64 the product of two float32
numbers is exact, so that sum and conversion are all that rounds. (Rounding twice could differ from
rounding once for about one number in 10**9; none has been seen.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["box_muller", "log", "sine_cosine"]

Array = np.ndarray[Any, Any]
_F = np.float32

# Coefficients of ln(1 + x) = x - x**2/2 + x**3 P(x), of cos and of sin, highest power first, as float32. All
# constants are arrays without axes, which NumPy takes in half the time of a scalar.
_LOG, _COS, _SIN = ([np.array(_F(c), float) for c in coefficients] for coefficients in (
    (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
     2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
    (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2),
    (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)))
_LN2 = np.array(0.693359375, _F), np.array(-2.12194440e-4, _F)  # high and low part
_PI_4 = [np.array(x, _F) for x in (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)]  # in three parts
_ONE, _HALF, _MINUS_HALF, _MINUS_2, _4_PI, _2_PI = (
    np.array(x, _F) for x in (1, 0.5, -0.5, -2, 1.27323954473516, 2 * np.pi))
_I1, _EVEN, _23, _29, _30, _31, _SIGN = (np.array(i, np.int32) for i in (1, ~1, 23, 29, 30, 31, -(2**31)))
_NEXT = np.array(2**30, np.int32)  # two octants on, where they stand from bit 29 on
_ROOT_HALF = np.array(0.5**0.5, _F).view(np.int32)


def _polynomial(coefficients: list[Array], x: Array) -> Array:
    """Horner's scheme, each step fused; x is float64 with float32 values."""
    value = np.asarray(x * coefficients[0])
    value += coefficients[1]
    rounded = value.astype(_F)
    for c in coefficients[2:]:
        value[...] = rounded
        value *= x
        value += c
        rounded[...] = value
    return rounded


def _fused(x: Array, y: Array, z: Array, out: Array) -> None:
    """x * y + z; x is float64 with float32 values, and is overwritten."""
    x *= y.astype(np.float64)
    x += z.astype(np.float64)
    out[...] = x


def log(x: Array) -> Array:
    r"""Natural logarithm of float32 numbers that are positive and normal.

    .. math:: \ln(2^e (1 + m)) = e \ln 2 + \ln(1 + m), \qquad \sqrt{1/2} \le 1 + m < \sqrt 2

    >>> log(np.array([1.0, 0.5], np.float32))
    array([ 0.       , -0.6931472], dtype=float32)

    Source: S. Moshier, Cephes Mathematical Library, single precision, logf.
    """
    bits = x.view(np.int32)
    exponent = bits - _ROOT_HALF
    exponent >>= _23
    m = (bits - (exponent << _23)).view(_F)
    m -= _ONE
    wide, z, e = m.astype(np.float64), m * m, exponent.astype(_F)
    y = _polynomial(_LOG, wide)
    y *= m
    wide[...] = y
    _fused(wide, z, e * _LN2[1], out=y)
    z *= _HALF
    y -= z
    m += y
    e *= _LN2[0]  # exact: the high part has 9 bits
    m += e
    return m


def sine_cosine(x: Array) -> tuple[Array, Array]:
    r"""Sine and cosine of float32 numbers from 0 to :math:`2\pi`.

    >>> [y.round(6).tolist() for y in sine_cosine(np.array([0.0, np.pi / 2], np.float32))]
    [[0.0, 1.0], [1.0, -0.0]]

    Source: S. Moshier, Cephes Mathematical Library, single precision, sinf and cosf.
    """
    octant = (x * _4_PI).astype(np.int32)
    octant += _I1
    octant &= _EVEN  # the angle is within pi/4 of it
    n = octant.astype(_F)
    x = x - n * _PI_4[0]  # exact, as is the next product
    x -= n * _PI_4[1]
    wide = n.astype(np.float64)
    wide *= _PI_4[2]
    np.subtract(x.astype(np.float64), wide, out=wide)
    x[...] = wide
    z = x * x
    wide[...] = z
    cosine, sine = _polynomial(_COS, wide), _polynomial(_SIN, wide)
    cosine *= z
    sine *= z
    z *= _MINUS_HALF
    _fused(wide, cosine, z, out=cosine)
    cosine += _ONE
    wide[...] = x
    _fused(wide, sine, x, out=sine)
    s, c = sine.view(np.int32), cosine.view(np.int32)
    exchanged = octant << _30
    exchanged >>= _31
    exchanged &= s ^ c  # in every other quadrant
    s ^= exchanged
    c ^= exchanged
    octant <<= _29
    s ^= octant & _SIGN
    octant += _NEXT
    octant &= _SIGN
    c ^= octant
    return sine, cosine


def box_muller(u_radius: Array, u_angle: Array) -> tuple[Array, Array]:
    r"""Two independent normal numbers for each two uniform ones.

    .. math:: z_1, z_2 = \sqrt{-2 \ln(1 - u_r)} \, (\cos, \sin)(2 \pi u_\theta)

    Args:
        u_radius, u_angle: float32 arrays on [0, 1), multiples of 2**-24.

    Returns:
        Two float32 arrays of their shape.

    >>> box_muller(np.full(2, 0.5, np.float32), np.array([0.0, 0.25], np.float32))[1]
    array([0.     , 1.17741], dtype=float32)
    """
    radius = log(_ONE - u_radius)
    radius *= _MINUS_2
    np.sqrt(radius, out=radius)
    sine, cosine = sine_cosine(u_angle * _2_PI)
    cosine *= radius
    sine *= radius
    return cosine, sine
