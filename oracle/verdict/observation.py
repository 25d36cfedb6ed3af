"""What an implementation gave on a case, and which of several such observations is the simplest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..cases.case import Case
from ..truth.evaluate import Outputs
from .compare import Verdict
from .magnitudes import floats
from .record import Record

__all__ = ["Observation", "simplest", "simplicity"]


@dataclass(frozen=True)
class Observation:
    """What an implementation gave on a case, and what was said of it."""

    case: Case
    outputs: Outputs  #: empty where there are none
    record: Record

    @property
    def wrong_outputs(self) -> set[str]:
        """The outputs that are there and disagree."""
        return {name for name, (verdict, *_) in self.record.outputs.items()
                if Verdict(verdict).disagrees and verdict != Verdict.MISSING}


def simplest(seen: Iterable[Observation]) -> Observation | None:
    """The one with the fewest options off their default, and then the smallest arrays; None of none."""
    return min(seen, key=simplicity, default=None)


def simplicity(seen: Observation) -> tuple[int, int, str]:
    """A key for sorting: few options off their default come first, then small arrays."""
    case = seen.case
    changed = sum(value != case.spec.defaults[name] for name, value in case.options.items())
    return changed, sum(a.size for a in floats(case.inputs)), case.id
