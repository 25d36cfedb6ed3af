"""A name that the installed torch does not have is unsupported, in audits, explanations, scripts and reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from oracle.auditing.judge import run_case
from oracle.auditing.records import header
from oracle.cases.case import parse
from oracle.cli.app import main
from oracle.targets import pytorch_calls
from oracle.targets.loading import Unsupported, load
from tests import runs

CASES = {"Muon/float32/default": ("torch:eager", "torch.optim.Muon"),
         "linear_cross_entropy/float32/default": ("torch:eager", "torch.nn.functional.linear_cross_entropy"),
         "mse_loss/float32/default": ("torch:module", "torch.nn.MSELoss"),
         "xavier_uniform_/float32/default": ("torch:eager", "torch.nn.init.xavier_uniform_")}


@pytest.fixture(autouse=True)
def older(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A torch without some names."""
    caches: tuple[Any, ...] = (pytorch_calls.resolve, pytorch_calls._parameters, pytorch_calls._call_names)
    for cache in caches:
        cache.cache_clear()
    for _, name in CASES.values():
        outer, _, last = name.rpartition(".")
        monkeypatch.delattr(pytorch_calls.resolve(outer), last)
    yield
    for cache in caches:
        cache.cache_clear()


def _reason(name: str) -> str:
    return f"torch {torch.__version__} has no {name}"


@pytest.mark.parametrize("case_id", CASES)
def test_it_is_unsupported_in_a_run_and_has_no_script(case_id: str) -> None:
    variant, name = CASES[case_id]
    (target,) = load([variant])
    record = run_case(parse(case_id), target)
    assert (record.verdict, record.note) == ("unsupported", _reason(name))
    with pytest.raises(Unsupported, match=name):
        target.script(parse(case_id))


@pytest.mark.parametrize("case_id", CASES)
def test_it_is_explained(case_id: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    variant, name = CASES[case_id]
    assert _main(monkeypatch, "explain", case_id, "--target", variant) == 0
    out = capsys.readouterr().out
    assert f"{variant}: unsupported, 0 ulp, 0 of the bound; {_reason(name)}" in out
    assert f"Script for {variant}" not in out


@pytest.mark.parametrize("form", ["html", "markdown", "junit"])
def test_a_run_of_another_torch_is_reported(form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    records = [replace(runs.disagreement(case_id, variant), op=case_id.partition("/")[0])
               for case_id, (variant, _) in CASES.items()]
    lines = [json.dumps(header(["oracle", "audit"], "cpu")), *(record.to_json() for record in records)]
    (tmp_path / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert _main(monkeypatch, "report", str(tmp_path), "--format", form) == 0
    (page,) = (path.read_text(encoding="utf-8") for path in tmp_path.glob("report.*"))
    for case_id in CASES:
        assert case_id in page


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["oracle", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)
