"""``oracle list``."""

from __future__ import annotations

import pytest

from tests.commands import exit_status


def test_list_shows_ops_torch_names_parameters_and_cases(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(monkeypatch, "list", "mse_loss", "optim") == 0
    out = capsys.readouterr().out
    for text in ("torch.nn.functional.mse_loss", "torch.nn.MSELoss", "input, target", "Adam", "amsgrad", "cases"):
        assert text in out
