"""Which dialects explain what fails: those whose rule gives every output, within the rule's own bound.

One is named only if it explains failing cases and contradicts no case, failing or passing. Since an answer that fails
is beyond the reference's bound, a dialect that cannot be told from the reference on these cases explains none.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..dialects.record import Dialect
from ..dialects.table import dialects_of
from ..dialects.truths import dialect_truth
from ..truth.arithmetic import Undecided
from ..truth.proof import effort
from .compare import Finding, Verdict, compare
from .distribution import claim_of, judge_draws
from .observation import Observation

__all__ = ["EFFORT", "Match", "explains", "find_matches", "within_budget"]

#: Elements times steps of the cases on which a dialect is tried: some 20 seconds of proofs.
EFFORT = 48_000


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


class _Evidence(Enum):
    FOR = "every output that fails is what the rule gives"
    ROUNDED = "every output that fails is what the rule gives, but its bound is wide enough for much else"
    SILENT = "the rule decides nothing here"
    AGAINST = "an output is not what the rule gives"


def find_matches(failing: Sequence[Observation], passing: Sequence[Observation]) -> list[Match]:
    """The dialects that explain the failures, the most specific first; cases come in order of simplicity.

    Of a dialect that changes several things, and one that changes some of them and explains as much, only the second
    is named: a name says no more than what was seen.
    """
    if not failing or not all(seen.outputs for seen in failing):
        return []
    failing, passing = list(within_budget(failing)), list(within_budget(passing))
    tried = (_try_dialect(dialect, failing, passing) for dialect in dialects_of(failing[0].case.spec.name))
    found = [match for match in tried if match is not None]
    found = [match for match in found if match.explained] or found
    explained = {match.dialect.name: match.explained for match in found}
    named = [match for match in found
             if not any(explained.get(part, -1) >= match.explained for part in match.dialect.parts)]
    return sorted(named, key=lambda match: (-match.explained, -match.share))  # a narrow bound leaves a large share


def explains(dialect: Dialect, seen: Observation) -> bool:
    """Is what failed here what the dialect's rule gives?"""
    return bool(seen.outputs) and _weigh(dialect, seen)[0] in (_Evidence.FOR, _Evidence.ROUNDED)


def within_budget(seen: Sequence[Observation]) -> Iterator[Observation]:
    """The first ones, up to an effort; always one."""
    left = EFFORT
    for one in seen:
        if left > 0:
            yield one
        left -= effort(one.case)


def _try_dialect(dialect: Dialect, failing: Sequence[Observation], passing: Sequence[Observation]) -> Match | None:
    """The dialect, if no case contradicts it and some failure follows it."""
    evidence, shares = [], []
    for seen in itertools.chain(failing, passing):
        found, share = _weigh(dialect, seen)
        if found is _Evidence.AGAINST:
            return None
        evidence.append(found)
        shares.append(share)
    of_failing = evidence[:len(failing)]
    explained = evidence.count(_Evidence.FOR)
    share = float(np.mean(shares))
    if _Evidence.FOR in of_failing:
        return Match(dialect, explained, explained, share)
    return Match(dialect, 0, len(failing), share) if set(of_failing) == {_Evidence.ROUNDED} else None


def _weigh(dialect: Dialect, seen: Observation) -> tuple[_Evidence, float]:
    """Does what was seen speak for a dialect? And the largest share of its bound that is used."""
    if "draws" in seen.outputs:
        return _weigh_draws(dialect, seen), 0.0
    try:
        findings = _judge_by_dialect(dialect, seen)
    except Undecided:
        return _Evidence.SILENT, 0.0
    if any(f.verdict.disagrees and f.verdict is not Verdict.RANGE for f in findings):
        return _Evidence.AGAINST, math.inf
    wrong = seen.wrong_outputs
    verdicts = {f.verdict for f in findings if f.output in wrong or not wrong}
    if not verdicts or verdicts & {Verdict.RANGE, Verdict.UNDECIDED}:
        return _Evidence.SILENT, 0.0
    share = max((f.share for f in findings if f.verdict is Verdict.WITHIN), default=0.0)
    return _Evidence.ROUNDED if Verdict.VACUOUS in verdicts else _Evidence.FOR, share


def _judge_by_dialect(dialect: Dialect, seen: Observation) -> list[Finding]:
    """Findings on the outputs that are there, by the dialect's truth and bound.

    Raises:
        Undecided: the dialect's rule decides nothing on this case.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        truths = {name: truth for name, truth in dialect_truth(seen.case, dialect.name).items() if name in seen.outputs}
        if seen.case.spec.stacked:  # states may be there at other steps than the dialect's
            truths = {name: truth if "param[" in name else truth.at_steps_of(seen.outputs[name])
                      for name, truth in truths.items()}
        return compare(seen.outputs, truths)


def _weigh_draws(dialect: Dialect, seen: Observation) -> _Evidence:
    """Do drawn numbers have the distribution that the dialect claims?"""
    if dialect.claims is None:
        return _Evidence.SILENT
    try:
        alarms = judge_draws(list(seen.outputs["draws"]), claim_of(seen.case, dialect.claims))
    except ValueError:  # it claims nothing for such arguments
        return _Evidence.SILENT
    if alarms:
        return _Evidence.AGAINST
    return _Evidence.FOR if seen.record.fails else _Evidence.SILENT
