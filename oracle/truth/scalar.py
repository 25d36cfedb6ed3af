"""Scalar arguments: doubles as balls."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .arithmetic import Undecided, now
from .single import arb, raised, surely_equal, surely_unequal

__all__ = ["Double"]


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
        if isinstance(other, np.ndarray) and (other.ndim or hasattr(other, "stands_for")):
            return NotImplemented  # the array knows; one without axes is a number, unless it is of balls
        operand = other.value if isinstance(other, Double) else other if isinstance(other, int) else float(other)
        result = op(arb(operand), self.value) if swapped else op(self.value, operand)
        unit, products = now.arithmetic.scalar_unit, now.products
        result = Double(result * arb(1, unit) if unit else result)
        if products is not None and result.value.is_finite():
            if op in (operator.mul, operator.truediv):
                a, b = (operand, self.value) if swapped else (self.value, operand)
                products.scale(result.value, a, b, inverse=op is operator.truediv)
            else:
                products.give(result.value)
        return result

    __add__ = __radd__ = _binary(operator.add)
    __sub__, __rsub__ = _binary(operator.sub), _binary(operator.sub, swapped=True)
    __mul__ = __rmul__ = _binary(operator.mul)
    __truediv__, __rtruediv__ = _binary(operator.truediv), _binary(operator.truediv, swapped=True)
    __pow__, __rpow__ = _binary(raised), _binary(raised, swapped=True)

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
        return isinstance(other, int | float | Double) and self._holds(surely_equal, surely_unequal, other)

    def __hash__(self) -> int:
        return hash(float(self))

    def sqrt(self) -> Double:
        """Square root, as ``numpy.sqrt`` asks an object for it."""
        return self._combine(raised, 0.5)  # type: ignore[no-any-return]  # or NotImplemented


numbers.Real.register(Double)
