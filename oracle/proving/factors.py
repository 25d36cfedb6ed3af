"""Arrays in which products keep their factors and multiply them in another order: one formula, all ways to write it.

An :class:`Ordered` array runs a reference unchanged, each operation rounded to a storage type. What is multiplied or
divided is kept as factors until a number is needed (to be added, compared, put into a function); then the factors are
multiplied as the active :class:`Way` says, given ones division by division or as rounded reciprocals. A sum that is
multiplied by what is given may have its terms multiplied instead.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..truth.evaluate import Lift
from ..ulp import numpy_dtype

__all__ = ["Ordered", "Way", "multiplied", "ordered", "plain"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Way:
    """How products are evaluated, in a storage type.

    Computed factors keep the order that the formula has. Where given ones stand is said by ``order``: "written" as the
    formula has them, "first" or "last"; "smallest": those below 1 first, those above it last, "largest" the reverse;
    else it is the seed of places that are drawn.
    """

    dtype: str
    order: str
    reciprocals: bool = False
    distributed: bool = False

    def rounded(self, x: Any) -> Any:
        """To the type, and back to a double."""
        with np.errstate(all="ignore"):
            return np.asarray(x, np.float64).astype(numpy_dtype(self.dtype)).astype(np.float64)

    def product(self, number: Number) -> float:
        """All factors multiplied, each step rounded."""
        with np.errstate(all="ignore"):
            factors = sorted([(float(self.rounded(1 / np.float64(x))), False) if inverse and self.reciprocals else
                              (x, inverse) for x, inverse in number.given], key=_size)
        chance = random.Random(f"{self.order}{factors}")
        if number.core is None:
            chance.shuffle(factors) if self.order.isdigit() else None
            return self._times(1.0, factors[::-1] if self.order in ("largest", "last") else factors)
        places = [number.core]
        while isinstance(places[-1], Pair):
            places.append(places[-1].left)
        at: dict[int, list[tuple[float, bool]]] = {}
        for factor in factors:
            early = {"first": True, "last": False, "smallest": _size(factor) < 1, "largest": _size(factor) > 1}
            place = chance.choice(places) if self.order.isdigit() else places[-1 if early[self.order] else 0]
            at.setdefault(id(place), []).append(factor)
        return self._core(number.core, at)

    def _core(self, core: Core, at: Mapping[int, list[tuple[float, bool]]]) -> float:
        if isinstance(core, Pair):
            left, right = (self._core(part, at) for part in (core.left, core.right))
            with np.errstate(all="ignore"):
                value = float(self.rounded(np.float64(left) / right if core.inverse else np.float64(left) * right))
        else:
            value = float(core)
        return self._times(value, at.get(id(core), []))

    def _times(self, value: float, factors: list[tuple[float, bool]]) -> float:
        for x, inverse in factors:
            with np.errstate(all="ignore"):
                value = float(self.rounded(np.float64(value) / x if inverse else np.float64(value) * x))
        return value


def _size(factor: tuple[float, bool]) -> float:
    x, inverse = factor
    with np.errstate(all="ignore"):
        return abs(float(1 / np.float64(x))) if inverse else abs(x)


_way = Way("float64", "written")


@dataclass(frozen=True, eq=False)
class Pair:
    """A product of computed numbers, or a quotient."""

    left: Core
    right: Core
    inverse: bool


class Leaf(float):
    """One computed number: an object of its own, so that factors can be put beside it."""


Core = Pair | Leaf


class Number:
    """A product that is not multiplied yet: given factors and computed ones; or a sum of such."""

    __slots__ = ("core", "given", "made_of", "terms", "value")

    def __init__(self, core: Core | None, given: Sequence[tuple[float, bool]] = (), terms: list[Number] | None = None,
                 made_of: frozenset[Number] = frozenset()) -> None:
        self.core, self.given, self.terms = core, list(given), terms
        self.made_of = made_of | {self}
        self.value: float | None = None

    def __float__(self) -> float:
        if self.value is None:
            if self.terms is None:
                self.value = _way.product(self)
            else:
                wide = np.float64 if _way.dtype == "float64" else np.float32
                self.value = float(_way.rounded(np.add.reduce(np.array([float(t) for t in self.terms], wide))))
        return self.value

    def computed(self) -> Number:
        """The number by itself, still made of what it was made of."""
        return Number(Leaf(self), made_of=self.made_of)

    def times(self, other: Any, inverse: bool) -> Number:
        """The product or quotient: the factors of both. What occurs twice was computed once."""
        a, b = self, other if isinstance(other, Number) else Number(None, [(float(other), False)])
        if _way.distributed and a.terms is not None and b.core is None and b.terms is None:
            return Number(None, terms=[term.times(b, inverse) for term in a.terms])
        if not a.made_of.isdisjoint(b.made_of):
            a, b = a.computed(), b.computed()
        a, b = (x if x.terms is None else x.computed() for x in (a, b))
        given = [*a.given, *[(x, below != inverse) for x, below in b.given]]
        core = a.core if b.core is None else Pair(Leaf(1.0) if a.core is None else a.core, b.core, inverse)
        result = Number(core, given, made_of=a.made_of | b.made_of)
        return Number(Leaf(_written(a, b, inverse)), made_of=result.made_of) if _way.order == "written" else result


def _written(a: Number, b: Number, inverse: bool) -> float:
    x, y = np.float64(float(a)), float(b)
    with np.errstate(all="ignore"):
        return float(_way.rounded(x / y if inverse else x * y))


def _number(x: Any) -> Number:
    """A computed number, where it is none yet."""
    return x if isinstance(x, Number) else Number(Leaf(_double(x)))


def _given(x: Any) -> Number:
    return Number(None, [(_double(x), False)])


def _double(x: Any) -> float:
    return 0.0 if x is None else float(x)  # what ``empty_like`` leaves


_NUMBERS = np.frompyfunc(_number, 1, 1)
_DOUBLES = np.frompyfunc(_double, 1, 1)
_GIVEN = np.frompyfunc(_given, 1, 1)
_PRODUCT = np.frompyfunc(lambda a, b: _factor(a).times(b, inverse=False), 2, 1)
_QUOTIENT = np.frompyfunc(lambda a, b: _factor(a).times(b, inverse=True), 2, 1)
_SUM = np.frompyfunc(lambda x: (x,), 1, 1)


def _factor(x: Any) -> Number:
    return x if isinstance(x, Number) else _given(x)


def _plain(x: Any) -> Any:
    if isinstance(x, Ordered) or (isinstance(x, np.ndarray) and x.dtype == object):
        return np.asarray(_DOUBLES(x.view(np.ndarray)), np.float64)
    return x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype.kind == "V" else x


def ordered(x: Any) -> Ordered:
    """An array whose products keep their factors."""
    return np.asarray(_NUMBERS(np.asarray(x, object)), object).view(Ordered)


class Ordered(np.ndarray[Any, Any]):
    """An object array of numbers; see the module."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        raw = [x.view(np.ndarray) if isinstance(x, Ordered) else x for x in inputs]
        if method == "__call__" and ufunc in (np.multiply, np.divide, np.square):
            pair = raw * 2 if ufunc is np.square else raw
            result = (_QUOTIENT if ufunc is np.divide else _PRODUCT)(*pair)
        elif ufunc is np.add and method == "reduce":
            each = np.add.reduce(_SUM(_NUMBERS(raw[0].reshape(raw[0].shape or 1))), **{**kwargs, "keepdims": True})
            summed = np.add.reduce(_plain(inputs[0]), **kwargs)  # for the shape
            result = np.empty(each.size, object)
            result[:] = [Number(None, terms=list(terms)) if terms != 0 else _number(0) for terms in each.reshape(-1)]
            result = result.reshape(np.shape(summed))
        else:
            with np.errstate(all="ignore"):
                result = np.asarray(getattr(ufunc, method)(*map(_plain, inputs), **kwargs))
            result = result if result.dtype.kind in "biu" else _way.rounded(result)
            if result.dtype == np.bool_:
                return result
        wrapped = ordered(result)
        if out is not None:
            out[0][...] = wrapped
            return out[0]
        return wrapped

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        result = super().__array_function__(func, types, args, kwargs)
        return result.view(Ordered) if type(result) is np.ndarray and result.dtype == object else result

    def __getitem__(self, key: Any) -> Any:
        item = super().__getitem__(key)
        return item if isinstance(item, np.ndarray) else ordered(item)

    def item(self, *args: Any) -> Any:
        return float(super().item(*args))

    def __bool__(self) -> bool:
        return bool(_plain(self).any())


@contextmanager
def multiplied(way: Way) -> Iterator[Lift]:
    """What lifts a case's arrays, for the length of a ``with`` block."""
    global _way
    before, _way = _way, way
    try:
        yield Lift(lambda array: np.asarray(_GIVEN(array.astype(np.float64)), object).view(Ordered),
                   lambda scalar: scalar)
    finally:
        _way = before


def plain(x: Any) -> Array:
    """The numbers of an output, as doubles."""
    return np.asarray(_plain(np.asarray(x)), np.float64)
