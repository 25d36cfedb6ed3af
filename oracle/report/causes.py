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
from ..checking.choice import BUDGET
from ..dialects.record import Dialect
from ..dialects.table import dialects_of
from ..targets.loading import Target
from ..truth.arithmetic import Undecided
from ..truth.evaluate import Outputs
from ..truth.proof import effort
from ..verdict.compare import Verdict
from ..verdict.diagnosis import depends, diagnose
from ..verdict.follows import follows
from ..verdict.observation import Observation
from ..verdict.record import Record
from .digest import number
from .examples import element, rebuilt

__all__ = ["Cause", "causes"]

FAILING, PASSING = 12, 24  #: cases on which dialects are tried
COMPARED = 200  #: cases of either sort that are compared where no dialect explains them
SECONDS = 5.0  #: after which a target is run on no further cases of a group


class Cause(NamedTuple):
    """A sentence: its start, and its end."""

    what: str
    text: str


def causes(failing: Sequence[Record], passing: Sequence[Record], target: Target) -> list[Cause]:
    """The dialects that the target follows; where there is none, what its failures depend on.

    Args:
        failing: disagreements of one op and target.
        passing: records of the same op and target that agree.
        target: what gave all of these answers.
    """
    deadline = time.monotonic() + SECONDS
    wrong = list(_observe_again(sorted(failing, key=lambda r: ("@" in r.case, len(r.case))), FAILING, target, deadline))
    if not wrong:
        return [Cause("Not seen again:", "here the target gives something else on these cases, or they are too large")]
    right = list(_observe_again(_spread_evenly(passing, 4 * PASSING), PASSING, target, deadline))
    matches = diagnose(wrong, right).matches
    if matches:
        return [Cause("Follows the rule of" if match.explained else "May follow the rule of",
                      _describe_rule(match.dialect)) for match in matches]
    rules = [dialect for dialect in dialects_of(wrong[0].record.op) if _overflows(dialect, wrong, right)]
    if rules:
        return [Cause("May follow the rule of", _describe_rule(rule)) for rule in rules]
    if not right:
        return []
    # For conditions nothing is proven, so that cases may be as dear as they are.
    right = list(_observe_again(_spread_evenly(passing, COMPARED), COMPARED, target, deadline, math.inf))
    every = list(_observe_without_outputs(_spread_evenly(failing, COMPARED)))
    return [Cause("Fails", f"{'; '.join(depends(every, right))} ({len(every)} cases that fail beside {len(right)} that "
                           "pass)")]


def _describe_rule(dialect: Dialect) -> str:
    return f"{dialect.name}: {dialect.difference} ({dialect.used_by})"


def _spread_evenly(records: Sequence[Record], most: int) -> Sequence[Record]:
    """About so many of them, evenly."""
    return records[::max(1, len(records) // most)]


def _observe_again(records: Sequence[Record], most: int, target: Target, deadline: float,
              budget: float = BUDGET // 2) -> Iterator[Observation]:
    """What the target gives where it gives the same as then, on at most so many cases.

    Args:
        records: what it gave then.
        most: cases at most.
        target: what is run again.
        deadline: after which it is run no more.
        budget: elements times steps of all cases together; dearer ones are left out.
    """
    for record in records:
        case = rebuilt(record.case)
        if case is None or effort(case) > budget:
            continue
        if most == 0 or time.monotonic() > deadline:
            return
        outputs, failure = answer(case, target)
        if record.verdict == Verdict.CRASHED:
            is_seen_again = failure is not None and failure.verdict is Verdict.CRASHED
        else:
            is_seen_again = failure is None and _is_same_element(record, outputs)
        if is_seen_again:
            budget -= effort(case)
            most -= 1
            yield Observation(case, outputs, record)


def _observe_without_outputs(records: Sequence[Record]) -> Iterator[Observation]:
    """What records say, for cases that this version knows."""
    for record in records:
        case = rebuilt(record.case)
        if case is not None:
            yield Observation(case, {}, record)


def _is_same_element(record: Record, outputs: Outputs) -> bool:
    """Has the element that decided the value that it had then?"""
    if record.index is None:
        return True
    now, then = element(outputs, record), number(record.got)
    if now is None or then is None:
        return now is then
    return now == then or (math.isnan(now) and math.isnan(then))


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
