"""What planted targets give on cases, for tests of the diagnosis."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from oracle.auditing import judge
from oracle.cases.case import Case
from oracle.cases.selection import select
from oracle.dialects.record import Dialect
from oracle.truth.evaluate import Outputs, answers
from oracle.verdict.diagnosis import Diagnosis, diagnose
from oracle.verdict.observation import Observation
from tests.planted import Planted

FAILURES = 16  #: of a target are enough to tell what it is, and so is the double of it in cases that pass


def observed(answer: Callable[[Case], Outputs], cases: list[Case]) -> Iterator[Observation]:
    """What a target that answers so gives on cases."""
    def quiet(case: Case) -> Outputs:
        with np.errstate(all="ignore"):
            return answer(case)

    target = Planted(quiet)
    for case in cases:
        outputs, failure = judge.answer(case, target)
        yield Observation(case, outputs, judge.judge_answer(case, target.name, outputs, failure, ()))


def short(case: Case) -> bool:
    """Has a case few steps?"""
    return bool(case.options.get("steps", 0) <= 10)


def diagnosed(answer: Callable[[Case], Outputs], op: str, dtype: str, *, around: bool = False) -> Diagnosis:
    """From the first cases that fail, and from some that pass; with ``around`` of those in surroundings too."""
    failing: list[Observation] = []
    passing: list[Observation] = []
    for seen in observed(answer, [case for case in select([op], [dtype], around=around) if short(case)]):
        assert seen.record.verdict != "crashed", seen.record.note
        if seen.record.fails:
            failing.append(seen)
        elif len(passing) < 2 * FAILURES:
            passing.append(seen)
        if len(failing) == FAILURES:
            break
    return diagnose(failing, passing)


def speaking(dialect: Dialect) -> Callable[[Case], Outputs]:
    """Answers by a dialect's rule."""
    return lambda case: answers(dataclasses.replace(case, spec=dialect(case.spec)))


def reference_of(case: Case) -> dict[str, Any]:
    """The reference's own answer."""
    return dict(answers(dataclasses.replace(case)))
