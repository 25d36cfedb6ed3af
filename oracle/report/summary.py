"""The README's table of ops, made from the registry and the records of an audit.

    python -m oracle.report.summary oracle-results/records.jsonl README.md

writes it between the two marks in the README; without the second argument it is printed. A test holds
ops, parameters and numbers of cases to the registry.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from ..auditing.records import read_records
from ..auditing.words import largest
from ..cases import registry
from ..cases.selection import cases
from ..cases.spec import DTYPES
from ..verdict.record import Record

__all__ = ["END", "START", "replace", "rows", "summary"]

START, END = "<!-- ops: written by oracle.report.summary -->", "<!-- end of ops -->"


def rows() -> list[tuple[str, str, str]]:
    """Op with its torch names, its parameters, its number of cases."""
    return [(f"`{name}`" + "".join(f", `{other.rpartition('.')[2]}`" for other in spec.torch_names[1:]),
             ", ".join(f"`{p}`" for p in spec.parameters), str(sum(len(cases(spec, d)) for d in spec.dtypes)))
            for name, spec in registry.specs().items()]


def summary(records: Iterable[Record]) -> str:
    """The table in Markdown: for each storage type torch's largest error in ULP, and its largest share of a bound."""
    piles: dict[tuple[str, str], list[Record]] = {}
    for r in records:
        if r.target.startswith("torch:"):
            piles.setdefault((r.op, r.dtype), []).append(r)
    lines = [f"| op | parameters | cases | {' | '.join(DTYPES)} |", f"|{' --- |' * (3 + len(DTYPES))}"]
    for name, (op, parameters, count) in zip(registry.specs(), rows(), strict=True):
        figures = [largest(piles.get((name, dtype), ())) for dtype in DTYPES]
        lines.append(f"| {op} | {parameters} | {count} | {' | '.join(figures)} |")
    return "\n".join(lines)


def replace(text: str, table: str, start: str = START, end: str = END) -> str:
    """The text with the table between two marks.

    Raises:
        ValueError: the marks are not there.
    """
    before, found, rest = text.partition(start)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"the text needs the lines {start} and {end}")
    return f"{before}{start}\n{table}\n{end}{after}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m oracle.report.summary", description=__doc__.splitlines()[0],
                                     epilog="Example: python -m oracle.report.summary oracle-results README.md")
    parser.add_argument("run", type=Path, help="folder of oracle audit")
    parser.add_argument("file", type=Path, nargs="?", help="where the table is to be replaced; else it is printed")
    options = parser.parse_args()
    table = summary(read_records(options.run)[1])
    if options.file:
        options.file.write_text(replace(options.file.read_text(encoding="utf-8"), table), encoding="utf-8")
    else:
        print(table)
