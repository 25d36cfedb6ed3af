"""What a report shows of a run: records counted and grouped, without a word on how that looks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..auditing.records import missing, read_records
from ..cases import registry
from ..cases.spec import DTYPES, Spec
from ..verdict.compare import Verdict
from ..verdict.record import Record, closest, farthest
from ..verdict.waivers import Waiver, load

__all__ = ["KINDS", "Cell", "Digest", "Group", "number", "read", "where"]

#: Kinds of op, as headings; an op that this version does not know is of none of them.
KINDS = {"loss": "Losses", "optim": "Optimizers", "init": "Initializers", "unknown": "Unknown to this version"}


def number(value: str | None) -> float | None:
    """The value of a record's hexadecimal float."""
    return None if value is None else float.fromhex(value)


def where(record: Record) -> str:
    """The element that decided, such as ``grad.input[0, 2]``; of a scalar the output."""
    return record.output + (str(list(record.index)) if record.index else "")


@dataclass(frozen=True)
class Cell:
    """All verdicts of one op and target, in one storage type or in several."""

    op: str
    target: str
    dtype: str
    counts: Mapping[str, int]  #: how often each verdict was given, where no waiver accepts it
    waived: int
    most_ulp: Record | None  #: the sound answer with the largest error in ULP
    most_share: Record | None  #: the sound answer with the largest share of its bound

    @property
    def wrong(self) -> int:
        """Disagreements that no waiver accepts."""
        return sum(n for verdict, n in self.counts.items() if Verdict(verdict).disagrees)

    @property
    def cases(self) -> int:
        """Cases that were run."""
        return sum(self.counts.values()) + self.waived


@dataclass(frozen=True)
class Group:
    """Disagreements that belong together: those of one waiver, or the unwaived ones of an op, target and output."""

    name: str
    records: tuple[Record, ...]
    waiver: Waiver | None = None  #: None where nothing accepts them, and where this version has no waiver so called
    waived: bool = False

    def of(self, key: Callable[[Record], str]) -> dict[str, int]:
        """How many of its records have which op, storage type or target, most frequent first."""
        return dict(Counter(map(key, self.records)).most_common())

    @property
    def worst(self) -> Record:
        """The largest finite error in ULP; where there is none, the first."""
        finite = [r for r in self.records if math.isfinite(r.ulp)]
        return max(finite or self.records[:1], key=lambda r: r.ulp)


