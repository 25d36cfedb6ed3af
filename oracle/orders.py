"""What a product loses below the normal numbers, in whatever order its given factors are multiplied.

Above the smallest normal number each multiplication costs a unit in the last place, and the order does not matter.
Below it a partial product loses up to half a quantum, and what it has lost is multiplied by the factors that come
after: (d/N) g/β loses more than (d/β) (g/N) where d is tiny and β small. So the balls of products remember their
factors, and those of sums their terms, since a given number may be multiplied with these before they are added up.

Factors that are given (inputs, gradients from above, counts, scalar arguments) may stand in any order, and between any
two of those that are computed (differences, roots, exponentials); these keep the order that the formula has. A partial
product is then one of the formula's own, c, times some of the given numbers g₁ ≤ g₂ ≤ ... ≤ g_k (by magnitude). With j
of them it is no smaller than c g₁⋯g_j, and what comes after is no larger than the other computed factors times
g_{j+1}⋯g_k. Summed over the multiplications that an order has, with the worst partial product for each, that is no less
than what any order loses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

__all__ = ["Product", "Products", "half_quanta"]

#: log2 of the least and of the largest magnitude that a number can have.
Size = tuple[float, float]

#: Sums of more terms than these are numbers of their own: a later factor is multiplied with the sum.
TERMS = 256

_ONE: Size = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Product:
    """The sizes of a product's factors."""

    given: tuple[Size, ...] = ()
    computed: Size | None = None  #: all computed factors multiplied
    partial: tuple[Size, ...] = ()  #: their partial products, which are multiplied on the way to it
    single: tuple[Size, ...] = ()  #: and each by itself

    def inverse(self) -> Product:
        """Of 1/x."""
        return Product(_inverse(self.given), _inverse((self.computed,))[0] if self.computed else None,
                       _inverse(self.partial), _inverse(self.single))

    def __mul__(self, other: Product) -> Product:
        given, single = self.given + other.given, self.single + other.single
        if self.computed is None or other.computed is None:
            return Product(given, self.computed or other.computed, self.partial + other.partial, single)
        whole = self.computed[0] + other.computed[0], self.computed[1] + other.computed[1]
        return Product(given, whole, (*self.partial, *other.partial, whole), single)


def _inverse(sizes: Iterable[Size]) -> tuple[Size, ...]:
    return tuple((-high, -low) for low, high in sizes)


def half_quanta(product: Product, tiny: float) -> float:
    """The half quanta that the worst order loses, ``tiny`` being log2 of the smallest normal number.

    >>> d, per_n, g, per_beta = ((x, x) for x in (-126.0, -4.0, 1.0, 2.0))
    >>> half_quanta(Product((per_n,), d, single=(d,)), -126)
    1.0
    >>> half_quanta(Product((per_n, g, per_beta), d, single=(d,)), -126)  # d/N, (d/N) g, and all
    13.0
    """
    lows, highs = sorted([low for low, _ in product.given]), sorted([high for _, high in product.given])
    least = list(accumulate(lows, initial=0.0))  # of j of the given numbers
    after = [sum(highs) - done for done in accumulate(highs, initial=0.0)]  # what the others come to
    whole = product.computed[1] if product.computed else 0.0

    def lost(parts: Sequence[Size], numbers: Sequence[int]) -> float:
        return max([_exp2(whole - high + after[j]) for low, high in parts for j in numbers if low + least[j] < tiny],
                   default=0.0)

    starts = (*product.single, *product.partial)
    every = range(len(least))
    return (sum([lost((*starts, _ONE) if j > 1 else starts, [j]) for j in every[1:]])
            + sum([lost([part], every) for part in product.partial]))


def _exp2(x: float) -> float:
    return 2.0**x if x < 1024 else math.inf


@dataclass(slots=True)
class _Record:
    """A number that was multiplied or added up, and once that was asked, of what."""

    number: Any  #: held, so that its identity stays its own
    terms: Callable[[], tuple[Product, ...]]
    known: tuple[Product, ...] | None = None
    lost: float = 0.0  #: half quanta that the number's ball holds
    made_of: frozenset[int] = frozenset()  #: the products that were multiplied


