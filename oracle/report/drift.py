"""How far float32 parameters drift from the truth over many steps, of the reference and of each way torch has.

    python -m oracle.report.drift README.md

writes the table between the two marks in the README; without an argument it is printed. Nothing is
re-synchronised on the way: it is one run of 2,000 steps, by the longest case of each optimizer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..auditing.words import figure
from ..cases import registry
from ..cases.case import Case
from ..cases.registry import BadCaseError, chosen_specs
from ..cases.selection import cases
from ..cases.spec import OptimSpec
from ..targets.loading import Target, Unsupported, load
from ..truth.evaluate import Outputs
from ..truth.kept_truths import truth_of
from ..truth.proof import Truth
from ..ulp import spacing
from .summary import replace

__all__ = ["AFTER", "END", "START", "TARGETS", "drift", "longest", "rows", "table"]

START, END = "<!-- drift: written by oracle.report.drift -->", "<!-- end of drift -->"

AFTER = (1, 10, 300, 2000)  #: steps
TARGETS = ("reference", "torch:eager", "torch:foreach", "torch:fused")


def longest(spec: OptimSpec) -> Case:
    """The float32 case with the most steps."""
    return max(cases(spec, "float32", long=True, around=False), key=lambda case: case.options["steps"])


def drift(outputs: Outputs, truths: Mapping[str, Truth]) -> list[float]:
    """The largest error of a parameter's element after so many steps as in :data:`AFTER`, in ULP of the truth."""
    worst = np.zeros(len(AFTER))
    for name, truth in truths.items():
        if name.startswith("param["):
            error = np.abs((np.asarray(outputs[name], np.float64) - truth.hi) - truth.lo)
            ulp = (error / spacing(truth.hi, truth.dtype)).reshape(len(error), -1)
            worst = np.maximum(worst, [ulp[n - 1].max(initial=0.0) for n in AFTER])
    return [float(x) for x in worst]


def rows(spec: OptimSpec, targets: Sequence[Target]) -> dict[str, list[float] | None]:
    """The drift of each target; None where torch has no such way."""
    case = longest(spec)
    truths = truth_of(case)
    found: dict[str, list[float] | None] = {}
    for target in targets:
        try:
            found[target.name] = drift(target.run(case), truths)
        except Unsupported:
            found[target.name] = None
    return found


def table(found: Mapping[str, Mapping[str, list[float] | None]]) -> str:
    """The table in Markdown: in each cell the errors after 1, 10, 300 and 2,000 steps."""
    lines = [f"| ULP after {', '.join(f'{n:,}' for n in AFTER)} steps | {' | '.join(TARGETS)} |",
             f"|{' --- |' * (1 + len(TARGETS))}"]
    for name, by_target in found.items():
        cells = []
        for target in TARGETS:
            errors = by_target.get(target)
            cells.append("-" if errors is None else ", ".join(map(figure, errors)))
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print or write."""
    from rich.console import Console
    from rich.progress import track

    parser = argparse.ArgumentParser(prog="python -m oracle.report.drift",
                                     description="Error of float32 parameters after 1, 10, 300 and 2,000 steps.",
                                     epilog="Example: python -m oracle.report.drift --ops Adam SGD")
    parser.add_argument("file", nargs="?", type=Path, help="text whose table is to be replaced; printed by default")
    parser.add_argument("--ops", nargs="+", default=["optim"], help="optimizers; all by default")
    options = parser.parse_args(argv)
    try:
        specs = [spec for spec in chosen_specs(options.ops) if isinstance(spec, OptimSpec)]
    except BadCaseError as error:
        parser.error(str(error))
    targets = load(TARGETS)
    found = {spec.name: rows(spec, targets) for spec in
             track(specs, "optimizers", console=Console(stderr=True), transient=True)}
    if options.file is None:
        print(table(found))
        return 0
    optimizers = [spec.name for spec in registry.specs().values() if isinstance(spec, OptimSpec)]
    missing = [name for name in optimizers if name not in found]
    if missing:
        parser.error(f"a file gets the whole table; --ops leaves out {', '.join(missing)}")
    text = options.file.read_text(encoding="utf-8")
    options.file.write_text(replace(text, table(found), START, END), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
