"""Cross-entropy against mpmath, values by hand and torch."""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.cross_entropy_loss import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import disagreements, encloses, floating_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
LOGITS = st.floats(-1e4, 1e4) | st.floats(-3, 3) | st.sampled_from([0.0, 1.0, -1.0])
POSITIVE = st.floats(0.125, 8)
REDUCTIONS = st.sampled_from(["none", "mean", "sum"])


def by_loops(arguments: dict[str, Any]) -> list[Any]:
    x, y, w = arguments["input"], arguments["target"], arguments.get("weight")
    x = x[None] if x.ndim == 1 else x
    y = y[None] if x.ndim != arguments["input"].ndim else y
    smoothing, classes = mpmath.mpf(max(0.0, arguments.get("label_smoothing", 0.0))), range(x.shape[1])
    weights = [mpmath.mpf(1) if w is None else mpmath.mpf(float(w[c])) for c in classes]
    each, divisor = [], mpmath.mpf(0)
    for n, *place in itertools.product(range(x.shape[0]), *map(range, x.shape[2:])):
        row = [mpmath.mpf(float(x[(n, c, *place)])) for c in classes]
        minus_log_p = [mpmath.log(sum(mpmath.exp(v) for v in row)) - v for v in row]
        if y.shape == x.shape:
            truth = [mpmath.mpf(float(y[(n, c, *place)])) for c in classes]
            divisor += 1
        else:
            index = int(y[(n, *place)])
            if index == arguments.get("ignore_index", -100):
                each.append(mpmath.mpf(0))
                continue
            truth = [mpmath.mpf(c == index) for c in classes]
            divisor += weights[index]
        mixed = [(1 - smoothing) * t + smoothing / len(classes) for t in truth]
        each.append(sum(weights[c] * mixed[c] * minus_log_p[c] for c in classes))
    return reduced(each, arguments, divisor)


def test_values_of_the_formula() -> None:
    """The loops have 1200 bits: their own error, on numbers below 2**15, is far below 2**-1074."""
    assert all(encloses(case, by_loops) for case in floating_cases(SPEC))


def test_values_by_hand() -> None:
    logits, y = np.log([[1.0, 3.0], [1.0, 1.0]]), np.array([1, 0])
    ln = np.log
    # -log(3/4) and -log(1/2); each float64 logarithm is right to 1 ulp, at most 4 of them below 2 enter
    assert np.abs(losses.cross_entropy(logits, y, reduction="none") - [ln(4 / 3), ln(2)]).max() <= 8 * 2.0**-52
    with pytest.raises(IndexError):
        losses.cross_entropy(logits, y + 1)
    assert losses.cross_entropy(np.zeros((2, 1)), np.array([0, 0])) == 0
    assert np.isnan(losses.cross_entropy(logits, np.array([-100, -100])))
    assert losses.cross_entropy(logits, np.array([-100, -100]), reduction="sum") == 0
    assert losses.cross_entropy(np.array([[1000.0, -1000.0]]), np.array([1])) == 2000


def test_defects_of_torch_that_the_docstring_names() -> None:
    """This fails when torch mends one of them; then the docstring has to change."""
    bad = torch.tensor([[0.0, float("nan")], [0.0, 1.0]], requires_grad=True)
    torch.nn.functional.cross_entropy(bad, torch.tensor([-100, 0])).backward()
    assert bad.grad is not None
    assert bad.grad[0].isnan().all()
    gradient = losses.cross_entropy_backward(np.array(1.0), bad.detach().numpy(), np.array([-100, 0]))[0]
    assert gradient is not None
    assert (gradient[0] == 0).all()

    half = np.array([[3e4, -3e4]] * 3, np.float16) / np.float16(2)
    y = np.ones(3, np.int64)
    assert torch.nn.functional.cross_entropy(to_tensor(half), to_tensor(y)).isinf()
    assert losses.cross_entropy(half, y) == np.float16(30000)

    with pytest.raises(RuntimeError):
        torch.nn.functional.cross_entropy(torch.zeros(3), torch.tensor([1]), label_smoothing=0.1)
    row = np.zeros(3)
    assert (losses.cross_entropy(row, np.array([1]), label_smoothing=0.1)
            == losses.cross_entropy(row, np.array(1), label_smoothing=0.1))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(3,), (1, 4), (3, 1), (4, 3), (2, 3, 2), (1, 2, 2, 1)]))
    axis = min(len(shape) - 1, 1)
    rows, classes = shape[:axis] + shape[axis + 1:], shape[axis]
    arguments: dict[str, Any] = {"input": data.draw(arrays(np.float64, shape, elements=LOGITS))}
    if data.draw(st.booleans()):
        arguments["target"] = data.draw(arrays(np.float64, shape, elements=st.floats(0.0625, 1)))
    else:
        arguments["target"] = data.draw(arrays(np.int64, rows, elements=st.integers(0, classes - 1)))
        arguments["ignore_index"] = data.draw(st.integers(-2, classes - 1))
    arguments["weight"] = data.draw(st.none() | arrays(np.float64, classes, elements=POSITIVE))
    arguments["label_smoothing"] = data.draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1))
    assert disagreements(SPEC, arguments | {"reduction": data.draw(REDUCTIONS)}) == []
