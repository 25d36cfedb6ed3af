"""The command ``oracle check``: exit status, files, and bad use in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle.checking import choice
from oracle.cli.app import main

pytestmark = pytest.mark.usefixtures("shared_truths")


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "BUDGET", 2000)


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "mine.py").write_text(
        "def mse(input, target, reduction='mean'):\n"
        "    squares = (input - target) ** 2\n"
        "    return squares if reduction == 'none' else getattr(squares, reduction)()\n\n"
        "def double(input, target):\n    return 2 * mse(input, target)\n\n"
        "def mse_backward(g, input, target, reduction='mean'):\n    return 3 * g * (input - target),\n")
    yield f"{tmp_path / 'mine.py'}:"
    sys.path[:] = [place for place in sys.path if place != str(tmp_path)]


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["oracle", "check", *arguments])
    monkeypatch.syspath_prepend("")
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_command_ends_with_0_or_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mine: str,
                                      tmp_path: Path) -> None:
    options = ("--as", "mse_loss", "--framework", "numpy", "--dtype", "float32")
    assert _run(monkeypatch, mine + "mse", *options, "--out", str(tmp_path / "out")) == 0
    assert "passed: 0 of" in capsys.readouterr().out
    assert (tmp_path / "out" / "records.jsonl").read_text().count("\n") > 10
    assert json.loads((tmp_path / "out" / "report.json").read_text())["passed"]
    assert _run(monkeypatch, mine + "double", *options) == 1
    out = capsys.readouterr().out
    for part in ("FAILED", "Cause", "got", "truth", "bound", "runpy.run_path"):
        assert part in out
    assert _run(monkeypatch, mine + "mse", *options, "--target-backward", mine + "mse_backward", "--json") == 1
    assert json.loads(capsys.readouterr().out)["failures"][0]["output"] == "grad.input"
    assert _run(monkeypatch, mine + "mse", *options, "--mode", "reduction=sum", "--mode", "regime=huge,tiny") == 0


@pytest.mark.parametrize(("arguments", "message"), [
    (["mine", "--as", "mse_loss"], "oracle: 'mine' names no object; needed is pkg.module:attribute"),
    (["nowhere_at_all:mse", "--as", "mse_loss"], "oracle: nowhere_at_all cannot be imported: ModuleNotFoundError"),
    (["math:sqrt", "--as", "msel"], "oracle: unknown op 'msel'"),
    (["math:sqrt"], "oracle: Missing option '--as'"),
    (["math:sqrt", "--as", "mse_loss", "--mode", "reduction"], "oracle: --mode needs NAME=VALUE"),
    (["math:sqrt", "--as", "mse_loss", "--framework", "x"], "oracle: unknown framework 'x'"),
])
def test_bad_use_of_the_command_is_one_line_and_status_2(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
        message: str) -> None:
    assert _run(monkeypatch, *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(message)
    assert err.count("\n") == 1
