"""What an audit of everything takes: ``python -m benchmarks.audit``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from oracle.keeping.store import VARIABLE

__all__ = ["Run", "measure"]

_COMMAND = (sys.executable, "-m", "oracle")
_USAGE = (sys.executable, "-m", "benchmarks.usage")


@dataclass(frozen=True)
class Run:
    """One audit in a process of its own: seconds that pass, seconds of processors, and the largest process in MB."""

    kept: bool  #: were its truths and verdicts on disk before?
    cases: int
    seconds: float
    processor: float
    memory: float

    @classmethod
    def of(cls, arguments: Sequence[str], folder: Path, *, kept: bool) -> Run:
        """Run ``oracle audit`` with these arguments; truths and records are in a folder."""
        command = [*_COMMAND, "audit", *arguments, "--out", str(folder / "records")]
        done = subprocess.run([*_USAGE, *command], check=False, capture_output=True, text=True,
                              env={**os.environ, VARIABLE: str(folder)})
        *errors, used = done.stderr.strip().splitlines()
        said = [line for line in done.stdout.splitlines() if " verdicts on " in line]
        if not said:
            raise RuntimeError(f"oracle audit ended with {done.returncode}: {' '.join(errors)}")
        return cls(kept=kept, cases=int(said[0].split(" verdicts on ")[1].split()[0]), **json.loads(used))


def measure(parts: Sequence[Sequence[str]], arguments: Sequence[str]) -> Table:
    """A table: each part of the ops first without truths on disk, then with them."""
    table = Table(title=f"oracle audit {' '.join(arguments)}".strip(), title_justify="left")
    for column in ("ops", "cases", "truths", "seconds", "of processors", "ms of processors a case", "largest process"):
        table.add_column(column, justify="left" if column in ("ops", "truths") else "right")
    for part in track(parts, "auditing", console=Console(stderr=True), transient=True):
        with tempfile.TemporaryDirectory() as folder:
            for kept in (False, True):
                run = Run.of([*part, *arguments], Path(folder), kept=kept)
                table.add_row(" ".join(part) or "all", f"{run.cases:,}", "on disk" if kept else "proven",
                              f"{run.seconds:.1f}", f"{run.processor:.1f}", f"{1e3 * run.processor / run.cases:.2f}",
                              f"{run.memory:,.0f} MB")
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.audit", description="Time and memory of oracle audit: by kind and of everything, "
        "with truths that are proven, and with truths that an earlier run has kept.",
        epilog="Example: python -m benchmarks.audit --part losses --part mse_loss,Adam -- -j 2 --dtype float32")
    parser.add_argument("arguments", nargs="*", default=[], help="for oracle audit, behind --")
    parser.add_argument("--part", action="append", metavar="OPS", help="ops with commas between; init, losses, optim "
                        "and all of them by default, so that the cost of a case can be seen to stay")
    options = parser.parse_args(argv)
    parts = [part.split(",") for part in options.part or ()] or [["init"], ["losses"], ["optim"], []]
    try:
        table = measure(parts, options.arguments)
    except RuntimeError as error:
        parser.error(str(error))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
