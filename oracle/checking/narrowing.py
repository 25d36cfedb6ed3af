"""The smallest size that fails: looked for between the largest that passes below it, and the first that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..cases.case import Case
from ..verdict.observation import Observation
from .checker import Checker

__all__ = ["narrow"]


def narrow(checker: Checker, seen: Sequence[Observation]) -> Iterator[Observation]:
    """What else is observed to find the smallest number of elements, and of parameters, that fails.

    It is found where all numbers from some one on fail. Of others some boundary is found, between two numbers of which
    the first passes and the second fails.
    """
    for part in ("size", "tensors"):
        sized = [one for one in seen if _is_number(one.case, part)]
        failing = [one for one in sized if one.record.fails]
        if not failing or any(one.record.fails for one in seen if not one.case.around):
            continue  # a formula that is wrong needs no size
        first = min(failing, key=lambda one: _number(one.case, part))
        upper = _number(first.case, part)
        below = [_number(one.case, part) for one in sized
                 if one.record.sound and one.case.options == first.case.options and _number(one.case, part) < upper]
        yield from _bisect(checker, first.case, part, max(below, default=0), upper)


def _bisect(checker: Checker, case: Case, part: str, lower: int, upper: int) -> Iterator[Observation]:
    """Halve the numbers between one that passes and one that fails; 0 passes."""
    while upper - lower > 1:
        middle = (lower + upper) // 2
        for one in checker.observe([case.within(replace(case.around, **{part: str(middle)}))]):
            yield one
            if one.record.fails:
                upper = middle
                break
        else:
            lower = middle


def _is_number(case: Case, part: str) -> bool:
    """Is this number all that surrounds a case?"""
    text = str(getattr(case.around, part))
    return text.isdecimal() and str(case.around) == f"{part}={text}"


def _number(case: Case, part: str) -> int:
    return int(getattr(case.around, part))
