"""What is wrong in some surroundings alone is found by oracle.check, and the diagnosis names them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import oracle
from oracle.checking import choice

pytestmark = pytest.mark.usefixtures("shared_truths")

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _each_surrounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many cases as hold each surrounding once."""
    monkeypatch.setattr(choice, "BUDGET", 7000)


class Right(torch.optim.Optimizer):
    """Gradient descent with momentum."""

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        done = 0
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and not p.grad.is_sparse:
                    self.update(p, p.grad, group, done)
                    done += 1
                elif p.grad is not None:
                    raise NotImplementedError("dense gradients alone")

    def update(self, p: Any, g: Any, group: Any, done: int) -> None:
        if group["momentum"]:
            state = self.state[p]
            if "momentum_buffer" in state:
                state["momentum_buffer"].mul_(group["momentum"]).add_(g)
            else:
                state["momentum_buffer"] = g.clone()
            g = state["momentum_buffer"]
        p.sub_(group["lr"] * g)


class LosesElement(Right):
    """The element at place 99 stays as it was."""

    def update(self, p: Any, g: Any, group: Any, done: int) -> None:
        kept = p.reshape(-1)[99:100].clone()
        super().update(p, g, group, done)
        if len(kept) and p.is_contiguous():
            p.view(-1)[99:100] = kept


class LosesParameters(Right):
    def update(self, p: Any, g: Any, group: Any, done: int) -> None:
        if done < 320:
            super().update(p, g, group, done)


class ForgetsState(Right):
    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict({**state_dict, "state": {}})


class ReadsOnce(Right):
    def update(self, p: Any, g: Any, group: Any, done: int) -> None:
        first = self.state[p].setdefault("lr", group["lr"])
        super().update(p, g, {**group, "lr": first}, done)


class ChangesGradient(Right):
    def update(self, p: Any, g: Any, group: Any, done: int) -> None:
        super().update(p, g, group, done)
        if p.numel() > 40 and g.stride()[0]:
            g.mul_(2)


class WritesBeside(Right):
    def update(self, p: Any, g: Any, group: Any, done: int) -> None:
        super().update(p, g, group, done)
        if p.dim() == 2 and p.stride(1) == 2:
            torch.as_strided(p, (2,), (1,), p.storage_offset())[1] = 5.0


def test_the_right_one_passes() -> None:
    report = oracle.check("SGD", Right, dtypes=["float32"])
    assert report.passed, str(report)
    assert sum("@" in record.case for record in report.records) > 50


@pytest.mark.parametrize(("code", "said", "smallest"), [
    (LosesElement, "only from 100 elements on (99 pass)", "@size=100"),
    (LosesParameters, "only from 321 parameters on (320 pass)", "@tensors=321"),
    (ForgetsState, "only where its state is saved and loaded and with momentum=0.9", "@event="),
    (ReadsOnce, "only where lr changes between steps", "@event=option:lr"),
    (ChangesGradient, "by changing p.grad, only from 41 elements on (40 pass)", "@size=41"),
    (WritesBeside, "by writing to memory beside its arrays, only where the parameter is every second element of a "
     "larger array", "memory=strided"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_one_is_named_by_its_surroundings(code: Any, said: str, smallest: str, tmp_path: Path) -> None:
    report = oracle.check("SGD", f"{HERE / 'test_narrowing.py'}:{code.__name__}", dtypes=["float32"],
                          modes={"layout": ["vector", "groups"]})
    assert any(condition.startswith(said) for condition in report.diagnosis.conditions), str(report.diagnosis)
    assert report.smallest is not None
    assert smallest in report.smallest.case.id
    (tmp_path / "script.py").write_text(report.script())
    done = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True,
                          cwd=HERE.parents[1])
    assert done.returncode == 0, done.stderr
    assert len(report.script()) < 12_000


def test_what_fails_everywhere_is_not_put_down_to_surroundings() -> None:
    class Twice(Right):
        def update(self, p: Any, g: Any, group: Any, done: int) -> None:
            super().update(p, g, {**group, "lr": 2 * group["lr"]}, done)

    text = str(oracle.check("SGD", Twice, dtypes=["float32"]).diagnosis)
    assert not any(word in text for word in ("@", "elements on", "contiguous", "after ", "between steps")), text
