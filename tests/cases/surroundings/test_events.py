"""Events: an optimizer that gets one wrong is found out by that event, and by nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from oracle.auditing.judge import run_case
from oracle.cases import registry
from oracle.cases.case import parse
from oracle.cases.spec import OptimSpec
from oracle.checking.adapter import User
from oracle.checking.implementation import implementation_of
from oracle.targets import loading
from oracle.targets.pytorch_calls import resolve
from oracle.verdict.compare import Verdict
from reference import optim
from tests.meta.harness import planted

# --- in NumPy, in the place of a reference -------------------------------------------------------


class ClosureTwice(optim.SGD):
    """The closure is evaluated twice."""

    def step(self, closure: Any = None) -> Any:
        if closure is not None:
            closure()
        return super().step(closure)


class LossLost(optim.SGD):
    """The closure's loss is not given back."""

    def step(self, closure: Any = None) -> Any:
        super().step(closure)


class ClosureLast(optim.SGD):
    """The closure is evaluated behind the step, which has the gradients of the step before."""

    def step(self, closure: Any = None) -> Any:
        super().step()
        return None if closure is None else closure()


class LrReadOnce(optim.SGD):
    """The learning rate is made a number in the constructor."""

    def __init__(self, params: Any, lr: Any = 1e-3, **options: Any) -> None:
        super().__init__(params, lr=float(lr), **options)


class BetaReadOnce(optim.Adam):
    """beta2 is made a number in the constructor, beta1 is not."""

    def __init__(self, params: Any, betas: Any = (0.9, 0.999), **options: Any) -> None:
        super().__init__(params, betas=(betas[0], float(betas[1])), **options)


class DecayAdded(optim.SGD):
    """Decay is added up, in the caller's own array."""

    def step(self, closure: Any = None) -> Any:
        result = super().step(closure)
        for group in self.param_groups:
            if isinstance(group["weight_decay"], np.ndarray):
                group["weight_decay"][...] += 1
        return result


class StateTaken(optim.SGD):
    """A state that is loaded is taken as it is, without a copy."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict(state_dict)
        params = [p for group in self.param_groups for p in group["params"]]
        for place, state in state_dict["state"].items():
            self.state[params[place]] = dict(state)


class CountShared(optim.Adam):
    """Step counts are one object for whoever loads them."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict(state_dict)
        params = [p for group in self.param_groups for p in group["params"]]
        for place, state in state_dict["state"].items():
            self.state[params[place]]["step"] = state["step"]


class OneAge(optim.Adam):
    """All parameters have the step count of the oldest."""

    def _update(self, p: Any, grad: Any, options: dict[str, Any]) -> None:
        super()._update(p, grad, options)
        oldest = max(int(state["step"]) for state in self.state.values())
        last = self._updates[-1]
        self._updates[-1] = last._replace(scalars={**last.scalars, "t": oldest})


WRONG = [
    (ClosureTwice, "SGD", "closure", "evaluated"),
    (LossLost, "SGD", "closure", "returned"),
    (ClosureLast, "SGD", "closure", "param[0]"),
    (LrReadOnce, "SGD", "array:lr", "param[0]"),
    (BetaReadOnce, "Adam", "array:beta2", "param[0]"),
    (DecayAdded, "SGD", "array:weight_decay", "overwritten"),
    (StateTaken, "SGD", "shared", "momentum_buffer[0]"),
    (CountShared, "Adam", "shared", "step[0]"),
    (OneAge, "Adam", "younger", "param[1]"),
]


def _case_id(op: str, event: str = "") -> str:
    options = ",momentum=0.9" if op == "SGD" else ""
    return f"{op}/float32/start=zero,steps=2{options}{'@event=' if event else ''}{event}"


@pytest.mark.parametrize(("code", "op", "event", "output"), WRONG, ids=lambda value: getattr(value, "__name__", value))
def test_a_mistake_shows_in_its_event_alone(code: type, op: str, event: str, output: str) -> None:
    assert not run_case(parse(_case_id(op)), planted(code)).fails
    for other in ("load", "reused", "again"):
        assert not run_case(parse(_case_id(op, other)), planted(code)).fails
    record = run_case(parse(_case_id(op, event)), planted(code))
    assert record.verdict == Verdict.EXCEEDS
    assert record.outputs[output][0] == Verdict.EXCEEDS


# --- in torch ------------------------------------------------------------------------------------


class _Plain(torch.optim.Optimizer):
    """Gradient descent, as anybody writes it."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = self.evaluate(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * p.grad)
        return loss

    def evaluate(self, closure: Any) -> Any:
        if closure is None:
            return None
        with torch.enable_grad():
            return closure()


class GradientsOff(_Plain):
    """The closure is evaluated with gradients off: a backward in it would raise."""

    def evaluate(self, closure: Any) -> Any:
        return None if closure is None else closure()


class WithoutClosure(_Plain):
    """There is no closure in its step, which is no mistake."""

    def step(self) -> None:  # type: ignore[override]
        super().step()


class RefusingArrays(_Plain):
    """Options are numbers, and nothing else."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        if not isinstance(lr, float):
            raise TypeError("lr is a float")
        super().__init__(params, lr)


@pytest.mark.parametrize(("code", "event", "verdict"), [
    (_Plain, "closure", Verdict.WITHIN), (GradientsOff, "closure", Verdict.EXCEEDS),
    (WithoutClosure, "closure", Verdict.UNSUPPORTED),
    (_Plain, "array:lr", Verdict.WITHIN), (RefusingArrays, "array:lr", Verdict.UNSUPPORTED),
    (_Plain, "shared", Verdict.UNSUPPORTED),  # torch's own load_state_dict is not its fault
])
def test_of_an_optimizer_that_is_handed_in(code: type, event: str, verdict: Verdict) -> None:
    record = run_case(parse(f"SGD/float32/start=zero,steps=2@event={event}"), User(implementation_of(code)))
    assert record.verdict == verdict, record


class _Amp(torch.optim.SGD):
    """SGD that forgets something of what a scaler tells it."""

    forgets: ClassVar[str]

    def step(self, closure: Any = None) -> Any:
        if self.forgets in vars(self):
            delattr(self, self.forgets)
        return super().step(closure)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    wrong = type("SGD", (_Amp,), {"forgets": request.param})
    monkeypatch.setattr(torch.optim, "SGD", wrong)
    resolve.cache_clear()
    yield
    resolve.cache_clear()


@pytest.mark.parametrize(("forgetful", "event"), [("grad_scale", "scaled"), ("found_inf", "found")],
                         indirect=["forgetful"])
def test_what_a_scaler_tells_is_needed(forgetful: None, event: str) -> None:
    (fused,) = loading.load(["torch:fused"])
    assert not run_case(parse(_case_id("SGD", "load")), fused).fails
    assert run_case(parse(_case_id("SGD", event)), fused).fails


@pytest.mark.parametrize("op", [name for name, spec in registry.specs().items() if isinstance(spec, OptimSpec)])
def test_options_in_arrays_and_scales_are_torchs(op: str) -> None:
    spec = registry.get(op)
    assert isinstance(spec, OptimSpec)
    code = getattr(torch.optim, op)
    takes = {name for name, kind in code.__init__.__annotations__.items() if "Tensor" in str(kind)}
    options = {"beta1": "betas", "beta2": "betas"}
    assert {options.get(axis, axis) for axis in spec.in_arrays} <= takes
    assert spec.scales == ("fused" in code.__init__.__annotations__)
