"""Truths that are kept: in memory the latest, on disk all of them, as long as nothing that they follow from changes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from ..cases.case import Case, parse
from ..cases.registry import followed_by
from ..cases.spec import InitSpec
from ..keeping import store
from ..keeping.sources import source
from . import encoding, proof
from .around import is_whole, lay_out, prove_whole, unchanged
from .proof import Truth

__all__ = ["PROOF", "in_surroundings", "kept_or_made", "truth_of"]

PROOF = proof.__name__  #: the module whose source a truth follows from, beside that of its op


@dataclass(frozen=True)
class _Question:
    """What truth is asked for. A case stands for all others of its id."""

    id: str
    accuracy: str
    case: Case = field(compare=False)


def truth_of(case: Case, accuracy: str = "storage") -> dict[str, Truth]:
    """Truth and bound of a shipped case; the latest stay in memory, since every target needs the same."""
    asked = _Question(case.id, accuracy, case)
    return _truth_in_surroundings(asked) if case.around else _truth_of_shipped(asked)


@lru_cache(maxsize=2)
def _truth_in_surroundings(asked: _Question) -> dict[str, Truth]:
    """Of large arrays few stay in memory; they are laid out anew in no time."""
    return in_surroundings(asked.case, lambda one: truth_of(one, asked.accuracy),
                           lambda one: _truth_of_shipped(_Question(one.id, asked.accuracy, one)))


def in_surroundings(case: Case, truths_of: Callable[[Case], dict[str, Truth]],
                    proven: Callable[[Case], dict[str, Truth]],
                    whole: Callable[[Case], dict[str, Truth]] = prove_whole) -> dict[str, Truth]:
    """Truth and bound of a case in surroundings. How memory lies matters to initializers, which fill it in its order.

    Args:
        truths_of: gives those of a case in fewer surroundings.
        proven: proves those of a small case that is drawn as it is.
        whole: proves those of a sum of whole numbers.
    """
    around = case.around if isinstance(case.spec, InitSpec) else case.around.behind_the_truth
    if around != case.around:
        truths = truths_of(case.within(around))
    elif case.laid_out:
        truths = lay_out(case, truths_of(case.base))
    elif is_whole(case):
        truths = whole(case)
    else:
        truths = proven(case)
    return truths | unchanged(case)


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
