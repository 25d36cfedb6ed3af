"""The command line, run in this process."""

from __future__ import annotations

import sys

import pytest

from oracle.cli.app import main

__all__ = ["exit_status"]


def exit_status(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Of ``oracle`` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["oracle", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)
