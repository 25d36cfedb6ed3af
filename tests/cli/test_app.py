"""The commands together: help, version, standard output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oracle.auditing import run
from tests.commands import exit_status


@pytest.mark.parametrize("command", [
    [], ["list"], ["audit"], ["check"], ["diff"], ["explain"], ["report"], ["defects"], ["prove"], ["vectors"],
    ["vectors", "export"], ["vectors", "verify"]])
def test_help_shows_an_example_and_statuses_and_imports_nothing_heavy(command: list[str]) -> None:
    code = ("import sys\nfrom oracle.cli.app import main\ntry:\n    main()\nexcept SystemExit as end:\n"
            "    assert not end.code\nassert not {'torch', 'numpy', 'flint'} & set(sys.modules)")
    done = subprocess.run([sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Example: oracle" in done.stdout
    assert "Exit status" in done.stdout or command == ["vectors"]


def test_python_m_oracle_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "oracle", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: oracle")


def test_a_full_standard_output_is_one_line(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "oracle", "list", "mse_loss"], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "oracle: cannot write to standard output: No space left on device\n"


def test_the_version_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"torch-oracle {run.versions()['torch-oracle']}\n"
