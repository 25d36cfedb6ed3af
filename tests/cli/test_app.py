"""The commands together: help, version, standard output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oracle.auditing import run
from tests.commands import exit_status

COMMANDS = ["", "list", "audit", "check", "diff", "explain", "report", "defects", "judge", "prove", "vectors",
            "vectors export", "vectors verify"]


@pytest.fixture(scope="module")
def helped() -> dict[str, Any]:
    """What a fresh interpreter prints for each command, which heavy modules it has then, and how the command ends."""
    code = ("import contextlib, io, json, sys\nfrom oracle.cli.app import main\nfound = {}\n"
            f"for command in {COMMANDS!r}:\n"
            "    sys.argv = ['oracle', *command.split(), '--help']\n"
            "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
            "        try:\n            main()\n        except SystemExit as end:\n            status = end.code or 0\n"
            "    found[command] = [out.getvalue(), sorted({'torch', 'numpy', 'flint'} & set(sys.modules)), status]\n"
            "print(json.dumps(found))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_and_statuses_and_imports_nothing_heavy(helped: dict[str, Any], command: str) -> None:
    text, heavy, status = helped[command]
    assert f"Usage: oracle {command}".rstrip() in text
    assert "Example: oracle" in text
    assert "Exit status" in text or command == "vectors"
    assert (heavy, status) == ([], 0)


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
