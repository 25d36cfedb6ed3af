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
than what any order loses. Where that is too much for a bound to say anything, :mod:`oracle.truth.proof` takes the order
of the formula.
"""

from __future__ import annotations

import functools
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
_SCALARS = (int, float)
_PLAIN = frozenset((bool, int, float))


@dataclass(slots=True)
class Product:
    """The sizes of a product's factors."""

    given: tuple[Size, ...] = ()
    computed: Size | None = None  #: all computed factors multiplied
    partial: tuple[Size, ...] = ()  #: their partial products, which are multiplied on the way to it
    single: tuple[Size, ...] = ()  #: and each by itself

    def inverse(self) -> Product:
        """The sizes of the factors of 1/x."""
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
    all_highs = sum(highs)
    after = [all_highs - done for done in accumulate(highs, initial=0.0)]  # what the others come to
    whole = product.computed[1] if product.computed else 0.0
    if -math.inf in (whole, *highs[:1]):  # 0 loses nothing
        return 0.0

    def lost(parts: Sequence[Size], numbers: Sequence[int]) -> float:
        return max([_exp2(whole - high + after[j]) for low, high in parts for j in numbers if low + least[j] < tiny],
                   default=0.0)

    starts = (*product.single, *product.partial)
    every = range(len(least))
    return (sum([lost((*starts, _ONE) if j > 1 else starts, [j]) for j in every[1:]])
            + sum([lost([part], every) for part in product.partial]))


def _exp2(x: float) -> float:
    return 2.0**x if x < 1024 else math.inf


@dataclass(slots=True, eq=False)
class _Record:
    """A number that is a product or a sum, or given; all but what it was made of is found out when it is asked."""

    number: Any  #: held, as what it was made of is, so that their identities stay their own
    factors: tuple[Any, ...] = ()  #: two of a product, one that it is but for its sign or a charge, none of others
    inverse: bool = False  #: is the second one a divisor?
    of: Callable[[], tuple[Product, ...]] | None = None  #: the terms, where they do not follow from the factors
    added: Callable[[], Sequence[Any]] | None = None  #: of a sum that is to be multiplied term by term: these
    lost: float | None = None  #: half quanta that the number's ball holds
    reach: Size | None = None
    size: Size | None = None
    terms: tuple[Product, ...] | None = None
    made_of: frozenset[int] | None = None


@dataclass(slots=True, eq=False)
class _Batch:
    """Numbers that one operation made, which get a record each where something is lost."""

    numbers: Sequence[Any]
    record: Callable[[int], _Record]  #: of the i-th number
    roughly: Callable[[], Size]  #: a reach that is no less than the reach of any of them
    known: bool = True  #: has some number more than two factors?
    reach: Size | None = None


