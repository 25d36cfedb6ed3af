"""The mean squared error against fractions, values by hand and torch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.mse import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import disagreements, encloses, floating_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
LOGITS = st.floats(-1e4, 1e4) | st.floats(-3, 3) | st.sampled_from([0.0, 1.0, -1.0])
POSITIVE = st.floats(0.125, 8)
REDUCTIONS = st.sampled_from(["none", "mean", "sum"])


def by_fractions(arguments: dict[str, Any]) -> list[Any]:
    weight = arguments.get("weight")
    arrays = np.broadcast_arrays(arguments["input"], arguments["target"], 1.0 if weight is None else weight)
    each = [Fraction(w) * (Fraction(x) - Fraction(y)) ** 2
            for x, y, w in zip(*(a.ravel().tolist() for a in arrays), strict=True)]
    divisor = Fraction(len(each)) if weight is None else sum(map(Fraction, weight.ravel().tolist()), Fraction(0))
    return reduced(each, arguments, divisor)


def test_values_of_the_formula() -> None:
    """The loops have 1200 bits: their own error, on numbers below 2**15, is far below 2**-1074."""
    assert all(encloses(case, by_fractions) for case in floating_cases(SPEC))


def test_values_by_hand() -> None:
    assert losses.mse_loss(np.array([1.0, 4.0]), np.array([0.0, 2.0])) == 2.5
    assert losses.mse_loss(np.array([1.0, 4.0]), np.array([0.0, 2.0]), weight=np.array([1.0, 3.0])) == 3.25


def test_weighted_integers_and_complex_numbers() -> None:
    for dtype in (np.int64, np.complex64):
        x, y, w = (np.array(v, dtype) for v in ([1, 2], [3, 3], [1, 3]))
        for reduction in ("none", "sum", "mean"):
            ours = losses.mse_loss(x, y, reduction=reduction, weight=w)
            theirs = torch.nn.functional.mse_loss(to_tensor(x), to_tensor(y), reduction=reduction, weight=to_tensor(w))
            assert (f"torch.{ours.dtype.name}", ours.tolist()) == (str(theirs.dtype), theirs.tolist())
    z = np.array([1 + 2j, 2 - 1j])
    leaf = to_tensor(z).requires_grad_()
    weight = np.array([1.0, 3.0])
    each = torch.nn.functional.mse_loss(leaf, to_tensor(z * 2), reduction="none", weight=to_tensor(weight))
    each.backward(to_tensor(z))
    ours_grad = losses.mse_loss_backward(z, z, z * 2, reduction="none", weight=weight)[0]
    assert leaf.grad is not None
    assert ours_grad is not None
    assert ours_grad.tolist() == leaf.grad.tolist()  # small integers: exact


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,)]))
    x = data.draw(arrays(np.float64, shape, elements=LOGITS))
    y = data.draw(arrays(np.float64, data.draw(st.sampled_from([shape, (2, *shape), ()])), elements=LOGITS))
    weight = data.draw(st.none() | arrays(np.float64, shape, elements=POSITIVE)) if y.shape == shape else None
    arguments = {"input": x, "target": y, "weight": weight, "reduction": data.draw(REDUCTIONS)}
    assert disagreements(SPEC, arguments) == []
