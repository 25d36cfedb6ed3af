"""Truths of dialects, kept like those of the references."""

from __future__ import annotations

from functools import lru_cache

from ..cases.case import Case
from ..cases.registry import followed_by
from ..keeping.sources import source
from ..truth.kept_truths import PROOF, kept_or_made
from ..truth.proof import Truth, prove
from . import table

__all__ = ["dialect_truth"]


@lru_cache(maxsize=8)
def dialect_truth(case: Case, dialect: str) -> dict[str, Truth]:
    """Truth and bound of a shipped case where the op follows a dialect."""

    def make() -> dict[str, Truth]:
        return prove(Case(table.DIALECTS[dialect](case.spec), case.dtype, case.options, case.draw))

    return kept_or_made(make, source(*followed_by(case.spec), PROOF, table.__name__), case.id, dialect)
