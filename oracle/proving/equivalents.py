"""Mutants that no case can kill: records in ``equivalents.toml``, each with a proof or a reason.

An entry whose ``after`` is a list makes a record of each change in it, for one reason.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any

from ..cases import registry
from . import shared_code
from .mutation import Mutant

__all__ = ["Equivalent", "EquivalentError", "load", "matching", "stale"]

_KEYS = {"id", "op", "function", "before", "after", "reason"}


class EquivalentError(ValueError):
    """A record that cannot be read."""


@dataclass(frozen=True)
class Equivalent:
    """One mutant, by its id or by its change, and why it is no mistake."""

    reason: str
    id: str = ""
    op: str = ""  #: pattern of ops, or of modules that they share, as of ``fnmatch``
    function: str = ""  #: pattern of functions, where the same change stands in several
    before: str = ""
    after: str = ""

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.id or f"{self.op}: {self.before} -> {self.after}"

    def is_for(self, op: str) -> bool:
        """Could it be a mutant of this op?"""
        return fnmatchcase(op, self.op or self.id.partition(":")[0])

    def covers(self, mutant: Mutant) -> bool:
        """Is it this mutant?"""
        if self.id:
            return mutant.id == self.id
        return (self.is_for(mutant.op) and fnmatchcase(mutant.function, self.function or "*")
                and (self.before, self.after) == (mutant.before, mutant.after))


def load(path: Path | None = None) -> list[Equivalent]:
    """The records of a file, the shipped ones by default.

    Raises:
        EquivalentError: a key that is missing or unknown, an empty reason, a record given twice.
    """
    text = (path or resources.files(__package__) / "equivalents.toml").read_text(encoding="utf-8")
    found: list[Equivalent] = []
    for entry in _each_change(tomllib.loads(text).get("equivalent", [])):
        name = entry.get("id") or entry.get("op") or "(no name)"
        if unknown := set(entry) - _KEYS:
            raise EquivalentError(f"equivalent {name!r} has unknown keys: {', '.join(sorted(unknown))}")
        needed = ["reason"] if "id" in entry else ["op", "before", "after", "reason"]
        if missing := [key for key in needed if not str(entry.get(key, "")).strip()]:
            raise EquivalentError(f"equivalent {name!r} lacks {', '.join(missing)}")
        if "id" in entry and set(entry) - {"id", "reason"}:
            raise EquivalentError(f"equivalent {name!r} is given by its id and by its change")
        record = Equivalent(**entry)
        if any((record.name, record.function) == (other.name, other.function) for other in found):
            raise EquivalentError(f"two equivalents are {record.name!r}")
        found.append(record)
    return found


def _each_change(entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Entries of one change each."""
    for entry in entries:
        changes = entry.get("after")
        yield from ({**entry, "after": one} for one in changes or [""]) if isinstance(changes, list) else (entry,)


def matching(equivalents: Iterable[Equivalent], mutant: Mutant) -> Equivalent | None:
    """The record of a mutant, if it has one."""
    return next((record for record in equivalents if record.covers(mutant)), None)


def stale(equivalents: Iterable[Equivalent], ops: Sequence[str], made: Sequence[Mutant],
          killed: Sequence[Mutant]) -> list[tuple[Equivalent, str]]:
    """Records that are wrong by now, and what is wrong: no such mutant is made, or a case kills it.

    Args:
        equivalents: the records.
        ops: the ops and shared modules whose mutants were made; a record is missed only if it is for no others.
        made, killed: all mutants of these ops, and those that a case has killed.
    """
    others = {*registry.specs(), *shared_code.names()} - set(ops)
    found = []
    for record in equivalents:
        if any(map(record.is_for, ops)) and not any(map(record.is_for, others)) and not any(map(record.covers, made)):
            found.append((record, "there is no such mutant"))
        found += [(record, f"a case kills {mutant.id}") for mutant in killed if record.covers(mutant)]
    return found
