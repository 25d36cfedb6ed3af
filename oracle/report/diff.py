"""Two runs compared: what got worse, better, new and gone, by op and target, in ULP and in verdicts.

Compared is each output of each case on each target that both runs have. Beyond the bound is what was accepted,
or not judged, and now disagrees, waived or not: a waiver accepts a disagreement, not that there is one more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table

from ..auditing.words import figure, three_lines
from ..verdict.compare import Verdict
from ..verdict.record import Record
from .markdown import block, code

__all__ = ["Change", "Difference", "changes", "markdown", "show_diff"]


class Change(StrEnum):
    """What became of one output of a case on a target."""

    BROKEN = "broken"  #: it disagrees, and did not
    MENDED = "mended"  #: it disagreed, and does not
    WORSE = "worse"  #: a larger share of the bound, a less certain verdict, or a larger disagreement
    BETTER = "better"  #: the opposite
    SAME = "same"
    NEW = "new"  #: it is not in the old run, or was not supported there
    GONE = "gone"  #: it is not in the new run, or is not supported there


@dataclass(frozen=True)
class _Answer:
    """What one run says of one output."""

    verdict: Verdict
    ulp: float
    share: float
    record: Record


@dataclass(frozen=True)
class Difference:
    """One output of a case on a target, in both runs."""

    op: str
    target: str
    case: str
    output: str
    change: Change
    old: _Answer | None
    new: _Answer | None

    def lines(self, more: int = 0) -> tuple[str, ...]:
        """What the output was, what it is, how to look closer, and how many more outputs there are like it."""
        assert self.old is not None
        assert self.new is not None
        first, second, third = three_lines(self.new.record)
        waiver = f" (waived as {self.new.record.waiver})" if self.new.record.waiver else ""
        was = f"  {self.output or 'all of it'} was {self.old.verdict}, {figure(self.old.ulp)} ulp, " \
              f"{figure(self.old.share)} of the bound"
        return (first + waiver, was, second, third, *([f"  and {more} more outputs of it"] if more else []))


def _answers_by_case(records: Iterable[Record]) -> dict[tuple[str, str], dict[str, _Answer]]:
    """Answers by case and target, and by output; under "" where there is no output at all."""
    found = {}
    for r in records:
        answers = {name: _Answer(Verdict(v), ulp, share, r) for name, (v, ulp, share) in r.outputs.items()}
        found[r.case, r.target] = answers or {"": _Answer(Verdict(r.verdict), r.ulp, r.share, r)}
    return found


def changes(old: Iterable[Record], new: Iterable[Record]) -> list[Difference]:
    """All outputs of both runs, in the order of the new one and then of what is gone."""
    before, after = _answers_by_case(old), _answers_by_case(new)
    found = []
    for key in dict.fromkeys((*after, *before)):
        was, now = before.get(key, {}), after.get(key, {})
        # An implementation that crashes, or does not support a case, does so with every output.
        outputs = [name for name in dict.fromkeys((*now, *was)) if name] or [""]
        for output in outputs:
            before_it, after_it = was.get(output, was.get("")), now.get(output, now.get(""))
            record = (after_it or before_it).record  # type: ignore[union-attr]  # one of them is there
            found.append(Difference(record.op, record.target, record.case, output,
                                    change=_compare_answers(before_it, after_it), old=before_it, new=after_it))
    return found


def _compare_answers(old: _Answer | None, new: _Answer | None) -> Change:
    """What became of an output: what a user notices first comes first.

    Whether there is an answer at all comes before whether it disagrees, and that before how good it is.
    """
    was_there = old is not None and old.verdict is not Verdict.UNSUPPORTED
    is_there = new is not None and new.verdict is not Verdict.UNSUPPORTED
    if was_there != is_there:
        return Change.NEW if is_there else Change.GONE
    if old is None or new is None or not is_there:
        return Change.SAME
    if old.verdict.disagrees != new.verdict.disagrees:
        return Change.BROKEN if new.verdict.disagrees else Change.MENDED
    was, now = ((_certainty(answer.verdict), answer.share, answer.ulp) for answer in (old, new))
    if was == now:
        return Change.SAME
    return Change.WORSE if now > was else Change.BETTER


def _certainty(verdict: Verdict) -> int:
    """Rank of a verdict; what is exact is within, too."""
    return max(verdict.rank, Verdict.WITHIN.rank)


@dataclass
class _Row:
    """What all outputs of one op on one target come to."""

    counts: dict[Change, int] = field(default_factory=lambda: dict.fromkeys(Change, 0))
    #: Share and ULP of what comes closest to its bound in either run, of those within in both.
    old: tuple[float, float] | None = None
    new: tuple[float, float] | None = None

    def add(self, d: Difference) -> None:
        """Count a difference."""
        self.counts[d.change] += 1
        if d.old and d.new and max(d.old.verdict.rank, d.new.verdict.rank) <= Verdict.WITHIN.rank:
            self.old = max(self.old or (0.0, 0.0), (d.old.share, d.old.ulp))
            self.new = max(self.new or (0.0, 0.0), (d.new.share, d.new.ulp))


_COLUMNS = ("op", "target", "closest was", "is", *(str(c) for c in Change))


def _table_rows(differences: Sequence[Difference]) -> Iterator[tuple[str, ...]]:
    """The cells of the table: one row an op and target that has changed at all."""
    rows: dict[tuple[str, str], _Row] = {}
    for d in differences:
        rows.setdefault((d.op, d.target), _Row()).add(d)
    for (op, target), row in rows.items():
        if any(n for change, n in row.counts.items() if change is not Change.SAME):
            yield (op, target, *(f"{figure(found[1])} ulp, {figure(found[0])}" if found else "-"
                                 for found in (row.old, row.new)),
                   *(str(n or "") for n in row.counts.values()))


def _describe_runs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What the runs were, and in what they differ beside what they found."""
    lines = [f"{name}: {' '.join(map(str, head['command']))}" for name, head in (("old", old), ("new", new))]
    for key in ("versions", "machine"):
        was, now = old.get(key) or {}, new.get(key) or {}
        lines += [f"{name}: {was.get(name)} → {now.get(name)}" for name in dict.fromkeys((*was, *now))
                  if was.get(name) != now.get(name)]
    if old.get("device") != new.get("device"):
        lines.append(f"device: {old.get('device')} → {new.get('device')}")
    return lines


