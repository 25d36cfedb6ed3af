"""What a dialect is: a record of a known variant, with the rule that it follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..cases.spec import Spec
from ..truth.claims import Claims

__all__ = ["Dialect"]


@dataclass(frozen=True)
class Dialect:
    """A known variant of an op.

    >>> from oracle.dialects.table import DIALECTS
    >>> print(DIALECTS["asgd-float32-rates"])
    `ASGD` with rates in float32 (torch 2.0 to 2.13)
    """

    name: str  #: short and unique: what waivers and reports call it
    op: str
    title: str  #: what follows "with", in a few words
    difference: str  #: in mathematics, one line
    used_by: str  #: framework, paper, version
    changed: Callable[[Any], Spec]
    parts: tuple[str, ...] = ()  #: names of dialects that change some of what this one changes
    claims: Claims | None = None  #: of a random initializer: how what it draws is distributed

    def __call__(self, spec: Spec) -> Spec:
        """The spec of the op with the dialect's rule in it."""
        if spec.name != self.op:
            raise ValueError(f"dialect {self.name!r} is one of {self.op}, not of {spec.name}")
        return self.changed(spec)

    def __str__(self) -> str:
        return f"`{self.op}` with {self.title} ({self.used_by})"
