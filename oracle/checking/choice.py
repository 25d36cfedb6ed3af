"""Which of the shipped cases are run: those that tell most first, up to a budget of effort.

First come cases with each value of each axis, then each surrounding once, then the rest, the cheap ones first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..cases.case import Case
from ..cases.registry import BadCaseError, chosen_specs
from ..cases.selection import select
from ..cases.spec import DTYPES, Axis, Spec
from ..cases.surroundings.fitting import misfit
from ..cases.surroundings.record import Surroundings
from ..truth.proof import effort
from .arguments import check_op

__all__ = ["BUDGET", "budget", "in_order", "replacements", "spec_of"]

#: Elements times steps of the cases that are run unless all are: two to five seconds of proofs.
BUDGET = 15_000


def budget(all_cases: bool) -> float:
    """The effort that may be spent on cases."""
    return math.inf if all_cases else BUDGET


def spec_of(op: str) -> Spec:
    """The spec of an op by its name.

    Raises:
        BadCaseError: an unknown op.
        TypeError: what is no name.
    """
    check_op(op)
    specs = {spec.name: spec for spec in chosen_specs()}
    if op not in specs:
        raise BadCaseError(f"unknown op {op!r}; known are {', '.join(specs)}")
    return specs[op]


def in_order(op: str, dtypes: Iterable[str] | None = None) -> list[Case]:
    """The shipped cases of an op, those that tell most first.

    Each value of each axis comes first, then each surrounding once, then the cheap ones, and more of those in
    surroundings last. Within each part float32 comes first; the order is always the same.

    Args:
        op: its name.
        dtypes: storage types; float32 and float64 by default.

    Raises:
        BadCaseError: an unknown op or dtype.

    >>> cases = in_order("Adam", ["float64", "float32"])
    >>> cases[0].id, len(cases) == len(select(["Adam"], ["float64", "float32"]))
    ('Adam/float32/default', True)
    """
    spec, wanted = spec_of(op), list(dict.fromkeys(dtypes or ("float32", "float64")))
    for dtype in wanted:
        if dtype not in spec.dtypes:
            raise BadCaseError(f"unknown dtype {dtype!r}; {op} has {', '.join(spec.dtypes)}")
    wanted.sort(key=lambda dtype: (dtype != "float32", DTYPES.index(dtype)))
    shipped = {dtype: select([op], [dtype]) for dtype in wanted}
    bare = {dtype: [case for case in cases if not case.around] for dtype, cases in shipped.items()}
    telling = {case.id: case for dtype in wanted for case in _few_that_cover(bare[dtype])}
    telling |= {case.id: case for case in _each_surrounding_once(case for dtype in wanted for case in shipped[dtype])}
    rest = [case for dtype in wanted for case in sorted(shipped[dtype], key=effort) if case.id not in telling]
    return [*telling.values(), *sorted(rest, key=lambda case: bool(case.around))]


def _each_surrounding_once(cases: Iterable[Case]) -> Iterable[Case]:
    """The first case in each of the surroundings that there are."""
    first: dict[Surroundings, Case] = {}
    for case in cases:
        if case.around:
            first.setdefault(case.around, case)
    return first.values()


def replacements(cases: Sequence[Case], unsupported: Iterable[Case], supports: Callable[[Case], bool]) -> list[Case]:
    """Unsupported cases without what is not supported: such values of axes give way to a supported one.

    Together with the supported cases they cover what is supported as the shipped cases cover all.
    """
    base = next(filter(supports, sorted((case for case in cases if not case.around), key=_count_changes)), None)
    if base is None:
        return []
    left_out = {axis.name: _unsupported_values(axis, base, cases, supports) for axis in base.spec.axes}
    known = {case.id for case in cases}
    found: dict[str, Case] = {}
    for case in unsupported:
        options = {k: base.options[k] if v in left_out[k] else v for k, v in case.options.items()}
        if case.spec.allowed(options, case.dtype) and not misfit(case.spec, options, case.dtype, case.around):
            instead = Case(case.spec, case.dtype, options, 0, case.around)
            if instead.id not in known:
                found[instead.id] = instead
    return list(found.values())


def _unsupported_values(axis: Axis, base: Case, cases: Sequence[Case], supports: Callable[[Case], bool]) -> set[Any]:
    """Values of an axis that are not supported in the place of the one that a supported case has."""
    seen = {*axis.values, *(case.options[axis.name] for case in cases)}
    found = set()
    for value in seen - {base.options[axis.name]}:
        options = {**base.options, axis.name: value}
        if base.spec.allowed(options, base.dtype) and not supports(Case(base.spec, base.dtype, options)):
            found.add(value)
    return found


def _count_changes(case: Case) -> int:
    """How many options are off their default."""
    return sum(value != case.spec.defaults[name] for name, value in case.options.items())


def _few_that_cover(cases: Sequence[Case]) -> Iterator[Case]:
    """Few cases in which every value of every axis stands; but for what only dear ones have."""
    left = [case for case in cases if effort(case) <= BUDGET // 4]
    uncovered = {pair for case in left for pair in case.options.items()} - set(cases[0].options.items())
    yield cases[0]  # where everything is at its default
    while uncovered:
        best = max(left, key=lambda case: len(uncovered & set(case.options.items())) - effort(case) / BUDGET)
        uncovered -= set(best.options.items())
        yield best
