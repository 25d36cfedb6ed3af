"""The Huber loss against fractions, values by hand and torch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oracle.cases.ops.losses.huber import SPEC
from oracle.targets.pytorch import to_tensor
from reference import losses
from tests.losses.agreement import broadcast_rows, disagreements, encloses, finite_cases, mixed_types, reduced

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
NUMBERS = st.floats(-1e6, 1e6) | st.floats(-2, 2) | st.sampled_from([0.0, 1.0, -1.0, 0.5])


def by_fractions(arguments: Any) -> list[Any]:
    weight, delta, each = arguments.get("weight"), Fraction(arguments["delta"]), []
    for x, y, w in broadcast_rows(arguments["input"], arguments["target"],
                                  np.float64(1) if weight is None else weight):
        z = abs(x - y)
        each.append(w * (z * z / 2 if z <= delta else delta * (z - delta / 2)))
    return reduced(each, arguments, len(each))


def test_values_are_those_of_fractions() -> None:
    assert all(encloses(case, by_fractions) for case in finite_cases(SPEC))


def test_values_by_hand() -> None:
    x, y, w = np.array([0.0, 1.0, 2.0, -3.0]), np.zeros(4), np.array([1.0, 2.0, 3.0, 4.0])
    assert losses.huber_loss(x, y, delta=2, reduction="none").tolist() == [0, 0.5, 2, 4]
    assert losses.huber_loss(x, y, delta=2.0, weight=w) == (1 + 6 + 16) / 4  # by the number, not by Σ w
    assert losses.huber_loss(x, y, delta=float("inf"), reduction="sum") == 7
    gradients = losses.huber_loss_backward(np.array(2.0), x, y, "sum", 2.0, w)
    assert [g is not None and g.tolist() for g in gradients] == [
        [0, 4, 12, -16], [0, -4, -12, 16], [0, 1, 4, 8]]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_agreement_with_torch(data: st.DataObject) -> None:
    x = data.draw(arrays(np.float64, data.draw(st.sampled_from([(), (1,), (3,), (2, 3)])), elements=NUMBERS))
    y = data.draw(arrays(np.float64, data.draw(st.sampled_from([x.shape, (2, *x.shape)])), elements=NUMBERS))
    weight = data.draw(st.none() | arrays(np.float64, x.shape, elements=st.floats(0.125, 8)))
    delta = data.draw(st.sampled_from([0.5, 1.0, 1]) | st.floats(2.0**-10, 1e6))
    reduction = data.draw(st.sampled_from(["none", "mean", "sum"]))
    arguments = {"input": x, "target": y, "delta": delta, "reduction": reduction, "weight": weight}
    assert disagreements(SPEC, arguments) == []


def test_types_are_those_of_torch() -> None:
    mixed_types(SPEC, torch.nn.functional.huber_loss, to_tensor, (
        "float16", "bfloat16", "float32", "float64", "int64", "uint8", "bool", "complex64"))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_weights_of_other_types(reduction: str) -> None:
    """Small dyadic numbers: everything is exact, but for the 3 of the mean, of one rounding in both."""
    x, y = np.array([3.0, 0.25, 1.0], np.float32), np.array([1.0, 0.0, 2.0], np.float32)
    for weight in (np.array([1, 2, 3]), np.array([True, False, True]), np.array([0.5, 2.0, 1.0]),
                   np.array([1 + 2j, 2, 1j], np.complex64)):
        leaves = [to_tensor(v) for v in (x, y, weight)]
        for leaf in leaves:
            if leaf.is_floating_point() or leaf.is_complex():
                leaf.requires_grad_()
        theirs = torch.nn.functional.huber_loss(leaves[0], leaves[1], weight=leaves[2], reduction=reduction)
        theirs.backward(torch.full_like(theirs, 3))
        ours = losses.huber_loss(x, y, reduction, weight=weight)
        assert f"torch.{ours.dtype.name}" == str(theirs.dtype)
        assert np.abs(ours - theirs.detach().numpy()).max() <= 2 * np.spacing(np.float32(3))
        gradients = losses.huber_loss_backward(np.full_like(ours, 3), x, y, reduction, weight=weight)
        for mine, leaf in zip(gradients, leaves, strict=True):
            assert (mine is None) == (leaf.grad is None)
            if mine is not None:
                assert f"torch.{mine.dtype.name}" == str(leaf.grad.dtype)
                assert np.abs(mine - leaf.grad.numpy()).max() <= 2 * np.spacing(np.float32(10))
