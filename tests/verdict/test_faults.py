"""A fault of the oracle is no verdict: it is said, the other cases are judged, and the exit status is 2."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oracle
from oracle.auditing import judge
from oracle.auditing.records import read_records
from oracle.cases.selection import select
from oracle.checking import checked, checker, conformance, notes
from oracle.cli import list_ops
from oracle.cli.app import main
from oracle.truth import kept_truths
from oracle.vectors import reading, selection, writing
from oracle.verdict.faults import JudgeFault, not_judged

pytest_plugins = ["pytester"]

LINE = r"not judged: fault of the oracle: ZeroDivisionError: planted in \w+.py, line \d+; .*please report it"
MINE = "def mse(input, target):\n    return {}((input - target) ** 2).mean()\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE.format(""))
    return path


def _faulty(right: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
    def judge(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            raise ZeroDivisionError("planted")
        return right(*args, **kwargs)
    return judge


def _in_float64(outputs: Mapping[str, Any], truths: Mapping[str, Any]) -> bool:
    return bool(truths["output"].dtype == "float64")


def _exit(monkeypatch: pytest.MonkeyPatch, *args: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["oracle", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.fixture(params=["compare", "proof", "record"])
def planted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A judge that fails on all that is float64, by how it fails."""
    if request.param == "compare":
        monkeypatch.setattr(checker, "compare", _faulty(checker.compare, _in_float64))
    elif request.param == "proof":
        monkeypatch.setattr(kept_truths, "truth_of",
                            _faulty(kept_truths.truth_of, lambda case, *_: case.dtype == "float64"))
    else:
        monkeypatch.setattr(judge, "record_of", _faulty(judge.record_of, lambda case, *_: case.dtype == "float64"))
    return str(request.param)


