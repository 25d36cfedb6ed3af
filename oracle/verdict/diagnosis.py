"""Diagnosis of an implementation that fails: which dialect it follows, or else what the failures depend on.

What is said is found in this order, and each part is explained without what was said before it:

* what is missing, and where nothing is answered at all: no dialect explains an output that is not there;
* the dialects that explain all the rest (:mod:`.matching`);
* causes that are no rule of an op (:mod:`.specials`), and the dialects that explain what they leave;
* what the failures depend on (:mod:`.conditions`).

Cases without surroundings come first. Where they fail, a case in surroundings that fails as they do says nothing new;
one that fails although others of its options pass fails for its surroundings, and these are named.

Every search has a budget, so that the answer comes: a dialect is tried on the simplest cases up to an effort,
and conditions are tried in a number of combinations.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..cases.case import Case
from ..truth.arithmetic import Undecided
from ..truth.history import OVERWRITTEN
from .compare import Verdict
from .conditions import separate
from .matching import Match, explains, find_matches, within_budget
from .observation import Observation, simplicity
from .specials import SPECIALS

__all__ = ["Diagnosis", "depends", "diagnose"]


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
    in_order = sorted(failing, key=simplicity)
    bare, surrounded = _split_surrounded(in_order, passing)
    if not bare:
        matches = find_matches(in_order, sorted(passing, key=simplicity))
        return Diagnosis(tuple(matches), () if matches else tuple(_say_surroundings(in_order, passing)), in_order[0])
    found = _diagnose_formula(bare, [seen for seen in passing if not seen.case.around])
    left = [seen for seen in surrounded if not any(explains(match.dialect, seen) for match in found.matches)]
    return replace(found, conditions=(*found.conditions, *_say_surroundings(left, passing)))


def _diagnose_formula(in_order: Sequence[Observation], passing: Sequence[Observation]) -> Diagnosis:
    """What is said of cases without surroundings, in the order of their simplicity."""
    first = in_order[0]
    lacks = tuple(_say_missing([*in_order, *passing]))
    wrong = [seen for seen in in_order if not _is_only_incomplete(seen)]
    crashed = [seen for seen in wrong if not seen.outputs]
    if crashed and len(crashed) < len(in_order):  # else there is nothing to explain them with
        lacks = (_say_crashed(crashed, [*in_order, *passing]), *lacks)
        wrong = [seen for seen in wrong if seen.outputs]
    if not wrong:
        return Diagnosis((), (), first, lacks)
    right = sorted([*passing, *filter(_is_only_incomplete, in_order)], key=simplicity)
    matches = find_matches(wrong, right)
    if matches:
        return Diagnosis(tuple(matches), (), first, lacks)
    special, rest = _split_specials(wrong)
    if special and rest:
        whole = depends(wrong, right)
        if len(whole) == 1 and whole[0].startswith(("only ", "in every ")):
            return Diagnosis((), whole, first, lacks)  # one condition says more than causes of some failures
    matches = find_matches(rest, right) if special else []
    left = depends(rest, right) if rest and not matches else ()
    return Diagnosis(tuple(matches), (*special, *left), first, lacks)


def depends(failing: Sequence[Observation], passing: Sequence[Observation]) -> tuple[str, ...]:
    """The conditions on which failures depend; of what fails no outputs are needed."""
    bare, surrounded = _split_surrounded(failing, passing)
    if not bare:
        return tuple(_say_surroundings(surrounded, passing))
    right = [seen for seen in passing if not seen.case.around]
    return (*_depends_on_one_set(bare, right), *_say_surroundings(surrounded, passing))


def _depends_on_one_set(failing: Sequence[Observation], passing: Sequence[Observation]) -> tuple[str, ...]:
    wrong = {name for seen in failing for name in seen.wrong_outputs}
    return separate([seen.case for seen in failing], [seen.case for seen in passing if _could_show(seen, wrong)])


def _could_show(seen: Observation, names: set[str]) -> bool:
    """Can a mistake in one of these outputs show? Not where they are all 0, infinite or NaN."""
    values = [np.asarray(seen.outputs[name]) for name in names if name in seen.outputs]
    return not names or any(bool(np.any(np.isfinite(v) & (v != 0))) for v in values)


# --- surroundings --------------------------------------------------------------------------------


def _split_surrounded(failing: Sequence[Observation],
                      passing: Sequence[Observation]) -> tuple[list[Observation], list[Observation]]:
    """Failing cases without surroundings, and those that fail for their surroundings: others of their options pass.

    Where no case without surroundings fails, all fail for their surroundings.
    """
    bare = [seen for seen in failing if not seen.case.around]
    surrounded = [seen for seen in failing if seen.case.around]
    if bare:
        right = {_kind(seen.case) for seen in passing}
        surrounded = [seen for seen in surrounded if _kind(seen.case) in right]
    return bare, surrounded


def _kind(case: Case) -> tuple[Any, ...]:
    """Cases of one kind differ in nothing but their surroundings."""
    return case.dtype, *case.options.values()


#: What an implementation does where an output is wrong that has to stay as it was.
_TOUCHES = {OVERWRITTEN: "by writing to memory beside its arrays", "gradient": "by changing p.grad"}


def _say_surroundings(failing: Sequence[Observation], passing: Sequence[Observation]) -> Iterator[str]:
    """On which surroundings failures depend, each way of failing by itself."""
    ways: dict[str, list[Observation]] = {}
    for seen in failing:
        ways.setdefault(_way(seen), []).append(seen)
    for way, some in ways.items():
        kinds = set().union(*(_disagreeing(seen) for seen in some)) - {*_TOUCHES}
        right = [seen.case for seen in passing if way or _could_show_kinds(seen, kinds)]
        for condition in separate([seen.case for seen in some], right):
            yield f"{way}, {condition}" if way else condition


def _way(seen: Observation) -> str:
    """How a case fails, where it is not by wrong numbers."""
    if seen.record.verdict == Verdict.CRASHED:
        return f"with no answer ({seen.record.note[:100]})"
    return next((said for kind, said in _TOUCHES.items() if kind in _disagreeing(seen)), "")


def _disagreeing(seen: Observation) -> set[str]:
    """Names of outputs that disagree, without the number of a parameter."""
    return {name.partition("[")[0] for name, (verdict, *_) in seen.record.outputs.items() if Verdict(verdict).disagrees}


def _could_show_kinds(seen: Observation, kinds: set[str]) -> bool:
    return _could_show(seen, {name for name in seen.outputs if name.partition("[")[0] in kinds})


# --- what is missing -----------------------------------------------------------------------------


def _is_only_incomplete(seen: Observation) -> bool:
    """Does a case fail for what is missing alone?"""
    return seen.record.verdict == Verdict.MISSING and not seen.wrong_outputs


def _say_crashed(crashed: Sequence[Observation], seen: Sequence[Observation]) -> str:
    """What was raised most often where there is no answer, and on what that depends."""
    (note, n), *others = Counter(one.record.note for one in crashed).most_common()
    errors = f"{note[:100]} in {n} cases" + (f", {len(others)} other errors" if others else "")
    answered = [one.case for one in seen if one.outputs]
    return f"answer ({errors}), {'; '.join(separate([one.case for one in crashed], answered))}"


def _say_missing(seen: Sequence[Observation]) -> Iterator[str]:
    """Each output that is missing somewhere, and on what that depends."""
    missing = [(one.case, _missing_outputs(one)) for one in seen]
    for name in sorted(set().union(*(names for _, names in missing))):
        lacking = [case for case, names in missing if name in names]
        having = [one.case for one in seen if name in {output.partition("[")[0] for output in one.outputs}]
        yield f"{name}, {'; '.join(separate(lacking, having))}"


def _missing_outputs(seen: Observation) -> set[str]:
    """Names of the outputs that are missing, without the number of a parameter."""
    return {name.partition("[")[0] for name, (verdict, *_) in seen.record.outputs.items()
            if verdict == Verdict.MISSING}


# --- what is no rule -----------------------------------------------------------------------------


def _split_specials(failing: Sequence[Observation]) -> tuple[list[str], list[Observation]]:
    """What is said of failures that have a special cause, and the failures that have none."""
    said, left = [], list(failing)
    for what, holds in SPECIALS.items():
        tried = within_budget([seen for seen in left if seen.outputs])
        found = {seen.case.id for seen in tried if _has_cause(seen, holds)}
        if found:
            said.append(f"{what}, in {len(found)} of {len(failing)} cases")
            left = [seen for seen in left if seen.case.id not in found]
    return said, left


def _has_cause(seen: Observation, holds: Callable[..., bool]) -> bool:
    """Is there something wrong, and does it have a special cause?"""
    wrong = seen.wrong_outputs
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return bool(wrong) and holds(seen.case, seen.outputs, wrong)
        except Undecided:
            return False
