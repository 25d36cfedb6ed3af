"""Time every op against torch, and show the ratios."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from oracle.cases.registry import BadCaseError, chosen_specs
from oracle.report.timings import FOLDER

from .draws import SLOWER
from .table import ratios, table

_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _number(text: str) -> int:
    value = float(text)
    if not 1 <= value < 2**53 or value != int(value):
        raise argparse.ArgumentTypeError(f"needs to be a whole number of at least 1, got {text}")
    return int(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time every op against torch with pytest-benchmark; then a "
        "table of ratios. Above 1 the reference is faster.",
        epilog="Example: python -m benchmarks losses Adam --sizes 100 1e6 --threads 1 --time 0.5")
    parser.add_argument("ops", nargs="*", help="ops, or losses, optim, init, draws; all by default")
    parser.add_argument("--sizes", nargs="+", type=_number, default=[10**2, 10**4, 10**6], metavar="N",
                        help="numbers of elements; default 1e2 1e4 1e6")
    parser.add_argument("--threads", nargs="+", type=_number, default=[1], metavar="T",
                        help="torch's threads, each number in a process of its own; default 1")
    parser.add_argument("--time", type=float, default=0.1, metavar="S",
                        help="seconds for each benchmark, about; default 0.1")
    parser.add_argument("--rounds", type=_number, default=5, metavar="N",
                        help="least rounds of each benchmark, also where they take longer; default 5")
    parser.add_argument("--longest", type=float, default=20.0, metavar="S",
                        help="seconds that one call may take, else it is left out; default 20")
    parser.add_argument("--out", type=Path, default=Path(FOLDER), metavar="DIR",
                        help=f"folder for threads-T.json; default {FOLDER}, which oracle report finds beside a run")
    return parser


def _command(options: argparse.Namespace, ops: Sequence[str], threads: int, results: Path) -> list[str]:
    """The run of pytest that times these ops with so many threads, and writes its results to a file."""
    return [sys.executable, "-m", "pytest", str(Path(__file__).with_name("bench_ops.py")), "-q", "-rs",
            "-p", "no:cacheprovider", "--benchmark-only", "--benchmark-quiet",
            f"--benchmark-json={results}", "--benchmark-min-time=0.001",
            f"--benchmark-max-time={options.time}", f"--benchmark-min-rounds={options.rounds}",
            f"--bench-ops={','.join(ops)}", f"--bench-sizes={','.join(map(str, options.sizes))}",
            f"--bench-threads={threads}", f"--bench-longest={options.longest}"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks, one process for each number of threads; pytest's exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        named = [op for op in options.ops if op != "draws"]
        specs = chosen_specs(named) if named or not options.ops else []
    except BadCaseError as error:
        parser.error(str(error))
    slower = {spec.name: spec.slower for spec in specs}
    ops = [spec.name for spec in specs]
    if "draws" in options.ops or not options.ops:
        ops.append("draws")
        slower |= SLOWER
    status, console = 0, Console(width=None if sys.stdout.isatty() else 160)
    options.out.mkdir(parents=True, exist_ok=True)
    documents = []
    for threads in options.threads:
        console.print(f"threads: {threads}")
        results = options.out / f"threads-{threads}.json"
        results.unlink(missing_ok=True)
        environment = os.environ | dict.fromkeys(_POOLS, str(threads))
        command = _command(options, ops, threads, results)
        status = subprocess.run(command, env=environment, check=False).returncode or status
        if results.exists():
            documents.append(json.loads(results.read_text(encoding="utf-8")))
            console.print(f"results: {results}")
    if documents:
        console.print(table(ratios(documents), documents[0]["machine_info"], slower))
    return status


if __name__ == "__main__":
    sys.exit(main())