@pytest.mark.usefixtures("planted")
def test_a_check_judges_the_other_cases_and_says_what_it_could_not(mine: Path) -> None:
    report = oracle.check("mse_loss", f"{mine}:mse", framework="numpy")
    faulty = [r for r in report.records if r.fault]
    assert faulty
    assert {r.dtype for r in faulty} == {"float64"}
    assert any(r.sound for r in report.records if r.dtype == "float32")
    assert not report.failures
    assert not report.passed
    assert re.fullmatch(LINE, report.faults[0])
    assert faulty[0].case in report.faults[0]
    assert f"note: {report.faults[0]}" in str(report)
    assert "UNDECIDED" in str(report)
    assert report.faults[0] in report.to_json()


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("factor", ["", "2 * "])
def test_the_command_ends_with_status_2_and_a_line(
        factor: str, mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether the cases that are judged agree or not."""
    mine.write_text(MINE.format(factor))
    assert _exit(monkeypatch, "check", f"{mine}:mse", "--as", "mse_loss", "--framework", "numpy") == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert re.fullmatch(f"oracle: {LINE} \\(\\d+ more\\)", line)
    assert "exceeds" in said.out
    assert ("smallest failing case" in said.out) is bool(factor)


def test_a_distribution_that_cannot_be_judged_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    right = checker.judge_draws
    monkeypatch.setattr(checker, "judge_draws", _faulty(right, lambda draws, claim: claim.std == 1))
    report = oracle.check("normal_", "torch.nn.init:normal_", stream=False, dtypes=["float32"])
    assert report.faults
    assert not report.failures
    assert any(r.sound for r in report.records)


def test_a_diagnosis_that_fails_leaves_the_verdicts(
        mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(checked, "diagnose", _faulty(checked.diagnose, lambda *_: True))
    mine.write_text(MINE.format("2 * "))
    assert _exit(monkeypatch, "check", f"{mine}:mse", "--as", "mse_loss", "--framework", "numpy", "--dtype",
                 "float32") == 2
    said = capsys.readouterr()
    assert "FAILED" in said.out
    assert re.fullmatch(f"oracle: {LINE}\n", said.err)


def test_notes_that_fail_are_a_fault(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_judge_by_storage", _faulty(notes._judge_by_storage, lambda *_: True))
    mine.write_text(MINE.format("2 * "))
    report = oracle.check("mse_loss", f"{mine}:mse", framework="numpy", dtypes=["bfloat16"])
    assert report.failures
    assert any(re.fullmatch(LINE, fault) for fault in report.faults)


def test_an_audit_goes_on_and_can_be_resumed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The case keeps its place in the file, undecided; no cache takes it for a verdict."""
    options = ["audit", "mse_loss", "--target", "reference", "--dtype", "float32", "--dtype", "float64", "-j", "1"]
    with monkeypatch.context() as planting:
        planting.setattr(judge, "compare", _faulty(judge.compare, _in_float64))
        assert _exit(planting, *options, "--out", str(tmp_path)) == 2
        said = capsys.readouterr()
        assert re.fullmatch(f"oracle: {LINE} \\(\\d+ more\\)\n", said.err)
        assert "STALE" not in said.out
        _, records = read_records(tmp_path)
        assert [r.case for r in records] == [case.id for case in select(["mse_loss"], ["float32", "float64"])]
        assert {r.dtype for r in records if r.fault} == {"float64"}
        assert all(r.sound or r.fault or r.dtype == "float32" for r in records)
        assert _exit(planting, *options, "--out", str(tmp_path), "--resume") == 2
    assert _exit(monkeypatch, *options, "--out", str(tmp_path)) == 0


@pytest.mark.filterwarnings("ignore")  # of deprecated arguments and shapes that are broadcast
def test_vectors_that_cannot_be_judged_end_with_status_2(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    numpy_files = pytest.importorskip("safetensors.numpy")
    (spec,) = {case.spec for case in select(["l1_loss"])}
    writing.export(tmp_path / "out", [spec])
    answers = {f"{case.id}:output": np.asarray(case.result) for case in selection.selection(spec)
               if case.dtype in ("float32", "float64")}
    numpy_files.save_file(answers, tmp_path / "mine.safetensors")
    monkeypatch.setattr(reading, "compare", _faulty(reading.compare, _in_float64))
    assert _exit(monkeypatch, "vectors", "verify", str(tmp_path / "out"), str(tmp_path / "mine.safetensors"),
                 "--partial") == 2
    said = capsys.readouterr()
    assert re.fullmatch(f"oracle: {LINE} \\(\\d+ more\\)\n", said.err)
    assert "within" in said.out


def test_a_suite_neither_passes_nor_skips_nor_expects_it(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (made,) = conformance.suites({"mse_loss": f"{mine}:mse"}, framework="numpy").values()
    monkeypatch.setattr(checker, "compare", _faulty(checker.compare, _in_float64))
    made.run("mse_loss/float32/default")
    with pytest.raises(JudgeFault, match=LINE):
        made.run("mse_loss/float64/default")
    (mine.parent / "expected").write_text("mse_loss/*  # all of them")
    test = conformance.conformance({"mse_loss": f"{mine}:mse"}, framework="numpy",
                             expected_failures=mine.parent / "expected")
    (marks,) = {parameter.marks[0].kwargs["raises"] for parameter in test.pytestmark[0].args[1]}
    assert not issubclass(JudgeFault, marks)


def test_the_fixtures_of_the_plugin_say_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        from oracle.auditing import judge

        def faulty(*_):
            raise ZeroDivisionError("planted")

        def test_check(oracle_case, oracle_check, oracle_targets, monkeypatch):
            monkeypatch.setattr(judge, "compare", faulty)
            oracle_check(oracle_case, oracle_targets[0])
    """)
    result = pytester.runpytest_subprocess("--oracle-ops", "mse_loss", "--oracle-dtypes", "float32", "-k", "default",
                                           "--oracle-targets", "reference", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*JudgeFault: not judged: fault of the oracle: ZeroDivisionError*"])
    assert result.ret == 1


def test_a_command_that_breaks_does_not_say_that_something_disagrees(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(list_ops, "open_console", _faulty(list_ops.open_console, lambda *_: True))
    assert _exit(monkeypatch, "list", "losses") == 2
    assert re.fullmatch(f"oracle: {LINE}\n", capsys.readouterr().err)


def test_ctrl_c_in_a_judge_is_no_fault(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(checker, "compare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        oracle.check("mse_loss", f"{mine}:mse", framework="numpy")


def test_a_target_cannot_say_that_the_oracle_failed(mine: Path) -> None:
    """What it raises is a crash, whatever the message."""
    mine.write_text("def mse(input, target):\n    raise ValueError('not judged: fault of the oracle: ')\n")
    report = oracle.check("mse_loss", f"{mine}:mse", framework="numpy", dtypes=["float32"])
    assert report.failures
    assert not report.faults
    assert not_judged("a/float32/b", "a", "float32", "me", JudgeFault("something else")).fault is False
