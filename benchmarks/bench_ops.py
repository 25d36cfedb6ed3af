"""Time one workload at one size. ``python -m benchmarks`` runs this file; plain ``pytest`` does not."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .workloads import Workload


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's on the mean of kl_div
def test_speed(benchmark: BenchmarkFixture, workload: Workload, n: int, threads: int) -> None:
    """Nothing is asserted: the times go to the JSON file."""
    benchmark.extra_info.update(op=workload.op, kind=workload.kind, part=workload.part,
                                target=workload.target, n=n, threads=threads)
    run = workload.prepare(n)
    run()  # what is made in a first call would mislead the calibration
    benchmark(run)
