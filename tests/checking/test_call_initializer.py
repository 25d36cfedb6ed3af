"""Initializers are called as torch's: they fill, from torch's stream or their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import oracle
from oracle.checking import choice

pytestmark = pytest.mark.usefixtures("shared_truths")


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value of an axis stands in one; a distribution takes up to 1,000 calls."""
    monkeypatch.setattr(choice, "BUDGET", 300)


def test_torch_passes_as_a_stranger_whose_stream_is_another() -> None:
    """With modes in capitals, and with no numbers of no fan."""
    report = oracle.check("kaiming_uniform_", "torch.nn.init:kaiming_uniform_", dtypes=["float32"], stream=False)
    assert report.passed, report.failures
    cases = [record.case for record in report.records]
    assert any("mode=FAN_OUT" in case for case in cases)
    assert any("shape=0x3" in case and "mode=fan_out" in case for case in cases)


def test_an_initializer_with_its_own_stream_is_judged_by_its_distribution() -> None:
    def own(tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> torch.Tensor:
        return tensor.copy_(torch.from_numpy(np.random.normal(mean, std, tuple(tensor.shape))))

    assert not oracle.check("normal_", own, dtypes=["float32"]).passed
    assert oracle.check("normal_", own, dtypes=["float32"], stream=False).passed
    wrong = lambda tensor, mean=0.0, std=1.0: own(tensor, mean, 1.1 * std)  # noqa: E731
    report = oracle.check("normal_", wrong, dtypes=["float32"], stream=False)
    assert "variance" in report.failures[0].note


def test_numpy_may_share_torchs_stream() -> None:
    from reference.init import normal_

    assert oracle.check("normal_", normal_, framework="numpy", stream=True, dtypes=["float32"]).passed


def test_an_initializer_returns_its_argument() -> None:
    report = oracle.check("ones_", lambda tensor: np.ones_like(tensor), framework="numpy")
    assert "needed is its argument" in report.failures[0].note
