"""States need not be there at torch's steps, nor gradients that are not asked for; what is compared is said."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import oracle
from oracle.checking import choice
from oracle.verdict.compare import Verdict
from tests.checking.implementations import mse

pytestmark = pytest.mark.usefixtures("few_cases", "shared_truths")


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
def test_a_state_may_be_made_at_another_step(op: str, code: Any, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "BUDGET", 5000)
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


class _AdagradInside(_Adagrad):
    """Another rule, and a state that comes late."""

    def divisor(self, s: torch.Tensor, eps: float) -> torch.Tensor:
        return (s + eps).sqrt()


def test_a_rule_is_named_though_its_state_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "BUDGET", 5000)
    report = oracle.check("Adagrad", _AdagradInside, dtypes=["float32"])
    assert any("later in" in note for note in report.notes), report.notes
    assert [match.dialect.name for match in report.diagnosis.matches] == ["adagrad-eps-inside"]


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


def test_without_a_gradient_torch_code_fails_unless_values_alone_are_asked_for() -> None:
    detached = lambda input, target: mse(input, target).detach()  # noqa: E731
    report = oracle.check("mse_loss", detached, dtypes=["float32"])
    assert any("backward=False" in note for note in report.notes)
    report = oracle.check("mse_loss", detached, dtypes=["float32"], backward=False)
    assert report.passed
    assert any("grad.input" in note for note in report.notes)


def test_a_gradient_of_the_first_argument_is_not_optional() -> None:
    class NoInput(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, t: Any) -> Any:
            ctx.save_for_backward(x, t)
            return (x - t) ** 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:  # type: ignore[override]
            x, t = ctx.saved_tensors
            return None, 2 * g * (t - x)

    report = oracle.check("mse_loss", lambda input, target: NoInput.apply(input, target).mean(), dtypes=["float32"],
                          modes={"target": ["same"], "regime": ["moderate"]})
    assert any(record.note == "this output is missing" for record in report.failures)


# --- states of other names -----------------------------------------------------------------------


class _SGD(torch.optim.Optimizer):
    """Right parameters, and a momentum buffer under another name that is off by a factor."""

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and not p.grad.is_sparse:
                    v = self.state[p].get("buf", torch.zeros_like(p)) / 2 * group["momentum"] + p.grad
                    if group["momentum"]:
                        self.state[p]["buf"] = 2 * v
                    p -= group["lr"] * v


def test_states_of_other_names_are_compared_through_a_mapping_alone() -> None:
    options: dict[str, Any] = {"dtypes": ["float32"], "modes": {"sparsity": ["dense"]}}
    report = oracle.check("SGD", _SGD, **options)
    assert report.passed
    assert any("momentum_buffer" in note for note in report.notes)
    report = oracle.check("SGD", _SGD, state={"momentum_buffer": "buf"}, **options)
    assert {record.output.partition("[")[0] for record in report.failures} == {"momentum_buffer"}
