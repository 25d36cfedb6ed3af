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
from . import encoding
from .proof import Truth, prove

__all__ = ["PROOF", "kept_or_made", "truth_of"]


@dataclass(frozen=True)
class _Asked:
    """A case stands for all others of its id."""

    id: str
    accuracy: str
    case: Case = field(compare=False)


@lru_cache(maxsize=64)
def _truth(asked: _Asked) -> dict[str, Truth]:
    case = asked.case if asked.case.shipped else parse(asked.id)
    return kept_or_made(lambda: prove(case, asked.accuracy), source(*followed_by(case.spec), PROOF),
                 case.id, asked.accuracy)


PROOF = prove.__module__


def kept_or_made(made: Callable[[], dict[str, Truth]], *asked: str) -> dict[str, Truth]:
    """Truths that were kept for this, or are made, and kept, now."""
    kept = store.current()
    asked = ("truth", encoding.__name__, source(encoding.__name__), store.versions(), *asked)
    if kept is not None and (found := kept.get(*asked)) is not None:
        return encoding.unpack(found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truths = made()
    if kept is not None:
        kept.put(encoding.pack(truths), *asked)
    return truths


def truth_of(case: Case, accuracy: str = "storage") -> dict[str, Truth]:
    """Truth and bound of a shipped case; the latest stay in memory, since every target needs the same."""
    return _truth(_Asked(case.id, accuracy, case))
