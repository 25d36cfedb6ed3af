"""Truths of dialects, kept like those of the references."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from ..cases.case import Case
from ..cases.registry import followed_by
from ..keeping.sources import source
from ..truth.around import prove_whole
from ..truth.kept_truths import PROOF, in_surroundings, kept_or_made
from ..truth.proof import Truth, prove
from . import table

__all__ = ["dialect_truth"]


@lru_cache(maxsize=8)
def dialect_truth(case: Case, dialect: str) -> dict[str, Truth]:
    """Truth and bound of a shipped case where the op follows a dialect."""

    if case.around:
        return in_surroundings(case, lambda one: dialect_truth(one, dialect), lambda one: _proven(one, dialect),
                               lambda one: prove_whole(_of_dialect(one, dialect)))
    return _proven(case, dialect)


def _proven(case: Case, dialect: str) -> dict[str, Truth]:
    def make() -> dict[str, Truth]:
        return prove(_of_dialect(case, dialect))

    return kept_or_made(make, source(*followed_by(case.spec), PROOF, table.__name__), case.id, dialect)


def _of_dialect(case: Case, dialect: str) -> Case:
    return replace(case, spec=table.DIALECTS[dialect](case.spec))
