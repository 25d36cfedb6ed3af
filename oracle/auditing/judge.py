"""One case on one target: what it answers, and the record of the verdict on that."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from ..cases.case import Case
from ..targets.loading import Target, Unsupported
from ..truth.evaluate import Outputs
from ..truth.kept_truths import truth_of
from ..truth.proof import Truth
from ..verdict import waivers as waiver_module
from ..verdict.compare import Finding, Tally, Verdict, compare, tally, worst
from ..verdict.follows import follows
from ..verdict.record import Record, summarized

__all__ = ["answer", "judge_answer", "record_of", "run_case"]


def run_case(case: Case, target: Target, waivers: Iterable[waiver_module.Waiver] = (),
             truths: Mapping[str, Truth] | None = None, *, elements: bool = False) -> Record:
    """Run a target on a case and judge what it gives. Whatever the target raises becomes a verdict.

    With ``elements`` the record also says what was found element by element.
    """
    outputs, failure = answer(case, target)
    return judge_answer(case, target.name, outputs, failure, waivers, truths, elements=elements)


def answer(case: Case, target: Target) -> tuple[Outputs, Finding | None]:
    """A target's outputs on a case; or a finding instead, where it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch deprecates is no verdict
            return target.run(case), None
    except Unsupported as reason:
        return {}, Finding("", Verdict.UNSUPPORTED, note=str(reason))
    except Exception as error:  # a target may raise anything at all
        said = f"{type(error).__name__}: {error}".removesuffix(": ")
        return {}, Finding("", Verdict.CRASHED, math.inf, math.inf, note=said)


def judge_answer(case: Case, target: str, outputs: Outputs, failure: Finding | None,
                 waivers: Iterable[waiver_module.Waiver], truths: Mapping[str, Truth] | None = None, *,
                 elements: bool = False) -> Record:
    """The record of what :func:`answer` gave; with ``elements`` it also says what was found element by element."""
    if failure is not None:
        return record_of(case, target, outputs, [failure], waivers)
    if truths is None:
        truths = truth_of(case)
    record = record_of(case, target, outputs, compare(outputs, truths), waivers)
    return replace(record, elements=_tallies(outputs, truths)) if elements else record


def _tallies(outputs: Outputs, truths: Mapping[str, Truth]) -> dict[str, Tally]:
    """What was found in the elements of each output that can be compared element by element."""
    tallies = {name: tally(outputs.get(name), truth) for name, truth in truths.items()}
    return {name: found for name, found in tallies.items() if found is not None}


def record_of(case: Case, target: str, outputs: Outputs, findings: list[Finding],
              waivers: Iterable[waiver_module.Waiver]) -> Record:
    """One record of all that was found on a case: the worst that no waiver accepts stands for it."""
    accepted = {f.output: waiver_module.matching(waivers, case.id, target, f.output, f.verdict,
                                                 partial(follows, case, outputs, f.output))
                for f in findings if f.verdict.disagrees}
    open_ones = [f for f in findings if f.verdict.disagrees and accepted[f.output] is None]
    chief = worst(open_ones or findings)
    waiver = None if open_ones else accepted.get(chief.output)
    others = {w.name for w in accepted.values() if w is not None and w is not waiver}
    return replace(summarized(case.id, case.spec.name, case.dtype, target, findings, chief),
                   waiver=waiver.name if waiver else None, also=tuple(sorted(others)))