class Products:
    """The products of an evaluation in one type, found by the identity of their numbers.

    Numbers are balls: they have ``rad()``, ``is_exact()``, ``is_zero()`` and ``rel_accuracy_bits()``, and ``float``
    gives their midpoint. Those of no width are given. Most operations come nowhere near the subnormal numbers: of their
    numbers only a rough reach is found, one for all. It is coarser than what each number's reach is by a bit a factor
    and more, which is more than what roundings take away.
    """

    def __init__(self, tiny: float) -> None:
        self._tiny = tiny
        self._records: dict[int, _Record | _Batch] = {}
        self._lone: dict[int, tuple[Any, Size]] = {}  #: rough sizes of factors that stand alone: scalars come again
        self.charged = False  #: was anything lost beyond what the balls held?

    def same(self, results: Sequence[Any], numbers: Sequence[Any]) -> None:
        """Numbers have the factors of others: they are those but for their sign, or for what they are charged with."""
        pairs = [(result, x) for result, x in zip(results, numbers, strict=True) if id(x) in self._records]
        if pairs:
            of = [x for _, x in pairs]
            self._note(_Batch([result for result, _ in pairs], lambda i: _Record(pairs[i][0], (of[i],)),
                              lambda: self._roughly(of)))

    def give(self, x: Any) -> None:
        """A number is given though it has a width: a scalar, in double precision."""
        self._records[id(x)] = _Record(x, of=lambda: (Product((_size(x),)),), lost=0.0)

    def scale(self, result: Any, a: Any, b: Any, inverse: bool) -> None:
        """A scalar is the product of two, or their quotient: that loses nothing."""
        self._records[id(result)] = _Record(result, (a, b), inverse, lost=0.0)

    def multiply(self, results: Sequence[Any], firsts: Sequence[Any], seconds: Sequence[Any],
                 inverse: bool = False) -> Sequence[float]:
        """The half quanta by which products (or, with ``inverse``, quotients) have to be charged further, if any.

        A factor of all is given once.
        """
        known = not (self._unknown(firsts) and self._unknown(seconds))  # two factors have one order

        def record(i: int) -> _Record:
            return _Record(results[i], (firsts[i if len(firsts) > 1 else 0], seconds[i if len(seconds) > 1 else 0]),
                           inverse)

        def roughly() -> Size:
            (low, high), (least, largest) = self._roughly(firsts), self._roughly(seconds)
            return (low - largest, high - least) if inverse else (low + least, high + largest)

        return self._charge(_Batch(results, record, roughly, known))

    def power(self, results: Sequence[Any], numbers: Sequence[Any], n: int) -> Sequence[float]:
        """The half quanta by which powers x^n have to be charged further, if any.

        x is computed once, whatever it is a product of.
        """

        def record(i: int) -> _Record:
            return _Record(results[i], of=lambda: (functools.reduce(Product.__mul__, _own(numbers[i]) * n),))

        def roughly() -> Size:
            low, high = _rough_sizes(numbers)
            return n * low, n * high

        return self._charge(_Batch(results, record, roughly, n > 2))

    def add(self, results: Sequence[Any], summed: Sequence[Any], terms: Callable[[int], Sequence[Any]]) -> None:
        """Numbers are the sums of others, each of its terms."""

        def record(i: int) -> _Record:
            def added() -> Sequence[Any]:
                each = terms(i)
                return each if 1 < len(each) <= TERMS else ()

            return _Record(results[i], of=lambda: (*[term for x in added() for term in self._terms(x)],
                                                   *_own(results[i])), added=added)

        def roughly() -> Size:
            (low, high), (least, largest) = self._roughly(summed), _rough_sizes(results)
            return min(low, least), max(high, largest)

        self._note(_Batch(results, record, roughly, known=False))

    def _note(self, batch: _Batch) -> None:
        self._records |= dict.fromkeys(map(id, batch.numbers), batch)

    def _roughly(self, numbers: Sequence[Any]) -> Size:
        """What no partial product of any of these is below, and what none is above."""
        low, high = _ONE
        for found in set(map(self._records.get, map(id, numbers))):
            least, largest = self._rough(numbers) if found is None else found.reach or self._rough_reach(found)
            low, high = min(low, least), max(high, largest)
        return low, high

    def _rough(self, numbers: Sequence[Any]) -> Size:
        if len(numbers) > 1:
            return _rough_sizes(numbers)
        (x,) = numbers
        if id(x) not in self._lone:
            self._lone[id(x)] = x, _rough_sizes(numbers)
        return self._lone[id(x)][1]

    def _rough_reach(self, found: _Record | _Batch) -> Size:
        if found.reach is None:
            found.reach = found.roughly() if isinstance(found, _Batch) else self._reach_of(found)
        return found.reach

    def _safe(self, batch: _Batch) -> bool:
        """Are all partial products of these numbers clear of the subnormal ones?"""
        return self._rough_reach(batch)[0] >= self._tiny + 1

    def _unknown(self, numbers: Sequence[Any]) -> bool:
        """Are they neither products nor sums?"""
        return self._records.keys().isdisjoint(map(id, numbers))

    def _charge(self, batch: _Batch) -> Sequence[float]:
        self._note(batch)
        if not batch.known or self._safe(batch):
            return ()
        further = [self._further(self._record(x)) for x in batch.numbers]
        self.charged = self.charged or any(further)
        return further

    def _record(self, x: Any) -> _Record | None:
        """What is known of a number; of a batch each one gets its own record."""
        found = self._records.get(id(x))
        if found.__class__ is not _Batch:
            return found  # type: ignore[return-value]  # a record, or nothing
        safe = found.known and found.reach is not None and self._safe(found)
        for i, number in enumerate(found.numbers):
            if self._records[id(number)] is found:
                record = self._records[id(number)] = found.record(i)
                record.lost = 0.0 if safe else None
        return self._record(x)

    def _further(self, record: _Record | None) -> float:
        """What a product loses in the worst order beyond what its ball holds."""
        if record is None or (record.factors and self._unknown(record.factors)):
            return 0.0
        if not -math.inf < _size_of(record)[1] < math.inf or self._reach(record.number)[0] >= self._tiny:
            record.lost = 0.0
            return 0.0
        held = self._held(record)
        record.lost = max(sum([half_quanta(term, self._tiny) for term in self._terms(record.number)]), held)
        return record.lost - held

    def _held(self, record: _Record) -> float:
        """The half quanta that a product's ball has from the product itself and from its factors."""
        held = float(_size_of(record)[0] < self._tiny)
        if len(record.factors) == 2:
            (a, b), inverse = record.factors, record.inverse
            if lost := self._lost(a):
                held += lost * _exp2(-_size(b)[1] if inverse else _size(b)[0])
            if lost := self._lost(b):
                held += lost * _exp2(_size(a)[0] - (2 * _size(b)[1] if inverse else 0.0))
        return held

    def _lost(self, x: Any) -> float:
        record = self._record(x)
        if record is None:
            return 0.0
        if record.lost is None:
            if len(record.factors) == 1:
                record.lost = self._lost(record.factors[0])
            elif record.added is not None:
                record.lost = sum([self._lost(term) for term in record.added()])
            else:
                record.lost = self._held(record)
        return record.lost

    def _reach(self, x: Any) -> Size:
        """log2 of what no partial product of a number is below, and of what none is above."""
        record = self._record(x)
        if record is None:
            low, high = _size(x)
            return min(low, 0.0), max(high, 0.0)
        if record.reach is None:
            record.reach = self._reach_of(record)
        return record.reach

    def _reach_of(self, record: _Record) -> Size:
        if record.of is not None:
            spans = [_span([*term.given, *term.single]) for term in self._terms(record.number)]
            return min([low for low, _ in spans]), max([high for _, high in spans])
        first = self._reach(record.factors[0])
        if len(record.factors) == 1:
            return first
        second = self._reach(record.factors[1])
        low, high = (-second[1], -second[0]) if record.inverse else second
        return first[0] + low, first[1] + high

    def _terms(self, x: Any) -> tuple[Product, ...]:
        record = self._record(x)
        if record is None:
            return _own(x)
        if record.terms is None:
            if record.of is not None:
                record.terms = record.of()
            elif len(record.factors) == 1:
                record.terms = self._terms(record.factors[0])
            else:
                record.terms = self._multiplied(record.factors[0], record.factors[1], record.inverse)
        return record.terms

    def _multiplied(self, a: Any, b: Any, inverse: bool) -> tuple[Product, ...]:
        """The terms of a product. Of a sum they are those of a term each, if all else is given."""
        if not self._made_of(a).isdisjoint(self._made_of(b)):  # what occurs twice was computed once
            of_a, of_b = _own(a), _own(b)
        else:
            of_a, of_b = self._terms(a), self._terms(b)
        if len(of_b) > 1 and (inverse or len(of_a) > 1 or of_a[0].computed):
            of_b = _own(b)
        if len(of_a) > 1 and of_b[0].computed:
            of_a = _own(a)
        if inverse:
            of_b = (of_b[0].inverse(),)
        return tuple(x * y for x in of_a for y in of_b)

    def _made_of(self, x: Any) -> frozenset[int]:
        """The products and sums that a number was multiplied from, itself among them."""
        record = self._record(x)
        if record is None:
            return frozenset()
        if record.made_of is None:
            record.made_of = frozenset((id(x),)).union(*[self._made_of(factor) for factor in record.factors])
        return record.made_of


