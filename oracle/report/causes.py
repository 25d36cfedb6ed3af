"""Why the disagreements of a group happen, as :mod:`oracle.verdict.diagnosis` tells it.

A record says what the worst element was, and no more; so the target is run again on some of the cases, here and now.
Where it does not give what the records say (another version of it, say) there is nothing to tell.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..auditing.judge import answer
from ..checking.check import BUDGET, effort
from ..dialects.table import Dialect, dialects_of
from ..targets.loading import Target
from ..truth.arithmetic import Undecided
from ..truth.evaluate import Outputs
from ..verdict.compare import Verdict
from ..verdict.diagnosis import Observation, depends, diagnose
from ..verdict.follows import follows
from ..verdict.record import Record
from .digest import number
from .examples import element, rebuilt

__all__ = ["Cause", "causes"]

FAILING, PASSING = 12, 24  #: cases on which dialects are tried
COMPARED = 200  #: cases of either sort that are compared where no dialect explains them
SECONDS = 5.0  #: after which a target is run on no further cases of a group


class Cause(NamedTuple):
    """A start of a sentence, and its end."""

    what: str
    text: str


def causes(failing: Sequence[Record], passing: Sequence[Record], target: Target) -> list[Cause]:
    """The dialects that the target follows; where there is none, what its failures depend on.

    Args:
        failing: disagreements of one op and target.
        passing: records of the same that agree.
        target: what gave them.
    """
    deadline = time.monotonic() + SECONDS
    wrong = list(_observed(sorted(failing, key=lambda r: len(r.case)), FAILING, target, deadline))
    if not wrong:
        return [Cause("Not seen again:", "here the target gives something else on these cases, or they are too large")]
    right = list(_observed(_spread(passing, 4 * PASSING), PASSING, target, deadline))
    if matches := diagnose(wrong, right).matches:
        return [Cause("Follows the rule of" if match.explained else "May follow the rule of", _said(match.dialect))
                for match in matches]
    if rules := [dialect for dialect in dialects_of(wrong[0].record.op) if _overflows(dialect, wrong, right)]:
        return [Cause("May follow the rule of", _said(rule)) for rule in rules]
    if not right:
        return []
    right = list(_observed(_spread(passing, COMPARED), COMPARED, target, deadline, math.inf))  # nothing is proven
    every = [Observation(case, {}, r) for r in _spread(failing, COMPARED) if (case := rebuilt(r.case)) is not None]
    return [Cause("Fails", f"{'; '.join(depends(every, right))} ({len(every)} cases that fail beside {len(right)} that "
                           "pass)")]


def _said(dialect: Dialect) -> str:
    return f"{dialect.name}: {dialect.difference} ({dialect.used_by})"


def _spread(records: Sequence[Record], most: int) -> Sequence[Record]:
    """About so many of them, evenly."""
    return records[::max(1, len(records) // most)]


def _observed(records: Sequence[Record], most: int, target: Target, deadline: float,
              budget: float = BUDGET // 2) -> Iterator[Observation]:
    """What the target gives again, on at most so many cases that are not too dear to prove."""
    for record in records:
        case = rebuilt(record.case)
        if case is None or effort(case) > budget:
            continue
        if most == 0 or time.monotonic() > deadline:
            return
        outputs, failure = answer(case, target)
        verdict = failure.verdict if failure else None
        if (verdict is Verdict.CRASHED) if record.verdict == Verdict.CRASHED else (
                verdict is None and _is_that_of(record, outputs)):
            budget -= effort(case)
            most -= 1
            yield Observation(case, outputs, record)


def _is_that_of(record: Record, outputs: Outputs) -> bool:
    """Is the element that decided what it was?"""
    if record.index is None:
        return True
    now, then = element(outputs, record), number(record.got)
    return now == then or (now is not None and then is not None and now != now and then != then)


def _overflows(dialect: Dialect, failing: Sequence[Observation], passing: Sequence[Observation]) -> bool:
    """Does the rule overflow on the way to what is wrong, where the reference does not, and is nothing against it?"""
    if any(seen.record.verdict == Verdict.RANGE for seen in failing):
        return False
    try:
        return (all(follows(seen.case, seen.outputs, seen.record.output, dialect.name) for seen in failing)
                and all(follows(seen.case, seen.outputs, output, dialect.name) for seen in passing
                        for output in seen.record.outputs))
    except Undecided:
        return False
