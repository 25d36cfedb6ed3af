"""oracle.check: right implementations pass however they are written, and wrong ones fail."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import oracle
from oracle.cases.case import parse
from oracle.cases.registry import BadCaseError
from oracle.checking import choice
from oracle.targets.loading import TargetError
from oracle.truth.proof import prove
from oracle.verdict.compare import Verdict
from tests.checking.implementations import PAIRS, Pair, mse, mse_in_double

pytestmark = pytest.mark.usefixtures("few_cases", "shared_truths")

HERE = Path(__file__).parent
JAX = f"{HERE / 'implementations_jax.py'}:"
needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_right_implementation_passes_however_it_is_written(pair: Pair) -> None:
    report = oracle.check(pair.op, pair.right, dtypes=["float32"], **pair.options)
    assert report.failures == []
    assert report.passed
    assert sum(r.verdict in (Verdict.EXACT, Verdict.WITHIN) for r in report.records) > 10


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_wrong_one_fails_and_the_script_shows_it(pair: Pair, tmp_path: Path) -> None:
    report = oracle.check(pair.op, pair.wrong, dtypes=["float32"], **pair.options | pair.wrong_options)
    assert not report.passed
    text = str(report)
    for part in ("FAILED", "Cause", "smallest failing case", report.smallest.case.id, "Script"):  # type: ignore[union-attr]
        assert part in text
    compile(report.script(), "script.py", "exec")


def test_there_are_twelve() -> None:
    assert len(PAIRS) >= 12
    assert {pair.options.get("framework", "torch") for pair in PAIRS} == {"numpy", "torch"}


@needs_jax
@pytest.mark.parametrize(("op", "right", "wrong"), [
    ("huber_loss", "huber", "huber_cancelling"), ("SGD", "momentum", "ascent")])
def test_jax_functions_and_pairs(op: str, right: str, wrong: str) -> None:
    options: dict[str, Any] = {"framework": "jax", "dtypes": ["float32"]}
    modes = {"regime": ["moderate", "close"], "shape": ["3x4"]} if op == "huber_loss" else {"grad": ["one", "eps"]}
    report = oracle.check(op, JAX + right, state={"momentum_buffer": "trace"}, modes=modes, **options)
    assert report.passed, str(report)
    if op == "huber_loss":
        assert any("grad.input" in record.outputs for record in report.records)
    report = oracle.check(op, JAX + wrong, modes=modes, **options)
    assert report.failures
    assert "jnp.asarray" in report.script()


def test_torch_passes_where_it_is_sound() -> None:
    assert oracle.check("mse_loss", torch.nn.functional.mse_loss).passed
    assert oracle.check("Adam", torch.optim.Adam, dtypes=["float32"]).passed
    assert oracle.check("uniform_", torch.nn.init.uniform_).passed


def test_waivers_do_not_apply_to_what_is_handed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's defect is told by the name of its dialect."""
    monkeypatch.setattr(choice, "BUDGET", 4000)  # no case that covers a value shows it
    report = oracle.check("cross_entropy", torch.nn.functional.cross_entropy, dtypes=["float32"])
    assert not report.passed
    assert "ignored rows multiplied by 0" in str(report.diagnosis)
    assert all(record.waiver is None for record in report.records)


def _in_float32(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    return torch.nn.functional.mse_loss(input.float(), target.float(), reduction=reduction).to(input.dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_judged_as_computed_in_float32(dtype: str) -> None:
    assert oracle.check("mse_loss", _in_float32, dtypes=[dtype]).passed
    rounded = oracle.check("mse_loss", torch.nn.functional.mse_loss, dtypes=[dtype])
    assert not rounded.passed
    assert any("accuracy='storage'" in note for note in rounded.notes)
    assert oracle.check("mse_loss", torch.nn.functional.mse_loss, dtypes=[dtype], accuracy="storage").passed


def test_the_bound_of_float32_inside_is_never_the_wider_one() -> None:
    for case_id in ("mse_loss/bfloat16/default", "cross_entropy/float16/reduction=none", "SGD/bfloat16/default"):
        opmath, storage = (prove(parse(case_id), accuracy) for accuracy in ("opmath", "storage"))
        for name, truth in opmath.items():
            assert np.all(truth.bound <= storage[name].bound * (1 + 2**-10)), name
    first, second = (prove(parse("mse_loss/float32/default"), accuracy) for accuracy in ("opmath", "storage"))
    assert all(np.array_equal(first[name].bound, second[name].bound) for name in first)


def test_state_that_is_kept_in_a_half_type_may_be_rounded_at_each_step() -> None:
    """Fused Adam computes in float32 and stores moments of bfloat16; a bound without that would accuse it."""
    from functools import partial

    report = oracle.check("Adam", partial(torch.optim.Adam, fused=True), dtypes=["bfloat16"])
    assert {parse(r.case).around.memory for r in report.failures} == {"strided"}, "torch's kernel ignores strides"
    assert any(r.sound and "param[0]" in r.outputs for r in report.records)


def test_the_report_as_json_is_json_with_the_failures() -> None:
    report = oracle.check("mse_loss", lambda input, target: 2 * mse(input, target), framework="numpy")
    values = json.loads(report.to_json())
    assert not values["passed"]
    assert values["failures"][0]["verdict"] == "exceeds"
    assert values["smallest"] == "mse_loss/float32/default"
    assert values["verdicts"]["exceeds"] == len(report.failures)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"op": "mse"}, BadCaseError, "unknown op 'mse'"),
    ({"op": "losses"}, BadCaseError, "unknown op 'losses'"),
    ({"dtypes": ["float8"]}, BadCaseError, "unknown dtype 'float8'"),
    ({"accuracy": "good"}, ValueError, "accuracy needs to be"),
    ({"framework": "caffe"}, TargetError, "unknown framework 'caffe'; known are numpy, torch, jax"),
    ({"device": "cuda"}, TargetError, "NumPy has no device"),
    ({"implementation": "nowhere_at_all:x"}, TargetError, "nowhere_at_all cannot be imported"),
    ({"implementation": "math:nothing"}, TargetError, "math has no 'nothing'"),
])
def test_bad_use_is_told(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        oracle.check(**{"op": "mse_loss", "implementation": mse_in_double, "framework": "numpy", **arguments})
