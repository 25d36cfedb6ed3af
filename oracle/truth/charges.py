"""What operations on arrays are charged with in an arithmetic: units, what underflows, what overflows."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..formats import Format
from .arithmetic import now
from .orders import Products
from .single import ELEMENTWISE, arb, to_arb

__all__ = ["PLANS", "charge_operation", "charge_orders", "charge_sum"]

Array = np.ndarray[Any, Any]

#: Flint's numbers answer these by themselves.
_NATIVE = {np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.absolute, np.exp,
           np.expm1, np.tanh, np.sin, np.cos, np.tan, np.matmul}
_SIGNS = {np.negative, np.positive, np.absolute}
_ROUNDS = _NATIVE - _SIGNS | {np.power, np.sqrt, np.log, np.log1p, np.square, np.reciprocal}
#: These can lose bits below the smallest normal number. Sums and differences cannot, among numbers of
#: the type: there they are exact. With a scalar, which has more bits than the type, they can.
_MAY_UNDERFLOW = _ROUNDS - {np.add, np.subtract, np.sqrt, np.log, np.cos}
#: These make products, or keep them but for their sign.
_MULTIPLIES = {np.multiply, np.divide, np.square, np.reciprocal, np.power} | _SIGNS

#: What runs a ufunc on balls, whether its results are charged a unit, and whether they can underflow.
PLANS = {ufunc: (ELEMENTWISE.get(ufunc, ufunc), ufunc in _ROUNDS, ufunc in _MAY_UNDERFLOW)
         for ufunc in _NATIVE | ELEMENTWISE.keys()}


@cache
def _limits(fmt: Format | None) -> tuple[arb, arb, arb]:
    """Smallest normal number, largest number, and half a quantum as a ball; of real numbers 0, infinity and 0."""
    if fmt is None:
        return arb(0), arb("inf"), arb(0)
    return arb(fmt.tiny), arb(fmt.max), arb(0, arb(2) ** fmt.lost)


@cache
def _rounding_factor(unit: float) -> arb:
    return arb(1, unit)


def charge_operation(results: Array, rounds: bool, underflows: bool) -> None:
    """Charge each result with what a storage type costs: a unit, half a quantum below its range, all above."""
    active = now.arithmetic
    tiny, largest, half_quantum = _limits(active.limits)
    underflows = underflows or (active.limits is not None and active.limits.flushes)
    flat = results.reshape(-1)
    if rounds:
        np.multiply(flat, _rounding_factor(active.unit), out=flat)
    for i, x in enumerate(flat):
        size = abs(x)
        if tiny < size < largest:
            continue
        if not size < largest:
            if x.is_finite():
                flat[i] = arb(0, "inf")
        elif underflows and not x.is_zero():
            flat[i] = x + half_quantum


def charge_sum(total: Array, run: Any, operands: list[Any], kwargs: dict[str, Any]) -> Array:
    """A sum of n terms with the error of n-1 additions in any order: n-1 units of the sum of magnitudes.

    A term goes through n-1 additions at most, each of which changes it by half a unit u/2 at most, so it has a factor
    of no more than (1 + u/2)^(n-1), which is below 1 + (n-1) u while n u < 1. A sum of products, which may be rounded
    before, has one more addition's unit; and each product that is below the normal numbers loses half a quantum, of
    which as many are charged as there are products, where some may be so small. (Additions lose nothing there.)
    """
    magnitude = np.asarray(run(*[np.abs(x) for x in operands], **kwargs), dtype=object)
    roundings = operands[0].size // max(total.size, 1) - 1 if len(operands) == 1 else operands[0].shape[-1]
    error = magnitude * arb(0, max(roundings, 0) * now.arithmetic.sum_unit)
    if len(operands) > 1:
        tiny, _, half_quantum = _limits(now.arithmetic.limits)
        if _least(operands[0]) * _least(operands[1]) < tiny:
            error = error + half_quantum * roundings
    return np.asarray(total + error, dtype=object, order="C")


def _least(numbers: Array) -> arb:
    """The least magnitude of some finite numbers, but for those that are 0."""
    return min((abs(x).lower() for x in to_arb(numbers).reshape(-1) if x.is_finite() and not x.is_zero()),
               default=arb("inf"))


def charge_orders(ufunc: np.ufunc, method: str, result: Array, operands: list[Any], kwargs: dict[str, Any],
                  products: Products) -> None:
    """Charge products for the worst order of their factors; of a sum note the terms, of which a product may come."""
    if ufunc in _MULTIPLIES and method == "__call__" and _is_product(ufunc, operands):
        _charge_product(ufunc, result, operands, products)
    elif ufunc is np.add and method == "reduce":
        _note_terms(result, operands[0], kwargs, products)


def _is_product(ufunc: np.ufunc, operands: list[Any]) -> bool:
    """Is it a product? Of powers those of a few whole exponents are."""
    return ufunc is not np.power or (isinstance(operands[1], int | float) and operands[1] in (2, 3, 4))


def _charge_product(ufunc: np.ufunc, result: Array, operands: list[Any], products: Products) -> None:
    """Charge each product with what the worst order of its factors loses below the normal numbers."""
    _, _, half_quantum = _limits(now.arithmetic.limits)
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
