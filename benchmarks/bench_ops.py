"""Time one workload at one size. ``python -m benchmarks`` runs this file; plain ``pytest`` does not."""

from __future__ import annotations

import time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .workloads import Workload

#: Seconds that a first call took, of the part that others are so many times as much as: by op, target and size.
_first: dict[tuple[str, str, int], float] = {}


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's on the mean of kl_div
def test_speed(benchmark: BenchmarkFixture, workload: Workload, n: int, threads: int, longest: float) -> None:
    """Nothing is asserted: the times go to the JSON file. What takes long is run once; what takes longer, not."""
    benchmark.extra_info.update(op=workload.op, kind=workload.kind, part=workload.part,
                                target=workload.target, n=n, threads=threads)
    expected = workload.times * _first.get((workload.op, workload.target, n), 0.0)
    if expected > longest:
        pytest.skip(f"{workload.op}, {workload.part}, of {n:,} elements: a call takes some {expected:.0f} s of "
                    f"{workload.target}, more than --longest {longest:g}")
    run = workload.prepare(n)
    began = time.perf_counter()
    run()  # what is made in a first call would mislead the calibration
    seconds = time.perf_counter() - began
    if workload.times == 1:
        _first[workload.op, workload.target, n] = seconds
    if seconds > longest / 10:
        benchmark.pedantic(run, rounds=1)  # type: ignore[no-untyped-call]  # of pytest-benchmark
    else:
        benchmark(run)
