"""Sweeps: no number of a half type is left out, each is judged, and a mistake at a single one is found."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from oracle.auditing import judge
from oracle.auditing.records import read_records
from oracle.cases import registry, sweeps
from oracle.cases.case import Case, parse
from oracle.cases.registry import BadCaseError
from oracle.cases.selection import select, select_sweeps
from oracle.cases.spec import LossSpec, Spec
from oracle.cli.app import main
from oracle.report.sweeps import sweep_table
from oracle.targets.loading import load
from oracle.truth import kept_truths
from oracle.truth.evaluate import FLOATS, Outputs, evaluate
from oracle.verdict import waivers
from oracle.verdict.record import Record

ELEMENTWISE = [spec for spec in registry.specs().values() if isinstance(spec, LossSpec) and spec.elementwise]


def test_the_numbers_are_all_there_are() -> None:
    for dtype, nans in (("float16", 2 * 1023), ("bfloat16", 2 * 127)):
        numbers = sweeps.numbers(dtype, -np.inf, np.inf)
        assert len(set(numbers.view(np.uint16).tolist())) == numbers.size == 2**16 - nans + 1
        finite = numbers[:-1].astype(np.float64)
        assert np.all(np.diff(finite) >= 0)
        assert np.isnan(numbers[-1].astype(np.float64))
        zeros = np.flatnonzero(finite == 0)
        assert np.signbit(finite[zeros]).tolist() == [True, False]
    assert sweeps.numbers("bfloat16", 0.0, 1.0).dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize("spec", ELEMENTWISE, ids=lambda spec: spec.name)
def test_the_cases_of_an_op_hold_every_number_for_every_label(spec: LossSpec) -> None:
    for dtype in ("float16", "bfloat16"):
        found: dict[str, list[int]] = {label: [] for label in spec.elementwise}
        for case in select_sweeps([spec.name], [dtype]):
            x = case.inputs[spec.arrays[0]]
            found[case.options["with"]] += x.view(np.uint16).tolist()
            assert case.inputs["reduction"] == "none"
            assert spec.function(**case.inputs).shape == x.shape, "one element each"
            assert not np.any(case.grad_output.astype(float) != 1)
            if case.options["part"]:
                break  # of the rest the numbers are enough, and those cost little
        wanted = sweeps.numbers(dtype, *spec.domain).view(np.uint16).tolist()
        for numbers in found.values():
            assert numbers == wanted[:len(numbers)]


def test_sweeps_are_named_apart_from_the_shipped_cases() -> None:
    ids = [case.id for case in select_sweeps(["mse_loss"])]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {case.id for case in select(["mse_loss"])}
    for case_id in (ids[0], ids[-1]):
        again = parse(case_id)
        assert again.id == case_id
        assert "every" in again.options
    whole = np.concatenate([parse(i).inputs["input"] for i in ids if "/float16/" in i and "with" not in i])
    assert np.array_equal(whole.view(np.uint16), sweeps.numbers("float16", -np.inf, np.inf).view(np.uint16))


@pytest.mark.parametrize(("ops", "dtypes", "message"), [
    (["cross_entropy"], [], "'cross_entropy' is no elementwise loss; these are binary_cross_entropy,"),
    (["Adam"], [], "'Adam' is no elementwise loss"),
    (["mse_loss"], ["float32"], "only numbers of float16 and bfloat16 can all be tried, not of float32"),
])
def test_what_cannot_be_swept_is_named(ops: list[str], dtypes: list[str], message: str) -> None:
    with pytest.raises(BadCaseError) as error:
        select_sweeps(ops, dtypes)
    assert str(error.value).startswith(message)
    with pytest.raises(BadCaseError):
        parse("mse_loss/float32/every=input")
    with pytest.raises(BadCaseError):
        parse("cross_entropy/float16/every=input")


class _Wrong:
    """The reference, with one element of one output off by some units in the last place."""

    name = "planted"

    def __init__(self, number: float, ulp: int) -> None:
        self.number, self.ulp = number, ulp

    def covers(self, spec: Spec) -> bool:
        return True

    def run(self, case: Case) -> Outputs:
        outputs = evaluate(case, FLOATS)
        where = np.flatnonzero(case.inputs["input"].astype(float) == self.number)
        bits = outputs["grad.input"].view(np.int16).copy()
        bits[where] += self.ulp
        return outputs | {"grad.input": bits.view(outputs["grad.input"].dtype)}

    def script(self, case: Case) -> str:
        return ""


PART = "l1_loss/bfloat16/every=input,with=0.7,part=9"  # of 4096 numbers from 6e-31 to 5e-21


def _row(record: Record, output: str) -> list[str]:
    table = sweep_table([record])
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    return next([str(cell) for cell in row] for row in rows if row[3] == output)


@pytest.mark.parametrize(("ulp", "verdict", "where"), [(0, "exact", ""), (3, "exceeds", "1 exceeds")])
def test_one_wrong_number_of_all_is_found(ulp: int, verdict: str, where: str) -> None:
    case = parse(PART)
    number = float(case.inputs["input"][1234])
    record = judge.run_case(case, _Wrong(number, ulp), elements=True)
    assert record.verdict == verdict
    assert record.elements is not None
    counts = record.elements["grad.input"].verdicts
    assert sum(counts.values()) == case.inputs["input"].size
    assert counts.get("exceeds", 0) == (1 if ulp else 0)
    assert record.index == ((1234,) if ulp else record.index)
    assert _row(record, "grad.input")[-1] == where
    assert Record.from_json(record.to_json()) == record


def test_the_worst_error_in_ulp_is_that_of_all_elements() -> None:
    """Not that of the element with the largest share of its bound, which stands for the case elsewhere."""
    case = parse("mse_loss/float16/every=input,with=0.7,part=11")
    (reference,) = load(["reference"])
    record = judge.run_case(case, reference, elements=True)
    assert record.elements is not None
    tally = record.elements["output"]
    truth, got = kept_truths.truth_of(case)["output"], reference.run(case)["output"].astype(float)
    spacing = np.spacing(np.abs(truth.hi).astype(np.float16)).astype(float)
    errors = np.abs((got - truth.hi) - truth.lo) / spacing
    assert tally.ulp_at == (int(np.argmax(errors)),)
    assert tally.ulp == errors.max()  # the same two subtractions, and a division by a power of two
    assert tally.ulp >= record.outputs["output"][1]
    assert _row(record, "output")[6] == f"{float(case.inputs['input'][tally.ulp_at]):.9g} (0.7)"


def test_a_known_defect_is_seen_in_all_its_extent_and_waived() -> None:
    (eager,) = load(["torch:eager"])
    record = judge.run_case(parse("soft_margin_loss/float16/every=input,part=2"), eager, waivers.load(), elements=True)
    assert record.waiver == "soft-margin-overflow"
    assert record.elements is not None
    x = parse(record.case).inputs["input"].astype(float)
    assert record.elements["output"].verdicts["range"] == np.count_nonzero(np.exp(-x) >= 65520)


def test_the_command_writes_a_file_of_its_own_and_can_be_resumed(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["audit", "binary_cross_entropy", "--exhaustive", "--dtype", "bfloat16", "--target", "reference",
                 "-j", "1", "--out", str(tmp_path)]

    def oracle(*more: str) -> int:
        monkeypatch.setattr(sys, "argv", ["oracle", *arguments, *more])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    assert oracle() == 0
    out = capsys.readouterr().out
    assert "every number: the worst error" in out
    path = tmp_path / "exhaustive.jsonl"
    assert not (tmp_path / "records.jsonl").exists()
    whole = path.read_bytes()
    _, records = read_records(path)
    counts: Counter[str] = Counter()
    for r in records:
        assert r.elements is not None
        counts.update(r.elements["output"].verdicts)
    assert sum(counts.values()) == 3 * sweeps.numbers("bfloat16", 0.0, 1.0).size
    path.write_bytes(whole[:len(whole) // 2])
    assert oracle("--resume") == 0
    assert path.read_bytes() == whole


def test_the_waiver_of_a_lesser_output_counts_as_needed() -> None:
    case = parse("binary_cross_entropy_with_logits/bfloat16/every=input,part=3")
    (eager,) = load(["torch:eager"])
    record = judge.run_case(case, eager, waivers.load())
    assert (record.waiver, record.also) == ("bce-cancels", ("bce-logits-sigmoid-underflows",))
    assert Record.from_json(record.to_json()) == record
