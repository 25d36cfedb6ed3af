"""From pytest-benchmark's JSON to a table of ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import geometric_mean
from types import MappingProxyType
from typing import Any

from rich.table import Table

from oracle.report.timings import HELD_UP, Column, Ratios, Row, means, ratios

__all__ = ["Column", "Row", "means", "ratios", "table"]


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
                f"?: torch was more than {HELD_UP:g} times slower than with one thread, most likely as "
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
