"""The multi-class margin loss against fractions, values by hand and torch."""

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

from oracle.cases.ops.losses.multi_margin import SPEC
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def by_fractions(arguments: Mapping[str, Any]) -> list[Any]:
    x, weight = arguments["input"], arguments.get("weight")
    rows = x.reshape(arguments["target"].size, x.shape[-1] if x.ndim else 1).tolist()
    each = []
    for row, y in zip(rows, arguments["target"].ravel().tolist(), strict=True):
        scores = [Fraction(v) for v in row]
        hinges = [Fraction(arguments["margin"]) + v - scores[y] for c, v in enumerate(scores) if c != y]
        w = Fraction(1) if weight is None else Fraction(float(weight[y]))
        each.append(w * sum((z ** arguments["p"] for z in hinges if z > 0), Fraction(0)) / len(scores))
    return reduced(each, arguments, len(each))


def test_values_are_those_of_fractions() -> None:
    assert all(encloses(case, by_fractions) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x, y, w = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 3.0]]), np.array([0, 1]), np.array([3.0, 6.0, 9.0])
    assert losses.multi_margin_loss(3 * x, y, margin=3, reduction="none").tolist() == [2, 2]
    assert losses.multi_margin_loss(x, y, 2, 1.5, w, reduction="none").tolist() == [6.5, 13]
    assert losses.multi_margin_loss(x, y, 2, 1.5, w) == 9.75
    gradient, *none = losses.multi_margin_loss_backward(np.array(2.0), x, y, 2, 1.5, w)
    assert gradient is not None
    assert gradient.tolist() == [[-6, 5, 1], [2, -12, 10]]
    assert none == [None, None]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    shape, rows = data.draw(st.sampled_from([((), ()), ((3,), ()), ((3,), (1,)), ((1, 4), ()), ((4, 2), (4,))]))
    x = data.draw(arrays(np.float64, shape, elements=st.integers(-512, 512).map(lambda n: n / 64)))
    classes = shape[-1] if shape else 1
    arguments = {"input": x, "target": data.draw(arrays(np.int64, rows, elements=st.integers(0, classes - 1))),
                 "p": data.draw(st.sampled_from([1, 2])), "margin": data.draw(st.sampled_from([1.0, 1 / 3, 0.0, -1.0])),
                 "weight": data.draw(st.none() | arrays(np.float64, (classes,), elements=st.floats(-2, 2))),
                 "reduction": data.draw(st.sampled_from(["none", "mean", "sum"]))}
    assert disagreements(SPEC, arguments) == []


def test_half_types_which_torchs_kernel_refuses() -> None:
    x, y = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 3.0]], np.float16), np.array([0, 1])
    with pytest.raises(NotImplementedError):
        torch.nn.functional.multi_margin_loss(torch.from_numpy(x), torch.from_numpy(y))
    ours = losses.multi_margin_loss(3 * x, y, margin=3.0, reduction="none")
    assert (ours.dtype, ours.tolist()) == (np.float16, [2, 2])


def test_nan_is_a_loss_of_nan_here_and_none_in_torch() -> None:
    """It fails when torch mends it; then the docstring, the dialect and the waiver have to go."""
    x, y = np.array([[0.0, np.nan]]), np.array([0])
    assert torch.nn.functional.multi_margin_loss(torch.from_numpy(x), torch.from_numpy(y)) == 0
    assert np.isnan(losses.multi_margin_loss(x, y))
