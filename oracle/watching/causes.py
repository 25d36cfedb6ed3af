"""What a wrong step does instead: a dialect's rule, an old option, a count of its own; or it leaves elements out."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dialects.table import DIALECTS, dialects_of
from ..truth.arithmetic import Undecided
from ..truth.proof import Truth
from ..truth.step import PARAM, StepCase, prove_step
from ..verdict.causes import Cause
from ..verdict.compare import Finding
from ..verdict.kinds import Kind
from ..verdict.waivers import Waiver
from .judge import Unit

__all__ = ["causes_of", "disagreeing", "waived"]

_FEW = 3  #: parameters that fail, and as many that do not, on which causes are tried


def disagreeing(findings: Sequence[Finding]) -> list[Finding]:
    """Those that disagree."""
    return [one for one in findings if one.verdict.disagrees]


def waived(unit: Unit, findings: Sequence[Sequence[Finding]], waivers: Sequence[Waiver],
           target: str) -> list[Waiver | None]:
    """For each parameter the waiver that accepts all that disagrees there, if one does.

    Which cases a waiver is for cannot be asked of a live step: it counts where the step is what its dialect's rule
    gives; one without a rule counts where it names an output.
    """
    accepted: list[Waiver | None] = [None] * len(findings)
    for waiver in waivers:
        if not (waiver.concerns(unit.spec.name) and fnmatch.fnmatchcase(target, waiver.target)):
            continue
        if not waiver.dialect and waiver.output.startswith("*"):
            continue
        follows = _judged(unit, unit.case(DIALECTS[waiver.dialect](unit.spec))) if waiver.dialect else None  # type: ignore[arg-type]  # of an optimizer one of an optimizer
        for i, found in enumerate(findings):
            wrong = disagreeing(found)
            named = all(fnmatch.fnmatchcase(f"{one.output}[0]", waiver.output) for one in wrong)
            sound = not waiver.dialect or (follows is not None and not disagreeing(follows[i]))
            if wrong and named and sound and accepted[i] is None:
                accepted[i] = waiver
    return accepted


@dataclass(frozen=True)
class _Hypothesis:
    text: str
    case: StepCase
    dialect: str | None = None


def causes_of(unit: Unit, findings: Sequence[Sequence[Finding]], earlier: Mapping[str, Any]) -> list[Cause]:
    """What explains each parameter of a unit that disagrees.

    Args:
        unit: what was looked at.
        findings: of each of its parameters.
        earlier: the options that its parameters had when they were looked at first.
    """
    unit, findings = _some(unit, findings)
    wrong = [i for i, found in enumerate(findings) if disagreeing(found)]
    kept = sum(_leaves_elements(unit, i, findings[i]) for i in wrong)
    if kept == len(wrong):
        return [Cause(Kind.SURROUNDINGS, "does not update some elements: they are what they were before the step", kept,
                      len(wrong), None)]
    found = []
    for hypothesis in _hypotheses(unit, earlier):
        judged = _judged(unit, hypothesis.case)
        if judged is None or any(map(disagreeing, judged)):
            continue
        same = _is_same(unit.truths, prove_step(hypothesis.case, unit.accuracy))
        found.append(Cause(Kind.DIGITS if same else Kind.FUNCTION, hypothesis.text, len(wrong), len(wrong), None,
                           hypothesis.dialect))
    parts = {part for cause in found if cause.dialect for part in DIALECTS[cause.dialect].parts}
    simpler = {cause.dialect for cause in found} & parts  # a name says no more than what was seen
    return [cause for cause in found
            if not (cause.dialect and simpler.intersection(DIALECTS[cause.dialect].parts))]


def _some(unit: Unit, findings: Sequence[Sequence[Finding]]) -> tuple[Unit, Sequence[Sequence[Finding]]]:
    """A few parameters that disagree and a few that do not: each hypothesis takes a proof of all their elements."""
    wrong = [i for i, found in enumerate(findings) if disagreeing(found)]
    right = [i for i in range(len(findings)) if i not in wrong]
    chosen = sorted(wrong[:_FEW] + right[:_FEW])
    return unit.only(chosen), [findings[i] for i in chosen]


def _hypotheses(unit: Unit, earlier: Mapping[str, Any]) -> Iterator[_Hypothesis]:
    """What a step may do instead, the simplest first."""
    for name, now in unit.options.items():
        if name in earlier and earlier[name] != now:
            yield _Hypothesis(f"takes {name} as it was at the first look: {earlier[name]}, and not {now}",
                              unit.case(options={**unit.options, name: earlier[name]}))
    count = unit.before.state.get("step")
    if count is not None or not unit.before.state:
        twice = {**unit.before.state, "step": (count or 0) + 1}
        if count is not None:
            yield _Hypothesis("counts the step twice", unit.case(state=twice))
    for dialect in dialects_of(unit.spec.name):
        yield _Hypothesis(f"is {dialect}: {dialect.difference}", unit.case(dialect(unit.spec)), dialect.name)  # type: ignore[arg-type]  # as above


def _judged(unit: Unit, case: StepCase) -> list[list[Finding]] | None:
    """What is found by another rule; None where that decides nothing, or knows no such options."""
    try:
        return unit.findings(case)
    except (Undecided, ArithmeticError, ValueError, TypeError, KeyError):
        return None


def _is_same(one: Mapping[str, Truth], other: Mapping[str, Truth]) -> bool:
    """Are two rules the same function of these numbers, to some hundred bits?"""
    return all(np.all(np.abs((truth.hi - other[name].hi) + (truth.lo - other[name].lo)) <= np.abs(truth.hi) * 2.0**-90)
               for name, truth in one.items() if not truth.discrete and name in other)


def _leaves_elements(unit: Unit, i: int, findings: Sequence[Finding]) -> bool:
    """Are the elements of a parameter that disagree what they were before the step, and the others right?"""
    look, after = unit.looks[i], unit.after[i]
    truth = unit.truths[PARAM]
    start = sum(len(one.places) for one in unit.looks[:i])
    if PARAM not in look.lines or not any(one.output == PARAM for one in disagreeing(findings)):
        return False
    part = slice(start, start + len(look.places))
    got = np.asarray(after[PARAM], np.float64)
    wrong = ~(np.abs((got - truth.hi[0, part]) - truth.lo[0, part]) <= truth.bound[0, part])
    return bool(np.array_equal(got[wrong], np.asarray(look.values[PARAM], np.float64)[wrong]))
