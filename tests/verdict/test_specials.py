"""Flushed subnormal numbers and derivatives of NaN are told from each other, and from a wrong formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import oracle
from oracle.cases.case import parse
from oracle.checking import choice
from oracle.formats import FORMATS
from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls, flushed_balls, split
from oracle.truth.kept_truths import truth_of

FLUSHED, NAN = "by taking subnormal numbers for 0", "by gradients of NaN beside right values"


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "BUDGET", 2000)


def _flushed(x: Any) -> Any:
    x = np.asarray(x)
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, 0, x).astype(x.dtype)


def _l1_flushed(input: Any, target: Any, reduction: str = "mean") -> Any:
    losses = np.abs(_flushed(_flushed(input) - _flushed(target)))
    if reduction == "none":
        return losses
    total = _flushed(losses.sum(dtype=losses.dtype))
    return _flushed(total / losses.dtype.type(losses.size)) if reduction == "mean" else total


def _bce_by_where(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """The exponential that overflows is left out, but not its derivative."""
    losses = torch.where(input > 0, input * (1 - target) + torch.log1p(torch.exp(-input)),
                         torch.log1p(torch.exp(input)) - target * input)
    return losses if reduction == "none" else getattr(losses, reduction)()


def test_a_flushed_loss_is_told() -> None:
    report = oracle.check("l1_loss", _l1_flushed, framework="numpy", dtypes=["float32"])
    assert report.failures
    (said,) = report.diagnosis.conditions
    assert said.startswith(FLUSHED)
    assert f"in {len(report.failures)} of {len(report.failures)} cases" in said


def test_a_derivative_of_a_branch_that_is_left_out_is_told() -> None:
    report = oracle.check("binary_cross_entropy_with_logits", _bce_by_where, dtypes=["float32"],
                          modes={"regime": ["moderate", "huge"]})
    assert report.failures
    assert report.diagnosis.conditions[0].startswith(NAN)


@pytest.mark.parametrize("factor", [0.5, 1 + 1e-5])
def test_a_wrong_factor_is_neither(factor: float) -> None:
    wrong = lambda input, target, reduction="mean": (  # noqa: E731
        np.asarray(_l1_flushed(input, target, reduction) * factor).astype(input.dtype))
    report = oracle.check("l1_loss", wrong, framework="numpy", dtypes=["float32"], modes={"regime": ["moderate"]})
    assert report.failures
    assert not any(said.startswith((FLUSHED, NAN)) for said in report.diagnosis.conditions)


def test_a_wrong_gradient_beside_one_of_nan_is_not_explained() -> None:
    def wrong(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
        return 1.001 * _bce_by_where(input, target, reduction)

    report = oracle.check("binary_cross_entropy_with_logits", wrong, dtypes=["float32"], modes={"regime": ["huge"]})
    assert report.failures
    assert not any(said.startswith(NAN) for said in report.diagnosis.conditions)


@pytest.mark.parametrize("dtype", FORMATS)
def test_where_nothing_is_subnormal_flushing_allows_no_more(dtype: str) -> None:
    case = parse(f"mse_loss/{dtype}/reduction=none")
    for name, truth in truth_of(case, "flushed").items():
        assert np.array_equal(truth.bound, truth_of(case)[name].bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_a_flushed_result_may_be_is_enclosed(dtype: str) -> None:
    tiny = np.asarray([FORMATS[dtype].tiny], dtype)
    with arithmetic(Arithmetic.flushed(dtype)):
        for result in (balls(tiny) * 0.75, balls(1.25 * tiny) - balls(tiny), flushed_balls(tiny / 4)):
            hi, _, radius = split(result)
            assert hi[0] - radius[0] <= 0, "0"
            assert hi[0] + radius[0] >= tiny[0] / 4, "and what it is"
    with arithmetic(Arithmetic.of(dtype)):
        hi, _, radius = split(balls(1.25 * tiny) - balls(tiny))
        assert hi[0] - radius[0] > 0
