"""Ratios of times from pytest-benchmark's JSON, for the table of benchmarks and for reports."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import geometric_mean
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["FOLDER", "HELD_UP", "Column", "Ratios", "Row", "Timings", "means", "ratios", "read"]


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


FOLDER = "benchmark-results"  #: where the benchmarks write, and where reports look, beside a run and in it

#: How many times slower than with one thread torch may be before the ratio says nothing. OpenMP's threads
#: spin while they wait, and lose a time slice where other jobs have the cores: calls of 10 µs took 7 ms.
HELD_UP = 2.0

Ratios = Mapping[Row, Mapping[Column, float]]


class Timings(NamedTuple):
    """What benchmarks found."""

    ratios: Ratios
    machine: Mapping[str, Any] = MappingProxyType({})  #: what they ran on, with the versions of torch and NumPy


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
            held_up = median > HELD_UP * medians.get((row, column._replace(threads=1)), math.inf)
            result.setdefault(row, {})[column] = math.nan if held_up else median / ours
    return result


def means(rows: Iterable[Mapping[Column, float]]) -> dict[Column, float]:
    """The geometric mean of each column; NaN where one of its ratios is."""
    columns: dict[Column, list[float]] = {}
    for row in rows:
        for column, ratio in row.items():
            columns.setdefault(column, []).append(ratio)
    return {column: geometric_mean(values) for column, values in columns.items()}


def read(folder: Path) -> Timings:
    """What the benchmarks wrote to a folder.

    Raises:
        ValueError: there are no results in it, or a file of another form.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise ValueError(f"no benchmark results in {folder}")
    documents = []
    for file in files:
        try:
            documents.append(json.loads(file.read_text(encoding="utf-8")))
            ratios(documents[-1:])
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{file} is no result of the benchmarks") from None
    return Timings(ratios(documents), documents[0].get("machine_info") or {})
