"""What an implementation refuses, has no keyword for, or is not asked for is unsupported."""

from __future__ import annotations

from typing import Any

import pytest

import oracle
from oracle.verdict.compare import Verdict
from tests.checking.implementations import mse

pytestmark = pytest.mark.usefixtures("few_cases", "shared_truths")


def _verdicts(report: oracle.Report) -> set[str]:
    return {record.verdict for record in report.records}


def _only_mean(input: Any, target: Any, reduction: str = "mean") -> Any:
    if reduction != "mean":
        raise NotImplementedError("mean alone")
    return mse(input, target)


def test_what_it_refuses_or_has_no_keyword_for_is_unsupported_and_shown() -> None:
    report = oracle.check("mse_loss", _only_mean, framework="numpy")
    assert report.passed
    notes = " ".join(report.notes)
    for part in ("NotImplementedError: mean alone", "has no keyword 'weight'", "not compared: "):
        assert part in notes
    assert Verdict.UNSUPPORTED in _verdicts(report)


def test_modes_leave_out_and_are_refused_where_they_name_nothing() -> None:
    wrong_in_sum = lambda input, target, reduction="mean": mse(input, target, reduction) * (  # noqa: E731
        2 if reduction == "sum" else 1)
    assert not oracle.check("mse_loss", wrong_in_sum, framework="numpy").passed
    report = oracle.check("mse_loss", wrong_in_sum, framework="numpy", modes={"reduction": ["mean", "none"]})
    assert report.passed
    assert any("left out by modes" in note for note in report.notes)
    for modes, message in [({"reductoin": ["mean"]}, "no argument and no axis"), ({"reduction": "mean"}, "a list"),
                           ({"regime": ["mad"]}, "regime.*'mad'")]:
        with pytest.raises(ValueError, match=message):
            oracle.check("mse_loss", mse, framework="numpy", modes=modes)


def test_nothing_decided_is_not_passed() -> None:
    def nothing(input: Any, target: Any) -> Any:
        raise NotImplementedError

    report = oracle.check("mse_loss", nothing, framework="numpy")
    assert not report.failures
    assert not report.passed
    assert "UNDECIDED" in str(report)


def test_a_keyword_without_a_default_is_passed_even_so() -> None:
    assert oracle.check("mse_loss", lambda input, target, reduction: mse(input, target, reduction),
                        framework="numpy").passed