def _summarize(differences: Sequence[Difference]) -> tuple[list[str], str]:
    """The largest of what got worse beyond the bound for each op and target, in lines, and the counts of all."""
    broken: dict[tuple[str, str], list[Difference]] = {}
    for d in sorted((d for d in differences if d.change is Change.BROKEN), key=_size_of, reverse=True):
        broken.setdefault((d.op, d.target), []).append(d)
    counts = ", ".join(f"{sum(d.change is c for d in differences)} {c}" for c in Change)
    return (["\n".join(found[0].lines(len(found) - 1)) for found in broken.values()],
            f"{len(differences)} outputs: {counts}")


def _size_of(d: Difference) -> float:
    return d.new.share if d.new and not math.isnan(d.new.share) else 0.0


def show_diff(old: Mapping[str, Any], new: Mapping[str, Any], differences: Sequence[Difference],
              console: Console) -> None:
    """The comparison as text: heads, a table, the worst beyond the bound of each op and target, counts."""
    for line in _describe_runs(old, new):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    table = Table(title="what differs, of all outputs; closest to the bound, of those within in both: ULP, share",
                  title_justify="left")
    for name in _COLUMNS:
        table.add_column(name, overflow="fold", justify="left" if name in _COLUMNS[:4] else "right")
    rows = list(_table_rows(differences))
    for row in rows:
        table.add_row(*row)
    if rows:
        console.print(table)
    broken, counts = _summarize(differences)
    for text in broken:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    console.print(counts, highlight=False, soft_wrap=True)


def markdown(old: Mapping[str, Any], new: Mapping[str, Any], differences: Sequence[Difference]) -> str:
    """The comparison in Markdown, for an issue or the summary of a job."""
    heads = [f"- {code(line)}" for line in _describe_runs(old, new)]
    rows = [f"| {' | '.join((code(op), code(target), *cells))} |" for op, target, *cells in _table_rows(differences)]
    table = [f"| {' | '.join(_COLUMNS)} |", f"|{' --- |' * len(_COLUMNS)}", *rows] if rows else []
    broken, counts = _summarize(differences)
    details = [block("\n".join(broken), "text")] if broken else []
    return "\n".join([*heads, "", *table, "", *details, "", counts])
