"""The soft margin loss against mpmath, values by hand and torch."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.soft_margin import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import broadcast_rows, disagreements, encloses, finite_cases, mixed_types, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def by_mpmath(arguments: Any) -> list[Any]:
    rows = broadcast_rows(arguments["input"], arguments["target"])
    each = []
    for x, y in rows:
        margin = mpmath.mpf((x * y).numerator) / (x * y).denominator
        each.append(-mpmath.log(1 / (1 + mpmath.exp(-margin))))
    return reduced(each, arguments, len(each))


def test_values_are_those_of_mpmath() -> None:
    """But for margins beyond the 1200 bits of its sums."""
    assert all(encloses(case, by_mpmath) for case in finite_cases(SPEC) if case.options["regime"] != "huge")


def test_values_by_hand() -> None:
    x = np.array([0.0, -1000.0, 1000.0, np.log(3.0)])
    ours = losses.soft_margin_loss(x, np.ones(4), reduction="none")
    # log 2, 1000 + e^-1000, e^-1000, log(4/3): within 4 roundings of numbers below 2
    assert np.abs(ours[[0, 2, 3]] - [np.log(2), 0, np.log(4 / 3)]).max() <= 4 * 2.0**-52
    assert ours[1] == 1000
    gradient, none = losses.soft_margin_loss_backward(np.array(1.0), x, -np.ones(4), reduction="sum")
    assert none is None
    assert gradient is not None
    assert gradient[:3].tolist() == [0.5, 0, 1]
    assert abs(gradient[3] - 0.75) <= 4 * 2.0**-52
    assert losses.soft_margin_loss(x, np.zeros(4), reduction="sum") == 4 * np.log(2)


def test_torch_overflows() -> None:
    """Fails when torch mends it; then the docstring, the dialect and the waiver have to go."""
    for dtype, margin in ((np.float32, -100.0), (np.float64, -750.0), (np.float16, -12.0)):
        x, y = np.array([margin], dtype), np.ones(1, dtype)
        leaf = to_tensor(x).requires_grad_()
        theirs = torch.nn.functional.soft_margin_loss(leaf, to_tensor(y))
        theirs.backward()
        assert theirs.isinf()
        assert leaf.grad is not None
        assert leaf.grad.isnan().all()
        assert losses.soft_margin_loss(x, y) == -margin
        gradient, _ = losses.soft_margin_loss_backward(np.ones((), dtype), x, y)
        assert gradient is not None
        assert gradient.tolist() == [-1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    x = data.draw(arrays(np.float64, data.draw(st.sampled_from([(), (1,), (3,), (2, 3)])),
                         elements=st.floats(-300, 300)))
    y = data.draw(arrays(np.float64, data.draw(st.sampled_from([x.shape, x.shape[1:]])), elements=st.floats(-2, 2)))
    reduction = data.draw(st.sampled_from(["none", "mean", "sum"]))
    assert disagreements(SPEC, {"input": x, "target": y, "reduction": reduction}) == []


def test_types_are_those_of_torch() -> None:
    mixed_types(SPEC, torch.nn.functional.soft_margin_loss, to_tensor, (
        "float16", "bfloat16", "float32", "float64", "int64", "uint8", "bool"))


def test_complex_numbers_are_refused() -> None:
    """torch takes a complex input, but refuses to differentiate its loss."""
    z = np.ones(2, np.complex64)
    leaf = to_tensor(z).requires_grad_()
    with pytest.raises(RuntimeError, match="complex"):
        torch.nn.functional.soft_margin_loss(leaf, to_tensor(z.real)).backward()
    with pytest.raises(RuntimeError, match="complex64"):
        losses.soft_margin_loss(z, z.real)
