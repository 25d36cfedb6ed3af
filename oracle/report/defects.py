"""Defects of a framework: what the audit found, what is known of it, and how to see it.

A waiver (the record of a known disagreement) for a framework's targets alone says what that framework does wrong: that
is a defect. A waiver for every target is a limit of the storage type, and is left out: a state kept in float16 loses
small squares, whoever keeps it.

The order follows from the records (:mod:`.harm`): wrong results at default options on ordinary numbers first, what
is done with NaN last.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..cases import registry
from ..dialects.table import DIALECTS
from ..verdict.record import Record
from ..verdict.waivers import Waiver, load
from .digest import Digest, Group
from .examples import Example, examples
from .harm import harm_of, who_is_hit

__all__ = ["Defect", "defects"]


@dataclass(frozen=True)
class Defect:
    """One thing that a framework does wrong."""

    waiver: Waiver
    group: Group  #: the disagreements that show it; without records where no run had one
    versions: tuple[str, ...]  #: of the framework, in which it was seen
    examples: Sequence[Example]

    @property
    def links(self) -> list[str]:
        """Public pages on the matter."""
        return self.waiver.link.split()

    @property
    def rule(self) -> str:
        """What is computed instead, where that is known as a rule."""
        dialect = DIALECTS.get(self.waiver.dialect)
        return dialect.difference if dialect else ""

    @property
    def since(self) -> str:
        """Where the rule is known from."""
        dialect = DIALECTS.get(self.waiver.dialect)
        return dialect.used_by if dialect else ""

    @property
    def ops(self) -> list[str]:
        """The ops that have it."""
        return [op for op in registry.specs() if self.waiver.concerns(op)]

    @property
    def hits(self) -> str:
        """Who is hit: types, targets, and sizes, layouts and events where it needs one."""
        return "; ".join(who_is_hit(self.group.records))

    @property
    def size(self) -> str:
        """The largest finite error, and how often it is infinite or there is no answer at all."""
        return "; ".join(_describe_sizes(self.group.records))


def _describe_sizes(records: Iterable[Record]) -> Iterator[str]:
    records = list(records)
    finite = [r.ulp for r in records if math.isfinite(r.ulp)]
    if finite:
        yield f"up to {max(finite):.3g} ULP"
    kinds = Counter(map(_describe_kind, (r for r in records if not math.isfinite(r.ulp))))
    for kind, n in kinds.most_common(3):
        yield f"{kind} in {n:,} verdict{'s' if n > 1 else ''}"


def _describe_kind(record: Record) -> str:
    """What an infinite error is."""
    if record.verdict == "crashed":
        return "it raises"
    if record.got is None and record.truth is None:
        return record.note  # on the form, or on a count
    return f"{_class_of(record.got)} instead of {_class_of(record.truth)}"


def _class_of(value: str | None) -> str:
    if value is None:
        return "nothing"
    x = float.fromhex(value)
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "an infinity"
    return "0" if x == 0 else "a number"


def defects(runs: Sequence[Digest], framework: str = "torch", count: int = 1) -> list[Defect]:
    """Every known defect of a framework, with what some runs show of it; those that do most to users come first.

    Those that no run shows come last, in the order of the waivers.
    """
    found = [_find_defect(waiver, runs, framework, count) for waiver in load()
             if waiver.target.partition(":")[0] == framework]
    return sorted(found, key=lambda defect: harm_of(defect.group.records))


def _find_defect(waiver: Waiver, runs: Sequence[Digest], framework: str, count: int) -> Defect:
    records: list[Record] = []
    versions: dict[str, None] = {}
    for run in runs:
        found = [r for r in run.records if r.waiver == waiver.name]
        if found:
            versions[str(run.head.get("versions", {}).get(framework, "unknown"))] = None
            records += found
    group = Group(waiver.name, tuple(records), waiver, waived=True)
    device = str(runs[0].head.get("device", "cpu")) if runs else "cpu"
    return Defect(waiver, group, tuple(versions), examples(group, count, device) if records else ())
