"""What an implementation refuses, has no keyword for, or is not asked for is unsupported."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import oracle
from oracle.cases.case import parse
from oracle.checking.checker import Checker
from oracle.checking.implementation import implementation_of
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


def test_a_mode_leaves_out_an_option_that_becomes_another() -> None:
    asked = implementation_of(torch.optim.SGD, modes={"lr": [0.001]})
    assert asked.leaves_out(parse("SGD/float32/start=zero,steps=2@event=load")) is None
    assert "lr" in str(asked.leaves_out(parse("SGD/float32/start=zero,steps=2@event=option:lr")))


class _Plain:
    """No more than a constructor and a step."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        self.params, self.lr = list(params), lr

    def step(self) -> None:
        for p in self.params:
            if p.grad is not None:
                p.data -= (self.lr * p.grad).astype(p.data.dtype)


def _descend(lr: float = 1e-3) -> Any:
    """A pair of functions."""

    def update(grads: Any, state: Any, params: Any) -> Any:
        return [-(lr * g).astype(g.dtype) for g in grads], state

    return (lambda params: ()), update


@pytest.mark.parametrize(("code", "unsupported"), [
    (_Plain, {"load": "has no state_dict", "file": "has no state_dict", "zeros": "has no zero_grad",
              "none": "has no zero_grad", "option:lr": "has no param_groups"}),
    (_descend, {"load": "a pair of functions is not asked after load_state_dict", "none": "a pair of functions",
                "file": "a pair of functions", "zeros": "a pair of functions",
                "option:lr": "a pair of functions is not asked where an option changes between steps",
                "moved": "a pair of functions", "reused": "a pair of functions", "copy": "a pair of functions"})])
def test_what_cannot_happen_to_an_optimizer_is_unsupported(code: Any, unsupported: dict[str, str]) -> None:
    checker = Checker("SGD", implementation_of(code, framework="numpy"))
    for event in ("load", "file", "zeros", "none", "option:lr", "again", "copy", "moved", "reused"):
        (seen,) = checker.observe([parse(f"SGD/float32/start=zero,steps=2@event={event}")])
        assert seen.record.verdict == ("unsupported" if event in unsupported else "within"), (event, seen.record.note)
        assert seen.record.note.startswith(unsupported.get(event, ""))
    for around in ("size=33", "tensors=33", "size=33x17,memory=strided", "size=33x17,memory=broadcast:gradient"):
        (seen,) = checker.observe([parse(f"SGD/float32/start=zero,steps=2@{around}")])
        assert seen.record.sound, (around, seen.record)
        counted = {name: of[0] for name, of in seen.record.outputs.items() if name == "overwritten"}
        assert counted == ({"overwritten": "exact"} if "memory" in around else {})
    checker.close()
