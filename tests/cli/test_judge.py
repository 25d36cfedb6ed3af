"""``oracle judge``: arrays from files, and how it ends."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from reference import losses
from tests.commands import exit_status

RNG = np.random.default_rng(0)
LOGITS, TARGET = RNG.standard_normal((8, 5)).astype(np.float32), RNG.integers(0, 5, 8)
LOSS = losses.cross_entropy(LOGITS, TARGET, label_smoothing=0.25)
SLOPE = losses.cross_entropy_backward(np.ones_like(LOSS), LOGITS, TARGET, label_smoothing=0.25)[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, array in {"loss": LOSS, "x": LOGITS, "y": TARGET, "gx": SLOPE}.items():
        np.save(f"{name}.npy", array)
    np.savez("all.npz", got=LOSS, input=LOGITS, target=TARGET, **{"grad.input": SLOPE})
    return tmp_path


def test_a_sound_answer_ends_with_0(
        folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(monkeypatch, "judge", "cross_entropy", "got=loss.npy", "input=x.npy", "target=y.npy",
                       "label_smoothing=0.25", "grad.input=gx.npy") == 0
    assert capsys.readouterr().out.startswith("cross_entropy in float32: sound; 41 of 41 elements judged, ")


def test_an_unsound_answer_ends_with_1(
        folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(monkeypatch, "judge", "cross_entropy", "all.npz", "label_smoothing=0.5") == 1
    out = capsys.readouterr().out
    assert "label_smoothing=0.5) in float32 is not sound\nEXCEEDS output: " in out


def test_json_says_it_all(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(monkeypatch, "judge", "cross_entropy", "all.npz", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["op"], found["sound"], found["of"]) == ("cross_entropy", False, 41)
    assert [(one["name"], one["verdict"]) for one in found["outputs"]] == [("output", "exceeds"),
                                                                          ("grad.input", "exceeds")]


def test_one_of_several_arrays_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_status(monkeypatch, "judge", "cross_entropy", "got=loss.npy", "input=all.npz", "target=all.npz:target",
                       "label_smoothing=0.25") == 0


def test_tensors_of_safetensors_and_bfloat16(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch, files = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    x = torch.tensor(LOGITS).bfloat16()
    loss = torch.nn.functional.mse_loss(x, x * 2)
    files.save_file({"got": loss, "input": x, "target": x * 2}, "all.safetensors")
    assert exit_status(monkeypatch, "judge", "mse_loss", "all.safetensors") == 0
    np.save("b.npy", LOGITS.astype(ml_dtypes.bfloat16))
    assert exit_status(monkeypatch, "judge", "mse_loss", "got=all.safetensors", "input=b.npy",
                       "target=all.safetensors:target") == 0
    assert exit_status(monkeypatch, "judge", "mse_loss", "all.safetensors", "reduction=sum") == 1


@pytest.mark.parametrize(("arguments", "message"), [
    (["mse_los", "got=loss.npy"], "is it mse_loss"),
    (["mse_loss", "got=none.npy"], "cannot read none.npy: No such file or directory"),
    (["mse_loss", "got=all.npz:loss"], "all.npz has no array 'loss'; it has got, grad.input, input, target"),
    (["mse_loss", "loss.npy"], "'loss.npy' needs NAME=VALUE, or a file of several arrays"),
    (["mse_loss", "got=loss.npy", "got=loss.npy"], "got is given twice"),
    (["mse_loss", "got=bad.npy"], "bad.npy has no arrays that can be read"),
    (["mse_loss", "got=bad.npz"], "bad.npz has no arrays that can be read"),
    (["mse_loss", "got=1.0", "input=x.npy", "target=x.npy"], "got needs an array"),
    (["cross_entropy", "got=loss.npy", "input=x.npy"], "cross_entropy needs target; input came"),
    (["mse_loss", "got=loss.npy", "--accuracy", "high"], "accuracy needs storage or opmath"),
])
def test_bad_use_ends_with_2_and_a_line(
        arguments: list[str], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("bad.npy", "bad.npz"):
        (folder / name).write_bytes(b"no array")
    assert exit_status(monkeypatch, "judge", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_the_library_of_safetensors_is_named_where_it_is_missing(
        folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **given: Any) -> Any:
        if name.partition(".")[0] == "safetensors":
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **given)

    monkeypatch.setattr(builtins, "__import__", without)
    (folder / "all.safetensors").write_bytes(b"")
    assert exit_status(monkeypatch, "judge", "mse_loss", "all.safetensors") == 2
    assert "pip install 'torch-oracle[vectors]'" in capsys.readouterr().err