@dataclass(frozen=True)
class Digest:
    """A run, ready to be shown."""

    head: Mapping[str, Any]
    records: Sequence[Record]
    waivers: Mapping[str, Waiver] = field(default_factory=lambda: {w.name: w for w in load()})

    @cached_property
    def specs(self) -> dict[str, Spec | None]:
        """The ops of the run, kind by kind, each with its spec."""
        ran = dict.fromkeys(r.op for r in self.records)
        known: dict[str, Spec | None] = {op: spec for op, spec in registry.specs().items() if op in ran}
        return known | {op: None for op in ran if op not in known}

    def kind(self, op: str) -> str:
        """One of :data:`KINDS`."""
        spec = self.specs[op]
        return "unknown" if spec is None else spec.kind

    @cached_property
    def targets(self) -> list[str]:
        """The targets of the run, in its order; the reference first."""
        return sorted(dict.fromkeys(r.target for r in self.records), key=lambda target: target != "reference")

    @cached_property
    def dtypes(self) -> list[str]:
        """The storage types of the run, widest first."""
        ran = dict.fromkeys(r.dtype for r in self.records)
        return [d for d in DTYPES if d in ran] + [d for d in ran if d not in DTYPES]

    @cached_property
    def by_op(self) -> dict[str, list[Record]]:
        """The records of each op."""
        result: dict[str, list[Record]] = {op: [] for op in self.specs}
        for r in self.records:
            result[r.op].append(r)
        return result

    @cached_property
    def cells(self) -> dict[tuple[str, str, str], Cell]:
        """A cell for each op, target and storage type that was run."""
        return _make_cells(self.records, lambda r: r.dtype)

    @cached_property
    def totals(self) -> dict[tuple[str, str], Cell]:
        """A cell for each op and target, of all storage types."""
        return {(op, target): cell for (op, target, _), cell in _make_cells(self.records, lambda _: "").items()}

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each verdict was given; what a waiver accepts counts as ``waived``, whatever its verdict."""
        tally = Counter("waived" if r.waiver else r.verdict for r in self.records)
        return Counter({name: tally[name] for name in (*Verdict, "waived")})

    @property
    def cases(self) -> int:
        """Number of different cases."""
        return len({r.case for r in self.records})

    @cached_property
    def failures(self) -> list[Group]:
        """Unwaived disagreements by op, target, output and verdict; those with most records first."""
        groups: dict[tuple[str, ...], list[Record]] = {}
        for r in self.records:
            if r.fails:
                output = r.output.partition("[")[0] or "no output"
                groups.setdefault((r.op, r.target, output, r.verdict), []).append(r)
        found = [Group(f"{op}, {output}: {target} {verdict}", tuple(rs))
                 for (op, target, output, verdict), rs in groups.items()]
        return sorted(found, key=lambda group: -len(group.records))

    @cached_property
    def waived(self) -> list[Group]:
        """Accepted disagreements by waiver, in the order of the ops."""
        groups: dict[str, list[Record]] = {}
        for op in self.specs:
            for r in self.by_op[op]:
                if r.waiver:
                    groups.setdefault(r.waiver, []).append(r)
        return [Group(name, tuple(rs), self.waivers.get(name), waived=True) for name, rs in groups.items()]

    @cached_property
    def unsure(self) -> list[Record]:
        """What was neither right nor wrong."""
        return [r for r in self.records if r.verdict in (Verdict.VACUOUS, Verdict.UNDECIDED)]

    @cached_property
    def incomplete(self) -> str:
        """What is to be said of a run that ended early; empty of one that is whole."""
        done, wanted = missing(self.head, self.records)
        return "" if done == wanted else f"Incomplete: {done:,} of {wanted:,} cases; go on with oracle audit --resume"

    @property
    def headline(self) -> str:
        """The result in one sentence; or in two, where the run ended early."""
        return ". ".join(filter(None, (self.incomplete, self._result)))

    @property
    def _result(self) -> str:
        """How many disagreements there are that no waiver accepts; of none, how many are accepted."""
        wrong = sum(len(group.records) for group in self.failures)
        verdicts = f"{len(self.records):,} verdicts on {self.cases:,} cases"
        if wrong:
            return f"{wrong:,} disagreement{'s' if wrong > 1 else ''} that no waiver accepts, in {verdicts}"
        known = self.counts["waived"]
        return f"No unexplained disagreement in {verdicts}" + (f"; {known:,} are known, and explained" if known else "")

    @property
    def subject(self) -> str:
        """What was audited, with its version."""
        frameworks = dict.fromkeys(t.partition(":")[0] for t in self.targets if t != "reference")
        versions = self.head.get("versions", {})
        return ", ".join(f"{name} {versions.get(name, '')}".strip() for name in frameworks) or "the reference itself"


def _make_cells(records: Iterable[Record], dtype: Callable[[Record], str]) -> dict[tuple[str, str, str], Cell]:
    """A cell for each op, target and what ``dtype`` says of a record."""
    piles: dict[tuple[str, str, str], list[Record]] = {}
    for r in records:
        piles.setdefault((r.op, r.target, dtype(r)), []).append(r)
    cells = {}
    for key, pile in piles.items():
        counts = Counter(r.verdict for r in pile if not r.waiver)
        cells[key] = Cell(*key, counts, waived=sum(bool(r.waiver) for r in pile), most_ulp=farthest(pile),
                          most_share=closest(pile))
    return cells


def read(path: Path) -> Digest:
    """The digest of a folder that an audit wrote, or of its record file.

    Raises:
        ValueError: no record file, or a damaged one; the message says which line.
        OSError: it cannot be read.
    """
    return Digest(*read_records(path))
