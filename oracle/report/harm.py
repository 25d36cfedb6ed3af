"""What a defect does to users, and to whom: read off the records that show it.

The worst defects give something else than the right number where nothing is special: ordinary numbers, every option at
its default, the implementation that is chosen by itself, arrays that lie as usual. The more has to be chosen before a
defect shows, the fewer users meet it. What raises gives no wrong result, and comes behind these. And where inputs or
the right answer are NaN, infinite or subnormal, it is a convention that few depend on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..cases.case import Case
from ..cases.surroundings.fitting import is_choice
from ..cases.surroundings.memory import LAYOUTS
from ..formats import FORMATS
from ..targets.loading import is_chosen
from ..verdict.compare import Verdict
from ..verdict.magnitudes import extremes, floats
from ..verdict.record import Record
from .digest import number
from .examples import rebuilt

__all__ = ["Harm", "harm_of", "who_is_hit"]

#: A key for sorting, the worst first: is something special, does it raise, how much has to be chosen, and the effect
#: below 0.
Harm = tuple[bool, bool, int, float]

#: The harm of what no record shows.
_NONE_SEEN: Harm = (True, True, 10**6, 0.0)


def harm_of(records: Iterable[Record]) -> Harm:
    """The harm of a defect: that of the record in which it does most."""
    least = _NONE_SEEN
    for harm, record, case in sorted(_rated(records), key=lambda rated: rated[0]):
        if not _is_special(record, case):
            return harm
        least = min(least, (True, *harm[1:]))
    return least


def _rated(records: Iterable[Record]) -> Iterator[tuple[Harm, Record, Case]]:
    """The harm of each record, if nothing is special."""
    for record in records:
        case = rebuilt(record.case)
        if case is not None:
            yield ((False, record.verdict == Verdict.CRASHED, _count_chosen(record, case), -_effect(record)), record,
                   case)


def _count_chosen(record: Record, case: Case) -> int:
    """Options off their default, numbers that are no ordinary ones, another variant, and what surrounds the formula.

    Sizes do not count, and neither do steps: users have many of both.
    """
    spec, around = case.spec, case.around
    options: int = sum(value != spec.defaults[name] for name, value in case.options.items() if is_choice(spec, name))
    return options + is_chosen(record.target) + bool(around.memory) + bool(around.event)


def _effect(record: Record) -> float:
    """The error as a part of the value: 1 where no digit is right."""
    return min(1.0, record.ulp * 2.0 ** (1 - FORMATS[record.dtype].bits))


def _is_special(record: Record, case: Case) -> bool:
    """Is an input, or the right answer, no finite and normal number?"""
    truth = number(record.truth)
    if truth is not None and not math.isfinite(truth):
        return True
    smallest, _ = extremes(case)
    return smallest < FORMATS[case.dtype].tiny or not all(
        np.isfinite(array.astype(np.float64)).all() for array in floats(case.inputs))


def who_is_hit(records: Sequence[Record]) -> list[str]:
    """Whom a defect hits, in a few words each: types, variants, sizes, layouts and events, where not all are hit."""
    cases = [case for record in records if (case := rebuilt(record.case)) is not None]
    said = [", ".join(dict.fromkeys(case.dtype for case in cases)),
            ", ".join(dict.fromkeys(record.target for record in records))]
    around = [case.around for case in cases]
    if around and all(one.size and not one.memory for one in around):
        said.append(f"from {min(math.prod(one.shape) for one in around)} elements on")
    if around and all(one.memory for one in around):
        said += dict.fromkeys(_say_layout(one.memory) for one in around)
    if around and all(one.event for one in around):
        said += dict.fromkeys(one.happening.said for one in around if one.happening is not None)
    return [part for part in said if part]


def _say_layout(memory: str) -> str:
    name, _, role = memory.partition(":")
    return f"where {f'the {role} is' if role else 'arrays are'} {LAYOUTS[name].said}"
