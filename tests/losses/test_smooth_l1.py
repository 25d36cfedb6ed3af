"""The smoothed absolute error against fractions, values by hand and torch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.smooth_l1 import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import broadcast_rows, disagreements, encloses, finite_cases, mixed_types, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
NUMBERS = st.floats(-1e6, 1e6) | st.floats(-2, 2) | st.sampled_from([0.0, 1.0, -1.0, 0.5])


def by_fractions(arguments: Any) -> list[Any]:
    beta, each = Fraction(arguments["beta"]), []
    for x, y in broadcast_rows(arguments["input"], arguments["target"]):
        z = abs(x - y)
        each.append(z * z / (2 * beta) if z < beta else z - beta / 2)
    return reduced(each, arguments, len(each))


def test_values_are_those_of_fractions() -> None:
    assert all(encloses(case, by_fractions) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x, y = np.array([0.0, 1.0, 2.0, -3.0]), np.zeros(4)
    assert losses.smooth_l1_loss(x, y, beta=2, reduction="none").tolist() == [0, 0.25, 1, 2]
    assert losses.smooth_l1_loss(x, y, beta=0.0).item() == 1.5
    assert losses.smooth_l1_loss(x, y, beta=float("inf"), reduction="sum") == 0
    slope, minus = losses.smooth_l1_loss_backward(np.array(1.0), x, y, reduction="sum", beta=2.0)
    assert slope is not None
    assert minus is not None
    assert (slope.tolist(), minus.tolist()) == ([0, 0.5, 1, -1], [0, -0.5, -1, 1])
    slope, _ = losses.smooth_l1_loss_backward(np.array(1.0), x, y, reduction="sum", beta=0.0)
    assert slope is not None
    assert slope.tolist() == [0, 1, 1, -1]
    # β² is beyond float16, the loss is not
    wide = losses.smooth_l1_loss(np.array([2000.0], np.float16), np.zeros(1, np.float16), beta=500.0)
    assert (wide.dtype, wide.item()) == (np.float16, 1750.0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    x = data.draw(arrays(np.float64, data.draw(st.sampled_from([(), (1,), (3,), (2, 3)])), elements=NUMBERS))
    y = data.draw(arrays(np.float64, data.draw(st.sampled_from([x.shape, (2, *x.shape)])), elements=NUMBERS))
    beta = data.draw(st.sampled_from([0.0, 0.5, 1.0, 1]) | st.floats(2.0**-10, 1e6))
    reduction = data.draw(st.sampled_from(["none", "mean", "sum"]))
    assert disagreements(SPEC, {"input": x, "target": y, "beta": beta, "reduction": reduction}) == []


def test_types_are_those_of_torch() -> None:
    mixed_types(SPEC, torch.nn.functional.smooth_l1_loss, to_tensor, (
        "float16", "bfloat16", "float32", "float64", "int64", "uint8", "bool", "complex64"))
