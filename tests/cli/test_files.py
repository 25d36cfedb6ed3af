"""A file that cannot be written is named, and so is what was to be written; what else fails is not laid to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oracle.cli.errors import UsageError
from oracle.cli.files import reading, writing
from tests.commands import exit_status

CHECK = ("check", "math:exp", "--as", "mse_loss", "--framework", "numpy", "--dtype", "float32")

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is full")


@needs_full
@pytest.mark.parametrize("arguments", [("prove", "ones_", "--max", "1", "-j", "1"), CHECK])
def test_a_full_disk_is_one_line_that_names_the_folder(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
        arguments: tuple[str, ...]) -> None:
    for name in ("variants.jsonl", "records.jsonl"):
        (tmp_path / name).symlink_to("/dev/full")
    assert exit_status(monkeypatch, *arguments, "--out", tmp_path) == 2
    assert capsys.readouterr().err == f"oracle: cannot write to {tmp_path}: No space left on device\n"


def test_what_fails_while_nothing_is_written_is_not_laid_to_the_folder(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise OSError(24, "Too many open files", "/proc/self/fd")

    monkeypatch.setattr("oracle.checking.check.check", broken)
    assert exit_status(monkeypatch, *CHECK) == 2
    assert capsys.readouterr().err == "oracle: /proc/self/fd: Too many open files\n"


def test_an_error_without_a_name_is_of_the_file_in_hand() -> None:
    with pytest.raises(UsageError, match="cannot read a/run: Input/output error"), reading(Path("a/run")):
        raise OSError(5, "Input/output error")
    with pytest.raises(UsageError, match="cannot write a/page: Input/output error"), writing(Path("a/page"), "write"):
        raise OSError(5, "Input/output error")
