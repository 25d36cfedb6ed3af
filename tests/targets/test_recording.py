"""What a trajectory is after each step: recorded as it is then, by the reference and by torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from oracle.cases import registry
from oracle.cases.case import Case, parse
from oracle.cases.selection import cases
from oracle.targets.loading import load
from oracle.targets.pytorch import _unhooked, _Views
from oracle.truth.arithmetic import Arithmetic, arithmetic
from oracle.truth.ball import balls
from oracle.truth.evaluate import FLOATS, evaluate
from oracle.truth.history import History
from oracle.truth.kept_truths import truth_of
from oracle.verdict.compare import Verdict, judge


def test_what_is_noted_is_a_copy_of_then() -> None:
    history, now = History(3), np.zeros(2, np.float32)
    for step in range(3):
        now += 1
        history.note("param[0]", now)
        if step:
            history.note("late[0]", now[:1])
        history.note("count[0]", step)
    found = history.outputs()
    assert list(found) == ["param[0]", "count[0]", "late[0]"]
    assert found["param[0]"].tolist() == [[1, 1], [2, 2], [3, 3]]
    assert found["param[0]"].dtype == np.float32
    assert found["late[0]"].tolist() == [[2], [3]]
    assert found["count[0]"].tolist() == [0, 1, 2]


def test_a_type_that_changes_is_seen_and_a_shape_is_refused() -> None:
    history = History(2)
    history.note("x[0]", np.ones(2, np.float32))
    history.note("x[0]", np.full(2, 1 + 2.0**-40))
    assert history.outputs()["x[0]"].dtype == np.float64
    assert history.outputs()["x[0]"].tolist() == [[1, 1], [1 + 2.0**-40] * 2]
    with pytest.raises(ValueError, match=r"x\[0\] changes its shape from \(2,\) to \(3,\)"):
        history.note("x[0]", np.ones(3))


def test_balls_are_noted_as_they_are() -> None:
    """Also where what is assigned to an array would be rounded to a half type."""
    history = History(1)
    with arithmetic(Arithmetic.opmath("float16", keeps=True)):
        third = balls(np.ones((), np.float16)) / balls(np.full((), 3, np.float16))
        history.note("x[0]", third)
    kept = history.outputs()["x[0]"]
    assert kept.stands_for == np.float16
    assert kept[0].item().value.rad() == third.item().value.rad()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_view_follows_its_tensor(dtype: torch.dtype) -> None:
    view, tensor = _Views(), torch.zeros(2, 3, dtype=dtype).t()
    first = view("x", tensor)
    tensor.add_(1)
    assert view("x", tensor) is first
    assert first.astype(float).tolist() == [[1, 1]] * 3
    assert first.dtype == (ml_dtypes.bfloat16 if dtype == torch.bfloat16 else np.float32)
    tensor.data = torch.full((3, 2), 5, dtype=dtype)  # the same tensor in other memory
    assert view("x", tensor).astype(float).tolist() == [[5, 5]] * 3
    tensor.resize_(1)  # in the same memory
    assert view("x", tensor).shape == (1,)
    assert view("x", torch.ones(4, dtype=dtype)).astype(float).tolist() == [1] * 4
    assert view("x", torch.eye(2, dtype=dtype).to_sparse()).astype(float).tolist() == [[1, 0], [0, 1]]


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """The optimizers whose hooks are called."""
    seen: list[str] = []
    hook = register_optimizer_step_post_hook(lambda optimizer, *_: seen.append(type(optimizer).__name__))
    yield seen
    hook.remove()


def test_a_step_without_hooks_is_the_step(calls: list[str]) -> None:
    def after(how: Any) -> list[float]:
        p = torch.nn.Parameter(torch.ones(3))
        optimizer = torch.optim.Adam([p], lr=0.1)
        for _ in range(3):
            p.grad = torch.tensor([1.0, -2.0, 0.5])
            how(optimizer)()
        return p.tolist()

    assert after(lambda optimizer: optimizer.step) == after(_unhooked)
    assert calls == ["Adam"] * 3  # of the first alone


def test_an_answer_that_was_judged_is_judged_again_once_it_is_another() -> None:
    truth = truth_of(parse("mse_loss/float32/reduction=none"))["output"]
    answer = truth.rounded.astype(np.float32)
    assert judge("output", answer, truth).verdict is Verdict.EXACT
    answer.flat[0] *= 1.5
    assert judge("output", answer, truth).verdict is Verdict.EXCEEDS
    assert judge("other", answer, truth).output == "other"


def _last(op: str, dtype: str) -> Case:
    """The last case but for stacks, which torch's L-BFGS cannot flatten."""
    return [case for case in cases(registry.get(op), dtype, around=False) if case.options["layout"] != "stack"][-1]


@pytest.mark.parametrize("case", [_last(op, dtype) for op in ("SGD", "Adagrad", "LBFGS", "NAdam")
                                  for dtype in ("float32", "bfloat16")], ids=lambda case: case.id)
def test_reference_and_torch_record_the_same(case: Case) -> None:
    (target,) = load(["torch:eager"])
    ours, theirs = evaluate(case, FLOATS), target.run(case)
    assert {name: (a.shape, a.dtype) for name, a in ours.items()} == {
        name: (a.shape, a.dtype) for name, a in theirs.items()}
