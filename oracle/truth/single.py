"""One ball: flint's ``arb``, and what NumPy's functions do to each element. The one file that imports flint."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb, ctx

__all__ = ["ELEMENTWISE", "arb", "ctx", "raised", "surely_equal", "surely_unequal", "to_arb"]

_TRUE, _FALSE, _NEITHER = arb(1), arb(0), arb("nan")

#: Each element as a ball.
to_arb = np.frompyfunc(lambda x: x if x.__class__ is arb else arb(x), 1, 1)


def surely_equal(a: Any, b: Any) -> bool:
    """Are two balls one and the same number?"""
    return bool(a == b)


def surely_unequal(a: Any, b: Any) -> bool:
    """Do two balls have no number in common?"""
    return not a.overlaps(b)


def _comparison(certain: Callable[[Any, Any], bool], opposite: Callable[[Any, Any], bool]) -> Any:
    """A comparison of balls: 1 where it holds, 0 where it cannot, NaN where the balls straddle it."""

    def compare(a: Any, b: Any) -> arb:
        a, b = arb(a), arb(b)
        if a.is_nan() or b.is_nan():
            return _TRUE if certain is surely_unequal else _FALSE
        return _TRUE if certain(a, b) else _FALSE if opposite(a, b) else _NEITHER

    return np.frompyfunc(compare, 2, 1)


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


def raised(a: Any, b: Any) -> arb:
    """a to the power of b; a power of 0.5 is a square root, and a whole one a product."""
    if isinstance(b, float):
        if b == 0.5:
            return _sqrt(arb(a))
        b = int(b) if b.is_integer() else b
    return arb(a) ** b


#: NumPy's functions that flint's numbers do not answer by themselves, or do not answer as IEEE arithmetic does.
ELEMENTWISE: dict[np.ufunc, Any] = {
    np.maximum: np.frompyfunc(_maximum, 2, 1, identity=arb("-inf")),
    np.minimum: np.frompyfunc(_minimum, 2, 1, identity=arb("inf")),
    np.power: np.frompyfunc(raised, 2, 1),
    np.sqrt: np.frompyfunc(_sqrt, 1, 1),
    np.log: np.frompyfunc(_log, 1, 1),
    np.log1p: np.frompyfunc(_log1p, 1, 1),
    np.square: np.frompyfunc(lambda x: x * x, 1, 1),
    np.reciprocal: np.frompyfunc(lambda x: 1 / x, 1, 1),
    np.sign: np.frompyfunc(lambda x: arb(x).sgn(), 1, 1),
    np.greater: _comparison(operator.gt, operator.le),
    np.greater_equal: _comparison(operator.ge, operator.lt),
    np.less: _comparison(operator.lt, operator.ge),
    np.less_equal: _comparison(operator.le, operator.gt),
    np.equal: _comparison(surely_equal, surely_unequal),
    np.not_equal: _comparison(surely_unequal, surely_equal),
    np.logical_and: np.frompyfunc(lambda a, b: arb(a) * b, 2, 1),
    np.logical_or: np.frompyfunc(_maximum, 2, 1),
    np.logical_not: np.frompyfunc(lambda a: 1 - arb(a), 1, 1),
}
ELEMENTWISE |= {np.bitwise_and: ELEMENTWISE[np.logical_and], np.bitwise_or: ELEMENTWISE[np.logical_or],
                np.invert: ELEMENTWISE[np.logical_not], np.fmax: ELEMENTWISE[np.maximum]}
