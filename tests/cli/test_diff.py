"""``oracle diff``: what others wrote is shown as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oracle.auditing.records import header
from oracle.verdict.record import Record
from tests.commands import exit_status


def test_a_name_is_no_markup(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                             tmp_path: Path) -> None:
    lines = []
    for verdict in ("exact", "exceeds"):
        record = Record("mse_loss/float32/default", "mse_loss", "float32", "[v][/a]", verdict, 0.0, 0.0,
                        outputs={"output": (verdict, 0.0, 0.0)})
        path = tmp_path / verdict
        path.write_text(f"{json.dumps(header(['oracle'], 'cpu'))}\n{record.to_json()}\n")
        lines.append(str(path))
    assert exit_status(monkeypatch, "diff", *lines) == 1
    assert "│ [v][/a] " in capsys.readouterr().out
