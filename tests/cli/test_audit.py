"""``oracle audit``: records, a table, exit statuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from oracle.auditing.records import read_records
from oracle.targets import pytorch_calls
from tests.commands import exit_status


def test_audit_writes_records_and_ends_with_a_table(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert exit_status(monkeypatch, "audit", "xavier_uniform_", "--dtype", "float32", "--out", tmp_path / "a") == 0
    out = capsys.readouterr().out
    assert "xavier_uniform_" in out
    assert "0 exceeds, 0 crashed" in out
    head, records = read_records(tmp_path / "a" / "records.jsonl")
    assert head["command"][:2] == ["oracle", "audit"]
    assert {r.target for r in records} == {"reference", "torch:eager"}


@pytest.mark.usefixtures("shared_truths")
def test_audit_runs_long_trajectories_where_they_are_asked_for(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = {}
    for name, arguments in (("short", []), ("long", ["--long"])):
        command = ["audit", "Rprop", "--dtype", "float32", "--target", "reference", "--out", str(tmp_path / name)]
        assert exit_status(monkeypatch, *command, *arguments) == 0
        found[name] = [r.case for r in read_records(tmp_path / name / "records.jsonl")[1]]
    assert set(found["short"]) < set(found["long"])
    assert set(found["long"]) - set(found["short"]) == {
        "Rprop/float32/steps=2000", "Rprop/float32/start=zero,steps=2@size=1000003"}


def test_audit_ends_with_1_where_something_disagrees(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import torch

    right = torch.nn.init.xavier_uniform_
    monkeypatch.setattr(torch.nn.init, "xavier_uniform_",
                        lambda tensor, gain=1.0, generator=None: right(tensor, gain=1.01 * gain, generator=generator))

    pytorch_calls.resolve.cache_clear()
    status = exit_status(monkeypatch, "audit", "xavier_uniform_", "--dtype", "float32", "--target", "torch",
                         "--jobs", "1", "--out", tmp_path)
    pytorch_calls.resolve.cache_clear()
    out = capsys.readouterr().out
    assert status == 1
    lines = out[out.index("EXCEEDS torch:eager on xavier_uniform_/float32/"):].splitlines()
    assert "got" in lines[1]
    assert "of the bound" in lines[1]
    assert lines[2].startswith("  oracle explain 'xavier_uniform_/float32/")


@pytest.mark.usefixtures("shared_truths")
def test_without_torch_the_reason_is_one_line(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("torch", "oracle.targets.pytorch"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "oracle.targets.pytorch")
    assert exit_status(monkeypatch, "audit", "mse_loss", "--out", tmp_path) == 2
    assert capsys.readouterr().err == ("oracle: torch is not installed; pip install 'torch-oracle[torch]', or choose "
                                       "targets that are there with --target reference\n")
    assert exit_status(monkeypatch, "audit", "normal_", "--target", "reference", "--jobs", "1", "--out", tmp_path) == 0


def test_the_header_is_json_on_the_first_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    exit_status(monkeypatch, "audit", "normal_", "--dtype", "float32", "--target", "reference", "--out", tmp_path)
    head = json.loads((tmp_path / "records.jsonl").read_text().splitlines()[0])
    assert set(head) == {"format", "command", "device", "targets", "cases", "versions", "source", "waivers", "paths",
                         "machine"}
    assert {"python", "torch", "numpy", "python-flint", "torch-oracle"} <= set(head["versions"])


def test_an_audit_says_on_which_path_torch_ran(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr("oracle.targets.pytorch.path", lambda: "SOME PATH")
    exit_status(monkeypatch, "audit", "eye_", "--dtype", "float32", "--out", tmp_path)
    assert "CPU path of torch: SOME PATH\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "records.jsonl").read_text().splitlines()[0])["paths"] == {"torch": "SOME PATH"}
