"""The multi-label soft margin loss against mpmath, values by hand and torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.multilabel_soft_margin import SPEC
from reference import losses
from tests.losses.agreement import disagreements, encloses, finite_cases, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def by_sigmoids(arguments: Mapping[str, Any]) -> list[Any]:
    x, weight = arguments["input"], arguments.get("weight")
    stack = np.stack(np.broadcast_arrays(x, arguments["target"], np.float64(1) if weight is None else weight), -1)
    each = []
    for row in np.moveaxis(stack, x.ndim - 1, -2).reshape(-1, stack.shape[x.ndim - 1], 3):
        terms = [-w * (t * mpmath.log(1 / (1 + mpmath.exp(-v))) + (1 - t) * mpmath.log(1 / (1 + mpmath.exp(v))))
                 for v, t, w in [map(mpmath.mpf, map(float, element)) for element in row]]
        each.append(mpmath.fsum(terms) / x.shape[-1])
    return reduced(each, arguments, len(each))


def test_values_are_those_of_mpmath() -> None:
    assert all(encloses(case, by_sigmoids) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x, t = np.log([[3.0, 1.0]]), np.array([[1.0, 0.0]])  # σ = 3/4 and 1/2
    loss = losses.multilabel_soft_margin_loss
    assert abs(loss(x, t) - np.log([4 / 3, 2]).sum() / 2) < 1e-15
    assert abs(loss(x, t, np.array([3.0, 1.0])) - np.log([(4 / 3) ** 3, 2]).sum() / 2) < 1e-15
    gradients = losses.multilabel_soft_margin_loss_backward(np.array(8.0), x, t, np.array([3.0, 1.0]))
    by_hand = [[-3, 2]], [[-12 * np.log(3), 0]], [4 * np.log(4 / 3), 4 * np.log(2)]
    for g, wanted in zip(gradients, by_hand, strict=True):
        assert g is not None
        assert np.abs(g - wanted).max() < 1e-14


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    """Logits of 1 at least: for smaller ones torch's gradient of the target cancels."""
    shape = data.draw(st.sampled_from([(3,), (1, 4), (3, 2), (2, 1, 2)]))
    sizes = arrays(np.float64, shape, elements=st.floats(1, 60))
    x = data.draw(sizes) * data.draw(arrays(np.float64, shape, elements=st.sampled_from([-1.0, 1.0])))
    t = data.draw(arrays(np.float64, data.draw(st.sampled_from([shape, shape[-1:]])), elements=st.floats(0, 1)))
    weight = data.draw(st.none() | arrays(np.float64, shape[-1:], elements=st.floats(0.25, 4)))
    assert disagreements(SPEC, {"input": x, "target": t, "weight": weight, "reduction": data.draw(
        st.sampled_from(["none", "mean", "sum"]))}) == []


def test_the_targets_gradient_cancels_in_torch() -> None:
    """It fails when torch mends it; then the docstring, the dialect and the waiver have to go."""
    x, t = np.array([[1e-9]], np.float32), np.zeros((1, 1), np.float32)
    leaf = torch.from_numpy(t).requires_grad_()
    torch.nn.functional.multilabel_soft_margin_loss(torch.from_numpy(x), leaf).backward()
    assert leaf.grad == 0
    ours = losses.multilabel_soft_margin_loss_backward(np.array(1.0), x, t)[1]
    assert ours is not None
    assert ours == -x


def test_the_classes_are_those_of_the_input() -> None:
    x, t = np.ones((2, 1)), np.zeros((2, 3))
    ours = losses.multilabel_soft_margin_loss(x, t, reduction="none")
    theirs = torch.nn.functional.multilabel_soft_margin_loss(torch.from_numpy(x), torch.from_numpy(t), reduction="none")
    assert np.abs(ours - theirs.numpy()).max() < 1e-14
    assert np.abs(ours - 3 * np.log1p(np.e)).max() < 1e-14  # the sum of three, by one class


def test_integer_targets() -> None:
    x, t = np.ones((2, 3), np.float32), np.ones((2, 3), np.int64)
    gradients = losses.multilabel_soft_margin_loss_backward(np.array(1.0), x, t)
    assert gradients[1:] == (None, None)
    assert losses.multilabel_soft_margin_loss(x, t).dtype == np.float32
