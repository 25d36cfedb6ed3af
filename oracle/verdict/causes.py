"""A cause of failures: what a diagnosis says of some of the failing cases, with its kind and its simplest case."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import Kind
from .observation import Observation

__all__ = ["Cause"]


@dataclass(frozen=True)
class Cause:
    """Why some of the failing cases fail."""

    kind: Kind
    text: str  #: a sentence without a subject: what the implementation does
    explains: int  #: failing cases that this explains
    of: int  #: failing cases that were looked at, which no cause before this one explains whole
    smallest: Observation | None  #: the simplest case that this explains
    dialect: str | None = None  #: the name of the dialect that it is

    def __str__(self) -> str:
        return f"{self.text} (explains {self.explains} of {self.of})"
