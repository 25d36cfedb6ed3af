"""What a check found, as a person or a program reads it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..auditing.records import header
from ..auditing.words import counts, three_lines
from ..targets.loading import Unsupported
from ..verdict.compare import Verdict
from ..verdict.diagnosis import Diagnosis, diagnose
from ..verdict.faults import said
from ..verdict.observation import Observation, simplest
from ..verdict.record import Record
from .defaults import Defaults
from .facts import Facts, facts_of
from .implementation import Implementation, name_of
from .script import user_script

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """What was found."""

    op: str
    target: str
    framework: str
    accuracy: str
    observations: tuple[Observation, ...]  #: the cases that were run, each with outputs and record
    shipped: int  #: cases that there are in these types
    asked: Implementation = field(repr=False)
    notes: tuple[str, ...] = ()  #: what else was seen: printing, what was not compared, why a run was given up
    other_faults: tuple[str, ...] = ()  #: of the oracle, where it judged no case
    defaults: Defaults = field(default_factory=Defaults)
    facts: Facts | None = field(default=None, repr=False)  #: of the implementation's code; None: not looked at yet

    @property
    def records(self) -> list[Record]:
        """One record for each case that was run."""
        return [seen.record for seen in self.observations]

    @property
    def failures(self) -> list[Record]:
        """The records that disagree."""
        return [record for record in self.records if record.fails]

    @property
    def passed(self) -> bool:
        """Does nothing disagree, was anything decided, and did the oracle judge all of it?"""
        records = self.records
        return not self.failures and any(r.sound for r in records) and not any(r.fault for r in records)

    @property
    def faults(self) -> tuple[str, ...]:
        """Where the oracle itself failed, a line each: that says nothing of the implementation."""
        _, faults = self._diagnosis_and_faults
        return (*(r.note for r in self.records if r.fault), *self.other_faults, *faults)

    @property
    def diagnosis(self) -> Diagnosis:
        """What it does instead, or what the failures depend on."""
        diagnosis, _ = self._diagnosis_and_faults
        return diagnosis

    @cached_property
    def _diagnosis_and_faults(self) -> tuple[Diagnosis, tuple[str, ...]]:
        """The diagnosis; and where the oracle fails on it, a short one and what failed."""
        judged = [s for s in self.observations if s.record.verdict != Verdict.UNSUPPORTED and not s.record.fault]
        try:
            return self._diagnose(judged), ()
        except Exception as error:
            smallest = simplest(s for s in judged if s.record.fails)
            return Diagnosis((), (), smallest), (said(error, "the diagnosis"),)

    def _diagnose(self, judged: Sequence[Observation]) -> Diagnosis:
        """The diagnosis; cases that pass with torch's defaults tell of the defaults alone."""
        rest = [seen for seen in judged if seen.case.id not in self.defaults.healed]
        found = diagnose([seen for seen in rest if seen.record.fails], [seen for seen in rest if not seen.record.fails])
        return replace(found, smallest=simplest(seen for seen in judged if seen.record.fails),
                       defaults=tuple(self.defaults.explanations(judged)))

    @property
    def smallest(self) -> Observation | None:
        """The simplest failing case."""
        return self.diagnosis.smallest

    def script(self) -> str:
        """Source that shows the simplest failing case without this project; empty where nothing fails.

        Code that was given by its place is not imported for that.
        """
        if self.smallest is None:
            return ""
        signature = (self.facts or facts_of(self.op, self.asked)).signature
        if signature is None:
            return f"# no process could tell the signature of {name_of(self.asked.code)}"
        try:
            return user_script(self.smallest.case, self.asked, self.smallest.record, signature)
        except Unsupported as reason:
            return f"# {reason}"

    def to_json(self) -> str:
        """All of it but the arrays, as JSON text."""
        head = header((), "")
        return json.dumps({
            "op": self.op, "target": self.target, "framework": self.framework, "accuracy": self.accuracy,
            "passed": self.passed, "run": len(self.records), "shipped": self.shipped,
            "verdicts": dict(Counter(record.verdict for record in self.records)), "notes": list(self.notes),
            "faults": list(self.faults),
            "diagnosis": str(self.diagnosis) if self.failures else None,
            "smallest": self.smallest.case.id if self.smallest else None,
            "failures": [json.loads(record.to_json()) for record in self.failures],
            **{name: head[name] for name in ("versions", "machine")},
        }, indent=1, ensure_ascii=False)

    def __str__(self) -> str:
        """Text for a terminal or an issue tracker."""
        verdict = "passed" if self.passed else "FAILED" if self.failures else "UNDECIDED"
        judged = sum(record.verdict != Verdict.UNSUPPORTED for record in self.records)
        lines = [f"{self.op}: {self.target} {verdict}: {len(self.failures)} of {judged} cases disagree "
                 f"({self.shipped} are shipped; {self.framework})", counts(self.records)]
        lines += [f"note: {note}" for note in (*self.notes, *self.faults)]
        if self.smallest is not None:
            lines += ["", "Cause", str(self.diagnosis), *three_lines(self.smallest.record)[:2], "",
                      "Script that shows it without this project", "", "```python", self.script().rstrip(), "```"]
        return "\n".join(lines)
