"""Exhaustive runs as text: for each op, type, target and output the worst error that there is, and at which number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from ..auditing.words import counts, figure
from ..cases.case import parse
from ..verdict.compare import Tally, Verdict
from ..verdict.record import Record

__all__ = ["show_sweeps", "sweep_table"]


@dataclass
class _Row:
    """What all parts of one op, type, target and output come to."""

    inputs: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    ulp: tuple[float, str] = (0.0, "")
    share: tuple[float, str] = (0.0, "")

    def add(self, record: Record, tally: Tally) -> None:
        """Count what one part of a sweep found."""
        self.inputs += sum(tally.verdicts.values())
        self.verdicts.update(tally.verdicts)
        if tally.ulp > self.ulp[0]:
            self.ulp = tally.ulp, _describe_place(record, tally.ulp_at)
        if tally.share > self.share[0]:
            self.share = tally.share, _describe_place(record, tally.share_at)


def _describe_place(record: Record, index: tuple[int, ...] | None) -> str:
    """The number at an index of a case, and what it went together with."""
    case = parse(record.case)
    first = case.inputs[case.spec.arrays[0]]  # type: ignore[attr-defined]  # only losses are swept
    return f"{float(first[index]):.9g} ({case.options['with']})"


def sweep_table(records: Sequence[Record]) -> Table:
    """One row an op, type, target and output."""
    rows: dict[tuple[str, str, str, str], _Row] = {}
    for record in records:
        for output, tally in (record.elements or {}).items():
            rows.setdefault((record.op, record.dtype, record.target, output), _Row()).add(record, tally)
    table = Table(title="every number: the worst error in ULP and as a share of its bound, and where",
                  title_justify="left")
    for name in ("op", "dtype", "target", "output", "evaluations", "worst ULP", "at", "worst share", "at",
                 "elements not accepted"):
        table.add_column(name, overflow="fold", justify="right" if name in ("evaluations", "worst ULP") else "left")
    for key, row in rows.items():
        others = ", ".join(f"{n} {v}" for v, n in row.verdicts.items() if not Verdict(v).sound)
        table.add_row(*key, str(row.inputs), figure(row.ulp[0]), row.ulp[1], figure(row.share[0]), row.share[1], others)
    return table


def show_sweeps(records: Sequence[Record], console: Console) -> None:
    """The table, waivers in use, one line for each op and target that disagrees with no waiver, and counts."""
    console.print(sweep_table(records))
    by_waiver = Counter(r.waiver for r in records if r.waiver)
    if by_waiver:
        console.print("waived: " + ", ".join(f"{n} × {name}" for name, n in by_waiver.items()), soft_wrap=True,
                      markup=False, highlight=False)
    failing: dict[tuple[str, str, str], list[Record]] = {}
    for r in records:
        if r.fails:
            failing.setdefault((r.op, r.dtype, r.target), []).append(r)
    for (op, dtype, target), found in failing.items():
        worst = max(found, key=lambda r: r.share)
        console.print(f"{worst.verdict.upper()} {target} on {op} in {dtype}, in {len(found)} cases: oracle explain "
                      f"'{worst.case}' --target {target}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"{len(records)} verdicts on {len({r.case for r in records})} cases: {counts(records)}",
                  soft_wrap=True, highlight=False)
