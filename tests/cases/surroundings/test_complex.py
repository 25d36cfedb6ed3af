"""Memory: complex parameters are pairs of real numbers, and what takes them otherwise is found out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from oracle.auditing.judge import run_case
from oracle.cases.case import parse
from oracle.cases.registry import BadCaseError
from oracle.cases.surroundings.memory import Memory
from oracle.checking.adapter import User
from oracle.checking.implementation import implementation_of
from oracle.targets import loading
from oracle.targets.pytorch import placed, to_array
from oracle.targets.pytorch_calls import resolve
from oracle.truth.evaluate import FLOATS, evaluate
from oracle.truth.kept_truths import truth_of
from oracle.verdict.compare import Verdict, compare
from reference.optim import _optimizer
from reference.optim._blocks import Update, run_updates

COMPLEX = "Adagrad/float32/start=zero,steps=2@size=33x17x2,memory=complex"


class _Moduli(torch.optim.Adagrad):
    """Divides a complex number by the root of its modulus's squares, and not each part by that of its own."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["step"] += 1
                state["sum"] += p.grad * p.grad.conj()
                p.addcdiv_(p.grad, state["sum"].sqrt() + group["eps"], value=-group["lr"])


@pytest.fixture
def moduli(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(torch.optim, "Adagrad", type("Adagrad", (_Moduli,), {}))
    resolve.cache_clear()
    yield
    resolve.cache_clear()


def test_moduli_in_the_place_of_pairs_show(moduli: None) -> None:
    (eager,) = loading.load(["torch:eager"])
    assert not run_case(parse(COMPLEX.partition("@")[0]), eager).fails
    assert not run_case(parse(COMPLEX.partition(",memory")[0]), eager).fails
    record = run_case(parse(COMPLEX), eager)
    assert record.fails
    assert {record.outputs[name][0] for name in ("param[0]", "sum[0]")} == {Verdict.EXCEEDS}


def test_the_reference_has_complex_numbers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    def run(updates: list[Update]) -> None:
        seen.update(array.dtype.name for update in updates for array in update.arrays if array is not None)
        run_updates(updates)

    monkeypatch.setattr(_optimizer, "run_updates", run)
    outputs = evaluate(parse(COMPLEX), FLOATS)
    assert seen == {"complex64"}
    assert {outputs[name].shape for name in ("param[0]", "sum[0]", "gradient[0]")} == {(2, 33, 17, 2)}
    assert not [finding for finding in compare(outputs, truth_of(parse(COMPLEX))) if finding.verdict.disagrees]


def test_complex_numbers_have_real_ones_beside_them() -> None:
    memory, array = Memory("complex"), np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    tensor = placed(memory, array, "parameter")
    assert (tensor.dtype, tensor.shape) == (torch.complex64, (3, 2))
    assert to_array(tensor).tobytes() == array.tobytes()
    tensor.as_strided((7,), (1,)).zero_()
    assert memory.overwritten() == 2, "both parts of one number"


@pytest.mark.parametrize("case_id", [
    "Adam/float32/default@size=33x17,memory=complex", "Adam/float16/default@size=33x2,memory=complex",
    "Adam/float32/default@memory=complex", "Adam/float32/default@size=33x2,memory=complex:gradient",
    "mse_loss/float32/reduction=none@size=33x2,memory=complex", "Muon/float32/default@size=33x2,memory=complex",
])
def test_what_has_no_complex_numbers(case_id: str) -> None:
    with pytest.raises(BadCaseError, match="complex"):
        parse(case_id)


def test_what_is_handed_in_is_not_asked_for_complex_numbers() -> None:
    assert run_case(parse(COMPLEX), User(implementation_of(torch.optim.Adagrad))).verdict == Verdict.UNSUPPORTED
