"""Records that earlier runs made, taken again where all that they follow from is the same.

A record follows from its case, from what the target answers to the last bit, from the waivers, and from the source
of the op and of all that judges. So an answer that was judged once is not judged again by a later run, which need not
even read its truth. Of the references it is known what their answers follow from as well: they are only run again
where one of these things has changed (see :func:`oracle.targets.loading.follows_from`).

Kept is one entry a case: for each target the digest of its latest answer, and the record as the line that it is
written as.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from ..cases.case import Case
from ..keeping import store
from ..verdict.compare import Finding

__all__ = ["KeptVerdicts", "fingerprint"]


_dtype_name = cache(str)  #: of a type, which takes NumPy some time


class KeptVerdicts:
    """What earlier runs found on a case; what is new is kept by :meth:`save`.

    Args:
        judged_by: what a record follows from besides the case and the answer.
    """

    def __init__(self, case: Case, *judged_by: str) -> None:
        self._store = store.current()
        self._asked = ("records", *judged_by, store.versions(), case.id)
        self._lines: dict[str, tuple[str, str]] = {}
        self._changed = False
        found = None if self._store is None else self._store.get(*self._asked)
        if found is not None:
            for entry in found.decode().split("\n"):
                target, answer, line = entry.split("\t")
                self._lines[target] = answer, line

    def get(self, target: str, answer: str | None) -> str | None:
        """The line of the record of an answer, if it is the one that was judged last."""
        known, line = self._lines.get(target, (None, None))
        return line if known == answer else None

    def put(self, target: str, answer: str | None, line: str) -> None:
        """Keep the line of a record of an answer; of one without a digest nothing is kept."""
        if answer is not None:
            self._lines[target] = answer, line
            self._changed = True

    def save(self) -> None:
        """Write what is new."""
        if self._changed and self._store is not None:
            entries = "\n".join("\t".join((target, *known)) for target, known in self._lines.items())
            self._store.put(entries.encode(), *self._asked)


def fingerprint(outputs: Any, failure: Finding | None) -> str | None:
    """A digest of an answer to the last bit; None of one that is not made of arrays.

    >>> one, same, other = (fingerprint({"output": np.float32([zero])}, None) for zero in (0.0, 0.0, -0.0))
    >>> one == same, one == other
    (True, False)
    """
    if failure is not None:
        return store.digest(f"{failure.verdict}\0{failure.note}")
    if not isinstance(outputs, Mapping):
        return None
    parts = [type(outputs).__name__.encode()]  # a Partial is judged otherwise
    for name, array in outputs.items():
        if not isinstance(array, np.ndarray) or array.dtype.hasobject:
            return None
        parts += (f"{name}{array.shape}{_dtype_name(array.dtype)}".encode(), array.tobytes())
    return hashlib.blake2b(b"\0".join(parts), digest_size=20).hexdigest()
