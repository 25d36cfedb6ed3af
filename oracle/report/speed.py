"""What a report shows of benchmarks: each op's ratios by size and target, and geometric means of kinds and of all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean
from typing import Any

from .digest import KINDS, Digest
from .timings import Column, Ratios, Row, Timings, means

__all__ = ["Line", "Speed", "of_op", "place", "speed"]

ALL = "all targets"  #: in the place of a target


@dataclass(frozen=True)
class Line:
    """One op, or the mean of several."""

    name: str
    op: str  #: empty for a mean, and for what is no op of the run
    marks: Mapping[int, Mapping[str, float]]  #: by size and target: the target's time over the reference's
    mean: float


@dataclass(frozen=True)
class Speed:
    """The plot of a report."""

    every: Line  #: the mean of all
    kinds: Sequence[tuple[Line, Sequence[Line]]]  #: the mean of each kind, and its ops
    sizes: Sequence[int]
    targets: Sequence[str]
    measured: str  #: with what, and on what
    versions: str  #: the run's version of torch, where it is another


def speed(digest: Digest, timings: Timings | None) -> Speed | None:
    """What benchmarks say with one thread; None without any."""
    single = _one_thread(timings.ratios) if timings else {}
    if not timings or not single:
        return None
    kinds = sorted({row.kind for row in single}, key=lambda kind: [*KINDS, kind].index(kind))
    marks = {column.n: {ALL: ratio} for column, ratio in means(single.values()).items()}
    by_kind = {kind: {row: columns for row, columns in single.items() if row.kind == kind} for kind in kinds}
    return Speed(every=Line("All", "", marks, _mean_of_sizes(single.values())),
                 kinds=[_lines_of_kind(digest, kind, rows) for kind, rows in by_kind.items()],
                 sizes=sorted({column.n for columns in single.values() for column in columns}),
                 targets=list(dict.fromkeys(row.target for row in single)),
                 measured=_describe_machine(timings.machine), versions=_say_other_version(digest, timings))


def _lines_of_kind(digest: Digest, kind: str, rows: Ratios) -> tuple[Line, list[Line]]:
    """The mean of a kind, and its ops in the order of the run; draws of the generator are of a kind of their own."""
    order = list(digest.specs) if kind in KINDS else []
    lines = []
    for op in dict.fromkeys([*order, *(row.op for row in rows)]):
        own = {row: columns for row, columns in rows.items() if row.op == op}
        if own:
            lines.append(Line(op, op if op in order else "", _marks_of(own), _mean_of_sizes(own.values())))
    return Line(KINDS.get(kind, f"{kind}s".capitalize()), "", _marks_of(rows), _mean_of_sizes(rows.values())), lines


def of_op(timings: Timings | None, op: str) -> dict[str, float]:
    """The geometric mean of each target over parts and sizes, with one thread."""
    single = _one_thread(timings.ratios) if timings else {}
    rows = {row: columns for row, columns in single.items() if row.op == op and row.kind in KINDS}
    return {target: _mean_of_sizes(columns for row, columns in rows.items() if row.target == target)
            for target in dict.fromkeys(row.target for row in rows)}


def place(ratio: float) -> str:
    """Where a ratio stands on a track from 1/32 to 32, in percent.

    >>> place(1.0), place(4.0), place(1e9)
    ('50.0', '70.0', '100.0')
    """
    return f"{50 + 10 * min(max(math.log2(ratio), -5.0), 5.0):.1f}"


def _one_thread(ratios: Ratios) -> dict[Row, dict[Column, float]]:
    """The ratios with one thread that are numbers; rows that have none are left out."""
    found = {}
    for row, columns in ratios.items():
        single = {column: ratio for column, ratio in columns.items() if column.threads == 1 and not math.isnan(ratio)}
        if single:
            found[row] = single
    return found


def _mean_of_sizes(rows: Iterable[Mapping[Column, float]]) -> float:
    """The geometric mean over sizes of their geometric means, as the benchmarks' own table has it."""
    return geometric_mean(means(rows).values())


def _marks_of(rows: Ratios) -> dict[int, dict[str, float]]:
    """By size and target, the mean of the rows."""
    marks: dict[int, dict[str, float]] = {}
    for target in dict.fromkeys(row.target for row in rows):
        for column, ratio in means(columns for row, columns in rows.items() if row.target == target).items():
            marks.setdefault(column.n, {})[target] = ratio
    return marks


def _describe_machine(machine: Mapping[str, Any]) -> str:
    torch = f"torch {machine['torch']}" if "torch" in machine else ""
    numpy = f"NumPy {machine['numpy']}" if "numpy" in machine else ""
    return ", ".join(filter(None, (torch, machine.get("torch_cpu", ""), numpy,
                                   machine.get("cpu", {}).get("brand_raw", ""))))


def _say_other_version(digest: Digest, timings: Timings) -> str:
    ours, theirs = digest.head.get("versions", {}).get("torch"), timings.machine.get("torch")
    if ours is None or theirs is None or ours == theirs:
        return ""
    return f"The run is one of torch {ours}."
