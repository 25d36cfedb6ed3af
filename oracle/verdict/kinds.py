"""Kinds of failure: what a disagreement means to the author of an implementation."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Kind"]


class Kind(StrEnum):
    """What a failure means, in the order of harm.

    >>> list(Kind)[0], str(Kind.DIGITS)
    (<Kind.FUNCTION: 'another function'>, 'loses digits')
    """

    FUNCTION = "another function"
    MISSING = "missing"
    CRASHES = "crashes"
    REFUSES = "refuses"
    ACCEPTS = "accepts what must be refused"
    DIGITS = "loses digits"
    RANGE = "range"
    SPECIAL = "special values"
    SURROUNDINGS = "surroundings"
