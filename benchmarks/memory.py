"""What memory a step takes beside parameters, gradients and state: ``python -m benchmarks.memory``."""

from __future__ import annotations

import argparse
import math
import sys
import time
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from oracle.cases.registry import BadCaseError, chosen_specs
from oracle.cases.spec import OptimSpec
from oracle.truth.history import entries
from reference.optim import Parameter, SparseGrad

from .workloads import FLOAT32, stepper

__all__ = ["Measured", "measure"]

Array = np.ndarray[Any, Any]


class Measured:
    """One optimizer on one parameter of n float32 elements: bytes that stay, and at most beside them in a step."""

    def __init__(self, spec: OptimSpec, n: int) -> None:
        drawn = spec.draw(spec.defaults, np.random.default_rng(0), FLOAT32)
        shape = (n,) if drawn.groups[0].params[0].ndim < 2 else (math.isqrt(n), math.isqrt(n))
        p = Parameter(np.ones(shape, np.float32))
        g: Any = np.full(shape, 0.5, np.float32)
        if any(isinstance(one, SparseGrad) for step in drawn.gradients for one in step):
            g = SparseGrad(np.arange(0, shape[0], 2)[None], g[::2].copy(), shape)
        curvature = np.ones(shape, np.float32) if drawn.objective is not None else None
        optimizer = spec.optimizer([p], **spec.sized)
        run = stepper(optimizer, [p], [g], [curvature])
        self.kept = sum(a.nbytes for a in _arrays([p.data, p.grad, *(v for _, v in entries(optimizer.state[p]))]))
        tracemalloc.start()
        try:
            start = time.perf_counter()
            run()
            self.seconds = time.perf_counter() - start
            self.beside = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    @property
    def share(self) -> float:
        """What a step takes beside what stays, as a share of it."""
        return self.beside / self.kept


def _arrays(values: Iterable[Any]) -> Iterator[Array]:
    for value in values:
        yield from (value.indices, value.values) if isinstance(value, SparseGrad) else (
            [value] if isinstance(value, np.ndarray) else [])


def measure(specs: Sequence[OptimSpec], n: int) -> Table:
    """A table of all that are named, one after the other."""
    table = Table(title=f"memory of a step on {n:,} float32 elements", title_justify="left")
    for column in ("optimizer", "parameters, gradients, state", "beside them at most", "share", "seconds"):
        table.add_column(column, justify="left" if column == "optimizer" else "right")
    for spec in track(specs, "measuring", console=Console(stderr=True), transient=True):
        found = Measured(spec, n)
        table.add_row(spec.name, f"{found.kept / 1e6:,.0f} MB", f"{found.beside / 1e6:,.1f} MB",
                      f"{found.share:.2%}", f"{found.seconds:.2f}")
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description="Memory that a step takes beside parameters, gradients and "
        "state, by tracemalloc, which NumPy tells of each array.",
        epilog="Example: python -m benchmarks.memory Adam SGD --elements 1e7")
    parser.add_argument("ops", nargs="*", default=["optim"], help="optimizers; all by default")
    parser.add_argument("--elements", type=lambda text: int(float(text)), default=10**8, metavar="N",
                        help="of the parameter; default 1e8, which takes up to 2 GB")
    options = parser.parse_args(argv)
    try:
        specs = [spec for spec in chosen_specs(options.ops) if isinstance(spec, OptimSpec)]
    except BadCaseError as error:
        parser.error(str(error))
    Console(width=None if sys.stdout.isatty() else 120).print(measure(specs, options.elements))
    return 0


if __name__ == "__main__":
    sys.exit(main())
