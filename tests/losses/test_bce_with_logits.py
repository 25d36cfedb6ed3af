"""Binary cross-entropy with logits against mpmath, values by hand and torch."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.bce_with_logits import SPEC
from oracle.dialects.table import DIALECTS
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import disagreements, encloses, floating_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
LOGITS = st.floats(-1e4, 1e4) | st.floats(-3, 3) | st.sampled_from([0.0, 1.0, -1.0])
POSITIVE = st.floats(0.125, 8)
REDUCTIONS = st.sampled_from(["none", "mean", "sum"])


def by_loops(arguments: dict[str, Any]) -> list[Any]:
    x = arguments["input"]
    columns = [np.broadcast_to(arguments.get(k, 1.0), x.shape).ravel().tolist()
               for k in ("input", "target", "weight", "pos_weight")]
    each = [-w * (v * t * mpmath.log(1 / (1 + mpmath.exp(-a))) + (1 - t) * mpmath.log(1 / (1 + mpmath.exp(a))))
            for a, t, w, v in zip(*[[mpmath.mpf(e) for e in column] for column in columns], strict=True)]
    return reduced(each, arguments, mpmath.mpf(x.size))


def test_values_of_the_formula() -> None:
    """The loops have 1200 bits: their own error, on numbers below 2**15, is far below 2**-1074."""
    assert all(encloses(case, by_loops) for case in floating_cases(SPEC))


def test_values_by_hand() -> None:
    bce = losses.binary_cross_entropy_with_logits
    assert bce(np.array([1000.0, -1000.0]), np.array([0.0, 1.0]), reduction="none").tolist() == [1000, 1000]
    assert bce(np.array([1000.0, -1000.0]), np.array([1.0, 0.0]), reduction="sum") == 0
    gradient = losses.binary_cross_entropy_with_logits_backward(np.array(1.0), np.zeros(2), np.array([0.0, 1.0]))
    assert gradient[0] is not None
    assert gradient[0].tolist() == [0.25, -0.25]


def test_defects_of_torch_that_the_docstring_names() -> None:
    """This fails when torch mends one of them; then the docstring has to change."""
    x, t = np.array([-20.0, -np.inf], np.float32), np.array([0.0, 1.0], np.float32)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(to_tensor(x), to_tensor(t), reduction="none")
    assert theirs[0] == 0
    assert theirs[1].isnan()
    ours = losses.binary_cross_entropy_with_logits(x, t, reduction="none")
    # log1p(exp(-20)) has a condition number near 1: each of 3 roundings costs half an ulp of 2.06e-9
    assert abs(float(ours[0]) - float(mpmath.log1p(mpmath.exp(-20)))) <= 3 * np.spacing(ours[0])
    assert ours[1] == np.inf


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    """torch follows its own rule, which the dialect names; the reference follows the documented formula."""
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,)]))
    arguments: dict[str, Any] = {
        "input": data.draw(arrays(np.float64, shape, elements=LOGITS)),
        "target": data.draw(arrays(np.float64, shape, elements=st.floats(0, 1) | st.sampled_from([0.0, 1.0])))}
    for name in ("weight", "pos_weight"):
        broadcast = data.draw(st.sampled_from([shape, shape[-1:], ()]))
        arguments[name] = data.draw(st.none() | arrays(np.float64, broadcast, elements=POSITIVE))
    arguments["reduction"] = data.draw(REDUCTIONS)
    assert disagreements(DIALECTS["bce-log-sigmoid"](SPEC), arguments) == []
    assert disagreements(SPEC, arguments, targets=["reference"]) == []
