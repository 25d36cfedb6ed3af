"""The options of the benchmarks, and one benchmark for each workload and size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oracle.cases import registry


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that ``python -m benchmarks`` sets; lists are separated by commas."""
    group = parser.getgroup("benchmarks")
    group.addoption("--bench-ops", default="", help="ops, and draws for the generator's; all by default")
    group.addoption("--bench-sizes", default="100", help="numbers of elements")
    group.addoption("--bench-longest", type=float, default=20.0, help="seconds that one call may take")
    group.addoption("--bench-threads", type=int, default=1, help="threads that torch may use")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Reference and torch follow each other directly, so that a busy machine is as unkind to both."""
    if "workload" not in metafunc.fixturenames:
        return
    from .draws import draws
    from .workloads import workloads

    ops = [op for op in metafunc.config.getoption("--bench-ops").split(",") if op]
    sizes = [int(n) for n in metafunc.config.getoption("--bench-sizes").split(",")]
    specs = [registry.get(op) for op in ops if op != "draws"] if ops else registry.specs().values()
    parts: dict[tuple[str, str], list[Any]] = {}
    timed = [workload for spec in specs for workload in workloads(spec)]
    for workload in timed + (draws() if "draws" in ops or not ops else []):
        parts.setdefault((workload.op, workload.part), []).append(workload)
    chosen = [(workload, n) for part in parts.values() for n in sizes for workload in part]
    metafunc.parametrize(("workload", "n"), chosen,
                         ids=[f"{w.op}-{w.part}-{w.target}-{n}" for w, n in chosen])


@pytest.fixture(scope="session")
def threads(request: pytest.FixtureRequest) -> int:
    """The number of threads that torch uses from here on.

    One large array made and dropped first lets malloc keep freed memory, as it does in any process that runs
    for a while. Else who comes first pays a page fault for each 4 KiB of a temporary (a factor of two seen).
    """
    import torch

    np.empty(31 * 2**20, np.uint8)

    number = int(request.config.getoption("--bench-threads"))
    torch.set_num_threads(number)
    return number


@pytest.fixture
def longest(request: pytest.FixtureRequest) -> float:
    """Seconds that one call may take."""
    return float(request.config.getoption("--bench-longest"))


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Say what was measured, and how."""
    import torch

    machine_info |= {"torch": torch.__version__, "numpy": np.__version__,
                     "torch_cpu": torch.backends.cpu.get_cpu_capability()}