def _span(sizes: Iterable[Size]) -> Size:
    """log2 of the least and of the largest product of some of these."""
    low = high = 0.0
    for least, largest in sizes:
        low, high = low + min(least, 0.0), high + max(largest, 0.0)
    return low, high


def _own(x: Any) -> tuple[Product, ...]:
    """The number as one factor: none if it is ±1."""
    size = _size(x)
    if isinstance(x, _SCALARS) or x.is_exact():
        return (Product() if size == _ONE else Product((size,)),)
    return (Product((), size, single=(size,)),)


def _size_of(record: _Record) -> Size:
    if record.size is None:
        record.size = _size(record.number)
    return record.size


def _size(x: Any) -> Size:
    """log2 of the least and of the largest magnitude."""
    middle, scalar = abs(float(x)), isinstance(x, _SCALARS)
    radius = 0.0 if scalar or x.is_exact() else float(x.rad())
    low, high = middle - radius, middle + radius
    if high == 0:  # exactly, or it is beneath all doubles
        return -math.inf, -math.inf if scalar or x.is_zero() else -1074.0
    return (math.log2(low) if low > 0 else -math.inf), math.log2(high)


def _rough_sizes(numbers: Sequence[Any]) -> Size:
    """The least and the largest size of numbers, at most and at least 0: to a bit, and without those that are 0."""
    sizes = [*map(abs, map(float, numbers))]
    if 0.0 in sizes:
        numbers = [x for x in numbers if not (x == 0 if isinstance(x, _SCALARS) else x.is_zero())]
        sizes = [*map(abs, map(float, numbers))]
    if not numbers:
        return _ONE
    kinds: set[Any] = set(map(type, numbers))
    for kind in kinds - _PLAIN:
        balls = numbers if len(kinds) == 1 else [x for x in numbers if type(x) is kind]
        if 0.0 in sizes or min(map(kind.rel_accuracy_bits, balls)) < 2:  # a radius of more than half the midpoint
            return -math.inf, math.inf
    return min(math.log2(min(sizes)) - 1, 0.0), max(math.log2(max(sizes)) + 1, 0.0)
