"""Diagnosis of an implementation that fails: which dialect it follows, or else what the failures depend on.

A dialect explains a case where every output is what its rule gives, within its own bound. One is named
only if it explains failing cases and contradicts no case, failing or passing. Since an answer that fails is
beyond the reference's bound, a dialect that cannot be told from the reference on these cases explains none.
No dialect explains an output that is missing: that is said by itself, and the rest is explained without it.

Every search has a budget, so that the answer comes: a dialect is tried on the simplest cases up to an effort,
and conditions are tried in a number of combinations.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from reference.optim import SparseGrad

from ..cases.case import Case
from ..cases.spec import Objective, ParamGroup, Trajectory
from ..dialects.table import Dialect, dialects_of
from ..dialects.truths import dialect_truth
from ..truth.arithmetic import Undecided
from ..truth.evaluate import Outputs
from ..truth.proof import effort
from .compare import Verdict, compare
from .distribution import claim_of, judge_draws
from .record import Record
from .specials import SPECIALS

__all__ = ["EFFORT", "Diagnosis", "Match", "Observation", "depends", "diagnose", "floats", "simplest"]


@dataclass(frozen=True)
class Observation:
    """What an implementation gave on a case, and what was said of it."""

    case: Case
    outputs: Outputs  #: empty where there are none
    record: Record


@dataclass(frozen=True)
class Match:
    """A dialect that explains every failure, or one that rounding lets nobody tell from what was seen."""

    dialect: Dialect
    explained: int  #: cases that are what the dialect's rule gives; without any, rounding decides them all
    of: int  #: cases on which the dialect decides anything
    share: float  #: of the dialect's bound that the largest error of a case is, on average

    def __str__(self) -> str:
        if not self.explained:
            return f"may be {self.dialect}: on all {self.of} cases that fail, that rule's result is lost in rounding"
        return f"matches {self.dialect} on {self.explained} of {self.of} cases"


@dataclass(frozen=True)
class Diagnosis:
    """Why cases fail, as far as it can be told."""

    matches: tuple[Match, ...]  #: dialects that explain all failures, the most specific first
    conditions: tuple[str, ...]  #: what the failures depend on, where no dialect explains them
    smallest: Observation | None  #: the simplest failing case; none where nothing fails
    lacks: tuple[str, ...] = ()  #: answers and outputs that are missing, each with the cases in which it is
    defaults: tuple[str, ...] = ()  #: arguments whose default is another one

    def __str__(self) -> str:
        if self.smallest is None:
            return "nothing fails"
        lines = [f"has another default: {default}" for default in self.defaults]
        lines += [f"gives no {output}" for output in self.lacks]
        lines += [str(match) + f"\n  {match.dialect.difference}" for match in self.matches]
        lines += [f"fails {condition}" for condition in self.conditions]
        return "\n".join([*lines, f"smallest failing case: {self.smallest.case.id}"])


def diagnose(failing: Sequence[Observation], passing: Sequence[Observation]) -> Diagnosis:
    """Say what an implementation of one op does instead of what it should.

    Args:
        failing: every case that fails.
        passing: cases that pass, which a dialect has to explain too.

    Returns:
        The dialects that explain all failures; where there are none, the conditions on which failures depend.
    """
    if not failing:
        return Diagnosis((), (), None)
    in_order = sorted(failing, key=_simplicity)
    lacks = tuple(_lacking([*in_order, *passing]))
    wrong = [seen for seen in in_order if not _is_but_incomplete(seen)]
    crashed = [seen for seen in wrong if not seen.outputs]
    if crashed and len(crashed) < len(failing):  # else there is nothing to explain them with
        others = [seen.case for seen in [*in_order, *passing] if seen.outputs]
        lacks = (f"answer ({_errors(crashed)}), {'; '.join(_conditions([s.case for s in crashed], others))}", *lacks)
        wrong = [seen for seen in wrong if seen.outputs]
    if not wrong:
        return Diagnosis((), (), in_order[0], lacks)
    right = sorted([*passing, *filter(_is_but_incomplete, in_order)], key=_simplicity)
    matches = _matches(wrong, right)
    if matches:
        return Diagnosis(tuple(matches), (), in_order[0], lacks)
    special, rest = _specials(wrong)
    if rest and special and len(whole := depends(wrong, right)) == 1 and whole[0].startswith(("only ", "in every ")):
        return Diagnosis((), whole, in_order[0], lacks)  # one condition says more than causes of some failures
    matches = _matches(rest, right) if special else []
    left = () if matches or not rest else depends(rest, right)
    return Diagnosis(tuple(matches), (*special, *left), in_order[0], lacks)


def simplest(seen: Iterable[Observation]) -> Observation | None:
    """The one with the fewest options off their default, and then the smallest arrays; None of none."""
    return min(seen, key=_simplicity, default=None)


def depends(failing: Sequence[Observation], passing: Sequence[Observation]) -> tuple[str, ...]:
    """The conditions on which failures depend; of what fails no outputs are needed."""
    wrong = {name for seen in failing for name in _failing_outputs(seen)}
    return _conditions([s.case for s in failing], [s.case for s in passing if _tells(s, wrong)])


# --- dialects ------------------------------------------------------------------------------------

class _Evidence(Enum):
    FOR = "every output that fails is what the rule gives"
    ROUNDED = "so it is, but the rule's bound is wide enough for much else"
    SILENT = "the rule decides nothing here"
    AGAINST = "an output is not what the rule gives"


#: Elements times steps of the cases on which a dialect is tried: some 20 seconds of proofs.
EFFORT = 48_000


def _matches(failing: Sequence[Observation], passing: Sequence[Observation]) -> list[Match]:
    """The dialects that explain the failures, the most specific first; cases come in order of simplicity.

    Of a dialect that changes several things, and one that changes some of them and explains as much, only the second
    is named: a name says no more than what was seen.
    """
    if not failing or not all(seen.outputs for seen in failing):
        return []
    failing, passing = list(_within_budget(failing)), list(_within_budget(passing))
    found = [match for dialect in dialects_of(failing[0].case.spec.name)
             if (match := _match(dialect, failing, passing)) is not None]
    found = [match for match in found if match.explained] or found
    explained = {match.dialect.name: match.explained for match in found}
    simplest = [match for match in found
                if not any(explained.get(part, -1) >= match.explained for part in match.dialect.parts)]
    return sorted(simplest, key=lambda match: (-match.explained, -match.share))  # a narrow bound leaves a large share


def _within_budget(seen: Sequence[Observation]) -> Iterator[Observation]:
    """The first ones, up to an effort; always one."""
    left = EFFORT
    for one in seen:
        if left > 0:
            yield one
        left -= effort(one.case)


def _match(dialect: Dialect, failing: Sequence[Observation], passing: Sequence[Observation]) -> Match | None:
    """The dialect, if no case contradicts it and some failure follows it."""
    evidence, shares = [], []
    for seen in itertools.chain(failing, passing):
        found, share = _evidence(dialect, seen)
        if found is _Evidence.AGAINST:
            return None
        evidence.append(found)
        shares.append(share)
    of_failing = evidence[:len(failing)]
    explained = evidence.count(_Evidence.FOR)
    if _Evidence.FOR in of_failing:
        return Match(dialect, explained, explained, float(np.mean(shares)))
    return Match(dialect, 0, len(failing), float(np.mean(shares))) if set(of_failing) == {_Evidence.ROUNDED} else None


def _evidence(dialect: Dialect, seen: Observation) -> tuple[_Evidence, float]:
    """Does what was seen speak for a dialect? And the largest share of its bound that is used."""
    case = seen.case
    if "draws" in seen.outputs:
        return _drawn(dialect, seen), 0.0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            truths = dialect_truth(case, dialect.name)
        except Undecided:
            return _Evidence.SILENT, 0.0
        findings = compare(seen.outputs, {
            name: truth.at_steps_of(seen.outputs[name]) if case.spec.stacked and "param[" not in name else truth
            for name, truth in truths.items() if name in seen.outputs})
    if any(f.verdict.disagrees and f.verdict is not Verdict.RANGE for f in findings):
        return _Evidence.AGAINST, math.inf
    failing = _failing_outputs(seen)
    verdicts = {f.verdict for f in findings if f.output in failing or not failing}
    if not verdicts or verdicts & {Verdict.RANGE, Verdict.UNDECIDED}:
        return _Evidence.SILENT, 0.0
    share = max((f.share for f in findings if f.verdict is Verdict.WITHIN), default=0.0)
    return _Evidence.ROUNDED if Verdict.VACUOUS in verdicts else _Evidence.FOR, share


def _drawn(dialect: Dialect, seen: Observation) -> _Evidence:
    """The same of numbers that are judged by their distribution: by that which the dialect gives."""
    try:
        alarms = None if dialect.claims is None else judge_draws(list(seen.outputs["draws"]),
                                                                 claim_of(seen.case, dialect.claims))
    except ValueError:  # it has none for such arguments
        alarms = None
    if alarms:
        return _Evidence.AGAINST
    return _Evidence.FOR if alarms is not None and seen.record.fails else _Evidence.SILENT


def _tells(seen: Observation, names: set[str]) -> bool:
    """Can a mistake in one of these outputs show? Not where they are all 0, infinite or NaN."""
    values = [np.asarray(seen.outputs[name]) for name in names if name in seen.outputs]
    return not names or any(bool(np.any(np.isfinite(v) & (v != 0))) for v in values)


def _failing_outputs(seen: Observation) -> set[str]:
    """The outputs that are there and disagree."""
    return {name for name, (verdict, *_) in seen.record.outputs.items()
            if Verdict(verdict).disagrees and verdict != Verdict.MISSING}


# --- what is no rule -----------------------------------------------------------------------------

def _specials(failing: Sequence[Observation]) -> tuple[list[str], list[Observation]]:
    """What is said of failures that have a special cause, and the failures that have none."""
    said, left = [], list(failing)
    for what, holds in SPECIALS.items():
        found = {seen.case.id for seen in _within_budget([s for s in left if s.outputs]) if _has_cause(seen, holds)}
        if found:
            said.append(f"{what}, in {len(found)} of {len(failing)} cases")
            left = [seen for seen in left if seen.case.id not in found]
    return said, left


def _has_cause(seen: Observation, holds: Callable[..., bool]) -> bool:
    wrong = _failing_outputs(seen)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return bool(wrong) and holds(seen.case, seen.outputs, wrong)
        except Undecided:
            return False


# --- what is missing -----------------------------------------------------------------------------

def _missing_outputs(seen: Observation) -> set[str]:
    return {name.partition("[")[0] for name, (verdict, *_) in seen.record.outputs.items()
            if verdict == Verdict.MISSING}


def _is_but_incomplete(seen: Observation) -> bool:
    """Does a case fail for what is missing alone?"""
    return seen.record.verdict == Verdict.MISSING and not _failing_outputs(seen)


def _errors(crashed: Sequence[Observation]) -> str:
    """What was raised most often, and in how many cases."""
    (note, n), *others = Counter(seen.record.note for seen in crashed).most_common()
    return f"{note[:100]} in {n} cases" + (f", {len(others)} other errors" if others else "")


def _lacking(seen: Sequence[Observation]) -> Iterator[str]:
    """Each output that is missing somewhere, and where."""
    missing = [(one.case, _missing_outputs(one)) for one in seen]
    for name in sorted(set().union(*(names for _, names in missing))):
        lacking = [case for case, names in missing if name in names]
        having = [one.case for one in seen if name in {output.partition("[")[0] for output in one.outputs}]
        yield f"{name}, {'; '.join(_conditions(lacking, having))}"


_MOST = 4  #: ways to fail that are worth saying where none says it all
_FEW = 60  #: conditions, of which every three are tried together


# --- what failures depend on ---------------------------------------------------------------------

@dataclass(frozen=True)
class _Condition:
    """Something that holds for a case or not, and how to say it."""

    said: str
    holds: Callable[[Case], bool]


def _conditions(failing: Sequence[Case], passing: Sequence[Case]) -> tuple[str, ...]:
    """What failing cases have in common and passing ones have not, in as few conditions as possible.

    First those that tell them apart. Then those that every failing case meets and most others do not, for a
    mistake may not show everywhere. Then several that no passing case meets, and which together hold for every
    failing one.
    """
    if not passing:
        return ("in every case that could tell",)
    rows = {c: (np.array([c.holds(case) for case in failing]), np.array([c.holds(case) for case in passing]))
            for c in _candidates(failing, passing)}
    pure = []  # conjunctions that no passing case meets, the shortest first
    for size in (1, 2, 3) if len(rows) <= _FEW else (1, 2):
        for chosen in itertools.combinations(rows, size):
            of_failing = np.logical_and.reduce([rows[c][0] for c in chosen])
            if of_failing.any() and not np.logical_and.reduce([rows[c][1] for c in chosen]).any():
                if of_failing.all():
                    return ("only " + _together(chosen),)
                pure.append((chosen, of_failing))
    common, beside = _common({c: held for c, (of_failing, held) in rows.items() if of_failing.all()}, len(passing))
    if common and beside <= len(failing):
        where = f", in {len(failing)} of {len(failing) + beside} such cases" if beside else ""
        return (f"only {_together(common)}{where}",)
    return tuple(_cover(pure, len(failing)))


def _common(met: Mapping[_Condition, Any], n: int) -> tuple[list[_Condition], int]:
    """Of conditions that every failing case meets those that halve the passing ones, and how many of n are left.

    >>> _common({"a": [True, False], "b": [False, True]}, 2)
    (['a', 'b'], 0)
    """
    chosen: list[_Condition] = []
    left = np.ones(n, bool)
    while met and left.any():
        best = min(met, key=lambda c: (left & met[c]).sum())
        if 2 * (left & met[best]).sum() > left.sum():
            break
        chosen.append(best)
        left = left & met[best]
    return chosen, int(left.sum())


def _together(conditions: Iterable[_Condition]) -> str:
    return " and ".join(condition.said for condition in conditions)


def _cover(pure: Sequence[tuple[tuple[_Condition, ...], Any]], n: int) -> Iterator[str]:
    """A few conjunctions that together hold for most of n failing cases, the widest first; then what is left."""
    left = np.ones(n, bool)
    held = np.array([holds for _, holds in pure], bool).reshape(-1, n)
    size = np.array([len(chosen) for chosen, _ in pure])
    for _ in range(_MOST):
        met = (held & left).sum(axis=1)
        if not left.any() or not met.any():
            break
        best = int(np.lexsort((size, -met))[0])  # the widest, and of these the first of the shortest
        yield f"in {met[best]} of {n} cases, always {_together(pure[best][0])}"
        left &= ~held[best]
    if left.any():
        untold = "that no argument tells from those that pass" if not (held & left).any() else "in other ways"
        yield f"in {left.sum()} of {n} cases {untold}"


def _candidates(failing: Sequence[Case], passing: Sequence[Case]) -> list[_Condition]:
    """Values of axes, storage types and magnitudes, which some failing case has and some passing one has not."""
    seen = [*failing, *passing]
    found = []
    for axis in failing[0].spec.axes:
        for value in {case.options[axis.name] for case in failing}:
            found.append(_Condition(f"with {axis.name}={value}", _has(axis.name, value)))
        found.append(_Condition(f"with {axis.name} other than {axis.values[0]}", _has_other(axis.name, axis.values[0])))
    for dtype in {case.dtype for case in failing}:
        found.append(_Condition(f"in {dtype}", _stored_in(dtype)))
    found.append(_Condition("in half types", lambda case: case.dtype in ("float16", "bfloat16")))
    sizes = {case.id: _magnitudes(case) for case in seen}
    power = math.floor(math.log10(min(sizes[case.id][1] for case in failing)))
    found.append(_Condition(f"above 1e{power}", lambda case: sizes[case.id][1] > 10.0**power))
    floor = math.ceil(math.log10(max(sizes[case.id][0] for case in failing)))
    found.append(_Condition(f"below 1e{floor}", lambda case: sizes[case.id][0] < 10.0**floor))
    distinct: dict[tuple[bool, ...], _Condition] = {}
    for condition in found:  # of those that hold for the same cases the first says it
        distinct.setdefault(tuple(condition.holds(case) for case in seen), condition)
    return [c for row, c in distinct.items() if not all(row)]


def _has(axis: str, value: Any) -> Callable[[Case], bool]:
    return lambda case: bool(case.options[axis] == value)


def _has_other(axis: str, value: Any) -> Callable[[Case], bool]:
    return lambda case: bool(case.options[axis] != value)


def _stored_in(dtype: str) -> Callable[[Case], bool]:
    return lambda case: case.dtype == dtype


def floats(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """The floating arrays of a case's inputs, an objective's among them."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fV":  # bfloat16 has the kind V
            yield value
    elif isinstance(value, Trajectory):
        yield from floats((value.groups, value.gradients, value.objective))
    elif isinstance(value, ParamGroup):
        yield from floats(value.params)
    elif isinstance(value, SparseGrad):
        yield from floats(value.values)
    elif isinstance(value, Objective):
        yield from floats((value.blocks, value.target, value.answers))
    elif isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from floats(part)


def _magnitudes(case: Case) -> tuple[float, float]:
    """The smallest and the largest finite number above 0 among the inputs' absolute values; 1 without any."""
    sizes = np.abs(np.concatenate([np.ravel(a.astype(np.float64)) for a in floats(case.inputs)] or [np.ones(1)]))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    return (float(sizes.min()), float(sizes.max())) if sizes.size else (1.0, 1.0)


def _simplicity(seen: Observation) -> tuple[int, int, str]:
    """Few options off their default, then small arrays."""
    case = seen.case
    return (sum(value != case.spec.defaults[name] for name, value in case.options.items()),
            sum(a.size for a in floats(case.inputs)), case.id)