class Products:
    """The products of an evaluation in one type, found by the identity of their numbers.

    Numbers are balls: they have ``rad()``, and ``float`` gives their midpoint. Those of no width are given.
    """

    def __init__(self, tiny: float) -> None:
        self._tiny = tiny
        self._records: dict[int, _Record] = {}

    def same(self, result: Any, x: Any) -> None:
        """A number has the factors of another: it is that one but for its sign, or for what it is charged with."""
        record = self._records.get(id(x))
        if record is not None:
            self._records[id(result)] = _Record(result, lambda: self._terms(x), lost=record.lost,
                                                made_of=record.made_of | {id(x)})

    def give(self, x: Any) -> None:
        """A number is given though it has a width: a scalar, in double precision."""
        self._records[id(x)] = _Record(x, lambda: (Product((_size(x),)),))

    def multiply(self, result: Any, a: Any, b: Any, charged: bool, inverse: bool = False) -> float:
        """The half quanta by which a product (or, with ``inverse``, a/b) has to be charged further.

        Args:
            charged: has it been charged with half a quantum already?
        """
        first, second = self._records.get(id(a)), self._records.get(id(b))
        if first is None and second is None:  # there is one order
            self._records[id(result)] = _Record(result, lambda: self._multiplied(a, b, inverse), lost=float(charged))
            return 0.0
        of_a, of_b = ({id(x)} | record.made_of if record else set() for x, record in ((a, first), (b, second)))
        again = not of_a.isdisjoint(of_b)  # a square: what occurs twice was computed once
        terms = (self._own(a)[0] * self._own(b)[0],) if again else self._multiplied(a, b, inverse)
        lost, held = sum([half_quanta(term, self._tiny) for term in terms]), float(charged)
        if lost > held and first is not None and first.lost:
            held += first.lost * _exp2(-_size(b)[1] if inverse else _size(b)[0])
        if lost > held and second is not None and second.lost:
            held += second.lost * _exp2(_size(a)[0] - (2 * _size(b)[1] if inverse else 0.0))
        self._records[id(result)] = _Record(result, lambda: terms, terms, max(lost, held), frozenset(of_a | of_b))
        return max(lost - held, 0.0)

    def power(self, result: Any, x: Any, n: int, charged: bool) -> float:
        """The same of x^n; x is computed once, whatever it is a product of."""
        (own,) = self._own(x)
        term = own
        for _ in range(n - 1):
            term = term * own
        lost = half_quanta(term, self._tiny)
        self._records[id(result)] = _Record(result, lambda: (term,), (term,), max(lost, float(charged)))
        return max(lost - charged, 0.0)

    def add(self, result: Any, numbers: Callable[[], Iterable[Any]]) -> None:
        """A number is the sum of others."""

        def terms() -> tuple[Product, ...]:
            parts = tuple(numbers())
            inner = [term for x in parts for term in self._terms(x)] if 1 < len(parts) <= TERMS else []
            return *inner, *self._own(result)

        self._records[id(result)] = _Record(result, terms)

    def _terms(self, x: Any) -> tuple[Product, ...]:
        record = self._records.get(id(x))
        if record is None:
            return self._own(x)
        if record.known is None:
            record.known = record.terms()
        return record.known

    @staticmethod
    def _own(x: Any) -> tuple[Product, ...]:
        """The number as one factor: none if it is ±1."""
        size = _size(x)
        if isinstance(x, int | float) or x.rad() == 0:
            return (Product() if size == _ONE else Product((size,)),)
        return (Product((), size, single=(size,)),)

    def _multiplied(self, a: Any, b: Any, inverse: bool) -> tuple[Product, ...]:
        """The terms of a product. Of a sum they are those of a term each, if all else is given."""
        of_a, of_b = self._terms(a), self._terms(b)
        if len(of_b) > 1 and (inverse or len(of_a) > 1 or of_a[0].computed):
            of_b = self._own(b)
        if len(of_a) > 1 and of_b[0].computed:
            of_a = self._own(a)
        if inverse:
            of_b = (of_b[0].inverse(),)
        return tuple(x * y for x in of_a for y in of_b)


def _size(x: Any) -> Size:
    middle = abs(float(x))
    radius = 0.0 if isinstance(x, int | float) else float(x.rad())
    low, high = middle - radius, middle + radius
    return (math.log2(low) if low > 0 else -math.inf), (math.log2(high) if high > 0 else -1074.0)
