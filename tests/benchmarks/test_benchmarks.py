"""The benchmarks without a clock: everything can be run, both sides do the same, the ratios are right."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from benchmarks import audit
from benchmarks.draws import SLOWER, draws
from benchmarks.table import Column, Row, means, ratios, table
from benchmarks.workloads import Run, stepper, workloads
from oracle.cases import registry
from oracle.cases.case import leaves
from oracle.cases.selection import select
from oracle.cases.spec import Spec


def arrays(run: Run) -> list[np.ndarray[Any, Any]]:
    """What one call gives, as arrays."""
    parts = [part for _, part in leaves("output", run())]
    return [part.detach().numpy() if isinstance(part, torch.Tensor) else np.asarray(part) for part in parts]


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's on the mean of kl_div
@pytest.mark.parametrize("spec", registry.specs().values(), ids=lambda spec: spec.name)
def test_reference_and_torch_do_the_same_work(spec: Spec) -> None:
    parts: dict[str, dict[str, Any]] = {}
    for workload in workloads(spec):
        assert (workload.op, workload.kind) == (spec.name, spec.kind)
        parts.setdefault(workload.part, {})[workload.target] = arrays(workload.prepare(100))
    for targets in parts.values():
        assert list(targets)[:2] == ["reference", "torch:eager"]
        ours = [(a.shape, a.dtype) for a in targets.pop("reference")]
        assert {dtype for _, dtype in ours} == {np.dtype(np.float32)}
        for target, theirs in targets.items():
            assert [(a.shape, a.dtype) for a in theirs] == ours, target


def test_draws_do_the_same_work() -> None:
    for ours, theirs in zip(draws()[::2], draws()[1::2], strict=True):
        assert (ours.op, ours.target, theirs.target) == (theirs.op, "reference", "torch:eager")
        for n in (7, 40):
            (x,), (y,) = arrays(ours.prepare(n)), arrays(theirs.prepare(n))
            assert (x.dtype, x.tolist()) == (y.dtype, y.tolist()), ours.op  # the same seed, and so the same numbers
    assert {one.op for one in draws()} >= set(SLOWER)


def test_every_kind_has_its_parts() -> None:
    parts = {(w.kind, w.part) for spec in registry.specs().values() for w in workloads(spec)}
    assert parts == {("loss", "forward"), ("loss", "forward+backward"), ("optim", "step"), ("optim", "step of 100"),
                     ("init", "fill")}


def test_torch_optimizers_are_timed_in_each_variant() -> None:
    for part in ("step", "step of 100"):
        assert [w.target for w in workloads(registry.get("Adam")) if w.part == part] == [
            "reference", "torch:eager", "torch:foreach", "torch:fused"]


def test_a_step_of_a_hundred_has_a_hundred_parameters() -> None:
    run = {w.part: w.prepare(10)() for w in workloads(registry.get("SGD")) if w.target == "reference"}
    assert {part: len(parameters) for part, parameters in run.items()} == {"step": 1, "step of 100": 100}
    assert len({p.tobytes() for p in run["step of 100"]}) == 100


def test_a_spec_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="no way to time a object"):
        workloads(object())  # type: ignore[arg-type]


def test_an_optimizer_that_needs_a_closure_gets_one() -> None:
    p = torch.nn.Parameter(torch.zeros(4))
    goal = torch.arange(1.0, 5.0)
    run = stepper(torch.optim.LBFGS([p], max_iter=50), [p], [goal], [torch.tensor([1.0, 2.0, 3.0, 4.0])])
    # Goals are integers: the nearest ones tell which quadratic's minimum was gone to, however exactly.
    assert torch.equal(p.detach().round(), goal)
    run()
    assert torch.equal(p.detach().round(), -goal)


def test_the_table_has_a_mean_for_each_target_where_there_are_several() -> None:
    fused = [timed("optim", "H", "torch:eager", 100, 3.0)]
    console = Console(width=140, file=io.StringIO(), record=True)
    console.print(table(ratios([*DOCUMENTS, {"benchmarks": fused}]), {}))
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in console.export_text().splitlines()
            if "geometric mean: optim" in line]
    assert rows == [["geometric mean: optim", "", "torch:fused", "12", "", "12"],
                    ["geometric mean: optim", "", "torch:eager", "6.00", "", "6.00"],
                    ["geometric mean: optim", "", "", "8.49", "", "8.49"]]  # sqrt(12 * 6) = 8.485


def timed(kind: str, op: str, target: str, n: int, median: float) -> dict[str, Any]:
    """A benchmark as pytest-benchmark writes it, in so far as it is read."""
    info = {"kind": kind, "op": op, "part": "part", "target": target, "n": n, "threads": 1}
    return {"extra_info": info, "stats": {"median": median, "mean": -1.0}}


FIRST = [
    timed("loss", "f", "reference", 100, 2.0),
    timed("loss", "f", "torch:eager", 100, 6.0),  # 3
    timed("loss", "g", "torch:eager", 100, 3.0),
    timed("loss", "g", "reference", 100, 4.0),  # 3/4
    timed("loss", "f", "reference", 10**4, 5.0),
    timed("loss", "f", "torch:eager", 10**4, 1.0),  # 1/5
]
SECOND = [
    timed("optim", "H", "reference", 100, 0.5),
    timed("optim", "H", "torch:fused", 100, 6.0),  # 12
    timed("init", "alone", "torch:eager", 100, 6.0),  # no reference, and no ratio
]
DOCUMENTS = [{"benchmarks": FIRST}, {"benchmarks": SECOND}]
SMALL, LARGE = Column(100, 1), Column(10**4, 1)


def is_mean(found: float, ratios: Sequence[float]) -> bool:
    """Is a number the geometric mean of some ratios, as far as logarithms in doubles can tell?

    With L the largest logarithm, each of the n logarithms is off by 2 u L at most, their sum by (n - 1) u n L, the
    quotient by u L: the exponent by (n + 2) u L, and the exponential of it by 2 u more. The power that found has to be
    compared with costs n - 1 roundings, and n times the error.
    """
    n, u = len(ratios), 2.0**-53
    largest = max(abs(math.log(ratio)) for ratio in ratios)
    product = math.prod(ratios)
    return abs(found**n - product) <= product * 2 * u * n * ((n + 2) * largest + 3)


def test_ratios_are_torch_over_reference() -> None:
    assert ratios(DOCUMENTS) == {
        Row("loss", "f", "part", "torch:eager"): {SMALL: 3.0, LARGE: 0.2},
        Row("loss", "g", "part", "torch:eager"): {SMALL: 0.75},
        Row("optim", "H", "part", "torch:fused"): {SMALL: 12.0},
    }


def test_threads_that_were_held_up_give_no_ratio() -> None:
    def document(threads: int, torch_median: float) -> dict[str, Any]:
        both = [timed("loss", "f", "reference", 100, 1.0),
                timed("loss", "f", "torch:eager", 100, torch_median)]
        for benchmark in both:
            benchmark["extra_info"]["threads"] = threads
        return {"benchmarks": both}

    row = Row("loss", "f", "part", "torch:eager")
    sound = ratios([document(1, 3.0), document(2, 6.0)])
    assert sound[row] == {Column(100, 1): 3.0, Column(100, 2): 6.0}
    held_up = ratios([document(2, 6.5), document(1, 3.0)])
    averages = means([held_up[row], {Column(100, 2): 5.0}])
    assert held_up[row][Column(100, 1)] == 3.0
    assert is_mean(averages[Column(100, 1)], [3.0])
    assert all(math.isnan(found[Column(100, 2)]) for found in (held_up[row], averages))
    cells = [next(iter(column.cells)) for column in table(held_up, {}).columns]
    assert cells[3:] == ["[green]3.00[/]", "?", "?"]


def test_a_reason_stands_under_the_table_that_has_its_op() -> None:
    slower = {"f": "one call takes 1 µs.", "g": "", "other": "it is not here."}
    caption = str(table(ratios(DOCUMENTS), {}, slower).caption)
    assert "\nf: one call takes 1 µs." in caption
    assert "g: " not in caption
    assert "other" not in caption.split("\n", 1)[1]


def test_means_are_geometric() -> None:
    rows = ratios(DOCUMENTS)
    losses = means(row for name, row in rows.items() if name.kind == "loss")
    every = means(rows.values())
    assert losses.keys() == every.keys() == {SMALL, LARGE}
    assert is_mean(losses[SMALL], [3.0, 0.75])
    assert not is_mean(losses[SMALL] * (1 + 1e-14), [3.0, 0.75])  # that near a mistake shows
    assert is_mean(every[SMALL], [3.0, 0.75, 12.0])
    assert is_mean(losses[LARGE], [0.2])
    assert is_mean(every[LARGE], [0.2])


def test_the_table_shows_ratios_means_and_their_direction() -> None:
    console = Console(width=140, file=io.StringIO(), record=True)
    console.print(table(ratios(DOCUMENTS), {"torch": "2.x"}))
    text = console.export_text()
    prose = " ".join(text.split())  # as it was before it was folded
    rows = [line.strip("│").split("│") for line in text.splitlines() if "│" in line]
    assert "above 1 the reference is faster" in prose
    assert "one thread whatever is set" in prose
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["f", "part", "torch:eager", "3.00", "0.20", "0.77"],  # sqrt(3 * 0.2) = 0.7746
        ["g", "part", "torch:eager", "0.75", "", "0.75"],
        ["H", "part", "torch:fused", "12", "", "12"],
        ["geometric mean: loss", "", "", "1.50", "0.20", "0.55"],  # of 1.5 and 0.2
        ["geometric mean: optim", "", "", "12", "", "12"],
        ["geometric mean: all", "", "", "3.00", "0.20", "0.77"],
    ]


def test_an_audit_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    arguments = ["zeros_", "--target", "reference", "-j", "1"]
    proven, kept = (audit.Run.of(arguments, tmp_path, kept=kept) for kept in (False, True))
    assert proven.cases == kept.cases == len(select(["zeros_"]))
    assert proven.processor > 0
    assert kept.memory > 10
    assert (tmp_path / "kept.sqlite").exists()


def test_what_a_command_leaves_behind_is_counted() -> None:
    """As the workers of an audit are, which another process than the audit has started."""
    if sys.platform != "linux":
        pytest.skip("orphans are counted on Linux alone")
    large = "x = bytearray(200 * 2**20)"
    orphan = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {large!r}])"
    used = []
    for code in ("pass", orphan, "raise SystemExit(3)"):
        measured = subprocess.run([sys.executable, "-m", "benchmarks.usage", sys.executable, "-c", code], check=False,
                                  capture_output=True, text=True)
        used.append((measured.returncode, json.loads(measured.stderr.splitlines()[-1])))
    assert [status for status, _ in used] == [0, 0, 3]
    assert used[0][1]["memory"] < 200 < used[1][1]["memory"]
    assert used[0][1]["processor"] > 0


def test_an_audit_that_cannot_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        audit.main(["--part", "nothing"])
    assert "unknown op 'nothing'" in capsys.readouterr().err


def test_what_takes_too_long_is_left_out_and_named(tmp_path: Path) -> None:
    """A hundred parameters are taken to cost a hundred times one."""
    command = [sys.executable, "-m", "benchmarks", "SGD", "--sizes", "10", "--time", "0.001", "--rounds", "1",
               "--longest", "1e-9", "--out", str(tmp_path)]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # xdist's
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=outside,
                          cwd=Path(__file__).parents[2])
    assert "4 passed, 4 skipped" in done.stdout
    assert "SGD, step of 100, of 10 elements: a call takes some" in done.stdout
    document = json.loads((tmp_path / "threads-1.json").read_text(encoding="utf-8"))
    assert {(b["extra_info"]["part"], b["stats"]["rounds"]) for b in document["benchmarks"]} == {("step", 1)}
