"""Two runs compared: each kind of change is told from the others, and only what is beyond the bound fails."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from oracle.auditing import run
from oracle.auditing.records import header
from oracle.cli.app import main
from oracle.report.diff import Change, changes
from oracle.verdict.record import Record


def _record(case: str = "a", target: str = "torch:eager", waiver: str | None = None,
            **outputs: tuple[str, float, float]) -> Record:
    verdict, ulp, share = max(outputs.values(), key=lambda o: o[2], default=("exact", 0.0, 0.0))
    return Record(f"mse_loss/float32/{case}", "mse_loss", "float32", target, verdict, ulp, share,
                  max(outputs, key=lambda k: outputs[k][2], default=""), (0,), "0x1.8p+0", "0x1p+0", "0x1p-24",
                  waiver=waiver, outputs=outputs)


def _crash(verdict: str = "crashed") -> Record:
    return Record("mse_loss/float32/a", "mse_loss", "float32", "torch:eager", verdict, 0.0, 0.0, note="why")


EXACT, WITHIN, WIDER = ("exact", 0.0, 0.0), ("within", 0.5, 0.2), ("within", 0.9, 0.4)
EXCEEDS, MORE, VACUOUS = ("exceeds", 9.0, 3.0), ("exceeds", math.inf, math.inf), ("vacuous", 0.1, 0.1)


@pytest.mark.parametrize(("old", "new", "change"), [
    (_record(output=EXACT), _record(output=EXACT), "same"),
    (_record(output=EXACT), _record(output=WITHIN), "worse"),
    (_record(output=WIDER), _record(output=WITHIN), "better"),
    (_record(output=WITHIN), _record(output=VACUOUS), "worse"),
    (_record(output=WIDER), _record(output=EXCEEDS), "broken"),
    (_record(output=WIDER), _record(output=EXCEEDS, waiver="known"), "broken"),
    (_record(output=VACUOUS), _record(output=("range", 1.0, 2.0)), "broken"),
    (_record(output=EXCEEDS, waiver="known"), _record(output=EXCEEDS), "same"),
    (_record(output=EXCEEDS), _record(output=MORE), "worse"),
    (_record(output=MORE), _record(output=EXACT), "mended"),
    (_record(output=EXACT), _crash(), "broken"),
    (_crash(), _record(output=EXACT), "mended"),
    (_crash(), _crash(), "same"),
    (_record(output=EXACT), _crash("unsupported"), "gone"),
    (_crash("unsupported"), _record(output=EXACT), "new"),
    (_crash("unsupported"), _record(output=EXCEEDS), "new"),
    (_crash("unsupported"), _crash("unsupported"), "same"),
    (None, _record(output=EXCEEDS), "new"),
    (_record(output=EXACT), None, "gone"),
])
def test_every_change_has_its_kind(old: Record | None, new: Record | None, change: str) -> None:
    (found,) = changes([old] if old else [], [new] if new else [])
    assert found.change == change
    assert (found.op, found.target, found.output) == ("mse_loss", "torch:eager", found.output)


def test_an_output_is_not_hidden_by_a_worse_one_beside_it() -> None:
    old = _record(output=EXCEEDS, **{"grad.input": WITHIN})
    new = _record(output=EXCEEDS, **{"grad.input": EXCEEDS})
    assert [(d.output, d.change) for d in changes([old], [new])] == [
        ("output", Change.SAME), ("grad.input", Change.BROKEN)]


def _file(path: Path, *records: Record, **head: Any) -> Path:
    first = header(["oracle", "audit", path.name], "cpu") | head
    path.write_text("\n".join([json.dumps(first), *(r.to_json() for r in records)]) + "\n")
    return path


def _diff(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["oracle", "diff", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_diff_shows_versions_a_table_by_op_and_what_is_beyond_the_bound(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    versions = dict(run.versions())
    old = _file(tmp_path / "old", _record(output=WIDER), _record("b", output=WITHIN), _record("c", output=WITHIN),
                _record("e", output=WITHIN), versions={**versions, "torch": "2.12.0"})
    (tmp_path / "new").mkdir()
    new = _file(tmp_path / "new" / "records.jsonl", _record(output=EXCEEDS), _record("b", output=WIDER),
                _record("d", output=WITHIN), _record("e", output=("exceeds", 3.0, 2.0)),
                versions={**versions, "torch": "2.13.0"})
    for arguments in ([], ["--format", "markdown"]):
        assert _diff(monkeypatch, old, new.parent, *arguments) == 1
        out = capsys.readouterr().out
        assert "torch: 2.12.0 → 2.13.0" in out
        assert "numpy:" not in out
        row = next(line for line in out.splitlines() if "mse_loss" in line)
        cells = [cell.strip(" `") for cell in row.replace("│", "|").split("|")[1:-1]]
        assert cells == ["mse_loss", "torch:eager", "0.50 ulp, 0.20", "0.90 ulp, 0.40",
                         "2", "", "1", "", "", "1", "1"]
        assert "EXCEEDS torch:eager on mse_loss/float32/a" in out
        assert "output was within, 0.90 ulp, 0.40 of the bound" in out
        assert "oracle explain 'mse_loss/float32/a' --target torch:eager" in out
        assert "  and 1 more outputs of it\n" in out
        assert "mse_loss/float32/e" not in out, "the smaller one"
        assert "5 outputs: 2 broken, 0 mended, 1 worse, 0 better, 0 same, 1 new, 1 gone" in out
    assert _diff(monkeypatch, new, old) == 0, "the other way it is mended"


def test_equal_runs_show_no_table(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    one = _file(tmp_path / "one", _record(output=EXCEEDS))
    for format in ("text", "markdown"):
        assert _diff(monkeypatch, one, one, "--format", format) == 0
        out = capsys.readouterr().out
        assert out.splitlines()[-1].startswith("1 outputs: 0 broken, 0 mended, 0 worse, 0 better, 1 same")
        assert "ulp" not in out


@pytest.mark.parametrize(("text", "arguments", "message"), [
    ("hello", [], "old is not a record file of this version"),
    ("", [], "old is not a record file of this version"),
    ("HEAD\n{}", [], "old, line 2: damaged record"),
    (None, [], "cannot read "),
    ("HEAD", ["--format", "pdf"], "unknown format 'pdf'; known are text, markdown"),
])
def test_bad_use_of_diff_is_one_line_and_status_2(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str | None,
        arguments: list[str], message: str) -> None:
    new = _file(tmp_path / "new", _record(output=EXACT))
    old = tmp_path / "old"
    if text is not None:
        old.write_text(text.replace("HEAD", json.dumps(header(["oracle"], "cpu"))))
    assert _diff(monkeypatch, old, new, *arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_note_stays_in_its_block(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                   tmp_path: Path) -> None:
    old = _file(tmp_path / "old", _record(output=WITHIN))
    new = _file(tmp_path / "new", dataclasses.replace(_record(output=EXCEEDS), note="```\n@everyone closes #1"))
    assert _diff(monkeypatch, old, new, "--format", "markdown") == 1
    text = capsys.readouterr().out
    assert text.count("\n````") == 2
    assert text.index("\n````") < text.index("@everyone") < text.rindex("\n````")


def test_a_run_that_ended_early_is_no_run_to_compare_with(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    whole = _file(tmp_path / "old", _record(output=WITHIN), _record("b", output=WITHIN))
    early = _file(tmp_path / "new", _record(output=WITHIN), cases={"count": 2})
    assert _diff(monkeypatch, whole, early) == 1
    out = capsys.readouterr().out
    assert "the new run is incomplete: 1 of 2 cases; go on with oracle audit --resume" in out
    assert "│ 0.50 ulp, 0.20 │" in out or "│ 0.90 ulp" in out
    nothing = _file(tmp_path / "nothing", cases={"count": 2})
    assert _diff(monkeypatch, whole, nothing) == 1
    assert "│ -  " in capsys.readouterr().out, "no figure where there is none"
    other = _file(tmp_path / "other", _record("c", output=WITHIN))
    assert _diff(monkeypatch, whole, other) == 2
    assert capsys.readouterr().err == "oracle: the two runs have no case and target in common\n"


def test_the_folder_of_an_exhaustive_run_has_its_records_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    _file(tmp_path / "run" / "exhaustive.jsonl", _record(output=WITHIN))
    assert _diff(monkeypatch, tmp_path / "run", tmp_path / "run") == 0
