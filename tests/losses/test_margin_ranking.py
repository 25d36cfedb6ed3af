"""The margin ranking loss against fractions, values by hand and torch."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.margin_ranking import SPEC
from reference import losses
from tests.losses.agreement import broadcast_rows, disagreements, encloses, finite_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
NUMBERS = st.integers(-4096, 4096).map(lambda n: n / 64)  # so that no difference is lost in rounding


def by_fractions(arguments: Mapping[str, Any]) -> list[Any]:
    margin = Fraction(arguments["margin"])
    each = [max(Fraction(0), margin - y * x1 + y * x2) for x1, x2, y in broadcast_rows(
        *(arguments[k] for k in ("input1", "input2", "target")))]
    return reduced(each, arguments, len(each))


def test_values_are_those_of_fractions() -> None:
    assert all(encloses(case, by_fractions) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x1, x2, y = np.array([1.0, 3.0, 2.0]), np.array([2.0, 1.0, 2.0]), np.array([1.0, -1.0, 1.0])
    assert losses.margin_ranking_loss(x1, x2, y, 0.5, reduction="none").tolist() == [1.5, 2.5, 0.5]
    assert losses.margin_ranking_loss(x1, x2, -y, -0.5, reduction="sum") == 0
    gradients = losses.margin_ranking_loss_backward(np.array(6.0), x1, x2, y)
    assert [g is not None and g.tolist() for g in gradients] == [[-2, 2, -2], [2, -2, 2], [2, -4, 0]]


def test_integers_have_a_loss_in_float32() -> None:
    x, y = np.array([1, 2]), np.array([3, 5])
    ours = losses.margin_ranking_loss(x, y, np.array([1, -1]), 0.5, reduction="none")
    assert (ours.dtype, ours.tolist()) == (np.float32, [2.5, 0])
    assert losses.margin_ranking_loss_backward(ours, x, y, y, reduction="none") == (None, None, None)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    shapes = data.draw(st.sampled_from([((),) * 3, ((3,),) * 3, ((2, 1), (1, 3), (2, 3)), ((1, 2), (1, 2), (3, 1))]))
    x1, x2 = (data.draw(arrays(np.float64, s, elements=NUMBERS)) for s in shapes[:2])
    y = data.draw(arrays(np.float64, shapes[2], elements=st.sampled_from([1.0, -1.0, 0.0, 2.0])))
    margin = data.draw(st.sampled_from([0.0, 0.5, 1, -2.0, 1 / 3]))
    arguments = {"input1": x1, "input2": x2, "target": y, "margin": margin,
                 "reduction": data.draw(st.sampled_from(["none", "mean", "sum"]))}
    assert disagreements(SPEC, arguments) == []


def test_the_kink_is_torchs() -> None:
    leaves = [torch.tensor([2.0], requires_grad=True) for _ in range(3)]
    torch.nn.functional.margin_ranking_loss(*leaves).backward()
    ours = losses.margin_ranking_loss_backward(np.array(1.0), *(np.array([2.0]) for _ in leaves))
    assert [g is not None and g.tolist() for g in ours] == [x.grad is not None and x.grad.tolist() for x in leaves]
