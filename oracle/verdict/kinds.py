"""Kinds of failure: what a disagreement means to the author of an implementation. Each is derived, by no threshold.

The first rule that holds gives the kind of a failing case:

* an output that torch gives is not there: :attr:`Kind.MISSING`;
* there is no answer: :attr:`Kind.REFUSES` where the implementation's own check raised one of :data:`REFUSALS`, else
  :attr:`Kind.CRASHES`; and where an answer came although it had to refuse, :attr:`Kind.ACCEPTS`;
* another case with the same options and no surroundings passes: :attr:`Kind.SURROUNDINGS`;
* each element that fails was lost to the type's range (its verdict is ``range``), or is an answer of 0 to a truth that
  is subnormal: :attr:`Kind.RANGE`;
* each element that fails has a truth that is no ordinary number (NaN, an infinity, a zero whose sign is wrong), or the
  inputs of the case hold NaN or an infinity: :attr:`Kind.SPECIAL`;
* what is left changes the function or its digits. A dialect or a mutant that explains it decides: where its truth
  equals the reference's, it is :attr:`Kind.DIGITS`, else :attr:`Kind.FUNCTION`. Where nothing explains it, the
  implementation is asked the same inputs in float64: an answer within the bound of the narrower type is the same
  function with digits lost, one beyond that bound is another function.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Kind"]


class Kind(StrEnum):
    """What a disagreement means, the most harmful kind first.

    >>> sorted([Kind.SPECIAL, Kind.FUNCTION, Kind.DIGITS], key=lambda kind: kind.rank)[0].value
    'another function'
    """

    FUNCTION = "another function"  #: the truth of what it computes is another one
    MISSING = "missing"  #: an output or gradient that torch gives is not there
    CRASHES = "crashes"  #: no answer, and nothing that says why
    REFUSES = "refuses"  #: no answer, by a check of its own
    ACCEPTS = "accepts what must be refused"  #: an answer where torch raises an error
    DIGITS = "loses digits"  #: the same function, further from the truth than rounding explains
    RANGE = "range"  #: overflow, underflow, or subnormal numbers taken for 0
    SPECIAL = "special values"  #: NaN, infinities and the signs of zeros
    SURROUNDINGS = "surroundings"  #: right on a few numbers, wrong for their size, layout, time or ownership

    @property
    def rank(self) -> int:
        """0 for the kind that does most harm."""
        return _BY_RANK.index(self)


_BY_RANK = tuple(Kind)
