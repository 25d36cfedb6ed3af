"""The hinge embedding loss against fractions, values by hand and torch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.hinge_embedding import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import broadcast_rows, disagreements, encloses, finite_cases, mixed_types, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
NUMBERS = st.floats(-1e6, 1e6) | st.floats(-2, 2) | st.sampled_from([0.0, 1.0, -1.0, 0.5])


def by_fractions(arguments: Any) -> list[Any]:
    margin, each = Fraction(arguments["margin"]), []
    for x, y in broadcast_rows(arguments["input"], arguments["target"]):
        lacking = margin - x if margin > x else Fraction(0)
        each.append(x if y == 1 else lacking if y == -1 else x + lacking)
    return reduced(each, arguments, len(each))


def test_values_are_those_of_fractions() -> None:
    assert all(encloses(case, by_fractions) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x, y = np.array([0.5, 0.5, 3.0, 0.5, 3.0, 2.0]), np.array([1, -1, -1, 0, 7, -1])
    assert losses.hinge_embedding_loss(x, y, 2, reduction="none").tolist() == [0.5, 1.5, 0, 2, 3, 0]
    assert losses.hinge_embedding_loss(x, y.astype(float), margin=2.0, reduction="sum") == 7
    gradient, none = losses.hinge_embedding_loss_backward(np.array(12.0), x, y, 2.0)
    assert none is None
    assert gradient is not None
    assert gradient.tolist() == [2, -2, 0, 0, 2, -2]  # the last is on the kink
    # broadcast: each x meets 1 and -1
    pair = losses.hinge_embedding_loss_backward(np.array(1.0), x[:3], np.array([[1], [-1]]), 2.0, reduction="sum")[0]
    assert pair is not None
    assert pair.tolist() == [0, 0, 1]
    nan = losses.hinge_embedding_loss(x[:1], np.array([np.nan]), 2.0)
    assert nan == 2


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    x = data.draw(arrays(np.float64, data.draw(st.sampled_from([(), (1,), (3,), (2, 3)])), elements=NUMBERS))
    y = data.draw(arrays(np.float64, data.draw(st.sampled_from([x.shape, (2, *x.shape)])),
                         elements=st.sampled_from([1.0, -1.0, 0.0, 2.0])))
    margin = data.draw(st.sampled_from([0.0, 0.5, 1.0, 1, -1.0]) | st.floats(-10, 1e6))
    reduction = data.draw(st.sampled_from(["none", "mean", "sum"]))
    assert disagreements(SPEC, {"input": x, "target": y, "margin": margin, "reduction": reduction}) == []


def test_types_are_those_of_torch() -> None:
    mixed_types(SPEC, torch.nn.functional.hinge_embedding_loss, to_tensor, (
        "float16", "bfloat16", "float32", "float64", "int64", "uint8", "bool", "complex64"))
