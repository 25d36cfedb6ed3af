"""What was found of a live optimizer: records, causes, and what was wrong first."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..auditing.record_file import RecordFile, start
from ..auditing.records import header
from ..cases.spec import OptimSpec
from ..truth.arithmetic import Undecided
from ..verdict.causes import Cause
from ..verdict.compare import Finding, Verdict
from ..verdict.faults import said
from ..verdict.record import Record, closest, summarized
from ..verdict.waivers import Waiver, load
from .arrays import Kit, kit_of
from .causes import causes_of, disagreeing, waived
from .judge import Unit, at_rest, changed_gradient, units
from .looking import Look, look_after, look_before
from .slots import Slot

__all__ = ["Plan", "Watched", "finish"]

#: Failing looks whose causes are looked for: each takes a proof for every dialect of the op.
_EXPLAINED = 3


@dataclass(frozen=True)
class Plan:
    """How an optimizer is watched; see :func:`oracle.watch` for what the fields mean."""

    spec: OptimSpec
    every: int
    elements: int
    seed: int
    accuracy: str | None
    strict: bool
    records: Path | None
    target: str  #: ``torch``, ``optax``, or what a class is called
    own: bool  #: is it torch's own implementation?


@dataclass
class Watched:
    """Judges steps, and says what was found. ``str`` gives the verdict and what was wrong first."""

    plan: Plan
    records: list[Record] = field(default_factory=list)
    """One for each parameter of each step that was looked at."""
    causes: list[Cause] = field(default_factory=list)
    """What explains the first failures."""
    steps: int = 0  #: that were made
    looked: list[int] = field(default_factory=list)  #: the numbers of the steps that were looked at, from 1
    elements: int = 0  #: that were judged
    notes: Counter[str] = field(default_factory=Counter)  #: what was not judged, and how often

    def __post_init__(self) -> None:
        self._looks: list[Look] | None = None
        self._kit: Kit | None = None
        self._first_options: dict[int, Mapping[str, Any]] = {}
        self._failing_looks = 0
        self._waivers: Sequence[Waiver] = () if self.plan.strict else load()
        self._file: RecordFile | None = None
        if self.plan.records is not None:
            self._file = start(self.plan.records, header(["watch", self.plan.spec.name], "", (), [self.plan.target]))

    # --- what was found ------------------------------------------------------------------------------

    @property
    def passed(self) -> bool:
        """Was something judged, and nothing found wrong?"""
        return not self.failures and any(record.sound or record.waiver for record in self.records)

    @property
    def failures(self) -> list[Record]:
        """The records that disagree, the first step first."""
        return [record for record in self.records if record.fails]

    @property
    def shared(self) -> Counter[str]:
        """The known defects or rules of torch or optax that it shares, and in how many records."""
        return Counter(record.waiver for record in self.records if record.waiver)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        looked = f"{len(self.looked)} of {self.steps} steps looked at, {self.elements} elements"
        if self.failures:
            yield f"FAILED: {_told(self.failures[0])}"
            yield f"  {len(self.failures)} of {len(self.records)} records fail; {looked}"
            for cause in self.causes[:3]:
                yield f"  {cause}"
        elif not self.passed:
            yield f"FAILED: nothing was judged; {looked}"
        else:
            worst = closest(self.records)
            figures = "" if worst is None else (f"; at most {worst.share:.2f} of the bound, with {worst.ulp:.2f} ULP "
                                                f"({worst.case}, {worst.output})")
            yield f"PASSED: {self.plan.spec.name}, {looked}{figures}"
        for name, count in self.shared.items():
            yield f"  shares {name} ({count} of {len(self.records)} records)"
        for note, count in self.notes.items():
            yield f"  not judged: {note.removeprefix('not judged: ')} ({count} times)"

    # --- what is done --------------------------------------------------------------------------------

    def is_due(self) -> bool:
        """Count a step; is it one to look at?"""
        self.steps += 1
        return (self.steps - 1) % self.plan.every == 0

    def before(self, slots: Sequence[Slot]) -> None:
        """Take what a step will start from."""
        self._looks = None
        try:
            if slots:
                self._kit = self._kit or kit_of(slots[0].data)
                self._looks = look_before(slots, self.plan.spec, self._kit, self.plan.elements,
                                          (self.plan.seed, self.steps))
        except Exception as error:
            self._note(said(error, f"before step {self.steps}"))

    def after(self, slots: Sequence[Slot]) -> None:
        """Judge the step that was made."""
        looks, self._looks = self._looks, None
        if looks is None or self._kit is None:
            return
        try:
            self.looked.append(self.steps)
            self._judge(looks, look_after(looks, slots, self.plan.spec, self._kit))
        except Exception as error:  # training goes on, whatever is wrong here
            self._note(said(error, f"step {self.steps}"))

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.__exit__()
            self._file = None

    def _note(self, note: str) -> None:
        self.notes[note] += 1

    def _judge(self, looks: Sequence[Look], after: Sequence[Mapping[str, Any]]) -> None:
        found: dict[int, tuple[list[Finding], Waiver | None]] = {}
        for look, now in zip(looks, after, strict=True):
            if look.unjudged:
                self._note(look.unjudged)
            if look.rests:
                found[look.slot.key] = at_rest(look, now), None
        explained = False
        with np.errstate(all="ignore"):
            for unit in units(self.plan.spec, looks, after, self.plan.accuracy, self.plan.own):
                judged, accepted = self._judge_unit(unit)
                found |= {look.slot.key: (one, waiver)
                          for look, one, waiver in zip(unit.looks, judged, accepted, strict=True)}
                explained |= self._explain(unit, judged, accepted)
        self._failing_looks += explained
        self._write([self._record(look, found[look.slot.key], now)
                     for look, now in zip(looks, after, strict=True) if look.slot.key in found])
        for look in looks:
            self._first_options.setdefault(look.slot.key, look.slot.options)

    def _judge_unit(self, unit: Unit) -> tuple[list[list[Finding]], list[Waiver | None]]:
        """Findings on each parameter, and what accepts them where they disagree."""
        try:
            judged = unit.findings()
        except Undecided as open_branch:
            undecided = Finding("", Verdict.UNDECIDED, note=str(open_branch))
            return [[undecided]] * len(unit.looks), [None] * len(unit.looks)
        self.elements += sum(len(look.places) for look in unit.looks)
        if not any(map(disagreeing, judged)):
            return judged, [None] * len(judged)
        return judged, waived(unit, judged, self._waivers, self._target(unit.looks[0]))

    def _explain(self, unit: Unit, judged: Sequence[Sequence[Finding]], accepted: Sequence[Waiver | None]) -> bool:
        """Look for causes of what fails in a unit; is there something that fails?"""
        fails = any(disagreeing(one) and waiver is None for one, waiver in zip(judged, accepted, strict=True))
        if fails and self._failing_looks < _EXPLAINED:
            earlier = self._first_options.get(unit.looks[0].slot.key, {})
            known = {cause.text for cause in self.causes}
            self.causes += [cause for cause in causes_of(unit, judged, earlier) if cause.text not in known]
        return fails

    def _target(self, look: Look) -> str:
        return f"optax:{look.slot.variant}" if self.plan.target == "optax" else f"torch:{look.slot.variant}"

    def _record(self, look: Look, found: tuple[list[Finding], Waiver | None], after: Mapping[str, Any]) -> Record:
        findings, waiver = found
        changed = changed_gradient(look, after)
        if changed and (waiver is not None or not disagreeing(findings)):
            waiver = self._known_change(look, changed)  # which has to accept this too
        findings = [self._placed(look, one) for one in (*findings, *changed)]
        target = self._target(look) if self.plan.own or self.plan.target == "optax" else self.plan.target
        record = summarized(f"{self.plan.spec.name}/{look.dtype}/step={self.steps},param={look.slot.name}",
                            self.plan.spec.name, look.dtype, target, findings)
        return replace(record, waiver=waiver.name) if waiver and record.fails else record

    def _known_change(self, look: Look, changed: Sequence[Finding]) -> Waiver | None:
        """The waiver that accepts a changed gradient."""
        return next((w for w in self._waivers if w.concerns(self.plan.spec.name) and not w.dialect
                     and not w.output.startswith("*") and fnmatch.fnmatchcase(self._target(look), w.target)
                     and all(fnmatch.fnmatchcase(f"{one.output}[0]", w.output) for one in changed)), None)

    @staticmethod
    def _placed(look: Look, finding: Finding) -> Finding:
        """The finding with the place of its element in the array as it is held."""
        if finding.index is None:
            return finding
        return replace(finding, index=look.index(finding.output, finding.index[1:]))

    def _write(self, records: Sequence[Record]) -> None:
        self.records += records
        if self._file is not None:
            self._file.append(*records)


def _told(record: Record) -> str:
    """One record as a sentence."""
    where = f"{record.case}, {record.output}{list(record.index or ())}"
    if record.got is None or record.truth is None or record.bound is None:
        return f"{where}: {record.verdict}: {record.note}"
    got, truth, bound = map(float.fromhex, (record.got, record.truth, record.bound))
    return (f"{where}: {record.verdict}: got {got!r}, truth {truth!r}, bound {bound:.3g}: {record.ulp:.3g} ULP, "
            f"{record.share:.3g} of the bound{f'; {record.note}' if record.note else ''}")


def finish(watched: Watched, raises: bool) -> None:
    """Close the records; and raise what was found.

    Raises:
        AssertionError: something was wrong, or nothing was judged.
    """
    watched.close()
    if raises and not watched.passed:
        raise AssertionError(str(watched))
