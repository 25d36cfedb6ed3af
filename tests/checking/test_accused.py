"""Right code is not accused for its bookkeeping; what is not there, and another default, is said."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import oracle
from oracle.checking import choice
from oracle.verdict.compare import Verdict


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "BUDGET", 2000)


# --- states at other steps than torch's ----------------------------------------------------------


class _Adagrad(torch.optim.Optimizer):
    """The parameters are torch's at every step; the state is made when the first gradient comes."""

    eager = False
    factor = 1.0

    def __init__(self, params: Any, lr: float = 1e-2, eps: float = 1e-10) -> None:
        super().__init__(params, {"lr": lr, "eps": eps})
        for group in self.param_groups if self.eager else ():
            for p in group["params"]:
                self.state[p]["sum"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.is_sparse:
                    raise NotImplementedError("dense gradients alone")
                s = self.state[p].setdefault("sum", torch.zeros_like(p))
                s += p.grad * p.grad
                p -= group["lr"] * p.grad / self.divisor(s, group["eps"])
                s *= self.factor

    def divisor(self, s: torch.Tensor, eps: float) -> torch.Tensor:
        return s.sqrt() + eps


class _EagerAdagrad(_Adagrad):
    eager = True


class _ScaledAdagrad(_Adagrad):
    factor = 1.0 + 2.0**-10


class _EagerSGD(torch.optim.Optimizer):
    """The momentum buffer is there before the first step, where torch has none without a gradient."""

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})
        for group in self.param_groups:
            for p in group["params"] if momentum else ():
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.is_sparse or group["momentum"] != self.defaults["momentum"]:
                    raise NotImplementedError("dense gradients, one momentum")
                v = p.grad.clone()
                if group["momentum"]:
                    v = self.state[p]["momentum_buffer"].mul_(group["momentum"]).add_(p.grad)
                p -= group["lr"] * v


@pytest.mark.parametrize(("op", "code", "when"), [
    ("Adagrad", _Adagrad, "later in "), ("Adagrad", _EagerAdagrad, ""), ("SGD", _EagerSGD, "earlier than torch's in ")])
def test_a_state_may_be_made_at_another_step(op: str, code: Any, when: str) -> None:
    report = oracle.check(op, code, dtypes=["float32"])
    assert report.passed, str(report)
    notes = [note for note in report.notes if "after the steps at which both have it" in note]
    assert bool(notes) is bool(when)
    assert all(when in note for note in notes)
    state = {"Adagrad": "sum[", "SGD": "momentum_buffer["}[op]
    assert sum(any(name.startswith(state) for name in record.outputs) for record in report.records) > 10


def test_a_state_that_comes_late_is_compared_from_then_on() -> None:
    report = oracle.check("Adagrad", _ScaledAdagrad, dtypes=["float32"])
    assert any(record.output.startswith("sum[") and record.verdict == "exceeds" for record in report.failures)


# --- gradients that are not there ----------------------------------------------------------------


def _mse(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    return torch.nn.functional.mse_loss(input, target, reduction=reduction)


def _without_target(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    return _mse(input, target.detach(), reduction)


def _without_input(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    return _mse(input.detach(), target, reduction)


@pytest.mark.parametrize(("code", "name"), [(_without_target, "grad.target"), (_without_input, "grad.input")])
def test_a_gradient_that_torch_gives_has_to_be_there(code: Any, name: str) -> None:
    report = oracle.check("mse_loss", code, dtypes=["float32"])
    assert not report.passed
    assert {record.verdict for record in report.failures} == {Verdict.MISSING}
    assert {record.output for record in report.failures} == {name}
    assert str(report.diagnosis).startswith(f"gives no {name}, in every case that could tell")
    assert not report.diagnosis.matches
    assert any(name in note and "--gradients" in note for note in report.notes)


def test_gradients_that_were_not_asked_for_need_not_be_there() -> None:
    assert oracle.check("mse_loss", _without_target, dtypes=["float32"], gradients=["input"]).passed
    assert oracle.check("mse_loss", _without_target, dtypes=["float32"], backward=False).passed
    assert not oracle.check("mse_loss", _without_target, dtypes=["float32"], gradients=["target"]).passed
    with pytest.raises(ValueError, match=r"gradients has 'inptu'; .* mse_loss .* input, target, weight"):
        oracle.check("mse_loss", _mse, gradients=["inptu"])
    with pytest.raises(ValueError, match=r"gradients has 'lr'; .* SGD .* none"):
        oracle.check("SGD", torch.optim.SGD, gradients=["lr"])


def test_a_backward_of_ones_own_has_to_give_them_too() -> None:
    def squares(input: Any, target: Any) -> Any:
        return ((input - target) ** 2).mean()

    def backward(grad_output: Any, input: Any, target: Any) -> Any:
        return (grad_output * 2 * (input - target) / input.size).astype(input.dtype), None

    options: dict[str, Any] = {"framework": "numpy", "dtypes": ["float32"], "backward": backward,
                               "modes": {"target": ["same"], "regime": ["moderate"], "shape": ["3x4"]}}
    report = oracle.check("mse_loss", squares, **options)
    assert {(record.verdict, record.output) for record in report.failures} == {("missing", "grad.target")}
    assert oracle.check("mse_loss", squares, gradients=["input"], **options).passed


def test_what_is_wrong_besides_is_still_told() -> None:
    """A dialect is tried on what is there."""
    halved = lambda input, target, reduction="mean": _without_target(input, target, reduction) / 2  # noqa: E731
    said = str(oracle.check("mse_loss", halved, dtypes=["float32"]).diagnosis)
    assert said.startswith("gives no grad.target")
    assert "`mse_loss` with a half" in said


# --- defaults ------------------------------------------------------------------------------------


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


class _AdagradInside(_Adagrad):
    """Another rule, and a state that comes late."""

    def divisor(self, s: torch.Tensor, eps: float) -> torch.Tensor:
        return (s + eps).sqrt()


def test_a_rule_is_named_though_its_state_comes_late() -> None:
    report = oracle.check("Adagrad", _AdagradInside, dtypes=["float32"])
    assert any("later in" in note for note in report.notes)
    assert [match.dialect.name for match in report.diagnosis.matches] == ["adagrad-eps-inside"]


def test_a_default_that_means_the_same_is_no_cause() -> None:
    """None for torch's 1.0, say: it is not said where passing torch's default changes nothing."""
    def wrong(input: torch.Tensor, target: torch.Tensor, reduction: str = "mean", beta: Any = None) -> torch.Tensor:
        beta = 1.0 if beta is None else beta
        return 2 * torch.nn.functional.smooth_l1_loss(input, target, reduction=reduction, beta=beta)

    told = oracle.check("smooth_l1_loss", wrong, dtypes=["float32"]).diagnosis
    assert told.defaults == ()
    assert told.conditions == ("in every case that could tell",)
