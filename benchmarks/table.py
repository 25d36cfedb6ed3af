"""From pytest-benchmark's JSON to a table of ratios."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import geometric_mean
from types import MappingProxyType
from typing import Any, NamedTuple

from rich.table import Table

__all__ = ["Column", "Row", "means", "ratios", "table"]


class Row(NamedTuple):
    """A part of an op, and what the reference is compared with."""

    kind: str
    op: str
    part: str
    target: str


class Column(NamedTuple):
    """A size, and the number of threads."""

    n: int
    threads: int


#: How many times slower than with one thread torch may be before the ratio says nothing. OpenMP's threads
#: spin while they wait, and lose a time slice where other jobs have the cores: calls of 10 µs took 7 ms.
_HELD_UP = 2.0

Ratios = Mapping[Row, Mapping[Column, float]]


def ratios(documents: Iterable[Mapping[str, Any]]) -> dict[Row, dict[Column, float]]:
    """Median time of the target over median time of the reference, where both were measured.

    NaN where more threads made the target more than twice as slow as one: most likely other jobs held
    them up.
    """
    medians: dict[tuple[Row, Column], float] = {}
    for benchmark in (b for document in documents for b in document["benchmarks"]):
        info = benchmark["extra_info"]
        row = Row(info["kind"], info["op"], info["part"], info["target"])
        medians[row, Column(info["n"], info["threads"])] = benchmark["stats"]["median"]
    result: dict[Row, dict[Column, float]] = {}
    for (row, column), median in medians.items():
        ours = medians.get((row._replace(target="reference"), column))
        if row.target != "reference" and ours is not None:
            held_up = median > _HELD_UP * medians.get((row, column._replace(threads=1)), math.inf)
            result.setdefault(row, {})[column] = math.nan if held_up else median / ours
    return result


def means(rows: Iterable[Mapping[Column, float]]) -> dict[Column, float]:
    """The geometric mean of each column; NaN where one of its ratios is."""
    columns: dict[Column, list[float]] = {}
    for row in rows:
        for column, ratio in row.items():
            columns.setdefault(column, []).append(ratio)
    return {column: geometric_mean(values) for column, values in columns.items()}


def table(of: Ratios, machine: Mapping[str, Any], slower: Mapping[str, str] = MappingProxyType({})) -> Table:
    """One row for each part and target, geometric means by kind and of all below, and to the right.

    Under it stands why an op is slower than torch, as ``slower`` has it by name.
    """
    reasons = [f"{op}: {slower[op]}" for op in dict.fromkeys(row.op for row in of) if slower.get(op)]
    columns = sorted({column for row in of.values() for column in row})
    result = Table(
        title="median time of torch / median time of the reference, float32; above 1 the reference is faster",
        caption=f"torch {machine.get('torch')} ({machine.get('torch_cpu')}), NumPy {machine.get('numpy')}, "
                f"{machine.get('cpu', {}).get('brand_raw', 'unknown CPU')}. Threads are torch's, and those "
                "of NumPy's BLAS; NumPy's elementwise operations use one thread whatever is set. "
                f"?: torch was more than {_HELD_UP:g} times slower than with one thread, most likely as "
                "other jobs held its threads up." + "".join(f"\n{reason}" for reason in reasons),
        title_justify="left", caption_justify="left")
    for name in ("op", "part", "against"):
        result.add_column(name, no_wrap=True)
    for column in columns:
        plural = "s" if column.threads > 1 else ""
        result.add_column(f"n={column.n:,}\n{column.threads} thread{plural}", justify="right")
    result.add_column("geometric\nmean", justify="right")

    def add(names: tuple[str, str, str], row: Mapping[Column, float]) -> None:
        cells = [_cell(row[column]) if column in row else "" for column in columns]
        result.add_row(*names, *cells, _cell(geometric_mean(row.values())))

    kinds = dict.fromkeys(row.kind for row in of)
    for kind in kinds:
        for row in (row for row in of if row.kind == kind):
            add((row.op, row.part, row.target), of[row])
        result.add_section()
    for kind in kinds:
        targets = dict.fromkeys(row.target for row in of if row.kind == kind)
        for target in targets if len(targets) > 1 else ():
            add((f"geometric mean: {kind}", "", target), means(of[row] for row in of if (row.kind, row.target) == (
                kind, target)))
        add((f"geometric mean: {kind}", "", ""), means(of[row] for row in of if row.kind == kind))
    if of:
        add(("geometric mean: all", "", ""), means(of.values()))
    return result


def _cell(ratio: float) -> str:
    if math.isnan(ratio):
        return "?"
    text = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
    return f"[green]{text}[/]" if ratio > 1 else text
