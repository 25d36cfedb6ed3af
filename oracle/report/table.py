"""Records as text: a table of ops and targets, every disagreement in three lines, counts of verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..auditing.words import counts, largest, three_lines
from ..verdict.compare import Verdict
from ..verdict.record import Record

__all__ = ["cell", "disagreements", "ending", "show", "table"]


_WIDE = 16  #: characters of a target's name above which its column has it in two lines
_MOST = 4  #: ops and targets with disagreements that are named at the end
_FEW = 10  #: cases that nothing decides are named where they are no more


def cell(records: Sequence[Record]) -> Text:
    """Of the answers that the bound accepts the largest error in ULP and the largest share; the others are counted."""
    if not records:
        return Text("")
    text = Text(largest(records))
    failing = sum(r.fails for r in records)
    if failing:
        text.append(f"\n{failing} wrong", style="bold red")
    waived = sum(r.waiver is not None for r in records)
    if waived:
        text.append(f"\n{waived} waived", style="yellow")
    return text


def table(records: Iterable[Record]) -> Table:
    """One row an op, one column a target."""
    records = list(records)
    ops = list(dict.fromkeys(r.op for r in records))
    targets = list(dict.fromkeys(r.target for r in records))
    grid: dict[tuple[str, str], list[Record]] = {(op, target): [] for op in ops for target in targets}
    cases: dict[str, set[str]] = {op: set() for op in ops}
    for r in records:
        grid[r.op, r.target].append(r)
        cases[r.op].add(r.case)
    result = Table(title="the largest error in ULP; the largest share of a bound, perhaps of another case",
                   title_justify="left")
    result.add_column("op", no_wrap=True)
    result.add_column("cases", justify="right")
    for target in targets:
        result.add_column(target.replace(":", ":\n") if len(target) > _WIDE else target, overflow="fold")
    for op in ops:
        result.add_row(op, str(len(cases[op])), *(cell(grid[op, target]) for target in targets))
    return result


def disagreements(records: Iterable[Record], *, waived: bool = False) -> Iterable[str]:
    """Three lines for each unwaived (or each waived) disagreement."""
    for r in records:
        is_asked_for = r.waiver is not None if waived else r.fails
        if is_asked_for:
            yield "\n".join(three_lines(r))


def show(records: Sequence[Record], console: Console) -> None:
    """Table, disagreements, cases that nothing decides, and counts."""
    console.print(table(records))
    for text in disagreements(records):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    unsure = {r.case: r for r in records if r.verdict in (Verdict.VACUOUS, Verdict.UNDECIDED)}
    if unsure:
        by_op = ", ".join(f"{n} {op}" for op, n in Counter(r.op for r in unsure.values()).most_common())
        console.print(f"not decided: {len(unsure)} of {len({r.case for r in records})} cases: {by_op}", soft_wrap=True,
                      highlight=False)
    for r in unsure.values() if len(unsure) <= _FEW else ():
        console.print(f"  {r.verdict} {r.target} on {r.case}, {r.output}: {r.note}", markup=False, highlight=False,
                      soft_wrap=True)
    console.print(f"{len(records)} verdicts on {len({r.case for r in records})} cases: {counts(records)}",
                  soft_wrap=True, highlight=False)


def ending(records: Sequence[Record], stale: Sequence[str] = ()) -> Iterator[str]:
    """The last lines on an audit: what is unexplained, if anything, and how many defects are known.

    >>> list(ending([]))
    ['PASSED: no unexplained disagreement']
    """
    wrong = Counter(f"{r.op} on {r.target}" for r in records if r.fails)
    said = [f"{_number(wrong.total(), 'unexplained disagreement')}: {_list_most(wrong)}"] if wrong else []
    said += [f"{_number(len(stale), 'waiver')} that no case needs any more"] if stale else []
    yield f"FAILED: {'; '.join(said)}" if said else "PASSED: no unexplained disagreement"
    known = Counter(r.waiver for r in records if r.waiver)
    if known:
        them = "it" if len(known) == 1 else "them"
        yield (f"{_number(len(known), 'known kind')} of disagreement in {_number(known.total(), 'verdict')}; "
               f"oracle defects describes {them}")


def _number(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _list_most(counted: Counter[str]) -> str:
    """The most frequent ones; the rest as a number."""
    named = [f"{n} of {name}" for name, n in counted.most_common(_MOST)]
    left = len(counted) - len(named)
    return ", ".join([*named, f"and {left} more" if left else ""]).removesuffix(", ")
