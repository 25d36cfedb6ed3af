"""What records say in words: three lines for a disagreement, one for the counts of verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..targets.loading import FRAMEWORKS
from ..verdict.compare import Verdict
from ..verdict.record import Record, closest, farthest

__all__ = ["counts", "figure", "largest", "three_lines"]


def figure(x: float) -> str:
    """A figure in at most six characters.

    >>> figure(0.0), figure(0.123), figure(12.3), figure(12345.0), figure(float("inf"))
    ('0', '0.12', '12.3', '1e+04', 'inf')
    """
    if x == 0:
        return "0"
    if x < 10:
        return f"{x:.2f}"
    return f"{x:.1f}" if x < 1000 else f"{x:.0e}"


def largest(records: Sequence[Record]) -> str:
    """Of the answers that the bound accepts the largest error in ULP, and the largest share of a bound."""
    by_ulp, by_share = farthest(records), closest(records)
    return f"{figure(by_ulp.ulp)} ulp; {figure(by_share.share)}" if by_ulp and by_share else "-"


def three_lines(record: Record) -> tuple[str, str, str]:
    """What happened, the figures, and how to look closer."""
    where = f"{record.output}{list(record.index)}" if record.index is not None else record.output
    first = f"{record.verdict.upper()} {record.target} on {record.case}" + (f": {record.note}" if record.note else "")
    values = {"got": record.got, "truth": record.truth, "bound": record.bound}
    known = [f"{name} {float.fromhex(value):.9g}" for name, value in values.items() if value is not None]
    if known:
        second = f"  {where}: {', '.join(known)}; {figure(record.ulp)} ulp, {figure(record.share)} of the bound"
    else:
        second = f"  {where or 'no output to compare'}"
    third = f"  oracle explain '{record.case}'"
    if record.target.partition(":")[0] in FRAMEWORKS:  # and no implementation of a user's
        third += f" --target {record.target}"
    return first, second, third


def counts(records: Iterable[Record]) -> str:
    """How often each verdict was given, on one line; waived ones are counted apart."""
    tally = Counter(r.verdict for r in records if r.waiver is None)
    waived = sum(r.waiver is not None for r in records)
    return ", ".join([f"{tally[v]} {v}" for v in Verdict] + [f"{waived} waived"])
