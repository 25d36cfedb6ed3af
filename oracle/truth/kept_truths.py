"""Truths that are kept: in memory the latest, on disk all of them, as long as nothing that they follow from changes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from ..cases.case import Case, parse
from ..cases.registry import followed_by
from ..keeping import store
from ..keeping.sources import source
from . import encoding, proof
from .proof import Truth

__all__ = ["PROOF", "kept_or_made", "truth_of"]

PROOF = proof.__name__  #: the module whose source a truth follows from, beside that of its op


@dataclass(frozen=True)
class _Question:
    """What truth is asked for. A case stands for all others of its id."""

    id: str
    accuracy: str
    case: Case = field(compare=False)


def truth_of(case: Case, accuracy: str = "storage") -> dict[str, Truth]:
    """Truth and bound of a shipped case; the latest stay in memory, since every target needs the same."""
    return _truth_of_shipped(_Question(case.id, accuracy, case))


@lru_cache(maxsize=64)
def _truth_of_shipped(asked: _Question) -> dict[str, Truth]:
    case = asked.case if asked.case.shipped else parse(asked.id)
    return kept_or_made(lambda: proof.prove(case, asked.accuracy), source(*followed_by(case.spec), PROOF), case.id,
                        asked.accuracy)


def kept_or_made(make: Callable[[], dict[str, Truth]], *asked: str) -> dict[str, Truth]:
    """The truths that were kept under a question; or new ones, which are kept.

    Args:
        asked: all that the truths follow from.
    """
    kept = store.current()
    asked = ("truth", encoding.__name__, source(encoding.__name__), store.versions(), *asked)
    found = None if kept is None else kept.get(*asked)
    if found is not None:
        return encoding.unpack(found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truths = make()
    if kept is not None:
        kept.put(encoding.pack(truths), *asked)
    return truths
