"""A default that is not torch's is said, with the failures that it explains."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import oracle
from tests.checking.implementations import mse

pytestmark = pytest.mark.usefixtures("few_cases", "shared_truths")


class _AdamW(torch.optim.AdamW):
    def __init__(self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, amsgrad: bool = False, maximize: bool = False) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
                         maximize=maximize)


def test_another_default_is_said_first_and_explains_what_it_touches() -> None:
    report = oracle.check("AdamW", _AdamW, dtypes=["float32"])
    assert not report.passed
    lines = str(report.diagnosis).splitlines()
    assert lines[0].startswith("has another default: weight_decay is 0.0, torch's is 0.01: of the ")
    assert lines[1].startswith("smallest failing case: "), "and nothing else is wrong"
    assert oracle.check("AdamW", _AdamW, dtypes=["float32"], modes={"weight_decay": ["0.5"]}).passed


def test_a_default_that_means_the_same_is_no_cause() -> None:
    """None for torch's 1.0, say: it is not said where passing torch's default changes nothing."""
    def wrong(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean", beta: Any = None) -> torch.Tensor:
        beta = 1.0 if beta is None else beta
        return 2 * torch.nn.functional.smooth_l1_loss(input, target, reduction=reduction, beta=beta)

    told = oracle.check("smooth_l1_loss", wrong, dtypes=["float32"]).diagnosis
    assert told.defaults == ()
    assert told.conditions == ("in every case that could tell",)


def test_defaults_are_the_implementations_own() -> None:
    """What is at torch's default is not passed, so that another default shows."""
    report = oracle.check("mse_loss", lambda input, target, reduction="sum": mse(input, target, reduction),
                          framework="numpy", dtypes=["float32"])
    assert report.smallest is not None
    assert report.smallest.case.options["reduction"] == "mean"
