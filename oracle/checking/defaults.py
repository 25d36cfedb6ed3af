"""Which failures come from a default that is not torch's: cases are run again with torch's passed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..verdict.observation import Observation
from .checker import Checker
from .implementation import Implementation
from .signature import leaves_to_default

__all__ = ["Defaults"]


@dataclass(frozen=True)
class Defaults:
    """Defaults that are not torch's, and the failing cases that pass once torch's are passed."""

    differing: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)  #: by argument, its own and torch's
    healed: frozenset[str] = frozenset()  #: ids of cases

    @classmethod
    def of(cls, op: str, asked: Implementation, differing: Mapping[str, tuple[Any, Any]],
           seen: Sequence[Observation], **limits: Any) -> Defaults:
        """Run the failing cases that leave such an argument out again, with torch's default passed.

        Args:
            op: torch's name.
            asked: what was handed in.
            differing: defaults that are not torch's, by argument: its own and torch's.
            seen: all that was seen of it.
            limits: options of :class:`Checker`.
        """
        failing = [one.case for one in seen if one.record.fails]
        touched = [case for case in failing if any(leaves_to_default(case, name) for name in differing)]
        if not touched:
            return cls()
        explicit = replace(asked, passed={name: torchs for name, (_, torchs) in differing.items()})
        with contextlib.closing(Checker(op, explicit, **limits)) as checker:
            return cls(differing, frozenset(one.case.id for one in checker.observe(touched) if one.record.sound))

    def explanations(self, judged: Sequence[Observation]) -> Iterator[str]:
        """A line for each default that explains some failures."""
        for name, (own, torchs) in self.differing.items():
            left_out = [one for one in judged if one.record.fails and leaves_to_default(one.case, name)]
            healed = sum(one.case.id in self.healed for one in left_out)
            if healed:
                yield (f"{name} is {own!r}, torch's is {torchs!r}: of the {len(left_out)} failing cases that leave it "
                       f"out {healed} pass with torch's")
