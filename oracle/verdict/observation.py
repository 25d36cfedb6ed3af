"""What an implementation gave on a case, and which of several such observations is the simplest."""

from __future__ import annotations

import math
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
    """The first by :func:`simplicity`; None of none."""
    return min(seen, key=simplicity, default=None)


def simplicity(seen: Observation) -> tuple[int, int, int, str]:
    """A key for sorting: few surroundings come first, and few options off their default, then few numbers.

    Where there are surroundings a number matters before an option: a size that fails is to be small.
    """
    case = seen.case
    changed = sum(value != case.spec.defaults[name] for name, value in case.options.items())
    numbers = _count_numbers(case)
    first, second = (numbers, changed) if case.around else (changed, numbers)
    return len(str(case.around).split(",")) if case.around else 0, first, second, case.id


def _count_numbers(case: Case) -> int:
    """How many floating numbers a case has; where they are laid out, about how many, and none is laid out for that."""
    if not case.laid_out:
        return sum(a.size for a in floats(case.inputs))
    if case.around.size:
        return math.prod(case.around.shape) * int(case.around.tensors or 1)
    return sum(a.size for a in floats(case.base.inputs)) * int(case.around.tensors)
