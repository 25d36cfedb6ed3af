"""What ends a command: one clear line, and an exit status that is no verdict."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from oracle.cli import errors
from tests.commands import exit_status


@pytest.mark.parametrize(("arguments", "message"), [
    (["audit", "adm"], "oracle: unknown op 'adm'; known are"),
    (["audit", "--dtype", "float8"], "oracle: unknown dtype 'float8'; known are"),
    (["audit", "--target", "mxnet"], "oracle: unknown target 'mxnet'"),
    (["audit", "--device", "cuda:77"], "oracle: torch cannot use device 'cuda:77'"),
    (["audit", "mse_loss", "--out", "/dev/null/x"], "oracle: cannot write to /dev/null/x"),
    (["audit", "--exhaustive", "--long"], "oracle: --exhaustive runs numbers through losses, --long trajectories"),
    (["audit", "ctc_loss", "--dtype", "bfloat16"], "oracle: nothing to run: ctc_loss in bfloat16 on reference, torch "),
    (["audit", "SGD", "--target", "torch:module"], "oracle: nothing to run: SGD in any type on torch:module "),
    (["explain", "mse_loss"], "oracle: malformed case id 'mse_loss'"),
    (["explain", "mse_loss/float32/default/" + "9" * 5000], "oracle: malformed case id 'mse_loss"),
    (["explain"], "oracle: Missing argument"),
    (["list", "nothing"], "oracle: unknown op 'nothing'"),
    (["list", "mse_los"], "oracle: unknown op 'mse_los'; did you mean mse_loss?"),
    (["explain", "mse_loss/float32/default", "--target", "torch:fused"], "oracle: torch:fused has no meaning for mse_"),
    (["check", "math:pi", "--as", "mse_loss"], "oracle: needed is a function, a class, or a pair of"),
    (["check", "math:exp", "--as", "mse_loss", "--mode", "reduction=men"], "oracle: modes['reduction'] has 'men'; mse"),
    (["check", "math:exp", "--as", "mse_loss", "--timeout", "0"], "oracle: Invalid value for '--timeout'"),
    (["audti"], "oracle: No such command 'audti'"),
])
def test_bad_use_is_one_line_and_status_2(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
        message: str) -> None:
    assert exit_status(monkeypatch, *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(message)
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", sorted(errors.REFUSALS))
def test_what_refuses_is_there_by_its_name(name: str) -> None:
    """Where it is defined, not where it is imported."""
    module, _, kind = name.rpartition(".")
    found = getattr(importlib.import_module(module), kind)
    assert issubclass(found, Exception)
    assert f"{found.__module__}.{found.__qualname__}" == name


@pytest.mark.parametrize(("error", "line"), [
    (FileNotFoundError(2, "No such file or directory", "here/it"), "oracle: here/it: No such file or directory\n"),
    (BlockingIOError(11, "Resource temporarily unavailable"),
     "oracle: not judged: fault of the oracle: BlockingIOError: [Errno 11] Resource temporarily unavailable in "),
    (KeyboardInterrupt(), "oracle: interrupted\n")])
def test_an_error_of_the_system_is_not_laid_to_standard_output(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, line: str) -> None:
    def broken(*_: Any) -> Any:
        raise error

    monkeypatch.setattr("oracle.cases.selection.select", broken)
    assert exit_status(monkeypatch, "list") == (130 if isinstance(error, KeyboardInterrupt) else 2)
    err = capsys.readouterr().err
    assert err.strip().startswith(line.strip())
    assert err.strip().count("\n") == 0
