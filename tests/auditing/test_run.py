"""Records: complete, exact, the same each time, and whatever a target does ends in one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oracle.auditing import judge, run
from oracle.auditing.records import header, read_records
from oracle.cases.case import Case, parse
from oracle.cases.selection import select
from oracle.targets.loading import TargetError, Unsupported, load
from oracle.truth.evaluate import FLOATS, Outputs, evaluate
from oracle.verdict.record import Record
from tests.planted import Planted

CASE = parse("mse_loss/float32/reduction=none")


def _right(case: Case) -> dict[str, Any]:
    return evaluate(case, FLOATS)


def _raise(error: BaseException) -> Callable[[Case], Outputs]:
    def answer(case: Case) -> Outputs:
        raise error
    return answer


@pytest.mark.parametrize(("answer", "verdict", "note"), [
    (_right, "within", ""),
    (_raise(ValueError("no")), "crashed", "ValueError: no"),
    (_raise(Unsupported("not today")), "unsupported", "not today"),
    (lambda case: _right(case) | {"output": _right(case)["output"] * 2}, "exceeds", ""),
    (lambda case: None, "crashed", "outputs in a NoneType, not a mapping"),
    (lambda case: _right(case) | {"output": "a string"}, "exceeds", "shape (), needed is (3, 4)"),
    (lambda case: _right(case) | {"output": [[1], [1, 2]]}, "crashed", "no array: ValueError"),
    (lambda case: {"output": torch.zeros(3, 4, requires_grad=True)}, "crashed", "no array: RuntimeError"),
    (lambda case: {"output": _right(case)["output"]}, "missing", "this output is missing"),
])
def test_whatever_a_target_does_is_a_record(answer: Callable[[Case], Outputs], verdict: str, note: str) -> None:
    record = judge.run_case(CASE, Planted(answer))
    assert (record.verdict, record.fails) == (verdict, verdict in ("missing", "exceeds", "crashed"))
    assert note in record.note


def test_a_record_holds_the_worst_element_exactly() -> None:
    def answer(case: Case) -> Outputs:
        outputs = _right(case)
        output = outputs["output"].copy()
        output[1, 2] *= np.float32(1.5)
        return outputs | {"output": output}

    record = judge.run_case(CASE, Planted(answer))
    assert (record.output, record.index) == ("output", (1, 2))
    assert record.got is not None
    assert record.truth is not None
    assert float.fromhex(record.got) == float(np.float32(_right(CASE)["output"][1, 2]) * np.float32(1.5))
    exact = (CASE.inputs["input"][1, 2].astype(float) - CASE.inputs["target"][1, 2].astype(float)) ** 2
    assert abs(float.fromhex(record.truth) - exact) <= 2 * np.spacing(exact)
    assert record.share > 1e5
    assert record.outputs["grad.input"][0] == "within"


def test_records_survive_json() -> None:
    record = judge.run_case(CASE, Planted(lambda case: _right(case) | {"output": np.full((3, 4), np.nan, np.float32)}))
    assert record.ulp == math.inf
    line = record.to_json()
    assert Record.from_json(line) == record
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.fixture
def small() -> list[Case]:
    return [case for op in ("mse_loss", "SGD", "normal_") for case in select([op], ["float32"])[:8]]


def test_two_runs_give_the_same_records_however_many_processes_work(small: list[Case]) -> None:
    one = [r.to_json() for r in run.audit(small, ["reference", "torch"])]
    two = [r.to_json() for r in run.audit(small, ["reference", "torch"], jobs=2)]
    assert one == two
    assert len({r.split('"target"')[0] for r in one}) == len(small)


def test_variants_without_meaning_for_an_op_give_no_record(small: list[Case]) -> None:
    targets = {(r.op, r.target) for r in run.audit(small, ["torch"])}
    assert ("mse_loss", "torch:foreach") not in targets
    assert ("SGD", "torch:foreach") in targets
    assert ("normal_", "torch:eager") in targets


def test_a_file_of_records_is_read_back_and_a_damaged_one_named(tmp_path: Path, small: list[Case]) -> None:
    records = list(run.audit(small[:2], ["reference"]))
    lines = [json.dumps(header(["oracle", "audit"], "cpu")), *(r.to_json() for r in records)]
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join(lines) + "\n")
    head, again = read_records(path)
    assert again == records
    assert head["versions"]["numpy"] == np.__version__
    assert head["command"] == ["oracle", "audit"]
    path.write_text("\n".join([*lines, lines[1][:40]]) + "\n")
    with pytest.raises(ValueError, match=r"records\.jsonl, line 4: damaged record"):
        read_records(path)
    path.write_text("hello\n")
    with pytest.raises(ValueError, match="is not a record file of this version"):
        read_records(path)


def test_unknown_targets_are_named() -> None:
    with pytest.raises(TargetError, match="unknown target 'mxnet'; frameworks are reference, torch, optax, keras"):
        load(["mxnet"])
    with pytest.raises(TargetError, match="unknown variant 'fast' of torch; it has eager, module"):
        load(["torch:fast"])
    with pytest.raises(TargetError, match="torch cannot use device 'cuda'"):
        load(["torch:eager"], "cuda")


def test_a_capturable_optimizer_on_a_cpu_is_unsupported_for_torchs_own_reason() -> None:
    (target,) = load(["torch:capturable"])
    record = judge.run_case(parse("Adam/float32/default"), target)
    assert record.verdict == "unsupported"
    assert "supported devices" in record.note
    assert judge.run_case(parse("SGD/float32/default"), target).note == "torch.optim.SGD has no argument capturable"
